package localpage

import (
	"context"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strconv"
	"time"

	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/internal/procstat"
	"github.com/weft-project/weft/rest"
	"github.com/weft-project/weft/rest/jobview"
	"github.com/weft-project/weft/rest/restpb"
	"github.com/weft-project/weft/rpc/version"
)

const (
	// host and taskManager name this process.
	host        = "localhost"
	taskManager = "local"
)

// backend answers from the runs of the program.
type backend struct{ p *Page }

var _ rest.Backend = (*backend)(nil)

// views are the jobs, the oldest first.
func (b *backend) views() (out []*jobview.Job) {
	for _, r := range b.p.list() {
		if v := r.view(); v != nil {
			out = append(out, v)
		}
	}
	return out
}

// find gives a job's view.
func (b *backend) find(job id.Job) (*jobview.Job, error) {
	for _, v := range b.views() {
		if v.ID == job {
			return v, nil
		}
	}
	return nil, rest.JobNotFound(job)
}

// slots counts those of the job that runs, or of the last one.
func (b *backend) slots() (all, free int) {
	for _, r := range slices.Backward(b.p.list()) {
		if n := r.slots(); n > 0 {
			if r.running() {
				return n, 0
			}
			return n, n
		}
	}
	return 0, 0
}

// Cluster is Backend's.
func (b *backend) Cluster(context.Context) (rest.Cluster, error) {
	all, _ := b.slots()
	return rest.Cluster{ClusterID: taskManager, Target: config.TargetLocal, Version: version.SDK, Host: host, StartTime: b.p.started.UnixMilli(),
		TaskManagerVCores: runtime.GOMAXPROCS(0), TaskManagerSlots: all}, nil
}

// Overview is Backend's.
func (b *backend) Overview(context.Context) (rest.Overview, error) {
	o := rest.Overview{TaskManagers: 1}
	o.SlotsTotal, o.SlotsAvailable = b.slots()
	for _, v := range b.views() {
		jobview.Count(&o, v.Status)
	}
	return o, nil
}

// Config is Backend's.
func (b *backend) Config(context.Context) ([]rest.ConfigEntry, error) {
	return jobview.ConfigEntries(b.p.config), nil
}

// Jobs is Backend's: the newest first.
func (b *backend) Jobs(context.Context) ([]rest.JobSummary, error) {
	out, now := []rest.JobSummary{}, nowMs()
	for _, v := range slices.Backward(b.views()) {
		out = append(out, jobview.Summary(v, now))
	}
	return out, nil
}

// Job is Backend's.
func (b *backend) Job(_ context.Context, job id.Job) (rest.JobDetails, error) {
	v, err := b.find(job)
	if err != nil {
		return rest.JobDetails{}, err
	}
	return jobview.Details(v, nowMs()), nil
}

// JobConfig is Backend's.
func (b *backend) JobConfig(_ context.Context, job id.Job) (rest.JobConfig, error) {
	v, err := b.find(job)
	if err != nil {
		return rest.JobConfig{}, err
	}
	return jobview.Config(v), nil
}

// Exceptions is Backend's.
func (b *backend) Exceptions(_ context.Context, job id.Job) (rest.JobExceptions, error) {
	v, err := b.find(job)
	if err != nil {
		return rest.JobExceptions{}, err
	}
	return jobview.Exceptions(v), nil
}

// Vertex is Backend's.
func (b *backend) Vertex(_ context.Context, job id.Job, vertex id.Vertex) (rest.VertexDetails, error) {
	v, err := b.find(job)
	if err != nil {
		return rest.VertexDetails{}, err
	}
	return jobview.VertexDetails(v, vertex, nowMs())
}

// TaskManagers is Backend's: this process stands for the only one.
func (b *backend) TaskManagers(context.Context) ([]rest.TaskManager, error) {
	return []rest.TaskManager{b.taskManager()}, nil
}

func (b *backend) taskManager() rest.TaskManager {
	all, free := b.slots()
	cores := rest.Double(runtime.GOMAXPROCS(0))
	tm := rest.TaskManager{ID: taskManager, Path: host + ":" + strconv.Itoa(os.Getpid()), JMXPort: -1, LastHeartbeat: nowMs(), Slots: all, FreeSlots: free, Host: host,
		Total: rest.Resource{CPUCores: cores}, Hardware: rest.Hardware{CPUCores: runtime.NumCPU()}}
	if all > 0 {
		tm.Free = rest.Resource{CPUCores: cores * rest.Double(free) / rest.Double(all)}
	}
	return tm
}

// TaskManager is Backend's.
func (b *backend) TaskManager(_ context.Context, name string) (rest.TaskManagerDetails, error) {
	if name != taskManager {
		return rest.TaskManagerDetails{}, rest.TaskManagerNotFound(name)
	}
	d := rest.TaskManagerDetails{TaskManager: b.taskManager(), AllocatedSlots: []rest.AllocatedSlot{}}
	for _, r := range b.p.list() {
		if v := r.view(); v != nil && v.End == 0 {
			for range v.SlotsHeld {
				d.AllocatedSlots = append(d.AllocatedSlots, rest.AllocatedSlot{JobID: v.ID.String()})
			}
		}
	}
	return d, nil
}

// Metrics is Backend's.
func (b *backend) Metrics(_ context.Context, s rest.MetricScope) ([]rest.Metric, error) {
	switch s.Kind {
	case rest.ScopeJob, rest.ScopeVertex, rest.ScopeSubtask:
		v, err := b.find(s.Job)
		if err != nil {
			return nil, err
		}
		return jobview.Metrics(v, s, nowMs())
	case rest.ScopeTaskManager:
		if s.TaskManager != taskManager {
			return nil, rest.TaskManagerNotFound(s.TaskManager)
		}
	}
	all, free := b.slots()
	o, err := b.Overview(context.Background())
	n := func(name string, v int) rest.Metric { return rest.Metric{ID: name, Value: strconv.Itoa(v)} }
	out := []rest.Metric{n("numRunningJobs", o.JobsRunning), n("numRegisteredTaskManagers", 1), n("taskSlotsTotal", all), n("taskSlotsAvailable", free)}
	return append(out, jobview.ProcessMetrics(procstat.Read())...), err
}

// errReadOnly answers what would change something.
var errReadOnly = &rest.Error{Status: http.StatusForbidden,
	Message: "this page shows a job that runs in its own process and changes nothing: end the program to end the job"}

// Submit is Backend's.
func (b *backend) Submit(context.Context, *restpb.SubmitRequest) (*restpb.SubmitReply, error) {
	return nil, errReadOnly
}

// Watch is Backend's: only who submits a job watches it.
func (b *backend) Watch(context.Context, id.Job, uint64, time.Duration) (*restpb.WatchReply, error) {
	return nil, errReadOnly
}

// Cancel is Backend's.
func (b *backend) Cancel(context.Context, id.Job) error { return errReadOnly }

// Shutdown is Backend's.
func (b *backend) Shutdown(context.Context) error { return errReadOnly }
