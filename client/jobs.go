package client

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/rest"
)

// Lists says which jobs List shows; none set shows running and scheduled ones.
type Lists struct{ All, Running, Scheduled bool }

// The lines of flink list, which scripts match on.
const (
	headRunning    = "------------------ Running/Restarting Jobs -------------------"
	headScheduled  = "----------------------- Scheduled Jobs -----------------------"
	headTerminated = "---------------------- Terminated Jobs -----------------------"
	endOfList      = "--------------------------------------------------------------"
	listTime       = "02.01.2006 15:04:05"
)

// List prints the jobs of a session in Flink's format.
func (s *Session) List(ctx context.Context, l Lists) error {
	c := s.client.Console
	c.Print("Waiting for response...")
	jobs, err := try(ctx, s, func(r *rest.Client) ([]rest.JobSummary, error) { return r.Jobs(ctx) })
	if err != nil {
		return fmt.Errorf("list: %w", err)
	}
	if !l.Running && !l.Scheduled {
		l.Running, l.Scheduled = true, true
	}
	slices.SortStableFunc(jobs, func(a, b rest.JobSummary) int { return int(a.StartTime - b.StartTime) })
	var running, scheduled, ended []rest.JobSummary
	for _, j := range jobs {
		switch {
		case rest.JobEnded(j.State):
			ended = append(ended, j)
		case j.State == "CREATED" || j.State == "INITIALIZING":
			scheduled = append(scheduled, j)
		default:
			running = append(running, j)
		}
	}
	show := func(head, none string, list []rest.JobSummary) {
		if len(list) == 0 {
			c.Print("%s", none)
			return
		}
		c.Print("%s", head)
		for _, j := range list {
			c.Print("%s : %s : %s (%s)", time.UnixMilli(j.StartTime).Format(listTime), j.ID, j.Name, j.State)
		}
		c.Print("%s", endOfList)
	}
	if l.Running {
		show(headRunning, "No running jobs.", running)
	}
	if l.Scheduled {
		show(headScheduled, "No scheduled jobs.", scheduled)
	}
	if l.All {
		show(headTerminated, "No terminated jobs.", ended)
	}
	return nil
}

// Cancel cancels a job and returns when it has ended.
func (s *Session) Cancel(ctx context.Context, job string) error {
	j, err := id.ParseJob(job)
	if err != nil {
		return usage("cancel: %w", err)
	}
	s.client.Console.Print("Cancelling job %s.", j)
	_, err = try(ctx, s, func(r *rest.Client) (struct{}, error) { return struct{}{}, r.Cancel(ctx, j) })
	if err != nil {
		return fmt.Errorf("cancel job %s: %w", j, err)
	}
	result, err := s.rest.Follow(ctx, j, 0, nil)
	if err != nil {
		return fmt.Errorf("cancel job %s: it was asked to end; then: %w", j, s.explain(ctx, err))
	}
	if status := result.GetStatus().String(); status != "CANCELED" {
		return &Failure{ExitFailed, fmt.Errorf("cancel job %s: it ended as %s instead", j, status)}
	}
	s.client.Console.Print("Cancelled job %s.", j)
	return nil
}
