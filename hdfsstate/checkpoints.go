package hdfsstate

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/weft-project/weft/checkpoint"
	"github.com/weft-project/weft/checkpoint/manifest"
	"github.com/weft-project/weft/internal/fs"
)

const (
	// MetadataName is the file that makes a directory a checkpoint or savepoint.
	MetadataName = "_metadata"

	publishingPrefix = "publishing-"
	fencedPrefix     = "fenced-"
	chkPrefix        = "chk-"
	stateDir         = "state"
	// maxManifest bounds what is read into memory as a manifest.
	maxManifest = 1 << 30
)

// ErrFenced: a leader of a later epoch has the checkpoints. Who gets it publishes, commits and deletes nothing more.
var ErrFenced = errors.New("another leader has taken over")

// Checkpoints is the directory of one job's checkpoints under one leader (docs/formats/checkpoint.md). Its methods may be called
// concurrently, but for Publish, which the coordinator asks for one at a time.
type Checkpoints struct {
	store fs.FileSystem
	dir   string
	epoch uint64
}

// Damage is a checkpoint that cannot be used.
type Damage struct {
	Path string
	Err  error
}

// Existing is what Fence finds.
type Existing struct {
	// Completed are the published checkpoints, oldest first.
	Completed []*checkpoint.Completed
	// Damaged are those that cannot be restored from, to be reported; the newest of Completed is what there is instead.
	Damaged []Damage
	// Next is a number that nothing in the directory has.
	Next int64
}

// JobDirectory is where a job's checkpoints lie below the configured directory.
func JobDirectory(configured, job string, subdirectory bool) string {
	if !subdirectory {
		return path.Clean(configured)
	}
	return path.Join(configured, job)
}

// NewCheckpoints names the directory; nothing is read or made before Fence.
func NewCheckpoints(store fs.FileSystem, dir string, epoch uint64) *Checkpoints {
	return &Checkpoints{store: store, dir: path.Clean(dir), epoch: epoch}
}

// URI is the directory's.
func (c *Checkpoints) URI() string { return c.store.URI() + c.dir }

func (c *Checkpoints) publishing(epoch uint64) string {
	return c.dir + "/" + publishingPrefix + strconv.FormatUint(epoch, 10)
}

// Path is the directory of a checkpoint.
func (c *Checkpoints) Path(id int64) string {
	return c.dir + "/" + chkPrefix + strconv.FormatInt(id, 10)
}

// StatePrefix is what the names of a checkpoint's state files begin with, relative to the job's directory. Nothing moves them.
func StatePrefix(ref checkpoint.Ref) string {
	return fmt.Sprintf("%s/%d-%d/", stateDir, ref.Epoch, ref.ID)
}

// Fence makes this epoch the only one that can publish, and reads what is there (F4). Called again, it settles publications of which
// nobody knows the outcome. The order matters: the own folder first, then a look at others. Of two leaders that do so at the same time at
// least one sees the other's, and the later epoch wins.
func (c *Checkpoints) Fence(ctx context.Context) (*Existing, error) {
	if err := c.putAside(ctx, c.epoch); err != nil {
		return nil, fmt.Errorf("fence the checkpoints in %s: %w", c.URI(), err)
	}
	if err := c.store.MkdirAll(ctx, c.publishing(c.epoch), privateDir); err != nil {
		return nil, fmt.Errorf("fence the checkpoints in %s: %w", c.URI(), err)
	}
	entries, err := c.store.List(ctx, c.dir)
	if err != nil {
		return nil, fmt.Errorf("fence the checkpoints in %s: %w", c.URI(), err)
	}
	for _, e := range entries {
		epoch, ok := epochOf(e.Path)
		switch {
		case !ok || epoch == c.epoch:
		case epoch > c.epoch:
			return nil, fmt.Errorf("%s: %w: epoch %d, this one is %d", c.URI(), ErrFenced, epoch, c.epoch)
		default:
			if err := c.putAside(ctx, epoch); err != nil {
				return nil, fmt.Errorf("fence epoch %d in %s: %w", epoch, c.URI(), err)
			}
		}
	}
	return c.read(ctx)
}

// putAside renames an epoch's folder away, in one step of the store. It is gone for certain when no error comes back.
func (c *Checkpoints) putAside(ctx context.Context, epoch uint64) error {
	var random [6]byte
	if _, err := rand.Read(random[:]); err != nil {
		return err
	}
	aside := fmt.Sprintf("%s/%s%d-%s", c.dir, fencedPrefix, epoch, hex.EncodeToString(random[:]))
	err := c.store.Rename(ctx, c.publishing(epoch), aside, false)
	if err == nil {
		return nil
	}
	// It was not there, or the answer was lost and not the rename, or somebody was quicker.
	if _, statErr := c.store.Stat(ctx, c.publishing(epoch)); errors.Is(statErr, fs.ErrNotExist) {
		return nil
	}
	return err
}

func epochOf(p string) (uint64, bool) {
	text, ok := strings.CutPrefix(path.Base(p), publishingPrefix)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseUint(text, 10, 64)
	return n, err == nil
}

func chkID(p string) (int64, bool) {
	text, ok := strings.CutPrefix(path.Base(p), chkPrefix)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil && n >= 0
}

func stateRef(p string) (ref checkpoint.Ref, ok bool) {
	epoch, id, ok := strings.Cut(path.Base(p), "-")
	if !ok {
		return ref, false
	}
	var err1, err2 error
	ref.Epoch, err1 = strconv.ParseUint(epoch, 10, 64)
	ref.ID, err2 = strconv.ParseInt(id, 10, 64)
	return ref, err1 == nil && err2 == nil
}

// list is List, and nothing where there is no directory.
func list(ctx context.Context, store fs.FileSystem, dir string) ([]fs.FileInfo, error) {
	entries, err := store.List(ctx, dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return entries, err
}

// read finds the published checkpoints.
func (c *Checkpoints) read(ctx context.Context) (*Existing, error) {
	out := &Existing{Next: 1}
	entries, err := list(ctx, c.store, c.dir)
	if err != nil {
		return nil, fmt.Errorf("look for checkpoints in %s: %w", c.URI(), err)
	}
	states, err := list(ctx, c.store, c.dir+"/"+stateDir)
	if err != nil {
		return nil, fmt.Errorf("look for state in %s: %w", c.URI(), err)
	}
	for _, e := range states {
		if ref, ok := stateRef(e.Path); ok {
			out.Next = max(out.Next, ref.ID+1)
		}
	}
	for _, e := range entries {
		id, ok := chkID(e.Path)
		if !ok || !e.IsDir {
			continue
		}
		out.Next = max(out.Next, id+1)
		done, err := c.one(ctx, id)
		switch {
		case err == nil:
			out.Completed = append(out.Completed, done)
		case errors.Is(err, fs.ErrNotExist): // never published
		case errors.Is(err, manifest.ErrDamaged):
			out.Damaged = append(out.Damaged, Damage{c.store.URI() + e.Path, err})
		default:
			return nil, err
		}
	}
	slices.SortFunc(out.Completed, func(a, b *checkpoint.Completed) int { return a.Ref.Compare(b.Ref) })
	return out, nil
}

// one reads a checkpoint; ErrNotExist where none was published under the number.
func (c *Checkpoints) one(ctx context.Context, id int64) (*checkpoint.Completed, error) {
	name := c.Path(id) + "/" + MetadataName
	b, err := readFile(ctx, c.store, name, maxManifest)
	if err != nil {
		return nil, err
	}
	m, err := manifest.Decode(b)
	if err != nil {
		return nil, fmt.Errorf("%s%s: %w", c.store.URI(), name, err)
	}
	if m.ID != id {
		return nil, fmt.Errorf("%s%s: %w: it is the manifest of checkpoint %d", c.store.URI(), name, manifest.ErrDamaged, m.ID)
	}
	done := &checkpoint.Completed{Ref: checkpoint.Ref{Epoch: m.Epoch, ID: id}, Manifest: m, Path: c.store.URI() + c.Path(id)}
	if m.Base != "" { // a stop's: its files are the savepoint's, in whatever store that is
		done.Kind, done.Path = checkpoint.Stop, m.Base
		return done, nil
	}
	return done, checkFiles(ctx, c.store, c.dir, m)
}

// checkFiles compares the sizes of the files that a manifest refers to with what it says.
func checkFiles(ctx context.Context, store fs.FileSystem, root string, m *manifest.Manifest) error {
	least := map[string]int64{}
	m.Handles(func(_ *manifest.Operator, h *manifest.Handle) {
		if h.File != "" {
			least[h.File] = max(least[h.File], h.Offset+h.Length)
		}
	})
	for _, name := range m.Files() {
		info, err := store.Stat(ctx, path.Join(root, name))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("%w %s %d: its file %s is missing", manifest.ErrDamaged, m.Kind, m.ID, name)
		case err != nil:
			return err
		case info.Size < least[name]:
			return fmt.Errorf("%w %s %d: its file %s has %d bytes, expected %d at least", manifest.ErrDamaged, m.Kind, m.ID, name, info.Size, least[name])
		}
	}
	return nil
}

// Publish makes a checkpoint visible: written in the epoch's own folder, then renamed (F4). The outcome is Unknown only where the store
// does not answer any more; the error says why for all but Published.
func (c *Checkpoints) Publish(ctx context.Context, m *manifest.Manifest) (checkpoint.Outcome, error) {
	b := manifest.Encode(m)
	from := c.publishing(c.epoch) + "/" + strconv.FormatInt(m.ID, 10)
	to := c.Path(m.ID) + "/" + MetadataName
	// The folder is never made again here: when it is gone this leader is not the leader any more.
	if err := writeFile(ctx, c.store, from, b, false); err != nil {
		return c.notPublished(ctx, from, fmt.Errorf("write the manifest of checkpoint %d: %w", m.ID, err))
	}
	if err := c.store.MkdirAll(ctx, c.Path(m.ID), privateDir); err != nil {
		return c.notPublished(ctx, from, err)
	}
	if err := c.store.Rename(ctx, from, to, false); err != nil {
		return c.settle(ctx, from, to, b, err)
	}
	return checkpoint.Published, nil
}

// notPublished tells a fenced leader from one with another trouble.
func (c *Checkpoints) notPublished(ctx context.Context, from string, err error) (checkpoint.Outcome, error) {
	if _, statErr := c.store.Stat(ctx, c.publishing(c.epoch)); errors.Is(statErr, fs.ErrNotExist) {
		return checkpoint.Fenced, fmt.Errorf("%w: %w", ErrFenced, err)
	}
	return checkpoint.NotPublished, errors.Join(err, c.store.Delete(ctx, from, false))
}

// settle finds out about a rename without a good answer. When its source is gone for certain it cannot happen any more.
func (c *Checkpoints) settle(ctx context.Context, from, to string, b []byte, cause error) (checkpoint.Outcome, error) {
	if err := c.store.Delete(ctx, from, false); err != nil {
		return checkpoint.Unknown, errors.Join(cause, err)
	}
	have, err := readFile(ctx, c.store, to, maxManifest)
	switch {
	case err == nil && bytes.Equal(have, b):
		return checkpoint.Published, nil
	case err == nil:
		return checkpoint.Fenced, fmt.Errorf("%w: %s%s was published by another leader: %w", ErrFenced, c.store.URI(), to, cause)
	case errors.Is(err, fs.ErrNotExist):
		return c.notPublished(ctx, from, cause)
	}
	return checkpoint.Unknown, errors.Join(cause, err)
}

// writeFile writes a whole new file, or none.
func writeFile(ctx context.Context, store fs.FileSystem, p string, b []byte, parents bool) error {
	w, err := store.Create(ctx, p, fs.CreateOptions{Mode: privateFile, Parents: parents})
	if err != nil {
		return err
	}
	if _, err = w.Write(b); err == nil {
		err = w.Close()
	}
	if err != nil {
		return errors.Join(err, w.Abort())
	}
	return nil
}

func readFile(ctx context.Context, store fs.FileSystem, p string, limit int64) ([]byte, error) {
	r, err := store.Open(ctx, p)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if r.Size() > limit {
		return nil, fmt.Errorf("%s%s has %d bytes: expected at most %d", store.URI(), p, r.Size(), limit)
	}
	b := make([]byte, r.Size())
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, fmt.Errorf("read %s%s: %w", store.URI(), p, err)
	}
	return b, nil
}
