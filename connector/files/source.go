package files

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/weft-project/weft/internal/fs"
	"github.com/weft-project/weft/operator"
)

// Skipped is the name of the counter of records that SkipBad has passed over.
const Skipped = "numRecordsSkipped"

// Option says how files are read.
type Option func(*settings)

type settings struct {
	watch    time.Duration
	watching bool
	skipBad  bool
	csv      csvSettings
	err      error
}

// Watch goes on looking for new files every interval; the source does not end. A file is read once, as far as it goes when it
// is found: write it under a name that begins with '_' or '.', or elsewhere, and rename it.
func Watch(interval time.Duration) Option {
	return func(s *settings) {
		s.watch, s.watching = interval, true
		if interval <= 0 {
			s.err = fmt.Errorf("directories cannot be watched every %s: expected more than 0", interval)
		}
	}
}

// SkipBad passes over records that can not be read, and counts them as numRecordsSkipped, instead of failing.
func SkipBad() Option { return func(s *settings) { s.skipBad = true } }

func settingsOf(opts []Option) *settings {
	s := &settings{csv: csvSettings{comma: ','}}
	for _, o := range opts {
		o(s)
	}
	return s
}

// Text is a source of the lines of the files that uri names: a file, a directory's files, or a pattern; plain or .gz.
func Text(uri string, opts ...Option) operator.SplitSource[string, Split] {
	return linesOf(uri, settingsOf(opts), func(*reader[string]) (parser[string], error) {
		return func(line string, v *string) error {
			*v = line
			return nil
		}, nil
	})
}

// parser makes a record of a line; v is a zero value.
type parser[T any] func(line string, v *T) error

// linesOf is a source of what open's functions make of lines. open is called for each split.
func linesOf[T any](uri string, s *settings, open func(r *reader[T]) (parser[T], error)) operator.SplitSource[T, Split] {
	src := splitsOf[T](uri, s)
	src.Open = func(ctx context.Context, split Split, _ func()) (operator.SplitReader[T], error) {
		r := &reader[T]{ctx: ctx, split: split, slot: new(T), skip: split.Skip, settings: s}
		return r, r.open(open)
	}
	return src
}

// splitsOf is a source that has everything but Open.
func splitsOf[T any](uri string, s *settings) operator.SplitSource[T, Split] {
	src := operator.SplitSource[T, Split]{Reads: []string{uri}, Unbounded: s.watching, Invalid: s.err}
	if s.watching {
		src.Reads = []string{watched(uri)}
		src.Discover = func(ctx context.Context, e *operator.Enumeration[Split]) error { return discover(ctx, e, uri, s) }
		return src
	}
	src.Plan = func(ctx context.Context, subtasks int) ([]Split, error) {
		splits, err := planSplits(ctx, operator.ContextOf(ctx).Files, uri, subtasks, s.csv.whole)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrEncrypted) || errors.Is(err, fs.ErrErasureCoded) {
			return nil, operator.User(err) // trying again does not help
		}
		return splits, operator.External(err)
	}
	return src
}

// pollLines bounds the lines handed on by one Read: between Reads a task publishes its counters and looks whether it shall stop.
const pollLines = 512

// reader reads the records of one split, a line each.
type reader[T any] struct {
	*settings
	ctx   context.Context
	split Split
	store fs.FileSystem
	path  string
	lines *LineReader
	parse parser[T]
	slot  *T
	skip  int // lines that were read before a checkpoint
	// batch holds lines read, of which those up to at have been handed on. Before it the split had so many.
	batch  []string
	at     int
	before int
	bad    *operator.Accumulator
}

func (r *reader[T]) open(open func(r *reader[T]) (parser[T], error)) (err error) {
	if r.store, r.path, err = operator.ContextOf(r.ctx).Files.Get(r.split.URI); err != nil {
		return operator.External(err)
	}
	if r.parse, err = open(r); err != nil {
		return err
	}
	r.lines, err = NewLineReader(r.ctx, r.store, r.path, r.split)
	return operator.External(err)
}

// first tells that the line under way is the file's first.
func (r *reader[T]) first() bool { return r.split.Offset == 0 && r.before+r.at == 0 }

// Read is SplitReader's.
func (r *reader[T]) Read(emit func(v *T)) (operator.Status, error) {
	for r.at == len(r.batch) {
		var err error
		r.before += r.at
		r.at = 0
		if r.batch, err = r.lines.Next(r.batch[:0]); err == io.EOF {
			return operator.End, nil
		}
		if err != nil {
			return operator.End, operator.External(err)
		}
		r.at = min(len(r.batch), r.skip)
		r.skip -= r.at
	}
	end := min(len(r.batch), r.at+pollLines)
	for r.at < end {
		var zero T
		*r.slot = zero // what follows may have changed the last one
		line := r.batch[r.at]
		err := r.parse(line, r.slot)
		if err != nil && err != errNoRecord {
			if err := r.refuse(err); err != nil {
				return operator.End, err
			}
		}
		r.at++
		if err == nil {
			emit(r.slot)
		}
	}
	return operator.More, nil
}

// errNoRecord: the line is none of a record: empty, a comment, a header.
var errNoRecord = errors.New("no record")

// refuse counts a record that can not be read, or fails with its place.
func (r *reader[T]) refuse(err error) error {
	if r.skipBad {
		if r.bad == nil {
			r.bad = operator.ContextOf(r.ctx).Counter(Skipped)
		}
		r.bad.Long++
		return nil
	}
	var bad *BadRecord
	if !errors.As(err, &bad) {
		bad = &BadRecord{Err: err}
	}
	bad.File = r.split.URI
	bad.Line, err = r.lineNumber()
	return operator.User(errors.Join(bad, err))
}

// lineNumber counts the lines of the file before the one under way, from 1. It is asked for once, when a job fails.
func (r *reader[T]) lineNumber() (int64, error) {
	if r.split.Offset == 0 {
		return int64(r.before + r.at + 1), nil
	}
	from, _ := r.lines.Position()
	before, err := countLines(r.ctx, r.store, r.path, from)
	if err != nil {
		err = fmt.Errorf("the line is counted from byte %d of the file: %w", from, err)
	}
	return before + int64(r.at+1), err
}

// Remaining is Resumable's: the split from the first line on that is still held, and how many lines of it have been handed on.
func (r *reader[T]) Remaining() Split {
	left := r.split
	left.Skip = r.before + r.at + r.skip
	if r.split.Compressed() {
		return left
	}
	pos, lines := r.lines.Position()
	if lines == 0 {
		return left
	}
	left.Length -= pos - left.Offset
	left.Offset, left.Skip = pos, r.at+r.skip
	return left
}

// Close is SplitReader's.
func (r *reader[T]) Close() error {
	if r.lines != nil {
		r.lines.Close()
	}
	return nil
}

// BadRecord is a record that can not be read.
type BadRecord struct {
	// File and Line, from 1, where it stands.
	File string
	Line int64
	// Column is the byte in the line, from 1; 0 where it is not known.
	Column int
	// Field is the column's or field's name, empty where it is not one's fault.
	Field string
	// Value is what stands there, cut to a reasonable length.
	Value string
	Err   error
}

// Error is one sentence.
func (b *BadRecord) Error() string {
	where := fmt.Sprintf("input %s, line %d", b.File, b.Line)
	if b.Column > 0 {
		where += fmt.Sprintf(", column %d", b.Column)
	}
	if b.Field != "" {
		where += " (" + b.Field + ")"
	}
	return fmt.Sprintf("%s: %q: %v", where, shorten(b.Value), b.Err)
}

// Unwrap gives the cause.
func (b *BadRecord) Unwrap() error { return b.Err }

func shorten(s string) string {
	if len(s) > 80 {
		return s[:80] + "…"
	}
	return s
}

// stored is what a watching source goes on from: the files that were found.
type stored struct{ Seen []string }

// discover looks for new files until ctx ends.
func discover(ctx context.Context, e *operator.Enumeration[Split], uri string, s *settings) error {
	reg := operator.ContextOf(ctx).Files
	var from stored
	if e.State != nil {
		if err := json.Unmarshal(e.State, &from); err != nil {
			return fmt.Errorf("input %s: what was found before: %w", uri, err)
		}
	}
	seen := map[string]bool{}
	for _, p := range from.Seen {
		seen[p] = true
	}
	for {
		store, all, err := expand(ctx, reg, uri)
		if err != nil && !(errors.Is(err, fs.ErrNotExist) && pattern(uri)) {
			return operator.External(err)
		}
		var fresh []fs.FileInfo
		there := map[string]bool{}
		var now stored
		for _, f := range all {
			if f.Size == 0 {
				continue // it may still be filled
			}
			if !seen[f.Path] {
				fresh = append(fresh, f)
			}
			there[f.Path] = true
			now.Seen = append(now.Seen, f.Path)
		}
		seen = there // what is no longer there needs no memory
		if len(fresh) > 0 {
			state, err := json.Marshal(now)
			if err != nil {
				return err
			}
			e.Found(state, cut(store.URI(), fresh, e.Subtasks, s.csv.whole)...)
		}
		wait := time.NewTimer(s.watch)
		select {
		case <-ctx.Done():
			wait.Stop()
			return nil
		case <-wait.C:
		}
	}
}
