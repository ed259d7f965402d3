package files

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"unsafe"

	"github.com/klauspost/compress/gzip"

	"github.com/weft-project/weft/internal/fs"
	"github.com/weft-project/weft/operator"
)

type csvSettings struct {
	comma, comment rune
	header         bool
	columns        []string
	whole          bool
}

// Header says that each CSV file begins with the names of its columns, by which fields are found, whatever the columns' order.
// Columns that no field wants are passed over.
func Header() Option { return func(s *settings) { s.csv.header = true } }

// Columns names the columns of CSV files that do not begin with their names; an empty name passes a column over. Without it and
// without Header the columns are the fields in their order.
func Columns(names ...string) Option { return func(s *settings) { s.csv.columns = names } }

// Separator is what separates the columns of CSV files, in the place of a comma: '\t', ';'.
func Separator(c rune) Option {
	return func(s *settings) {
		if s.csv.comma = c; c == 0 || c == '"' || c == '\n' || c == '\r' {
			s.err = fmt.Errorf("columns cannot be separated by %q", c)
		}
	}
}

// Comment begins lines of CSV files that are passed over.
func Comment(c rune) Option { return func(s *settings) { s.csv.comment = c } }

// LinesInQuotes allows line breaks within quoted columns of CSV files. A file is then read by one subtask, since only from its
// beginning can be told what is quoted.
func LinesInQuotes() Option { return func(s *settings) { s.csv.whole = true } }

// CSV is a source of records of CSV files (RFC 4180, as encoding/csv reads them). T is a struct, whose fields are columns by
// Header, Columns or their order, or []string for all columns as they are. A field is named by itself or by a tag:
//
//	type Order struct {
//		Customer string
//		Cents    int64     `csv:"amount"`
//		Day      time.Time `csv:"day,2006-01-02"`
//		Note     *string   // nil where the column is empty
//		Parsed   bool      `csv:"-"`
//	}
func CSV[T any](uri string, opts ...Option) operator.SplitSource[T, Split] {
	s := settingsOf(opts)
	cols, err := csvColumns[T]()
	if s.err == nil {
		s.err = err
	}
	if s.csv.whole {
		src := splitsOf[T](uri, s)
		src.Open = func(ctx context.Context, split Split, _ func()) (operator.SplitReader[T], error) {
			return openCSV[T](ctx, split, s, cols)
		}
		return src
	}
	return linesOf(uri, s, func(r *reader[T]) (parser[T], error) {
		c, err := newCSVLines(r.ctx, r.store, r.path, r.split, s, cols)
		if err != nil {
			return nil, err
		}
		fill := c.filler(reflect.TypeFor[T]())
		return func(line string, v *T) error {
			if r.first() {
				line = strings.TrimPrefix(line, byteOrderMark)
				if s.csv.header {
					return errNoRecord
				}
			}
			if err := c.split(line); err != nil {
				return err
			}
			return fill(unsafe.Pointer(v))
		}, nil
	})
}

// csvColumns gives T's columns; none for []string.
func csvColumns[T any]() ([]column, error) {
	t := reflect.TypeFor[T]()
	if t == reflect.TypeFor[[]string]() {
		return nil, nil
	}
	return columnsOf(t)
}

// csvLines reads records of single lines. The columns of the one under way are in record.
type csvLines struct {
	settings *settings
	columns  []column
	// places are the columns by their place in a line; -1 for one that is passed over.
	places []int
	record []string
	// r reads lines with quotes, from feed; byReader: the record came from it. Of others own is the memory.
	r        *csv.Reader
	feed     string
	byReader bool
	own      []string
}

func newCSVLines(ctx context.Context, store fs.FileSystem, p string, split Split, s *settings, columns []column) (*csvLines, error) {
	c := &csvLines{settings: s, columns: columns}
	c.r = csv.NewReader(c)
	s.csv.set(c.r)
	names := s.csv.columns
	if s.csv.header {
		var err error
		if names, err = readHeader(ctx, store, p, split, c); err != nil {
			return nil, err
		}
	}
	var err error
	if c.places, err = s.csv.places(columns, names); err != nil {
		err = operator.User(fmt.Errorf("input %s: %w", split.URI, err))
	}
	return c, err
}

func (s *csvSettings) set(r *csv.Reader) {
	r.Comma, r.Comment, r.FieldsPerRecord, r.ReuseRecord = s.comma, s.comment, -1, true
}

// places finds the columns of the fields.
func (s *csvSettings) places(columns []column, names []string) ([]int, error) {
	if columns == nil {
		return nil, nil
	}
	var places []int
	if names == nil {
		for i := range columns {
			places = append(places, i)
		}
		return places, nil
	}
	found := make([]bool, len(columns))
	for _, n := range names {
		at := -1
		for i := range columns {
			if !found[i] && (columns[i].name == n || at < 0 && strings.EqualFold(columns[i].name, n)) {
				at = i
			}
		}
		if at >= 0 {
			found[at] = true
		}
		places = append(places, at)
	}
	for i, ok := range found {
		if !ok {
			return nil, fmt.Errorf("there is no column %q; the columns are %q", columns[i].name, names)
		}
	}
	return places, nil
}

// readHeader reads the first line of a file.
func readHeader(ctx context.Context, store fs.FileSystem, p string, split Split, c *csvLines) ([]string, error) {
	split.Offset, split.Length, split.Skip = 0, min(1, split.FileSize), 0
	r, err := NewLineReader(ctx, store, p, split)
	if err != nil {
		return nil, operator.External(err)
	}
	defer r.Close()
	var lines []string
	for len(lines) == 0 && err == nil {
		lines, err = r.Next(nil)
	}
	if err == io.EOF {
		return nil, operator.User(fmt.Errorf("input %s: it is empty: expected the names of the columns", split.URI))
	}
	if err != nil {
		return nil, operator.External(err)
	}
	if err := c.split(strings.TrimPrefix(lines[0], byteOrderMark)); err != nil {
		return nil, operator.User(fmt.Errorf("input %s, line 1: the names of the columns %q: %w", split.URI, shorten(lines[0]), err))
	}
	names := make([]string, len(c.record))
	for i, n := range c.record {
		names[i] = strings.TrimSpace(n)
	}
	return names, nil
}

// Read is io.Reader's, for the lines that r reads.
func (c *csvLines) Read(p []byte) (int, error) {
	if c.feed == "" {
		return 0, io.EOF
	}
	n := copy(p, c.feed)
	c.feed = c.feed[n:]
	return n, nil
}

// split cuts a line into columns.
func (c *csvLines) split(line string) error {
	s := &c.settings.csv
	if line == "" || s.comment != 0 && strings.HasPrefix(line, string(s.comment)) {
		return errNoRecord
	}
	if strings.IndexByte(line, '"') >= 0 {
		return c.quoted(line)
	}
	c.own = c.own[:0]
	sep := string(s.comma)
	for rest, more := line, true; more; {
		var field string
		field, rest, more = strings.Cut(rest, sep)
		c.own = append(c.own, field)
	}
	c.record, c.byReader = c.own, false
	return nil
}

// position is where column i of the record begins, from 1.
func (c *csvLines) position(i int) int {
	if c.byReader {
		_, col := c.r.FieldPos(i)
		return col
	}
	at := 1
	for _, f := range c.own[:i] {
		at += len(f) + len(string(c.settings.csv.comma))
	}
	return at
}

// quoted reads a line with quotes.
func (c *csvLines) quoted(line string) error {
	c.feed = line + "\n"
	record, err := c.r.Read()
	if err != nil {
		c.feed = ""
		c.r = csv.NewReader(c) // it may hold a part of the line
		c.settings.csv.set(c.r)
		return badCSV(line, err)
	}
	c.record, c.byReader = record, true
	return nil
}

// badCSV says where in a line the mistake is.
func badCSV(line string, err error) *BadRecord {
	bad := &BadRecord{Value: line, Err: err}
	var parse *csv.ParseError
	if errors.As(err, &parse) {
		bad.Column = parse.Column
		bad.Err = parse.Err
	}
	return bad
}

// filler gives the function that puts the record's columns into a value of type t.
func (c *csvLines) filler(t reflect.Type) func(p unsafe.Pointer) error {
	if c.columns == nil {
		return func(p unsafe.Pointer) error {
			*(*[]string)(p) = append([]string(nil), c.record...)
			return nil
		}
	}
	return func(p unsafe.Pointer) error {
		if len(c.record) != len(c.places) {
			return &BadRecord{Value: strings.Join(c.record, string(c.settings.csv.comma)), Err: fmt.Errorf("%d columns: expected %d", len(c.record), len(c.places))}
		}
		for i, text := range c.record {
			if c.places[i] < 0 {
				continue
			}
			col := &c.columns[c.places[i]]
			if err := col.set(p, text); err != nil {
				return &BadRecord{Column: c.position(i), Field: col.name, Value: text, Err: err}
			}
		}
		return nil
	}
}

// csvFile reads a file whose records may be of several lines.
type csvFile[T any] struct {
	*csvLines
	ctx    context.Context
	uri    string
	file   fs.Reader
	fill   func(p unsafe.Pointer) error
	slot   *T
	header bool // it is still to come
	bad    *operator.Accumulator
}

func openCSV[T any](ctx context.Context, split Split, s *settings, columns []column) (*csvFile[T], error) {
	store, p, err := operator.ContextOf(ctx).Files.Get(split.URI)
	if err != nil {
		return nil, operator.External(err)
	}
	f, err := store.Open(ctx, p)
	if err != nil {
		return nil, operator.External(fmt.Errorf("input %s: %w", split.URI, err))
	}
	var src io.Reader = io.LimitReader(f, split.Length)
	if split.Compressed() {
		z, err := gzip.NewReader(src)
		if err != nil {
			_ = f.Close() // only read from
			return nil, operator.User(fmt.Errorf("input %s: %w", split.URI, err))
		}
		src = z
	}
	c := &csvFile[T]{csvLines: &csvLines{settings: s, columns: columns}, ctx: ctx, uri: split.URI, file: f, slot: new(T), header: s.csv.header}
	c.r = csv.NewReader(withoutMark(src))
	s.csv.set(c.r)
	if c.places, err = s.csv.places(columns, s.csv.columns); err != nil && !s.csv.header {
		_ = f.Close() // only read from
		return nil, operator.User(fmt.Errorf("input %s: %w", split.URI, err))
	}
	c.fill = c.filler(reflect.TypeFor[T]())
	return c, nil
}

// withoutMark drops a byte-order mark.
func withoutMark(src io.Reader) io.Reader {
	mark := make([]byte, len(byteOrderMark))
	n, err := io.ReadFull(src, mark)
	if err == nil && string(mark) == byteOrderMark {
		return src
	}
	return io.MultiReader(strings.NewReader(string(mark[:n])), src)
}

// Read is SplitReader's.
func (c *csvFile[T]) Read(emit func(v *T)) (operator.Status, error) {
	for range pollLines {
		record, err := c.r.Read()
		var zero T
		*c.slot = zero // what follows may have changed the last one
		var parse *csv.ParseError
		switch {
		case err == io.EOF:
			return operator.End, nil
		case errors.As(err, &parse):
			err = &BadRecord{Line: int64(parse.Line), Column: parse.Column, Value: strings.Join(record, string(c.settings.csv.comma)), Err: parse.Err}
		case err != nil:
			return operator.End, operator.External(fmt.Errorf("input %s: %w", c.uri, err))
		case c.header:
			c.header = false
			if c.places, err = c.settings.csv.places(c.columns, record); err != nil {
				return operator.End, operator.User(fmt.Errorf("input %s: %w", c.uri, err))
			}
			continue
		default:
			c.record, c.byReader = record, true
			err = c.fill(unsafe.Pointer(c.slot))
		}
		if err == nil {
			emit(c.slot)
			continue
		}
		if err := c.refuse(err); err != nil {
			return operator.End, err
		}
	}
	return operator.More, nil
}

func (c *csvFile[T]) refuse(err error) error {
	if c.settings.skipBad {
		if c.bad == nil {
			c.bad = operator.ContextOf(c.ctx).Counter(Skipped)
		}
		c.bad.Long++
		return nil
	}
	var bad *BadRecord
	if errors.As(err, &bad) {
		bad.File = c.uri
		if bad.Line == 0 {
			line, _ := c.r.FieldPos(0)
			bad.Line = int64(line)
		}
	}
	return operator.User(err)
}

// Close is SplitReader's.
func (c *csvFile[T]) Close() error { return c.file.Close() }
