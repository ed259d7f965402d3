package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weft-project/weft/checkpoint"
	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/internal/fs"
	"github.com/weft-project/weft/internal/spill"
	"github.com/weft-project/weft/network"
	"github.com/weft-project/weft/operator"
	"github.com/weft-project/weft/rpc/controlpb"
	"github.com/weft-project/weft/rpc/planpb"
)

// Config is what a Runtime needs.
type Config struct {
	Job        id.Job
	JobAttempt int
	Program    *operator.Program
	Manager    *network.Manager
	Files      *fs.Registry
	Log        *slog.Logger
	// Config is the job's effective configuration.
	Config map[string]string
	// Memory is the worker's budget in bytes; 0 means unknown.
	Memory int64
	// Host and TaskManager are named in failures.
	Host, TaskManager string
	// Checkpoint takes what tasks tell of checkpoints; nil where there are none.
	Checkpoint func(*controlpb.CheckpointReport)
	// Spill is where temporary data goes.
	Spill *spill.Space
	// Clock is processing time; nil for the machine's clock.
	Clock operator.Clock
	// Report is told of every state change, from the task's goroutine.
	Report func(*controlpb.TaskState)
}

// Runtime runs the tasks of one job in this process.
type Runtime struct {
	cfg           Config
	ctx           context.Context
	stop          context.CancelFunc
	running       sync.WaitGroup
	bufferTimeout time.Duration
	objectReuse   bool
	bufferSize    int // of the network's buffers, in bytes
	spill         *spill.Space
	settings      checkpoint.Settings
	// watermarkInterval is how often sources say watermarks, in milliseconds; 0 for never.
	watermarkInterval int64

	mu struct {
		sync.Mutex
		tasks map[id.Attempt]*task
		// flags of all writers, set by the flush timer.
		flags []*atomic.Bool
	}
}

// NewRuntime starts a runtime without tasks.
func NewRuntime(cfg Config) *Runtime {
	c := config.FromMap(cfg.Config)
	r := &Runtime{cfg: cfg, bufferTimeout: bufferTimeout(c), objectReuse: config.Get(c, config.ObjectReuse),
		bufferSize: int(config.Get(c, config.SegmentSize)), watermarkInterval: config.Get(c, config.AutoWatermarkInterval).Milliseconds()}
	// Settings that nothing can be made of were refused when the job was submitted.
	r.settings, _ = checkpoint.SettingsOf(c)
	if r.spill = cfg.Spill; r.spill == nil {
		r.spill = spill.NewSpace(localTempDirs(c)...)
	}
	r.ctx, r.stop = context.WithCancel(context.Background())
	r.mu.tasks = map[id.Attempt]*task{}
	r.running.Add(1)
	go r.sampler()
	if r.bufferTimeout > 0 {
		r.running.Add(1)
		go r.flushTimer()
	}
	return r
}

// bufferTimeout is how long a record waits in a buffer that is not full; negative for until it is.
func bufferTimeout(c *config.Config) time.Duration {
	if !config.Get(c, config.BufferTimeoutEnabled) {
		return -1
	}
	return config.Get(c, config.BufferTimeout)
}

// networkConfig is what a job's configuration says about the data between its tasks.
func networkConfig(values map[string]string) network.Config {
	c := config.FromMap(values)
	return network.Config{BufferSize: int(config.Get(c, config.SegmentSize)), ExclusivePerChannel: config.Get(c, config.BuffersPerChannel),
		FloatingPerGate: config.Get(c, config.FloatingBuffers)}
}

// flushTimer asks all writers to flush, by a flag that each looks at when it writes.
func (r *Runtime) flushTimer() {
	defer r.running.Done()
	t := time.NewTicker(r.bufferTimeout)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			r.mu.Lock()
			for _, f := range r.mu.flags {
				f.Store(true)
			}
			r.mu.Unlock()
		case <-r.ctx.Done():
			return
		}
	}
}

// flushFlag makes the flag of one writer. Each has a cache line of its own: writers of different tasks read them for every
// record.
func (r *Runtime) flushFlag() *atomic.Bool {
	padded := new(struct {
		_ [64]byte
		f atomic.Bool
		_ [64]byte
	})
	if r.bufferTimeout == 0 {
		padded.f.Store(true)
		return &padded.f
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.flags = append(r.mu.flags, &padded.f)
	return &padded.f
}

// AttemptOf reads the ids of a protocol message.
func AttemptOf(a *controlpb.AttemptId) (id.Attempt, error) {
	job, err := id.ParseJob(a.GetJobId())
	if err != nil {
		return id.Attempt{}, err
	}
	v, err := id.ParseVertex(a.GetVertexId())
	if err != nil {
		return id.Attempt{}, err
	}
	return id.Attempt{Job: job, Vertex: v, Subtask: int(a.GetSubtask()), Number: int(a.GetAttempt())}, nil
}

// Deploy starts tasks. All partitions are opened before the first task starts, so that consumers find their producers.
func (r *Runtime) Deploy(d *controlpb.Deploy) error {
	var tasks []*task
	subtasks := map[string]int{} // of each vertex here: as many share the worker's memory
	for _, td := range d.GetTasks() {
		subtasks[td.GetId().GetVertexId()]++
	}
	managed := r.managedShare(d)
	for _, td := range d.GetTasks() {
		t, err := r.newTask(td, d)
		if err == nil {
			t.managed = managed
			t.memory = r.cfg.Memory / int64(subtasks[t.vertex.GetId()])
		}
		if err == nil {
			err = t.openPartitions()
		}
		if err != nil {
			for _, t := range tasks {
				t.closeNetwork(err)
			}
			return err
		}
		tasks = append(tasks, t)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, t := range tasks {
		r.mu.tasks[t.attempt] = t
	}
	for _, t := range tasks {
		t.placeConsumers(r.mu.tasks)
		t.started = time.Now()
		t.blocked, t.idle = operator.NewWaiting(t.started), operator.NewWaiting(t.started)
		r.running.Add(1)
		go func() {
			defer r.running.Done()
			t.run()
		}()
	}
	return nil
}

// newTask checks a deployment against the program.
func (r *Runtime) newTask(td *controlpb.TaskDeployment, d *controlpb.Deploy) (*task, error) {
	attempt, err := AttemptOf(td.GetId())
	if err != nil {
		return nil, err
	}
	if attempt.Job != r.cfg.Job {
		return nil, fmt.Errorf("task %s of job %s: this worker runs job %s", attempt, attempt.Job, r.cfg.Job)
	}
	t := &task{r: r, attempt: attempt, td: td, coordinator: d.GetCoordinatorAddress(), mailbox: operator.NewMailbox()}
	for _, v := range r.cfg.Program.Graph.GetVertices() {
		if v.GetId() == td.GetId().GetVertexId() {
			t.vertex = v
		}
	}
	if t.vertex == nil {
		return nil, fmt.Errorf("task %s: the job has no vertex %s", attempt, td.GetId().GetVertexId())
	}
	t.isCoordinator = t.vertex.GetKind() == planpb.VertexKind_COORDINATOR
	if t.code = r.cfg.Program.Vertices[t.vertex.GetId()]; t.code == nil && !t.isCoordinator {
		return nil, fmt.Errorf("task %s: the program has no code for vertex %q", attempt, t.vertex.GetName())
	}
	t.ctx, t.cancel = context.WithCancelCause(r.ctx)
	if t.isCoordinator {
		t.keeper = &keeper{t: t, held: map[checkpoint.Ref]context.CancelFunc{}}
	}
	return t, nil
}

// errCanceled is the cause of a task that was told to stop.
var errCanceled = errors.New("the task was canceled")

// Cancel stops tasks; unknown ones are no error.
func (r *Runtime) Cancel(ids []*controlpb.AttemptId) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, pb := range ids {
		if a, err := AttemptOf(pb); err == nil {
			if t := r.mu.tasks[a]; t != nil {
				t.cancel(errCanceled)
			}
		}
	}
}

// Close cancels what runs and waits for it.
func (r *Runtime) Close() {
	r.mu.Lock()
	for _, t := range r.mu.tasks {
		t.cancel(errCanceled)
	}
	r.mu.Unlock()
	r.stop()
	r.running.Wait()
}
