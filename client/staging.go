package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/weft-project/weft/am/spec"
	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/internal/fs"
)

// staging is the place in the cluster's file system where uploads go: base/blobs, base/refs, base/staging.
type staging struct {
	client *Client
	store  fs.FileSystem
	// base is the path of the .weft directory.
	base string
	// uploaded counts bytes that were really sent.
	uploaded atomic.Int64
}

// openStaging finds the directory for uploads.
func (c *Client) openStaging() (*staging, error) {
	stores, err := c.files()
	if err != nil {
		return nil, err
	}
	dir := config.Get(c.Config, config.StagingDirectory)
	if dir == "" {
		dir = "."
	}
	store, base, err := stores.Get(dir)
	if err != nil {
		return nil, &Failure{ExitUsage, err}
	}
	if strings.HasPrefix(store.URI(), "file:") && config.Get(c.Config, config.StagingDirectory) == "" {
		return nil, usage("fs.defaultFS of the Hadoop configuration is %s, which the cluster's machines do not share: set it to hdfs://…, or set yarn.staging-directory", store.URI())
	}
	return &staging{client: c, store: store, base: path.Join(base, dirName)}, nil
}

// uri is the URI of the .weft directory.
func (s *staging) uri() string { return s.store.URI() + s.base }

// appDir is the application's private directory.
func (s *staging) appDir(app string) string { return spec.StagingDir(s.base, app) }

// options for new files.
func (s *staging) options(mode os.FileMode) fs.CreateOptions {
	return fs.CreateOptions{Mode: mode, Replication: max(0, config.Get(s.client.Config, config.FileReplication)), Parents: true}
}

// prepare makes the application's directory, for its owner alone.
func (s *staging) prepare(ctx context.Context, app string) error {
	if err := s.store.MkdirAll(ctx, s.base, 0o700); err != nil {
		return s.explain(err)
	}
	return s.explain(s.store.MkdirAll(ctx, s.appDir(app), 0o700))
}

// put writes a small file of the application.
func (s *staging) put(ctx context.Context, app, name string, data []byte) (spec.File, error) {
	p := path.Join(s.appDir(app), name)
	if err := s.write(ctx, p, bytes.NewReader(data), 0o600, nil); err != nil {
		return spec.File{}, s.explain(err)
	}
	return s.describe(ctx, p, false)
}

// describe asks the file system for what YARN compares.
func (s *staging) describe(ctx context.Context, p string, private bool) (spec.File, error) {
	info, err := s.store.Stat(ctx, p)
	if err != nil {
		return spec.File{}, s.explain(err)
	}
	return spec.File{URL: s.store.URI() + p, Size: info.Size, Modified: info.ModTime.UnixMilli(), Private: private}, nil
}

// write makes a new file; progress hears of the bytes sent.
func (s *staging) write(ctx context.Context, p string, r io.Reader, mode os.FileMode, progress func(int64)) error {
	w, err := s.store.Create(ctx, p, s.options(mode))
	if err != nil {
		return err
	}
	buf := make([]byte, 256<<10)
	for {
		n, readErr := r.Read(buf)
		if n > 0 {
			if _, err := w.Write(buf[:n]); err != nil {
				return errors.Join(err, w.Abort())
			}
			s.uploaded.Add(int64(n))
			if progress != nil {
				progress(int64(n))
			}
		}
		if readErr == io.EOF {
			break
		}
		if readErr == nil {
			readErr = ctx.Err()
		}
		if readErr != nil {
			return errors.Join(readErr, w.Abort())
		}
	}
	if err := w.Close(); err != nil {
		return errors.Join(err, w.Abort())
	}
	return nil
}

// blob is a content-addressed file.
type blob struct {
	spec.File
	sha256 string
}

// blob uploads a local file under its hash unless it is there, and makes a reference of the application to it, so that it is
// kept. A name is never overwritten: YARN compares size and time of what it has localised.
func (s *staging) blob(ctx context.Context, app, local string) (blob, error) {
	hash, size, err := s.client.hash(local)
	if err != nil {
		return blob{}, fmt.Errorf("upload %s: %w", local, err)
	}
	p := path.Join(s.base, "blobs", hash)
	ref := make(chan error, 1)
	go func() { ref <- s.reference(ctx, app, hash) }()
	file, err := s.describe(ctx, p, true)
	switch {
	case err == nil && file.Size == size:
	case err == nil:
		err = fmt.Errorf("%s has %d bytes instead of %d: it is damaged, remove it", file.URL, file.Size, size)
	case errors.Is(err, fs.ErrNotExist):
		file, err = s.upload(ctx, p, local, size)
	}
	return blob{file, hash}, errors.Join(err, <-ref)
}

// reference notes that the application uses a blob.
func (s *staging) reference(ctx context.Context, app, hash string) error {
	p := path.Join(s.base, "refs", app, hash)
	err := s.write(ctx, p, bytes.NewReader(nil), 0o600, nil)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return s.explain(err)
}

// upload sends a local file under another name and renames it.
func (s *staging) upload(ctx context.Context, p, local string, size int64) (spec.File, error) {
	f, err := os.Open(local)
	if err != nil {
		return spec.File{}, fmt.Errorf("upload: %w", err)
	}
	defer f.Close()
	var random [8]byte
	if _, err := rand.Read(random[:]); err != nil {
		return spec.File{}, err
	}
	tmp := p + "." + hex.EncodeToString(random[:]) + ".tmp"
	var sent int64
	name := filepath.Base(local)
	hash := sha256.New()
	err = s.write(ctx, tmp, io.TeeReader(f, hash), 0o600, func(n int64) {
		sent += n
		s.client.Console.Status("Uploading %s: %s of %s", name, formatSize(sent), formatSize(size))
	})
	s.client.Console.Status("")
	if err == nil && hex.EncodeToString(hash.Sum(nil)) != path.Base(p) {
		err = fmt.Errorf("%s changed while it was read; try again", local)
	}
	if err == nil {
		if err = s.store.Rename(ctx, tmp, p, false); errors.Is(err, fs.ErrExist) {
			// Someone else was quicker with the same content.
			err = nil
		}
	}
	if err != nil || sent == 0 {
		return spec.File{}, s.explain(errors.Join(err, s.remove(tmp)))
	}
	return s.describe(ctx, p, true)
}

// remove deletes a path, also when ctx of the command has ended.
func (s *staging) remove(p string) error {
	ctx, cancel := cleanupContext()
	defer cancel()
	return s.store.Delete(ctx, p, true)
}

// discard removes what an application that did not come about has left.
func (s *staging) discard(app string) error {
	return errors.Join(s.remove(s.appDir(app)), s.remove(path.Join(s.base, "refs", app)))
}

// explain adds what to do to the errors of the file system that users meet.
func (s *staging) explain(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return err
	case errors.Is(err, fs.ErrSafeMode):
		return unreachable("%s is in safe mode and takes no writes: %w; wait until it has left it and try again", s.store.URI(), err)
	case errors.Is(err, fs.ErrEncrypted):
		return usage("%s lies in an encryption zone, which this release does not support: set yarn.staging-directory to a directory outside of it (%w)", s.uri(), err)
	case errors.Is(err, fs.ErrPermission):
		return usage("%s: %w; the directory for uploads must be writable for %s", s.uri(), err, s.client.localUser())
	}
	return err
}

// hash gives SHA-256 and size of a local file, remembered by path, size and time of change.
func (c *Client) hash(local string) (string, int64, error) {
	f, err := os.Open(local)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return "", 0, err
	}
	key := fileKey(st)
	cache := filepath.Join(c.localDir(), "cache", "sha256")
	entry := filepath.Join(cache, key)
	if key != "" {
		if b, err := os.ReadFile(entry); err == nil && len(b) == sha256.Size*2 {
			return string(b), st.Size(), nil
		}
	}
	h := sha256.New()
	n, err := io.Copy(h, f)
	if err != nil {
		return "", 0, err
	}
	sum := hex.EncodeToString(h.Sum(nil))
	if key != "" && os.MkdirAll(cache, 0o700) == nil {
		if err := writePrivate(entry, []byte(sum)); err != nil {
			c.Log.Debug("remember a hash", "error", err)
		}
	}
	return sum, n, nil
}

// fileKey identifies the content of a local file without reading it: device, inode, size, and times of change, which no
// program sets back.
func fileKey(st os.FileInfo) string {
	sys, ok := st.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	return strconv.FormatUint(uint64(sys.Dev), 36) + "-" + strconv.FormatUint(uint64(sys.Ino), 36) + "-" +
		strconv.FormatInt(st.Size(), 36) + "-" + strconv.FormatInt(changeTime(sys), 36)
}
