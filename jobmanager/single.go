package jobmanager

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/graph/execution"
	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/internal/planproc"
	"github.com/weft-project/weft/rest"
	"github.com/weft-project/weft/rest/restpb"
	"github.com/weft-project/weft/rpc/planpb"
)

// ErrStopped is what waits end with when the JobManager has ended.
var ErrStopped = errStopped

// TargetOneMain is the target of a cluster without YARN that is there for the jobs of one main.
const TargetOneMain = "standalone-job"

// fetchPoll is how often Fetched looks.
const fetchPoll = 20 * time.Millisecond

// takes refuses submissions from outside to a cluster that is not for them. It is called in the loop.
func (m *JobManager) takes(r *restpb.SubmitRequest) error {
	switch m.o.Target {
	case config.TargetPerJob:
		if first := m.first; first != nil && r.GetJobId() != first.id.String() {
			return rest.Conflict("this cluster is for one job, %s, and takes no other: start a session with yarn-session.sh for several", first.id)
		}
	case config.TargetApplication:
		return rest.Conflict("the jobs of this cluster come from its own main: start a session with yarn-session.sh to submit jobs to")
	case TargetOneMain:
		return rest.Conflict("the jobs of this cluster come from its own main: start a cluster with start-cluster.sh to submit jobs to")
	}
	return nil
}

// Submit is for the main that runs beside this JobManager.
func (m *JobManager) Submit(ctx context.Context, r *restpb.SubmitRequest) (id.Job, error) {
	return query(ctx, m, func() (id.Job, error) {
		if m.ending {
			return id.Job{}, errors.New("the cluster is being shut down")
		}
		j, err := m.submit(r)
		if err != nil {
			return id.Job{}, err
		}
		return j.id, nil
	})
}

// RunFor runs a job of the main that runs beside this JobManager: main is told the job's id, and the job's end is waited for.
func (m *JobManager) RunFor(ctx context.Context, main *planproc.Process, r *restpb.SubmitRequest) (*planpb.JobResult, error) {
	job, err := m.Submit(ctx, r)
	if err != nil {
		return nil, fmt.Errorf("submit job '%s': %w", r.GetGraph().GetName(), err)
	}
	if err := main.Say(&planpb.ToPlan{Kind: &planpb.ToPlan_Submitted{Submitted: &planpb.Submitted{JobId: job.String()}}}); err != nil {
		return nil, err
	}
	return m.Result(ctx, job)
}

// FirstJob waits for the first submission and gives its job.
func (m *JobManager) FirstJob(ctx context.Context) (id.Job, error) {
	select {
	case <-m.hasFirst:
	case <-m.l.done:
		return id.Job{}, errStopped
	case <-ctx.Done():
		return id.Job{}, context.Cause(ctx)
	}
	return query(ctx, m, func() (id.Job, error) { return m.first.id, nil })
}

// Result waits for a job's end and gives its result.
func (m *JobManager) Result(ctx context.Context, jid id.Job) (*planpb.JobResult, error) {
	for {
		var changed chan struct{}
		result, err := query(ctx, m, func() (*planpb.JobResult, error) {
			j := m.jobs[jid]
			if j == nil {
				return nil, rest.JobNotFound(jid)
			}
			changed = j.changed
			if !execution.Ended(j.x.Status) {
				return nil, nil
			}
			return j.result, nil
		})
		if err != nil || result != nil {
			return result, err
		}
		select {
		case <-changed:
		case <-m.l.done:
			return nil, errStopped
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// Fetched waits until somebody was told the ends of all jobs, or ctx ends.
func (m *JobManager) Fetched(ctx context.Context) {
	look := time.NewTicker(fetchPoll)
	defer look.Stop()
	for {
		told, err := query(ctx, m, func() (bool, error) {
			for _, j := range m.order {
				if !j.told {
					return false, nil
				}
			}
			return true, nil
		})
		if told || err != nil {
			return
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return
		}
	}
}

// Shutdown ends Run, as a request over REST does.
func (m *JobManager) Shutdown(ctx context.Context) error {
	return m.l.ask(ctx, func() { m.end(nil) })
}
