package worker_test

import (
	"testing"

	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/network"
	"github.com/weft-project/weft/operator"
	"github.com/weft-project/weft/rpc/controlpb"
	"github.com/weft-project/weft/rpc/planpb"
	"github.com/weft-project/weft/taskexec/worker"
)

// empty is a source without records.
type empty struct{ operator.Base }

func (empty) Poll() (operator.Status, error) { return operator.End, nil }
func (empty) Wake() <-chan struct{}          { return nil }

// The subtasks of a vertex share the worker's memory: what each may fill is its part, not all of it.
func TestSubtasksShareMemory(t *testing.T) {
	const subtasks, memory = 4, 64 << 20
	job, vertex := id.NewJob(), id.VertexOf("source").String()
	budgets := make(chan int64, subtasks)
	node := &operator.Node{ID: vertex, Name: "source", Factory: func(c *operator.Context, _ int, _ any) (operator.Instance, error) {
		budgets <- c.Memory
		return operator.Instance{Operator: empty{}}, nil
	}}
	p := &operator.Program{Graph: &planpb.JobGraph{Vertices: []*planpb.JobVertex{{Id: vertex, Name: "source", Parallelism: subtasks}}},
		Vertices: map[string]*operator.Vertex{vertex: {Root: node}}}
	m, err := network.NewManager(network.Config{Job: job, Log: logTo(t)})
	if err != nil {
		t.Fatal(err)
	}
	states := make(chan *controlpb.TaskState, 8*subtasks)
	r := worker.NewRuntime(worker.Config{Job: job, Program: p, Manager: m, Files: localFiles(), Log: logTo(t), Memory: memory,
		Report: func(s *controlpb.TaskState) { states <- s }})
	d := &controlpb.Deploy{JobId: job.String()}
	for i := range int32(subtasks) {
		d.Tasks = append(d.Tasks, &controlpb.TaskDeployment{Id: &controlpb.AttemptId{JobId: job.String(), VertexId: vertex, Subtask: i}, Parallelism: subtasks})
	}
	if err := r.Deploy(d); err != nil {
		t.Fatal(err)
	}
	for range subtasks {
		if got := <-budgets; got != memory/subtasks {
			t.Errorf("a subtask may use %d bytes, expected %d", got, memory/subtasks)
		}
	}
	r.Close()
	if err := m.Close(); err != nil {
		t.Error(err)
	}
}
