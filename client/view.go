package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/internal/delay"
	"github.com/weft-project/weft/rest"
	"github.com/weft-project/weft/rest/restpb"
	"github.com/weft-project/weft/rpc/controlpb"
	"github.com/weft-project/weft/rpc/planpb"
	"github.com/weft-project/weft/yarnrpc"
)

// jobView shows what happens to a job.
type jobView struct {
	console *Console
	name    string
	started time.Time
	// told is the failure that was shown last: a job's states repeat it.
	told string
}

// show prints the news and draws the progress.
func (v *jobView) show(reply *restpb.WatchReply) error {
	for _, e := range reply.Events {
		at := time.UnixMilli(e.TimeMs).Format(time.TimeOnly)
		switch {
		case e.GetStatus() != nil:
			because := ""
			if status := e.GetStatus().Status; status != planpb.JobStatus_FAILING && status != planpb.JobStatus_FAILED {
				// The failure that ends the job is told at its end, with its stack.
				because = v.because(e.GetStatus().Failure)
			}
			v.console.Say("%s Job '%s' switched to %s%s", at, v.name, e.GetStatus().Status, because)
		case e.GetTask() != nil && e.GetTask().State == controlpb.ExecutionState_STATE_FAILED:
			t := e.GetTask()
			v.console.Say("%s %s (%d/%d) failed on %s", at, t.Name, t.Subtask+1, t.Parallelism, t.Host)
		case e.GetNote() != "":
			v.console.Say("%s %s", at, e.GetNote())
		}
	}
	if reply.Ended {
		v.console.Status("")
		return nil
	}
	p := reply.Progress
	if p == nil {
		return nil
	}
	records := ""
	if p.RecordsIn > 0 || p.RecordsOut > 0 {
		// A job that is one task hands records to nobody: zeros would look like a job that does nothing.
		records = fmt.Sprintf("%s records in, %s out, ", formatCount(p.RecordsIn), formatCount(p.RecordsOut))
	}
	line := fmt.Sprintf("%s %s: %d of %d tasks running, %d finished, %s%.1f s", v.name, reply.Status,
		p.TasksRunning, p.TasksTotal, p.TasksFinished, records, float64(p.RuntimeMs)/1000)
	if p.SlotsHeld < p.SlotsNeeded {
		line = fmt.Sprintf("%s %s: %d of %d slots, %d TaskManagers on their way, %.1f s", v.name, reply.Status, p.SlotsHeld, p.SlotsNeeded,
			p.TaskmanagersPending, time.Since(v.started).Seconds())
	}
	v.console.Status("%s", line)
	return nil
}

// because gives a failure as the end of a line, once.
func (v *jobView) because(f *planpb.Failure) string {
	if f.GetMessage() == "" || v.told == f.GetMessage() {
		return ""
	}
	v.told = f.GetMessage()
	where := ""
	if f.TaskName != "" {
		where = fmt.Sprintf(" in %s, subtask %d", f.TaskName, f.Subtask+1)
	}
	if f.Host != "" {
		where += " on " + f.Host
	}
	return ": " + oneLine(f.Message) + where
}

// formatCount writes a number of records for people.
func formatCount(n int64) string {
	switch {
	case n >= 10_000_000:
		return fmt.Sprintf("%.1f M", float64(n)/1e6)
	case n >= 10_000:
		return fmt.Sprintf("%.1f k", float64(n)/1e3)
	}
	return fmt.Sprint(n)
}

const (
	// lostLimit is how long a JobManager that does not answer is waited for: YARN needs a while to notice an end.
	lostLimit = 45 * time.Second
	lostPoll  = 100 * time.Millisecond
)

// errFinished is for a job whose cluster has ended with it before its result was fetched: YARN says that it has finished.
var errFinished = errors.New("the job has finished")

// lost is for a job whose JobManager stopped answering. It returns nil when the JobManager answers again, else what has
// happened to the session.
func (s *Session) lost(ctx context.Context, job id.Job, err error) error {
	var broken *rest.Unreachable
	if !errors.As(err, &broken) {
		return fmt.Errorf("job %s: %w", job, err)
	}
	if s.App.IsZero() {
		return unreachable("job %s: %w", job, err)
	}
	s.client.Console.Say("The JobManager does not answer (%v), asking YARN about %s", err, s.App)
	told := false
	for deadline := time.Now().Add(lostLimit); time.Now().Before(deadline); {
		report, rmErr := s.client.running(ctx, s.App)
		if rmErr != nil {
			if report.State.Ended() && s.single {
				if report.Final == yarnrpc.FinalSucceeded {
					return errFinished
				}
				return &Failure{ExitFailed, errors.New("job " + job.String() + " did not finish: " + explainEnded(report))}
			}
			if report.State.Ended() {
				return &Failure{ExitFailed, fmt.Errorf("job %s is lost: %w", job, rmErr)}
			}
			if report.State == "" {
				return fmt.Errorf("job %s: %w", job, rmErr)
			}
			// YARN starts the JobManager again, as soon as there is room for it.
			deadline = time.Now().Add(lostLimit)
			if !told {
				told = true
				s.client.Console.Say("The JobManager has failed, and YARN starts another one: %s is %s", s.App, report.State)
			}
			if err := delay.For(ctx, lostPoll); err != nil {
				return err
			}
			continue
		}
		again, findErr := s.client.askForSession(ctx, s.App)
		if findErr == nil {
			if _, probe := again.rest.Overview(ctx); probe == nil {
				s.Address, s.rest, s.token = again.Address, again.rest, again.token
				return nil
			}
		}
		if err := delay.For(ctx, lostPoll); err != nil {
			return err
		}
	}
	return unreachable("job %s: the JobManager of %s has not answered for %v, although YARN says that it runs: %w", job, s.App, lostLimit, err)
}
