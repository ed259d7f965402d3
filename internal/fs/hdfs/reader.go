package hdfs

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"

	hdfslib "github.com/colinmarc/hdfs/v2"

	"github.com/weft-project/weft/internal/delay"
	"github.com/weft-project/weft/internal/fs"
	hdfspb "github.com/weft-project/weft/internal/hadoop/proto/hdfs"
)

const (
	// readBuffer is what is read ahead of small reads.
	readBuffer = 128 << 10
	// skipLimit is how far forward reading on beats a new connection. It must not be below the library's own limit (64 KiB), see H4.
	skipLimit = 256 << 10
	// readAttempts is how often a read is tried without getting a byte.
	readAttempts = 6
)

// reader reads one file. It is used by one goroutine at a time.
type reader struct {
	fs   *FS
	path string
	ctx  context.Context
	// status is the file as it was when it was opened.
	status *hdfspb.HdfsFileStatus
	size   int64
	// want is where the next Read begins, at is where buf stands.
	want, at int64
	closed   bool

	session *session
	lib     *hdfslib.FileReader
	buf     *bufio.Reader
}

// Open is FileSystem's.
func (f *FS) Open(ctx context.Context, p string) (fs.Reader, error) {
	p, err := f.clean("open", p)
	if err != nil {
		return nil, err
	}
	st, err := f.status(ctx, p)
	if err == nil {
		err = readable(st)
	}
	if err != nil {
		return nil, f.fail("open", p, err)
	}
	if f.ctx.Err() != nil {
		return nil, f.fail("open", p, errClosed)
	}
	r := &reader{fs: f, path: p, ctx: ctx, status: st, size: int64(st.GetLength())}
	if err := r.connect(st); err != nil {
		return nil, f.fail("open", p, err)
	}
	return r, nil
}

// readable gives the reason why a file can not be read.
func readable(st *hdfspb.HdfsFileStatus) error {
	switch {
	case st == nil:
		return fs.ErrNotExist
	case st.GetFileType() == hdfspb.HdfsFileStatus_IS_DIR:
		return errors.New("is a directory")
	case st.GetFileType() != hdfspb.HdfsFileStatus_IS_FILE:
		return errors.New("symbolic links are not supported")
	}
	return unsupported(st)
}

// connect makes the library's reader for the file as st describes it, at the start.
func (r *reader) connect(st *hdfspb.HdfsFileStatus) error {
	s, err := r.fs.newSession(r.ctx, false)
	if err != nil {
		return err
	}
	if err := s.putAnswer("getFileInfo", &hdfspb.GetFileInfoResponse{Fs: st}); err != nil {
		s.close()
		return err
	}
	lib, err := s.client.Open(r.path)
	if err != nil {
		s.close()
		return bare(err)
	}
	r.session, r.lib, r.at = s, lib, 0
	r.buf = bufio.NewReaderSize(lib, readBuffer)
	return nil
}

// disconnect ends the library's reader.
func (r *reader) disconnect() {
	if r.session != nil {
		_ = r.lib.Close() // nothing is written
		r.session.close()
		r.session, r.lib = nil, nil
	}
}

// reconnect begins anew with fresh block locations, when the path still names the same file.
func (r *reader) reconnect() error {
	r.disconnect()
	st, err := r.fs.status(r.ctx, r.path)
	if err != nil {
		return err
	}
	if err := readable(st); err != nil {
		return err
	}
	if st.GetFileId() != r.status.GetFileId() || int64(st.GetLength()) < r.size {
		return errors.New("the file has been replaced since it was opened")
	}
	return r.connect(st)
}

// position brings buf to where the next read begins, see H4.
func (r *reader) position() error {
	ahead := r.want - r.at
	if ahead == 0 {
		return nil
	}
	if ahead > 0 && ahead <= max(skipLimit, int64(r.buf.Buffered())) {
		n, err := r.buf.Discard(int(ahead))
		r.at += int64(n)
		return err
	}
	if _, err := r.lib.Seek(r.want, io.SeekStart); err != nil {
		return err
	}
	r.buf.Reset(r.lib)
	r.at = r.want
	return nil
}

// Read is Reader's.
func (r *reader) Read(p []byte) (int, error) {
	if r.closed {
		return 0, r.fs.fail("read", r.path, errFileClosed)
	}
	if len(p) == 0 {
		return 0, nil
	}
	if r.want >= r.size {
		return 0, io.EOF
	}
	// The file may have grown; what was there when it was opened is read.
	p = p[:min(int64(len(p)), r.size-r.want)]
	var first error
	pause := firstPause
	for attempt := 1; ; attempt++ {
		n, err := r.once(p)
		if n > 0 {
			return n, nil
		}
		if err == io.EOF {
			err = fmt.Errorf("the data ends at %d of %d bytes", r.at, r.size)
		}
		if first == nil {
			first = err
		}
		if err := r.over(); err != nil {
			return 0, r.fs.fail("read", r.path, err)
		}
		if attempt == readAttempts || errors.Is(err, fs.ErrNotExist) {
			return 0, r.fs.fail("read", r.path, first)
		}
		r.fs.log.Debug("hdfs read is repeated", "path", r.fs.uri+r.path, "offset", r.want, "error", err)
		r.disconnect()
		if attempt > 1 {
			if err := delay.For(r.ctx, pause); err != nil {
				return 0, r.fs.fail("read", r.path, err)
			}
			pause = min(4*pause, maxPause)
		}
	}
}

// once tries to read.
func (r *reader) once(p []byte) (int, error) {
	if err := r.over(); err != nil {
		return 0, err
	}
	if r.session == nil {
		if err := r.reconnect(); err != nil {
			return 0, bare(err)
		}
	}
	if err := r.position(); err != nil {
		return 0, bare(err)
	}
	n, err := r.buf.Read(p)
	r.at += int64(n)
	r.want += int64(n)
	if n == 0 && err == nil {
		err = io.ErrNoProgress
	}
	return n, bare(err)
}

// over gives the reason why nothing can be read any more.
func (r *reader) over() error {
	if r.ctx.Err() != nil {
		return context.Cause(r.ctx)
	}
	if r.fs.ctx.Err() != nil {
		return context.Cause(r.fs.ctx)
	}
	return nil
}

// Seek is Reader's. It connects to nothing; a place behind the end reads as the end.
func (r *reader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekStart:
	case io.SeekCurrent:
		offset += r.want
	case io.SeekEnd:
		offset += r.size
	default:
		return 0, fmt.Errorf("seek %s%s: whence %d: expected 0, 1 or 2", r.fs.uri, r.path, whence)
	}
	if offset < 0 {
		return 0, fmt.Errorf("seek %s%s: offset %d: expected none below 0", r.fs.uri, r.path, offset)
	}
	r.want = offset
	return offset, nil
}

// Size is Reader's.
func (r *reader) Size() int64 { return r.size }

// Close is Reader's.
func (r *reader) Close() error {
	r.closed = true
	r.disconnect()
	return nil
}
