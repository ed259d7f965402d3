package jobmanager

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/weft-project/weft/rpc/controlpb"
)

// BlobURI is where TaskManagers read files that the JobManager keeps: by JobManager.Blob.
const BlobURI = "jobmanager:"

const (
	// blobChunk is how much of a blob travels in one message.
	blobChunk = 256 << 10
	// blobKeep is how long a blob that no job uses is kept: the same binary is often run again.
	blobKeep = time.Hour
)

// Blobs keeps files under their SHA-256 in a directory of this machine, for clusters without a shared file system. Content is
// checked when it comes. It is safe for use by many goroutines.
type Blobs struct {
	dir string
	now func() time.Time

	mu sync.Mutex
	// used counts the jobs that need a blob; touched is when it was last asked for.
	used    map[string]int
	touched map[string]time.Time
}

// NewBlobs makes a store in a directory, which is made and must be this process's alone.
func NewBlobs(dir string) (*Blobs, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("directory for uploaded files: %w", err)
	}
	return &Blobs{dir: dir, now: time.Now, used: map[string]int{}, touched: map[string]time.Time{}}, nil
}

// Dir is the store's directory.
func (b *Blobs) Dir() string { return b.dir }

// path is where a blob lies; an error for what is no hash, so that nobody gives the name of another file.
func (b *Blobs) path(hash string) (string, error) {
	if raw, err := hex.DecodeString(hash); err != nil || len(raw) != sha256.Size || strings.ToLower(hash) != hash {
		return "", fmt.Errorf("%.80q is no SHA-256: expected 64 lower-case hexadecimal digits", hash)
	}
	return filepath.Join(b.dir, hash), nil
}

// Has tells whether a blob is here. It will be for a while.
func (b *Blobs) Has(hash string) (bool, error) {
	path, err := b.path(hash)
	if err != nil {
		return false, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, err := os.Stat(path); err != nil {
		return false, nil
	}
	b.touched[hash] = b.now()
	return true, nil
}

// Put keeps what in gives, which must have this hash and size.
func (b *Blobs) Put(hash string, size int64, in io.Reader) error {
	path, err := b.path(hash)
	if err != nil {
		return err
	}
	b.sweep()
	f, err := os.CreateTemp(b.dir, ".part.*")
	if err != nil {
		return fmt.Errorf("keep %s: %w", hash, err)
	}
	sum := sha256.New()
	// One byte more than was promised is enough to know.
	n, err := io.Copy(io.MultiWriter(f, sum), io.LimitReader(in, size+1))
	if err = errors.Join(err, f.Close()); err == nil {
		switch got := hex.EncodeToString(sum.Sum(nil)); {
		case n != size:
			err = &BadBlobError{fmt.Sprintf("%d bytes or more came, expected %d", n, size)}
		case got != hash:
			err = &BadBlobError{fmt.Sprintf("the %d bytes that came have the SHA-256 %s, expected %s", n, got, hash)}
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	b.touched[hash] = b.now()
	return nil
}

// BadBlobError tells that a blob is not what it was said to be.
type BadBlobError struct{ text string }

// Error says what came.
func (e *BadBlobError) Error() string { return e.text }

// BadBlob is rest.BadBlob's: the request is wrong, not this process.
func (e *BadBlobError) BadBlob() {}

// sweep removes what no job needs and nobody has asked for lately.
func (b *Blobs) sweep() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for hash, at := range b.touched {
		if b.used[hash] > 0 || b.now().Sub(at) < blobKeep {
			continue
		}
		if path, err := b.path(hash); err == nil && os.Remove(path) == nil {
			delete(b.touched, hash)
		}
	}
}

// use notes that a job needs a blob; release ends that. The blob must be here.
func (b *Blobs) use(hash string) error {
	if here, err := b.Has(hash); err != nil || !here {
		return errors.Join(err, fmt.Errorf("the JobManager has no file %.80s: upload it first", hash))
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used[hash]++
	return nil
}

func (b *Blobs) release(hash string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.touched[hash] = b.now()
	if b.used[hash]--; b.used[hash] <= 0 {
		delete(b.used, hash)
	}
}

// Blob is JobManager.Blob: it streams a file to a TaskManager, which has shown that it knows the cluster's secret.
func (c *control) Blob(r *controlpb.BlobRequest, stream controlpb.JobManager_BlobServer) error {
	blobs := c.m.o.Blobs
	if blobs == nil {
		return status.Error(codes.Unimplemented, "this JobManager keeps no files")
	}
	path, err := blobs.path(r.GetSha256())
	if err != nil {
		return status.Error(codes.InvalidArgument, err.Error())
	}
	f, err := os.Open(path)
	if err != nil {
		return status.Errorf(codes.NotFound, "the JobManager has no file %s", r.GetSha256())
	}
	defer f.Close()
	buffer := make([]byte, blobChunk)
	for {
		n, err := io.ReadFull(f, buffer)
		if n > 0 {
			if err := stream.Send(&controlpb.BlobChunk{Data: buffer[:n]}); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return nil
		case err != nil:
			return status.Errorf(codes.Unavailable, "read %s: %v", r.GetSha256(), err)
		}
	}
}

// blobRefs are the files of a submission that the JobManager keeps.
func (j *job) blobRefs() []string {
	var out []string
	for _, ref := range append([]*controlpb.BlobRef{j.request.GetBinary()}, j.request.GetFiles()...) {
		if ref.GetUri() == BlobURI {
			out = append(out, ref.GetSha256())
		}
	}
	return out
}

// useBlobs notes that the job needs its files until releaseBlobs.
func (j *job) useBlobs() error {
	refs := j.blobRefs()
	if len(refs) > 0 && j.m.o.Blobs == nil {
		return errors.New("the job's binary was to be kept by the JobManager, which keeps no files: this cluster has a shared file system")
	}
	for i, hash := range refs {
		if err := j.m.o.Blobs.use(hash); err != nil {
			for _, h := range refs[:i] {
				j.m.o.Blobs.release(h)
			}
			return err
		}
	}
	return nil
}

func (j *job) releaseBlobs() {
	for _, hash := range j.blobRefs() {
		j.m.o.Blobs.release(hash)
	}
}
