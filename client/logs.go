package client

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/weft-project/weft/id"
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

// Logs shows the logs of an application's live containers, or what a job has written on them. Logs of containers that have
// ended are YARN's: the command that shows them is said.
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
	report, err := rm.Report(ctx, app)
	switch {
	case errors.Is(err, yarnrpc.ErrApplicationNotFound):
		return unreachable("logs: the ResourceManager does not know %s (any more); what YARN has kept of it is shown by: yarn logs -applicationId %s", app, app)
	case err != nil:
		return fmt.Errorf("logs: %w", explainRM(err))
	case report.State.Ended():
		return unreachable("logs: %s; its logs are YARN's now, and are shown by: %s", explainEnded(report), yarnLogs(report, l))
	}
	containers, err := rm.Containers(ctx, report.Attempt)
	if err != nil {
		return fmt.Errorf("logs of %s: %w", app, explainRM(err))
	}
	show := &logShow{client: c, user: report.User, logs: l}
	if !job.IsZero() && l.File == "" {
		show.logs.File = workerLogs(job)
	}
	if err := show.all(ctx, containers); err != nil {
		return fmt.Errorf("logs of %s: %w", app, err)
	}
	c.Console.Say("Containers that have ended, once YARN has collected their logs: %s", yarnLogs(report, l))
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
	}
	s, err := c.FindSession(ctx, l.Which)
	if err != nil {
		return yarnrpc.ApplicationID{}, job, err
	}
	if s.App.IsZero() {
		return s.App, job, usage("logs: the JobManager at %s is not known as an application of YARN; name the application: weft logs application_…", s.Address)
	}
	if !job.IsZero() {
		if _, err := try(ctx, s, func(r *rest.Client) (rest.JobDetails, error) { return r.Job(ctx, job) }); err != nil {
			return s.App, job, fmt.Errorf("logs of job %s: %w", job, err)
		}
	}
	return s.App, job, nil
}

// yarnLogs is the command that shows what YARN has collected.
func yarnLogs(r yarnrpc.ApplicationReport, l Logs) string {
	text := "yarn logs -applicationId " + r.ID.String()
	if l.Container != "" {
		text += " -containerId " + l.Container
	}
	if r.User != "" {
		text += " -appOwner " + r.User
	}
	return text
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
		return unreachable("container %s is not running", s.logs.Container)
	case len(failed) > 0:
		return unreachable("%w", errors.Join(failed...))
	case s.shown == 0 && s.logs.File != "":
		return unreachable("no file %s on the %s that run", s.logs.File, plural(seen, "container"))
	}
	return nil
}

// container shows the files of one container, as its NodeManager serves them.
func (s *logShow) container(ctx context.Context, r yarnrpc.ContainerReport) error {
	conf, err := s.client.Hadoop()
	if err != nil {
		return err
	}
	node := newNodeLogs(r, s.user, conf.HTTPSOnly())
	files, err := node.list(ctx)
	if err != nil {
		return err
	}
	for _, f := range files {
		if s.logs.File != "" {
			if ok, _ := path.Match(s.logs.File, f.Name); !ok {
				continue
			}
		}
		s.shown++
		if s.logs.Names {
			s.client.Console.Print("%s %s %s (%s bytes)", r.ID, r.Node, f.Name, f.Size)
			continue
		}
		s.client.Console.Print("==> %s on %s: %s (%s bytes) <==", r.ID, r.Node, f.Name, f.Size)
		to := &passThrough{console: s.client.Console}
		err := node.copy(ctx, f.Name, to)
		to.Flush()
		if err != nil {
			return err
		}
		s.client.Console.Print("")
	}
	return nil
}
