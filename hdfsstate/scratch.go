package hdfsstate

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/weft-project/weft/internal/fs"
)

const (
	// scratchPrefix begins the names of the notes of running jobs' unfinished output in an application's private directory.
	scratchPrefix = "scratch-"
	// maxScratch bounds one note, in bytes.
	maxScratch = 1 << 20
)

// NoteScratch writes down where the unfinished output of a running job lies, as URIs, for whoever cleans up after an application
// that could not do so itself.
func (d *Dir) NoteScratch(ctx context.Context, app, job string, uris []string) error {
	_, err := d.PutPrivate(ctx, app, scratchPrefix+job, []byte(strings.Join(uris, "\n")))
	return err
}

// ForgetScratch removes the note of a job whose unfinished output has been removed; one that is not there is no error.
func (d *Dir) ForgetScratch(ctx context.Context, app, job string) error {
	return d.store.Delete(ctx, path.Join(StagingDir(d.base, app), scratchPrefix+job), false)
}

// Scratch gives the URIs of the notes that an application has left, by job.
func (d *Dir) Scratch(ctx context.Context, app string) (map[string][]string, error) {
	entries, err := d.store.List(ctx, StagingDir(d.base, app))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	found := map[string][]string{}
	for _, e := range entries {
		job, ok := strings.CutPrefix(path.Base(e.Path), scratchPrefix)
		if !ok || e.IsDir {
			continue
		}
		b, err := d.ReadPrivate(ctx, app, path.Base(e.Path), maxScratch)
		if err != nil {
			return nil, fmt.Errorf("unfinished output of job %s: %w", job, err)
		}
		found[job] = strings.Split(string(b), "\n")
	}
	return found, nil
}
