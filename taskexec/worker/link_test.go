package worker_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/weft-project/weft/graph/execution"
	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/operator"
	"github.com/weft-project/weft/rpc/controlpb"
	"github.com/weft-project/weft/rpc/planpb"
	"github.com/weft-project/weft/rpc/wire"
	"github.com/weft-project/weft/stream"
	"github.com/weft-project/weft/taskexec/worker"
)

// taskManager is the other end of a Link.
type taskManager struct {
	t     *testing.T
	conn  net.Conn
	in    *bufio.Reader
	link  *worker.Link
	exits chan int
	// data is where the worker listens, once it is ready.
	data string
}

// startLink opens a Link over a socket pair, as an inherited socket is.
func startLink(t *testing.T) *taskManager {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fds[0]), "taskmanager's end")
	conn, err := net.FileConn(f)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	m := &taskManager{t: t, conn: conn, in: bufio.NewReader(conn), exits: make(chan int, 1)}
	if err := conn.SetDeadline(time.Now().Add(2 * time.Minute)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() }) // some tests have closed it
	m.link, err = worker.NewLink(fds[1], worker.Versions{Major: 1, Minor: 2, SDK: "3.4"}, func(code int) { m.exits <- code })
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// read gives the next message of the worker that is not about metrics.
func (m *taskManager) read() *controlpb.FromWorker {
	m.t.Helper()
	for {
		from := &controlpb.FromWorker{}
		if err := wire.Read(m.in, from); err != nil {
			m.t.Fatalf("from the worker: %v", err)
		}
		if from.GetMetrics() == nil {
			return from
		}
	}
}

func (m *taskManager) send(to *controlpb.ToWorker) {
	m.t.Helper()
	if err := wire.Write(m.conn, to); err != nil {
		m.t.Fatal(err)
	}
}

func (m *taskManager) hello() {
	m.t.Helper()
	h := m.read().GetHello()
	if h.GetProtocolMajor() != 1 || h.GetProtocolMinor() != 2 || h.GetSdkVersion() != "3.4" || int(h.GetPid()) != os.Getpid() {
		m.t.Fatalf("hello %v", h)
	}
}

// start sends the first message: p's graph as it was deployed.
func (m *taskManager) start(job id.Job, g *planpb.JobGraph) {
	m.t.Helper()
	m.send(&controlpb.ToWorker{Kind: &controlpb.ToWorker_Start{Start: &controlpb.WorkerStart{JobId: job.String(), JobAttempt: 5,
		Graph: proto.CloneOf(g), JobSecret: testSecret, TaskmanagerId: "tm7", Host: "here", DataListen: "127.0.0.1:0", Config: g.GetConfig()}}})
}

// serve starts the worker's half after main has built its graph; the worker is ready when it returns.
func (m *taskManager) serve(job id.Job, p *operator.Program) {
	m.t.Helper()
	m.hello()
	m.start(job, p.Graph)
	served := make(chan error, 1)
	go func() { served <- m.link.Serve(p, localFiles(), logTo(m.t)) }()
	m.t.Cleanup(func() {
		_ = m.conn.Close() // where the test has not got so far
		select {
		case err := <-served:
			if err != nil {
				m.t.Errorf("Serve: %v", err)
			}
		case <-time.After(2 * time.Minute):
			m.t.Error("Serve outlives the TaskManager")
		}
	})
	s := m.read().GetState()
	if s.GetPhase() != controlpb.WorkerPhase_WORKER_READY || s.GetJobId() != job.String() || s.GetJobAttempt() != 5 || int(s.GetPid()) != os.Getpid() {
		m.t.Fatalf("state %v", s)
	}
	if _, port, err := net.SplitHostPort(s.GetDataAddress()); err != nil || port == "0" {
		m.t.Fatalf("data address %q", s.GetDataAddress())
	}
	m.data = s.GetDataAddress()
}

// deployment is every task of the job, for this one worker.
func (m *taskManager) deployment(job id.Job, p *operator.Program) *controlpb.Deploy {
	m.t.Helper()
	j, err := execution.NewJob(job, p.Graph, 0)
	if err != nil {
		m.t.Fatal(err)
	}
	j.Begin(5, 0)
	d := &controlpb.Deploy{JobId: job.String(), JobAttempt: 5}
	tasks, coordinator, address := j.Deployment(func(int) execution.Placement { return execution.Placement{Address: m.data} })
	for _, list := range tasks {
		d.Tasks = append(d.Tasks, list...)
	}
	d.Coordinator, d.CoordinatorAddress = coordinator, address
	return d
}

// states reads task states until n tasks have ended and checks that just the ends carry sequences, one after the other.
func (m *taskManager) states(n int) []*controlpb.TaskState {
	m.t.Helper()
	var ends []*controlpb.TaskState
	last := uint64(0)
	seen := map[string][]controlpb.ExecutionState{}
	for len(ends) < n {
		states := m.read().GetTasks()
		for _, s := range states.GetTasks() {
			key := s.GetId().String()
			seen[key] = append(seen[key], s.GetState())
			ended := execution.TaskEnded(s.GetState())
			switch {
			case ended && states.GetSequence() != last+1:
				m.t.Errorf("%s carries sequence %d, expected %d", s.GetState(), states.GetSequence(), last+1)
			case !ended && states.GetSequence() != 0:
				m.t.Errorf("%s carries sequence %d, expected none", s.GetState(), states.GetSequence())
			}
			if ended {
				last = states.GetSequence()
				ends = append(ends, s)
			}
		}
	}
	for task, list := range seen {
		if !slices.IsSorted(list) {
			m.t.Errorf("task %s went through %v", task, list)
		}
	}
	return ends
}

// ends closes the socket and expects the worker's end (W6).
func (m *taskManager) gone() {
	m.t.Helper()
	if err := m.conn.Close(); err != nil {
		m.t.Fatal(err)
	}
	m.exited()
}

func (m *taskManager) exited() {
	m.t.Helper()
	select {
	case code := <-m.exits:
		if code != 0 {
			m.t.Errorf("exit with %d, expected 0", code)
		}
	case <-time.After(2 * time.Minute):
		m.t.Fatal("the worker outlives its TaskManager")
	}
}

func countingProgram(t *testing.T) *operator.Program {
	return programOf(t, func(env *stream.Env) {
		env.SetParallelism(2)
		s := stream.Generate(env, "numbers", 1000, func(i int64) int64 { return i })
		s = stream.MapWith(stream.Rebalance(s), "count", func(c *stream.Context) func(int64) int64 {
			n := c.Counter("n")
			return func(v int64) int64 { n.Add(1); return v }
		})
		stream.Discard(s, "end")
	})
}

// A job from hello to the last task's end.
func TestLinkRunsAJob(t *testing.T) {
	m, job, p := startLink(t), id.NewJob(), countingProgram(t)
	m.serve(job, p)
	m.send(&controlpb.ToWorker{Kind: &controlpb.ToWorker_Share{Share: &controlpb.ResourceShare{}}})
	m.send(&controlpb.ToWorker{Kind: &controlpb.ToWorker_Deploy{Deploy: m.deployment(job, p)}})
	var n int64
	for _, s := range m.states(4) {
		if s.GetState() != controlpb.ExecutionState_STATE_FINISHED || s.GetJobAttempt() != 5 || s.GetMetrics() == nil || s.GetFailure() != nil {
			t.Errorf("state %v", s)
		}
		for _, a := range s.GetAccumulators() {
			n += a.GetLongValue()
		}
	}
	if n != 1000 {
		t.Errorf("%d records were counted, expected 1000", n)
	}
	for { // metrics come by themselves
		from := &controlpb.FromWorker{}
		if err := wire.Read(m.in, from); err != nil {
			t.Fatal(err)
		}
		if tasks := from.GetMetrics().GetTasks(); len(tasks) == 4 {
			break
		}
	}
	m.gone()
}

// Another graph than the one deployed is refused and the difference told (W4).
func TestLinkRefusesAnotherGraph(t *testing.T) {
	m, job := startLink(t), id.NewJob()
	m.hello()
	deployed := programOf(t, func(env *stream.Env) {
		stream.Discard(stream.Generate(env, "numbers", 1, func(i int64) int64 { return i }), "end")
	})
	m.start(job, deployed.Graph)
	err := m.link.Serve(countingProgram(t), localFiles(), logTo(t))
	if err == nil {
		t.Fatal("served")
	}
	for _, part := range []string{"main built another graph here than where the job was submitted", "stream.Captured", "deployed: vertex", "rebuilt:  vertex", `"count`} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the reason does not say %q: %v", part, err)
		}
	}
	if err := m.link.Refuse(err.Error()); err != nil {
		t.Fatal(err)
	}
	s := m.read().GetState()
	f := s.GetFailure()
	if s.GetPhase() != controlpb.WorkerPhase_WORKER_EXITED || s.GetJobId() != job.String() || s.GetJobAttempt() != 5 ||
		f.GetDomain() != planpb.FailureDomain_USER || f.GetMessage() != err.Error() || f.GetHost() != "here" || f.GetTaskmanagerId() != "tm7" {
		t.Errorf("state %v", s)
	}
	m.gone()
}

// A graph without a fingerprint is no graph of ours.
func TestLinkRefusesAGraphWithoutFingerprint(t *testing.T) {
	m := startLink(t)
	m.hello()
	p := countingProgram(t)
	g := proto.CloneOf(p.Graph)
	g.Fingerprint = nil
	m.start(id.NewJob(), g)
	if err := m.link.Serve(p, localFiles(), logTo(t)); err == nil {
		t.Error("served")
	}
	m.gone()
}

// The end of the socket ends the process although main hangs before Execute (W6).
func TestLinkEndsWithItsTaskManager(t *testing.T) {
	m := startLink(t)
	m.hello()
	m.gone()
}

// What is no message ends the process as well: nothing after it can be trusted.
func TestLinkEndsOnGarbage(t *testing.T) {
	for name, sent := range map[string]string{
		"too long":   "\xff\xff\xff\xff",
		"cut short":  "\x00\x00\x00\x09abc",
		"no message": "\x00\x00\x00\x03\xff\xff\xff",
	} {
		t.Run(name, func(t *testing.T) {
			m := startLink(t)
			m.hello()
			if _, err := io.WriteString(m.conn, sent); err != nil {
				t.Fatal(err)
			}
			if err := m.conn.(*net.UnixConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			m.exited()
		})
	}
}

// A canceled task reports that it was, with a sequence; tasks nobody knows are no error.
func TestLinkCancels(t *testing.T) {
	m, job := startLink(t), id.NewJob()
	var seen atomic.Int64
	p := programOf(t, func(env *stream.Env) {
		env.SetParallelism(1)
		s := stream.Generate(env, "endless", 1<<60, func(i int64) int64 { return i })
		stream.ForEach(stream.Rebalance(s), "end", func(int64) { seen.Add(1) })
	})
	m.serve(job, p)
	d := m.deployment(job, p)
	m.send(&controlpb.ToWorker{Kind: &controlpb.ToWorker_Deploy{Deploy: d}})
	for deadline := time.Now().Add(2 * time.Minute); seen.Load() == 0; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatal("nothing ran")
		}
	}
	cancel := &controlpb.CancelTasks{JobId: job.String(), Attempts: []*controlpb.AttemptId{{JobId: "unknown"}, {JobId: job.String(), VertexId: strings.Repeat("0", 32)}}}
	for _, task := range d.GetTasks() {
		cancel.Attempts = append(cancel.Attempts, task.GetId())
	}
	m.send(&controlpb.ToWorker{Kind: &controlpb.ToWorker_Cancel{Cancel: cancel}})
	for _, s := range m.states(2) {
		if s.GetState() != controlpb.ExecutionState_STATE_CANCELED || s.GetFailure() != nil {
			t.Errorf("state %v", s)
		}
	}
	m.gone()
}

// A panic and a deployment that does not fit are reported as failures, with sequences.
func TestLinkReportsFailures(t *testing.T) {
	m, job := startLink(t), id.NewJob()
	p := programOf(t, func(env *stream.Env) {
		env.SetParallelism(1)
		s := stream.Generate(env, "numbers", 10, func(i int64) int64 { return i })
		stream.ForEach(s, "breaks", func(int64) { panic("no") })
	})
	m.serve(job, p)
	d := m.deployment(job, p)
	bad := proto.CloneOf(d)
	bad.Tasks[0].Id.VertexId = strings.Repeat("0", 32)
	m.send(&controlpb.ToWorker{Kind: &controlpb.ToWorker_Deploy{Deploy: bad}})
	refused := m.read().GetTasks()
	f := refused.GetTasks()[0].GetFailure()
	if refused.GetSequence() != 1 || refused.GetTasks()[0].GetState() != controlpb.ExecutionState_STATE_FAILED || f.GetDomain() != planpb.FailureDomain_INTERNAL ||
		!strings.Contains(f.GetMessage(), "the job has no vertex") {
		t.Errorf("answer to a bad deployment: %v", refused)
	}
	m.send(&controlpb.ToWorker{Kind: &controlpb.ToWorker_Deploy{Deploy: d}})
	for { // sequences go on
		states := m.read().GetTasks()
		s := states.GetTasks()[0]
		if !execution.TaskEnded(s.GetState()) {
			continue
		}
		if states.GetSequence() != 2 || s.GetState() != controlpb.ExecutionState_STATE_FAILED || s.GetFailure().GetMessage() != "panic: no" ||
			s.GetFailure().GetAttempt() != 5 || s.GetFailure().GetTaskmanagerId() != "tm7" {
			t.Errorf("failure %v", states)
		}
		break
	}
	m.gone()
}
