package hdfsha

import (
	"bytes"
	"context"
	"fmt"
	iofs "io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weft-project/weft/internal/fs"
	"github.com/weft-project/weft/internal/fs/fstest"
)

// memFS is a file system in memory, in which every call is one step, as a NameNode makes it.
type memFS struct {
	mu    sync.Mutex
	nodes map[string]*memNode
}

type memNode struct {
	dir   bool
	data  []byte
	mode  iofs.FileMode
	mtime time.Time
}

func newMemFS() *memFS {
	return &memFS{nodes: map[string]*memNode{"/": {dir: true, mode: 0o755}}}
}

func (m *memFS) URI() string  { return "mem://" }
func (m *memFS) Home() string { return "/" }
func (m *memFS) Close() error { return nil }

func missing(op, p string) error { return fmt.Errorf("%s %s: %w", op, p, fs.ErrNotExist) }

// lock checks the context and locks.
func (m *memFS) lock(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	return nil
}

func (m *memFS) info(p string, n *memNode) fs.FileInfo {
	return fs.FileInfo{Path: p, Size: int64(len(n.data)), ModTime: n.mtime, IsDir: n.dir, Mode: n.mode}
}

type memReader struct {
	*bytes.Reader
	ctx context.Context
}

func (r memReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}

func (memReader) Close() error { return nil }

func (m *memFS) Open(ctx context.Context, p string) (fs.Reader, error) {
	if err := m.lock(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	n := m.nodes[p]
	if n == nil {
		return nil, missing("open", p)
	}
	if n.dir {
		return nil, fmt.Errorf("open %s: is a directory", p)
	}
	return memReader{bytes.NewReader(n.data), ctx}, nil
}

// memWriter fails when the file has another name when it is closed.
type memWriter struct {
	m    *memFS
	ctx  context.Context
	p    string
	n    *memNode
	buf  bytes.Buffer
	err  error
	done bool
}

func (w *memWriter) Write(p []byte) (int, error) {
	if w.err == nil {
		w.err = w.ctx.Err()
	}
	if w.err != nil {
		return 0, w.err
	}
	return w.buf.Write(p)
}

func (w *memWriter) Close() error {
	if w.done || w.err != nil {
		return w.err
	}
	w.m.mu.Lock()
	defer w.m.mu.Unlock()
	w.done = true
	if w.m.nodes[w.p] != w.n {
		w.err = missing("complete", w.p)
		return w.err
	}
	w.n.data = w.buf.Bytes()
	return nil
}

func (w *memWriter) Abort() error {
	w.m.mu.Lock()
	defer w.m.mu.Unlock()
	if !w.done && w.m.nodes[w.p] == w.n {
		delete(w.m.nodes, w.p)
	}
	if w.err == nil && !w.done {
		w.err = fmt.Errorf("%s: the file was given up", w.p)
	}
	w.done = true
	return nil
}

func (m *memFS) Create(ctx context.Context, p string, o fs.CreateOptions) (fs.Writer, error) {
	if err := m.lock(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	if m.nodes[p] != nil {
		return nil, fmt.Errorf("create %s: %w", p, fs.ErrExist)
	}
	if o.Parents {
		m.mkdir(path.Dir(p), 0o755)
	}
	if d := m.nodes[path.Dir(p)]; d == nil || !d.dir {
		return nil, missing("create", p)
	}
	mode := o.Mode
	if mode == 0 {
		mode = 0o644
	}
	n := &memNode{mode: mode, mtime: time.Now()}
	m.nodes[p] = n
	return &memWriter{m: m, ctx: ctx, p: p, n: n}, nil
}

func (m *memFS) Stat(ctx context.Context, p string) (fs.FileInfo, error) {
	if err := m.lock(ctx); err != nil {
		return fs.FileInfo{}, err
	}
	defer m.mu.Unlock()
	if n := m.nodes[p]; n != nil {
		return m.info(p, n), nil
	}
	return fs.FileInfo{}, missing("stat", p)
}

func (m *memFS) List(ctx context.Context, p string) ([]fs.FileInfo, error) {
	if err := m.lock(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	n := m.nodes[p]
	if n == nil {
		return nil, missing("list", p)
	}
	if !n.dir {
		return []fs.FileInfo{m.info(p, n)}, nil
	}
	var out []fs.FileInfo
	for name, n := range m.nodes {
		if name != "/" && path.Dir(name) == p {
			out = append(out, m.info(name, n))
		}
	}
	slices.SortFunc(out, func(a, b fs.FileInfo) int { return strings.Compare(a.Path, b.Path) })
	return out, nil
}

func (m *memFS) mkdir(p string, mode iofs.FileMode) {
	for ; m.nodes[p] == nil; p = path.Dir(p) {
		m.nodes[p] = &memNode{dir: true, mode: mode, mtime: time.Now()}
	}
}

func (m *memFS) MkdirAll(ctx context.Context, p string, mode iofs.FileMode) error {
	if err := m.lock(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	if n := m.nodes[p]; n != nil && !n.dir {
		return fmt.Errorf("mkdir %s: %w", p, fs.ErrExist)
	}
	m.mkdir(p, mode)
	return nil
}

func (m *memFS) Rename(ctx context.Context, old, new string, overwrite bool) error {
	if err := m.lock(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	n := m.nodes[old]
	if n == nil {
		return missing("rename", old)
	}
	if d := m.nodes[path.Dir(new)]; d == nil || !d.dir {
		return missing("rename to", new)
	}
	if at := m.nodes[new]; at != nil && (!overwrite || at.dir || n.dir) {
		return fmt.Errorf("rename %s to %s: %w", old, new, fs.ErrExist)
	}
	for name, below := range m.nodes {
		if rest, ok := strings.CutPrefix(name, old+"/"); ok {
			delete(m.nodes, name)
			m.nodes[new+"/"+rest] = below
		}
	}
	delete(m.nodes, old)
	m.nodes[new] = n
	return nil
}

func (m *memFS) Delete(ctx context.Context, p string, recursive bool) error {
	if err := m.lock(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	for name := range m.nodes {
		if !strings.HasPrefix(name, p+"/") {
			continue
		}
		if !recursive {
			return fmt.Errorf("delete %s: %w", p, fs.ErrNotEmpty)
		}
		delete(m.nodes, name)
	}
	delete(m.nodes, p)
	return nil
}

func (m *memFS) Chmod(ctx context.Context, p string, mode iofs.FileMode) error {
	return m.change(ctx, p, func(n *memNode) { n.mode = mode })
}

func (m *memFS) SetTimes(ctx context.Context, p string, mtime time.Time) error {
	return m.change(ctx, p, func(n *memNode) { n.mtime = mtime })
}

func (m *memFS) change(ctx context.Context, p string, f func(n *memNode)) error {
	if err := m.lock(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	n := m.nodes[p]
	if n == nil {
		return missing("change", p)
	}
	f(n)
	return nil
}

// The stand-in keeps the contract that the real ones are proven by.
func TestMemFS(t *testing.T) { fstest.Run(t, newMemFS(), "/conformance") }
