package execution

import (
	"fmt"
	"slices"

	"github.com/weft-project/weft/rpc/controlpb"
	"github.com/weft-project/weft/rpc/planpb"
)

// jobEdges are the legal changes of a job's status.
//
//	INITIALIZING → CREATED → RUNNING → FINISHED
//	                  │         │ ↘ RESTARTING → RUNNING
//	                  │         └→ FAILING → FAILED
//	                  └──────── any not ended → CANCELLING → CANCELED
var jobEdges = map[planpb.JobStatus][]planpb.JobStatus{
	planpb.JobStatus_INITIALIZING: {planpb.JobStatus_CREATED, planpb.JobStatus_CANCELLING, planpb.JobStatus_FAILING},
	planpb.JobStatus_CREATED:      {planpb.JobStatus_RUNNING, planpb.JobStatus_CANCELLING, planpb.JobStatus_FAILING},
	planpb.JobStatus_RUNNING:      {planpb.JobStatus_FINISHED, planpb.JobStatus_RESTARTING, planpb.JobStatus_FAILING, planpb.JobStatus_CANCELLING},
	planpb.JobStatus_RESTARTING:   {planpb.JobStatus_RUNNING, planpb.JobStatus_FAILING, planpb.JobStatus_CANCELLING},
	planpb.JobStatus_FAILING:      {planpb.JobStatus_FAILED, planpb.JobStatus_CANCELLING},
	planpb.JobStatus_CANCELLING:   {planpb.JobStatus_CANCELED},
}

// Ended tells the statuses that a job does not leave.
func Ended(s planpb.JobStatus) bool {
	return s == planpb.JobStatus_FINISHED || s == planpb.JobStatus_FAILED || s == planpb.JobStatus_CANCELED
}

func jobMove(from, to planpb.JobStatus) error {
	if !slices.Contains(jobEdges[from], to) {
		return fmt.Errorf("a job does not go from %s to %s", from, to)
	}
	return nil
}

// taskRank orders the states of a task: a message that would lead back, or out of an end, is late and is not applied.
var taskRank = map[controlpb.ExecutionState]int{
	controlpb.ExecutionState_STATE_CREATED:      0,
	controlpb.ExecutionState_STATE_SCHEDULED:    1,
	controlpb.ExecutionState_STATE_DEPLOYING:    2,
	controlpb.ExecutionState_STATE_INITIALIZING: 3,
	controlpb.ExecutionState_STATE_RUNNING:      4,
	controlpb.ExecutionState_STATE_CANCELING:    5,
	controlpb.ExecutionState_STATE_FINISHED:     6,
	controlpb.ExecutionState_STATE_CANCELED:     6,
	controlpb.ExecutionState_STATE_FAILED:       6,
}

// TaskEnded tells the states that a task attempt does not leave.
func TaskEnded(s controlpb.ExecutionState) bool { return taskRank[s] == 6 }
