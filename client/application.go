package client

import (
	"context"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/weft-project/weft/am/spec"
	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/internal/delay"
	"github.com/weft-project/weft/internal/fs"
	"github.com/weft-project/weft/rest"
	"github.com/weft-project/weft/yarnrpc"
)

// newsPoll is how often an application is asked for its next job.
const newsPoll = 200 * time.Millisecond

// RunApplication starts a cluster in whose JobManager's container the job's main runs and, attached, follows it to its end.
func (c *Client) RunApplication(ctx context.Context, run Run) error {
	if err := c.logIn(ctx); err != nil {
		return err
	}
	job, done, err := c.applicationJob(ctx, run)
	if err != nil {
		return err
	}
	defer done()
	d, err := c.newDeployment(applicationCluster)
	if err != nil {
		return err
	}
	d.job = job
	s, err := d.start(ctx, run.Ship)
	if err != nil {
		if ctx.Err() != nil {
			return &Failure{ExitInterrupted, errors.New("interrupted")}
		}
		return err
	}
	d.announced()
	s.Announce()
	if run.Detached {
		c.Console.Say("The application goes on by itself. Its jobs: weft list -yid %[1]s. To end it: yarn application -kill %[1]s", s.App)
		return nil
	}
	err = s.followApplication(ctx)
	if ctx.Err() == nil {
		return err
	}
	s.leaveApplication()
	return &Failure{ExitInterrupted, errors.New("interrupted")}
}

// applicationJob finds JOB, here or in the cluster's file system.
func (c *Client) applicationJob(ctx context.Context, run Run) (*deployedJob, func(), error) {
	j := &deployedJob{spec: &spec.JobSpec{Args: run.Args, Environment: c.jobEnvironment(), Config: c.jobConfig()}}
	if strings.Contains(run.Job, "://") {
		if run.Class != "" {
			return nil, nil, usage("-c %s: %s is a binary and has only one program; -c chooses a program of a package directory", run.Class, run.Job)
		}
		var err error
		j.remote, err = c.remoteJob(ctx, run.Job)
		j.spec.Name = path.Base(run.Job)
		return j, func() {}, err
	}
	bins, err := c.prepareJob(ctx, run.Job, run.Class, false)
	if err != nil {
		return nil, nil, err
	}
	j.local, j.spec.Name = bins.cluster, bins.name
	return j, bins.close, nil
}

// remoteJob looks at a job's binary in the cluster's file system.
func (c *Client) remoteJob(ctx context.Context, uri string) (spec.File, error) {
	if strings.EqualFold(filepath.Ext(uri), ".jar") {
		return spec.File{}, usage("%s is a .jar: Weft runs jobs written in Go, built to one binary; see docs/coming-from-flink.md", uri)
	}
	stores, err := c.files()
	if err != nil {
		return spec.File{}, err
	}
	store, p, err := stores.Get(uri)
	if err != nil {
		return spec.File{}, usage("job %s: %w", uri, err)
	}
	if strings.HasPrefix(store.URI(), "file:") {
		return spec.File{}, usage("job %s: give the path of a local job without file://", uri)
	}
	info, err := store.Stat(ctx, p)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return spec.File{}, usage("there is no job %s", uri)
	case err != nil:
		return spec.File{}, explainStore(fmt.Errorf("job %s: %w", uri, err))
	case info.IsDir:
		return spec.File{}, usage("job %s is a directory: give the binary in it", uri)
	}
	return spec.File{URL: store.URI() + info.Path, Size: info.Size, Modified: info.ModTime.UnixMilli()}, nil
}

// followApplication shows the jobs of an application one after the other until it has ended.
func (s *Session) followApplication(ctx context.Context) error {
	seen := map[string]bool{}
	var failed error
	for {
		job, err := s.nextJob(ctx, seen)
		if err == nil && job == nil {
			err = delay.For(ctx, newsPoll)
			if err == nil {
				continue
			}
		}
		if err == nil {
			seen[job.ID] = true
			if err = s.followOne(ctx, job); errors.As(err, new(*JobFailed)) {
				failed, err = err, nil
			}
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err == nil {
			continue
		}
		// The JobManager does not answer (any more): YARN knows what has become of the application.
		report, err := s.ended(ctx, err)
		if err != nil || over(report) {
			if forgetErr := s.client.forget(s.App); forgetErr != nil {
				s.client.Log.Debug("forget a cluster", "application", s.App.String(), "error", forgetErr)
			}
			return s.explainApplication(report, failed, err)
		}
	}
}

// nextJob gives the oldest job that is not in seen, or nil.
func (s *Session) nextJob(ctx context.Context, seen map[string]bool) (*rest.JobSummary, error) {
	jobs, err := s.rest.Jobs(ctx)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(jobs, func(a, b rest.JobSummary) int { return int(a.StartTime - b.StartTime) })
	for _, j := range jobs {
		if !seen[j.ID] {
			return &j, nil
		}
	}
	return nil, nil
}

// followOne follows one job and prints how it ended.
func (s *Session) followOne(ctx context.Context, job *rest.JobSummary) error {
	c := s.client
	jid, err := id.ParseJob(job.ID)
	if err != nil {
		return err
	}
	c.announceJob(jid)
	result, err := s.follow(ctx, jid, job.Name)
	if err != nil {
		return err
	}
	return c.report(result, job.Name)
}

// ended asks YARN how an application has ended whose JobManager gave err. A report without a final status says that the
// JobManager answers again.
func (s *Session) ended(ctx context.Context, err error) (yarnrpc.ApplicationReport, error) {
	var report yarnrpc.ApplicationReport
	rm, rmErr := s.client.resourceManager()
	if rmErr != nil {
		return report, rmErr
	}
	for deadline := time.Now().Add(lostLimit); time.Now().Before(deadline); {
		report, rmErr = rm.Report(ctx, s.App)
		if rmErr != nil {
			return report, explainRM(rmErr)
		}
		if over(report) {
			return report, nil
		}
		if again, findErr := s.client.askForSession(ctx, s.App); findErr == nil {
			if _, probe := again.rest.Overview(ctx); probe == nil {
				s.Address, s.rest, s.token = again.Address, again.rest, again.token
				return report, nil
			}
		}
		if err := delay.For(ctx, lostPoll); err != nil {
			return report, err
		}
	}
	return report, unreachable("the JobManager of %s has not answered for %v, although YARN says that it runs: %w", s.App, lostLimit, err)
}

// over tells that an application has ended as far as anybody cares: with success that is when the JobManager has said so.
func over(r yarnrpc.ApplicationReport) bool {
	return r.State.Ended() || r.Final == yarnrpc.FinalSucceeded
}

// explainApplication makes the command's end of an application's. A failed job says more than YARN does.
func (s *Session) explainApplication(report yarnrpc.ApplicationReport, failed, err error) error {
	switch {
	case err != nil:
		return err
	case report.Final == yarnrpc.FinalSucceeded:
		s.client.Console.Say("The application %s has finished.", s.App)
		return nil
	case failed != nil:
		return failed
	}
	status := string(report.Final)
	if report.State != yarnrpc.StateFinished {
		status = string(report.State)
	}
	return &Failure{ExitFailed, fmt.Errorf("the application %s ended as %s: %s\nIts logs: yarn logs -applicationId %s",
		s.App, status, strings.TrimSpace(report.Diagnostics), s.App)}
}

// leaveApplication is what happens to the application when the user has pressed Ctrl-C.
func (s *Session) leaveApplication() {
	c := s.client
	if !config.Get(c.Config, config.ShutdownOnAttachedExit) {
		c.Console.Say("The application %[1]s goes on. To end it: yarn application -kill %[1]s", s.App)
		return
	}
	ctx, cancel := cleanupContext()
	defer cancel()
	if err := s.rest.Shutdown(ctx); err != nil {
		c.Console.Say("The application %s could not be stopped: %v", s.App, err)
		return
	}
	c.Console.Say("Stopped the application %s.", s.App)
}
