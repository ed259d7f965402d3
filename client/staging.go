package client

import (
	"context"
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
	"syscall"

	"github.com/weft-project/weft/am/spec"
	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/hdfsstate"
	"github.com/weft-project/weft/internal/fs"
	"github.com/weft-project/weft/internal/hadoop/rpc"
)

// staging is the place in the cluster's file system where uploads go.
type staging struct {
	client *Client
	store  fs.FileSystem
	*hdfsstate.Dir
	// untouched tells that the file system did not even take the application's directory: there is nothing to remove.
	untouched bool
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
	return &staging{client: c, store: store, Dir: hdfsstate.Open(store, path.Join(base, dirName), config.Get(c.Config, config.FileReplication))}, nil
}

// prepare makes the application's directory, for its owner alone.
func (s *staging) prepare(ctx context.Context, app string) error {
	err := s.Prepare(ctx, app)
	s.untouched = errors.Is(err, fs.ErrSafeMode) || errors.Is(err, rpc.ErrConnect)
	return s.explain(err)
}

// put writes a small file of the application.
func (s *staging) put(ctx context.Context, app, name string, data []byte) (spec.File, error) {
	info, err := s.PutPrivate(ctx, app, name, data)
	return s.file(info, false), s.explain(err)
}

// file says of a file what YARN compares.
func (s *staging) file(info fs.FileInfo, private bool) spec.File {
	return spec.File{URL: s.store.URI() + info.Path, Size: info.Size, Modified: info.ModTime.UnixMilli(), Private: private}
}

// blob is a content-addressed file.
type blob struct {
	spec.File
	sha256 string
}

// blob uploads a local file under its hash unless it is there.
func (s *staging) blob(ctx context.Context, app, local string) (blob, error) {
	hash, size, err := s.client.hash(local)
	if err != nil {
		return blob{}, fmt.Errorf("upload %s: %w", local, err)
	}
	name := filepath.Base(local)
	drawn := int64(-1)
	info, err := s.PutBlob(ctx, app, hdfsstate.Blob{SHA256: hash, Size: size,
		Open: func() (io.ReadCloser, error) { return os.Open(local) },
		Progress: func(sent int64) {
			if percent := 100 * sent / max(size, 1); percent != drawn {
				drawn = percent
				s.client.Console.Status("Uploading %s %s %3d %% of %s", name, bar(percent), percent, formatSize(size))
			}
		}})
	s.client.Console.Status("")
	if err != nil {
		return blob{}, s.explain(fmt.Errorf("upload %s: %w", local, err))
	}
	return blob{s.file(info, true), hash}, nil
}

// discard removes what an application that did not come about has left.
func (s *staging) discard(app string) error {
	if s.untouched {
		return nil
	}
	return s.Discard(context.Background(), app)
}

// explain adds what to do to the errors of the file system that users meet.
func (s *staging) explain(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrSafeMode):
		return unreachable("%s is in safe mode and takes no writes: %w; wait until it has left it and try again", s.store.URI(), err)
	case errors.Is(err, fs.ErrEncrypted):
		return usage("%s lies in an encryption zone, which this release does not support: set yarn.staging-directory to a directory outside of it (%w)", s.URI(), err)
	case errors.Is(err, fs.ErrPermission):
		return usage("%s: %w; the directory for uploads must be writable for %s", s.URI(), err, s.client.user())
	}
	return explainStore(err)
}

// explainStore adds what to do when a file system does not answer; other errors stay as they are.
func explainStore(err error) error {
	if known := loginFailure(err); known != nil {
		return known
	}
	if errors.Is(err, rpc.ErrConnect) || errors.Is(err, rpc.ErrTimeout) || errors.Is(err, rpc.ErrStandby) {
		return unreachable("%w (is HDFS up, and is the Hadoop configuration that of the right cluster?)", err)
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
