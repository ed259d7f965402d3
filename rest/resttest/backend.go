package resttest

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/rest"
	"github.com/weft-project/weft/rest/restpb"
	"github.com/weft-project/weft/rpc/planpb"
)

// Backend answers from its fields. Fields may be changed before it is used; calls that change something are recorded.
type Backend struct {
	ClusterDoc      rest.Cluster
	OverviewDoc     rest.Overview
	ConfigDoc       []rest.ConfigEntry
	JobDocs         []rest.JobDetails
	ConfigDocs      map[string]rest.JobConfig
	ExceptionDocs   map[string]rest.JobExceptions
	VertexDocs      map[string]rest.VertexDetails
	TaskManagerDocs []rest.TaskManagerDetails
	// MetricDocs by MetricScope.String().
	MetricDocs map[string][]rest.Metric
	// Replies are given to Watch in turn; the last again and again.
	Replies []*restpb.WatchReply
	// Watching, when set, gets a value each time Watch is called.
	Watching chan struct{}
	// Fail, when set, is returned by every method.
	Fail error
	// Panic makes Overview panic.
	Panic bool

	mu        sync.Mutex
	submitted []*restpb.SubmitRequest
	canceled  []id.Job
	watched   []uint64
	shutdown  bool
}

var _ rest.Backend = (*Backend)(nil)

// Submitted gives the submissions seen.
func (b *Backend) Submitted() []*restpb.SubmitRequest {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]*restpb.SubmitRequest(nil), b.submitted...)
}

// Canceled gives the jobs whose cancelling was asked for.
func (b *Backend) Canceled() []id.Job {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]id.Job(nil), b.canceled...)
}

// Watched gives the since of each Watch.
func (b *Backend) Watched() []uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]uint64(nil), b.watched...)
}

// ShutdownAsked tells whether Shutdown was called.
func (b *Backend) ShutdownAsked() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.shutdown
}

// Cluster gives ClusterDoc.
func (b *Backend) Cluster(context.Context) (rest.Cluster, error) { return b.ClusterDoc, b.Fail }

// Overview gives OverviewDoc.
func (b *Backend) Overview(context.Context) (rest.Overview, error) {
	if b.Panic {
		// Asked for by a test of how servers answer bugs.
		panic("scripted panic")
	}
	return b.OverviewDoc, b.Fail
}

// Config gives ConfigDoc.
func (b *Backend) Config(context.Context) ([]rest.ConfigEntry, error) { return b.ConfigDoc, b.Fail }

// Jobs sums up JobDocs.
func (b *Backend) Jobs(context.Context) ([]rest.JobSummary, error) {
	var list []rest.JobSummary
	for _, j := range b.JobDocs {
		s := rest.JobSummary{ID: j.ID, Name: j.Name, State: j.State, StartTime: j.StartTime, EndTime: j.EndTime, Duration: j.Duration, LastModification: max(j.StartTime, j.EndTime)}
		for _, v := range j.Vertices {
			for state, n := range v.Tasks {
				s.Tasks.Add(state, n)
			}
		}
		list = append(list, s)
	}
	return list, b.Fail
}

// Job looks in JobDocs.
func (b *Backend) Job(_ context.Context, job id.Job) (rest.JobDetails, error) {
	if b.Fail != nil {
		return rest.JobDetails{}, b.Fail
	}
	for _, j := range b.JobDocs {
		if j.ID == job.String() {
			return j, nil
		}
	}
	return rest.JobDetails{}, rest.JobNotFound(job)
}

// JobConfig looks in ConfigDocs.
func (b *Backend) JobConfig(ctx context.Context, job id.Job) (rest.JobConfig, error) {
	if _, err := b.Job(ctx, job); err != nil {
		return rest.JobConfig{}, err
	}
	return b.ConfigDocs[job.String()], nil
}

// Exceptions looks in ExceptionDocs.
func (b *Backend) Exceptions(ctx context.Context, job id.Job) (rest.JobExceptions, error) {
	if _, err := b.Job(ctx, job); err != nil {
		return rest.JobExceptions{}, err
	}
	e := b.ExceptionDocs[job.String()]
	e.All = append([]rest.TaskException(nil), e.All...)
	e.History.Entries = append([]rest.ExceptionEntry(nil), e.History.Entries...)
	return e, nil
}

// Vertex looks in VertexDocs.
func (b *Backend) Vertex(ctx context.Context, job id.Job, vertex id.Vertex) (rest.VertexDetails, error) {
	if _, err := b.Job(ctx, job); err != nil {
		return rest.VertexDetails{}, err
	}
	v, ok := b.VertexDocs[vertex.String()]
	if !ok {
		return v, rest.VertexNotFound(job, vertex)
	}
	v.Subtasks = append([]rest.Subtask(nil), v.Subtasks...)
	v.Earlier = append([]rest.Subtask(nil), v.Earlier...)
	return v, nil
}

// TaskManagers gives TaskManagerDocs without details.
func (b *Backend) TaskManagers(context.Context) ([]rest.TaskManager, error) {
	var list []rest.TaskManager
	for _, t := range b.TaskManagerDocs {
		list = append(list, t.TaskManager)
	}
	return list, b.Fail
}

// TaskManager looks in TaskManagerDocs.
func (b *Backend) TaskManager(_ context.Context, taskManager string) (rest.TaskManagerDetails, error) {
	for _, t := range b.TaskManagerDocs {
		if t.ID == taskManager {
			return t, b.Fail
		}
	}
	return rest.TaskManagerDetails{}, rest.TaskManagerNotFound(taskManager)
}

// Metrics looks in MetricDocs.
func (b *Backend) Metrics(_ context.Context, scope rest.MetricScope) ([]rest.Metric, error) {
	if b.Fail != nil {
		return nil, b.Fail
	}
	m, ok := b.MetricDocs[scope.String()]
	if !ok {
		return nil, rest.NotFound("no metrics of %s", scope)
	}
	return m, nil
}

// Submit records the request; a new id is drawn when it has none.
func (b *Backend) Submit(_ context.Context, request *restpb.SubmitRequest) (*restpb.SubmitReply, error) {
	if b.Fail != nil {
		return nil, b.Fail
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.submitted = append(b.submitted, request)
	job := request.JobId
	if job == "" {
		job = id.NewJob().String()
	}
	return &restpb.SubmitReply{JobId: job}, nil
}

// Watch gives the next of Replies, or waits until the wait is over when there is none.
func (b *Backend) Watch(ctx context.Context, _ id.Job, since uint64, wait time.Duration) (*restpb.WatchReply, error) {
	b.mu.Lock()
	b.watched = append(b.watched, since)
	n := len(b.watched) - 1
	b.mu.Unlock()
	if b.Watching != nil {
		b.Watching <- struct{}{}
	}
	if b.Fail != nil {
		return nil, b.Fail
	}
	if len(b.Replies) > 0 {
		return b.Replies[min(n, len(b.Replies)-1)], nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-timer.C:
		return &restpb.WatchReply{Next: since, Status: planpb.JobStatus_RUNNING}, nil
	}
}

// Cancel records the job; one that has ended is a conflict.
func (b *Backend) Cancel(ctx context.Context, job id.Job) error {
	j, err := b.Job(ctx, job)
	if err != nil {
		return err
	}
	if rest.JobEnded(j.State) {
		return rest.Conflict("job %s is %s already", job, j.State)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.canceled = append(b.canceled, job)
	return nil
}

// Shutdown records the call.
func (b *Backend) Shutdown(context.Context) error {
	if b.Fail != nil {
		return b.Fail
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.shutdown {
		return fmt.Errorf("shut down twice")
	}
	b.shutdown = true
	return nil
}
