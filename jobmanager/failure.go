package jobmanager

import (
	"fmt"
	"slices"
	"time"

	"github.com/weft-project/weft/graph/execution"
	"github.com/weft-project/weft/rpc/controlpb"
	"github.com/weft-project/weft/rpc/planpb"
)

// fail handles a failure of the job's current attempt: it is recorded, the workers are stopped, and when they are gone
// the job starts again or has failed.
func (m *JobManager) fail(j *job, f *planpb.Failure) {
	if execution.Ended(j.x.Status) || j.cleaning {
		return
	}
	j.failures = append([]*planpb.Failure{f}, j.failures...)
	if len(j.failures) > maxFailures {
		j.failures = j.failures[:maxFailures]
	}
	m.o.Log.Warn("job failure", "job", j.id, "domain", f.GetDomain().String(), "operator", f.GetOperator(), "subtask", f.GetSubtask(), "message", f.GetMessage())
	waiting := !j.waitingSince.IsZero()
	switch j.x.Status {
	case planpb.JobStatus_FAILING, planpb.JobStatus_CANCELLING:
		j.causeFirst()
		return
	case planpb.JobStatus_RESTARTING:
		if !waiting && (f.GetDomain() != planpb.FailureDomain_USER || j.strategy.User) {
			j.causeFirst()
			return // follows from the failure that is being handled
		}
	}
	pause, restart, why := time.Duration(0), false, "it has no slots to start on"
	if !waiting {
		pause, restart, why = j.strategy.Decide(f, time.Now())
	}
	if j.cp.stopped() {
		restart, why = false, "it was stopped with a savepoint, which is complete"
	}
	j.cause = f
	j.cp.halt("the job failed: " + f.GetMessage())
	if !restart {
		if j.restarts > 0 || f.GetDomain() != planpb.FailureDomain_USER {
			j.note("no restart: " + why)
		}
		j.waitingSince = time.Time{}
		j.next = planpb.JobStatus_FAILED
		j.move(planpb.JobStatus_FAILING, f)
	} else {
		j.next, j.pause = planpb.JobStatus_RUNNING, pause
		j.move(planpb.JobStatus_RESTARTING, f)
		j.note(fmt.Sprintf("restart %d, %s, in %s", j.restarts+1, j.cp.from(), pause))
	}
	m.stopWorkers(j, "the job failed: "+f.GetMessage())
	m.workersGone(j)
}

// causeFirst keeps the failure that decided before those that follow from it: it is the root cause that people see.
func (j *job) causeFirst() {
	if i := slices.Index(j.failures, j.cause); i > 0 {
		copy(j.failures[1:i+1], j.failures[:i])
		j.failures[0] = j.cause
	}
}

// stopWorkers tells the TaskManagers to end the job's workers.
func (m *JobManager) stopWorkers(j *job, reason string) {
	for _, w := range j.workers {
		if !w.stopped {
			w.stopped = true
			w.tm.send(&controlpb.ToTaskManager{Kind: &controlpb.ToTaskManager_StopWorker{StopWorker: &controlpb.StopWorker{JobId: j.id.String(), Reason: reason}}})
		}
	}
}

// workerLost: the TaskManager of a worker is gone.
func (m *JobManager) workerLost(j *job, tm *taskManager, reason string) {
	delete(j.workers, tm.id)
	m.giveBack(j, tm)
	m.fail(j, &planpb.Failure{Domain: planpb.FailureDomain_EXTERNAL, Retryable: true, Message: lostText(tm.id, reason),
		TaskmanagerId: tm.id, Host: tm.register.GetHost(), TimestampMs: nowMs()})
	m.workersGone(j)
}

// workersGone goes on with a job that is being stopped when its last worker has ended.
func (m *JobManager) workersGone(j *job) {
	if len(j.workers) > 0 || j.cleaning {
		return
	}
	now := nowMs()
	switch j.x.Status {
	case planpb.JobStatus_FAILING, planpb.JobStatus_CANCELLING:
		j.x.Each(func(a *execution.Attempt) { a.Set(controlpb.ExecutionState_STATE_CANCELED, now) })
		m.finish(j, j.next)
	case planpb.JobStatus_RESTARTING:
		if j.next != planpb.JobStatus_RUNNING {
			return // already on its way
		}
		j.next = planpb.JobStatus_RESTARTING
		j.x.Each(func(a *execution.Attempt) { a.Set(controlpb.ExecutionState_STATE_CANCELED, now) })
		j.restarts++
		m.l.after(j.pause, func() {
			if j.x.Status == planpb.JobStatus_RESTARTING {
				m.await(j)
			}
		})
	}
}
