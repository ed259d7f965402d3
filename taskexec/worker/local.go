package worker

import (
	"context"
	"log/slog"
	"sort"
	"strconv"
	"time"

	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/graph/topology"
	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/internal/fs"
	"github.com/weft-project/weft/internal/spill"
	"github.com/weft-project/weft/network"
	"github.com/weft-project/weft/operator"
	"github.com/weft-project/weft/rpc/controlpb"
	"github.com/weft-project/weft/rpc/planpb"
)

// Watcher is told what happens in a local run, by one goroutine.
type Watcher interface {
	// Began: the job begins; its workers' data plane is at address, and metrics gives its tasks' running totals until Ended.
	Began(job id.Job, g *planpb.JobGraph, address string, metrics func() []*controlpb.TaskMetrics) error
	Task(*controlpb.TaskState)
	Ended(*planpb.JobResult)
}

// RunLocal runs a whole job in this process and gives its result. There are no restarts: a failure is the job's. It removes
// the job's scratch paths at the end.
func RunLocal(ctx context.Context, p *operator.Program, files *fs.Registry, log *slog.Logger) (*planpb.JobResult, error) {
	return RunLocalWatched(ctx, p, files, log, nil)
}

// RunLocalWatched is RunLocal with somebody who is told, if not nil.
func RunLocalWatched(ctx context.Context, p *operator.Program, files *fs.Registry, log *slog.Logger, w Watcher) (*planpb.JobResult, error) {
	job := id.NewJob()
	n := networkConfig(p.Graph.GetConfig())
	n.Job, n.Log = job, log
	m, err := network.NewManager(n)
	if err != nil {
		return nil, err
	}
	defer func() { _ = m.Close() }() // every task has ended; there is nothing left to send
	states := make(chan *controlpb.TaskState, 16)
	r := NewRuntime(Config{Job: job, Program: p, Manager: m, Files: files, Log: log, Config: p.Graph.GetConfig(), Host: "localhost",
		Spill:  spill.NewSpace(localTempDirs(config.FromMap(p.Graph.GetConfig()))...),
		Report: func(s *controlpb.TaskState) { states <- s }})
	began := time.Now()
	if w != nil {
		if err := w.Began(job, p.Graph, m.Addr(), r.Metrics); err != nil {
			r.Close()
			return nil, err
		}
	}
	stages := newLocalStages(r, localDeployment(job, p.Graph, m.Addr()))
	left, err := stages.next()
	if err != nil {
		r.Close()
		return nil, err
	}
	result := awaitLocal(ctx, r, states, left, w, stages)
	r.Close()
	removeScratch(p.Graph.GetScratchPaths(), job, files, log)
	result.JobId, result.RuntimeMs = job.String(), time.Since(began).Milliseconds()
	if w != nil {
		w.Ended(result)
	}
	return result, nil
}

// awaitLocal collects the tasks' ends; the first failure cancels the others.
func awaitLocal(ctx context.Context, r *Runtime, states <-chan *controlpb.TaskState, left int, w Watcher, stages *localStages) *planpb.JobResult {
	result := &planpb.JobResult{Status: planpb.JobStatus_FINISHED}
	cancelAll := func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, t := range r.mu.tasks {
			t.cancel(errCanceled)
		}
	}
	totals := map[string]*planpb.Accumulator{}
	canceled := ctx.Done()
	for left > 0 {
		select {
		case <-canceled:
			canceled = nil
			result.Status = planpb.JobStatus_CANCELED
			cancelAll()
		case s := <-states:
			if w != nil {
				w.Task(s)
			}
			failed := s.GetFailure()
			switch s.GetState() {
			case controlpb.ExecutionState_STATE_FAILED:
				left--
			case controlpb.ExecutionState_STATE_FINISHED, controlpb.ExecutionState_STATE_CANCELED:
				left--
				mergeInto(totals, s.GetAccumulators())
				if s.GetState() == controlpb.ExecutionState_STATE_FINISHED && result.Status == planpb.JobStatus_FINISHED {
					more, err := stages.finished(s)
					if left += more; err != nil {
						left -= more
						failed = &planpb.Failure{Domain: planpb.FailureDomain_INTERNAL, Message: err.Error(), TimestampMs: time.Now().UnixMilli()}
					}
				}
			}
			if failed != nil && result.Status == planpb.JobStatus_FINISHED {
				result.Status, result.Failure = planpb.JobStatus_FAILED, failed
				cancelAll()
			}
		}
	}
	for _, a := range totals {
		result.Accumulators = append(result.Accumulators, a)
	}
	sort.Slice(result.Accumulators, func(i, j int) bool { return result.Accumulators[i].Name < result.Accumulators[j].Name })
	return result
}

func mergeInto(totals map[string]*planpb.Accumulator, more []*planpb.Accumulator) {
	for _, a := range more {
		t := totals[a.GetName()]
		if t == nil {
			t = &planpb.Accumulator{Name: a.GetName(), Type: a.GetType()}
			totals[a.GetName()] = t
		}
		t.LongValue += a.GetLongValue()
		t.DoubleValue += a.GetDoubleValue()
		if t.Value = strconv.FormatInt(t.LongValue, 10); t.Type == "DoubleCounter" {
			t.Value = strconv.FormatFloat(t.DoubleValue, 'g', -1, 64)
		}
	}
}

func removeScratch(paths []string, job id.Job, files *fs.Registry, log *slog.Logger) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for _, p := range paths {
		store, path, err := files.Get(fs.ExpandJob(p, job.String()))
		if err == nil {
			err = store.Delete(ctx, path, true)
		}
		if err != nil {
			log.Warn("unfinished output could not be removed", "path", p, "error", err)
		}
	}
}

// localDeployment puts every task of the job into this process.
func localDeployment(job id.Job, g *planpb.JobGraph, addr string) *controlpb.Deploy {
	parallelism := map[string]int{}
	for _, v := range g.GetVertices() {
		parallelism[v.GetId()] = int(v.GetParallelism())
	}
	attempt := func(vertex string, subtask int) *controlpb.AttemptId {
		return &controlpb.AttemptId{JobId: job.String(), VertexId: vertex, Subtask: int32(subtask)}
	}
	d := &controlpb.Deploy{JobId: job.String()}
	for _, v := range g.GetVertices() {
		if v.GetKind() == planpb.VertexKind_COORDINATOR {
			d.CoordinatorAddress, d.Coordinator = addr, attempt(v.GetId(), 0)
		}
		for i := range int(v.GetParallelism()) {
			t := &controlpb.TaskDeployment{Id: attempt(v.GetId(), i), Parallelism: v.GetParallelism(), MaxParallelism: v.GetMaxParallelism()}
			for _, e := range g.GetEdges() {
				up, down := parallelism[e.GetSource()], parallelism[e.GetTarget()]
				if e.GetSource() == v.GetId() {
					out := &controlpb.ResultPartition{Edge: e.GetIndex()}
					for _, c := range topology.Consumers(e.GetPartitioner(), up, down, i) {
						out.Consumers = append(out.Consumers, attempt(e.GetTarget(), c))
					}
					t.Outputs = append(t.Outputs, out)
				}
				if e.GetTarget() == v.GetId() {
					in := &controlpb.InputGate{Edge: e.GetIndex()}
					for p := range up {
						for sub, c := range topology.Consumers(e.GetPartitioner(), up, down, p) {
							if c == i {
								in.Channels = append(in.Channels, &controlpb.Channel{Producer: attempt(e.GetSource(), p), Address: addr, Subpartition: int32(sub)})
							}
						}
					}
					t.Inputs = append(t.Inputs, in)
				}
			}
			d.Tasks = append(d.Tasks, t)
		}
	}
	return d
}
