package rest

import (
	"context"
	"fmt"
	"time"

	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/rest/restpb"
)

// Backend is what a Server shows and changes: the JobManager. Methods are called from many goroutines at once, return
// values the caller may change, and answer from memory (Watch excepted) within milliseconds. An *Error chooses the HTTP
// status; use JobNotFound, VertexNotFound and TaskManagerNotFound for unknown ids.
type Backend interface {
	// Cluster says who and where the cluster is; version and revision of /overview and /config come from here too.
	Cluster(ctx context.Context) (Cluster, error)
	// Overview counts TaskManagers, slots and jobs. Version and Revision may be left empty.
	Overview(ctx context.Context) (Overview, error)
	// Config lists the effective configuration of the cluster. The server sorts it and masks secrets.
	Config(ctx context.Context) ([]ConfigEntry, error)

	// Jobs lists all jobs the JobManager remembers, in the order they should be shown.
	Jobs(ctx context.Context) ([]JobSummary, error)
	Job(ctx context.Context, job id.Job) (JobDetails, error)
	JobConfig(ctx context.Context, job id.Job) (JobConfig, error)
	Exceptions(ctx context.Context, job id.Job) (JobExceptions, error)
	// Vertex gives a vertex with all its subtasks; Aggregated and StartTimeAgain may be left empty.
	Vertex(ctx context.Context, job id.Job, vertex id.Vertex) (VertexDetails, error)

	TaskManagers(ctx context.Context) ([]TaskManager, error)
	TaskManager(ctx context.Context, taskManager string) (TaskManagerDetails, error)

	// Metrics lists every metric of a scope with its value; the server filters by ?get= and aggregates.
	Metrics(ctx context.Context, scope MetricScope) ([]Metric, error)

	// Submit starts a job. Submitting an id that is known already changes nothing and succeeds, so that a client may
	// repeat a submission whose answer it did not get.
	Submit(ctx context.Context, request *restpb.SubmitRequest) (*restpb.SubmitReply, error)
	// Watch returns as soon as the job has an event with a sequence number higher than since, or has ended, or wait is
	// over, whichever is first. The server bounds wait.
	Watch(ctx context.Context, job id.Job, since uint64, wait time.Duration) (*restpb.WatchReply, error)
	// Cancel asks a job to end; it returns when the request is noted. Conflict for a job that has ended otherwise.
	Cancel(ctx context.Context, job id.Job) error
	// Shutdown ends the whole cluster; it returns before the cluster is gone.
	Shutdown(ctx context.Context) error
}

// MetricScope names whose metrics are meant.
type MetricScope struct {
	Kind MetricKind
	// TaskManager is set for ScopeTaskManager.
	TaskManager string
	// Job is set for ScopeJob, ScopeVertex and ScopeSubtask.
	Job id.Job
	// Vertex is set for ScopeVertex and ScopeSubtask.
	Vertex id.Vertex
	// Subtask is set for ScopeSubtask.
	Subtask int
}

// MetricKind is the kind of a MetricScope.
type MetricKind int

const (
	// ScopeJobManager has numRunningJobs, taskSlotsTotal, taskSlotsAvailable, numRegisteredTaskManagers, ….
	ScopeJobManager MetricKind = iota
	// ScopeTaskManager has the figures of one TaskManager process.
	ScopeTaskManager
	// ScopeJob has uptime, numRestarts, ….
	ScopeJob
	// ScopeVertex has every subtask's metrics as "<subtask>.<metric>".
	ScopeVertex
	// ScopeSubtask has numRecordsIn, numRecordsOut, numBytesIn, numBytesOut, busyTimeMsPerSecond, ….
	ScopeSubtask
)

// String names the scope for messages.
func (s MetricScope) String() string {
	switch s.Kind {
	case ScopeTaskManager:
		return "TaskManager " + s.TaskManager
	case ScopeJob:
		return "job " + s.Job.String()
	case ScopeVertex:
		return "vertex " + s.Vertex.String()
	case ScopeSubtask:
		return fmt.Sprintf("vertex %s, subtask %d", s.Vertex, s.Subtask)
	}
	return "JobManager"
}
