package am

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/jobmanager"
	"github.com/weft-project/weft/rpc/planpb"
	"github.com/weft-project/weft/yarnrpc"
)

const (
	// submissionLimit is how long a cluster for one job waits for it: its client may have died.
	submissionLimit = time.Minute
	// attachedLinger and detachedLinger are how long such a cluster waits, when its jobs have ended, for somebody who asks.
	attachedLinger = 5 * time.Second
	detachedLinger = time.Second
)

var (
	errNoJob = fmt.Errorf("no job was submitted within %v", submissionLimit)
	// errEnded is why what decides the cluster's end is stopped itself.
	errEnded = errors.New("stopped by its user")
)

// outcome is how the application has ended.
type outcome struct {
	status      yarnrpc.FinalStatus
	diagnostics string
}

// stopped is a session's outcome.
var stopped = outcome{yarnrpc.FinalSucceeded, errEnded.Error()}

// lead runs the JobManager and, beside it, what decides when a cluster ends that is there for one job or one main.
func (a *application) lead(ctx context.Context, jm *jobmanager.JobManager) (outcome, error) {
	var duty func(context.Context, *jobmanager.JobManager) outcome
	switch a.target() {
	case config.TargetPerJob:
		duty = a.oneJob
	case config.TargetApplication:
		duty = a.oneMain
	default:
		return stopped, jm.Run(ctx)
	}
	dutyCtx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	done := make(chan outcome, 1)
	go func() {
		done <- duty(dutyCtx, jm)
		_ = jm.Shutdown(dutyCtx) // it may be ending already
	}()
	err := jm.Run(ctx)
	stop(errEnded)
	return <-done, err
}

// target is how the cluster lives.
func (a *application) target() string {
	switch t := config.Get(a.config, config.Target); t {
	case config.TargetPerJob, config.TargetApplication:
		return t
	}
	return config.TargetSession
}

// oneJob waits for the end of the first job.
func (a *application) oneJob(ctx context.Context, jm *jobmanager.JobManager) outcome {
	wait, cancel := context.WithTimeoutCause(ctx, submissionLimit, errNoJob)
	defer cancel()
	job, err := jm.FirstJob(wait)
	if err != nil {
		return a.cut(err)
	}
	result, err := jm.Result(ctx, job)
	if err != nil {
		return a.cut(err)
	}
	a.linger(ctx, jm)
	return jobsOutcome([]*planpb.JobResult{result})
}

// linger waits until somebody was told the jobs' ends.
func (a *application) linger(ctx context.Context, jm *jobmanager.JobManager) {
	limit := detachedLinger
	if config.Get(a.config, config.Attached) {
		limit = attachedLinger
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	jm.Fetched(ctx)
}

// cut is the outcome of a wait that was cut short.
func (a *application) cut(err error) outcome {
	if errors.Is(err, errNoJob) {
		return outcome{yarnrpc.FinalFailed, err.Error()}
	}
	a.Log.Info("ended from outside", "reason", err)
	return outcome{yarnrpc.FinalKilled, errEnded.Error()}
}

// jobsOutcome is that of the jobs of one main: the first failure, else the first cancellation, else success.
func jobsOutcome(results []*planpb.JobResult) outcome {
	for _, r := range results {
		if r.GetStatus() == planpb.JobStatus_FAILED {
			return outcome{yarnrpc.FinalFailed, explainFailure(r)}
		}
	}
	for _, r := range results {
		if r.GetStatus() != planpb.JobStatus_FINISHED {
			return outcome{yarnrpc.FinalKilled, fmt.Sprintf("job %s ended as %s", r.GetJobId(), r.GetStatus())}
		}
	}
	switch n := len(results); n {
	case 1:
		return outcome{yarnrpc.FinalSucceeded, fmt.Sprintf("job %s has finished after %d ms", results[0].GetJobId(), results[0].GetRuntimeMs())}
	default:
		return outcome{yarnrpc.FinalSucceeded, fmt.Sprintf("%d jobs have finished", n)}
	}
}

// explainFailure says what failed, where.
func explainFailure(r *planpb.JobResult) string {
	var b strings.Builder
	fmt.Fprintf(&b, "job %s failed", r.GetJobId())
	f := r.GetFailure()
	if f == nil {
		return b.String()
	}
	fmt.Fprintf(&b, ": %s", f.GetMessage())
	if f.GetTaskName() != "" {
		fmt.Fprintf(&b, " in %s, subtask %d, attempt %d", f.GetTaskName(), f.GetSubtask()+1, f.GetAttempt()+1)
	}
	if f.GetHost() != "" {
		fmt.Fprintf(&b, ", on %s", f.GetHost())
	}
	return b.String()
}
