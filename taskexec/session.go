package taskexec

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/weft-project/weft/rpc/controlpb"
	"github.com/weft-project/weft/rpc/version"
)

const (
	// maxMessage bounds one control message, in bytes.
	maxMessage = 64 << 20
	// sendQueue is how many messages may wait for a slow connection before it is given up.
	sendQueue = 4096
	// goodbyeLimit bounds how long an end waits until the JobManager has heard of it.
	goodbyeLimit = 2 * time.Second
	// firstPause and lastPause bound the time between two attempts to connect.
	firstPause, lastPause = 100 * time.Millisecond, 3 * time.Second
)

// session is one connection to a JobManager.
type session struct {
	out  chan *controlpb.FromTaskManager
	drop context.CancelCauseFunc
	// finish is closed when nothing more will be sent.
	finish chan struct{}
}

// errLeft ends a session that this TaskManager has left.
var errLeft = errors.New("left")

// send queues a message; a leader that does not take messages loses the connection.
func (s *session) send(msg *controlpb.FromTaskManager) {
	select {
	case s.out <- msg:
	default:
		s.drop(errors.New("the JobManager does not take messages"))
	}
}

// send tells the leader, if there is one.
func (m *manager) send(msg *controlpb.FromTaskManager) {
	if m.session != nil {
		msg.Epoch = m.epoch
		m.session.send(msg)
	}
}

// connect keeps a session with the leader until ctx ends.
func (m *manager) connect(ctx context.Context) {
	pause := firstPause
	for ctx.Err() == nil {
		began := time.Now()
		err := m.once(ctx)
		if ctx.Err() != nil || errors.Is(err, errLeft) {
			return
		}
		if status.Code(err) == codes.FailedPrecondition {
			m.end(fmt.Errorf("the JobManager refused this TaskManager: %s", status.Convert(err).Message()))
			return
		}
		m.o.Log.Warn("no connection to the JobManager", "error", err)
		if time.Since(began) > lastPause {
			pause = firstPause
		}
		// Half of the pause is by chance: many TaskManagers look for one new leader.
		t := time.NewTimer(pause/2 + rand.N(pause))
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return
		}
		pause = min(2*pause, lastPause)
	}
}

// once is one connection from dialling to its end.
func (m *manager) once(ctx context.Context) error {
	conn, addr, err := m.dial(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx, drop := context.WithCancelCause(ctx)
	defer drop(nil)
	stream, err := controlpb.NewJobManagerClient(conn).Session(ctx)
	if err != nil {
		return fmt.Errorf("JobManager %s: %w", addr, err)
	}
	s := &session{out: make(chan *controlpb.FromTaskManager, sendQueue), drop: drop, finish: make(chan struct{})}
	m.post(func() { m.opened(s) })
	defer m.post(func() { m.closed(s) })
	go s.write(ctx, stream)
	go m.heartbeats(ctx, s)
	for {
		msg, err := stream.Recv()
		if err != nil {
			select {
			case <-s.finish:
				return errLeft
			default:
			}
			if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
				return fmt.Errorf("JobManager %s: %w", addr, cause)
			}
			return err
		}
		m.post(func() { m.receive(s, msg) })
	}
}

// write sends what is queued until ctx ends, or all of it when the session is finished.
func (s *session) write(ctx context.Context, stream controlpb.JobManager_SessionClient) {
	for {
		select {
		case msg := <-s.out:
			if stream.Send(msg) != nil {
				return // Recv tells why
			}
		case <-s.finish:
			for {
				select {
				case msg := <-s.out:
					if stream.Send(msg) != nil {
						return
					}
				default:
					_ = stream.CloseSend() // Recv tells the end
					return
				}
			}
		case <-ctx.Done():
			return
		}
	}
}

// heartbeatInterval is used until the leader names another.
const heartbeatInterval = time.Second

// heartbeats posts a heartbeat each second: what pages show should be fresh, and the leader's own interval is longer.
func (m *manager) heartbeats(ctx context.Context, s *session) {
	t := time.NewTicker(heartbeatInterval)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			m.post(func() { m.heartbeat(s) })
		case <-ctx.Done():
			return
		}
	}
}

// opened registers with a new leader.
func (m *manager) opened(s *session) {
	m.session = s
	r := &controlpb.Register{ProtocolMajor: version.Major, ProtocolMinor: version.Minor, Version: m.o.Version,
		TaskmanagerId: m.o.ID, Host: m.o.Host, Pid: int32(os.Getpid()), Slots: int32(m.o.Slots), CpuCores: float64(m.o.VCores),
		PhysicalMemory: physicalMemory(), ProcessMemory: m.o.ProcessMemory, SlotMemory: m.share(1), HighestEpoch: m.epoch, LogUrl: m.o.LogURL}
	for _, w := range m.workers {
		r.Workers = append(r.Workers, w.state())
	}
	m.send(&controlpb.FromTaskManager{Kind: &controlpb.FromTaskManager_Register{Register: r}})
	for _, states := range m.unacked {
		m.send(&controlpb.FromTaskManager{Kind: &controlpb.FromTaskManager_Tasks{Tasks: states}})
	}
}

// closed forgets a connection.
func (m *manager) closed(s *session) {
	if m.session == s {
		m.session = nil
		// The JobManager gives them up too.
		m.endPlans("the connection to the JobManager was lost")
	}
}
