package hdfs

import (
	"context"
	"errors"
	"fmt"
	iofs "io/fs"
	"path"
	"strconv"
	"sync"
	"time"

	hdfslib "github.com/colinmarc/hdfs/v2"
	"google.golang.org/protobuf/proto"

	"github.com/weft-project/weft/internal/delay"
	"github.com/weft-project/weft/internal/fs"
	hdfspb "github.com/weft-project/weft/internal/hadoop/proto/hdfs"
)

const (
	// maxWrite bounds one write of the library, which copies all of it first.
	maxWrite = 1 << 20
	// chunkSize is what the library makes a checksum of; a block must hold whole ones.
	chunkSize = 512
	// removeTimeout bounds the removal of a file that was given up, besides the time that a NameNode is waited for.
	removeTimeout = 10 * time.Second
)

var errGivenUp = errors.New("the file was given up")

// writer writes one file. Its methods may be called by several goroutines, so that Abort ends a Write that waits.
type writer struct {
	fs      *FS
	path    string
	inode   uint64
	ctx     context.Context
	session *session

	mu  sync.Mutex
	lib *hdfslib.FileWriter
	err error
	// closing tells that the library's Close has been called; done that nothing is left to do.
	closing, done bool
}

// Create is FileSystem's.
func (f *FS) Create(ctx context.Context, p string, opts fs.CreateOptions) (fs.Writer, error) {
	p, err := f.clean("create", p)
	if err != nil {
		return nil, err
	}
	if opts.Mode == 0 {
		opts.Mode = defaultFileMode
	}
	if opts.Replication <= 0 {
		opts.Replication = f.files.replication
	}
	if opts.BlockSize <= 0 {
		opts.BlockSize = f.files.blockSize
	}
	if opts.BlockSize%chunkSize != 0 {
		return nil, fmt.Errorf("create %s%s: block size %d: expected a multiple of %d", f.uri, p, opts.BlockSize, chunkSize)
	}
	if err := f.prepareParent(ctx, p, opts.Parents); err != nil {
		return nil, f.fail("create", p, err)
	}
	s, err := f.newSession(ctx, true)
	if err != nil {
		return nil, f.fail("create", p, err)
	}
	s.blockSize = opts.BlockSize
	lib, err := s.client.CreateFile(p, opts.Replication, opts.BlockSize, opts.Mode.Perm())
	if err != nil {
		s.close()
		return nil, f.fail("create", p, bare(err))
	}
	w := &writer{fs: f, path: p, inode: s.created.GetFs().GetFileId(), ctx: ctx, session: s, lib: lib}
	if !f.track(w) {
		return nil, errors.Join(f.fail("create", p, errClosed), w.Abort())
	}
	if st := s.created.GetFs(); st != nil {
		if err := unsupported(st); err != nil {
			return nil, errors.Join(f.fail("create", p, err), w.Abort())
		}
	}
	return w, nil
}

// prepareParent makes the directory of a new file when asked to, and refuses one whose files could not be written.
func (f *FS) prepareParent(ctx context.Context, p string, parents bool) error {
	dir := path.Dir(p)
	st, err := f.status(ctx, dir)
	if err != nil {
		return err
	}
	if st == nil && parents {
		if err := f.mkdirs(ctx, dir, defaultDirMode); err != nil {
			return err
		}
		// An encryption zone or a policy above holds for the new directory, too.
		if st, err = f.status(ctx, dir); err != nil {
			return err
		}
	}
	if st == nil {
		return f.sentinel("create in", dir, fs.ErrNotExist)
	}
	if st.GetFileType() == hdfspb.HdfsFileStatus_IS_DIR {
		return unsupported(st)
	}
	return nil
}

// Write is Writer's.
func (w *writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	written := 0
	for written < len(p) {
		if err := w.writable(); err != nil {
			return written, err
		}
		n, err := w.lib.Write(p[written:min(len(p), written+maxWrite)])
		if broken := w.session.broken(); broken != nil {
			err = broken
		}
		if err != nil {
			w.failed(err)
			return written, w.err
		}
		written += n
	}
	return written, w.writable()
}

// writable gives the reason why nothing can be written any more.
func (w *writer) writable() error {
	switch {
	case w.err != nil:
		return w.err
	case w.done:
		return w.fs.fail("write", w.path, errFileClosed)
	case w.session.ctx.Err() != nil:
		w.failed(context.Cause(w.session.ctx))
	}
	return w.err
}

// failed notes the first error, which is final.
func (w *writer) failed(err error) {
	if w.session.ctx.Err() != nil {
		err = context.Cause(w.session.ctx)
	}
	if w.err == nil {
		w.err = w.fs.fail("write", w.path, bare(err))
	}
}

// Close is Writer's.
func (w *writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.done {
		return w.err
	}
	if w.writable() == nil {
		w.closing = true
		if err := w.complete(); err != nil {
			w.failed(err)
		}
	}
	if w.err != nil {
		return errors.Join(w.err, w.abort())
	}
	w.finish()
	return nil
}

// complete closes the file and, once all data is acknowledged, waits until the NameNode knows of the last block's replicas.
func (w *writer) complete() error {
	began := time.Now()
	pause := 20 * time.Millisecond
	for {
		err := w.lib.Close()
		if err == nil || !hdfslib.IsErrReplicating(err) {
			return err
		}
		if waited := time.Since(began); waited > w.fs.maxWait {
			return fmt.Errorf("the last block has too few replicas after %v", waited.Round(time.Second))
		}
		if err := delay.For(w.session.ctx, pause); err != nil {
			return err
		}
		pause = min(2*pause, maxPause)
	}
}

// Abort is Writer's.
func (w *writer) Abort() error {
	// A Write or Close in progress must end first; it does so soon after this. After a successful Close it changes nothing.
	w.session.end(errGivenUp)
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.abort()
}

func (w *writer) abort() error {
	if w.done {
		return nil
	}
	if w.err == nil {
		w.err = w.fs.fail("write", w.path, errGivenUp)
	}
	w.session.end(errGivenUp)
	if !w.closing {
		// Ends the library's goroutines; with the session ended it can neither send data nor complete the file.
		_ = w.lib.Close()
	}
	w.finish()
	ctx, stop := context.WithTimeout(context.WithoutCancel(w.ctx), w.fs.maxWait+removeTimeout)
	defer stop()
	if err := w.fs.remove(ctx, w.inode); err != nil {
		return w.fs.fail("remove", w.path, err)
	}
	return nil
}

// finish releases what the writer holds.
func (w *writer) finish() {
	w.done = true
	w.fs.untrack(w)
	w.session.close()
}

// remove deletes a file by its number, wherever it is now; one that is gone is no error.
func (f *FS) remove(ctx context.Context, inode uint64) error {
	p := "/.reserved/.inodes/" + strconv.FormatUint(inode, 10)
	err := f.invoke(ctx, "delete", &hdfspb.DeleteRequest{Src: &p, Recursive: proto.Bool(false)}, &hdfspb.DeleteResponse{})
	if errors.Is(err, notFound) {
		return nil
	}
	return err
}

// bare drops the library's own wrapping, which names the path a second time.
func bare(err error) error {
	if p, ok := err.(*iofs.PathError); ok {
		return p.Err
	}
	return err
}
