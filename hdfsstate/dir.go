package hdfsstate

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	iofs "io/fs"
	"path"
	"sync/atomic"

	"github.com/weft-project/weft/internal/fs"
)

const (
	// privateDir and privateFile are the modes of everything below .weft.
	privateDir  iofs.FileMode = 0o700
	privateFile iofs.FileMode = 0o600
	// copyBuffer is how much is handed to the store at a time, in bytes.
	copyBuffer = 256 << 10
)

// Dir is the .weft directory of one user in one store.
type Dir struct {
	store fs.FileSystem
	base  string
	// replication of new files; 0 means the store's default.
	replication int
	sent        atomic.Int64
}

// Open names the directory base of a store; nothing is read or made yet.
func Open(store fs.FileSystem, base string, replication int) *Dir {
	return &Dir{store: store, base: path.Clean(base), replication: max(0, replication)}
}

// URI is the directory's URI.
func (d *Dir) URI() string { return d.store.URI() + d.base }

// Sent counts the bytes that were written to the store.
func (d *Dir) Sent() int64 { return d.sent.Load() }

// StagingDir is the private directory of an application below base.
func StagingDir(base, app string) string { return base + "/staging/" + app }

// RefsDir is the directory with an application's references below base.
func RefsDir(base, app string) string { return base + "/refs/" + app }

func (d *Dir) blobs() string            { return d.base + "/blobs" }
func (d *Dir) blobPath(h string) string { return d.blobs() + "/" + h }

// Prepare makes the private directory of an application, for its owner alone.
func (d *Dir) Prepare(ctx context.Context, app string) error {
	if err := d.store.MkdirAll(ctx, d.base, privateDir); err != nil {
		return err
	}
	return d.store.MkdirAll(ctx, StagingDir(d.base, app), privateDir)
}

// PutPrivate writes a small file into the private directory of an application.
func (d *Dir) PutPrivate(ctx context.Context, app, name string, data []byte) (fs.FileInfo, error) {
	p := path.Join(StagingDir(d.base, app), name)
	if err := d.write(ctx, p, bytes.NewReader(data), nil); err != nil {
		return fs.FileInfo{}, err
	}
	return d.store.Stat(ctx, p)
}

// ReadPrivate reads a file of at most limit bytes of an application's private directory.
func (d *Dir) ReadPrivate(ctx context.Context, app, name string, limit int64) ([]byte, error) {
	r, err := d.store.Open(ctx, path.Join(StagingDir(d.base, app), name))
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if r.Size() > limit {
		return nil, fmt.Errorf("%s of %s has %d bytes: expected at most %d", name, app, r.Size(), limit)
	}
	return io.ReadAll(io.LimitReader(r, limit))
}

// Blob is content to keep under its hash.
type Blob struct {
	// SHA256 in lower-case hexadecimal, and size in bytes.
	SHA256 string
	Size   int64
	// Open gives the content; it is called when the store does not have it yet.
	Open func() (io.ReadCloser, error)
	// Progress, when not nil, hears how many bytes were sent in all.
	Progress func(sent int64)
}

// PutBlob brings a blob to the store unless it is there, and notes that the application uses it. A name is never overwritten:
// YARN compares size and time of what it has localised.
func (d *Dir) PutBlob(ctx context.Context, app string, b Blob) (fs.FileInfo, error) {
	if h, err := hex.DecodeString(b.SHA256); err != nil || len(h) != sha256.Size {
		return fs.FileInfo{}, fmt.Errorf("blob %q: expected 64 hexadecimal digits", b.SHA256)
	}
	// The reference comes first: a clean-up that runs now must not take the blob away.
	if err := d.reference(ctx, app, b.SHA256); err != nil {
		return fs.FileInfo{}, err
	}
	p := d.blobPath(b.SHA256)
	info, err := d.store.Stat(ctx, p)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := d.upload(ctx, p, b); err != nil {
			return fs.FileInfo{}, err
		}
		return d.store.Stat(ctx, p)
	case err == nil && info.Size != b.Size:
		return info, fmt.Errorf("%s%s has %d bytes instead of %d: it is damaged, remove it", d.store.URI(), p, info.Size, b.Size)
	}
	return info, err
}

// reference notes that the application uses a blob.
func (d *Dir) reference(ctx context.Context, app, hash string) error {
	err := d.write(ctx, RefsDir(d.base, app)+"/"+hash, bytes.NewReader(nil), nil)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// upload sends the content under another name, checks what was read, and renames it.
func (d *Dir) upload(ctx context.Context, p string, b Blob) error {
	in, err := b.Open()
	if err != nil {
		return err
	}
	defer in.Close()
	var random [8]byte
	if _, err := rand.Read(random[:]); err != nil {
		return err
	}
	tmp := p + "." + hex.EncodeToString(random[:]) + ".tmp"
	hash := sha256.New()
	err = d.write(ctx, tmp, io.TeeReader(in, hash), b.Progress)
	if err == nil && hex.EncodeToString(hash.Sum(nil)) != b.SHA256 {
		err = fmt.Errorf("blob %s: the content changed while it was read; try again", b.SHA256)
	}
	if err == nil {
		err = d.store.Rename(ctx, tmp, p, false)
		if err != nil {
			// Someone else was quicker with the same content, or the answer was lost and not the rename.
			if _, statErr := d.store.Stat(ctx, p); statErr == nil {
				return d.remove(ctx, tmp)
			}
		}
	}
	if err != nil {
		return errors.Join(err, d.remove(ctx, tmp))
	}
	return nil
}

// write makes a new file.
func (d *Dir) write(ctx context.Context, p string, r io.Reader, progress func(int64)) error {
	w, err := d.store.Create(ctx, p, fs.CreateOptions{Mode: privateFile, Replication: d.replication, Parents: true})
	if err != nil {
		return err
	}
	if err := d.copy(ctx, w, r, progress); err != nil {
		return errors.Join(err, w.Abort())
	}
	if err := w.Close(); err != nil {
		return errors.Join(err, w.Abort())
	}
	return nil
}

func (d *Dir) copy(ctx context.Context, w io.Writer, r io.Reader, progress func(int64)) error {
	buf := make([]byte, copyBuffer)
	var sent int64
	for {
		n, readErr := r.Read(buf)
		if n > 0 {
			if _, err := w.Write(buf[:n]); err != nil {
				return err
			}
			d.sent.Add(int64(n))
			if sent += int64(n); progress != nil {
				progress(sent)
			}
		}
		if readErr == io.EOF {
			return nil
		}
		if readErr == nil {
			readErr = ctx.Err()
		}
		if readErr != nil {
			return readErr
		}
	}
}
