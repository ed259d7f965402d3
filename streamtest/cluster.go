package streamtest

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"sort"
	"strconv"
	"testing"
	"time"

	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/graph/execution"
	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/internal/fs"
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

// Run runs the job that env describes on an embedded cluster, and fails the test when the job does. Nothing is restarted.
func Run(t testing.TB, env *stream.Env, options ...Option) *stream.Result {
	t.Helper()
	r, err := env.Execute(Context(t, options...), t.Name())
	if err != nil {
		t.Fatalf("streamtest: %v", err)
	}
	return r
}

// Context gives a context under which Env.Execute runs jobs on an embedded cluster: for programs that call Execute themselves, and
// for jobs that are to fail. A cancelled context ends the job.
func Context(t testing.TB, options ...Option) context.Context {
	s := settingsOf(options)
	if s.workers == 0 {
		s.workers = 2
	}
	if s.parallelism == 0 {
		s.parallelism = 2
	}
	c := &cluster{settings: s, temp: t.TempDir()}
	c.recorder.settings = map[string]string{config.DefaultParallelism.Key: strconv.Itoa(s.parallelism)}
	return role.WithLauncher(t.Context(), c)
}

// cluster is a launcher that runs jobs on several workers in this process.
type cluster struct {
	recorder
	settings settings
	temp     string // for what exchanges store
}

// deployment is a job on its workers.
type deployment struct {
	job      id.Job
	managers []*network.Manager
	runtimes []*worker.Runtime
	states   chan *controlpb.TaskState
	graph    *execution.Job
	tasks    [][]*controlpb.TaskDeployment // deployed so far, by worker
	running  int
}

// Launch is Launcher's.
func (c *cluster) Launch(ctx context.Context, p *operator.Program) (*planpb.JobResult, error) {
	if !c.settings.mutation {
		watchProgram(p)
	}
	files := localFiles()
	defer func() { _ = files.Close() }() // everything written has been closed by its writer
	d := &deployment{job: id.NewJob(), states: make(chan *controlpb.TaskState, 1024)}
	defer d.close()
	began := time.Now()
	if err := d.start(p, files, c.temp, c.settings); err != nil {
		return nil, err
	}
	result := d.await(ctx)
	result.JobId, result.RuntimeMs = d.job.String(), time.Since(began).Milliseconds()
	for _, path := range p.Graph.GetScratchPaths() {
		store, name, err := files.Get(fs.ExpandJob(path, d.job.String()))
		if err == nil {
			err = store.Delete(context.WithoutCancel(ctx), name, true)
		}
		if err != nil {
			return result, fmt.Errorf("unfinished output %s: %w", path, err)
		}
	}
	return result, nil
}

// start makes the workers and deploys the job.
func (d *deployment) start(p *operator.Program, files *fs.Registry, temp string, s settings) error {
	secret := make(security.Secret, security.SecretSize)
	if _, err := rand.Read(secret); err != nil {
		return err
	}
	values := p.Graph.GetConfig()
	conf := config.FromMap(values)
	log := slog.New(slog.NewTextHandler(io.Discard, nil)) // what matters comes as the job's failure
	var clock operator.Clock
	if s.clock != nil {
		clock = ticker{s.clock}
	}
	for i := range s.workers {
		m, err := network.NewManager(network.Config{Listen: "127.0.0.1:0", Secret: secret, Job: d.job, BufferSize: int(config.Get(conf, config.SegmentSize)),
			ExclusivePerChannel: config.Get(conf, config.BuffersPerChannel), FloatingPerGate: config.Get(conf, config.FloatingBuffers), Log: log})
		if err != nil {
			return err
		}
		d.managers = append(d.managers, m)
		d.runtimes = append(d.runtimes, worker.NewRuntime(worker.Config{Job: d.job, Program: p, Manager: m, Files: files, Log: log, Config: values,
			Spill: spill.NewSpace(temp), Host: "localhost", TaskManager: fmt.Sprint("worker ", i+1), Clock: clock, Report: func(s *controlpb.TaskState) { d.states <- s }}))
	}
	var err error
	if d.graph, err = execution.NewJob(d.job, p.Graph, 0); err != nil {
		return err
	}
	d.graph.Begin(0, 0)
	d.tasks = make([][]*controlpb.TaskDeployment, s.workers)
	return d.deploy()
}

// deploy starts the tasks of the job's stage: slot i on worker i modulo their number, so that neighbours are apart.
func (d *deployment) deploy() error {
	n := len(d.runtimes)
	bySlot, coordinator, address := d.graph.Deployment(func(slot int) execution.Placement {
		return execution.Placement{Address: d.managers[slot%n].Addr()}
	})
	stage := make([][]*controlpb.TaskDeployment, n)
	for slot, tasks := range bySlot {
		stage[slot%n] = append(stage[slot%n], tasks...)
		d.running += len(tasks)
	}
	for i, r := range d.runtimes {
		d.tasks[i] = append(d.tasks[i], stage[i]...)
		err := r.Deploy(&controlpb.Deploy{JobId: d.job.String(), Coordinator: coordinator, CoordinatorAddress: address, Tasks: stage[i]})
		if err != nil {
			return err
		}
	}
	return nil
}

func (d *deployment) close() {
	closed := make(chan struct{})
	go func() { // tasks report until they have ended
		for {
			select {
			case <-d.states:
			case <-closed:
				return
			}
		}
	}()
	for _, r := range d.runtimes {
		r.Close()
	}
	close(closed)
	for _, m := range d.managers {
		_ = m.Close() // every task has ended; there is nothing left to send
	}
}

// await collects the tasks' ends; the first failure cancels the others.
func (d *deployment) await(ctx context.Context) *planpb.JobResult {
	result := &planpb.JobResult{Status: planpb.JobStatus_FINISHED}
	totals := map[string]*planpb.Accumulator{}
	fail := func(f *planpb.Failure) {
		if result.Status == planpb.JobStatus_FINISHED {
			result.Status, result.Failure = planpb.JobStatus_FAILED, f
			d.cancel()
		}
	}
	canceled := ctx.Done()
	for d.running > 0 {
		select {
		case <-canceled:
			canceled = nil
			if result.Status == planpb.JobStatus_FINISHED {
				result.Status = planpb.JobStatus_CANCELED
			}
			d.cancel()
		case s := <-d.states:
			if a := d.graph.Find(s.GetId()); a != nil {
				a.Set(s.GetState(), 0)
			}
			switch s.GetState() {
			case controlpb.ExecutionState_STATE_FAILED:
				d.running--
				fail(s.GetFailure())
			case controlpb.ExecutionState_STATE_FINISHED, controlpb.ExecutionState_STATE_CANCELED:
				d.running--
				addTotals(totals, s.GetAccumulators())
				if result.Status == planpb.JobStatus_FINISHED && d.graph.NextStage() {
					if err := d.deploy(); err != nil {
						fail(&planpb.Failure{Domain: planpb.FailureDomain_INTERNAL, Message: err.Error()})
					}
				}
			}
		}
	}
	for _, a := range totals {
		result.Accumulators = append(result.Accumulators, a)
	}
	sort.Slice(result.Accumulators, func(i, j int) bool { return result.Accumulators[i].Name < result.Accumulators[j].Name })
	return result
}

func (d *deployment) cancel() {
	for i, r := range d.runtimes {
		var ids []*controlpb.AttemptId
		for _, t := range d.tasks[i] {
			ids = append(ids, t.GetId())
		}
		r.Cancel(ids)
	}
}

func addTotals(totals map[string]*planpb.Accumulator, more []*planpb.Accumulator) {
	for _, a := range more {
		t := totals[a.GetName()]
		if t == nil {
			t = &planpb.Accumulator{Name: a.GetName(), Type: a.GetType()}
			totals[a.GetName()] = t
		}
		t.LongValue += a.GetLongValue()
		t.DoubleValue += a.GetDoubleValue()
		if t.Value = strconv.FormatInt(t.LongValue, 10); t.Type == "DoubleCounter" {
			t.Value = strconv.FormatFloat(t.DoubleValue, 'g', -1, 64)
		}
	}
}
