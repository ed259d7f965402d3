package rest

import (
	"context"
	"math"
	"slices"

	"github.com/weft-project/weft/id"
)

// CheckpointBackend is a Backend whose jobs take checkpoints and savepoints.
type CheckpointBackend interface {
	Checkpoints(ctx context.Context, job id.Job) (Checkpoints, error)
	// CheckpointConfig is NotFound for a job without an interval.
	CheckpointConfig(ctx context.Context, job id.Job) (CheckpointConfig, error)
	// TriggerCheckpoint begins what is asked for; asking with the same id again changes nothing.
	TriggerCheckpoint(ctx context.Context, job id.Job, request CheckpointRequest) error
	// CheckpointOperation tells how far it is; NotFound for an id that nobody has asked with.
	CheckpointOperation(ctx context.Context, job id.Job, trigger string) (CheckpointOperation, error)
	// DisposeSavepoint removes a savepoint.
	DisposeSavepoint(ctx context.Context, path string) error
}

// CheckpointRequest asks for a checkpoint, a savepoint, or the end of a job with one.
type CheckpointRequest struct {
	// ID is the trigger's.
	ID string
	// Savepoint, or one that the job ends with (Stop); neither is a checkpoint.
	Savepoint, Stop bool
	// Drain ends event time before a Stop; Cancel cancels the job when the Savepoint is complete.
	Drain, Cancel bool
	// Target is the directory that the savepoint's gets made in; empty for the configured one.
	Target string
}

// CheckpointOperation is one that was asked for.
type CheckpointOperation struct {
	Done bool
	// Location is a savepoint's path; Checkpoint the number.
	Location   string
	Checkpoint int64
	Failure    string
}

// Trigger answers what begins an operation.
type Trigger struct {
	RequestID string `json:"request-id"`
}

// OperationStatus is how far an operation has come: IN_PROGRESS, or COMPLETED with or without a failure.
type OperationStatus struct {
	Status struct {
		ID string `json:"id"`
	} `json:"status"`
	Operation *OperationResult `json:"operation"`
}

// OperationResult is what became of an operation.
type OperationResult struct {
	Location     string            `json:"location,omitempty"`
	CheckpointID int64             `json:"checkpointId,omitempty"`
	FailureCause *OperationFailure `json:"failure-cause,omitempty"`
}

// OperationFailure is a failure in Flink's form.
type OperationFailure struct {
	Class      string `json:"class"`
	StackTrace string `json:"stack-trace"`
}

// Checkpoints is GET /jobs/:jobid/checkpoints.
type Checkpoints struct {
	Counts  CheckpointCounts  `json:"counts"`
	Summary CheckpointSummary `json:"summary"`
	Latest  LatestCheckpoints `json:"latest"`
	// History are those on their way and the newest that have ended, newest first.
	History []CheckpointStatistics `json:"history"`
}

// LatestCheckpoints are null as long as there is none.
type LatestCheckpoints struct {
	Completed *CheckpointStatistics `json:"completed"`
	Savepoint *CheckpointStatistics `json:"savepoint"`
	Failed    *CheckpointStatistics `json:"failed"`
	Restored  *RestoredCheckpoint   `json:"restored"`
}

// RestoredCheckpoint is what the current attempt of the job has begun with.
type RestoredCheckpoint struct {
	ID               int64  `json:"id"`
	RestoreTimestamp int64  `json:"restore_timestamp"`
	IsSavepoint      bool   `json:"is_savepoint"`
	ExternalPath     string `json:"external_path"`
}

// CheckpointStatistics is one checkpoint; sizes in bytes, durations in milliseconds. Tasks are by vertex, in its details only.
type CheckpointStatistics struct {
	// ClassName is in_progress, completed or failed.
	ClassName            string                              `json:"className"`
	ID                   int64                               `json:"id"`
	Status               string                              `json:"status"`
	IsSavepoint          bool                                `json:"is_savepoint"`
	SavepointFormat      *string                             `json:"savepointFormat"`
	TriggerTimestamp     int64                               `json:"trigger_timestamp"`
	LatestAckTimestamp   int64                               `json:"latest_ack_timestamp"`
	CheckpointedSize     int64                               `json:"checkpointed_size"`
	StateSize            int64                               `json:"state_size"`
	EndToEndDuration     int64                               `json:"end_to_end_duration"`
	AlignmentBuffered    int64                               `json:"alignment_buffered"`
	ProcessedData        int64                               `json:"processed_data"`
	PersistedData        int64                               `json:"persisted_data"`
	NumSubtasks          int                                 `json:"num_subtasks"`
	AcknowledgedSubtasks int                                 `json:"num_acknowledged_subtasks"`
	CheckpointType       string                              `json:"checkpoint_type"`
	Tasks                map[string]TaskCheckpointStatistics `json:"tasks"`
	ExternalPath         string                              `json:"external_path,omitempty"`
	Discarded            *bool                               `json:"discarded,omitempty"`
	FailureTimestamp     int64                               `json:"failure_timestamp,omitempty"`
	FailureMessage       string                              `json:"failure_message,omitempty"`
}

// TaskCheckpointStatistics is a vertex's part of a checkpoint.
type TaskCheckpointStatistics struct {
	ID                   int64  `json:"id"`
	Status               string `json:"status"`
	LatestAckTimestamp   int64  `json:"latest_ack_timestamp"`
	CheckpointedSize     int64  `json:"checkpointed_size"`
	StateSize            int64  `json:"state_size"`
	EndToEndDuration     int64  `json:"end_to_end_duration"`
	AlignmentBuffered    int64  `json:"alignment_buffered"`
	ProcessedData        int64  `json:"processed_data"`
	PersistedData        int64  `json:"persisted_data"`
	NumSubtasks          int    `json:"num_subtasks"`
	AcknowledgedSubtasks int    `json:"num_acknowledged_subtasks"`
}

// CheckpointConfig is GET /jobs/:jobid/checkpoints/config; times in milliseconds.
type CheckpointConfig struct {
	Mode            string `json:"mode"`
	Interval        int64  `json:"interval"`
	Timeout         int64  `json:"timeout"`
	MinPause        int64  `json:"min_pause"`
	MaxConcurrent   int    `json:"max_concurrent"`
	Externalization struct {
		Enabled              bool `json:"enabled"`
		DeleteOnCancellation bool `json:"delete_on_cancellation"`
	} `json:"externalization"`
	StateBackend                string `json:"state_backend"`
	CheckpointStorage           string `json:"checkpoint_storage"`
	UnalignedCheckpoints        bool   `json:"unaligned_checkpoints"`
	TolerableFailedCheckpoints  int    `json:"tolerable_failed_checkpoints"`
	AlignedCheckpointTimeout    int64  `json:"aligned_checkpoint_timeout"`
	CheckpointsAfterTasksFinish bool   `json:"checkpoints_after_tasks_finish"`
	StateChangelogEnabled       bool   `json:"state_changelog_enabled"`
	ChangelogMaterialization    int64  `json:"changelog_periodic_materialization_interval"`
	ChangelogStorage            string `json:"changelog_storage"`
}

// Summarize fills in Latest and Summary from the history, which is newest first.
func (c *Checkpoints) Summarize() {
	var sizes, times []int64
	for i := range c.History {
		h := &c.History[i]
		switch {
		case h.ClassName == "failed":
			latest(&c.Latest.Failed, h)
		case h.ClassName != "completed":
			continue
		case h.IsSavepoint:
			latest(&c.Latest.Savepoint, h)
		default:
			latest(&c.Latest.Completed, h)
		}
		if h.ClassName == "completed" {
			sizes, times = append(sizes, h.StateSize), append(times, h.EndToEndDuration)
		}
	}
	none := distribution(make([]int64, min(1, len(sizes))))
	c.Summary = CheckpointSummary{CheckpointedSize: distribution(sizes), StateSize: distribution(sizes), EndToEndDuration: distribution(times),
		AlignmentBuffered: none, ProcessedData: none, PersistedData: none}
}

func latest(to **CheckpointStatistics, h *CheckpointStatistics) {
	if *to == nil {
		own := *h
		*to = &own
	}
}

// distribution makes figures of values.
func distribution(values []int64) Distribution {
	if len(values) == 0 {
		nan := Double(math.NaN())
		return Distribution{P50: nan, P90: nan, P95: nan, P99: nan, P999: nan}
	}
	v := slices.Sorted(slices.Values(values))
	sum := int64(0)
	for _, x := range v {
		sum += x
	}
	at := func(p float64) Double { return Double(v[min(len(v)-1, int(math.Ceil(p*float64(len(v))))-1)]) }
	return Distribution{Min: v[0], Max: v[len(v)-1], Avg: sum / int64(len(v)), P50: at(.5), P90: at(.9), P95: at(.95), P99: at(.99), P999: at(.999)}
}
