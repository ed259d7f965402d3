package client

import (
	"context"
	"fmt"

	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/rest"
)

// Savepoint takes a savepoint of a job in a directory below dir, or below the one that is configured.
func (s *Session) Savepoint(ctx context.Context, job, dir string) error {
	return s.savepoint(ctx, "savepoint", job, rest.CheckpointRequest{Savepoint: true, Target: dir}, func(j id.Job) {
		s.client.Console.Print("Triggering savepoint for job %s.\nWaiting for response...", j)
	})
}

// StopJob ends a job with a savepoint.
func (s *Session) StopJob(ctx context.Context, job, dir string, drain bool) error {
	return s.savepoint(ctx, "stop", job, rest.CheckpointRequest{Stop: true, Drain: drain, Target: dir}, func(j id.Job) {
		how := "Suspending"
		if drain {
			how = "Draining"
		}
		s.client.Console.Print("%s job %q with a CANONICAL savepoint.\nTriggering stop-with-savepoint for job %s.\nWaiting for response...", how, j, j)
	})
}

// CancelWithSavepoint takes a savepoint and cancels the job then.
func (s *Session) CancelWithSavepoint(ctx context.Context, job, dir string) error {
	return s.savepoint(ctx, "cancel", job, rest.CheckpointRequest{Savepoint: true, Cancel: true, Target: dir}, func(j id.Job) {
		s.client.Console.Print("Cancelling job %s with savepoint.\nWaiting for response...", j)
	})
}

func (s *Session) savepoint(ctx context.Context, command, job string, r rest.CheckpointRequest, say func(id.Job)) error {
	j, err := id.ParseJob(job)
	if err != nil {
		return usage("%s: %w", command, err)
	}
	say(j)
	path, err := try(ctx, s, func(c *rest.Client) (string, error) { return c.Savepoint(ctx, j, r) })
	if err != nil {
		return fmt.Errorf("%s of job %s: %w", command, j, err)
	}
	s.client.Console.Print("Savepoint completed. Path: %s", path)
	if !r.Stop && !r.Cancel {
		s.client.Console.Print("You can resume your program from this savepoint with the run command.")
		return nil
	}
	result, err := s.rest.Follow(ctx, j, 0, nil)
	if err != nil {
		return fmt.Errorf("%s of job %s: its savepoint is complete; then: %w", command, j, s.explain(ctx, err))
	}
	want := "FINISHED"
	if r.Cancel {
		want = "CANCELED"
	}
	if status := result.GetStatus().String(); status != want {
		return &Failure{ExitFailed, fmt.Errorf("%s of job %s: its savepoint is complete, and it ended as %s", command, j, status)}
	}
	return nil
}

// Checkpoint takes a checkpoint of a job.
func (s *Session) Checkpoint(ctx context.Context, job string) error {
	j, err := id.ParseJob(job)
	if err != nil {
		return usage("checkpoint: %w", err)
	}
	s.client.Console.Print("Triggering checkpoint for job %s.\nWaiting for response...", j)
	n, err := try(ctx, s, func(c *rest.Client) (int64, error) { return c.Checkpoint(ctx, j) })
	if err != nil {
		return fmt.Errorf("checkpoint of job %s: %w", j, err)
	}
	s.client.Console.Print("Checkpoint(FULL) %d for job %s completed.", n, j)
	return nil
}

// DisposeSavepoint removes a savepoint.
func (s *Session) DisposeSavepoint(ctx context.Context, path string) error {
	s.client.Console.Print("Disposing savepoint '%s'.\nWaiting for response...", path)
	if _, err := try(ctx, s, func(c *rest.Client) (struct{}, error) { return struct{}{}, c.DisposeSavepoint(ctx, path) }); err != nil {
		return fmt.Errorf("dispose of savepoint %s: %w", path, err)
	}
	s.client.Console.Print("Savepoint '%s' disposed.", path)
	return nil
}
