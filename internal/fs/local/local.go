package local

import (
	"context"
	"errors"
	"fmt"
	iofs "io/fs"
	"os"
	"path"
	"path/filepath"
	"sort"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weft-project/weft/internal/fs"
)

// FS is the local file system. The zero value is ready for use.
type FS struct{}

// New returns the local file system.
func New() *FS { return &FS{} }

// Factory is New as a Registry wants it; an authority other than none or localhost is refused.
func Factory(authority string) (fs.FileSystem, error) {
	if authority != "" && authority != "localhost" {
		return nil, fmt.Errorf("file://%s: a local path has no host; write file:///path", authority)
	}
	return New(), nil
}

// URI is FileSystem's.
func (*FS) URI() string { return "file://" }

// Home is FileSystem's.
func (*FS) Home() string {
	if h, err := os.UserHomeDir(); err == nil {
		return h
	}
	return "/"
}

type reader struct {
	*os.File
	size int64
	ctx  context.Context
}

// Read is Reader's.
func (r *reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.File.Read(p)
}

// Size is Reader's.
func (r *reader) Size() int64 { return r.size }

// Open is FileSystem's.
func (*FS) Open(ctx context.Context, p string) (fs.Reader, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f, err := os.Open(p)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = &iofs.PathError{Op: "open", Path: p, Err: errors.New("is a directory")}
	}
	if err != nil {
		_ = f.Close() // nothing was read or written
		return nil, err
	}
	return &reader{f, info.Size(), ctx}, nil
}

type writer struct {
	f    *os.File
	ctx  context.Context
	err  error
	done bool
}

// Create is FileSystem's.
func (s *FS) Create(ctx context.Context, p string, opts fs.CreateOptions) (fs.Writer, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	mode := opts.Mode
	if mode == 0 {
		mode = 0o644
	}
	if opts.Parents {
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			return nil, err
		}
	}
	f, err := os.OpenFile(p, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return nil, err
	}
	return &writer{f: f, ctx: ctx}, nil
}

// Write is Writer's.
func (w *writer) Write(p []byte) (int, error) {
	if w.err == nil {
		w.err = w.ctx.Err()
	}
	if w.err != nil {
		return 0, w.err
	}
	n, err := w.f.Write(p)
	w.err = err
	return n, err
}

// Close is Writer's.
func (w *writer) Close() error {
	if w.done {
		return w.err
	}
	if w.err == nil {
		w.err = w.f.Close()
		w.done = w.err == nil
	}
	if w.err != nil {
		return errors.Join(w.err, w.Abort())
	}
	return nil
}

// Abort is Writer's.
func (w *writer) Abort() error {
	if w.done {
		return nil
	}
	w.done = true
	if w.err == nil {
		w.err = errors.New("the file was given up")
	}
	_ = w.f.Close() // the file goes away; what was not written does not matter
	if err := os.Remove(w.f.Name()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func info(p string, st iofs.FileInfo) fs.FileInfo {
	fi := fs.FileInfo{Path: p, ModTime: st.ModTime(), IsDir: st.IsDir(), Mode: st.Mode().Perm()}
	if !fi.IsDir {
		fi.Size = st.Size()
	}
	if sys, ok := st.Sys().(*syscall.Stat_t); ok {
		fi.Owner, fi.Group = fmt.Sprint(sys.Uid), fmt.Sprint(sys.Gid)
	}
	return fi
}

// Stat is FileSystem's.
func (*FS) Stat(ctx context.Context, p string) (fs.FileInfo, error) {
	if err := ctx.Err(); err != nil {
		return fs.FileInfo{}, err
	}
	st, err := os.Stat(p)
	if err != nil {
		return fs.FileInfo{}, err
	}
	return info(p, st), nil
}

// List is FileSystem's.
func (s *FS) List(ctx context.Context, p string) ([]fs.FileInfo, error) {
	st, err := s.Stat(ctx, p)
	if err != nil {
		return nil, err
	}
	if !st.IsDir {
		return []fs.FileInfo{st}, nil
	}
	entries, err := os.ReadDir(p)
	if err != nil {
		return nil, err
	}
	var out []fs.FileInfo
	for _, e := range entries {
		st, err := os.Stat(filepath.Join(p, e.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue // gone since, or a link to nothing
		}
		if err != nil {
			return nil, err
		}
		out = append(out, info(path.Join(p, e.Name()), st))
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Path < out[j].Path })
	return out, nil
}

// MkdirAll is FileSystem's.
func (*FS) MkdirAll(ctx context.Context, p string, mode iofs.FileMode) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return os.MkdirAll(p, mode)
}

// Rename is FileSystem's. Without overwrite the kernel is asked to refuse an existing target, in one step.
func (s *FS) Rename(ctx context.Context, old, new string, overwrite bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if overwrite {
		return os.Rename(old, new)
	}
	err := renameNew(old, new)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
		return s.linkRename(old, new)
	}
	if err != nil {
		return &os.LinkError{Op: "rename", Old: old, New: new, Err: err}
	}
	return nil
}

// linkRename serves file systems without RENAME_NOREPLACE: a hard link refuses an existing name too. Directories can not be
// linked, so for them there is a moment in which a second creator is not noticed.
func (s *FS) linkRename(old, new string) error {
	st, err := os.Stat(old)
	if err != nil {
		return err
	}
	if !st.IsDir() {
		if err := os.Link(old, new); err != nil {
			return err
		}
		return os.Remove(old)
	}
	if _, err := os.Lstat(new); err == nil {
		return &os.LinkError{Op: "rename", Old: old, New: new, Err: fs.ErrExist}
	}
	return os.Rename(old, new)
}

// Delete is FileSystem's.
func (*FS) Delete(ctx context.Context, p string, recursive bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if recursive {
		return os.RemoveAll(p)
	}
	err := os.Remove(p)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case errors.Is(err, syscall.ENOTEMPTY):
		return fmt.Errorf("delete %s: %w", p, fs.ErrNotEmpty)
	}
	return err
}

// Chmod is FileSystem's.
func (*FS) Chmod(ctx context.Context, p string, mode iofs.FileMode) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return os.Chmod(p, mode)
}

// SetTimes is FileSystem's.
func (*FS) SetTimes(ctx context.Context, p string, mtime time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return os.Chtimes(p, mtime, mtime)
}

// Close is FileSystem's.
func (*FS) Close() error { return nil }
