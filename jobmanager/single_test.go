package jobmanager_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/rpc/planpb"
)

// A cluster for one job takes that job, twice if need be, and no other; it tells when the job's end was heard of.
func TestOneJob(t *testing.T) {
	c := startTarget(t, 1, nil, config.TargetPerJob)
	first := make(chan string, 1)
	go func() {
		job, err := c.jm.FirstJob(t.Context())
		if err != nil {
			t.Errorf("first job: %v", err)
		}
		first <- job.String()
	}()
	request := submission(graph(1))
	job := c.submit(request)
	request.JobId = job.String()
	if again := c.submit(request); again != job {
		t.Errorf("the same submission became %s, expected %s", again, job)
	}
	if got := <-first; got != job.String() {
		t.Errorf("first job %s, expected %s", got, job)
	}
	if _, err := c.backend.Submit(t.Context(), submission(graph(1))); httpStatus(err) != http.StatusConflict {
		t.Errorf("another job: %v", err)
	}
	c.cancelJob(job)
	result, err := c.jm.Result(t.Context(), job)
	if err != nil || result.GetStatus() != planpb.JobStatus_CANCELED {
		t.Errorf("%v, %v", result, err)
	}
	early, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	c.jm.Fetched(early)
	if early.Err() == nil {
		t.Error("nobody was told the end, but Fetched says so")
	}
	c.await(job, planpb.JobStatus_CANCELED)
	late, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c.jm.Fetched(late)
	if late.Err() != nil {
		t.Error("the end was told, but Fetched waits")
	}
	if err := c.jm.Shutdown(t.Context()); err != nil || c.result() != nil {
		t.Errorf("shutdown: %v", err)
	}
	if _, err := c.jm.Result(t.Context(), job); err == nil {
		t.Error("a result of a JobManager that has ended")
	}
}

// In application mode jobs come from main alone.
func TestOneMain(t *testing.T) {
	c := startTarget(t, 1, nil, config.TargetApplication)
	if _, err := c.backend.Submit(t.Context(), submission(graph(1))); httpStatus(err) != http.StatusConflict {
		t.Errorf("from outside: %v", err)
	}
	if _, err := c.jm.Submit(t.Context(), submission(graph(1))); err != nil {
		t.Errorf("from main: %v", err)
	}
}
