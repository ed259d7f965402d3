package faultfs

import (
	"context"
	"errors"
	"fmt"
	iofs "io/fs"
	"sync"
	"time"

	"github.com/weft-project/weft/internal/fs"
)

// ErrInjected is what a failing call gives unless another error was asked for.
var ErrInjected = errors.New("injected fault")

// When says whether a fault comes before the call has done anything, or after all of it: the answer is lost.
type When int

// Values of When.
const (
	Before When = iota
	After
)

// Fault is one call that fails.
type Fault struct {
	// Op is the operation's name, Nth the number of the call of it that fails, from 1 on; 0 is every call.
	Op  string
	Nth int
	// When is before or after the call. A Write that fails after has written.
	When When
	// Err is what the call gives; nil is ErrInjected.
	Err error
}

// FS is a FileSystem in which calls fail. It is safe for use by several goroutines, as far as the store below is.
type FS struct {
	fs.FileSystem

	mu     sync.Mutex
	faults []Fault
	calls  map[string]int
}

// New wraps a store.
func New(store fs.FileSystem, faults ...Fault) *FS {
	return &FS{FileSystem: store, faults: faults, calls: map[string]int{}}
}

// Inject adds a fault; calls made before count for its number.
func (f *FS) Inject(fault Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = append(f.faults, fault)
}

// Heal takes all faults away.
func (f *FS) Heal() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = nil
}

// Calls counts the calls of an operation so far, those that failed included.
func (f *FS) Calls(op string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[op]
}

// do makes a call, unless a fault comes before it. The error is the fault's where there is one.
func (f *FS) do(op string, call func() error) error {
	f.mu.Lock()
	f.calls[op]++
	n := f.calls[op]
	var fault *Fault
	for i := range f.faults {
		if c := f.faults[i]; c.Op == op && (c.Nth == 0 || c.Nth == n) {
			fault = &c
			break
		}
	}
	f.mu.Unlock()
	if fault == nil {
		return call()
	}
	if fault.When == After {
		if err := call(); err != nil {
			return err
		}
	}
	err := fault.Err
	if err == nil {
		err = ErrInjected
	}
	return fmt.Errorf("call %d of %s: %w", n, op, err)
}

// Open is FileSystem's.
func (f *FS) Open(ctx context.Context, path string) (r fs.Reader, err error) {
	err = f.do("Open", func() error { r, err = f.FileSystem.Open(ctx, path); return err })
	if err != nil {
		if r != nil {
			err = errors.Join(err, r.Close())
		}
		return nil, err
	}
	return &reader{r, f}, nil
}

// Create is FileSystem's. A Create that fails after leaves an empty file, as a lost answer does.
func (f *FS) Create(ctx context.Context, path string, opts fs.CreateOptions) (w fs.Writer, err error) {
	err = f.do("Create", func() error { w, err = f.FileSystem.Create(ctx, path, opts); return err })
	if err != nil {
		if w != nil {
			err = errors.Join(err, w.Close())
		}
		return nil, err
	}
	return &writer{Writer: w, f: f}, nil
}

// Stat is FileSystem's.
func (f *FS) Stat(ctx context.Context, path string) (info fs.FileInfo, err error) {
	err = f.do("Stat", func() error { info, err = f.FileSystem.Stat(ctx, path); return err })
	return info, err
}

// List is FileSystem's.
func (f *FS) List(ctx context.Context, path string) (list []fs.FileInfo, err error) {
	err = f.do("List", func() error { list, err = f.FileSystem.List(ctx, path); return err })
	return list, err
}

// MkdirAll is FileSystem's.
func (f *FS) MkdirAll(ctx context.Context, path string, mode iofs.FileMode) error {
	return f.do("MkdirAll", func() error { return f.FileSystem.MkdirAll(ctx, path, mode) })
}

// Rename is FileSystem's.
func (f *FS) Rename(ctx context.Context, old, new string, overwrite bool) error {
	return f.do("Rename", func() error { return f.FileSystem.Rename(ctx, old, new, overwrite) })
}

// Delete is FileSystem's.
func (f *FS) Delete(ctx context.Context, path string, recursive bool) error {
	return f.do("Delete", func() error { return f.FileSystem.Delete(ctx, path, recursive) })
}

// Chmod is FileSystem's.
func (f *FS) Chmod(ctx context.Context, path string, mode iofs.FileMode) error {
	return f.do("Chmod", func() error { return f.FileSystem.Chmod(ctx, path, mode) })
}

// SetTimes is FileSystem's.
func (f *FS) SetTimes(ctx context.Context, path string, mtime time.Time) error {
	return f.do("SetTimes", func() error { return f.FileSystem.SetTimes(ctx, path, mtime) })
}

type reader struct {
	fs.Reader
	f *FS
}

// Read is Reader's.
func (r *reader) Read(p []byte) (n int, err error) {
	err = r.f.do("Read", func() error { n, err = r.Reader.Read(p); return err })
	return n, err
}

// Seek is Reader's.
func (r *reader) Seek(offset int64, whence int) (pos int64, err error) {
	err = r.f.do("Seek", func() error { pos, err = r.Reader.Seek(offset, whence); return err })
	return pos, err
}

// writer keeps the contract of a Writer: its first error is final.
type writer struct {
	fs.Writer
	f   *FS
	err error
}

// Write is Writer's.
func (w *writer) Write(p []byte) (n int, err error) {
	if w.err != nil {
		return 0, w.err
	}
	w.err = w.f.do("Write", func() error { n, err = w.Writer.Write(p); return err })
	return n, w.err
}

// Close is Writer's. One that fails after leaves the whole file, as a lost answer may.
func (w *writer) Close() error {
	if w.err == nil {
		w.err = w.f.do("Close", w.Writer.Close)
		if w.err == nil {
			return nil
		}
	}
	return errors.Join(w.err, w.Writer.Abort())
}

// Abort is Writer's.
func (w *writer) Abort() error { return w.f.do("Abort", w.Writer.Abort) }
