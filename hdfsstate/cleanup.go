package hdfsstate

import (
	"context"
	"errors"
	"path"
	"strings"

	"github.com/weft-project/weft/checkpoint"
	"github.com/weft-project/weft/internal/fs"
)

// Delete removes a completed checkpoint: its manifest first, so that nothing published refers to a file that is gone, then files,
// relative to the job's directory. What an error leaves is found by Scan.
func (c *Checkpoints) Delete(ctx context.Context, id int64, files []string) error {
	if err := c.store.Delete(ctx, c.Path(id), true); err != nil {
		return err
	}
	return c.Discard(ctx, files)
}

// Discard removes files of state, and the directories that become empty.
func (c *Checkpoints) Discard(ctx context.Context, files []string) error {
	var errs []error
	dirs := map[string]bool{}
	for _, f := range files {
		errs = append(errs, c.store.Delete(ctx, path.Join(c.dir, f), false))
		dirs[path.Dir(path.Join(c.dir, f))] = true
	}
	for d := range dirs {
		if err := c.store.Delete(ctx, d, false); !errors.Is(err, fs.ErrNotEmpty) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Scan lists what there is, for checkpoint.Coordinator.Garbage.
func (c *Checkpoints) Scan(ctx context.Context) (checkpoint.Found, error) {
	found := checkpoint.Found{Checkpoints: map[int64]bool{}, State: map[checkpoint.Ref][]string{}}
	entries, err := list(ctx, c.store, c.dir)
	if err != nil {
		return found, err
	}
	for _, e := range entries {
		if id, ok := chkID(e.Path); ok && e.IsDir {
			_, err := c.store.Stat(ctx, e.Path+"/"+MetadataName)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return found, err
			}
			found.Checkpoints[id] = err == nil
		}
	}
	states, err := list(ctx, c.store, c.dir+"/"+stateDir)
	if err != nil {
		return found, err
	}
	for _, e := range states {
		ref, ok := stateRef(e.Path)
		if !ok {
			continue
		}
		files, err := list(ctx, c.store, e.Path)
		if err != nil {
			return found, err
		}
		found.State[ref] = nil
		for _, f := range files {
			found.State[ref] = append(found.State[ref], strings.TrimPrefix(f.Path, c.dir+"/"))
		}
	}
	return found, nil
}

// Sweep removes what Garbage named, empty directories, and the folders that successors have put aside.
func (c *Checkpoints) Sweep(ctx context.Context, checkpoints []int64, files []string) error {
	var errs []error
	for _, id := range checkpoints {
		errs = append(errs, c.store.Delete(ctx, c.Path(id), true))
	}
	errs = append(errs, c.Discard(ctx, files))
	entries, err := list(ctx, c.store, c.dir)
	errs = append(errs, err)
	for _, e := range entries {
		// What lies in them was never published, and cannot be any more.
		if strings.HasPrefix(path.Base(e.Path), fencedPrefix) {
			errs = append(errs, c.store.Delete(ctx, e.Path, true))
		}
	}
	return errors.Join(errs...)
}

// Remove removes the job's directory after its end, when no checkpoint is kept; one with checkpoints is left as it is.
func (c *Checkpoints) Remove(ctx context.Context) error {
	entries, err := list(ctx, c.store, c.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if _, ok := chkID(e.Path); ok {
			return nil
		}
		if epoch, ok := epochOf(e.Path); ok && epoch > c.epoch {
			return ErrFenced
		}
	}
	if len(entries) == 0 {
		return c.store.Delete(ctx, c.dir, false)
	}
	var errs []error
	for _, e := range entries {
		name := path.Base(e.Path)
		if _, publishing := epochOf(e.Path); publishing || name == stateDir || strings.HasPrefix(name, fencedPrefix) {
			errs = append(errs, c.store.Delete(ctx, e.Path, true))
		}
	}
	if err := c.store.Delete(ctx, c.dir, false); !errors.Is(err, fs.ErrNotEmpty) {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
