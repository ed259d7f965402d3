package taskexec

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/weft-project/weft/internal/fs"
	"github.com/weft-project/weft/internal/fs/local"
	"github.com/weft-project/weft/rpc/controlpb"
	"github.com/weft-project/weft/rpc/planpb"
	"github.com/weft-project/weft/security"
)

const patience = 2 * time.Minute

// leader is a JobManager that a test plays by hand.
type leader struct {
	controlpb.UnimplementedJobManagerServer
	t        *testing.T
	epoch    uint64
	addr     string
	secret   security.Secret
	sessions chan *conversation
}

// conversation is one TaskManager's stream.
type conversation struct {
	l      *leader
	stream controlpb.JobManager_SessionServer
	in     chan *controlpb.FromTaskManager
	end    context.CancelFunc
}

func newLeader(t *testing.T, epoch uint64) *leader {
	t.Helper()
	l := &leader{t: t, epoch: epoch, secret: security.NewSecret(), sessions: make(chan *conversation, 8)}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.addr = ln.Addr().String()
	server := grpc.NewServer(grpc.Creds(security.GRPCCredentials(l.secret.Derive(security.LabelControl))))
	controlpb.RegisterJobManagerServer(server, l)
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(ln) }()
	t.Cleanup(func() { server.Stop(); <-done })
	return l
}

// Session is the server's side of the stream.
func (l *leader) Session(stream controlpb.JobManager_SessionServer) error {
	ctx, cancel := context.WithCancel(stream.Context())
	c := &conversation{l: l, stream: stream, in: make(chan *controlpb.FromTaskManager, 1024), end: cancel}
	l.sessions <- c
	go func() {
		defer cancel()
		for {
			m, err := stream.Recv()
			if err != nil {
				return
			}
			c.in <- m
		}
	}()
	<-ctx.Done()
	return nil
}

// accept waits for a TaskManager and welcomes it.
func (l *leader) accept() (*conversation, *controlpb.Register) {
	l.t.Helper()
	select {
	case c := <-l.sessions:
		r := await(c, func(m *controlpb.FromTaskManager) *controlpb.Register { return m.GetRegister() })
		c.say(&controlpb.ToTaskManager{Kind: &controlpb.ToTaskManager_Registered{Registered: &controlpb.Registered{
			HeartbeatIntervalMs: 1000, HeartbeatTimeoutMs: 60000, LeaderlessTimeoutMs: 60000}}})
		return c, r
	case <-time.After(patience):
		l.t.Fatal("no TaskManager came")
		return nil, nil
	}
}

func (c *conversation) say(m *controlpb.ToTaskManager) {
	c.l.t.Helper()
	if m.Epoch == 0 {
		m.Epoch = c.l.epoch
	}
	if err := c.stream.Send(m); err != nil {
		c.l.t.Fatal(err)
	}
}

// await waits for the first message of one kind.
func await[T any](c *conversation, pick func(*controlpb.FromTaskManager) *T) *T {
	c.l.t.Helper()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for {
		select {
		case m := <-c.in:
			if v := pick(m); v != nil {
				return v
			}
		case <-limit.C:
			c.l.t.Fatal("the awaited message did not come")
		}
	}
}

func (c *conversation) worker(phase controlpb.WorkerPhase) *controlpb.WorkerState {
	c.l.t.Helper()
	return await(c, func(m *controlpb.FromTaskManager) *controlpb.WorkerState {
		if s := m.GetWorker(); s != nil && s.GetPhase() == phase {
			return s
		}
		return nil
	})
}

func (c *conversation) tasks() *controlpb.TaskStates {
	c.l.t.Helper()
	return await(c, func(m *controlpb.FromTaskManager) *controlpb.TaskStates { return m.GetTasks() })
}

const job = "0123456789abcdef0123456789abcdef"

// start asks for a worker that plays a part.
func (c *conversation) start(attempt int32, part string) {
	c.l.t.Helper()
	c.say(&controlpb.ToTaskManager{Kind: &controlpb.ToTaskManager_StartWorker{StartWorker: &controlpb.StartWorker{JobId: job, JobAttempt: attempt,
		Binary: ownBinary(c.l.t), Args: []string{part}, Environment: map[string]string{"PLANNED": "yes"}, Graph: &planpb.JobGraph{}, Slots: 1}}})
}

func (c *conversation) deploy(attempt int32) {
	c.l.t.Helper()
	c.say(&controlpb.ToTaskManager{Kind: &controlpb.ToTaskManager_Deploy{Deploy: &controlpb.Deploy{JobId: job, JobAttempt: attempt,
		Tasks: []*controlpb.TaskDeployment{{Id: &controlpb.AttemptId{JobId: job, VertexId: "v", Attempt: attempt}}}}}})
}

// ownBinary is this test binary as a blob.
func ownBinary(t *testing.T) *controlpb.BlobRef {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return blob(t, path)
}

func blob(t *testing.T, path string) *controlpb.BlobRef {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	if err != nil {
		t.Fatal(err)
	}
	return &controlpb.BlobRef{Sha256: hex.EncodeToString(h.Sum(nil)), Size: n, Uri: "file://" + path, Name: filepath.Base(path)}
}

// run starts a TaskManager; the channel gives how it ended.
func run(t *testing.T, l *leader, change func(*Options)) (stop func(), ended chan error) {
	t.Helper()
	files := fs.NewRegistry()
	files.Register("file", local.Factory)
	o := Options{ID: "tm1", Host: "127.0.0.1", JobManager: func(context.Context) (string, error) { return l.addr, nil }, Secret: l.secret, Slots: 2, VCores: 2,
		ProcessMemory: 512 << 20, LogDir: t.TempDir(), WorkDir: t.TempDir(), Files: files, Version: "test", Log: slog.New(slog.NewTextHandler(t.Output(), nil))}
	if change != nil {
		change(&o)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended = make(chan error, 1)
	done := make(chan struct{})
	go func() { defer close(done); ended <- Run(ctx, o) }()
	t.Cleanup(func() { cancel(); <-done })
	return cancel, ended
}

func alive(pid int32) bool { return syscall.Kill(int(pid), 0) == nil }

func TestWorkerLife(t *testing.T) {
	l := newLeader(t, 7)
	shipped := filepath.Join(t.TempDir(), "rules.txt")
	if err := os.WriteFile(shipped, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PLANTED_SECRET", "hunter2")
	stop, ended := run(t, l, func(o *Options) { o.Shipped = map[string]string{"data/rules.txt": shipped} })
	c, r := l.accept()
	if r.GetSlots() != 2 || r.GetTaskmanagerId() != "tm1" || r.GetProcessMemory() != 512<<20 || r.GetSlotMemory() != 224<<20 {
		t.Errorf("registration: %v", r)
	}
	c.start(0, "environment")
	ready := c.worker(controlpb.WorkerPhase_WORKER_READY)
	for _, want := range []string{"PLANNED=yes", "GOMEMLIMIT=", "data/rules.txt", "jobs/01234567-0"} {
		if !strings.Contains(ready.GetDataAddress(), want) {
			t.Errorf("the worker does not see %q: %s", want, ready.GetDataAddress())
		}
	}
	if strings.Contains(ready.GetDataAddress(), "hunter2") {
		t.Error("the TaskManager's environment reached the worker")
	}
	c.deploy(0)
	states := c.tasks()
	if states.GetSequence() != 1 || states.GetTasks()[0].GetState() != controlpb.ExecutionState_STATE_FINISHED {
		t.Errorf("states: %v", states)
	}
	// Not acknowledged, so the next session hears it again; the worker has lived on.
	c.end()
	c, r = l.accept()
	if len(r.GetWorkers()) != 1 || r.GetHighestEpoch() != 7 {
		t.Errorf("second registration: %v", r)
	}
	if again := c.tasks(); again.GetSequence() != 1 {
		t.Errorf("states after the reconnection: %v", again)
	}
	c.say(&controlpb.ToTaskManager{Kind: &controlpb.ToTaskManager_Acknowledged{Acknowledged: 1}})
	// A new attempt replaces the worker: the old one is gone before the new one starts.
	c.start(1, "serve")
	gone := c.worker(controlpb.WorkerPhase_WORKER_EXITED)
	if gone.GetFailure() != nil || gone.GetJobAttempt() != 0 || alive(ready.GetPid()) {
		t.Errorf("end of the first worker: %v", gone)
	}
	second := c.worker(controlpb.WorkerPhase_WORKER_READY)
	stop()
	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
	if alive(second.GetPid()) {
		t.Error("the worker outlived its TaskManager")
	}
}

func TestWorkerEnds(t *testing.T) {
	l := newLeader(t, 1)
	run(t, l, func(o *Options) { o.WorkerStartTimeout = 3 * time.Second })
	c, _ := l.accept()
	for attempt, want := range []struct {
		part     string
		deploy   bool
		domain   planpb.FailureDomain
		texts    []string
		killed   bool
		external bool
	}{
		{part: "exit", texts: []string{"exit code 3", "before it came to Execute", "no licence"}},
		{part: "hang", texts: []string{"did not come to Execute within 3s", "waiting for a lock"}},
		{part: "old", texts: []string{"SDK 99.0.0", "build the job with"}},
		{part: "refuse", texts: []string{"main built another graph"}},
		{part: "exit-late", deploy: true, texts: []string{"exit code 2", "while its tasks ran", "concurrent map writes"}},
		{part: "eat", deploy: true, texts: []string{"too much memory", "taskmanager.memory.process.size"}},
		{part: "child", deploy: true, texts: []string{"too much memory"}},
		{part: "serve", killed: true, external: true, texts: []string{"killed by signal 9"}},
	} {
		n := int32(attempt)
		c.start(n, want.part)
		if want.deploy || want.killed {
			s := c.worker(controlpb.WorkerPhase_WORKER_READY)
			if want.killed {
				if err := syscall.Kill(int(s.GetPid()), syscall.SIGKILL); err != nil {
					t.Fatal(err)
				}
			} else {
				c.deploy(n)
			}
		}
		s := c.worker(controlpb.WorkerPhase_WORKER_EXITED)
		f := s.GetFailure()
		if s.GetJobAttempt() != n || f == nil {
			t.Fatalf("%s: %v", want.part, s)
		}
		if (f.GetDomain() == planpb.FailureDomain_EXTERNAL) != want.external || f.GetRetryable() != want.external {
			t.Errorf("%s: domain %s", want.part, f.GetDomain())
		}
		for _, text := range want.texts {
			if !strings.Contains(f.GetMessage()+f.GetStack(), text) {
				t.Errorf("%s: %q is not in %q, %q", want.part, text, f.GetMessage(), f.GetStack())
			}
		}
	}
}

func TestWorkerThatCannotStart(t *testing.T) {
	l := newLeader(t, 1)
	run(t, l, nil)
	c, _ := l.accept()
	foreign := filepath.Join(t.TempDir(), "job.exe")
	if err := os.WriteFile(foreign, []byte("MZ not for this machine"), 0o600); err != nil {
		t.Fatal(err)
	}
	wrong := ownBinary(t)
	wrong.Sha256 = strings.Repeat("ab", 32)
	for attempt, b := range []*controlpb.BlobRef{blob(t, foreign), wrong, {Sha256: "zz", Name: "x"}, {Sha256: strings.Repeat("00", 32), Uri: "file:///nowhere/job", Name: "job"}} {
		c.say(&controlpb.ToTaskManager{Kind: &controlpb.ToTaskManager_StartWorker{StartWorker: &controlpb.StartWorker{JobId: job, JobAttempt: int32(attempt), Binary: b, Slots: 1}}})
		f := c.worker(controlpb.WorkerPhase_WORKER_EXITED).GetFailure()
		want := []string{"not a program for this machine", "expected abab", `hash "zz"`, "/nowhere/job"}[attempt]
		if !strings.Contains(f.GetMessage(), want) {
			t.Errorf("%q is not in %q", want, f.GetMessage())
		}
	}
	c.deploy(99)
	if s := c.tasks(); s.GetTasks()[0].GetState() != controlpb.ExecutionState_STATE_FAILED {
		t.Errorf("tasks for a worker that is not there: %v", s)
	}
}

func TestOldLeaderIsRefused(t *testing.T) {
	l := newLeader(t, 5)
	run(t, l, nil)
	c, _ := l.accept()
	c.say(&controlpb.ToTaskManager{Epoch: 4, Kind: &controlpb.ToTaskManager_Shutdown{Shutdown: "by an old leader"}})
	if e := await(c, func(m *controlpb.FromTaskManager) *controlpb.EpochRefused { return m.GetEpochRefused() }); e.GetSeen() != 5 {
		t.Errorf("refused with %v", e)
	}
	c.start(0, "serve")
	c.worker(controlpb.WorkerPhase_WORKER_READY)
}

func TestEnds(t *testing.T) {
	l := newLeader(t, 1)
	_, ended := run(t, l, nil)
	c, _ := l.accept()
	c.say(&controlpb.ToTaskManager{Kind: &controlpb.ToTaskManager_Shutdown{Shutdown: "released"}})
	if err := <-ended; err != nil {
		t.Errorf("shutdown: %v", err)
	}

	_, ended = run(t, l, nil)
	c, _ = l.accept()
	c.say(&controlpb.ToTaskManager{Kind: &controlpb.ToTaskManager_Refused{Refused: "wrong cluster"}})
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "wrong cluster") {
		t.Errorf("refusal: %v", err)
	}

	// F3: without a leader it ends by itself.
	_, ended = run(t, l, func(o *Options) {
		o.JobManager = func(context.Context) (string, error) { return "127.0.0.1:1", nil }
		o.LeaderlessTimeout = time.Second
	})
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "no JobManager") {
		t.Errorf("leaderless: %v", err)
	}

	// A stranger's JobManager is none.
	stranger := newLeader(t, 9)
	_, ended = run(t, l, func(o *Options) {
		o.JobManager = func(context.Context) (string, error) { return stranger.addr, nil }
		o.LeaderlessTimeout = time.Second
	})
	if err := <-ended; err == nil || len(stranger.sessions) > 0 {
		t.Errorf("stranger: %v", err)
	}
}
