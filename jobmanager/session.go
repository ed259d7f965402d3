package jobmanager

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/weft-project/weft/graph/execution"
	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/rpc/controlpb"
	"github.com/weft-project/weft/rpc/planpb"
	"github.com/weft-project/weft/rpc/version"
)

// sendQueue and queuePerSlot bound what waits to be sent to one TaskManager; one that does not take it is lost. All its slots may
// be given away at once.
const sendQueue, queuePerSlot = 1024, 4

// taskManager is a registered TaskManager. The loop owns it, except for out and gone.
type taskManager struct {
	id       string
	register *controlpb.Register
	epoch    uint64
	out      chan *controlpb.ToTaskManager
	gone     chan struct{} // closed when the stream ends
	cancel   context.CancelCauseFunc
	heard    time.Time
	rss      int64
	// process are the figures of its processes, heard last at measuredAt; cpuLoad is what they used of their cores just before.
	process    *controlpb.ProcessMetrics
	measuredAt time.Time
	cpuLoad    float64
	// slots holds the job of each slot; nil is free.
	slots     []*job
	idleSince time.Time
	// draining is why it gets no more jobs; empty when it does.
	draining string
}

// send queues a message; a full queue ends the session.
func (t *taskManager) send(m *controlpb.ToTaskManager) {
	m.Epoch = t.epoch
	select {
	case t.out <- m:
	default:
		t.cancel(fmt.Errorf("%d messages wait for it and it takes none", cap(t.out)))
	}
}

// usable counts the free slots that jobs may get.
func (t *taskManager) usable() int {
	if t.draining != "" {
		return 0
	}
	return t.free()
}

func (t *taskManager) free() int {
	n := 0
	for _, j := range t.slots {
		if j == nil {
			n++
		}
	}
	return n
}

// control serves the control protocol.
type control struct {
	controlpb.UnimplementedJobManagerServer
	m   *JobManager
	ctx context.Context
}

// Session is the stream of one TaskManager.
func (c *control) Session(stream controlpb.JobManager_SessionServer) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	r := first.GetRegister()
	if refusal := c.m.refusal(r); refusal != "" {
		// The stream ends with the same sentence; whether this message arrives does not matter.
		_ = stream.Send(&controlpb.ToTaskManager{Epoch: c.m.o.Epoch, Kind: &controlpb.ToTaskManager_Refused{Refused: refusal}})
		return status.Error(codes.FailedPrecondition, refusal)
	}
	ctx, cancel := context.WithCancelCause(stream.Context())
	defer cancel(nil)
	stop := context.AfterFunc(c.ctx, func() { cancel(errStopped) })
	defer stop()
	tm := &taskManager{id: r.GetTaskmanagerId(), register: r, epoch: c.m.o.Epoch, out: make(chan *controlpb.ToTaskManager, sendQueue+queuePerSlot*r.GetSlots()),
		gone: make(chan struct{}), cancel: cancel, heard: time.Now(), slots: make([]*job, r.GetSlots()), idleSince: time.Now()}
	go func() {
		defer cancel(nil)
		for {
			select {
			case m := <-tm.out:
				if stream.Send(m) != nil {
					return // Recv ends too and tells why
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	c.m.l.post(func() { c.m.taskManagerRegistered(tm) })
	received := make(chan error, 1)
	go func() {
		for {
			msg, err := stream.Recv()
			if err != nil {
				received <- err
				return
			}
			c.m.l.post(func() { c.m.receive(tm, msg) })
		}
	}()
	select {
	case err = <-received:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	// The sender is not waited for: a TaskManager that takes nothing more holds it until this function has returned.
	cancel(nil)
	close(tm.gone)
	c.m.l.post(func() {
		c.m.loseTaskManager(tm, fmt.Sprintf("the connection to the TaskManager ended: %v", status.Convert(err).Message()))
	})
	return nil
}

// refusal says why a TaskManager can not be taken; empty when it can.
func (m *JobManager) refusal(r *controlpb.Register) string {
	switch {
	case r == nil:
		return "the first message of a TaskManager must be its registration"
	case r.GetProtocolMajor() != version.Major:
		return fmt.Sprintf("TaskManager %s speaks control protocol %d.%d, this JobManager %d.%d", r.GetTaskmanagerId(), r.GetProtocolMajor(),
			r.GetProtocolMinor(), version.Major, version.Minor)
	case r.GetTaskmanagerId() == "" || r.GetSlots() < 1 || r.GetSlots() > 1<<12:
		return fmt.Sprintf("TaskManager %q with %d slots: expected an id and 1 to 4096 slots", r.GetTaskmanagerId(), r.GetSlots())
	case r.GetHighestEpoch() > m.o.Epoch:
		return fmt.Sprintf("TaskManager %s has seen epoch %d, this JobManager has %d", r.GetTaskmanagerId(), r.GetHighestEpoch(), m.o.Epoch)
	}
	return ""
}

func (m *JobManager) taskManagerRegistered(tm *taskManager) {
	if old := m.tms[tm.id]; old != nil {
		m.loseTaskManager(old, "it registered again")
	}
	m.returned(tm)
	delete(m.pending, tm.id)
	delete(m.lost, tm.id)
	m.tms[tm.id] = tm
	m.watch(tm.id)
	tm.draining = m.draining[tm.id]
	m.refused = ""
	tm.send(&controlpb.ToTaskManager{Kind: &controlpb.ToTaskManager_Registered{Registered: &controlpb.Registered{
		HeartbeatIntervalMs: m.s.heartbeatInterval.Milliseconds(), HeartbeatTimeoutMs: m.s.heartbeatTimeout.Milliseconds(),
		LeaderlessTimeoutMs: m.s.leaderless.Milliseconds()}}})
	m.sendHadoopTokens(tm)
	m.o.Log.Info("TaskManager registered", "taskmanager", tm.id, "host", tm.register.GetHost(), "slots", len(tm.slots))
	// What still runs there from before the connection broke is not known to any job any more: the jobs were failed then.
	for _, w := range tm.register.GetWorkers() {
		tm.send(&controlpb.ToTaskManager{Kind: &controlpb.ToTaskManager_StopWorker{StopWorker: &controlpb.StopWorker{JobId: w.GetJobId(),
			Reason: "left over from before the connection was lost"}}})
	}
	m.schedule()
}

// receive handles a message of a TaskManager.
func (m *JobManager) receive(tm *taskManager, msg *controlpb.FromTaskManager) {
	if m.tms[tm.id] != tm {
		return // a session that was replaced
	}
	tm.heard = time.Now()
	switch k := msg.GetKind().(type) {
	case *controlpb.FromTaskManager_Heartbeat:
		tm.rss = k.Heartbeat.GetRss()
		for _, w := range k.Heartbeat.GetWorkers() {
			tm.rss += w.GetRss()
		}
		for _, t := range k.Heartbeat.GetMetrics() {
			if j := m.jobOf(t.GetAttempt().GetJobId()); j != nil {
				// What a task said at its end is final; a heartbeat may carry what its worker said before.
				if a := j.x.Find(t.GetAttempt()); a != nil && !execution.TaskEnded(a.State) {
					a.Metrics = t
					if list := t.GetAccumulators(); list != nil {
						a.Accumulators = list
					}
				}
			}
		}
		if p := k.Heartbeat.GetProcess(); p != nil {
			tm.measured(p, tm.heard)
		}
		tm.send(&controlpb.ToTaskManager{Kind: &controlpb.ToTaskManager_Heartbeat{Heartbeat: &controlpb.HeartbeatReply{}}})
	case *controlpb.FromTaskManager_Worker:
		if j := m.jobOf(k.Worker.GetJobId()); j != nil {
			m.workerChanged(j, tm, k.Worker)
		}
	case *controlpb.FromTaskManager_Tasks:
		for _, t := range k.Tasks.GetTasks() {
			if j := m.jobOf(t.GetId().GetJobId()); j != nil {
				m.taskChanged(j, t)
			}
		}
		if k.Tasks.GetSequence() > 0 {
			tm.send(&controlpb.ToTaskManager{Kind: &controlpb.ToTaskManager_Acknowledged{Acknowledged: k.Tasks.GetSequence()}})
		}
	case *controlpb.FromTaskManager_Checkpoint:
		if j := m.jobOf(k.Checkpoint.GetJobId()); j != nil {
			j.cp.report(k.Checkpoint)
		}
	case *controlpb.FromTaskManager_Planned:
		m.planned(tm, k.Planned)
	case *controlpb.FromTaskManager_File:
		m.fileReplied(tm, k.File)
	case *controlpb.FromTaskManager_EpochRefused:
		m.end(fmt.Errorf("TaskManager %s has seen epoch %d, higher than %d: %w", tm.id, k.EpochRefused.GetSeen(), m.o.Epoch, errSuperseded))
	}
}

func (m *JobManager) jobOf(text string) *job {
	jid, err := id.ParseJob(text)
	if err != nil {
		return nil
	}
	return m.jobs[jid]
}

// loseTaskManager takes a TaskManager out: its slots are gone and the jobs that held them fail.
func (m *JobManager) loseTaskManager(tm *taskManager, reason string) {
	if m.tms[tm.id] != tm {
		return
	}
	delete(m.tms, tm.id)
	tm.cancel(nil)
	m.dropFileRequests(tm, reason)
	m.losePlannings(tm, reason)
	m.fence(tm.id, time.Now())
	if m.o.Driver != nil {
		m.lost[tm.id] = lostTaskManager{since: time.Now(), text: lostText(tm.id, reason)}
	}
	m.o.Log.Warn("TaskManager lost", "taskmanager", tm.id, "reason", reason)
	for _, j := range m.order {
		if w := j.workers[tm.id]; w != nil {
			m.workerLost(j, tm, reason)
		}
	}
	m.schedule()
}

// lostTaskManager is one that is gone for us while the platform has not said yet that its container has ended.
type lostTaskManager struct {
	since time.Time
	text  string // what the jobs were told
}

func lostText(id, reason string) string {
	return fmt.Sprintf("TaskManager %s was lost: %s", id, reason)
}

// explain puts what the platform says in the place of what was told when the connection ended: it knows better.
func (m *JobManager) explain(id, told, reason string) {
	for _, j := range m.order {
		for i, f := range j.failures {
			if f.GetTaskmanagerId() != id || f.GetMessage() != told {
				continue
			}
			better := proto.Clone(f).(*planpb.Failure)
			better.Message = lostText(id, reason)
			j.failures[i] = better
			if j.cause == f {
				j.cause = better
			}
			if j.result == nil {
				j.note(better.Message)
			}
		}
	}
}

// releaseLost gives back the containers of TaskManagers that did not come, or did not come back: as long as a container
// lives, the driver asks for no other.
func (m *JobManager) releaseLost(now time.Time) {
	if m.o.Driver == nil {
		return
	}
	for id, l := range m.lost {
		if now.Sub(l.since) > m.s.heartbeatTimeout {
			m.o.Log.Warn("releasing a TaskManager that did not come back", "taskmanager", id)
			delete(m.lost, id)
			m.o.Driver.Release(id)
		}
	}
	for id, since := range m.pending {
		if now.Sub(since) > m.s.registration {
			m.o.Log.Warn("releasing a TaskManager that did not register", "taskmanager", id, "after", m.s.registration)
			delete(m.pending, id)
			m.o.Driver.Release(id)
		}
	}
}
