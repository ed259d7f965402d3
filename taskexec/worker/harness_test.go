package worker_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/graph/execution"
	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/internal/fs"
	"github.com/weft-project/weft/internal/fs/local"
	"github.com/weft-project/weft/internal/role"
	"github.com/weft-project/weft/internal/spill"
	"github.com/weft-project/weft/network"
	"github.com/weft-project/weft/operator"
	"github.com/weft-project/weft/rpc/controlpb"
	"github.com/weft-project/weft/rpc/planpb"
	"github.com/weft-project/weft/security"
	"github.com/weft-project/weft/stream"
	"github.com/weft-project/weft/taskexec/worker"
)

var testSecret = security.Secret(bytes.Repeat([]byte{7}, security.SecretSize))

// taker is a launcher that keeps the program instead of running it.
type taker struct {
	role.Launcher
	program *operator.Program
}

// Begin is Launcher's.
func (*taker) Begin(context.Context) (int, map[string]string, error) { return 0, nil, nil }

// Recorded is Launcher's.
func (*taker) Recorded() ([]*planpb.Captured, []string) { return nil, nil }

// Reject is Launcher's.
func (*taker) Reject(error) {}

// Launch is Launcher's.
func (l *taker) Launch(_ context.Context, p *operator.Program) (*planpb.JobResult, error) {
	l.program = p
	return &planpb.JobResult{Status: planpb.JobStatus_FINISHED}, nil
}

// programOf compiles what build makes.
func programOf(t testing.TB, build func(env *stream.Env)) *operator.Program {
	t.Helper()
	before := role.TheLauncher()
	defer role.SetLauncher(before)
	l := &taker{}
	role.SetLauncher(l)
	env := stream.New()
	build(env)
	if _, err := env.Execute(t.Context(), "test"); err != nil {
		t.Fatal(err)
	}
	return l.program
}

func localFiles() *fs.Registry {
	files := fs.NewRegistry()
	files.Register("file", local.Factory)
	return files
}

// testLog prints to the test's log.
type testLog struct{ t testing.TB }

func (l testLog) Write(b []byte) (int, error) {
	l.t.Log(strings.TrimSpace(string(b)))
	return len(b), nil
}

func logTo(t testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(testLog{t}, &slog.HandlerOptions{Level: slog.LevelError}))
}

// outcome is how a placed run ended.
type outcome struct {
	ends    map[controlpb.ExecutionState]int
	failure *planpb.Failure // the first
	metrics map[string]*controlpb.TaskMetrics
	totals  map[string]int64
}

// workers are several workers of one job in this process, each with a data plane of its own: what passes between them is
// encoded and goes over TCP.
type workers struct {
	t        testing.TB
	job      id.Job
	program  *operator.Program
	runtimes []*worker.Runtime
	states   chan *controlpb.TaskState
	tasks    [][]*controlpb.TaskDeployment
	quiet    bool // nobody asks for metrics
	inTurn   bool // a worker is deployed when a task of the one before has finished
	x        *execution.Job
	place    func() // puts the tasks of the current stage into tasks
	deploy   func(i int) error
}

// startWorkers places slot i of the job on worker i modulo n, so that neighbours are apart.
func startWorkers(t testing.TB, p *operator.Program, n int, settings map[string]string) *workers {
	t.Helper()
	return startWorkersOn(t, p, n, settings, nil)
}

// startWorkersOn is startWorkers with a place for temporary data; nil for the usual one.
func startWorkersOn(t testing.TB, p *operator.Program, n int, settings map[string]string, space *spill.Space) *workers {
	t.Helper()
	w := &workers{t: t, job: id.NewJob(), program: p, states: make(chan *controlpb.TaskState, 1024), tasks: make([][]*controlpb.TaskDeployment, n)}
	var addresses []string
	size := int(config.Get(config.FromMap(settings), config.SegmentSize))
	for range n {
		m, err := network.NewManager(network.Config{Listen: "127.0.0.1:0", Secret: testSecret, Job: w.job, BufferSize: size, ExclusivePerChannel: 1,
			FloatingPerGate: 1, LocalBatches: 1, Log: logTo(t)})
		if err != nil {
			t.Fatal(err)
		}
		addresses = append(addresses, m.Addr())
		r := worker.NewRuntime(worker.Config{Job: w.job, Program: p, Manager: m, Files: localFiles(), Log: logTo(t), Config: settings, Spill: space,
			Host: "here", TaskManager: fmt.Sprint("tm", len(addresses)), Report: func(s *controlpb.TaskState) { w.states <- s }})
		w.runtimes = append(w.runtimes, r)
		t.Cleanup(func() {
			r.Close()
			if err := m.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	j, err := execution.NewJob(w.job, p.Graph, 0)
	if err != nil {
		t.Fatal(err)
	}
	j.Begin(0, 0)
	w.x = j
	var coordinator *controlpb.AttemptId
	var address string
	w.place = func() {
		clear(w.tasks)
		var bySlot map[int][]*controlpb.TaskDeployment
		bySlot, coordinator, address = j.Deployment(func(slot int) execution.Placement { return execution.Placement{Address: addresses[slot%n]} })
		for slot, tasks := range bySlot {
			w.tasks[slot%n] = append(w.tasks[slot%n], tasks...)
		}
	}
	w.place()
	w.deploy = func(i int) error {
		return w.runtimes[i].Deploy(&controlpb.Deploy{JobId: w.job.String(), Coordinator: coordinator, CoordinatorAddress: address, Tasks: w.tasks[i]})
	}
	return w
}

// ended notes the end of a task; more is how many tasks of the next stage there are to deploy.
func (w *workers) ended(s *controlpb.TaskState) (more int) {
	if a := w.x.Find(s.GetId()); a != nil {
		a.Set(s.GetState(), 0)
	}
	if !w.x.NextStage() {
		return 0
	}
	w.place()
	for _, tasks := range w.tasks {
		more += len(tasks)
	}
	return more
}

// startQuietWorkers are two workers whose metrics nobody asks for, which costs allocations.
func startQuietWorkers(t testing.TB, p *operator.Program) *workers {
	w := startWorkers(t, p, 2, nil)
	w.quiet = true
	return w
}

// run deploys everything and waits for all tasks; a failure cancels the others, as a JobManager does.
func (w *workers) run() outcome {
	w.t.Helper()
	stop := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() { // as a TaskManager asks for metrics at any time
		for {
			select {
			case <-stop:
				return
			default:
				if w.quiet {
					<-stop
					return
				}
				for _, r := range w.runtimes {
					_ = r.Metrics()
				}
				runtime.Gosched()
			}
		}
	})
	defer watching.Wait()
	defer close(stop)
	left, deployed := 0, 0
	for i := range w.runtimes {
		left += len(w.tasks[i])
	}
	deployNext := func() {
		if err := w.deploy(deployed); err != nil {
			w.t.Fatal(err)
		}
		deployed++
	}
	for deployNext(); deployed < len(w.runtimes) && !w.inTurn; {
		deployNext()
	}
	out := outcome{ends: map[controlpb.ExecutionState]int{}, metrics: map[string]*controlpb.TaskMetrics{}, totals: map[string]int64{}}
	deadline := time.After(2 * time.Minute)
	for left > 0 {
		select {
		case s := <-w.states:
			if s.GetMetrics() == nil {
				continue // it has not ended
			}
			left--
			if more := w.ended(s); more > 0 {
				left += more
				deployed = 0
				for deployNext(); deployed < len(w.runtimes) && !w.inTurn; {
					deployNext()
				}
			} else if deployed < len(w.runtimes) {
				deployNext()
			}
			out.ends[s.GetState()]++
			out.metrics[fmt.Sprintf("%s/%d", w.vertexName(s.GetId().GetVertexId()), s.GetId().GetSubtask())] = s.GetMetrics()
			for _, a := range s.GetAccumulators() {
				out.totals[a.GetName()] += a.GetLongValue()
			}
			if s.GetFailure() != nil && out.failure == nil {
				out.failure = s.GetFailure()
				w.cancel()
			}
		case <-deadline:
			w.t.Fatalf("%d tasks have not ended: %v", left, out.ends)
		}
	}
	return out
}

func (w *workers) cancel() {
	var ids []*controlpb.AttemptId
	w.x.Each(func(a *execution.Attempt) {
		ids = append(ids, &controlpb.AttemptId{JobId: w.job.String(), VertexId: a.Vertex.GetId(), Subtask: int32(a.Subtask), Attempt: int32(a.Number)})
	})
	for _, r := range w.runtimes {
		r.Cancel(ids) // each knows its own
	}
}

func (w *workers) vertexName(vertex string) string {
	for _, v := range w.program.Graph.GetVertices() {
		if v.GetId() == vertex {
			return v.GetName()
		}
	}
	return vertex
}

// collected are records and how often they came.
type collected struct {
	mu sync.Mutex
	n  map[string]int
}

func (c *collected) add(v any) {
	text := fmt.Sprint(v)
	if len(text) > 100 {
		text = fmt.Sprintf("%s… of %d", text[:20], len(text))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == nil {
		c.n = map[string]int{}
	}
	c.n[text]++
}

// take gives what came and starts anew.
func (c *collected) take() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.n
	c.n = nil
	return n
}

func sameRecords(t *testing.T, what string, got, want map[string]int) {
	t.Helper()
	if maps.Equal(got, want) {
		return
	}
	shown := 0
	for k := range want {
		if got[k] != want[k] && shown < 5 {
			t.Errorf("%s: %q came %d times, expected %d", what, k, got[k], want[k])
			shown++
		}
	}
	t.Errorf("%s: %d different records, expected %d", what, len(got), len(want))
}

// finished fails the test when a run did not.
func (o outcome) finished(t *testing.T, tasks int) {
	t.Helper()
	if o.failure != nil || o.ends[controlpb.ExecutionState_STATE_FINISHED] != tasks {
		t.Fatalf("tasks ended %v, expected %d finished; failure %v", o.ends, tasks, o.failure)
	}
}
