package jobmanager_test

import (
	"testing"

	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/rest"
	"github.com/weft-project/weft/rpc/controlpb"
)

// The figures of a task's last report stay: heartbeats after it may carry older ones.
func TestFinalMetricsStay(t *testing.T) {
	c := start(t, 1, nil)
	tm := c.tm("a", 1)
	job := c.run(1)
	_, tasks := up(tm)
	source := tasks[0][0]
	beat := func(n int64) {
		tm.beat(&controlpb.Heartbeat{Metrics: []*controlpb.TaskMetrics{{Attempt: source, RecordsOut: n}}})
	}
	out := func() string {
		t.Helper()
		list, err := c.backend.Metrics(t.Context(), rest.MetricScope{Kind: rest.ScopeSubtask, Job: job, Vertex: id.VertexOf("source"), Subtask: 0})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range list {
			if m.ID == "numRecordsOut" {
				return m.Value
			}
		}
		t.Fatalf("no numRecordsOut in %v", list)
		return ""
	}
	beat(5)
	if got := out(); got != "5" {
		t.Errorf("%s records while the task runs, expected 5", got)
	}
	tm.send(&controlpb.FromTaskManager{Kind: &controlpb.FromTaskManager_Tasks{Tasks: &controlpb.TaskStates{Sequence: 1, Tasks: []*controlpb.TaskState{
		{Id: source, State: controlpb.ExecutionState_STATE_FINISHED, Metrics: &controlpb.TaskMetrics{Attempt: source, RecordsOut: 9}}}}}})
	tm.acknowledged(1)
	beat(7)
	if got := out(); got != "9" {
		t.Errorf("%s records after the task's end, expected 9", got)
	}
}
