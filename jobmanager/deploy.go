package jobmanager

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/weft-project/weft/graph/execution"
	"github.com/weft-project/weft/rest/restpb"
	"github.com/weft-project/weft/rpc/controlpb"
	"github.com/weft-project/weft/rpc/planpb"
)

// deploy begins an attempt of the job on its slots: first the workers, all at once (docs/adr/0002).
func (m *JobManager) deploy(j *job, slots []slot) {
	j.waitingSince = time.Time{}
	j.slots = slots
	j.workers = map[string]*workerRef{}
	held := map[string]int32{}
	for _, s := range slots {
		s.tm.slots[s.index] = j
		held[s.tm.id]++
		j.workers[s.tm.id] = &workerRef{tm: s.tm}
	}
	now := nowMs()
	j.x.Begin(j.firstAttempt+j.restarts, now)
	j.x.Each(func(a *execution.Attempt) {
		tm := slots[a.Slot].tm
		a.Host, a.TaskManager = tm.register.GetHost(), tm.id
		if a.Stage == 0 {
			a.Set(controlpb.ExecutionState_STATE_DEPLOYING, now)
		}
	})
	if !j.move(planpb.JobStatus_RUNNING, nil) {
		return
	}
	r := j.request
	for id, w := range j.workers {
		w.tm.send(&controlpb.ToTaskManager{Kind: &controlpb.ToTaskManager_StartWorker{StartWorker: &controlpb.StartWorker{
			JobId: j.id.String(), JobAttempt: int32(j.x.Number), Binary: r.GetBinary(), Args: r.GetArgs(), Environment: r.GetEnvironment(),
			Files: r.GetFiles(), Graph: j.x.Graph, PreviousResults: r.GetPreviousResults(), JobSecret: j.secret, Slots: held[id],
			Config: j.config(), JobName: j.x.Graph.GetName()}}})
	}
}

// config is the job's effective configuration for its workers; of the cluster's own, only what jobs run with.
func (j *job) config() map[string]string {
	out := j.m.o.Config.JobValues()
	for k, v := range j.request.GetConfig() {
		out[k] = v
	}
	for k, v := range j.x.Graph.GetConfig() {
		out[k] = v
	}
	return out
}

// workerChanged handles a worker's phase.
func (m *JobManager) workerChanged(j *job, tm *taskManager, s *controlpb.WorkerState) {
	w := j.workers[tm.id]
	if w == nil || int(s.GetJobAttempt()) != j.x.Number || w.tm != tm {
		if s.GetPhase() == controlpb.WorkerPhase_WORKER_EXITED && !j.fences[tm.id].IsZero() {
			delete(j.fences, tm.id)
			m.schedule()
		}
		return // of an earlier attempt
	}
	switch s.GetPhase() {
	case controlpb.WorkerPhase_WORKER_READY:
		if w.ready {
			return // said twice; tasks are deployed once
		}
		w.ready, w.address = true, s.GetDataAddress()
		m.deployTasks(j)
	case controlpb.WorkerPhase_WORKER_EXITED:
		delete(j.workers, tm.id)
		m.giveBack(j, tm)
		// A failure counts even when the worker was told to stop: it may be the cause of what was noticed elsewhere first.
		if f := s.GetFailure(); f != nil {
			if f.TaskmanagerId == "" {
				f.TaskmanagerId, f.Host = tm.id, tm.register.GetHost()
			}
			m.fail(j, f)
		} else if !w.stopped {
			m.fail(j, &planpb.Failure{Domain: planpb.FailureDomain_EXTERNAL, Retryable: true, Message: "the worker process ended",
				TaskmanagerId: tm.id, Host: tm.register.GetHost(), TimestampMs: nowMs()})
		}
		m.workersGone(j)
		m.schedule()
	}
}

// deployStage deploys the tasks of the next stage: the output of the one before is complete.
func (m *JobManager) deployStage(j *job) {
	now := nowMs()
	j.x.Each(func(a *execution.Attempt) {
		if a.Stage == j.x.Stage {
			a.Set(controlpb.ExecutionState_STATE_DEPLOYING, now)
		}
	})
	m.o.Log.Info("next stage", "job", j.id, "stage", j.x.Stage+1, "of", j.x.Stages)
	m.deployTasks(j)
}

// deployTasks sends the tasks of the current stage when every worker is ready.
func (m *JobManager) deployTasks(j *job) {
	for _, w := range j.workers {
		if !w.ready || w.stopped {
			return
		}
	}
	if !j.cp.deployable() {
		return
	}
	tasks, coordinator, coordinatorAddress := j.x.Deployment(func(s int) execution.Placement {
		return execution.Placement{Index: j.slots[s].index, Address: j.workers[j.slots[s].tm.id].address}
	})
	if err := j.cp.equip(tasks); err != nil {
		m.fail(j, &planpb.Failure{Domain: planpb.FailureDomain_USER, Message: err.Error(), TimestampMs: nowMs()})
		return
	}
	byTM := map[string][]*controlpb.TaskDeployment{}
	for i, s := range j.slots {
		byTM[s.tm.id] = append(byTM[s.tm.id], tasks[i]...)
	}
	j.x.Each(func(a *execution.Attempt) { a.Endpoint = j.workers[j.slots[a.Slot].tm.id].address })
	var out []*controlpb.Deploy
	var tms []*taskManager
	for id, list := range byTM {
		if len(list) == 0 {
			continue
		}
		d := &controlpb.Deploy{JobId: j.id.String(), JobAttempt: int32(j.x.Number), Tasks: list, Coordinator: coordinator, CoordinatorAddress: coordinatorAddress}
		if n := proto.Size(d); n > maxSubmission {
			// Sent, it would end the session with that TaskManager, and with it every job there.
			m.fail(j, &planpb.Failure{Domain: planpb.FailureDomain_USER, TimestampMs: nowMs(), Message: fmt.Sprintf(
				"the job's %d tasks for TaskManager %s take %d bytes to describe: expected at most %d; use a lower parallelism or TaskManagers with fewer slots",
				len(list), id, n, maxSubmission)})
			return
		}
		out, tms = append(out, d), append(tms, j.workers[id].tm)
	}
	for i, d := range out {
		tms[i].send(&controlpb.ToTaskManager{Kind: &controlpb.ToTaskManager_Deploy{Deploy: d}})
	}
}

// taskChanged handles a task's state.
func (m *JobManager) taskChanged(j *job, s *controlpb.TaskState) {
	a := j.x.Find(s.GetId())
	if a == nil || !a.Set(s.GetState(), nowMs()) {
		return
	}
	if s.GetMetrics() != nil {
		a.Metrics = s.GetMetrics()
	}
	if s.GetAccumulators() != nil {
		a.Accumulators = s.GetAccumulators()
	}
	a.Failure = s.GetFailure()
	if a.Vertex.GetKind() != planpb.VertexKind_COORDINATOR {
		j.event(&restpb.JobEvent{Kind: &restpb.JobEvent_Task{Task: &restpb.TaskChange{Name: a.Vertex.GetName(), VertexId: a.Vertex.GetId(),
			Subtask: int32(a.Subtask), Parallelism: a.Vertex.GetParallelism(), Attempt: int32(a.Number), State: a.State, Host: a.Host,
			TaskmanagerId: a.TaskManager}}})
	}
	j.cp.taskChanged(a)
	switch {
	case a.State == controlpb.ExecutionState_STATE_FAILED:
		f := s.GetFailure()
		if f == nil {
			f = &planpb.Failure{Domain: planpb.FailureDomain_INTERNAL, Message: "a task failed without saying why", TimestampMs: nowMs()}
		}
		if f.GetTaskName() == "" {
			f.TaskName, f.Subtask, f.VertexId = a.Vertex.GetName(), int32(a.Subtask), a.Vertex.GetId()
		}
		m.fail(j, f)
	case j.x.Status == planpb.JobStatus_RUNNING && j.x.Finished():
		m.finish(j, planpb.JobStatus_FINISHED)
	case j.x.Status == planpb.JobStatus_RUNNING && j.x.NextStage():
		m.deployStage(j)
	}
}
