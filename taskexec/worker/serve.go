package worker

import (
	"bufio"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/weft-project/weft/graph"
	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/internal/fs"
	"github.com/weft-project/weft/internal/procstat"
	"github.com/weft-project/weft/internal/spill"
	"github.com/weft-project/weft/internal/stacks"
	"github.com/weft-project/weft/network"
	"github.com/weft-project/weft/operator"
	"github.com/weft-project/weft/rpc/controlpb"
	"github.com/weft-project/weft/rpc/planpb"
	"github.com/weft-project/weft/rpc/wire"
	"github.com/weft-project/weft/security"
)

// metricsInterval is how often a worker tells its TaskManager the totals of its tasks.
const metricsInterval = time.Second

// Link is a worker's connection to its TaskManager. It is opened before main runs, so that a main that hangs can not keep the
// process alive when the TaskManager is gone (W6).
type Link struct {
	conn    net.Conn
	writing sync.Mutex
	started chan *controlpb.WorkerStart
	inbox   chan *controlpb.ToWorker
	seq     uint64
	gone    chan struct{} // closed when the TaskManager is gone and exit has returned, as it does in tests

	once  sync.Once
	start *controlpb.WorkerStart

	tokens tokens
}

// Versions of the protocol and the SDK as the hello carries them.
type Versions struct {
	Major, Minor uint32
	SDK          string
}

// NewLink takes over the inherited socket, says hello, and starts reading; exit ends the process when the TaskManager is
// gone.
func NewLink(fd int, v Versions, exit func(code int)) (*Link, error) {
	f := os.NewFile(uintptr(fd), "taskmanager")
	conn, err := net.FileConn(f)
	_ = f.Close() // FileConn has its own copy
	if err != nil {
		return nil, fmt.Errorf("socket to the TaskManager: %w", err)
	}
	l := &Link{conn: conn, started: make(chan *controlpb.WorkerStart, 1), inbox: make(chan *controlpb.ToWorker, 64), gone: make(chan struct{})}
	hello := &controlpb.WorkerHello{ProtocolMajor: v.Major, ProtocolMinor: v.Minor, SdkVersion: v.SDK, Pid: int32(os.Getpid())}
	if err := l.send(&controlpb.FromWorker{Kind: &controlpb.FromWorker_Hello{Hello: hello}}); err != nil {
		return nil, err
	}
	go l.read(exit)
	return l, nil
}

// read hands messages on until the socket ends, and the process with it.
func (l *Link) read(exit func(code int)) {
	r := bufio.NewReader(l.conn)
	for {
		m := &controlpb.ToWorker{}
		if err := wire.Read(r, m); err != nil {
			if !errors.Is(err, io.EOF) {
				fmt.Fprintln(os.Stderr, "weft worker: connection to the TaskManager:", err)
			}
			exit(0)
			_ = l.conn.Close() // the other end is closed
			close(l.gone)
			return
		}
		if s := m.GetStart(); s != nil {
			l.started <- s
			continue
		}
		if n := m.GetStacks(); n != 0 {
			// Answered here, so that a main that hangs can be looked at. A TaskManager that is gone is noticed above.
			_ = l.send(&controlpb.FromWorker{Kind: &controlpb.FromWorker_Stacks{Stacks: &controlpb.Stacks{Id: n, Text: stacks.All()}}})
			continue
		}
		if data := m.GetHadoopTokens(); len(data) > 0 {
			l.tokens.came(data)
			continue
		}
		l.inbox <- m
	}
}

func (l *Link) send(m *controlpb.FromWorker) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	return wire.Write(l.conn, m)
}

// Start waits for the first message: what this worker is to do.
func (l *Link) Start() *controlpb.WorkerStart {
	l.once.Do(func() {
		l.start = <-l.started
		applyShare(l.start.GetShare())
	})
	return l.start
}

func applyShare(s *controlpb.ResourceShare) {
	if s.GetMemory() > 0 {
		debug.SetMemoryLimit(s.GetMemory())
	}
	if s.GetProcessors() > 0 {
		runtime.GOMAXPROCS(int(s.GetProcessors()))
	}
}

// Refuse tells the TaskManager that this worker can not serve: the author's main builds another graph (W4), or none.
func (l *Link) Refuse(message string) error {
	s := l.Start()
	return l.send(&controlpb.FromWorker{Kind: &controlpb.FromWorker_State{State: &controlpb.WorkerState{
		JobId: s.GetJobId(), JobAttempt: s.GetJobAttempt(), Phase: controlpb.WorkerPhase_WORKER_EXITED, Pid: int32(os.Getpid()),
		Failure: &planpb.Failure{Domain: planpb.FailureDomain_USER, Message: message, Host: s.GetHost(),
			TaskmanagerId: s.GetTaskmanagerId(), TimestampMs: time.Now().UnixMilli()}}}})
}

// Serve runs the deployed graph's tasks until the TaskManager ends the process (W1). It returns only with a reason why it can
// not serve, or where exit did not end the process.
func (l *Link) Serve(p *operator.Program, files *fs.Registry, log *slog.Logger) error {
	s := l.Start()
	if subtle.ConstantTimeCompare(s.GetGraph().GetFingerprint(), p.Graph.GetFingerprint()) != 1 {
		return fmt.Errorf("main built another graph here than where the job was submitted (what it takes from the outside "+
			"world must go through stream.Captured):\n%s", graph.Difference(s.GetGraph().GetCanonical(), p.Graph.GetCanonical()))
	}
	job, err := id.ParseJob(s.GetJobId())
	if err != nil {
		return err
	}
	n := networkConfig(s.GetConfig())
	n.Listen, n.Secret, n.Job, n.JobAttempt, n.Log = s.GetDataListen(), security.Secret(s.GetJobSecret()), job, int(s.GetJobAttempt()), log
	m, err := network.NewManager(n)
	if err != nil {
		return err
	}
	p.Graph = s.GetGraph()
	r := NewRuntime(Config{Job: job, JobAttempt: int(s.GetJobAttempt()), Program: p, Manager: m, Files: files, Log: log,
		Config: s.GetConfig(), Memory: s.GetShare().GetMemory(), Spill: spill.NewSpace(tempDirs(s.GetWorkDir())...), Host: s.GetHost(), TaskManager: s.GetTaskmanagerId(), Report: l.report, Checkpoint: l.reportCheckpoint})
	ready := &controlpb.WorkerState{JobId: s.GetJobId(), JobAttempt: s.GetJobAttempt(), Phase: controlpb.WorkerPhase_WORKER_READY,
		DataAddress: m.Addr(), Pid: int32(os.Getpid())}
	if err := l.send(&controlpb.FromWorker{Kind: &controlpb.FromWorker_State{State: ready}}); err != nil {
		return err
	}
	l.serve(r)
	r.Close()
	return m.Close()
}

// serve returns when the TaskManager is gone.
func (l *Link) serve(r *Runtime) {
	tick := time.NewTicker(metricsInterval)
	defer tick.Stop()
	for {
		select {
		case <-l.gone:
			return
		case m := <-l.inbox:
			l.handle(r, m)
		case <-tick.C:
			// A TaskManager that is gone is noticed by the reader.
			_ = l.send(&controlpb.FromWorker{Kind: &controlpb.FromWorker_Metrics{Metrics: &controlpb.WorkerMetrics{Tasks: r.Metrics(), Process: procstat.Read()}}})
		}
	}
}

func (l *Link) handle(r *Runtime, m *controlpb.ToWorker) {
	switch k := m.GetKind().(type) {
	case *controlpb.ToWorker_Deploy:
		if err := r.Deploy(k.Deploy); err != nil {
			for _, t := range k.Deploy.GetTasks() {
				l.report(&controlpb.TaskState{Id: t.GetId(), JobAttempt: k.Deploy.GetJobAttempt(), State: controlpb.ExecutionState_STATE_FAILED,
					Failure: &planpb.Failure{Domain: planpb.FailureDomain_INTERNAL, Message: err.Error(), TimestampMs: time.Now().UnixMilli()}})
			}
		}
	case *controlpb.ToWorker_Checkpoint:
		r.Checkpoint(k.Checkpoint)
	case *controlpb.ToWorker_Cancel:
		r.Cancel(k.Cancel.GetAttempts())
	case *controlpb.ToWorker_Share:
		applyShare(k.Share)
	}
}

// report sends a task's state. Terminal ones carry a sequence number.
func (l *Link) report(s *controlpb.TaskState) {
	l.writing.Lock()
	defer l.writing.Unlock()
	states := &controlpb.TaskStates{Tasks: []*controlpb.TaskState{s}}
	if s.GetMetrics() != nil || s.GetFailure() != nil {
		l.seq++
		states.Sequence = l.seq
	}
	// A TaskManager that is gone is noticed by the reader.
	_ = wire.Write(l.conn, &controlpb.FromWorker{Kind: &controlpb.FromWorker_Tasks{Tasks: states}})
}

// reportCheckpoint sends what a task tells of a checkpoint.
func (l *Link) reportCheckpoint(r *controlpb.CheckpointReport) {
	// A TaskManager that is gone is noticed by the reader.
	_ = l.send(&controlpb.FromWorker{Kind: &controlpb.FromWorker_Checkpoint{Checkpoint: r}})
}
