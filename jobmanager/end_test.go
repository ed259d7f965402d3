package jobmanager_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/internal/await"
	"github.com/weft-project/weft/rest"
	"github.com/weft-project/weft/rest/restpb"
	"github.com/weft-project/weft/rpc/controlpb"
	"github.com/weft-project/weft/rpc/planpb"
)

func (c *cluster) cancelJob(job id.Job) {
	c.t.Helper()
	if err := c.backend.Cancel(c.t.Context(), job); err != nil {
		c.t.Errorf("cancel: %v", err)
	}
}

// httpStatus of a Backend's error.
func httpStatus(err error) int {
	var e *rest.Error
	if errors.As(err, &e) {
		return e.Status
	}
	return 0
}

// cancelled checks the end of a canceled job.
func (c *cluster) cancelled(job id.Job) {
	c.t.Helper()
	w := c.await(job, planpb.JobStatus_CANCELED)
	if !w.GetEnded() || w.GetResult().GetStatus() != planpb.JobStatus_CANCELED || w.GetResult().GetFailure() != nil {
		c.t.Errorf("result: %v", w.GetResult())
	}
	seen := 0
	for _, line := range story(w) {
		if line == "CANCELLING" {
			seen++
		}
	}
	if seen != 1 {
		c.t.Errorf("CANCELLING was told %d times: %v", seen, story(w))
	}
	c.cancelJob(job) // again: nothing
	if again := c.now(job); again.GetNext() != w.GetNext() {
		c.t.Errorf("a canceled job changed: %v", story(again))
	}
}

// A job can be canceled whatever it does, and twice.
func TestCancelInEveryState(t *testing.T) {
	for name, test := range map[string]func(c *cluster) id.Job{
		"while it waits for slots": func(c *cluster) id.Job {
			job := c.run(1)
			c.requires(1)
			c.cancelJob(job)
			c.requires(0)
			return job
		},
		"before its workers are ready": func(c *cluster) id.Job {
			tm := c.tm("a", 1)
			job := c.run(1)
			s := tm.startWorker()
			c.cancelJob(job)
			tm.stopWorker()
			tm.ready(s) // too late: nothing is deployed
			tm.exited(s, nil)
			tm.beat(&controlpb.Heartbeat{})
			return job
		},
		"while tasks run": func(c *cluster) id.Job {
			tm := c.tm("a", 1)
			job := c.run(1)
			workers, tasks := up(tm)
			c.cancelJob(job)
			c.cancelJob(job)
			tm.stopWorker()
			tm.failed(1, user("canceled in the middle"), tasks[0][0])
			tm.acknowledged(1)
			tm.exited(workers[0], external("killed"))
			return job
		},
		"while its TaskManager is lost": func(c *cluster) id.Job {
			tm := c.tm("a", 1)
			job := c.run(1)
			up(tm)
			c.cancelJob(job)
			tm.cut()
			return job
		},
		"while it stops to restart": func(c *cluster) id.Job {
			tm := c.tm("a", 1)
			job := c.run(1)
			workers, tasks := up(tm)
			tm.failed(1, external("no"), tasks[0][0])
			c.await(job, planpb.JobStatus_RESTARTING)
			c.cancelJob(job)
			tm.stopped(workers[0])
			return job
		},
		"in the pause before a restart": func(c *cluster) id.Job {
			tm := c.tm("a", 1)
			r := submission(graph(1))
			r.Config = map[string]string{"restart-strategy.type": "fixed-delay", "restart-strategy.fixed-delay.delay": "1 h"}
			job := c.submit(r)
			workers, _ := up(tm)
			tm.exited(workers[0], nil)
			tm.beat(&controlpb.Heartbeat{})
			if s := c.now(job).GetStatus(); s != planpb.JobStatus_RESTARTING {
				c.t.Errorf("status %s", s)
			}
			c.cancelJob(job)
			return job
		},
		"while it waits for slots to restart": func(c *cluster) id.Job {
			tm := c.tm("a", 1)
			job := c.restarts(1, "1")
			up(tm)
			tm.cut()
			await.Until(c.t, "the job waits", func() bool {
				s := story(c.now(job))
				return s[len(s)-1] == waitsForCertainty
			})
			c.cancelJob(job)
			c.requires(0)
			return job
		},
		"while it fails": func(c *cluster) id.Job {
			tm := c.tm("a", 1)
			job := c.run(1)
			workers, tasks := up(tm)
			tm.failed(1, user("no"), tasks[0][0])
			c.await(job, planpb.JobStatus_FAILING)
			c.cancelJob(job)
			tm.stopped(workers[0])
			return job
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := start(t, 1, nil)
			c.say()
			c.cancelled(test(c))
		})
	}
}

// What has ended can not be canceled.
func TestCancelAfterTheEnd(t *testing.T) {
	c := start(t, 1, nil)
	tm := c.tm("a", 1)
	failed := c.run(1)
	s := tm.startWorker()
	tm.exited(s, user("no"))
	c.await(failed, planpb.JobStatus_FAILED)
	finished := c.run(1)
	workers, tasks := up(tm)
	tm.completes(1, workers[0], tasks[0]...)
	c.await(finished, planpb.JobStatus_FINISHED)
	for job, want := range map[id.Job]string{failed: " has ended: FAILED", finished: " has ended: FINISHED"} {
		err := c.backend.Cancel(t.Context(), job)
		if httpStatus(err) != http.StatusConflict || err.Error() != "job "+job.String()+want {
			t.Errorf("cancel: %v", err)
		}
	}
	if err := c.backend.Cancel(t.Context(), id.NewJob()); !rest.IsNotFound(err) {
		t.Errorf("cancel of an unknown job: %v", err)
	}
	if list, err := c.backend.Jobs(t.Context()); err != nil || len(list) != 2 || list[0].ID != finished.String() {
		t.Errorf("jobs: %+v, %v", list, err)
	}
}

// Shutdown ends the jobs, lets those who watch know, tells the TaskManagers and ends the JobManager.
func TestShutdown(t *testing.T) {
	c := start(t, 1, nil)
	tm := c.tm("a", 1)
	job, waiting := c.run(1), c.run(1)
	workers, _ := up(tm)
	watched := make(chan *planpb.JobResult, 1)
	go func() {
		defer close(watched)
		for since := uint64(0); ; {
			w, err := c.backend.Watch(context.Background(), job, since, patience)
			if err != nil {
				return
			}
			if w.GetEnded() {
				watched <- w.GetResult()
				return
			}
			since = w.GetNext()
		}
	}()
	if err := c.backend.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	tm.stopWorker()
	if w := c.now(waiting); w.GetResult().GetStatus() != planpb.JobStatus_CANCELED {
		t.Errorf("the job that waited: %v", w)
	}
	if _, err := c.backend.Submit(t.Context(), submission(graph(1))); httpStatus(err) != http.StatusServiceUnavailable {
		t.Errorf("submit while the cluster ends: %v", err)
	}
	tm.exited(workers[0], nil)
	if text := tm.shutdown(); text != "the cluster is shut down" {
		t.Errorf("Shutdown: %q", text)
	}
	tm.cut()
	if err := c.result(); err != nil {
		t.Errorf("Run: %v", err)
	}
	if r := <-watched; r.GetStatus() != planpb.JobStatus_CANCELED {
		t.Errorf("the watcher's result: %v", r)
	}
	if _, err := c.backend.Overview(t.Context()); err == nil {
		t.Error("a JobManager that has stopped answers")
	}
	if _, err := c.backend.Watch(t.Context(), job, 0, time.Minute); err == nil {
		t.Error("a JobManager that has stopped lets watch")
	}
}

// A context that ends ends the JobManager and its sessions without a word: TaskManagers wait for the next leader.
func TestContextEnds(t *testing.T) {
	c := start(t, 1, nil)
	tm := c.tm("a", 1)
	c.cancel()
	if err := c.result(); err != nil {
		t.Errorf("Run: %v", err)
	}
	for m := range tm.in {
		t.Errorf("message: %v", m)
	}
}

// Idle TaskManagers are given back and not replaced; busy ones stay.
func TestIdleTaskManagerIsReleased(t *testing.T) {
	c := start(t, 1, map[string]string{"resourcemanager.taskmanager-timeout": "1 ms"})
	job := c.run(1)
	c.requires(1)
	busy := c.tm("a", 1)
	workers, tasks := up(busy)
	idle := c.tm("b", 1)
	c.requires(2)
	if text := idle.shutdown(); text != "released: nothing to do" {
		t.Errorf("Shutdown: %q", text)
	}
	c.releases("b")
	c.requires(1)
	c.say().TaskManagerLost("b", "it was released")
	busy.beat(&controlpb.Heartbeat{})
	slots(t, c, 1, 0)
	busy.completes(1, workers[0], tasks[0]...)
	c.await(job, planpb.JobStatus_FINISHED)
	busy.shutdown()
	c.releases("a")
	c.requires(0)
	slots(t, c, 0, 0)
}

// Watching waits for news only as long as asked.
func TestWatch(t *testing.T) {
	c := start(t, 1, nil)
	if _, err := c.backend.Watch(t.Context(), id.NewJob(), 0, time.Minute); !rest.IsNotFound(err) {
		t.Errorf("watching an unknown job: %v", err)
	}
	job := c.run(1)
	all := c.now(job)
	w, err := c.backend.Watch(t.Context(), job, all.GetNext(), time.Millisecond)
	if err != nil || len(w.GetEvents()) != 0 || w.GetNext() != all.GetNext() || w.GetEnded() {
		t.Errorf("nothing new: %v, %v", w, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.backend.Watch(ctx, job, all.GetNext(), time.Minute); !errors.Is(err, context.Canceled) {
		t.Errorf("a watcher that left: %v", err)
	}
	news := make(chan *restpb.WatchReply, 1)
	go func() {
		w, _ := c.backend.Watch(context.Background(), job, all.GetNext(), time.Minute)
		news <- w
	}()
	c.cancelJob(job)
	if w := <-news; len(w.GetEvents()) == 0 || w.GetEvents()[0].GetSequence() != all.GetNext()+1 {
		t.Errorf("news: %v", w)
	}
}
