package jobmanager_test

import (
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/internal/await"
	"github.com/weft-project/weft/rest"
	"github.com/weft-project/weft/rpc/controlpb"
	"github.com/weft-project/weft/rpc/planpb"
	"github.com/weft-project/weft/security"
)

// A job from submission to its result on one TaskManager.
func TestJobRunsToItsEnd(t *testing.T) {
	c := start(t, 2, nil)
	tm := c.tm("a", 2)
	r := submission(graph(2))
	r.Config["pipeline.name"] = "from the command line"
	r.Graph.Config = map[string]string{"pipeline.name": "from the program"}
	job := c.submit(r)
	s := tm.startWorker()
	if s.GetJobId() != job.String() || s.GetJobAttempt() != 0 || s.GetSlots() != 2 || s.GetJobName() != "word count" ||
		!proto.Equal(s.GetBinary(), r.GetBinary()) || !proto.Equal(s.GetGraph(), r.GetGraph()) ||
		s.GetArgs()[1] != "x" || s.GetEnvironment()["LANG"] != "C" ||
		s.GetConfig()["pipeline.name"] != "from the program" {
		t.Errorf("StartWorker: %v", s)
	}
	if string(s.GetJobSecret()) != string(c.secret.Derive(security.LabelJob, job.String())) {
		t.Error("the job's secret is not the derived one")
	}
	tm.worker(s.GetJobId(), 0, controlpb.WorkerPhase_WORKER_STARTING, nil)
	tm.ready(s)
	d := tm.deployed()
	if len(d.GetTasks()) != 4 || d.GetCoordinator() != nil {
		t.Fatalf("Deploy: %v", d)
	}
	tm.ready(s) // said twice: nothing is deployed again
	tm.running(ids(d)...)
	tm.beat(&controlpb.Heartbeat{Rss: 100, Metrics: []*controlpb.TaskMetrics{{Attempt: d.GetTasks()[0].GetId(), RecordsOut: 5}},
		Workers: []*controlpb.WorkerUsage{{JobId: job.String(), Rss: 50}}})
	details(t, c, job, "RUNNING", 0)
	counted := []*planpb.Accumulator{{Name: "words", Type: "LongCounter", Value: "3", LongValue: 3}}
	tm.tasks(1, controlpb.ExecutionState_STATE_FINISHED, nil, counted, ids(d)[:2]...)
	tm.acknowledged(1)
	tm.tasks(2, controlpb.ExecutionState_STATE_FINISHED, nil, counted, ids(d)[2:]...)
	w := c.await(job, planpb.JobStatus_FINISHED)
	res := w.GetResult()
	if !w.GetEnded() || res.GetStatus() != planpb.JobStatus_FINISHED ||
		len(res.GetAccumulators()) != 1 || res.GetAccumulators()[0].GetLongValue() != 12 {
		t.Errorf("result: %v", w)
	}
	names := []string{"source (1/2)", "sum (1/2)", "source (2/2)", "sum (2/2)"}
	want := []string{"CREATED", "RUNNING"}
	for _, state := range []string{"RUNNING", "FINISHED"} {
		for _, n := range names {
			want = append(want, n+" #0 on a: "+state)
		}
	}
	sameLines(t, story(w), append(want, "FINISHED"))
	for i, e := range w.GetEvents() {
		if e.GetSequence() != uint64(i+1) {
			t.Errorf("event %d has sequence %d", i, e.GetSequence())
		}
	}
	if stop := tm.stopWorker(); stop.GetJobId() != job.String() {
		t.Errorf("StopWorker: %v", stop)
	}
	tm.acknowledged(2)
	slots(t, c, 2, 0)
	tm.exited(s, nil)
	tm.beat(&controlpb.Heartbeat{})
	slots(t, c, 2, 2)
	details(t, c, job, "FINISHED", 12)
}

// details checks the job's document.
func details(t *testing.T, c *cluster, job id.Job, state string, words int) {
	t.Helper()
	d, err := c.backend.Job(t.Context(), job)
	if err != nil {
		t.Fatal(err)
	}
	if d.ID != job.String() || d.Name != "word count" || d.State != state || len(d.Vertices) != 2 || d.Vertices[0].Tasks[state] != 2 {
		t.Errorf("job document: %+v", d)
	}
	if ended := state == "FINISHED"; ended != (d.EndTime > 0) || ended != (len(d.Accumulators) == 1) {
		t.Errorf("job document: end time %d, accumulators %v", d.EndTime, d.Accumulators)
	}
	v, err := c.backend.Vertex(t.Context(), job, id.VertexOf("source"))
	if err != nil || len(v.Subtasks) != 2 || v.Subtasks[0].TaskManagerID != "a" {
		t.Errorf("vertex document: %+v, %v", v, err)
	}
	o, err := c.backend.Overview(t.Context())
	if err != nil || o.JobsRunning+o.JobsFinished != 1 || (o.JobsFinished == 1) != (words > 0) {
		t.Errorf("overview: %+v, %v", o, err)
	}
}

// slots checks the cluster's figures.
func slots(t *testing.T, c *cluster, total, free int) {
	t.Helper()
	o, err := c.backend.Overview(t.Context())
	if err != nil || o.SlotsTotal != total || o.SlotsAvailable != free {
		t.Errorf("overview: %+v, %v, expected %d slots, %d free", o, err, total, free)
	}
}

// Tasks are spread, and those of one TaskManager are told where those of the other are.
func TestTwoTaskManagers(t *testing.T) {
	c := start(t, 1, nil)
	a, b := c.tm("a", 1), c.tm("b", 1)
	job := c.run(2)
	sa, sb := a.startWorker(), b.startWorker()
	if sa.GetSlots() != 1 || sb.GetSlots() != 1 {
		t.Errorf("slots: %d and %d", sa.GetSlots(), sb.GetSlots())
	}
	a.ready(sa)
	a.beat(&controlpb.Heartbeat{}) // nothing is deployed before both are ready
	b.ready(sb)
	da, db := a.deployed(), b.deployed()
	for i, d := range []*controlpb.Deploy{da, db} {
		for _, task := range d.GetTasks() {
			if int(task.GetId().GetSubtask()) != i || task.GetSlot() != 0 || task.GetParallelism() != 2 {
				t.Errorf("TaskManager %d: %v", i, task)
			}
			for _, gate := range task.GetInputs() {
				if len(gate.GetChannels()) != 2 || gate.GetChannels()[0].GetAddress() != "host-a:4000" || gate.GetChannels()[1].GetAddress() != "host-b:4000" {
					t.Errorf("TaskManager %d: channels %v", i, gate)
				}
			}
		}
		if len(d.GetTasks()) != 2 {
			t.Errorf("TaskManager %d: tasks %v", i, d.GetTasks())
		}
	}
	a.finished(1, ids(da)...)
	if s := c.now(job).GetStatus(); s != planpb.JobStatus_RUNNING {
		t.Errorf("status %s while half of the tasks run", s)
	}
	b.tasks(9, controlpb.ExecutionState_STATE_FINISHED, nil, nil, ids(db)...)
	c.await(job, planpb.JobStatus_FINISHED)
	a.stopped(sa)
	b.stopped(sb)
	b.acknowledged(9)
}

// The coordinator's place is told to everybody, and it is not in documents.
func TestCoordinator(t *testing.T) {
	c := start(t, 1, nil)
	a, b := c.tm("a", 1), c.tm("b", 1)
	g := graph(2)
	g.Vertices = append(g.Vertices, &planpb.JobVertex{Id: id.VertexOf("c").String(), Name: "coordinator", Parallelism: 1, MaxParallelism: 1,
		SlotSharingGroup: "default", Kind: planpb.VertexKind_COORDINATOR})
	job := c.submit(submission(g))
	a.ready(a.startWorker())
	b.ready(b.startWorker())
	for _, d := range []*controlpb.Deploy{a.deployed(), b.deployed()} {
		if d.GetCoordinator().GetVertexId() != id.VertexOf("c").String() || d.GetCoordinatorAddress() != "host-a:4000" {
			t.Errorf("coordinator: %v at %q", d.GetCoordinator(), d.GetCoordinatorAddress())
		}
	}
	if d, err := c.backend.Job(t.Context(), job); err != nil || len(d.Vertices) != 2 {
		t.Errorf("job document: %+v, %v", d, err)
	}
}

// A job waits for slots, the platform is asked for what is missing, and the job starts when it is there.
func TestWaitsForSlots(t *testing.T) {
	c := start(t, 2, nil)
	c.say()
	job := c.run(3)
	c.requires(2)
	sameLines(t, story(c.now(job)), []string{"CREATED", "note: waiting for 3 slots"})
	if p := c.now(job).GetProgress(); p.GetSlotsNeeded() != 3 || p.GetSlotsHeld() != 0 {
		t.Errorf("progress: %v", p)
	}
	other := c.run(2)
	c.requires(3) // 5 slots
	c.say().TaskManagerStarted("a", "host-a")
	await.Until(t, "a launched TaskManager shows as pending", func() bool {
		o, err := c.backend.Cluster(t.Context())
		return err == nil && o.PendingTaskManagers == 1
	})
	a := c.tm("a", 2)
	if s := a.startWorker(); s.GetJobId() != other.String() {
		t.Errorf("the job that fits was not started: %v", s)
	}
	c.requires(3)
	b, d := c.tm("b", 2), c.tm("d", 2)
	sb, sd := b.startWorker(), d.startWorker()
	if sb.GetSlots()+sd.GetSlots() != 3 || sb.GetJobId() != job.String() {
		t.Errorf("slots of the first job: %d and %d", sb.GetSlots(), sd.GetSlots())
	}
	if p := c.now(job).GetProgress(); p.GetSlotsHeld() != 3 {
		t.Errorf("progress: %v", p)
	}
	if o, err := c.backend.Cluster(t.Context()); err != nil || o.PendingTaskManagers != 0 || o.User != "alice" {
		t.Errorf("cluster: %+v, %v", o, err)
	}
}

// What a job is told that gets no slots.
func TestSlotTimeout(t *testing.T) {
	for _, strategy := range []string{"", "fixed-delay"} {
		t.Run("strategy "+strategy, func(t *testing.T) {
			c := start(t, 1, map[string]string{"slot.request.timeout": "1 ms"})
			c.tm("a", 1)
			c.driver.mu.Lock()
			c.driver.pending, c.driver.shortage = 4, "the queue is full"
			c.driver.mu.Unlock()
			r := submission(graph(2))
			if strategy != "" {
				r.Config["restart-strategy.type"] = strategy
			}
			job := c.submit(r)
			w := c.await(job, planpb.JobStatus_FAILED)
			want := "the job needs 2 slots and did not get them within 1ms (slot.request.timeout): 1 TaskManagers with 1 slots are registered, " +
				"1 slots are free, 4 TaskManagers of 1 slots are asked for, 0 are starting; the queue is full"
			if got := w.GetResult().GetFailure().GetMessage(); got != want {
				t.Errorf("got  %s\nexpected %s", got, want)
			}
			c.requires(1)
		})
	}
}

// The platform's reason is told at once.
func TestRequestFailed(t *testing.T) {
	c := start(t, 1, nil)
	c.say()
	job := c.run(1)
	c.requires(1)
	c.say().RequestFailed("the queue is closed")
	w := c.await(job, planpb.JobStatus_FAILED)
	want := "the job needs 1 slots and did not get them at all: 0 TaskManagers with 0 slots are registered, 0 slots are free, " +
		"0 TaskManagers of 1 slots are asked for, 0 are starting; the queue is closed"
	if got := w.GetResult().GetFailure().GetMessage(); got != want {
		t.Errorf("got  %s\nexpected %s", got, want)
	}
	sameLines(t, story(w), []string{"CREATED", "note: waiting for 1 slot", "FAILING: " + want, "FAILED: " + want})
	c.requires(0)
	next := c.run(1) // the next job asks again
	c.requires(1)
	c.tm("a", 1).startWorker()
	c.await(next, planpb.JobStatus_RUNNING)
}

// A TaskManager that ends before it registers is told to who waits for it.
func TestTaskManagerEndsBeforeItRegisters(t *testing.T) {
	c := start(t, 1, nil)
	job := c.run(1)
	c.say().TaskManagerStarted("a", "host-a")
	c.say().TaskManagerLost("a", "exit status 1")
	await.Until(t, "the job is told", func() bool {
		s := story(c.now(job))
		return s[len(s)-1] == "note: a TaskManager ended before it was of use: exit status 1"
	})
	c.requires(1)
}

// Unfinished output is removed whatever the end, before the end is told.
func TestScratchIsRemoved(t *testing.T) {
	c := start(t, 1, nil)
	tm := c.tm("a", 1)
	for i, end := range []planpb.JobStatus{planpb.JobStatus_FINISHED, planpb.JobStatus_FAILED, planpb.JobStatus_CANCELED} {
		r := submission(graph(1))
		dir := filepath.Join(t.TempDir(), r.GetJobId())
		if err := os.MkdirAll(filepath.Join(dir, "part"), 0o755); err != nil {
			t.Fatal(err)
		}
		r.Graph.ScratchPaths = []string{"file://" + filepath.Join(filepath.Dir(dir), "{job}"), "nosuch://x/y"}
		job := c.submit(r)
		workers, tasks := up(tm)
		sequence := uint64(i + 1)
		switch end {
		case planpb.JobStatus_FINISHED:
			tm.finished(sequence, tasks[0]...)
			tm.stopped(workers[0])
		case planpb.JobStatus_FAILED:
			tm.failed(sequence, user("no"), tasks[0][0])
			tm.stopped(workers[0])
			tm.acknowledged(sequence)
		default:
			if err := c.backend.Cancel(t.Context(), job); err != nil {
				t.Fatal(err)
			}
			tm.stopped(workers[0])
		}
		c.await(job, end)
		if _, err := os.Stat(dir); !os.IsNotExist(err) {
			t.Errorf("%s: scratch is still there: %v", end, err)
		}
	}
}

// Documents about TaskManagers and metrics follow the loop's state.
func TestTaskManagerDocuments(t *testing.T) {
	c := start(t, 2, nil)
	tm := c.tm("a", 2)
	job := c.run(1)
	_, tasks := up(tm)
	tm.beat(&controlpb.Heartbeat{Rss: 100, Workers: []*controlpb.WorkerUsage{{Rss: 11}}, Metrics: []*controlpb.TaskMetrics{
		{Attempt: tasks[0][1], RecordsIn: 5}}})
	d, err := c.backend.TaskManager(t.Context(), "a")
	if err != nil || d.Slots != 2 || d.FreeSlots != 1 || d.RSS != 111 || len(d.AllocatedSlots) != 1 || d.AllocatedSlots[0].JobID != job.String() {
		t.Errorf("TaskManager: %+v, %v", d, err)
	}
	if list, err := c.backend.TaskManagers(t.Context()); err != nil || len(list) != 1 || list[0].ID != "a" {
		t.Errorf("TaskManagers: %+v, %v", list, err)
	}
	if _, err := c.backend.TaskManager(t.Context(), "b"); !rest.IsNotFound(err) {
		t.Errorf("an unknown TaskManager: %v", err)
	}
	for scope, metric := range map[rest.MetricScope]string{
		{Kind: rest.ScopeJobManager}:                                   "numRunningJobs",
		{Kind: rest.ScopeTaskManager, TaskManager: "a"}:                "Status.Weft.Memory.RSS",
		{Kind: rest.ScopeJob, Job: job}:                                "",
		{Kind: rest.ScopeVertex, Job: job, Vertex: id.VertexOf("sum")}: "",
	} {
		list, err := c.backend.Metrics(t.Context(), scope)
		found := metric == "" && len(list) > 0
		for _, m := range list {
			found = found || m.ID == metric
		}
		if err != nil || !found {
			t.Errorf("metrics of %s: %v, %v", scope, list, err)
		}
	}
}
