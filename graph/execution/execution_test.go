package execution

import (
	"fmt"
	"strings"
	"testing"

	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/rpc/controlpb"
	"github.com/weft-project/weft/rpc/planpb"
)

var testJob = id.Job{1}

func vertex(name, group string, parallelism int32) *planpb.JobVertex {
	return &planpb.JobVertex{Id: id.VertexOf(name).String(), Name: name, Parallelism: parallelism, MaxParallelism: 128, SlotSharingGroup: group}
}

func edge(index uint32, from, to string, p planpb.Partitioner) *planpb.JobEdge {
	return &planpb.JobEdge{Index: index, Source: id.VertexOf(from).String(), Target: id.VertexOf(to).String(), Partitioner: p}
}

// sample has two slot sharing groups and a coordinator.
func sample() *planpb.JobGraph {
	c := vertex("coordinator", "default", 1)
	c.Kind = planpb.VertexKind_COORDINATOR
	return &planpb.JobGraph{Name: "sample",
		Vertices: []*planpb.JobVertex{vertex("source", "default", 2), vertex("heavy", "heavy", 2), vertex("sink", "default", 3), c},
		Edges: []*planpb.JobEdge{edge(0, "source", "heavy", planpb.Partitioner_FORWARD), edge(1, "heavy", "sink", planpb.Partitioner_HASH),
			edge(2, "source", "sink", planpb.Partitioner_RESCALE)}}
}

func newJob(t *testing.T, g *planpb.JobGraph) *Job {
	t.Helper()
	j, err := NewJob(testJob, g, 1000)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// TestJobStatusChanges holds the whole table: what is not listed is refused.
func TestJobStatusChanges(t *testing.T) {
	legal := map[string]string{
		"INITIALIZING": "CREATED CANCELLING FAILING",
		"CREATED":      "RUNNING CANCELLING FAILING",
		"RUNNING":      "FINISHED RESTARTING FAILING CANCELLING",
		"RESTARTING":   "RUNNING FAILING CANCELLING",
		"FAILING":      "FAILED CANCELLING",
		"CANCELLING":   "CANCELED",
	}
	for from, fromName := range planpb.JobStatus_name {
		for to, toName := range planpb.JobStatus_name {
			j := newJob(t, sample())
			j.Status = planpb.JobStatus(from)
			err := j.Move(planpb.JobStatus(to), 2000)
			want := strings.Contains(" "+legal[fromName]+" ", " "+toName+" ")
			switch {
			case want && (err != nil || j.Status != planpb.JobStatus(to) || j.Entered[planpb.JobStatus(to)] != 2000):
				t.Errorf("%s to %s: status %s, entered %v, error %v", fromName, toName, j.Status, j.Entered, err)
			case !want && (err == nil || err.Error() != fmt.Sprintf("a job does not go from %s to %s", fromName, toName)):
				t.Errorf("%s to %s: error %v", fromName, toName, err)
			case !want && (j.Status != planpb.JobStatus(from) || j.Entered[planpb.JobStatus(to)] == 2000):
				t.Errorf("%s to %s was refused and has left its mark", fromName, toName)
			}
		}
		ended := fromName == "FINISHED" || fromName == "FAILED" || fromName == "CANCELED"
		if Ended(planpb.JobStatus(from)) != ended {
			t.Errorf("%s ended: %t", fromName, !ended)
		}
		if ended && legal[fromName] != "" {
			t.Errorf("a job leaves %s", fromName)
		}
	}
}

// TestTaskStateChanges holds the whole table: a task goes forward only and leaves no end.
func TestTaskStateChanges(t *testing.T) {
	ends := "FINISHED CANCELED FAILED"
	legal := map[string]string{
		"CREATED":      "SCHEDULED DEPLOYING INITIALIZING RUNNING CANCELING " + ends,
		"SCHEDULED":    "DEPLOYING INITIALIZING RUNNING CANCELING " + ends,
		"DEPLOYING":    "INITIALIZING RUNNING CANCELING " + ends,
		"INITIALIZING": "RUNNING CANCELING " + ends,
		"RUNNING":      "CANCELING " + ends,
		"CANCELING":    ends,
	}
	name := func(s string) string { return strings.TrimPrefix(s, "STATE_") }
	for from, fromName := range controlpb.ExecutionState_name {
		if name(fromName) == "RECONCILING" {
			continue // no attempt is put into it yet
		}
		for to, toName := range controlpb.ExecutionState_name {
			a := &Attempt{State: controlpb.ExecutionState(from), Entered: map[controlpb.ExecutionState]int64{}}
			want := strings.Contains(" "+legal[name(fromName)]+" ", " "+name(toName)+" ")
			got := a.Set(controlpb.ExecutionState(to), 5)
			moved := a.State == controlpb.ExecutionState(to) && a.Entered[controlpb.ExecutionState(to)] == 5
			if got != want || moved != want {
				t.Errorf("%s to %s: %t, expected %t; state %s, entered %v", fromName, toName, got, want, a.State, a.Entered)
			}
		}
		if TaskEnded(controlpb.ExecutionState(from)) != strings.Contains(ends, name(fromName)) {
			t.Errorf("%s ended: %t", fromName, TaskEnded(controlpb.ExecutionState(from)))
		}
	}
}

func TestBadGraphsAreRefused(t *testing.T) {
	tests := []struct {
		change func(g *planpb.JobGraph)
		want   string
	}{
		{func(g *planpb.JobGraph) { g.Vertices, g.Edges = nil, nil }, "the job graph has no vertices"},
		{func(g *planpb.JobGraph) { g.Vertices[0].Id = "x" }, `vertex id "x": expected 32 hexadecimal digits`},
		{func(g *planpb.JobGraph) { g.Vertices[0].Parallelism = 0 }, `vertex "source": parallelism 0: expected 1 to 32768`},
		{func(g *planpb.JobGraph) { g.Vertices[0].Parallelism = 1<<15 + 1 }, `vertex "source": parallelism 32769: expected 1 to 32768`},
		{func(g *planpb.JobGraph) { g.Vertices[1].Id = g.Vertices[0].Id }, "stands twice in the graph"},
		{func(g *planpb.JobGraph) { g.Edges[1].Source = id.VertexOf("unknown").String() }, "edge 1: its index or one of its vertices is not in the graph"},
		{func(g *planpb.JobGraph) { g.Edges[2].Index = 7 }, "edge 2: its index or one of its vertices is not in the graph"},
		{func(g *planpb.JobGraph) { g.Vertices[0].Parallelism = 5 }, "edge 0: forward between parallelism 5 and 2"},
	}
	for _, tt := range tests {
		g := sample()
		tt.change(g)
		if j, err := NewJob(testJob, g, 0); err == nil || !strings.Contains(err.Error(), tt.want) || j != nil {
			t.Errorf("error %v, expected one that says %q", err, tt.want)
		}
	}
}

// Each slot sharing group needs its highest parallelism; subtask i of all its vertices goes into its i-th slot.
func TestSlots(t *testing.T) {
	j := newJob(t, sample())
	if j.Slots() != 5 || j.Finished() {
		t.Errorf("%d slots, expected 5; finished before it began: %t", j.Slots(), j.Finished())
	}
	j.Begin(0, 2000)
	var got []string
	j.Each(func(a *Attempt) {
		got = append(got, fmt.Sprintf("%s/%d@%d", a.Vertex.GetName(), a.Subtask, a.Slot))
		if a.State != controlpb.ExecutionState_STATE_SCHEDULED || a.Entered[a.State] != 2000 {
			t.Errorf("%s: state %s, entered %v", a.Vertex.GetName(), a.State, a.Entered)
		}
	})
	if want := "[source/0@0 source/1@1 heavy/0@3 heavy/1@4 sink/0@0 sink/1@1 sink/2@2 coordinator/0@0]"; fmt.Sprint(got) != want {
		t.Errorf("placed %v, expected %s", got, want)
	}
}

// A message of an earlier attempt, another vertex or no subtask finds nothing (F2).
func TestFind(t *testing.T) {
	j := newJob(t, sample())
	j.Begin(0, 1)
	j.Begin(1, 2)
	source := id.VertexOf("source").String()
	tests := []struct {
		a    *controlpb.AttemptId
		want bool
	}{
		{&controlpb.AttemptId{VertexId: source, Subtask: 1, Attempt: 1}, true},
		{&controlpb.AttemptId{VertexId: source, Subtask: 1, Attempt: 0}, false},
		{&controlpb.AttemptId{VertexId: source, Subtask: 1, Attempt: 2}, false},
		{&controlpb.AttemptId{VertexId: source, Subtask: 2, Attempt: 1}, false},
		{&controlpb.AttemptId{VertexId: source, Subtask: -1, Attempt: 1}, false},
		{&controlpb.AttemptId{VertexId: "unknown", Attempt: 1}, false},
		{nil, false},
	}
	for _, tt := range tests {
		if got := j.Find(tt.a); (got != nil) != tt.want {
			t.Errorf("%v: found %v", tt.a, got)
		}
	}
	if len(j.Earlier[source]) != 2 || j.Earlier[source][0].Number != 0 {
		t.Errorf("earlier attempts: %v", j.Earlier[source])
	}
	for n := 2; n < 100; n++ {
		j.Begin(n, int64(n))
	}
	if n := len(j.Earlier[source]); n != maxEarlier || j.Earlier[source][n-1].Number != 98 {
		t.Errorf("%d earlier attempts are kept, expected the last %d", n, maxEarlier)
	}
}

func TestFinished(t *testing.T) {
	j := newJob(t, sample())
	j.Begin(0, 1)
	var all []*Attempt
	j.Each(func(a *Attempt) { all = append(all, a) })
	for i, a := range all {
		if j.Finished() {
			t.Errorf("finished after %d of %d tasks", i, len(all))
		}
		a.Set(controlpb.ExecutionState_STATE_FINISHED, 2)
	}
	if !j.Finished() {
		t.Error("all tasks have finished and the job has not")
	}
}

// The descriptors of both ends of an edge name the same channels, at the addresses of the slots.
func TestDeployment(t *testing.T) {
	j := newJob(t, sample())
	j.Begin(3, 1)
	tasks, coordinator, address := j.Deployment(func(slot int) Placement { return Placement{Index: slot % 2, Address: fmt.Sprint("worker", slot/2)} })
	if address != "worker0" || coordinator.GetVertexId() != id.VertexOf("coordinator").String() || coordinator.GetAttempt() != 3 {
		t.Errorf("coordinator %v at %q", coordinator, address)
	}
	where, outs, ins := map[string]string{}, map[string]bool{}, map[string]bool{}
	n := 0
	for slot, list := range tasks {
		for _, task := range list {
			n++
			where[name(task.GetId())] = fmt.Sprint("worker", slot/2)
			if task.GetSlot() != int32(slot%2) || task.GetId().GetJobId() != testJob.String() || task.GetMaxParallelism() != 128 {
				t.Errorf("slot %d: %v", slot, task)
			}
			for _, out := range task.GetOutputs() {
				for sub, c := range out.GetConsumers() {
					outs[fmt.Sprint(out.GetEdge(), name(task.GetId()), name(c), sub)] = true
				}
			}
		}
	}
	for _, list := range tasks {
		for _, task := range list {
			for _, in := range task.GetInputs() {
				for _, ch := range in.GetChannels() {
					ins[fmt.Sprint(in.GetEdge(), name(ch.GetProducer()), name(task.GetId()), ch.GetSubpartition())] = true
					if ch.GetAddress() != where[name(ch.GetProducer())] {
						t.Errorf("channel of %s is sought at %s, it is at %s", name(ch.GetProducer()), ch.GetAddress(), where[name(ch.GetProducer())])
					}
				}
			}
		}
	}
	if n != 8 || len(ins) != 2+6+3 || fmt.Sprint(ins) != fmt.Sprint(outs) {
		t.Errorf("%d tasks; channels out %v\nand in %v", n, outs, ins)
	}
}

func name(a *controlpb.AttemptId) string {
	return fmt.Sprintf("%.6s/%d.%d", a.GetVertexId(), a.GetSubtask(), a.GetAttempt())
}
