package checkpoint

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/weft-project/weft/checkpoint/manifest"
	"github.com/weft-project/weft/config"
)

// rig is a coordinator with two sources that feed one sink, at second 0.
type rig struct {
	*Coordinator
	t   *testing.T
	now time.Time
}

var (
	rigGraph = Graph{Vertices: []Vertex{{ID: "s", Parallelism: 2, MaxParallelism: 4, Operators: []Operator{{ID: "src", UID: "u", Name: "Source"}}},
		{ID: "k", Parallelism: 1, MaxParallelism: 4, Operators: []Operator{{ID: "snk", Name: "Sink"}}}}, Edges: []Edge{{From: 0, To: 1}}}
	src0, src1, sink = Task{0, 0}, Task{0, 1}, Task{1, 0}
)

func newRig(t *testing.T, s Settings) *rig {
	if s.Timeout == 0 {
		s.Timeout = time.Minute
	}
	if s.NumRetained == 0 {
		s.NumRetained = 1
	}
	s.AfterTasksFinish, s.History = true, 10
	r := &rig{New(s, Job{ID: "j"}, rigGraph, 5, 1, nil), t, time.Unix(1000, 0)}
	r.begin()
	return r
}

func (r *rig) begin() []Action {
	return r.Run([]Member{{Task: src0}, {Task: src1}, {Task: sink}}, r.now)
}

func (r *rig) at(seconds int) { r.now = time.Unix(1000+int64(seconds), 0) }

func (r *rig) ref(id int64) Ref { return Ref{5, id} }

// ack acknowledges a checkpoint by tasks, each with a file.
func (r *rig) ack(id int64, tasks ...Task) []Action {
	var out []Action
	for _, t := range tasks {
		op := manifest.Operator{ID: []string{"src", "snk"}[t.Vertex], Subtasks: []manifest.Subtask{{Index: t.Subtask, Lists: []manifest.List{{Name: "x",
			Data: manifest.Handle{File: fmt.Sprintf("f%d-%d%d", id, t.Vertex, t.Subtask)}}}}}}
		out = append(out, r.Acknowledge(Ack{Ref: r.ref(id), Task: t, Operators: []manifest.Operator{op}}, r.now)...)
	}
	return out
}

// all acknowledges and publishes a checkpoint.
func (r *rig) all(id int64) []Action {
	r.t.Helper()
	expect(r.t, r.ack(id, src0, src1, sink), "Publish")
	return r.Published(r.ref(id), Published, "p", nil, r.now)
}

// expect compares the kinds of actions, Ended left out.
func expect(t *testing.T, actions []Action, kinds ...string) {
	t.Helper()
	var got []string
	for _, a := range actions {
		if name := reflect.TypeOf(a).Name(); name != "Ended" {
			got = append(got, name)
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(kinds) {
		t.Fatalf("actions %v, expected %v", got, kinds)
	}
}

func find[A Action](t *testing.T, actions []Action) A {
	t.Helper()
	for _, a := range actions {
		if x, ok := a.(A); ok {
			return x
		}
	}
	t.Fatalf("no %T in %v", *new(A), actions)
	panic("unreachable") // Fatalf does not return
}

func TestIntervalAndRoots(t *testing.T) {
	r := newRig(t, Settings{Interval: 10 * time.Second})
	if at, ok := r.Due(); !ok || at != time.Unix(1010, 0) {
		t.Fatal(at, ok)
	}
	r.at(9)
	expect(t, r.Tick(r.now))
	r.at(10)
	trigger := find[Trigger](t, r.Tick(r.now))
	if len(trigger.Tasks) != 2 || trigger.Ref != r.ref(1) {
		t.Fatalf("%+v: the sources are triggered", trigger)
	}
	r.at(20) // one is on its way
	expect(t, r.Tick(r.now))
	expect(t, r.all(1), "Notify", "Trigger")
	if point, ready := r.RestorePoint(); !ready || point.ID != 1 || len(point.Manifest.Operators) != 2 || len(point.Manifest.Operators[0].Subtasks) != 2 {
		t.Fatalf("%+v", point)
	}
}

func TestMinPause(t *testing.T) {
	r := newRig(t, Settings{Interval: 10 * time.Second, MinPause: 5 * time.Second, MaxConcurrent: 3})
	r.at(10)
	expect(t, r.Tick(r.now), "Trigger")
	r.at(19)
	expect(t, r.all(1), "Notify")
	r.at(23)
	expect(t, r.Tick(r.now))
	if at, _ := r.Due(); at != time.Unix(1024, 0) {
		t.Fatal(at)
	}
	r.at(24)
	expect(t, r.Tick(r.now), "Trigger")
	r.at(50)
	expect(t, r.Tick(r.now)) // one at a time
}

func TestConcurrentOnesAreSubsumed(t *testing.T) {
	r := newRig(t, Settings{Interval: 10 * time.Second, MaxConcurrent: 2, NumRetained: 2})
	r.at(10)
	expect(t, r.Tick(r.now), "Trigger")
	r.at(20)
	expect(t, r.Tick(r.now), "Trigger")
	r.ack(1, src0)
	// The second is complete first: the first is of no use.
	out := r.ack(2, src0, src1, sink)
	expect(t, out, "NotifyAborted", "Discard", "Publish")
	if d := find[Discard](t, out); !reflect.DeepEqual(d.Files, []string{"f1-00"}) {
		t.Fatalf("%+v", d)
	}
	expect(t, r.Published(r.ref(2), Published, "p", nil, r.now), "Notify")
	// A late acknowledgement of what was aborted brings garbage; one of what is complete does not.
	if d := find[Discard](t, r.ack(1, src1)); !reflect.DeepEqual(d.Files, []string{"f1-01"}) {
		t.Fatalf("%+v", d)
	}
	expect(t, r.ack(2, src1))
}

func TestTimeoutAndTolerance(t *testing.T) {
	r := newRig(t, Settings{Interval: 10 * time.Second, Timeout: 5 * time.Second, TolerableFailures: 1})
	r.at(10)
	r.Tick(r.now)
	r.ack(1, src0)
	r.at(15)
	out := r.Tick(r.now)
	expect(t, out, "NotifyAborted", "Discard")
	if e := find[Ended](t, out); e.Err == nil || !strings.Contains(e.Err.Error(), "2 of 3 tasks have not acknowledged it: Source (2/2), Sink (1/1)") {
		t.Fatal(e.Err)
	}
	r.at(20)
	r.Tick(r.now)
	out = r.Decline(r.ref(2), sink, 0, errors.New("no space"), r.now)
	expect(t, out, "NotifyAborted", "Fail")
	if f := find[Fail](t, out); !strings.Contains(f.Reason, "allows 1 in a row): Sink (1/1) declined it: no space") {
		t.Fatal(f.Reason)
	}
	r.at(60)
	expect(t, r.Tick(r.now)) // nothing until the job runs again
	r.Halt("restart", r.now)
	expect(t, r.begin(), "Abandon")
	counts, _, ended := r.History()
	if counts != (Counts{Triggered: 2, Failed: 2}) || len(ended) != 2 {
		t.Fatal(counts, ended)
	}
}

// A checkpoint that succeeds makes the count begin anew.
func TestToleranceCountsInARow(t *testing.T) {
	r := newRig(t, Settings{Interval: time.Second, TolerableFailures: 1})
	for id := int64(1); id < 20; id += 2 {
		r.at(int(id) * 10)
		expect(t, r.Tick(r.now), "Trigger")
		expect(t, r.Decline(r.ref(id), sink, 0, errors.New("x"), r.now), "NotifyAborted")
		r.at(int(id)*10 + 5)
		expect(t, r.Tick(r.now), "Trigger")
		r.all(id + 1)
	}
}

func TestRetention(t *testing.T) {
	r := newRig(t, Settings{Interval: 10 * time.Second, NumRetained: 2})
	for id := int64(1); id <= 3; id++ {
		r.at(int(10 * id))
		expect(t, r.Tick(r.now), "Trigger")
		out := r.all(id)
		if id < 3 {
			expect(t, out, "Notify")
		} else if d := find[Delete](t, out); d.ID != 1 || len(d.Files) != 3 {
			t.Fatalf("%+v", d)
		}
	}
	if !r.Damaged(r.ref(3)) || r.Damaged(r.ref(3)) {
		t.Fatal("damaged twice")
	}
	if point, _ := r.RestorePoint(); point.ID != 2 {
		t.Fatalf("%+v: the one before the damaged one", point)
	}
}

func TestEndings(t *testing.T) {
	for _, tt := range []struct {
		retention Retention
		ending    Ending
		deleted   int
	}{
		{NoExternalized, JobFinished, 1}, {NoExternalized, JobCanceled, 1}, {NoExternalized, JobFailed, 1},
		{DeleteOnCancellation, JobFinished, 1}, {DeleteOnCancellation, JobCanceled, 1}, {DeleteOnCancellation, JobFailed, 0},
		{RetainOnCancellation, JobFinished, 1}, {RetainOnCancellation, JobCanceled, 0}, {RetainOnCancellation, JobFailed, 0},
	} {
		r := newRig(t, Settings{Interval: 10 * time.Second, Retention: tt.retention})
		r.at(10)
		r.Tick(r.now)
		r.all(1)
		expect(t, r.End(tt.ending, r.now), []string{"Delete"}[:tt.deleted]...)
	}
}

func TestSavepoints(t *testing.T) {
	r := newRig(t, Settings{Interval: 10 * time.Second})
	r.at(10)
	r.Tick(r.now)
	out, err := r.Request(Request{ID: "a", Kind: Savepoint, Target: "file:///s"}, r.now)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, out) // it waits its turn
	out = r.all(1)
	expect(t, out, "Notify", "Trigger")
	if b := find[Trigger](t, out).Barrier; b.Kind != Savepoint || b.Target != "file:///s" || !b.Canonical || b.Ref != r.ref(2) {
		t.Fatalf("%+v", b)
	}
	out = r.all(2)
	// It commits nothing (C5), and is no restore point.
	expect(t, out, "Answer")
	if a := find[Answer](t, out); a.Request != "a" || a.Err != nil || a.Path != "p" || !reflect.DeepEqual(a.WithoutUID, []string(nil)) {
		t.Fatalf("%+v", a)
	}
	if point, _ := r.RestorePoint(); point.ID != 1 {
		t.Fatalf("%+v", point)
	}
	for _, bad := range []Request{{Kind: Savepoint, Target: "x"}, {ID: "x", Kind: Savepoint}, {ID: "x", Target: "x"}, {ID: "x", Kind: Savepoint, Target: "x", Drain: true}} {
		if _, err := r.Request(bad, r.now); err == nil {
			t.Errorf("%+v", bad)
		}
	}
	r.Halt("cancelled", r.now)
	if _, err := r.Request(Request{ID: "b", Kind: Savepoint, Target: "x"}, r.now); !errors.Is(err, ErrNotRunning) {
		t.Fatal(err)
	}
}

func TestStop(t *testing.T) {
	r := newRig(t, Settings{Interval: 10 * time.Second})
	out, err := r.Request(Request{ID: "a", Kind: Stop, Target: "file:///s"}, r.now)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, out, "Trigger")
	if _, err := r.Request(Request{ID: "b", Kind: Savepoint, Target: "x"}, r.now); err == nil || !strings.Contains(err.Error(), "being stopped") {
		t.Fatal(err)
	}
	r.at(30)
	expect(t, r.Tick(r.now)) // no other beside it
	out = r.all(1)
	expect(t, out, "Notify", "Answer")
	if n := find[Notify](t, out); !n.Stop || r.Stopped() == nil || r.Stopped().Manifest.Base != "file:///s" {
		t.Fatalf("%+v", n)
	}
	expect(t, r.Tick(r.now.Add(time.Hour)))
	// Its files are the savepoint's owner's.
	r.Halt("a task failed", r.now)
	if d := find[Delete](t, r.End(JobFinished, r.now)); len(d.Files) != 0 {
		t.Fatalf("%+v", d)
	}
}

func TestAStopThatFails(t *testing.T) {
	for _, drain := range []bool{false, true} {
		r := newRig(t, Settings{})
		if _, err := r.Request(Request{ID: "a", Kind: Stop, Target: "s", Drain: drain}, r.now); err != nil {
			t.Fatal(err)
		}
		out := r.Decline(r.ref(1), sink, 0, errors.New("no space"), r.now)
		if drain {
			expect(t, out, "NotifyAborted", "Discard", "Answer", "Fail") // event time has ended: there is no way on
		} else {
			expect(t, out, "NotifyAborted", "Discard", "Answer")
		}
		if n := find[NotifyAborted](t, out); n.Continue == drain {
			t.Fatalf("%+v", n)
		}
	}
}

func TestPublicationInDoubt(t *testing.T) {
	for _, there := range []bool{true, false} {
		r := newRig(t, Settings{Interval: 10 * time.Second, TolerableFailures: 5})
		r.at(10)
		r.Tick(r.now)
		r.ack(1, src0, src1, sink)
		r.Halt("a task failed", r.now)
		if _, ready := r.RestorePoint(); ready {
			t.Fatal("a publication is under way")
		}
		expect(t, r.Published(r.ref(1), Unknown, "", errors.New("timeout"), r.now), "Reopen")
		if _, ready := r.RestorePoint(); ready {
			t.Fatal("nobody knows")
		}
		var found []*Completed
		if there {
			found = []*Completed{{Ref: r.ref(1), Path: "p"}}
		}
		r.Reopened(found, r.now)
		if point, ready := r.RestorePoint(); !ready || (point != nil) != there {
			t.Fatalf("%+v, %v", point, ready)
		}
	}
}

func TestTasksThatEnd(t *testing.T) {
	r := newRig(t, Settings{Interval: 10 * time.Second})
	r.at(10)
	r.Tick(r.now)
	// The end of a source counts as its barrier.
	expect(t, r.Finished(src0, 0, r.now))
	expect(t, r.ack(1, src1, sink), "Publish")
	r.Published(r.ref(1), Published, "p", nil, r.now)
	point, _ := r.RestorePoint()
	if subs := point.Manifest.Operators[0].Subtasks; !subs[0].Finished || subs[1].Finished {
		t.Fatalf("%+v", subs)
	}
	// When both have ended the sink is told by the coordinator, also while one is on its way.
	r.at(20)
	if trigger := find[Trigger](t, r.Tick(r.now)); len(trigger.Tasks) != 1 || trigger.Tasks[0].Task != src1 {
		t.Fatalf("%+v", trigger)
	}
	if trigger := find[Trigger](t, r.Finished(src1, 0, r.now)); len(trigger.Tasks) != 1 || trigger.Tasks[0].Task != sink {
		t.Fatalf("%+v", trigger)
	}
	expect(t, r.ack(2, sink), "Publish")
	r.Published(r.ref(2), Published, "p", nil, r.now)
	// The last that waits gets its checkpoint at once.
	expect(t, r.Waiting(sink, 0, r.now), "Trigger")
}

// The outputs of sources that wait to commit have ended: no barrier comes by them, so their consumer is told.
func TestConsumersOfTasksThatWait(t *testing.T) {
	r := newRig(t, Settings{Interval: 10 * time.Second})
	expect(t, r.Waiting(src0, 0, r.now))
	r.at(10)
	if trigger := find[Trigger](t, r.Tick(r.now)); len(trigger.Tasks) != 2 {
		t.Fatalf("%+v: a source runs, whose barrier the sink waits for", trigger)
	}
	trigger := find[Trigger](t, r.Waiting(src1, 0, r.now)) // before it has heard of the checkpoint
	if len(trigger.Tasks) != 1 || trigger.Tasks[0].Task != sink || trigger.Ref != r.ref(1) {
		t.Fatalf("%+v: expected the sink to be told", trigger)
	}
	expect(t, r.all(1), "Notify")
	r.at(20)
	if trigger := find[Trigger](t, r.Tick(r.now)); len(trigger.Tasks) != 3 {
		t.Fatalf("%+v: expected all to be told", trigger)
	}
}

func TestCoordinatorTasksComeFirst(t *testing.T) {
	g := rigGraph
	g.Vertices = append(append([]Vertex(nil), g.Vertices...), Vertex{ID: "c", Parallelism: 1, MaxParallelism: 1, Coordinator: true})
	coord := Task{2, 0}
	c := New(Settings{Interval: time.Second, Timeout: time.Minute, NumRetained: 1}, Job{}, g, 1, 1, nil)
	now := time.Unix(0, 0)
	c.Run([]Member{{Task: src0}, {Task: src1}, {Task: sink}, {Task: coord}}, now)
	ack := func(t Task, ops ...manifest.Operator) []Action {
		return c.Acknowledge(Ack{Ref: Ref{1, 1}, Task: t, Operators: ops}, now)
	}
	now = now.Add(time.Second)
	if trigger := find[Trigger](t, c.Tick(now)); len(trigger.Tasks) != 1 || trigger.Tasks[0].Task != coord {
		t.Fatalf("%+v", trigger)
	}
	h := manifest.InlineHandle([]byte("enumerator"))
	if trigger := find[Trigger](t, ack(coord, manifest.Operator{ID: "src", Coordinator: &h})); len(trigger.Tasks) != 2 {
		t.Fatalf("%+v", trigger)
	}
	expect(t, ack(src0))
	expect(t, ack(src1), "Resume")
	m := find[Publish](t, ack(sink)).Manifest
	if op := m.Operators[0]; op.ID != "src" || op.Coordinator == nil || string(op.Coordinator.Inline) != "enumerator" || len(op.Subtasks) != 2 || len(m.Operators) != 2 {
		t.Fatalf("%+v", m.Operators)
	}
}

func TestSettings(t *testing.T) {
	s, err := SettingsOf(config.FromMap(map[string]string{"execution.checkpointing.interval": "1 min", "state.checkpoints.dir": "hdfs:///c", "state.savepoints.dir": "hdfs:///s",
		"state.checkpoints.num-retained": "3", "execution.checkpointing.mode": "at_least_once", "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
		"execution.savepoint.path": "hdfs:///s/1", "execution.savepoint-restore-mode": "CLAIM"}))
	want := Settings{Interval: time.Minute, Timeout: 10 * time.Minute, MaxConcurrent: 1, Mode: AtLeastOnce, Retention: RetainOnCancellation, NumRetained: 3, AfterTasksFinish: true,
		History: 10, Directory: "hdfs:///c", Savepoints: "hdfs:///s", Subdirectory: true, InlineBelow: 20 << 10, WriteBuffer: 1 << 20, RestorePath: "hdfs:///s/1", Claim: ClaimIt}
	if err != nil || s != want {
		t.Errorf("%v\n%+v\n%+v", err, s, want)
	}
	if _, err := SettingsOf(config.FromMap(map[string]string{"execution.checkpointing.interval": "5"})); err == nil || !strings.Contains(err.Error(), "expected 10ms or more") {
		t.Error(err)
	}
}
