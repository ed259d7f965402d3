package client

import (
	"context"
	"errors"
	"fmt"
	"path"

	"github.com/weft-project/weft/internal/fs"
)

// discardDeadApplication removes all that an application which has ended could not remove itself: the unfinished output of its
// jobs, then its files. When some of the output could not be looked for, the files that name it stay for the next command.
func (c *Client) discardDeadApplication(ctx context.Context, st *staging, app string) error {
	notes, err := st.Scratch(ctx, app)
	if err != nil {
		return err
	}
	var failed []error
	for job, uris := range notes {
		for _, uri := range uris {
			if err := c.removeScratch(ctx, job, uri); err != nil {
				failed = append(failed, err)
			}
		}
	}
	if len(failed) > 0 {
		return errors.Join(failed...)
	}
	return st.Discard(ctx, app)
}

// removeScratch removes what a job has left at a place. Nothing but a job's own scratch directory is ever removed, whatever the
// note says.
func (c *Client) removeScratch(ctx context.Context, job, uri string) error {
	if path.Base(uri) != ".weft-"+job {
		return fmt.Errorf("unfinished output of job %s: %q is not the place of one: expected …/.weft-%s", job, uri, job)
	}
	stores, err := c.files()
	if err != nil {
		return err
	}
	store, p, err := stores.Get(uri)
	if err != nil {
		return err
	}
	c.Log.Debug("removing unfinished output", "job", job, "path", uri)
	err = store.Delete(ctx, p, true)
	if errors.Is(err, fs.ErrPermission) {
		// Somebody else's directory by now: it would not get better.
		c.Console.Say("Warning: unfinished output of job %s could not be removed: %v", job, err)
		return nil
	}
	return err
}
