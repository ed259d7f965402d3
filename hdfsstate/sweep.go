package hdfsstate

import (
	"context"
	"errors"
	"path"
	"strings"
	"time"

	"github.com/weft-project/weft/internal/fs"
)

const (
	// BlobAge is how long a blob that no application uses is kept.
	BlobAge = 7 * 24 * time.Hour
	// partAge is how long an upload that was not finished is kept.
	partAge = 24 * time.Hour
	// asideSuffix marks a blob that a sweep is about to remove.
	asideSuffix = ".swept"
	// removeLimit bounds removing when the caller's context has ended.
	removeLimit = 10 * time.Second
)

// remove deletes a path, also when ctx has ended.
func (d *Dir) remove(ctx context.Context, p string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeLimit)
	defer cancel()
	return d.store.Delete(ctx, p, true)
}

// Discard removes an application's private directory and its references, also when ctx has ended.
func (d *Dir) Discard(ctx context.Context, app string) error {
	return errors.Join(d.remove(ctx, StagingDir(d.base, app)), d.remove(ctx, RefsDir(d.base, app)))
}

// Applications lists the applications that have left something, with the time of the last change of their directories.
func (d *Dir) Applications(ctx context.Context) (map[string]time.Time, error) {
	found := map[string]time.Time{}
	for _, dir := range []string{"staging", "refs"} {
		entries, err := d.store.List(ctx, d.base+"/"+dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		for _, e := range entries {
			if app := path.Base(e.Path); e.IsDir && e.ModTime.After(found[app]) {
				found[app] = e.ModTime
			}
		}
	}
	return found, nil
}

// SweepBlobs removes blobs that no application uses and that are older than BlobAge, and uploads that were not finished. It
// gives the number of files removed.
//
// An application may take a blob up while this runs. So a blob is first put aside, which whoever comes later sees, and removed
// only if nobody has a reference then; PutBlob makes its reference before it looks for the blob.
func (d *Dir) SweepBlobs(ctx context.Context, now time.Time) (int, error) {
	entries, err := d.store.List(ctx, d.blobs())
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		return 0, err
	}
	var old, aside []string // aside also holds what a sweep that was killed has left
	removed := 0
	for _, e := range entries {
		age := now.Sub(e.ModTime)
		switch {
		case strings.HasSuffix(e.Path, asideSuffix):
			aside = append(aside, strings.TrimSuffix(e.Path, asideSuffix))
		case strings.HasSuffix(e.Path, ".tmp"):
			if age > partAge {
				if err := d.store.Delete(ctx, e.Path, false); err != nil {
					return removed, err
				}
				removed++
			}
		case age > BlobAge:
			old = append(old, e.Path)
		}
	}
	if len(old)+len(aside) == 0 {
		return removed, nil
	}
	used, err := d.referenced(ctx)
	if err != nil {
		return removed, err
	}
	for _, p := range old {
		if used[path.Base(p)] {
			continue
		}
		err := d.store.Rename(ctx, p, p+asideSuffix, true)
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // another sweep may have been quicker
			n, settleErr := d.settle(ctx, aside)
			return removed + n, errors.Join(err, settleErr)
		}
		aside = append(aside, p)
	}
	n, err := d.settle(ctx, aside)
	return removed + n, err
}

// settle removes blobs that were put aside, or puts them back where an application has taken them up meanwhile. It does so also when
// ctx has ended.
func (d *Dir) settle(ctx context.Context, aside []string) (removed int, err error) {
	if len(aside) == 0 {
		return 0, nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeLimit)
	defer cancel()
	used, unknown := d.referenced(ctx)
	all := []error{unknown}
	for _, p := range aside {
		if unknown == nil && !used[path.Base(p)] {
			removed++
			all = append(all, d.store.Delete(ctx, p+asideSuffix, false))
			continue
		}
		back := d.store.Rename(ctx, p+asideSuffix, p, false)
		switch {
		case errors.Is(back, fs.ErrExist): // uploaded anew
			all = append(all, d.store.Delete(ctx, p+asideSuffix, false))
		case !errors.Is(back, fs.ErrNotExist):
			all = append(all, back)
		}
	}
	return removed, errors.Join(all...)
}

// referenced gives the hashes that some application uses.
func (d *Dir) referenced(ctx context.Context) (map[string]bool, error) {
	used := map[string]bool{}
	apps, err := d.store.List(ctx, d.base+"/refs")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, app := range apps {
		refs, err := d.store.List(ctx, app.Path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		for _, r := range refs {
			used[path.Base(r.Path)] = true
		}
	}
	return used, nil
}
