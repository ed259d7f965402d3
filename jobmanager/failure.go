package jobmanager

import (
	"fmt"
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
	switch j.x.Status {
	case planpb.JobStatus_FAILING, planpb.JobStatus_CANCELLING:
		return
	case planpb.JobStatus_RESTARTING:
		if j.waitingSince.IsZero() && !(f.GetDomain() == planpb.FailureDomain_USER && !j.strategy.User) {
			return // follows from the failure that is being handled
		}
	}
	pause, restart, why := j.strategy.Decide(f, j.restarts)
	if !restart {
		if j.restarts > 0 || f.GetDomain() != planpb.FailureDomain_USER {
			j.note("no restart: " + why)
		}
		j.waitingSince = time.Time{}
		j.next = planpb.JobStatus_FAILED
		j.move(planpb.JobStatus_FAILING, f)
		// The failure that decided stands first: it is the root cause that people see.
		j.rootFirst(f)
	} else {
		j.next, j.pause = planpb.JobStatus_RUNNING, pause
		j.note(fmt.Sprintf("restart %d from the beginning in %s after: %s", j.restarts+1, pause, f.GetMessage()))
		j.move(planpb.JobStatus_RESTARTING, f)
	}
	m.stopWorkers(j, "the job failed: "+f.GetMessage())
	m.workersGone(j)
}

func (j *job) rootFirst(f *planpb.Failure) {
	for i, x := range j.failures {
		if x == f {
			copy(j.failures[1:i+1], j.failures[:i])
			j.failures[0] = f
			return
		}
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
	m.fail(j, &planpb.Failure{Domain: planpb.FailureDomain_EXTERNAL, Retryable: true, Message: fmt.Sprintf("TaskManager %s was lost: %s", tm.id, reason),
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
