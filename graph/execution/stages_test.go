package execution

import (
	"testing"

	"github.com/weft-project/weft/rpc/controlpb"
	"github.com/weft-project/weft/rpc/planpb"
)

// staged has two stages: source and map with a group of its own, then a sink in yet another group; slots are used again.
func staged() *planpb.JobGraph {
	c := vertex("coordinator", "default", 1)
	c.Kind = planpb.VertexKind_COORDINATOR
	g := &planpb.JobGraph{Name: "staged",
		Vertices: []*planpb.JobVertex{vertex("source", "default", 2), vertex("map", "heavy", 2), vertex("sink", "last", 3), c},
		Edges:    []*planpb.JobEdge{edge(0, "source", "map", planpb.Partitioner_FORWARD), edge(1, "map", "sink", planpb.Partitioner_HASH)}}
	g.Edges[1].Exchange = planpb.ExchangeMode_BLOCKING
	return g
}

func TestStagesAreDeployedOneAfterTheOther(t *testing.T) {
	j := newJob(t, staged())
	if j.Slots() != 4 || j.Stages != 2 {
		t.Fatalf("%d slots, %d stages: expected 4 and 2", j.Slots(), j.Stages)
	}
	where := func(slot int) Placement { return Placement{Index: slot, Address: "w"} }
	deployed := func() map[string]int {
		n := map[string]int{}
		tasks, coordinator, address := j.Deployment(where)
		if coordinator == nil || address != "w" {
			t.Errorf("stage %d: coordinator %v at %q", j.Stage, coordinator, address)
		}
		for slot, list := range tasks {
			for _, td := range list {
				if int(td.GetSlot()) != slot {
					t.Errorf("a task of slot %d is in slot %d", td.GetSlot(), slot)
				}
				for _, v := range j.Graph.GetVertices() {
					if v.GetId() == td.GetId().GetVertexId() {
						n[v.GetName()]++
					}
				}
			}
		}
		return n
	}
	for round := range 2 { // a restart begins with the first stage
		j.Begin(round, 2000)
		if n := deployed(); n["source"] != 2 || n["map"] != 2 || n["coordinator"] != 1 || len(n) != 3 {
			t.Fatalf("round %d, first stage: %v", round, n)
		}
		left := 4
		j.Each(func(a *Attempt) {
			if a.Stage != 0 || a.Vertex.GetKind() == planpb.VertexKind_COORDINATOR {
				return
			}
			if j.NextStage() {
				t.Errorf("round %d: the next stage with %d tasks left", round, left)
			}
			a.Set(controlpb.ExecutionState_STATE_FINISHED, 2500)
			left--
		})
		if left != 0 || !j.NextStage() || j.NextStage() {
			t.Fatalf("round %d: the second stage does not begin once, %d tasks are left", round, left)
		}
		if n := deployed(); n["sink"] != 3 || len(n) != 1 {
			t.Fatalf("round %d, second stage: %v", round, n)
		}
	}
	g := staged()
	g.Edges = append(g.Edges, edge(2, "source", "sink", planpb.Partitioner_REBALANCE))
	if _, err := NewJob(testJob, g, 0); err == nil {
		t.Error("a graph whose readers wait for each other is taken")
	}
}
