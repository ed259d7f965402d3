package jobmanager_test

import (
	"testing"

	"github.com/weft-project/weft/rpc/controlpb"
	"github.com/weft-project/weft/rpc/planpb"
)

// The readers of a blocking exchange are deployed when its writers have finished, to the workers that hold its data.
func TestNextStageWhenInputsAreComplete(t *testing.T) {
	c := start(t, 2, nil)
	a, b := c.tm("a", 1), c.tm("b", 1)
	g := graph(2)
	for _, e := range g.GetEdges() {
		e.Exchange = planpb.ExchangeMode_BLOCKING
	}
	job := c.submit(submission(g))
	sa, sb := a.startWorker(), b.startWorker()
	a.ready(sa)
	b.ready(sb)
	first := map[*fakeTM][]*controlpb.AttemptId{a: ids(a.deployed()), b: ids(b.deployed())}
	if len(first[a]) != 1 || len(first[b]) != 1 || first[a][0].GetVertexId() != first[b][0].GetVertexId() {
		t.Fatalf("the first stage is %v", first)
	}
	a.tasks(1, controlpb.ExecutionState_STATE_FINISHED, nil, nil, first[a]...)
	a.acknowledged(1)
	b.tasks(1, controlpb.ExecutionState_STATE_FINISHED, nil, nil, first[b]...)
	for tm, seq := range map[*fakeTM]uint64{a: 2, b: 2} {
		d := tm.deployed()
		if len(d.GetTasks()) != 1 || d.GetTasks()[0].GetId().GetVertexId() == first[tm][0].GetVertexId() ||
			len(d.GetTasks()[0].GetInputs()[0].GetChannels()) != 2 {
			t.Fatalf("the second stage on %s is %v", tm.id, d)
		}
		tm.tasks(seq, controlpb.ExecutionState_STATE_FINISHED, nil, nil, ids(d)...)
	}
	c.await(job, planpb.JobStatus_FINISHED)
}

// A worker that is lost takes the data with it that its tasks have written: they run again.
func TestLossOfStoredOutputRestartsItsProducers(t *testing.T) {
	c := start(t, 2, nil)
	a := c.tm("a", 2)
	g := graph(2)
	for _, e := range g.GetEdges() {
		e.Exchange = planpb.ExchangeMode_BLOCKING
	}
	job := c.submit(submission(g))
	s := a.startWorker()
	a.ready(s)
	first := a.deployed()
	a.tasks(1, controlpb.ExecutionState_STATE_FINISHED, nil, nil, ids(first)...)
	second := a.deployed()
	a.acknowledged(1)
	a.exited(s, &planpb.Failure{Domain: planpb.FailureDomain_EXTERNAL, Message: "killed"})
	s = a.startWorker()
	if s.GetJobAttempt() != 1 {
		t.Fatalf("attempt %d of the job", s.GetJobAttempt())
	}
	a.ready(s)
	again := a.deployed()
	for i, td := range again.GetTasks() {
		if td.GetId().GetVertexId() != first.GetTasks()[i].GetId().GetVertexId() || td.GetId().GetAttempt() != 1 {
			t.Errorf("deployed again: %v", td.GetId())
		}
	}
	a.tasks(2, controlpb.ExecutionState_STATE_FINISHED, nil, nil, ids(again)...)
	last := a.deployed()
	a.acknowledged(2)
	if len(last.GetTasks()) != len(second.GetTasks()) {
		t.Fatalf("the second stage is %v", last)
	}
	a.tasks(3, controlpb.ExecutionState_STATE_FINISHED, nil, nil, ids(last)...)
	c.await(job, planpb.JobStatus_FINISHED)
}
