package jobmanager_test

import (
	"strings"
	"testing"

	"github.com/weft-project/weft/rpc/controlpb"
	"github.com/weft-project/weft/rpc/planpb"
)

// The author's failure ends the job, once every worker has ended; what follows from it does not hide it.
func TestUserFailureEndsTheJob(t *testing.T) {
	c := start(t, 1, nil)
	a, b := c.tm("a", 1), c.tm("b", 1)
	job := c.run(2)
	workers, tasks := up(a, b)
	a.failed(1, user("index out of range"), tasks[0][0])
	a.stopWorker()
	a.acknowledged(1)
	c.await(job, planpb.JobStatus_FAILING)
	b.failed(1, external("connection reset by a"), tasks[1][1])
	b.stopWorker()
	b.acknowledged(1)
	a.exited(workers[0], nil)
	a.beat(&controlpb.Heartbeat{})
	if s := c.now(job).GetStatus(); s != planpb.JobStatus_FAILING {
		t.Errorf("status %s while a worker runs", s)
	}
	b.exited(workers[1], external("killed"))
	w := c.await(job, planpb.JobStatus_FAILED)
	f := w.GetResult().GetFailure()
	if f.GetMessage() != "index out of range" || f.GetTaskName() != "source" || f.GetSubtask() != 0 || f.GetVertexId() != tasks[0][0].GetVertexId() {
		t.Errorf("root cause: %v", f)
	}
	e, err := c.backend.Exceptions(t.Context(), job)
	if err != nil || len(e.History.Entries) != 3 || e.Root == nil || *e.Root != "index out of range\nmain.go:1" {
		t.Errorf("exceptions: %+v, %v", e, err)
	}
	s := story(w)
	sameLines(t, s[len(s)-4:], []string{"source (1/2) #0 on a: FAILED",
		"FAILING: index out of range", "sum (2/2) #0 on b: FAILED", "FAILED: index out of range"})
	d, err := c.backend.Job(t.Context(), job)
	if err != nil || d.Vertices[0].Tasks["FAILED"] != 1 || d.Vertices[0].Tasks["CANCELED"] != 1 {
		t.Errorf("job document: %+v, %v", d, err)
	}
	slots(t, c, 2, 2)
}

// A failure of the world outside restarts the job from the beginning, with higher attempt numbers, until the restarts are used up.
func TestExternalFailureRestarts(t *testing.T) {
	c := start(t, 2, nil)
	tm := c.tm("a", 2)
	job := c.restarts(2, "2")
	var old []*controlpb.AttemptId
	for attempt := int32(0); attempt < 3; attempt++ {
		workers, tasks := up(tm)
		if workers[0].GetJobAttempt() != attempt || tasks[0][0].GetAttempt() != attempt {
			t.Fatalf("attempt %d: %v, %v", attempt, workers[0].GetJobAttempt(), tasks[0])
		}
		if attempt > 0 {
			late(t, c, tm, workers[0].GetJobId(), old)
		}
		old = tasks[0]
		tm.failed(uint64(attempt+1), external("disk full"), tasks[0][3])
		tm.stopWorker()
		tm.acknowledged(uint64(attempt + 1))
		tm.exited(workers[0], nil)
	}
	w := c.await(job, planpb.JobStatus_FAILED)
	if f := w.GetResult().GetFailure(); f.GetMessage() != "disk full" {
		t.Errorf("failure: %v", f)
	}
	var kept []string
	for _, line := range story(w) {
		if !strings.HasPrefix(line, "source") && !strings.HasPrefix(line, "sum") {
			kept = append(kept, line)
		}
	}
	sameLines(t, kept, []string{"CREATED", "RUNNING",
		"RESTARTING: disk full", "note: restart 1, from the beginning, in 1ms", "RUNNING",
		"RESTARTING: disk full", "note: restart 2, from the beginning, in 1ms", "RUNNING",
		"note: no restart: the job was restarted 2 times, which is all that is allowed", "FAILING: disk full", "FAILED: disk full"})
	if d, err := c.backend.Job(t.Context(), job); err != nil || d.Restarts != 2 {
		t.Errorf("job document: %+v, %v", d, err)
	}
}

// late sends what an earlier attempt would say; it is acknowledged and changes nothing (F2).
func late(t *testing.T, c *cluster, tm *fakeTM, job string, old []*controlpb.AttemptId) {
	t.Helper()
	tm.failed(100, user("late"), old...)
	tm.acknowledged(100)
	tm.worker(job, old[0].GetAttempt(), controlpb.WorkerPhase_WORKER_EXITED, user("late"))
	tm.worker(job, old[0].GetAttempt(), controlpb.WorkerPhase_WORKER_READY, nil)
	tm.running(&controlpb.AttemptId{JobId: job, VertexId: "no such vertex"}, &controlpb.AttemptId{JobId: job, VertexId: old[0].GetVertexId(), Subtask: 99},
		&controlpb.AttemptId{JobId: "no job"})
	tm.beat(&controlpb.Heartbeat{Metrics: []*controlpb.TaskMetrics{{Attempt: old[0], RecordsOut: 99}}})
	o, err := c.backend.Overview(t.Context())
	if err != nil || o.JobsRunning != 1 || o.SlotsAvailable != 0 {
		t.Errorf("a late message changed something: %+v, %v", o, err)
	}
}

// Terminal states that come again are acknowledged again and change nothing.
func TestTerminalStatesTwice(t *testing.T) {
	c := start(t, 1, nil)
	tm := c.tm("a", 1)
	job := c.run(1)
	workers, tasks := up(tm)
	tm.finished(1, tasks[0][0])
	before := c.now(job).GetNext()
	tm.finished(1, tasks[0][0])
	tm.failed(2, user("after its end"), tasks[0][0])
	tm.acknowledged(2)
	tm.running(tasks[0][0])
	tm.beat(&controlpb.Heartbeat{})
	if w := c.now(job); w.GetNext() != before || w.GetStatus() != planpb.JobStatus_RUNNING {
		t.Errorf("repeated states made events: %v", story(w))
	}
	tm.tasks(3, controlpb.ExecutionState_STATE_FINISHED, nil, nil, tasks[0][1])
	w := c.await(job, planpb.JobStatus_FINISHED)
	tm.stopWorker()
	tm.acknowledged(3)
	tm.finished(3, tasks[0][1])
	tm.exited(workers[0], nil)
	tm.exited(workers[0], user("twice"))
	tm.beat(&controlpb.Heartbeat{})
	if again := c.now(job); again.GetNext() != w.GetNext() {
		t.Errorf("an ended job changed: %v", story(again))
	}
}

// A worker that ends by itself: before it is ready, while tasks run, with and without a reason.
func TestWorkerEnds(t *testing.T) {
	c := start(t, 1, nil)
	a, b := c.tm("a", 1), c.tm("b", 1)
	job := c.restarts(2, "3")
	sa, sb := a.startWorker(), b.startWorker()
	a.ready(sa)
	a.beat(&controlpb.Heartbeat{})
	b.exited(sb, nil) // b never was ready
	a.stopped(sa)
	workers, _ := up(a, b)
	a.exited(workers[0], external("out of memory")) // while tasks run
	b.stopped(workers[1])
	workers, _ = up(a, b)
	if workers[0].GetJobAttempt() != 2 {
		t.Errorf("attempt %d", workers[0].GetJobAttempt())
	}
	e, err := c.backend.Exceptions(t.Context(), job)
	if err != nil || len(e.History.Entries) != 2 || *e.Root != "out of memory" ||
		*e.History.Entries[0].TaskManagerID != "a" ||
		e.History.Entries[1].Stacktrace != "the worker process ended" || *e.History.Entries[1].TaskManagerID != "b" {
		t.Errorf("exceptions: %+v, %v", e, err)
	}
}

// A worker refuses the graph: with the default strategy the job fails at once.
func TestWorkerRefusesTheGraph(t *testing.T) {
	c := start(t, 1, nil)
	a, b := c.tm("a", 1), c.tm("b", 1)
	job := c.run(2)
	sa, sb := a.startWorker(), b.startWorker()
	a.exited(sa, user("the graph differs"))
	b.stopWorker()
	b.ready(sb) // too late
	b.exited(sb, user("the graph differs here too"))
	w := c.await(job, planpb.JobStatus_FAILED)
	if f := w.GetResult().GetFailure(); f.GetMessage() != "the graph differs" || f.GetHost() != "host-a" {
		t.Errorf("failure: %v", f)
	}
	b.beat(&controlpb.Heartbeat{}) // no Deploy came
}

// The author's panic is the cause even when its consequence elsewhere was heard of first.
func TestPanicHeardAfterItsConsequence(t *testing.T) {
	c := start(t, 1, nil)
	a, b := c.tm("a", 1), c.tm("b", 1)
	job := c.run(2)
	workers, tasks := up(a, b)
	b.failed(1, external("connection reset by a"), tasks[1][0])
	b.stopWorker()
	b.acknowledged(1)
	c.await(job, planpb.JobStatus_RESTARTING)
	a.stopWorker()
	a.exited(workers[0], user("panic: nil map"))
	c.await(job, planpb.JobStatus_FAILING)
	b.exited(workers[1], nil)
	w := c.await(job, planpb.JobStatus_FAILED)
	if f := w.GetResult().GetFailure(); f.GetMessage() != "panic: nil map" {
		t.Errorf("failure: %v", f)
	}
}

// Restarts are off.
func TestNoRestarts(t *testing.T) {
	c := start(t, 1, map[string]string{"restart-strategy.type": "none"})
	tm := c.tm("a", 1)
	job := c.run(1)
	workers, _ := up(tm)
	tm.exited(workers[0], nil)
	w := c.await(job, planpb.JobStatus_FAILED)
	s := story(w)
	sameLines(t, s[len(s)-3:], []string{"note: no restart: restarts are off", "FAILING: the worker process ended", "FAILED: the worker process ended"})
	tm.beat(&controlpb.Heartbeat{})
}

// A task that fails without a word is our fault, and says which it was.
func TestFailureWithoutReason(t *testing.T) {
	c := start(t, 1, map[string]string{"restart-strategy.type": "none"})
	tm := c.tm("a", 1)
	job := c.run(1)
	workers, tasks := up(tm)
	tm.failed(1, nil, tasks[0][1])
	tm.stopWorker()
	tm.exited(workers[0], nil)
	f := c.await(job, planpb.JobStatus_FAILED).GetResult().GetFailure()
	if f.GetDomain() != planpb.FailureDomain_INTERNAL || f.GetMessage() != "a task failed without saying why" || f.GetTaskName() != "sum" {
		t.Errorf("failure: %v", f)
	}
}
