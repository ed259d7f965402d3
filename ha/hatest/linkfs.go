package hatest

import (
	"context"
	iofs "io/fs"
	"time"

	"github.com/weft-project/weft/internal/fs"
)

// FS is a file system at the other end of a link. A call that is given up while the link is cut is carried out all the same when it
// is healed: nobody can call back what was sent.
type FS struct {
	fs.FileSystem
	Link *Link
}

// over makes a call over the link.
func over[T any](ctx context.Context, l *Link, f func(ctx context.Context) (T, error)) (T, error) {
	type answer struct {
		v   T
		err error
	}
	got := make(chan answer, 1)
	sent := context.WithoutCancel(ctx)
	l.calls.Go(func() {
		err := l.Pass(sent)
		var v T
		if err == nil {
			v, err = f(sent)
		}
		// The answer may be held back, too.
		if errBack := l.Pass(sent); errBack != nil {
			err = errBack
		}
		got <- answer{v, err}
	})
	select {
	case a := <-got:
		return a.v, a.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

func (f *FS) do(ctx context.Context, call func(ctx context.Context) error) error {
	_, err := over(ctx, f.Link, func(ctx context.Context) (bool, error) { return true, call(ctx) })
	return err
}

// Open is FileSystem's.
func (f *FS) Open(ctx context.Context, p string) (fs.Reader, error) {
	return over(ctx, f.Link, func(ctx context.Context) (fs.Reader, error) { return f.FileSystem.Open(ctx, p) })
}

// Create is FileSystem's. What is written gets there when the file is closed.
func (f *FS) Create(ctx context.Context, p string, opts fs.CreateOptions) (fs.Writer, error) {
	w, err := over(ctx, f.Link, func(ctx context.Context) (fs.Writer, error) { return f.FileSystem.Create(ctx, p, opts) })
	if err != nil {
		return nil, err
	}
	return &linkWriter{w, ctx, f}, nil
}

type linkWriter struct {
	fs.Writer
	ctx context.Context
	f   *FS
}

// Close is Writer's.
func (w *linkWriter) Close() error {
	return w.f.do(w.ctx, func(context.Context) error { return w.Writer.Close() })
}

// Stat is FileSystem's.
func (f *FS) Stat(ctx context.Context, p string) (fs.FileInfo, error) {
	return over(ctx, f.Link, func(ctx context.Context) (fs.FileInfo, error) { return f.FileSystem.Stat(ctx, p) })
}

// List is FileSystem's.
func (f *FS) List(ctx context.Context, p string) ([]fs.FileInfo, error) {
	return over(ctx, f.Link, func(ctx context.Context) ([]fs.FileInfo, error) { return f.FileSystem.List(ctx, p) })
}

// MkdirAll is FileSystem's.
func (f *FS) MkdirAll(ctx context.Context, p string, mode iofs.FileMode) error {
	return f.do(ctx, func(ctx context.Context) error { return f.FileSystem.MkdirAll(ctx, p, mode) })
}

// Rename is FileSystem's.
func (f *FS) Rename(ctx context.Context, old, new string, overwrite bool) error {
	return f.do(ctx, func(ctx context.Context) error { return f.FileSystem.Rename(ctx, old, new, overwrite) })
}

// Delete is FileSystem's.
func (f *FS) Delete(ctx context.Context, p string, recursive bool) error {
	return f.do(ctx, func(ctx context.Context) error { return f.FileSystem.Delete(ctx, p, recursive) })
}

// SetTimes is FileSystem's.
func (f *FS) SetTimes(ctx context.Context, p string, mtime time.Time) error {
	return f.do(ctx, func(ctx context.Context) error { return f.FileSystem.SetTimes(ctx, p, mtime) })
}
