package taskexec

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/weft-project/weft/rpc/controlpb"
	"github.com/weft-project/weft/rpc/planpb"
	"github.com/weft-project/weft/rpc/wire"
)

// playPlan speaks a main's side of the plan protocol.
func playPlan(part string) int {
	switch part {
	case "nothing":
		fmt.Println("no input, nothing to do")
		return 0
	case "exit":
		fmt.Fprintln(os.Stderr, "cannot go on: no licence")
		return 3
	case "panic":
		panic("index out of range")
	case "hang":
		fmt.Println("waiting for a lock that nobody gives back")
		<-time.After(time.Hour)
	case "chatty":
		line := strings.Repeat("x", 1023)
		for range 4096 {
			fmt.Println(line)
		}
		fmt.Fprintln(os.Stderr, "the last words")
		return 4
	case "eat":
		eat()
		return 0
	}
	conn, err := net.FileConn(os.NewFile(3, "plan"))
	if err != nil {
		return 9
	}
	say := func(m *planpb.FromPlan) {
		if err := wire.Write(conn, m); err != nil {
			os.Exit(8)
		}
	}
	if part == "wrong" {
		say(&planpb.FromPlan{Kind: &planpb.FromPlan_Error{Error: &planpb.PlanError{Message: "a stream has no sink", DeclaredAt: "main.go:7"}}})
		return 1
	}
	dir, _ := os.Getwd()
	shipped, _ := filepath.Glob("*/*")
	child := &exec.Cmd{}
	if part == "fork" {
		child = exec.Command("sleep", "300")
		child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if err := child.Start(); err != nil {
			return 7
		}
		dir = strconv.Itoa(child.Process.Pid)
	}
	graph := &planpb.FromPlan{Kind: &planpb.FromPlan_Graph{Graph: &planpb.JobGraph{Name: dir, Canonical: fmt.Sprint(os.Environ(), os.Args[1:], shipped, " pid=", os.Getpid())}}}
	say(graph)
	answer := &planpb.ToPlan{}
	if err := wire.Read(conn, answer); err != nil {
		return 6
	}
	if s := answer.GetSubmitted(); !s.GetDetached() || s.GetJobId() != job {
		fmt.Println("not told of the submission:", answer)
		return 5
	}
	switch part {
	case "twice":
		say(graph)
		_ = wire.Read(conn, answer)
	case "exit-late":
		fmt.Println("no result to print")
		return 2
	case "hang-late":
		fmt.Println("waiting for the result")
		<-time.After(time.Hour)
	}
	return 0
}

// plan asks for a main that plays a part.
func (c *conversation) plan(id, part string, whole bool, timeout time.Duration) {
	c.l.t.Helper()
	c.say(&controlpb.ToTaskManager{Kind: &controlpb.ToTaskManager_StartPlan{StartPlan: &controlpb.StartPlan{Id: id, JobId: job, Binary: ownBinary(c.l.t),
		Args: []string{part, "-x", "1 2"}, Environment: map[string]string{"PLANNED": "yes"}, Config: map[string]string{"parallelism.default": "3"},
		TimeoutMs: timeout.Milliseconds(), Whole: whole}}})
}

func (c *conversation) planned() *controlpb.Planned {
	c.l.t.Helper()
	return await(c, func(m *controlpb.FromTaskManager) *controlpb.Planned { return m.GetPlanned() })
}

// A main makes its graph where workers work: with the plan's arguments, its configuration and nothing of the TaskManager's.
func TestPlan(t *testing.T) {
	l := newLeader(t, 3)
	shipped := filepath.Join(t.TempDir(), "rules.txt")
	if err := os.WriteFile(shipped, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PLANTED_SECRET", "hunter2")
	work := t.TempDir()
	run(t, l, func(o *Options) {
		o.Shipped, o.WorkDir = map[string]string{"data/rules.txt": shipped}, work
	})
	c, _ := l.accept()
	for _, whole := range []bool{false, true} {
		c.plan("p1", "graph", whole, patience)
		p := c.planned()
		if p.GetId() != "p1" || p.GetError() != "" {
			t.Fatalf("whole %v: %v", whole, p)
		}
		seen := p.GetGraph().GetCanonical()
		for _, want := range []string{"PLANNED=yes", "GOMEMLIMIT=", "data/rules.txt", `{"parallelism.default":"3"}`, "[graph -x 1 2]"} {
			if !strings.Contains(seen, want) {
				t.Errorf("main does not see %q: %s", want, seen)
			}
		}
		if strings.Contains(seen, "hunter2") {
			t.Error("the TaskManager's environment reached main")
		}
		if dir := p.GetGraph().GetName(); !strings.HasPrefix(dir, work) {
			t.Errorf("main ran in %s", dir)
		} else if _, err := os.Stat(dir); !os.IsNotExist(err) {
			t.Errorf("%s is left: %v", dir, err)
		}
		if pid, err := strconv.Atoi(seen[strings.LastIndex(seen, "pid=")+4:]); err != nil || alive(int32(pid)) {
			t.Errorf("main is left: %d, %v", pid, err)
		}
	}
	// What main has started ends with it.
	c.plan("p2", "fork", true, patience)
	if pid, err := strconv.Atoi(c.planned().GetGraph().GetName()); err != nil || awaitGone(pid) != nil {
		t.Errorf("main's child: %v", err)
	}
}

// awaitGone waits until a process that was killed is gone.
func awaitGone(pid int) error {
	for limit := time.Now().Add(patience); time.Now().Before(limit); {
		if !alive(int32(pid)) || zombie(pid) {
			return nil
		}
		<-time.After(10 * time.Millisecond)
	}
	return fmt.Errorf("process %d is still there", pid)
}

// zombie tells of a process that has ended and that nobody has waited for: its parent is gone, too.
func zombie(pid int) bool {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err != nil || strings.Contains(string(b), ") Z ")
}

// Each way in which a main goes wrong is one clear error, with the end of what it wrote.
func TestPlanFails(t *testing.T) {
	l := newLeader(t, 3)
	work := t.TempDir()
	run(t, l, func(o *Options) { o.WorkDir = work })
	c, _ := l.accept()
	// Long enough for a main to start and to write a line on a slow machine. They wait all at once.
	const hangs = 10 * time.Second
	wanted := map[string][]string{}
	for _, want := range []struct {
		part    string
		timeout time.Duration
		texts   []string
	}{
		{"hang", hangs, []string{"has not called Execute within", "a lock that nobody"}},
		{"hang-late", hangs, []string{"has not ended within", "waiting for the result"}},
		{"nothing", patience, []string{"main ended without calling Execute", "nothing to do"}},
		{"exit", patience, []string{"exit status 3", "before it called Execute", "no licence"}},
		{"panic", patience, []string{"exit status 2", "panic: index out of range"}},
		{"wrong", patience, []string{"a stream has no sink (main.go:7)"}},
		{"twice", patience, []string{"Execute more than once"}},
		{"exit-late", patience, []string{"after Execute (exit status 2)", "no result to print"}},
		{"chatty", patience, []string{"exit status 4", "the last words"}},
	} {
		wanted["f-"+want.part] = want.texts
		c.plan("f-"+want.part, want.part, true, want.timeout)
	}
	for len(wanted) > 0 {
		p := c.planned()
		if p.GetGraph() != nil || p.GetExternal() || len(p.GetError()) > 10_000 || wanted[p.GetId()] == nil {
			t.Errorf("%s: graph %v, external %v, %d bytes of error", p.GetId(), p.GetGraph(), p.GetExternal(), len(p.GetError()))
		}
		for _, text := range wanted[p.GetId()] {
			if !strings.Contains(p.GetError(), text) {
				t.Errorf("%s: %q is not in %s", p.GetId(), text, p.GetError())
			}
		}
		delete(wanted, p.GetId())
	}
	if left, err := os.ReadDir(filepath.Join(work, "plans")); err != nil || len(left) != 0 {
		t.Errorf("directories of mains are left: %v, %v", left, err)
	}
	c.say(&controlpb.ToTaskManager{Kind: &controlpb.ToTaskManager_StartPlan{StartPlan: &controlpb.StartPlan{Id: "gone", Binary: &controlpb.BlobRef{
		Sha256: strings.Repeat("0", 64), Uri: "file:///nowhere/job", Name: "job"}, TimeoutMs: 1000}}})
	if p := c.planned(); !p.GetExternal() || !strings.Contains(p.GetError(), "/nowhere/job") {
		t.Errorf("no file: %v", p)
	}
}

// A main that nobody waits for any more ends, as does one whose JobManager is lost, and one that fills the container.
func TestPlanIsEnded(t *testing.T) {
	l := newLeader(t, 3)
	run(t, l, func(o *Options) { o.ProcessMemory, o.CheckInterval = 256<<20, 5*time.Millisecond })
	c, _ := l.accept()
	c.plan("a", "hang", true, patience)
	c.say(&controlpb.ToTaskManager{Kind: &controlpb.ToTaskManager_StopPlan{StopPlan: &controlpb.StopPlan{Id: "a", Reason: "nobody waits"}}})
	if p := c.planned(); p.GetId() != "a" || p.GetError() != "nobody waits" {
		t.Errorf("stopped: %v", p)
	}
	c.plan("b", "eat", true, patience)
	if p := c.planned(); !strings.Contains(p.GetError(), "too much memory") || p.GetExternal() {
		t.Errorf("too large: %v", p)
	}
	c.plan("c", "hang", true, patience)
	await(c, func(m *controlpb.FromTaskManager) *controlpb.Heartbeat { return m.GetHeartbeat() })
	c.end()
	c, _ = l.accept()
	// Whether the new leader hears of the old one's plan does not matter; one of its own runs.
	c.plan("d", "graph", true, patience)
	for p := c.planned(); p.GetId() != "d" || p.GetError() != ""; p = c.planned() {
		if p.GetId() != "c" {
			t.Fatalf("%v", p)
		}
	}
}

// Files of the log directories, and of nowhere else.
func TestFiles(t *testing.T) {
	l := newLeader(t, 3)
	shared := t.TempDir()
	workers := filepath.Join(shared, "tm")
	for name, text := range map[string]string{"tm.log": "0123456789", "tm.out": "printed", "other.log": "hush"} {
		if err := os.WriteFile(filepath.Join(shared, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run(t, l, func(o *Options) { o.LogDir, o.OwnLogDir, o.LogName = workers, shared, "tm" })
	c, _ := l.accept()
	c.start(0, "exit")
	c.worker(controlpb.WorkerPhase_WORKER_EXITED)
	id := uint64(0)
	ask := func(r *controlpb.FileRequest) *controlpb.FileReply {
		t.Helper()
		id++
		r.Id = id
		c.say(&controlpb.ToTaskManager{Kind: &controlpb.ToTaskManager_File{File: r}})
		reply := await(c, func(m *controlpb.FromTaskManager) *controlpb.FileReply { return m.GetFile() })
		if reply.GetId() != id {
			t.Fatalf("the answer to %d came for %d", reply.GetId(), id)
		}
		return reply
	}
	var names []string
	for _, f := range ask(&controlpb.FileRequest{}).GetFiles() {
		names = append(names, f.GetName())
	}
	if got := strings.Join(names, " "); got != "tm.log tm.out worker-01234567-0.log" {
		t.Errorf("files: %s", got)
	}
	for _, r := range []struct {
		ask  *controlpb.FileRequest
		want string
		size int64
	}{
		{&controlpb.FileRequest{Kind: controlpb.FileKind_OWN_LOG, Limit: 100}, "0123456789", 10},
		{&controlpb.FileRequest{Kind: controlpb.FileKind_OWN_LOG, Offset: 4, Limit: 3}, "456", 10},
		{&controlpb.FileRequest{Kind: controlpb.FileKind_OWN_OUTPUT, Limit: 100}, "printed", 7},
		{&controlpb.FileRequest{Kind: controlpb.FileKind_NAMED_FILE, Name: "worker-01234567-0.log", Limit: 100}, "cannot go on: no licence\n", 25},
		{&controlpb.FileRequest{Kind: controlpb.FileKind_NAMED_FILE, Name: "tm.log", Offset: 10, Limit: 3}, "", 10},
	} {
		if reply := ask(r.ask); string(reply.GetData()) != r.want || len(reply.GetFiles()) != 1 || reply.GetFiles()[0].GetSize() != r.size || reply.GetFiles()[0].GetModifiedMs() == 0 {
			t.Errorf("%v: %v", r.ask, reply)
		}
	}
	for _, name := range []string{"other.log", "../tm.log", "tm/worker-01234567-0.log", "", "none"} {
		if reply := ask(&controlpb.FileRequest{Kind: controlpb.FileKind_NAMED_FILE, Name: name, Limit: 100}); !reply.GetMissing() || reply.GetError() == "" || len(reply.GetData()) > 0 {
			t.Errorf("%q: %v", name, reply)
		}
	}
	c.start(1, "serve")
	c.worker(controlpb.WorkerPhase_WORKER_READY)
	if reply := ask(&controlpb.FileRequest{Kind: controlpb.FileKind_GOROUTINES}); !strings.HasPrefix(string(reply.GetData()), "goroutine ") ||
		!strings.HasSuffix(string(reply.GetData()), "\n\nworker 01234567-1: goroutine 1 [running]:\nmain.main()") {
		t.Errorf("goroutines: %v", reply)
	}
	if reply := ask(&controlpb.FileRequest{Kind: 99}); reply.GetMissing() || !strings.Contains(reply.GetError(), "99") {
		t.Errorf("unknown kind: %v", reply)
	}
}
