package taskexec

import (
	"context"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/weft-project/weft/internal/fs"
	"github.com/weft-project/weft/internal/fs/local"
	"github.com/weft-project/weft/rpc/controlpb"
	"github.com/weft-project/weft/rpc/planpb"
)

// A worker that is stopped while it waits for the end of the one before has ended too: the JobManager waits to hear it.
func TestStoppedBeforeItsTurn(t *testing.T) {
	l := newLeader(t, 1)
	run(t, l, nil)
	c, _ := l.accept()
	c.start(0, "serve")
	c.worker(controlpb.WorkerPhase_WORKER_READY)
	c.start(1, "serve")
	c.say(&controlpb.ToTaskManager{Kind: &controlpb.ToTaskManager_StopWorker{StopWorker: &controlpb.StopWorker{JobId: job, Reason: "canceled"}}})
	ended := map[int32]bool{}
	for len(ended) < 2 {
		s := c.worker(controlpb.WorkerPhase_WORKER_EXITED)
		if s.GetFailure() != nil {
			t.Errorf("attempt %d: %v", s.GetJobAttempt(), s.GetFailure())
		}
		ended[s.GetJobAttempt()] = true
	}
}

// slowStore takes its time before a file is open.
type slowStore struct {
	fs.FileSystem
	delay time.Duration
}

func (s slowStore) Open(ctx context.Context, path string) (fs.Reader, error) {
	select {
	case <-time.After(s.delay):
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	return s.FileSystem.Open(ctx, path)
}

// The time that a large binary takes to come here is not held against the author's main.
func TestSlowFetchIsNotMainsFault(t *testing.T) {
	l := newLeader(t, 1)
	run(t, l, func(o *Options) {
		o.WorkerStartTimeout = 2 * time.Second
		o.Files.Register("slow", func(string) (fs.FileSystem, error) { return slowStore{local.New(), 3 * time.Second}, nil })
	})
	c, _ := l.accept()
	binary := ownBinary(t)
	binary.Uri = strings.Replace(binary.GetUri(), "file://", "slow://", 1)
	c.say(&controlpb.ToTaskManager{Kind: &controlpb.ToTaskManager_StartWorker{StartWorker: &controlpb.StartWorker{JobId: job, Binary: binary,
		Args: []string{"serve"}, Graph: &planpb.JobGraph{}, Slots: 1}}})
	s := await(c, func(m *controlpb.FromTaskManager) *controlpb.WorkerState { return m.GetWorker() })
	if s.GetPhase() != controlpb.WorkerPhase_WORKER_READY {
		t.Errorf("the worker: %v", s)
	}
}

// One content may be a file of one job and the program of another.
func TestProgramThatWasAFile(t *testing.T) {
	m := &manager{o: Options{WorkDir: t.TempDir(), Files: fs.NewRegistry()}}
	m.o.Files.Register("file", local.Factory)
	for _, program := range []bool{false, true} {
		path, err := m.fetch(t.Context(), ownBinary(t), program)
		if err != nil {
			t.Fatal(err)
		}
		st, err := local.New().Stat(t.Context(), path)
		if err != nil || program != (st.Mode&0o100 != 0) {
			t.Errorf("as a program %t: mode %v, %v", program, st.Mode, err)
		}
	}
}

// A message that is too large for the worker is named as the reason of its end.
func TestMessageTooLargeForAWorker(t *testing.T) {
	l := newLeader(t, 1)
	run(t, l, func(o *Options) { o.HadoopConfFile, o.ProcessMemory = strings.Repeat("x", 8<<10), 8<<30 })
	c, _ := l.accept()
	large := &planpb.JobGraph{Captured: []*planpb.Captured{{Name: "rules", Value: make([]byte, 64<<20-4<<10)}}}
	c.say(&controlpb.ToTaskManager{Kind: &controlpb.ToTaskManager_StartWorker{StartWorker: &controlpb.StartWorker{JobId: job, Binary: ownBinary(t),
		Args: []string{"serve"}, Graph: large, Slots: 1}}})
	f := c.worker(controlpb.WorkerPhase_WORKER_EXITED).GetFailure()
	if !strings.Contains(f.GetMessage(), "the limit is") {
		t.Errorf("the failure: %q", f.GetMessage())
	}
}

// What the TaskManager itself takes, for a large graph, is not held against a worker that keeps to its share.
func TestNoWorkerPaysForTheTaskManager(t *testing.T) {
	own := residentMemory(os.Getpid())
	m := &manager{o: Options{ID: "tm1", Slots: 1, ProcessMemory: own + reserve, Log: slog.New(slog.DiscardHandler)}}
	ballast := make([]byte, 2*reserve)
	for i := range ballast {
		ballast[i] = 1
	}
	command := exec.Command("sleep", "60")
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = command.Process.Kill(); _ = command.Wait() }()
	w := &worker{m: m, start: &controlpb.StartWorker{JobId: job, Slots: 1}, process: command.Process, abort: func(error) {}}
	m.workers = map[string]*worker{job: w}
	m.watchMemory()
	if w.failure != nil {
		t.Errorf("the worker was ended: %s", w.failure.GetMessage())
	}
	if m.slimmed.IsZero() {
		t.Error("the TaskManager has not noticed that it is too large")
	}
	runtime.KeepAlive(ballast)
}

// What a worker has started ends with it, however the worker ends: a session would fill with it.
func TestProcessesLeftBehindEnd(t *testing.T) {
	l := newLeader(t, 1)
	run(t, l, nil)
	c, _ := l.accept()
	for attempt := range int32(2) {
		c.start(attempt, "fork")
		s := c.worker(controlpb.WorkerPhase_WORKER_READY)
		proc := "/proc/" + s.GetDataAddress() + "/cmdline"
		if line, err := os.ReadFile(proc); err != nil || !strings.HasPrefix(string(line), "sleep") {
			t.Fatalf("the child: %q, %v", line, err)
		}
		if attempt == 0 {
			c.say(&controlpb.ToTaskManager{Kind: &controlpb.ToTaskManager_StopWorker{StopWorker: &controlpb.StopWorker{JobId: job, Reason: "canceled"}}})
		} else if err := syscall.Kill(int(s.GetPid()), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		c.worker(controlpb.WorkerPhase_WORKER_EXITED)
		// It is killed; until its new parent takes notice its number may stay.
		deadline := time.After(patience)
		for {
			line, err := os.ReadFile(proc)
			if err != nil || len(line) == 0 {
				break
			}
			select {
			case <-time.After(time.Millisecond):
			case <-deadline:
				t.Fatalf("attempt %d: %s lives on", attempt, line)
			}
		}
	}
}

// A binary that does not come holds up neither other jobs nor the end of its own.
func TestFetchHoldsUpNobodyElse(t *testing.T) {
	l := newLeader(t, 1)
	run(t, l, func(o *Options) {
		o.Files.Register("slow", func(string) (fs.FileSystem, error) { return slowStore{local.New(), time.Hour}, nil })
	})
	c, _ := l.accept()
	stuck, waiting := strings.Repeat("ab", 16), strings.Repeat("cd", 16)
	never := &controlpb.BlobRef{Sha256: strings.Repeat("00", 32), Uri: "slow:///never", Name: "never"}
	for _, name := range []string{stuck, waiting} {
		c.say(&controlpb.ToTaskManager{Kind: &controlpb.ToTaskManager_StartWorker{StartWorker: &controlpb.StartWorker{JobId: name, Binary: never, Slots: 1}}})
	}
	c.start(0, "serve")
	c.worker(controlpb.WorkerPhase_WORKER_READY)
	for _, name := range []string{waiting, stuck} {
		c.say(&controlpb.ToTaskManager{Kind: &controlpb.ToTaskManager_StopWorker{StopWorker: &controlpb.StopWorker{JobId: name, Reason: "canceled"}}})
		if s := c.worker(controlpb.WorkerPhase_WORKER_EXITED); s.GetJobId() != name {
			t.Errorf("%s ended instead of %s", s.GetJobId(), name)
		}
	}
}
