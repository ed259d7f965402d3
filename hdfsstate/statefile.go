package hdfsstate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"sync"

	"github.com/weft-project/weft/checkpoint/manifest"
	"github.com/weft-project/weft/checkpoint/restore"
	"github.com/weft-project/weft/internal/fs"
)

// StateTarget says where the state of one checkpoint goes.
type StateTarget struct {
	Store fs.FileSystem
	// Root is the job's directory, or the savepoint's; Prefix is StatePrefix, or nothing for a savepoint.
	Root, Prefix string
	// Name is what the files' names begin with. It is unique: worker or task with its attempt (F2).
	Name string
	// InlineBelow is how large a piece is at most that goes into the metadata.
	InlineBelow int
	// Chunk is how many bytes of keyed state are put together, and handed to the store; 0 for a megabyte.
	Chunk int
	// MaxFile is after how many bytes a new file is begun; 0 for a gigabyte.
	MaxFile int64
}

// StateWriter writes the state of one checkpoint, of one task or of all tasks of a worker: few files, small pieces in none. Its methods
// may be called concurrently. Handles are good when Close has returned nil; an error is final for all of them, and the files are removed.
type StateWriter struct {
	t StateTarget

	mu    sync.Mutex
	w     fs.Writer
	at    int64
	name  string
	files []string
	err   error
	done  bool
}

// NewStateWriter makes nothing yet: a task with little state makes no file.
func NewStateWriter(t StateTarget) *StateWriter {
	if t.Chunk <= 0 {
		t.Chunk = 1 << 20
	}
	if t.MaxFile <= 0 {
		t.MaxFile = 1 << 30
	}
	return &StateWriter{t: t}
}

// Add stores a piece. b may be used again afterwards.
func (s *StateWriter) Add(ctx context.Context, b []byte) (manifest.Handle, error) {
	if len(b) <= s.t.InlineBelow {
		return manifest.InlineHandle(append([]byte(nil), b...)), nil
	}
	sum := manifest.Sum(b) // outside the lock
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done && s.err == nil {
		s.err = errors.New("the state of this checkpoint was closed already")
	}
	if s.err == nil {
		s.err = s.put(ctx, b)
	}
	if s.err != nil {
		return manifest.Handle{}, s.err
	}
	return manifest.Handle{File: s.name, Offset: s.at - int64(len(b)), Length: int64(len(b)), Sum: sum}, nil
}

func (s *StateWriter) put(ctx context.Context, b []byte) error {
	if s.w != nil && s.at > 0 && s.at+int64(len(b)) > s.t.MaxFile {
		if err := s.finish(); err != nil {
			return err
		}
	}
	if s.w == nil {
		s.name = fmt.Sprintf("%s%s-%d", s.t.Prefix, s.t.Name, len(s.files))
		w, err := s.t.Store.Create(ctx, path.Join(s.t.Root, s.name), fs.CreateOptions{Mode: privateFile, Parents: true})
		if err != nil {
			return fmt.Errorf("write state: %w", err)
		}
		s.w, s.at, s.files = w, 0, append(s.files, s.name)
	}
	if _, err := s.w.Write(b); err != nil {
		return fmt.Errorf("write state to %s: %w", s.name, err)
	}
	s.at += int64(len(b))
	return nil
}

func (s *StateWriter) finish() error {
	err := s.w.Close()
	if err != nil {
		return errors.Join(fmt.Errorf("complete %s: %w", s.name, err), s.w.Abort())
	}
	s.w = nil
	return nil
}

// Close completes the files. Afterwards the handles may be acknowledged.
func (s *StateWriter) Close(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil && s.w != nil && !s.done {
		s.err = s.finish()
	}
	s.done = true
	if s.err != nil {
		return errors.Join(s.err, s.drop(ctx))
	}
	return nil
}

// Abort gives up and removes what was written.
func (s *StateWriter) Abort(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = errors.New("the checkpoint was given up")
	}
	s.done = true
	return s.drop(ctx)
}

func (s *StateWriter) drop(ctx context.Context) error {
	var errs []error
	if s.w != nil {
		errs = append(errs, s.w.Abort())
		s.w = nil
	}
	for _, f := range s.files {
		errs = append(errs, s.t.Store.Delete(ctx, path.Join(s.t.Root, f), false))
	}
	s.files = nil
	return errors.Join(errs...)
}

// KeyedWriter writes the key groups of one operator's subtask, one after the other.
type KeyedWriter struct {
	s    *StateWriter
	out  []manifest.Groups
	now  manifest.Groups
	buf  []byte
	next int
}

// Keyed begins with key group first.
func (s *StateWriter) Keyed(first int) *KeyedWriter {
	return &KeyedWriter{s: s, now: manifest.Groups{First: first}, next: first}
}

// Group writes the next key group: its named parts, as state.Keyed.Snapshot gives them.
func (k *KeyedWriter) Group(ctx context.Context, parts map[string][]byte) error {
	from := len(k.buf)
	k.buf = manifest.AppendGroup(k.buf, parts)
	p := manifest.Piece{Length: int64(len(k.buf) - from)}
	if p.Length > 0 {
		p.Sum = manifest.Sum(k.buf[from:])
	}
	k.now.Pieces = append(k.now.Pieces, p)
	if k.next++; len(k.buf) >= k.s.t.Chunk {
		return k.flush(ctx)
	}
	return nil
}

func (k *KeyedWriter) flush(ctx context.Context) (err error) {
	if len(k.now.Pieces) == 0 {
		return nil
	}
	if k.now.Data, err = k.s.Add(ctx, k.buf); err != nil {
		return err
	}
	k.out = append(k.out, k.now)
	k.now, k.buf = manifest.Groups{First: k.next}, k.buf[:0]
	return nil
}

// Done gives what goes into the acknowledgement.
func (k *KeyedWriter) Done(ctx context.Context) ([]manifest.Groups, error) {
	if err := k.flush(ctx); err != nil {
		return nil, err
	}
	return k.out, nil
}

// List writes an operator state.
func (s *StateWriter) List(ctx context.Context, name string, elements [][]byte) (l manifest.List, err error) {
	l.Name = name
	var b []byte
	for _, e := range elements {
		b = append(b, e...)
		l.Lengths = append(l.Lengths, int64(len(e)))
	}
	l.Data, err = s.Add(ctx, b)
	return l, err
}

// StateReader reads state and checks it. It is used by one goroutine; Close when done.
type StateReader struct {
	store fs.FileSystem
	root  string
	open  map[string]fs.Reader
}

// NewStateReader reads files whose names are relative to root.
func NewStateReader(store fs.FileSystem, root string) *StateReader {
	return &StateReader{store: store, root: root, open: map[string]fs.Reader{}}
}

// Reader reads a snapshot's files.
func (s *Snapshot) Reader() *StateReader { return NewStateReader(s.Store, s.Root) }

// Close closes the files.
func (r *StateReader) Close() error {
	var errs []error
	for name, f := range r.open {
		errs = append(errs, f.Close())
		delete(r.open, name)
	}
	return errors.Join(errs...)
}

// Handle reads a whole piece.
func (r *StateReader) Handle(ctx context.Context, h manifest.Handle) ([]byte, error) {
	return r.bytes(ctx, h, 0, h.Length, h.Sum)
}

// bytes reads length bytes from offset of a piece and compares their checksum.
func (r *StateReader) bytes(ctx context.Context, h manifest.Handle, offset, length int64, sum uint64) ([]byte, error) {
	b, where, err := r.raw(ctx, h, offset, length)
	if err != nil {
		return nil, err
	}
	if have := manifest.Sum(b); have != sum {
		return nil, fmt.Errorf("%w state: %s: checksum %016x, expected %016x", manifest.ErrDamaged, where, have, sum)
	}
	return b, nil
}

func (r *StateReader) raw(ctx context.Context, h manifest.Handle, offset, length int64) (b []byte, where string, err error) {
	if offset < 0 || length < 0 || offset > h.Length-length {
		return nil, "", fmt.Errorf("%w manifest: bytes %d to %d of a piece of %d", manifest.ErrDamaged, offset, offset+length, h.Length)
	}
	if h.File == "" {
		return h.Inline[offset : offset+length], fmt.Sprintf("%d bytes in the metadata", length), nil
	}
	where = fmt.Sprintf("%s%s, %d bytes from %d", r.store.URI(), path.Join(r.root, h.File), length, h.Offset+offset)
	f := r.open[h.File]
	if f == nil {
		f, err = r.store.Open(ctx, path.Join(r.root, h.File))
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%w state: %w", manifest.ErrDamaged, err)
		}
		if err != nil {
			return nil, where, err
		}
		r.open[h.File] = f
	}
	if h.Offset+offset+length > f.Size() {
		return nil, where, fmt.Errorf("%w state: %s: the file has only %d bytes", manifest.ErrDamaged, where, f.Size())
	}
	if _, err = f.Seek(h.Offset+offset, io.SeekStart); err == nil {
		b = make([]byte, length)
		_, err = io.ReadFull(f, b)
	}
	if err != nil {
		return nil, where, fmt.Errorf("read %s: %w", where, err)
	}
	return b, where, nil
}

// Groups reads key groups and calls each for those with state.
func (r *StateReader) Groups(ctx context.Context, from restore.Range, each func(group int, parts map[string][]byte) error) error {
	at := from.Offset
	for i, p := range from.Pieces {
		if p.Length == 0 {
			continue
		}
		b, err := r.bytes(ctx, from.Data, at, p.Length, p.Sum)
		if err != nil {
			return fmt.Errorf("key group %d: %w", from.First+i, err)
		}
		parts, err := manifest.ReadGroup(b)
		if err != nil {
			return fmt.Errorf("key group %d: %w", from.First+i, err)
		}
		if err := each(from.First+i, parts); err != nil {
			return err
		}
		at += p.Length
	}
	return nil
}

// List reads the elements of an operator state that a subtask gets.
func (r *StateReader) List(ctx context.Context, l restore.List) ([][]byte, error) {
	var out [][]byte
	for _, p := range l.Parts {
		b, err := r.Handle(ctx, p.Data)
		if err != nil {
			return nil, fmt.Errorf("operator state %q: %w", l.Name, err)
		}
		var at int64
		for i, n := range p.Lengths {
			if i >= p.From && i < p.End {
				out = append(out, b[at:at+n:at+n])
			}
			at += n
		}
	}
	return out, nil
}
