package jobmanager_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/weft-project/weft/rpc/controlpb"
	"github.com/weft-project/weft/rpc/planpb"
	"github.com/weft-project/weft/rpc/version"
	"github.com/weft-project/weft/security"
)

// fakeTM is a TaskManager that does what the test says. Messages of the JobManager wait in in.
type fakeTM struct {
	t      *testing.T
	id     string
	stream controlpb.JobManager_SessionClient
	in     chan *controlpb.ToTaskManager
	ended  chan error // holds the end of the stream
	cut    context.CancelFunc
}

// registration of a TaskManager.
func registration(name string, slots int32) *controlpb.Register {
	return &controlpb.Register{ProtocolMajor: version.Major, ProtocolMinor: version.Minor, Version: "1.0", TaskmanagerId: name,
		Host: "host-" + name, Pid: 1, Slots: slots, CpuCores: 2, PhysicalMemory: 8 << 30, ProcessMemory: 1 << 30, SlotMemory: 256 << 20}
}

// register opens a session; what the JobManager thinks of it is still to be read.
func (c *cluster) register(r *controlpb.Register) *fakeTM {
	c.t.Helper()
	tm := c.open(r)
	go tm.read()
	return tm
}

// open registers and reads nothing.
func (c *cluster) open(r *controlpb.Register) *fakeTM {
	c.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	c.t.Cleanup(cancel)
	stream, err := c.dial(c.secret.Derive(security.LabelControl)).Session(ctx)
	if err != nil {
		c.t.Fatal(err)
	}
	tm := &fakeTM{t: c.t, id: r.GetTaskmanagerId(), stream: stream, cut: cancel,
		in: make(chan *controlpb.ToTaskManager, 1<<12), ended: make(chan error, 1)}
	tm.send(&controlpb.FromTaskManager{Kind: &controlpb.FromTaskManager_Register{Register: r}})
	return tm
}

// tm registers a TaskManager that is welcome.
func (c *cluster) tm(name string, slots int32) *fakeTM {
	c.t.Helper()
	tm := c.register(registration(name, slots))
	if tm.next().GetRegistered() == nil {
		c.t.Fatalf("TaskManager %s was not registered", name)
	}
	return tm
}

func (tm *fakeTM) read() {
	for {
		m, err := tm.stream.Recv()
		if err != nil {
			tm.ended <- err
			close(tm.in)
			return
		}
		tm.in <- m
	}
}

func (tm *fakeTM) send(m *controlpb.FromTaskManager) {
	tm.t.Helper()
	m.Epoch = epoch
	if err := tm.stream.Send(m); err != nil {
		tm.t.Fatalf("TaskManager %s: send: %v", tm.id, err)
	}
}

// next is the next message; every one carries the epoch (F1).
func (tm *fakeTM) next() *controlpb.ToTaskManager {
	tm.t.Helper()
	select {
	case m, ok := <-tm.in:
		if !ok {
			tm.t.Fatalf("TaskManager %s: the session has ended: %v", tm.id, <-tm.ended)
		}
		if m.GetEpoch() != epoch {
			tm.t.Fatalf("TaskManager %s: message with epoch %d: %v", tm.id, m.GetEpoch(), m)
		}
		return m
	case <-time.After(patience):
		tm.t.Fatalf("TaskManager %s: no message came", tm.id)
		return nil
	}
}

// end waits for the end of the session and drops what came before it.
func (tm *fakeTM) end() error {
	tm.t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case _, ok := <-tm.in:
			if !ok {
				return <-tm.ended
			}
		case <-deadline:
			tm.t.Fatalf("TaskManager %s: the session does not end", tm.id)
		}
	}
}

func (tm *fakeTM) unexpected(want string, m *controlpb.ToTaskManager) {
	tm.t.Helper()
	tm.t.Fatalf("TaskManager %s: expected %s, got %v", tm.id, want, m)
}

func (tm *fakeTM) startWorker() *controlpb.StartWorker {
	tm.t.Helper()
	m := tm.next()
	if m.GetStartWorker() == nil {
		tm.unexpected("StartWorker", m)
	}
	return m.GetStartWorker()
}

func (tm *fakeTM) stopWorker() *controlpb.StopWorker {
	tm.t.Helper()
	m := tm.next()
	if m.GetStopWorker() == nil {
		tm.unexpected("StopWorker", m)
	}
	return m.GetStopWorker()
}

func (tm *fakeTM) deployed() *controlpb.Deploy {
	tm.t.Helper()
	m := tm.next()
	if m.GetDeploy() == nil {
		tm.unexpected("Deploy", m)
	}
	return m.GetDeploy()
}

func (tm *fakeTM) shutdown() string {
	tm.t.Helper()
	m := tm.next()
	if m.GetShutdown() == "" {
		tm.unexpected("Shutdown", m)
	}
	return m.GetShutdown()
}

func (tm *fakeTM) acknowledged(sequence uint64) {
	tm.t.Helper()
	if m := tm.next(); m.GetAcknowledged() != sequence {
		tm.unexpected(fmt.Sprintf("the acknowledgement of %d", sequence), m)
	}
}

// beat sends a heartbeat and waits for its answer: everything sent before has been handled then.
func (tm *fakeTM) beat(h *controlpb.Heartbeat) {
	tm.t.Helper()
	tm.send(&controlpb.FromTaskManager{Kind: &controlpb.FromTaskManager_Heartbeat{Heartbeat: h}})
	if m := tm.next(); m.GetHeartbeat() == nil {
		tm.unexpected("the answer to a heartbeat", m)
	}
}

func (tm *fakeTM) worker(job string, attempt int32, phase controlpb.WorkerPhase, f *planpb.Failure) {
	tm.t.Helper()
	tm.send(&controlpb.FromTaskManager{Kind: &controlpb.FromTaskManager_Worker{Worker: &controlpb.WorkerState{JobId: job, JobAttempt: attempt, Phase: phase,
		DataAddress: "host-" + tm.id + ":4000", Pid: 2, Failure: f}}})
}

func (tm *fakeTM) ready(s *controlpb.StartWorker) {
	tm.t.Helper()
	tm.worker(s.GetJobId(), s.GetJobAttempt(), controlpb.WorkerPhase_WORKER_READY, nil)
}

func (tm *fakeTM) exited(s *controlpb.StartWorker, f *planpb.Failure) {
	tm.t.Helper()
	tm.worker(s.GetJobId(), s.GetJobAttempt(), controlpb.WorkerPhase_WORKER_EXITED, f)
}

// stopped has the worker end as told.
func (tm *fakeTM) stopped(s *controlpb.StartWorker) {
	tm.t.Helper()
	if stop := tm.stopWorker(); stop.GetJobId() != s.GetJobId() {
		tm.t.Fatalf("TaskManager %s: StopWorker of %s, expected %s", tm.id, stop.GetJobId(), s.GetJobId())
	}
	tm.exited(s, nil)
}

// tasks reports one state of tasks; terminal ones need a sequence number.
func (tm *fakeTM) tasks(sequence uint64, state controlpb.ExecutionState, f *planpb.Failure, a []*planpb.Accumulator, ids ...*controlpb.AttemptId) {
	tm.t.Helper()
	m := &controlpb.TaskStates{Sequence: sequence}
	for _, i := range ids {
		m.Tasks = append(m.Tasks, &controlpb.TaskState{Id: i, JobAttempt: i.GetAttempt(), State: state, Failure: f, Accumulators: a})
	}
	tm.send(&controlpb.FromTaskManager{Kind: &controlpb.FromTaskManager_Tasks{Tasks: m}})
}

func (tm *fakeTM) running(ids ...*controlpb.AttemptId) {
	tm.t.Helper()
	tm.tasks(0, controlpb.ExecutionState_STATE_RUNNING, nil, nil, ids...)
}

func (tm *fakeTM) finished(sequence uint64, ids ...*controlpb.AttemptId) {
	tm.t.Helper()
	tm.tasks(sequence, controlpb.ExecutionState_STATE_FINISHED, nil, nil, ids...)
	tm.acknowledged(sequence)
}

// completes reports the job's last tasks; the JobManager has the worker end, then acknowledges.
func (tm *fakeTM) completes(sequence uint64, s *controlpb.StartWorker, ids ...*controlpb.AttemptId) {
	tm.t.Helper()
	tm.tasks(sequence, controlpb.ExecutionState_STATE_FINISHED, nil, nil, ids...)
	tm.stopped(s)
	tm.acknowledged(sequence)
}

func (tm *fakeTM) failed(sequence uint64, f *planpb.Failure, ids ...*controlpb.AttemptId) {
	tm.t.Helper()
	tm.tasks(sequence, controlpb.ExecutionState_STATE_FAILED, f, nil, ids...)
}

// ids of the tasks of a deployment.
func ids(d *controlpb.Deploy) []*controlpb.AttemptId {
	var out []*controlpb.AttemptId
	for _, t := range d.GetTasks() {
		out = append(out, t.GetId())
	}
	return out
}

func user(text string) *planpb.Failure {
	return &planpb.Failure{Domain: planpb.FailureDomain_USER, Message: text, Stack: "main.go:1", TimestampMs: 1}
}

func external(text string) *planpb.Failure {
	return &planpb.Failure{Domain: planpb.FailureDomain_EXTERNAL, Retryable: true, Message: text, TimestampMs: 1}
}

// up brings an attempt of a job to RUNNING tasks on these TaskManagers.
func up(tms ...*fakeTM) (workers []*controlpb.StartWorker, tasks [][]*controlpb.AttemptId) {
	for _, tm := range tms {
		tm.t.Helper()
		s := tm.startWorker()
		workers = append(workers, s)
		tm.ready(s)
	}
	for _, tm := range tms {
		list := ids(tm.deployed())
		tasks = append(tasks, list)
		tm.running(list...)
		tm.beat(&controlpb.Heartbeat{})
	}
	return workers, tasks
}
