package localpage

import (
	"sync"
	"time"

	"github.com/weft-project/weft/graph/execution"
	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/rest/jobview"
	"github.com/weft-project/weft/rpc/controlpb"
	"github.com/weft-project/weft/rpc/planpb"
)

// Run is one job of the program; worker.RunLocal tells it what happens.
type Run struct {
	mu         sync.Mutex
	x          *execution.Job
	address    string
	metrics    func() []*controlpb.TaskMetrics
	start, end int64
	failures   []*planpb.Failure
}

func nowMs() int64 { return time.Now().UnixMilli() }

// Began is worker.Watcher's.
func (r *Run) Began(job id.Job, g *planpb.JobGraph, address string, metrics func() []*controlpb.TaskMetrics) error {
	now := nowMs()
	x, err := execution.NewJob(job, g, now)
	if err != nil {
		return err
	}
	x.Begin(0, now)
	x.Status = planpb.JobStatus_RUNNING
	x.Entered[planpb.JobStatus_CREATED], x.Entered[planpb.JobStatus_RUNNING] = now, now
	x.Each(func(a *execution.Attempt) {
		a.Host, a.Endpoint, a.TaskManager = host, address, taskManager
		a.Set(controlpb.ExecutionState_STATE_DEPLOYING, now)
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	r.x, r.address, r.metrics, r.start = x, address, metrics, now
	return nil
}

// Task is worker.Watcher's.
func (r *Run) Task(s *controlpb.TaskState) {
	r.mu.Lock()
	defer r.mu.Unlock()
	a := r.x.Find(s.GetId())
	if a == nil {
		return
	}
	a.Set(s.GetState(), nowMs())
	if s.GetMetrics() != nil {
		a.Metrics, a.Accumulators = s.GetMetrics(), s.GetAccumulators()
	}
	if f := s.GetFailure(); f != nil {
		a.Failure = f
		r.failures = append([]*planpb.Failure{f}, r.failures...)
	}
}

// Ended is worker.Watcher's.
func (r *Run) Ended(result *planpb.JobResult) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.end = nowMs()
	r.x.Status = result.GetStatus()
	r.x.Entered[r.x.Status] = r.end
	r.metrics = nil
}

// running tells whether the job has not ended.
func (r *Run) running() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.x != nil && r.end == 0
}

// slots is how many slots the job has; a local run has as many as its job needs.
func (r *Run) slots() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.x == nil {
		return 0
	}
	return r.x.Slots()
}

// view is the job as documents are made of it; nil before it has begun.
func (r *Run) view() *jobview.Job {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.x == nil {
		return nil
	}
	if r.metrics != nil {
		for _, m := range r.metrics() {
			if a := r.x.Find(m.GetAttempt()); a != nil && !execution.TaskEnded(a.State) {
				a.Metrics = m
				if list := m.GetAccumulators(); list != nil {
					a.Accumulators = list
				}
			}
		}
	}
	v := &jobview.Job{ID: r.x.ID, Graph: r.x.Graph, Config: r.x.Graph.GetConfig(), RestartStrategy: "none: a local run is not restarted", Status: r.x.Status,
		Entered: map[planpb.JobStatus]int64{}, Start: r.start, End: r.end, Vertices: map[string]jobview.Vertex{}, Failures: r.failures,
		SlotsNeeded: r.x.Slots(), SlotsHeld: r.x.Slots()}
	for s, at := range r.x.Entered {
		v.Entered[s] = at
	}
	r.x.Each(func(a *execution.Attempt) {
		entered := map[controlpb.ExecutionState]int64{}
		for s, at := range a.Entered {
			entered[s] = at
		}
		vertex := v.Vertices[a.Vertex.GetId()]
		vertex.Current = append(vertex.Current, jobview.Attempt{Subtask: a.Subtask, Number: a.Number, State: a.State, Entered: entered, Host: a.Host,
			Endpoint: a.Endpoint, TaskManager: a.TaskManager, Metrics: a.Metrics, Accumulators: a.Accumulators, Failure: a.Failure})
		v.Vertices[a.Vertex.GetId()] = vertex
	})
	return v
}
