package jobview

import (
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/rest"
	"github.com/weft-project/weft/rpc/controlpb"
	"github.com/weft-project/weft/rpc/planpb"
)

const (
	created   = controlpb.ExecutionState_STATE_CREATED
	deploying = controlpb.ExecutionState_STATE_DEPLOYING
	running   = controlpb.ExecutionState_STATE_RUNNING
	finished  = controlpb.ExecutionState_STATE_FINISHED
	failed    = controlpb.ExecutionState_STATE_FAILED
)

var (
	source = id.VertexOf("source")
	sink   = id.VertexOf("sink")
	coord  = id.VertexOf("coordinator")
)

func counter(n int64) []*planpb.Accumulator {
	return []*planpb.Accumulator{{Name: "words", Type: "LongCounter", LongValue: n, Value: "?"}}
}

func sample() *Job {
	return &Job{
		ID: id.Job{1},
		Graph: &planpb.JobGraph{Name: "wordcount", Bounded: true, Mode: planpb.RuntimeMode_STREAMING,
			Vertices: []*planpb.JobVertex{
				{Id: source.String(), Name: "Source: text -> split", Parallelism: 2, MaxParallelism: 128, IsSource: true, Operators: []*planpb.ChainedOperator{{Name: "Source: text"}, {Name: "split <ü>"}, {Kind: "map"}}},
				{Id: sink.String(), Name: "Sink: files", Parallelism: 1, MaxParallelism: 128},
				{Id: coord.String(), Name: "coordinator", Parallelism: 1, Kind: planpb.VertexKind_COORDINATOR},
			},
			Edges: []*planpb.JobEdge{
				{Source: source.String(), Target: sink.String(), Partitioner: planpb.Partitioner_HASH},
				{Source: coord.String(), Target: sink.String()},
			}},
		Status: planpb.JobStatus_RUNNING, Entered: map[planpb.JobStatus]int64{planpb.JobStatus_CREATED: 1001, planpb.JobStatus_RUNNING: 1005},
		Start: 1000, Restarts: 1, RestartStrategy: "none", Config: map[string]string{"a": "b"}, SlotsNeeded: 2, SlotsHeld: 1,
		Vertices: map[string]Vertex{
			source.String(): {
				Current: []Attempt{
					{Subtask: 1, Number: 1, State: running, Entered: map[controlpb.ExecutionState]int64{created: 1002, deploying: 1010, running: 1020}, Host: "n2", Endpoint: "n2:9", TaskManager: "tm2",
						Metrics: &controlpb.TaskMetrics{RecordsOut: 70, BytesOut: 700, RemoteBytesOut: 300, BusyMs: 9, Watermark: math.MinInt64}, Accumulators: counter(7)},
					{Subtask: 0, Number: 1, State: finished, Entered: map[controlpb.ExecutionState]int64{created: 1002, deploying: 1012, running: 1030, finished: 1500}, Host: "n1", Endpoint: "n1:9", TaskManager: "tm1",
						Metrics: &controlpb.TaskMetrics{RecordsOut: 30, BytesOut: 300, Watermark: 5}, Accumulators: counter(3)},
				},
				Earlier: []Attempt{{Subtask: 1, State: failed, Entered: map[controlpb.ExecutionState]int64{deploying: 1003, failed: 1004}, Host: "n2", Failure: &planpb.Failure{Message: "gone"}}},
			},
			sink.String(): {Current: []Attempt{{State: created, Entered: map[controlpb.ExecutionState]int64{created: 1002}}}},
		},
		Failures: []*planpb.Failure{
			{Domain: planpb.FailureDomain_USER, Message: "bad number", Operator: "split", VertexId: source.String(), Subtask: 1, Attempt: 2, Host: "n2", TaskmanagerId: "tm2", Stack: "main.go:3", TimestampMs: 1900},
			{Domain: planpb.FailureDomain_EXTERNAL, Message: "no slots", TimestampMs: 1004},
		},
	}
}

func TestSummaryAndDetails(t *testing.T) {
	j := sample()
	s := Summary(j, 2000)
	want := rest.JobSummary{ID: j.ID.String(), Name: "wordcount", StartTime: 1000, EndTime: -1, Duration: 1000, State: "RUNNING", LastModification: 1500, Tasks: rest.JobTasks{Running: 1, Finished: 1, Created: 1, Total: 3}}
	if s != want {
		t.Errorf("%+v", s)
	}
	d := Details(j, 2000)
	if len(d.Vertices) != 2 || d.Timestamps["RUNNING"] != 1005 || d.Timestamps["FAILED"] != 0 || d.Type != "STREAMING" || d.StatusCounts["RUNNING"] != 1 || d.StatusCounts["CREATED"] != 1 {
		t.Errorf("%+v", d)
	}
	if got := d.Accumulators; len(got) != 1 || got[0].Value != "10" {
		t.Errorf("%+v", got)
	}
	v := d.Vertices[0]
	if v.Status != "RUNNING" || v.StartTime != 1010 || v.EndTime != -1 || v.Duration != 990 || v.Metrics.WriteRecords != 100 || !v.Metrics.WriteRecordsComplete || v.Tasks["FINISHED"] != 1 {
		t.Errorf("%+v", v)
	}
	if _, out := v.Metrics.Remote(); out != 300 {
		t.Errorf("remote bytes %d", out)
	}
	v = d.Vertices[1]
	if v.Status != "CREATED" || v.StartTime != -1 || v.EndTime != -1 || v.Duration != -1 || v.Metrics.ReadRecordsComplete {
		t.Errorf("%+v", v)
	}
	j.Status, j.End = planpb.JobStatus_FINISHED, 1600
	if s := Summary(j, 9999); s.EndTime != 1600 || s.Duration != 600 {
		t.Errorf("%+v", s)
	}
}

func TestPlan(t *testing.T) {
	p := Plan(sample())
	if len(p.Nodes) != 2 || p.Nodes[0].ID != sink.String() || p.Nodes[0].Description != "Sink: files<br/>" {
		t.Fatalf("%+v", p.Nodes)
	}
	if want := []rest.PlanInput{{ID: source.String(), ShipStrategy: "HASH", Exchange: "pipelined_bounded"}}; !reflect.DeepEqual(p.Nodes[0].Inputs, want) {
		t.Errorf("%+v", p.Nodes[0].Inputs)
	}
	if want := "Source: text<br/>+- split &lt;ü&gt;<br/>   +- map<br/>"; p.Nodes[1].Description != want {
		t.Errorf("%s", p.Nodes[1].Description)
	}
	j := sample()
	j.Graph.Mode = planpb.RuntimeMode_AUTOMATIC
	if p := Plan(j); p.Type != "BATCH" {
		t.Errorf("%s", p.Type)
	}
}

func TestVertex(t *testing.T) {
	j := sample()
	d, err := VertexDetails(j, source, 2000)
	if err != nil || len(d.Subtasks) != 2 || len(d.Earlier) != 1 || d.Accumulators[0].Value != "10" {
		t.Fatalf("%+v %v", d, err)
	}
	if s := d.Subtasks[0]; s.Subtask != 0 || s.Status != "FINISHED" || s.EndTime != 1500 || s.Duration != 488 || s.Timestamps["DEPLOYING"] != 1012 || s.TaskManagerID != "tm1" {
		t.Errorf("%+v", s)
	}
	if s := d.Earlier[0]; s.Failure != "gone" || s.Status != "FAILED" || s.Duration != 1 {
		t.Errorf("%+v", s)
	}
	d, err = VertexDetails(j, sink, 2000)
	if err != nil || d.Subtasks[0].Host != unassigned || d.Subtasks[0].StartTime != -1 || d.Subtasks[0].Duration != -1 {
		t.Errorf("%+v %v", d, err)
	}
	for _, v := range []id.Vertex{coord, {}} {
		if _, err := VertexDetails(j, v, 2000); !rest.IsNotFound(err) {
			t.Errorf("%s: %v", v, err)
		}
	}
}

func TestMetrics(t *testing.T) {
	j := sample()
	text := func(list []rest.Metric) string {
		var b strings.Builder
		for _, m := range list {
			b.WriteString(m.ID + "=" + m.Value + " ")
		}
		return b.String()
	}
	all, err := VertexMetrics(j, source, 2000)
	if got := text(all); err != nil || !strings.Contains(got, "1.numRecordsOut=70 ") || !strings.Contains(got, "0.currentInputWatermark=5 ") || strings.Contains(got, "1.currentInputWatermark") || !strings.Contains(got, "1.numBytesOutRemote=300 ") {
		t.Errorf("%s %v", got, err)
	}
	one, err := SubtaskMetrics(j, source, 0, 2000)
	if err != nil || !strings.Contains(text(one), "numRecordsOut=30 ") {
		t.Errorf("%s %v", text(one), err)
	}
	if none, err := SubtaskMetrics(j, sink, 0, 2000); err != nil || len(none) != 0 {
		t.Errorf("%v %v", none, err)
	}
	if _, err := SubtaskMetrics(j, source, 2, 2000); !rest.IsNotFound(err) {
		t.Error(err)
	}
	if got := text(JobMetrics(j, 2000)); got != "uptime=995 downtime=0 numRestarts=1 fullRestarts=1 "+
		"initializingTime=0 createdTime=0 runningTime=995 restartingTime=0 failingTime=0 cancellingTime=0 " {
		t.Error(got)
	}
	j.Status = planpb.JobStatus_FAILED
	if got := text(JobMetrics(j, 2000)); !strings.HasPrefix(got, "uptime=-1 ") {
		t.Error(got)
	}
}

func TestExceptions(t *testing.T) {
	e := Exceptions(sample())
	if e.Root == nil || *e.Root != "operator split: bad number\nmain.go:3" || *e.Timestamp != 1900 || len(e.All) != 1 || len(e.History.Entries) != 2 {
		t.Fatalf("%+v", e)
	}
	first, second := e.History.Entries[0], e.History.Entries[1]
	if first.Name != "UserError" || *first.TaskName != "Source: text -> split (2/2) - execution #2" || *first.Location != "n2" || *first.TaskManagerID != "tm2" || first.Labels["TYPE"] != "USER" {
		t.Errorf("%+v", first)
	}
	if second.Name != "ExternalError" || second.TaskName != nil || second.Location != nil || second.Labels["TYPE"] != "SYSTEM" {
		t.Errorf("%+v", second)
	}
	if e := Exceptions(&Job{}); e.Root != nil || e.Timestamp != nil {
		t.Errorf("%+v", e)
	}
}

func TestProgressAndConfig(t *testing.T) {
	j := sample()
	p := Progress(j, 2000)
	if p.TasksTotal != 3 || p.TasksRunning != 1 || p.TasksFinished != 1 || p.RecordsIn != 100 || p.RecordsOut != 0 || p.Restarts != 1 || p.SlotsNeeded != 2 || p.SlotsHeld != 1 || p.RuntimeMs != 1000 {
		t.Errorf("%v", p)
	}
	c := Config(j)
	if c.Execution.Mode != "PIPELINED" || c.Execution.Parallelism != 2 || c.Execution.UserConfig["a"] != "b" {
		t.Errorf("%+v", c)
	}
	c.Execution.UserConfig["a"] = "changed"
	if j.Config["a"] != "b" {
		t.Error("the document shares the job's map")
	}
}

func TestMerge(t *testing.T) {
	got := Merge([]*planpb.Accumulator{
		{Name: "b", Type: "DoubleCounter", DoubleValue: 0.5, Value: "0.5"}, {Name: "a", Type: "IntCounter", LongValue: 1, Value: "1"}, {Name: "b", Type: "DoubleCounter", DoubleValue: 1, Value: "1"},
		{Name: "a", Type: "IntCounter", LongValue: 2, Value: "2"}, {Name: "c", Type: "String", Value: "x"}, {Name: "c", Type: "String", Value: "y"},
	})
	if len(got) != 3 || got[0].Value != "3" || got[1].Value != "1.5" || got[2].Value != "y" {
		t.Errorf("%v", got)
	}
}
