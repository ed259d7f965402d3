package execution

import (
	"fmt"

	"github.com/weft-project/weft/graph/topology"
	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/rpc/controlpb"
	"github.com/weft-project/weft/rpc/planpb"
)

// Attempt is one execution of a subtask. Times are milliseconds since 1970.
type Attempt struct {
	Vertex          *planpb.JobVertex
	Subtask, Number int
	// Slot is the index into the job's slots; Stage when it is deployed (Job.Stage).
	Slot, Stage  int
	State        controlpb.ExecutionState
	Entered      map[controlpb.ExecutionState]int64
	Metrics      *controlpb.TaskMetrics
	Accumulators []*planpb.Accumulator
	Failure      *planpb.Failure
	// Where it runs, for people.
	Host, Endpoint, TaskManager string
}

// Job is the execution of one JobGraph.
type Job struct {
	ID      id.Job
	Graph   *planpb.JobGraph
	Status  planpb.JobStatus
	Entered map[planpb.JobStatus]int64
	// Number counts the job's attempts from 0; it is the number of every task attempt too, because the whole job restarts.
	Number int
	// Stage is what runs now of Stages: the tasks of one are deployed when those of the one before have finished. A job without
	// blocking exchanges has one.
	Stage, Stages int
	Current       map[string][]*Attempt
	Earlier       map[string][]*Attempt
	slots         int
	stage         map[string]int // of vertices
	first         map[place]int  // the first slot
}

// place is a slot sharing group in one stage: stages use the same slots, one after the other.
type place struct {
	stage int
	group string
}

// maxEarlier bounds the earlier attempts kept of a subtask's vertex.
const maxEarlier = 64

// NewJob checks a graph and starts its execution in INITIALIZING.
func NewJob(job id.Job, g *planpb.JobGraph, now int64) (*Job, error) {
	j := &Job{ID: job, Graph: g, Status: planpb.JobStatus_INITIALIZING, Entered: map[planpb.JobStatus]int64{planpb.JobStatus_INITIALIZING: now},
		Current: map[string][]*Attempt{}, Earlier: map[string][]*Attempt{}, first: map[place]int{}}
	parallelism := map[string]int{}
	for _, v := range g.GetVertices() {
		if _, err := id.ParseVertex(v.GetId()); err != nil {
			return nil, err
		}
		if v.GetParallelism() < 1 || v.GetParallelism() > 1<<15 {
			return nil, fmt.Errorf("vertex %q: parallelism %d: expected 1 to 32768", v.GetName(), v.GetParallelism())
		}
		if _, twice := parallelism[v.GetId()]; twice {
			return nil, fmt.Errorf("vertex id %s stands twice in the graph", v.GetId())
		}
		parallelism[v.GetId()] = int(v.GetParallelism())
	}
	if len(parallelism) == 0 {
		return nil, fmt.Errorf("the job graph has no vertices")
	}
	for i, e := range g.GetEdges() {
		up, okUp := parallelism[e.GetSource()]
		down, okDown := parallelism[e.GetTarget()]
		if !okUp || !okDown || int(e.GetIndex()) != i {
			return nil, fmt.Errorf("edge %d: its index or one of its vertices is not in the graph", i)
		}
		if e.GetPartitioner() == planpb.Partitioner_FORWARD && up != down {
			return nil, fmt.Errorf("edge %d: forward between parallelism %d and %d", i, up, down)
		}
	}
	return j, j.place()
}

// place deals out stages and slots.
func (j *Job) place() error {
	var ok bool
	if j.stage, j.Stages, ok = topology.Stages(j.Graph); !ok {
		return fmt.Errorf("the job graph has blocking edges whose readers wait for each other")
	}
	groups := map[place]int{}
	var order []place
	for _, v := range j.Graph.GetVertices() {
		p := place{j.stage[v.GetId()], v.GetSlotSharingGroup()}
		if _, known := groups[p]; !known {
			order = append(order, p)
		}
		groups[p] = max(groups[p], int(v.GetParallelism()))
	}
	used := make([]int, j.Stages)
	for _, p := range order {
		j.first[p] = used[p.stage]
		used[p.stage] += groups[p]
		j.slots = max(j.slots, used[p.stage])
	}
	return nil
}

// Slots is how many slots the job needs: for each slot sharing group its highest parallelism, in the stage that needs most.
func (j *Job) Slots() int { return j.slots }

// Move changes the job's status.
func (j *Job) Move(to planpb.JobStatus, now int64) error {
	if err := jobMove(j.Status, to); err != nil {
		return err
	}
	j.Status = to
	j.Entered[to] = now
	return nil
}

// Begin makes the attempts of the job's attempt with that number, all SCHEDULED.
func (j *Job) Begin(number int, now int64) {
	for v, attempts := range j.Current {
		keep := append(j.Earlier[v], attempts...)
		j.Earlier[v] = keep[max(0, len(keep)-maxEarlier):]
	}
	j.Number, j.Stage = number, 0
	for _, v := range j.Graph.GetVertices() {
		list := make([]*Attempt, v.GetParallelism())
		stage := j.stage[v.GetId()]
		for i := range list {
			list[i] = &Attempt{Vertex: v, Subtask: i, Number: number, Slot: j.first[place{stage, v.GetSlotSharingGroup()}] + i, Stage: stage,
				State: controlpb.ExecutionState_STATE_SCHEDULED, Entered: map[controlpb.ExecutionState]int64{controlpb.ExecutionState_STATE_SCHEDULED: now}}
		}
		j.Current[v.GetId()] = list
	}
}

// Find gives the current attempt of a message; nil for one that is not current (F2).
func (j *Job) Find(a *controlpb.AttemptId) *Attempt {
	list := j.Current[a.GetVertexId()]
	if int(a.GetSubtask()) < 0 || int(a.GetSubtask()) >= len(list) {
		return nil
	}
	if t := list[a.GetSubtask()]; t.Number == int(a.GetAttempt()) {
		return t
	}
	return nil
}

// Set changes a task's state; it is false for a change that leads nowhere (a late message).
func (a *Attempt) Set(to controlpb.ExecutionState, now int64) bool {
	if TaskEnded(a.State) || taskRank[to] <= taskRank[a.State] {
		return false
	}
	a.State = to
	a.Entered[to] = now
	return true
}

// Each calls f for every current attempt, in the graph's order.
func (j *Job) Each(f func(*Attempt)) {
	for _, v := range j.Graph.GetVertices() {
		for _, a := range j.Current[v.GetId()] {
			f(a)
		}
	}
}

// Finished tells whether every task has finished.
func (j *Job) Finished() bool {
	all := len(j.Current) > 0
	j.Each(func(a *Attempt) { all = all && a.State == controlpb.ExecutionState_STATE_FINISHED })
	return all
}

// NextStage goes on to the next stage when all tasks of this one have finished; false when there is none, or some have not. The
// coordinator task serves all stages.
func (j *Job) NextStage() bool {
	if j.Stage+1 >= j.Stages {
		return false
	}
	done := true
	j.Each(func(a *Attempt) {
		done = done && (a.Stage != j.Stage || a.State == controlpb.ExecutionState_STATE_FINISHED || a.Vertex.GetKind() == planpb.VertexKind_COORDINATOR)
	})
	if done {
		j.Stage++
	}
	return done
}

func (j *Job) attemptID(vertex string, subtask int) *controlpb.AttemptId {
	return &controlpb.AttemptId{JobId: j.ID.String(), VertexId: vertex, Subtask: int32(subtask), Attempt: int32(j.Number)}
}

// Placement says where a slot is.
type Placement struct {
	// Index of the slot on its TaskManager; Address of the worker there.
	Index   int
	Address string
}

// Deployment makes the descriptors of the current attempts of this stage, by slot of the job.
func (j *Job) Deployment(where func(slot int) Placement) (tasks map[int][]*controlpb.TaskDeployment, coordinator *controlpb.AttemptId, coordinatorAddress string) {
	tasks = map[int][]*controlpb.TaskDeployment{}
	for _, v := range j.Graph.GetVertices() {
		for i, a := range j.Current[v.GetId()] {
			p := where(a.Slot)
			if v.GetKind() == planpb.VertexKind_COORDINATOR {
				coordinator, coordinatorAddress = j.attemptID(v.GetId(), 0), p.Address
			}
			if a.Stage == j.Stage {
				tasks[a.Slot] = append(tasks[a.Slot], j.task(v, i, p.Index, where))
			}
		}
	}
	return tasks, coordinator, coordinatorAddress
}

func (j *Job) task(v *planpb.JobVertex, subtask, slot int, where func(int) Placement) *controlpb.TaskDeployment {
	t := &controlpb.TaskDeployment{Id: j.attemptID(v.GetId(), subtask), Parallelism: v.GetParallelism(), MaxParallelism: v.GetMaxParallelism(), Slot: int32(slot)}
	for _, e := range j.Graph.GetEdges() {
		up, down := len(j.Current[e.GetSource()]), len(j.Current[e.GetTarget()])
		if e.GetSource() == v.GetId() {
			out := &controlpb.ResultPartition{Edge: e.GetIndex()}
			for _, c := range topology.Consumers(e.GetPartitioner(), up, down, subtask) {
				out.Consumers = append(out.Consumers, j.attemptID(e.GetTarget(), c))
			}
			t.Outputs = append(t.Outputs, out)
		}
		if e.GetTarget() == v.GetId() {
			in := &controlpb.InputGate{Edge: e.GetIndex()}
			for p, producer := range j.Current[e.GetSource()] {
				for sub, c := range topology.Consumers(e.GetPartitioner(), up, down, p) {
					if c == subtask {
						in.Channels = append(in.Channels, &controlpb.Channel{Producer: j.attemptID(e.GetSource(), p),
							Address: where(producer.Slot).Address, Subpartition: int32(sub)})
					}
				}
			}
			t.Inputs = append(t.Inputs, in)
		}
	}
	return t
}
