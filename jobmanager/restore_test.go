package jobmanager_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/weft-project/weft/jobmanager"
	"github.com/weft-project/weft/rest/restpb"
	"github.com/weft-project/weft/rpc/planpb"
)

// kept is a store of submissions.
type kept struct {
	mu   sync.Mutex
	jobs map[string]*restpb.SubmitRequest
	err  error
}

func (k *kept) Save(_ context.Context, r *restpb.SubmitRequest) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.err == nil {
		k.jobs[r.GetJobId()] = r
	}
	return k.err
}

func (k *kept) Remove(_ context.Context, job string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.jobs, job)
	return nil
}

func (k *kept) names() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Sorted(maps.Keys(k.jobs))
}

// A submission is kept until its job has ended, and the JobManager after this one runs what is left.
func TestRestored(t *testing.T) {
	k := &kept{jobs: map[string]*restpb.SubmitRequest{}}
	keeping := func(o *jobmanager.Options) { o.Submissions = k }
	c := startWith(t, 1, nil, keeping)
	ended, left := c.run(1), c.run(1)
	if got := k.names(); len(got) != 2 {
		t.Fatalf("kept: %v", got)
	}
	if err := c.backend.Cancel(t.Context(), ended); err != nil {
		t.Fatal(err)
	}
	c.await(ended, planpb.JobStatus_CANCELED)
	if got := k.names(); !slices.Equal(got, []string{left.String()}) {
		t.Fatalf("kept: %v", got)
	}
	bad := submission(graph(1))
	bad.Graph.Vertices = nil
	if _, err := c.backend.Submit(t.Context(), bad); err == nil || len(k.names()) != 1 {
		t.Errorf("a submission that is refused: %v, kept %v", err, k.names())
	}
	before := c.now(left).GetNext()
	c.cancel()
	if err := c.result(); err != nil {
		t.Fatal(err)
	}
	if got := k.names(); len(got) != 1 {
		t.Fatalf("the end of the JobManager removed a submission: %v", got)
	}

	gone := make(chan struct{})
	next := startAnother(t, func(o *jobmanager.Options) {
		keeping(o)
		o.Restored, o.FirstAttempt = []*restpb.SubmitRequest{k.jobs[left.String()]}, 1000
		o.EarlierGone = func(context.Context) { <-gone }
	})
	tm := next.tm("a", 1)
	if w := next.now(left); w.GetStatus() != planpb.JobStatus_CREATED || !strings.Contains(strings.Join(story(w), "\n"), "until it is certain") {
		t.Errorf("before the workers of the JobManager before are gone: %v", w)
	}
	close(gone)
	s := tm.startWorker()
	if s.GetJobId() != left.String() || s.GetJobAttempt() != 1000 {
		t.Errorf("the worker is of attempt %d of job %s, expected 1000 of %s", s.GetJobAttempt(), s.GetJobId(), left)
	}
	now := next.now(left)
	if told := strings.Join(story(now), "\n"); !strings.Contains(told, "another JobManager has taken the job over") {
		t.Errorf("told:\n%s", told)
	}
	if now.GetEvents()[0].GetSequence() <= before {
		t.Errorf("sequence %d after %d", now.GetEvents()[0].GetSequence(), before)
	}
}

func TestSubmissionNotKept(t *testing.T) {
	k := &kept{err: errors.New("no disk")}
	c := startWith(t, 1, nil, func(o *jobmanager.Options) { o.Submissions = k })
	_, err := c.backend.Submit(t.Context(), submission(graph(1)))
	if err == nil || !strings.Contains(err.Error(), "could not be kept for another JobManager: no disk") {
		t.Errorf("got %v", err)
	}
}
