package zookeeper

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/weft-project/weft/ha"
	"github.com/weft-project/weft/internal/fs"
)

const (
	// inline is the largest value that is a node when there is a storageDir.
	inline = 8 << 10
	// largest is the largest value that can be a node at all: servers refuse a request of a mebibyte.
	largest = 768 << 10
)

// files is the folder of the cluster's large values.
func (o Options) files() string { return path.Join(o.StorageDir, o.Cluster) }

// seal makes the stored form of a value, writing its file when it is large; at is the file's path then.
func (o Options) seal(ctx context.Context, epoch ha.Epoch, k ha.Key, value []byte) (stored []byte, at string, err error) {
	if o.Files == nil && len(value) > largest {
		return nil, "", fmt.Errorf("%d bytes are too large for ZooKeeper; set high-availability.storageDir", len(value))
	}
	if o.Files == nil || len(value) <= inline {
		return ha.Seal(value), "", nil
	}
	var mark [8]byte
	if _, err := rand.Read(mark[:]); err != nil {
		return nil, "", err
	}
	p := path.Join(o.files(), string(k.Kind), fmt.Sprintf("%s-%d-%s", k.Job, epoch, hex.EncodeToString(mark[:])))
	if err := writeFile(ctx, o.Files, p, value); err != nil {
		return nil, "", fmt.Errorf("write %s: %w", p, err)
	}
	return ha.SealPointer(o.Files.URI()+p, value), p, nil
}

func writeFile(ctx context.Context, files fs.FileSystem, p string, data []byte) error {
	if err := files.MkdirAll(ctx, path.Dir(p), 0o700); err != nil {
		return err
	}
	w, err := files.Create(ctx, p, fs.CreateOptions{Mode: 0o600})
	if err != nil {
		return err
	}
	if _, err := w.Write(data); err != nil {
		return errors.Join(err, w.Abort())
	}
	return w.Close()
}

// load reads a large value.
func (o Options) load(ctx context.Context, at *ha.Pointer) (value []byte, err error) {
	if o.Files == nil {
		return nil, fmt.Errorf("%s holds the value, and high-availability.storageDir is not set", at.Path)
	}
	p, ok := strings.CutPrefix(at.Path, o.Files.URI())
	if !ok {
		return nil, fmt.Errorf("%s holds the value, and high-availability.storageDir is on %s", at.Path, o.Files.URI())
	}
	r, err := o.Files.Open(ctx, p)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	if value, err = io.ReadAll(io.LimitReader(r, at.Size+1)); err != nil {
		return nil, fmt.Errorf("read %s: %w", at.Path, err)
	}
	return value, at.Check(value)
}

// drop removes a file of a value that was not stored; "" is none.
func (o Options) drop(ctx context.Context, p string) error {
	if p == "" {
		return nil
	}
	return o.Files.Delete(ctx, p, false)
}

// dropStored removes the file of a value that was replaced or removed. When that fails, Tidy does it later: the caller's change is made.
func (o Options) dropStored(ctx context.Context, stored []byte) error {
	if len(stored) == 0 || o.Files == nil {
		return nil
	}
	_, at, err := ha.Open(stored)
	if err != nil || at == nil {
		return nil //nolint:nilerr // a value that nobody can read has no file that anybody knows
	}
	if p, ok := strings.CutPrefix(at.Path, o.Files.URI()); ok {
		if err := o.Files.Delete(ctx, p, false); err != nil {
			o.Log.Warn("a file that nobody needs stays", "file", at.Path, "error", err)
		}
	}
	return nil
}

// sweep removes files that are not wanted and not of the present epoch.
func (o Options) sweep(ctx context.Context, epoch ha.Epoch, wanted map[string]bool) error {
	if o.Files == nil {
		return nil
	}
	for _, kind := range ha.Kinds {
		list, err := o.Files.List(ctx, path.Join(o.files(), string(kind)))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		for _, f := range list {
			if wanted[o.Files.URI()+f.Path] || strings.Contains(path.Base(f.Path), "-"+epoch.String()+"-") {
				continue
			}
			if err := o.Files.Delete(ctx, f.Path, false); err != nil {
				return err
			}
		}
	}
	return nil
}

// sweepAll removes all of the cluster's files.
func (o Options) sweepAll(ctx context.Context) error {
	if o.Files == nil {
		return nil
	}
	for _, kind := range ha.Kinds {
		if err := o.Files.Delete(ctx, path.Join(o.files(), string(kind)), true); err != nil {
			return err
		}
	}
	// Folders of clusters with longer ids may be there.
	if err := o.Files.Delete(ctx, o.files(), false); err != nil && !errors.Is(err, fs.ErrNotEmpty) {
		return err
	}
	return nil
}
