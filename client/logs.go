package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/internal/plural"
	"github.com/weft-project/weft/rest"
	"github.com/weft-project/weft/yarnrpc"
)

// Logs says what `weft logs` shows.
type Logs struct {
	// Of is a job or an application; empty for the session of Which.
	Of    string
	Which Which
	// Container and File narrow it down: a container's id, and a pattern of file names such as *.log.
	Container, File string
	// Names shows names and sizes only.
	Names bool
}

// Logs shows the logs of an application, or what the workers of a job have written: those of live containers as their
// NodeManagers serve them, and those of an application that has ended as YARN has stored them.
func (c *Client) Logs(ctx context.Context, l Logs) error {
	if _, err := path.Match(l.File, ""); err != nil {
		return usage("logs: --file %q is not a pattern of file names, such as *.log", l.File)
	}
	app, job, err := c.logsOf(ctx, l)
	if err != nil {
		return err
	}
	rm, err := c.resourceManager()
	if err != nil {
		return err
	}
	show := &logShow{client: c, user: c.user(), logs: l}
	if !job.IsZero() && l.File == "" {
		show.logs.File = workerLogs(job)
	}
	report, err := rm.Report(ctx, app)
	switch {
	case errors.Is(err, yarnrpc.ErrApplicationNotFound):
		report = yarnrpc.ApplicationReport{ID: app}
		c.Console.Say("Note: the ResourceManager does not know %s (any more)", app)
	case err != nil:
		return fmt.Errorf("logs: %w", explainRM(err))
	case hidden(report):
		return c.notShown(report)
	case !report.State.Ended():
		show.user = report.User
		return c.liveLogs(ctx, rm, report, show, job)
	}
	if report.User != "" {
		show.user = report.User
		c.Console.Say("Note: %s", explainEnded(report))
	}
	if err := show.stored(ctx, app); err != nil {
		return fmt.Errorf("logs of %s: %w", app, err)
	}
	return nil
}

// liveLogs shows the logs of a running application.
func (c *Client) liveLogs(ctx context.Context, rm *yarnrpc.ClientRM, report yarnrpc.ApplicationReport, show *logShow, job id.Job) error {
	containers, err := rm.Containers(ctx, report.Attempt)
	if err != nil {
		return fmt.Errorf("logs of %s: %w", report.ID, explainRM(err))
	}
	containers = append(containers, c.endedContainers(ctx, rm, show, containers, job)...)
	if err := show.all(ctx, containers); err != nil {
		return fmt.Errorf("logs of %s: %w", report.ID, err)
	}
	c.Console.Say("Other containers that have ended, once YARN has collected their logs at the application's end: weft logs %s", report.ID)
	return nil
}

// workerLogs is the pattern of the log files of a job's workers.
func workerLogs(job id.Job) string { return "worker-" + job.String()[:8] + "-*" }

// logsOf finds the application, and the job when one was named.
func (c *Client) logsOf(ctx context.Context, l Logs) (yarnrpc.ApplicationID, id.Job, error) {
	if strings.HasPrefix(l.Of, "application_") {
		app, err := yarnrpc.ParseApplicationID(l.Of)
		if err != nil {
			return app, id.Job{}, usage("logs: %w", err)
		}
		return app, id.Job{}, nil
	}
	var job id.Job
	if l.Of != "" {
		var err error
		if job, err = id.ParseJob(l.Of); err != nil {
			return yarnrpc.ApplicationID{}, job, usage("logs: %q is neither a job (32 hexadecimal digits) nor an application (application_…)", l.Of)
		}
		if job.IsZero() {
			return yarnrpc.ApplicationID{}, job, usage("logs: no job has the id %s", l.Of)
		}
	}
	if !job.IsZero() && l.Which.Application != "" {
		// It may have ended with the job.
		app, err := yarnrpc.ParseApplicationID(l.Which.Application)
		if err != nil {
			return app, job, usage("logs: %w", err)
		}
		return app, job, nil
	}
	s, err := c.FindSession(ctx, l.Which)
	if err != nil {
		return yarnrpc.ApplicationID{}, job, err
	}
	if s.App.IsZero() {
		return s.App, job, usage("logs: the JobManager at %s is not known as an application of YARN: name the application, "+
			"weft logs application_…; of a cluster without YARN the logs lie in env.log.dir on its machines (log/ beside bin/)", s.Address)
	}
	if !job.IsZero() {
		if _, err := try(ctx, s, func(r *rest.Client) (rest.JobDetails, error) { return r.Job(ctx, job) }); err != nil {
			return s.App, job, fmt.Errorf("logs of job %s: %w", job, err)
		}
	}
	return s.App, job, nil
}

// logShow shows log files of containers.
type logShow struct {
	client *Client
	user   string
	logs   Logs
	shown  int
}

// all shows the containers in the order of their ids; one whose node does not answer holds up no other.
func (s *logShow) all(ctx context.Context, containers []yarnrpc.ContainerReport) error {
	slices.SortFunc(containers, func(a, b yarnrpc.ContainerReport) int { return strings.Compare(a.ID.String(), b.ID.String()) })
	var failed []error
	seen := 0
	for _, container := range containers {
		if s.logs.Container != "" && s.logs.Container != container.ID.String() {
			continue
		}
		seen++
		if err := s.container(ctx, container); err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			failed = append(failed, err)
		}
	}
	switch {
	case s.logs.Container != "" && seen == 0:
		return unreachable("container %s is not running, and no node knows its logs; at the application's end YARN collects them", s.logs.Container)
	case len(failed) > 0:
		return unreachable("%w", errors.Join(failed...))
	case s.shown == 0 && s.logs.File != "":
		return unreachable("no file %s on the %s that run", s.logs.File, plural.Of(seen, "container"))
	}
	return nil
}

// container shows the files of one container, as its NodeManager serves them.
func (s *logShow) container(ctx context.Context, r yarnrpc.ContainerReport) error {
	conf, err := s.client.Hadoop()
	if err != nil {
		return err
	}
	node := s.client.newNodeLogs(r, s.user, conf.HTTPSOnly())
	files, err := node.list(ctx)
	if err != nil {
		return err
	}
	for _, f := range files {
		err := s.file(r.ID.String(), r.Node.String(), f.Name, f.Size, func(to io.Writer) error { return node.copy(ctx, f.Name, to) })
		if err != nil {
			return err
		}
	}
	return nil
}

// wanted tells whether a file is asked for.
func (s *logShow) wanted(container, name string) bool {
	if s.logs.Container != "" && s.logs.Container != container {
		return false
	}
	ok, _ := path.Match(s.logs.File, name)
	return ok || s.logs.File == ""
}

// file shows one file, or its name, if it is asked for.
func (s *logShow) file(container, node, name, size string, content func(to io.Writer) error) error {
	if !s.wanted(container, name) {
		return nil
	}
	s.shown++
	if s.logs.Names {
		s.client.Console.Print("%s %s %s (%s bytes)", container, node, name, size)
		return nil
	}
	s.client.Console.Print("==> %s on %s: %s (%s bytes) <==", container, node, name, size)
	to := &passThrough{console: s.client.Console}
	err := content(to)
	to.Flush()
	if err != nil {
		return err
	}
	s.client.Console.Print("")
	return nil
}
