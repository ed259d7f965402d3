package taskexec

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/weft-project/weft/internal/procstat"
	"github.com/weft-project/weft/rpc/controlpb"
	"github.com/weft-project/weft/rpc/planpb"
)

// receive handles a message of the JobManager.
func (m *manager) receive(s *session, msg *controlpb.ToTaskManager) {
	if m.session != s {
		return // of a connection that was replaced
	}
	if msg.GetEpoch() < m.epoch {
		m.o.Log.Warn("refused a message of an earlier leader", "epoch", msg.GetEpoch(), "seen", m.epoch)
		m.send(&controlpb.FromTaskManager{Kind: &controlpb.FromTaskManager_EpochRefused{EpochRefused: &controlpb.EpochRefused{Seen: m.epoch}}})
		return
	}
	m.epoch = msg.GetEpoch()
	m.heard = time.Now()
	switch k := msg.GetKind().(type) {
	case *controlpb.ToTaskManager_Registered:
		m.registered(k.Registered)
	case *controlpb.ToTaskManager_Refused:
		m.end(fmt.Errorf("the JobManager refused this TaskManager: %s", k.Refused))
	case *controlpb.ToTaskManager_StartWorker:
		m.startWorker(k.StartWorker)
	case *controlpb.ToTaskManager_StopWorker:
		if w := m.workers[k.StopWorker.GetJobId()]; w != nil {
			m.dropNext(w)
			m.stopWorker(w, k.StopWorker.GetReason())
		}
	case *controlpb.ToTaskManager_Deploy:
		d := k.Deploy
		w := m.workers[d.GetJobId()]
		if w == nil || w.phase != controlpb.WorkerPhase_WORKER_READY || w.start.GetJobAttempt() != d.GetJobAttempt() {
			m.refuseDeploy(d)
			return
		}
		w.send(&controlpb.ToWorker{Kind: &controlpb.ToWorker_Deploy{Deploy: d}})
	case *controlpb.ToTaskManager_Checkpoint:
		c := k.Checkpoint
		if w := m.workers[c.GetJobId()]; w != nil && w.phase == controlpb.WorkerPhase_WORKER_READY && w.start.GetJobAttempt() == c.GetJobAttempt() {
			w.send(&controlpb.ToWorker{Kind: &controlpb.ToWorker_Checkpoint{Checkpoint: c}})
		}
	case *controlpb.ToTaskManager_Cancel:
		if w := m.workers[k.Cancel.GetJobId()]; w != nil {
			w.send(&controlpb.ToWorker{Kind: &controlpb.ToWorker_Cancel{Cancel: k.Cancel}})
		}
	case *controlpb.ToTaskManager_StartPlan:
		m.startPlan(k.StartPlan)
	case *controlpb.ToTaskManager_StopPlan:
		if p := m.plans[k.StopPlan.GetId()]; p != nil {
			p.end(errors.New(k.StopPlan.GetReason()))
		}
	case *controlpb.ToTaskManager_File:
		m.showFile(k.File)
	case *controlpb.ToTaskManager_HadoopTokens:
		m.newTokens(k.HadoopTokens)
	case *controlpb.ToTaskManager_Acknowledged:
		for len(m.unacked) > 0 && m.unacked[0].GetSequence() <= k.Acknowledged {
			m.unacked = m.unacked[1:]
		}
	case *controlpb.ToTaskManager_Shutdown:
		m.o.Log.Info("the JobManager ends this TaskManager", "reason", k.Shutdown)
		m.end(errShutdown)
	}
}

func (m *manager) registered(r *controlpb.Registered) {
	if ms := r.GetLeaderlessTimeoutMs(); ms > 0 {
		m.leaderless = time.Duration(ms) * time.Millisecond
	}
	m.timeout = time.Duration(r.GetHeartbeatTimeoutMs()) * time.Millisecond
	m.o.Log.Info("registered with the JobManager", "epoch", m.epoch)
}

// refuseDeploy answers tasks for a worker that is not there: they have failed.
func (m *manager) refuseDeploy(d *controlpb.Deploy) {
	states := &controlpb.TaskStates{}
	for _, t := range d.GetTasks() {
		states.Tasks = append(states.Tasks, &controlpb.TaskState{Id: t.GetId(), JobAttempt: d.GetJobAttempt(), State: controlpb.ExecutionState_STATE_FAILED,
			Failure: m.failure(planpb.FailureDomain_EXTERNAL, "the worker that the task was for has ended")})
	}
	m.terminal(states)
}

// failure describes something that happened on this TaskManager.
func (m *manager) failure(domain planpb.FailureDomain, message string) *planpb.Failure {
	return &planpb.Failure{Domain: domain, Retryable: domain == planpb.FailureDomain_EXTERNAL, Message: message, Host: m.o.Host,
		TaskmanagerId: m.o.ID, TimestampMs: time.Now().UnixMilli()}
}

// terminal reports states that must not be lost: they are kept until a leader acknowledges them.
func (m *manager) terminal(states *controlpb.TaskStates) {
	m.sequence++
	states.Sequence = m.sequence
	m.unacked = append(m.unacked, states)
	m.send(&controlpb.FromTaskManager{Kind: &controlpb.FromTaskManager_Tasks{Tasks: states}})
}

// fromWorker handles a message of a worker.
func (m *manager) fromWorker(w *worker, msg *controlpb.FromWorker) {
	if m.workers[w.start.GetJobId()] != w || w.stopping {
		return
	}
	switch k := msg.GetKind().(type) {
	case *controlpb.FromWorker_Hello:
		if refusal := helloRefusal(k.Hello); refusal != "" {
			w.giveUp(m.failure(planpb.FailureDomain_USER, refusal))
			return
		}
		w.send(&controlpb.ToWorker{Kind: &controlpb.ToWorker_Start{Start: m.workerStart(w)}})
		// The graph may be large and is the worker's now.
		s := w.start
		w.start = &controlpb.StartWorker{JobId: s.GetJobId(), JobAttempt: s.GetJobAttempt(), Binary: s.GetBinary(), Slots: s.GetSlots(), JobName: s.GetJobName()}
	case *controlpb.FromWorker_State:
		switch k.State.GetPhase() {
		case controlpb.WorkerPhase_WORKER_READY:
			w.ready(k.State.GetDataAddress())
			m.send(&controlpb.FromTaskManager{Kind: &controlpb.FromTaskManager_Worker{Worker: w.state()}})
		case controlpb.WorkerPhase_WORKER_EXITED:
			w.giveUp(k.State.GetFailure())
		}
	case *controlpb.FromWorker_Tasks:
		if k.Tasks.GetSequence() == 0 {
			m.send(&controlpb.FromTaskManager{Kind: &controlpb.FromTaskManager_Tasks{Tasks: k.Tasks}})
			return
		}
		m.terminal(&controlpb.TaskStates{Tasks: k.Tasks.GetTasks()})
		w.send(&controlpb.ToWorker{Kind: &controlpb.ToWorker_Acknowledged{Acknowledged: k.Tasks.GetSequence()}})
	case *controlpb.FromWorker_Checkpoint:
		m.send(&controlpb.FromTaskManager{Kind: &controlpb.FromTaskManager_Checkpoint{Checkpoint: k.Checkpoint}})
	case *controlpb.FromWorker_Stacks:
		w.tookStacks(k.Stacks)
	case *controlpb.FromWorker_Metrics:
		w.metrics, w.figures = k.Metrics.GetTasks(), k.Metrics.GetProcess()
	}
}

// heartbeat tells the leader what is used.
func (m *manager) heartbeat(s *session) {
	if m.session != s {
		return
	}
	h := &controlpb.Heartbeat{Rss: residentMemory(os.Getpid()), Process: procstat.Read()}
	for job, w := range m.workers {
		h.Metrics = append(h.Metrics, w.metrics...)
		if w.figures != nil {
			procstat.Add(h.Process, w.figures)
		}
		h.Workers = append(h.Workers, &controlpb.WorkerUsage{JobId: job, Pid: int32(w.pid()), Rss: w.rss})
	}
	m.send(&controlpb.FromTaskManager{Kind: &controlpb.FromTaskManager_Heartbeat{Heartbeat: h}})
}

// exited handles the end of a worker's process. It is posted once for each worker, when nothing of it is left.
func (m *manager) exited(w *worker, err error) {
	job := w.start.GetJobId()
	delete(m.workers, job)
	w.close()
	state := w.state()
	state.Phase = controlpb.WorkerPhase_WORKER_EXITED
	if state.Failure = m.explain(w, err); state.Failure == nil && m.leaving {
		state.Failure = m.failure(planpb.FailureDomain_EXTERNAL, fmt.Sprintf("TaskManager %s was told to end", m.o.ID))
	}
	if f := state.Failure; f != nil {
		m.o.Log.Warn("worker ended", "job", job, "attempt", w.start.GetJobAttempt(), "reason", f.GetMessage())
	} else {
		m.o.Log.Info("worker ended", "job", job, "attempt", w.start.GetJobAttempt(), "reason", w.stopReason)
	}
	m.send(&controlpb.FromTaskManager{Kind: &controlpb.FromTaskManager_Worker{Worker: state}})
	if w.next != nil {
		m.startWorker(w.next)
	}
}

// startWorker begins a worker; the one of an earlier attempt of the job must be gone first.
func (m *manager) startWorker(start *controlpb.StartWorker) {
	if m.leaving {
		m.send(&controlpb.FromTaskManager{Kind: &controlpb.FromTaskManager_Worker{Worker: &controlpb.WorkerState{JobId: start.GetJobId(),
			JobAttempt: start.GetJobAttempt(), Phase: controlpb.WorkerPhase_WORKER_EXITED}}})
		return
	}
	if old := m.workers[start.GetJobId()]; old != nil {
		if old.start.GetJobAttempt() >= start.GetJobAttempt() {
			return
		}
		m.dropNext(old)
		old.next = start
		m.stopWorker(old, "a new attempt of the job begins")
		return
	}
	w := &worker{m: m, start: start, began: time.Now(), gone: make(chan struct{})}
	m.workers[start.GetJobId()] = w
	m.o.Log.Info("starting a worker", "job", start.GetJobId(), "name", start.GetJobName(), "attempt", start.GetJobAttempt(), "slots", start.GetSlots())
	w.launch()
}

// dropNext gives up a worker that waits for the end of the one before. The JobManager hears of its end, although it has not begun:
// it waits for it.
func (m *manager) dropNext(w *worker) {
	if w.next == nil {
		return
	}
	m.send(&controlpb.FromTaskManager{Kind: &controlpb.FromTaskManager_Worker{Worker: &controlpb.WorkerState{JobId: w.next.GetJobId(),
		JobAttempt: w.next.GetJobAttempt(), Phase: controlpb.WorkerPhase_WORKER_EXITED}}})
	w.next = nil
}

// stopWorker ends a worker's process; what it says from now on is not passed on.
func (m *manager) stopWorker(w *worker, reason string) {
	if w.stopping {
		return
	}
	w.stopping, w.stopReason = true, reason
	w.kill(errors.New(reason))
}
