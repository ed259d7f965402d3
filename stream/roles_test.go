package stream_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/internal/role"
	"github.com/weft-project/weft/rpc/controlpb"
	"github.com/weft-project/weft/rpc/planpb"
	"github.com/weft-project/weft/rpc/version"
	"github.com/weft-project/weft/rpc/wire"
	"github.com/weft-project/weft/stream"
)

// Environment of a copy of this test that plays a job binary.
const (
	envProgram = "WEFT_TEST_PROGRAM" // which of jobBinary's turns main takes
	envDiary   = "WEFT_TEST_DIARY"   // a file in which it writes down what it does to the outside world
)

func TestMain(m *testing.M) {
	if program := os.Getenv(envProgram); program != "" {
		if err := jobBinary(program); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func diary(line string) error {
	f, err := os.OpenFile(os.Getenv(envDiary), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(f, line)
	return errors.Join(err, f.Close())
}

// jobBinary is an author's main with two jobs: the second is shaped by the first one's result and a captured value.
func jobBinary(program string) error {
	capture := func(name string, value int) (int, error) {
		return stream.Captured(name, func() (int, error) { return value, diary("captured " + name) })
	}
	names := []string{"first", "second"}
	if program == "swapped" {
		names = []string{"second", "first"}
	}
	if _, err := capture(names[0], 5); err != nil {
		return err
	}
	if err := stream.Once("table", func() error { return diary("once table") }); err != nil {
		return err
	}
	wide, err := capture(names[1], 2)
	if err != nil {
		return err
	}
	env := stream.New()
	s := stream.MapWith(stream.Generate(env, "numbers", 30, func(i int64) int64 { return i }), "count", func(c *stream.Context) func(int64) int64 {
		n := c.Counter("n")
		return func(v int64) int64 { n.Add(1); return v }
	})
	switch program {
	case "different":
		s = stream.Filter(s, "only here", func(int64) bool { return true })
	case "bad graph":
		stream.Map(s, "loose end", func(v int64) int64 { return v })
	}
	stream.Discard(s, "end")
	r, err := env.Execute(context.Background(), "first job")
	if err != nil {
		return err
	}
	if err := diary(fmt.Sprintf("first job: n=%d detached=%t id=%.4s", r.Counter("n"), r.Detached, r.JobID)); err != nil {
		return err
	}
	env = stream.New()
	stream.Discard(stream.Generate(env, "more", r.Counter("n"), func(i int64) int64 { return i }, stream.Parallelism(wide)), "end")
	env.SetParallelism(max(1, int(r.Counter("n")/10)))
	r, err = env.Execute(context.Background(), "second job")
	if err != nil {
		return err
	}
	return diary(fmt.Sprintf("second job: %v", r.Accumulators()))
}

// process is a job binary and the socket it has inherited.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	conn   net.Conn
	in     *bufio.Reader
	stderr bytes.Buffer
	diary  string
}

func startBinary(t *testing.T, program string, r role.Role) *process {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "ours"), os.NewFile(uintptr(fds[1]), "theirs")
	p := &process{t: t, diary: filepath.Join(t.TempDir(), "diary")}
	p.conn, err = net.FileConn(ours)
	if err := errors.Join(err, ours.Close()); err != nil {
		t.Fatal(err)
	}
	if err := p.conn.SetDeadline(time.Now().Add(2 * time.Minute)); err != nil {
		t.Fatal(err)
	}
	p.in = bufio.NewReader(p.conn)
	p.cmd = exec.CommandContext(t.Context(), os.Args[0])
	// The race detector would wait a second at the end of each process.
	p.cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0", role.EnvRole+"="+string(r), role.EnvFD+"=3", envProgram+"="+program, envDiary+"="+p.diary)
	p.cmd.ExtraFiles = []*os.File{theirs}
	p.cmd.Stderr = &p.stderr
	err = p.cmd.Start()
	if err := errors.Join(err, theirs.Close()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.conn.Close() // most tests have closed it; a worker ends with it
		_ = p.cmd.Wait()   // and most have waited
	})
	return p
}

// wait expects the process's end.
func (p *process) wait(code int) {
	p.t.Helper()
	_ = p.cmd.Wait() // the code is what counts
	if got := p.cmd.ProcessState.ExitCode(); got != code {
		p.t.Errorf("exit code %d, expected %d; it said %s", got, code, p.stderr.String())
	}
}

// text is what the binary wrote to standard error, after its end.
func (p *process) text() string {
	_ = p.conn.Close() // a worker ends with it
	_ = p.cmd.Wait()   // it may have been waited for
	return p.stderr.String()
}

// said compares what the binary did to the outside world.
func (p *process) said(want ...string) {
	p.t.Helper()
	data, err := os.ReadFile(p.diary)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		p.t.Fatal(err)
	}
	if got := strings.TrimSpace(string(data)); got != strings.Join(want, "\n") {
		p.t.Errorf("the program did\n%s\nexpected\n%s", got, strings.Join(want, "\n"))
	}
}

func (p *process) graph() *planpb.JobGraph {
	p.t.Helper()
	m := &planpb.FromPlan{}
	if err := wire.Read(p.in, m); err != nil || m.GetGraph() == nil {
		p.t.Fatalf("instead of a graph %v: %v; the program said %s", m, err, p.text())
	}
	return m.GetGraph()
}

func (p *process) answer(m *planpb.ToPlan) {
	p.t.Helper()
	if err := wire.Write(p.conn, m); err != nil {
		p.t.Fatal(err)
	}
}

// firstResult is the one that the second job is shaped by.
func firstResult() *planpb.JobResult {
	return &planpb.JobResult{JobId: strings.Repeat("ab", 16), Status: planpb.JobStatus_FINISHED,
		Accumulators: []*planpb.Accumulator{{Name: "n", Type: "LongCounter", LongValue: 30, Value: "30"}}}
}

// plan plays the client until both jobs have ended, and gives their graphs.
func planned(t *testing.T) [2]*planpb.JobGraph {
	t.Helper()
	p := startBinary(t, "main", role.Plan)
	var graphs [2]*planpb.JobGraph
	for i := range graphs {
		graphs[i] = p.graph()
		if int(graphs[i].GetExecuteCall()) != i {
			t.Fatalf("graph of call %d, expected %d", graphs[i].GetExecuteCall(), i)
		}
		p.answer(&planpb.ToPlan{Kind: &planpb.ToPlan_Submitted{Submitted: &planpb.Submitted{JobId: strings.Repeat("ab", 16)}}})
		p.answer(&planpb.ToPlan{Kind: &planpb.ToPlan_Result{Result: firstResult()}})
	}
	p.wait(0)
	p.said("captured first", "once table", "captured second", "first job: n=30 detached=false id=abab", "second job: map[n:30]")
	return graphs
}

// The plan hands over each graph, with what was captured, and main goes on with the results.
func TestPlanRole(t *testing.T) {
	graphs := planned(t)
	for i, g := range graphs {
		var names []string
		for _, c := range g.GetCaptured() {
			names = append(names, c.GetName()+"="+string(c.GetValue()))
		}
		if fmt.Sprint(names, g.GetOnce()) != "[first=5 second=2] [table]" {
			t.Errorf("graph %d: captured %v, once %v", i, names, g.GetOnce())
		}
		if g.GetProtocolMajor() != version.Major || g.GetProtocolMinor() != version.Minor || len(g.GetFingerprint()) != 32 {
			t.Errorf("graph %d of protocol %d.%d, fingerprint %x", i, g.GetProtocolMajor(), g.GetProtocolMinor(), g.GetFingerprint())
		}
	}
	if v := graphs[1].GetVertices(); len(v) != 2 || v[0].GetParallelism() != 2 || v[1].GetParallelism() != 3 {
		t.Errorf("the second graph does not follow from the first result: %s", graphs[1].GetCanonical())
	}
}

// A client that does not wait lets main go on; one that refuses tells why.
func TestPlanRoleDetachedAndRejected(t *testing.T) {
	p := startBinary(t, "main", role.Plan)
	p.graph()
	p.answer(&planpb.ToPlan{Kind: &planpb.ToPlan_Submitted{Submitted: &planpb.Submitted{JobId: strings.Repeat("cd", 16), Detached: true}}})
	p.graph()
	p.answer(&planpb.ToPlan{Kind: &planpb.ToPlan_Rejected{Rejected: "the queue is full"}})
	p.wait(1)
	p.said("captured first", "once table", "captured second", "first job: n=0 detached=true id=cdcd")
	if !strings.Contains(p.text(), "the queue is full") {
		t.Errorf("main was told %q", p.text())
	}
}

// A bad graph is told to the client and to main.
func TestPlanRoleBadGraph(t *testing.T) {
	p := startBinary(t, "bad graph", role.Plan)
	m := &planpb.FromPlan{}
	if err := wire.Read(p.in, m); err != nil {
		t.Fatal(err)
	}
	const want = `stream/roles_test.go:`
	if got := m.GetError().GetMessage(); !strings.HasPrefix(got, want) || !strings.Contains(got, `operator "loose end": nothing consumes its output`) {
		t.Errorf("the client is told %q, expected the author's line", got)
	}
	p.wait(1)
	if !strings.Contains(p.text(), "nothing consumes its output") {
		t.Errorf("main was told %q", p.text())
	}
}

// startWorker starts a worker of a job and reads its hello and its state.
func startWorker(t *testing.T, program string, g *planpb.JobGraph, previous ...*planpb.JobResult) (*process, *controlpb.WorkerState) {
	t.Helper()
	p := startBinary(t, program, role.Worker)
	hello := &controlpb.FromWorker{}
	if err := wire.Read(p.in, hello); err != nil || hello.GetHello().GetSdkVersion() != stream.Version || int(hello.GetHello().GetPid()) != p.cmd.Process.Pid {
		t.Fatalf("instead of a hello %v: %v; it said %s", hello, err, p.text())
	}
	start := &controlpb.WorkerStart{JobId: id.NewJob().String(), Graph: g, PreviousResults: previous, JobSecret: bytes.Repeat([]byte{9}, 32),
		DataListen: "127.0.0.1:0", Config: g.GetConfig()}
	if err := wire.Write(p.conn, &controlpb.ToWorker{Kind: &controlpb.ToWorker_Start{Start: start}}); err != nil {
		t.Fatal(err)
	}
	state := &controlpb.FromWorker{}
	if err := wire.Read(p.in, state); err != nil {
		return p, nil
	}
	return p, state.GetState()
}

// A worker of either job runs the same main, does nothing to the outside world and never leaves Execute (W1, W3); it ends
// with its TaskManager (W6).
func TestWorkerRole(t *testing.T) {
	graphs := planned(t)
	for call, g := range graphs {
		p, state := startWorker(t, "main", g, []*planpb.JobResult{firstResult()}[:call]...)
		if state.GetPhase() != controlpb.WorkerPhase_WORKER_READY || state.GetDataAddress() == "" {
			t.Fatalf("call %d: state %v; it said %s", call, state, p.text())
		}
		if err := p.conn.Close(); err != nil {
			t.Fatal(err)
		}
		p.wait(0)
		if call == 0 {
			p.said()
		} else {
			p.said("first job: n=30 detached=false id=abab")
		}
	}
}

// A main that builds another graph than in the plan is refused (W4), as is one that captures in another order (W3) and one
// whose earlier results were not recorded.
func TestWorkerRoleRefuses(t *testing.T) {
	graphs := planned(t)
	p, state := startWorker(t, "different", graphs[0])
	f := state.GetFailure()
	if state.GetPhase() != controlpb.WorkerPhase_WORKER_EXITED || f.GetDomain() != planpb.FailureDomain_USER ||
		!strings.Contains(f.GetMessage(), "main built another graph here") || !strings.Contains(f.GetMessage(), "only here") {
		t.Errorf("state %v; it said %s", state, p.text())
	}
	p, state = startWorker(t, "main", graphs[1])
	if state.GetPhase() != controlpb.WorkerPhase_WORKER_EXITED || !strings.Contains(state.GetFailure().GetMessage(), "the result of Execute call 0 was not recorded") {
		t.Errorf("state %v; it said %s", state, p.text())
	}
	p, state = startWorker(t, "swapped", graphs[0])
	p.wait(1)
	if state != nil || !strings.Contains(p.text(), `captured value "second": was not captured when the job was submitted; calls must come in the same order`) {
		t.Errorf("state %v; it said %s", state, p.text())
	}
	p.said()
}

// A role that is none, or without its socket, is an error before main runs.
func TestUnknownRole(t *testing.T) {
	for r, want := range map[string]string{"boss": `WEFT_ROLE="boss": expected nothing, "plan" or "worker"`, "plan": `WEFT_ROLE_FD="": expected the number of an inherited socket`} {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), role.EnvRole+"="+r, envProgram+"=main", envDiary+"="+filepath.Join(t.TempDir(), "diary"))
		out, err := cmd.CombinedOutput()
		if err == nil || cmd.ProcessState.ExitCode() != 2 || !strings.Contains(string(out), want) {
			t.Errorf("role %q: %v, %s", r, err, out)
		}
	}
}
