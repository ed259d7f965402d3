package jobmanager_test

import (
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/weft-project/weft/rpc/controlpb"
	"github.com/weft-project/weft/rpc/planpb"
)

// A submission that no TaskManager could be told of is refused: sent, it would end sessions and the other jobs with them.
func TestSubmissionThatIsTooLarge(t *testing.T) {
	c := start(t, 1, nil)
	r := submission(graph(1))
	r.Graph.Captured = []*planpb.Captured{{Name: "rules", Value: make([]byte, 64<<20-1000)}}
	if _, err := c.backend.Submit(t.Context(), r); httpStatus(err) != http.StatusBadRequest || !strings.Contains(err.Error(), "expected at most") {
		t.Errorf("submission: %v", err)
	}
}

// A deployment that is too large for a message fails its job and leaves the TaskManager and its other jobs alone.
func TestDeploymentThatIsTooLarge(t *testing.T) {
	c := start(t, 17, nil)
	tm := c.tm("a", 17)
	other := c.run(1)
	up(tm)
	large := c.run(16)
	s := tm.startWorker()
	tm.send(&controlpb.FromTaskManager{Kind: &controlpb.FromTaskManager_Worker{Worker: &controlpb.WorkerState{JobId: s.GetJobId(),
		Phase: controlpb.WorkerPhase_WORKER_READY, DataAddress: strings.Repeat("x", 300<<10), Pid: 2}}})
	tm.stopped(s)
	w := c.await(large, planpb.JobStatus_FAILED)
	contains(t, w.GetResult().GetFailure().GetMessage(), "tasks for TaskManager a take")
	tm.beat(&controlpb.Heartbeat{})
	if status := c.now(other).GetStatus(); status != planpb.JobStatus_RUNNING {
		t.Errorf("the other job is %s", status)
	}
}

// Ended jobs, of which many are remembered, do not keep what their graphs carried for workers.
func TestEndedJobsAreSmall(t *testing.T) {
	c := start(t, 1, nil)
	heap := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	const jobs, size = 10, 32 << 20
	before := heap()
	for range jobs {
		r := submission(graph(1))
		r.Graph.Captured = []*planpb.Captured{{Name: "rules", Value: make([]byte, size)}}
		job := c.submit(r)
		if err := c.backend.Cancel(t.Context(), job); err != nil {
			t.Fatal(err)
		}
		c.await(job, planpb.JobStatus_CANCELED)
		if d, err := c.backend.Job(t.Context(), job); err != nil || len(d.Vertices) != 2 || d.Name != "word count" {
			t.Errorf("document: %+v, %v", d, err)
		}
	}
	if grown := heap() - before; grown > jobs*size/2 {
		t.Errorf("%d MiB are held for %d ended jobs", grown>>20, jobs)
	}
}
