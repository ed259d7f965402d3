package hdfsstate

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/weft-project/weft/checkpoint"
	"github.com/weft-project/weft/checkpoint/manifest"
	"github.com/weft-project/weft/internal/fs"
)

// ReserveSavepoint makes the directory of a new savepoint below parent and gives its path within the store.
func ReserveSavepoint(ctx context.Context, store fs.FileSystem, parent, job string) (string, error) {
	var random [6]byte
	if _, err := rand.Read(random[:]); err != nil {
		return "", err
	}
	dir := fmt.Sprintf("%s/savepoint-%s-%s", path.Clean(parent), job[:min(6, len(job))], hex.EncodeToString(random[:]))
	if err := store.MkdirAll(ctx, dir, privateDir); err != nil {
		return "", fmt.Errorf("make the directory of a savepoint: %w", err)
	}
	return dir, nil
}

// PublishSavepoint completes a savepoint whose state lies in dir already: names in m are relative to dir, so the directory can be moved.
// A later leader does not interfere: a savepoint is complete by itself, and nothing is committed with it. (A stop is a checkpoint too,
// and is fenced when that is published.)
func PublishSavepoint(ctx context.Context, store fs.FileSystem, dir string, m *manifest.Manifest) (checkpoint.Outcome, error) {
	own := *m
	own.Base = ""
	b := manifest.Encode(&own)
	from, to := fmt.Sprintf("%s/.%s-%d", dir, MetadataName, m.Epoch), dir+"/"+MetadataName
	if err := writeFile(ctx, store, from, b, false); err != nil {
		return checkpoint.NotPublished, fmt.Errorf("write the manifest of %s: %w", store.URI()+dir, err)
	}
	cause := store.Rename(ctx, from, to, false)
	if cause == nil {
		return checkpoint.Published, nil
	}
	if err := store.Delete(ctx, from, false); err != nil {
		return checkpoint.Unknown, errors.Join(cause, err)
	}
	have, err := readFile(ctx, store, to, maxManifest)
	switch {
	case err == nil && bytes.Equal(have, b):
		return checkpoint.Published, nil
	case err == nil || errors.Is(err, fs.ErrNotExist):
		return checkpoint.NotPublished, cause
	}
	return checkpoint.Unknown, errors.Join(cause, err)
}

// Snapshot is a checkpoint or savepoint that was opened by its path.
type Snapshot struct {
	*manifest.Manifest
	// Path is its directory, with scheme.
	Path string
	// Store and Root are where the names of files in the manifest begin.
	Store fs.FileSystem
	Root  string
	// Bytes is the size of the metadata.
	Bytes int64
}

// OpenSnapshot reads the manifest of a checkpoint or savepoint: uri names its directory, or the _metadata in it.
func OpenSnapshot(ctx context.Context, stores *fs.Registry, uri string) (*Snapshot, error) {
	store, dir, err := stores.Get(uri)
	if err != nil {
		return nil, err
	}
	if path.Base(dir) == MetadataName {
		dir = path.Dir(dir)
	}
	b, err := readFile(ctx, store, dir+"/"+MetadataName, maxManifest)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, notASnapshot(ctx, store, dir)
	}
	if err != nil {
		return nil, err
	}
	m, err := manifest.Decode(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", store.URI()+dir, err)
	}
	s := &Snapshot{Manifest: m, Path: store.URI() + dir, Store: store, Root: dir, Bytes: int64(len(b))}
	switch {
	case m.Base != "":
		if s.Store, s.Root, err = stores.Get(m.Base); err != nil {
			return nil, fmt.Errorf("%s has its state in %s: %w", s.Path, m.Base, err)
		}
	case m.Kind == manifest.Checkpoint:
		s.Root = path.Dir(dir)
	}
	return s, nil
}

// notASnapshot says what is there instead.
func notASnapshot(ctx context.Context, store fs.FileSystem, dir string) error {
	entries, err := list(ctx, store, dir)
	if err != nil {
		return err
	}
	newest := int64(-1)
	for _, e := range entries {
		if id, ok := chkID(e.Path); ok {
			newest = max(newest, id)
		}
	}
	switch {
	case newest >= 0:
		return fmt.Errorf("%s%s is the directory of a job's checkpoints: name one of them, such as %s%s/%s%d: %w",
			store.URI(), dir, store.URI(), dir, chkPrefix, newest, fs.ErrNotExist)
	case strings.HasPrefix(path.Base(dir), chkPrefix) || len(entries) > 0:
		return fmt.Errorf("%s%s has no %s: it is no checkpoint or savepoint, or was never completed: %w", store.URI(), dir, MetadataName, fs.ErrNotExist)
	}
	return fmt.Errorf("%s%s: there is no checkpoint or savepoint: %w", store.URI(), dir, fs.ErrNotExist)
}

// Foreign is the restore point of a job that starts from the snapshot.
func (s *Snapshot) Foreign() *checkpoint.Completed {
	m := *s.Manifest
	m.Base = s.Store.URI() + s.Root
	return &checkpoint.Completed{Ref: checkpoint.Ref{Epoch: m.Epoch, ID: m.ID}, Manifest: &m, Foreign: true, Path: s.Path}
}

// Root is the URI of the directory that names of a completed checkpoint's files are relative to: what NewStateReader reads from.
func (c *Checkpoints) Root(done *checkpoint.Completed) string {
	if done.Manifest.Base != "" {
		return done.Manifest.Base
	}
	return c.URI()
}

// Dispose removes a savepoint: its metadata first, then the directory with all that is in it.
func Dispose(ctx context.Context, stores *fs.Registry, uri string) error {
	s, err := OpenSnapshot(ctx, stores, uri)
	if err != nil {
		return err
	}
	if s.Kind != manifest.Savepoint || s.Base != "" {
		return fmt.Errorf("%s is a checkpoint: it belongs to job %s, and only savepoints are disposed of", s.Path, s.Job)
	}
	return s.remove(ctx)
}

// remove removes a savepoint or checkpoint: its metadata first, so that nothing refers to what is gone.
func (s *Snapshot) remove(ctx context.Context) error {
	_, dir, _ := strings.Cut(s.Path, s.Store.URI())
	if err := s.Store.Delete(ctx, dir+"/"+MetadataName, false); err != nil {
		return err
	}
	if s.Root == dir { // a savepoint, with all that is in it
		return s.Store.Delete(ctx, dir, true)
	}
	c := NewCheckpoints(s.Store, s.Root, 0)
	return errors.Join(c.Discard(ctx, s.Files()), s.Store.Delete(ctx, dir, true))
}

// Perform does what the coordinator asks for with a Discard.
func (c *Checkpoints) Perform(ctx context.Context, stores *fs.Registry, d checkpoint.Discard) error {
	switch {
	case d.Claimed != "":
		s, err := OpenSnapshot(ctx, stores, d.Claimed)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if s.Base != "" {
			return nil // a stop's checkpoint: the savepoint was not claimed
		}
		return s.remove(ctx)
	case d.Target != "":
		store, dir, err := stores.Get(d.Target)
		if err != nil {
			return err
		}
		return store.Delete(ctx, dir, true)
	}
	return c.Discard(ctx, d.Files)
}

// PublishAny does what the coordinator asks for with a Publish, and gives the path that Published takes.
func (c *Checkpoints) PublishAny(ctx context.Context, stores *fs.Registry, p checkpoint.Publish) (o checkpoint.Outcome, at string, err error) {
	if p.Kind == checkpoint.Periodic {
		o, err = c.Publish(ctx, p.Manifest)
		return o, c.store.URI() + c.Path(p.ID), err
	}
	store, dir, err := stores.Get(p.Target)
	if err != nil {
		return checkpoint.NotPublished, "", err
	}
	o, err = PublishSavepoint(ctx, store, dir, p.Manifest)
	if p.Kind == checkpoint.Stop {
		if o != checkpoint.Published {
			return checkpoint.NotPublished, "", err // what counts for a stop is its checkpoint, and that is not there
		}
		o, err = c.Publish(ctx, p.Manifest)
	}
	return o, store.URI() + dir, err
}
