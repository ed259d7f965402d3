package client

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/weft-project/weft/yarnrpc"
)

const (
	// deployingFile is in an application's local directory while its client has not announced it; the client holds a lock on
	// it, so that others know whether it lives.
	deployingFile = "deploying"
	// sweepLimit bounds one clean-up, sweepGrace what a command waits for it at its end.
	sweepLimit = 20 * time.Second
	sweepGrace = 3 * time.Second
	// strangeAfter is how old files of an application that the ResourceManager does not know must be: it may have been
	// submitted from another machine, or to another cluster that shares the file system.
	strangeAfter = 7 * 24 * time.Hour
)

// deploying notes that this process starts an application; the returned function ends that.
func (c *Client) deploying(app yarnrpc.ApplicationID) (func(), error) {
	name := filepath.Join(c.appDir(app), deployingFile)
	// It gets its name when it is locked: whoever finds it without a lock takes this process for dead.
	f, err := os.CreateTemp(c.appDir(app), "."+deployingFile+".*")
	if err != nil {
		return nil, err
	}
	if err := lockFile(f); err != nil {
		return nil, errors.Join(err, f.Close(), os.Remove(f.Name()))
	}
	if err := os.Rename(f.Name(), name); err != nil {
		return nil, errors.Join(err, f.Close(), os.Remove(f.Name()))
	}
	return func() {
		if err := errors.Join(os.Remove(name), f.Close()); err != nil && !errors.Is(err, os.ErrNotExist) {
			c.Log.Debug("end of a deployment", "error", err)
		}
	}, nil
}

// abandoned tells whether the client that started an application died before it could announce it.
func (c *Client) abandoned(app yarnrpc.ApplicationID) bool {
	name := filepath.Join(c.appDir(app), deployingFile)
	f, err := os.OpenFile(name, os.O_RDWR, 0o600)
	if err != nil {
		return false
	}
	defer f.Close()
	if lockFile(f) != nil {
		return false
	}
	// The client may have removed it, its work done, and let go of the lock since it was opened here.
	mine, err := f.Stat()
	if err != nil {
		return false
	}
	now, err := os.Stat(name)
	return err == nil && os.SameFile(mine, now)
}

// Sweep begins to remove what killed clients and killed JobManagers of this user have left. The returned function waits for
// it, for a moment.
func (c *Client) Sweep(ctx context.Context) func() {
	done := make(chan struct{})
	ctx, cancel := context.WithTimeout(ctx, sweepLimit)
	go func() {
		defer close(done)
		if err := c.sweep(ctx); err != nil && ctx.Err() == nil {
			c.Log.Debug("clean up after dead applications", "error", err)
		}
	}()
	return func() {
		t := time.NewTimer(sweepGrace)
		defer t.Stop()
		select {
		case <-done:
		case <-t.C:
		}
		cancel()
		<-done
	}
}

// SweepAbandoned is Sweep for commands that need neither YARN nor a file system themselves: it does nothing unless a client of
// this machine has died while it started an application.
func (c *Client) SweepAbandoned(ctx context.Context) func() {
	if slices.ContainsFunc(c.remembered(), c.abandoned) {
		return c.Sweep(ctx)
	}
	return func() {}
}

// sweep looks at every application that has left files here or in the staging directory and asks the ResourceManager.
func (c *Client) sweep(ctx context.Context) error {
	st, err := c.openStaging()
	if err != nil {
		return err
	}
	left, err := st.Applications(ctx)
	if err != nil {
		return err
	}
	found := map[yarnrpc.ApplicationID]time.Time{}
	for name, changed := range left {
		if app, err := yarnrpc.ParseApplicationID(name); err == nil {
			found[app] = changed
		}
	}
	for _, app := range c.remembered() {
		if _, ok := found[app]; !ok {
			found[app] = time.Now()
			if st, err := os.Stat(c.appDir(app)); err == nil {
				found[app] = st.ModTime()
			}
		}
	}
	if len(found) == 0 {
		return c.sweepBlobs(ctx, st)
	}
	rm, err := c.resourceManager()
	if err != nil {
		return err
	}
	var all []error
	for app, changed := range found {
		all = append(all, c.sweepOne(ctx, rm, st, app, changed))
	}
	return errors.Join(append(all, c.sweepBlobs(ctx, st))...)
}

// sweepBlobs removes old content that no application uses any more.
func (c *Client) sweepBlobs(ctx context.Context, st *staging) error {
	n, err := st.SweepBlobs(ctx, time.Now())
	if n > 0 {
		c.Log.Debug("removed old uploads that nothing uses", "files", n)
	}
	return err
}

// sweepOne removes what an application has left, if it is dead.
func (c *Client) sweepOne(ctx context.Context, rm *yarnrpc.ClientRM, st *staging, app yarnrpc.ApplicationID, changed time.Time) error {
	abandoned := c.abandoned(app)
	report, err := rm.Report(ctx, app)
	switch {
	case errors.Is(err, yarnrpc.ErrApplicationNotFound):
		// A client that deploys has its id before the ResourceManager knows the application.
		if !abandoned && time.Since(changed) < strangeAfter {
			return nil
		}
	case err != nil:
		return err
	case report.State.Ended():
	case abandoned:
		c.Console.Say("Ending %s, whose client died while it started it.", app)
		if err := rm.Kill(ctx, app, "its client died while it started it"); err != nil {
			return err
		}
	default:
		return nil
	}
	c.Log.Debug("removing the files of a dead application", "application", app.String())
	// The properties file stays: the command that wants the session says that it is gone.
	return errors.Join(c.discardDeadApplication(ctx, st, app.String()), os.RemoveAll(c.appDir(app)))
}
