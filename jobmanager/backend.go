package jobmanager

import (
	"context"
	"time"

	"github.com/weft-project/weft/graph/execution"
	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/rest"
	"github.com/weft-project/weft/rest/jobview"
	"github.com/weft-project/weft/rest/restpb"
)

// backend answers REST from the loop's state.
type backend struct{ m *JobManager }

// query runs f in the loop and gives its answer.
func query[T any](ctx context.Context, m *JobManager, f func() (T, error)) (T, error) {
	var v T
	var err error
	if askErr := m.l.ask(ctx, func() { v, err = f() }); askErr != nil {
		var zero T
		return zero, askErr
	}
	return v, err
}

// withJob runs f on a job's view.
func withJob[T any](ctx context.Context, m *JobManager, jid id.Job, f func(v *jobview.Job) (T, error)) (T, error) {
	return query(ctx, m, func() (T, error) {
		j := m.jobs[jid]
		if j == nil {
			var zero T
			return zero, rest.JobNotFound(jid)
		}
		return f(j.view())
	})
}

// Cluster is Backend's.
func (b *backend) Cluster(ctx context.Context) (rest.Cluster, error) {
	return query(ctx, b.m, func() (rest.Cluster, error) {
		o := b.m.o
		c := rest.Cluster{ClusterID: o.ClusterID, Target: o.Target, Version: o.Version, Revision: o.Revision, Host: b.m.host,
			StartTime: b.m.started.UnixMilli(), TaskManagerMemory: int64(o.Spec.MemoryMB) << 20, TaskManagerVCores: o.Spec.VCores, TaskManagerSlots: o.Spec.Slots}
		r := o.platform()
		c.User, c.Name, c.Queue, c.Warning = r.User, r.Name, r.Queue, r.Warning
		if o.Driver != nil {
			c.PendingTaskManagers = b.m.onTheirWay()
		}
		return c, nil
	})
}

// Overview is Backend's.
func (b *backend) Overview(ctx context.Context) (rest.Overview, error) {
	return query(ctx, b.m, func() (rest.Overview, error) {
		o := rest.Overview{TaskManagers: len(b.m.tms)}
		for _, tm := range b.m.tms {
			o.SlotsTotal += len(tm.slots)
			o.SlotsAvailable += tm.free()
		}
		for _, j := range b.m.order {
			jobview.Count(&o, j.x.Status)
		}
		return o, nil
	})
}

// Config is Backend's.
func (b *backend) Config(context.Context) ([]rest.ConfigEntry, error) {
	return jobview.ConfigEntries(b.m.o.Config.Map()), nil
}

// Jobs is Backend's: running jobs first, then the newest.
func (b *backend) Jobs(ctx context.Context) ([]rest.JobSummary, error) {
	return query(ctx, b.m, func() ([]rest.JobSummary, error) {
		now := nowMs()
		out := make([]rest.JobSummary, 0, len(b.m.order))
		for _, ended := range []bool{false, true} {
			for i := len(b.m.order) - 1; i >= 0; i-- {
				if j := b.m.order[i]; execution.Ended(j.x.Status) == ended {
					out = append(out, jobview.Summary(j.view(), now))
				}
			}
		}
		return out, nil
	})
}

// Job is Backend's.
func (b *backend) Job(ctx context.Context, jid id.Job) (rest.JobDetails, error) {
	return withJob(ctx, b.m, jid, func(v *jobview.Job) (rest.JobDetails, error) { return jobview.Details(v, nowMs()), nil })
}

// JobConfig is Backend's.
func (b *backend) JobConfig(ctx context.Context, jid id.Job) (rest.JobConfig, error) {
	return withJob(ctx, b.m, jid, func(v *jobview.Job) (rest.JobConfig, error) { return jobview.Config(v), nil })
}

// Exceptions is Backend's.
func (b *backend) Exceptions(ctx context.Context, jid id.Job) (rest.JobExceptions, error) {
	return withJob(ctx, b.m, jid, func(v *jobview.Job) (rest.JobExceptions, error) { return jobview.Exceptions(v), nil })
}

// Vertex is Backend's.
func (b *backend) Vertex(ctx context.Context, jid id.Job, vertex id.Vertex) (rest.VertexDetails, error) {
	return withJob(ctx, b.m, jid, func(v *jobview.Job) (rest.VertexDetails, error) { return jobview.VertexDetails(v, vertex, nowMs()) })
}

// TaskManagers is Backend's.
func (b *backend) TaskManagers(ctx context.Context) ([]rest.TaskManager, error) {
	return query(ctx, b.m, func() ([]rest.TaskManager, error) {
		out := make([]rest.TaskManager, 0, len(b.m.tms))
		for _, tm := range b.m.sorted() {
			out = append(out, tm.document())
		}
		return out, nil
	})
}

// TaskManager is Backend's.
func (b *backend) TaskManager(ctx context.Context, name string) (rest.TaskManagerDetails, error) {
	return query(ctx, b.m, func() (rest.TaskManagerDetails, error) {
		tm := b.m.tms[name]
		if tm == nil {
			return rest.TaskManagerDetails{}, rest.TaskManagerNotFound(name)
		}
		return tm.details(), nil
	})
}

// Metrics is Backend's.
func (b *backend) Metrics(ctx context.Context, s rest.MetricScope) ([]rest.Metric, error) {
	switch s.Kind {
	case rest.ScopeJob, rest.ScopeVertex, rest.ScopeSubtask:
		return withJob(ctx, b.m, s.Job, func(v *jobview.Job) ([]rest.Metric, error) { return jobview.Metrics(v, s, nowMs()) })
	case rest.ScopeTaskManager:
		return query(ctx, b.m, func() ([]rest.Metric, error) {
			tm := b.m.tms[s.TaskManager]
			if tm == nil {
				return nil, rest.TaskManagerNotFound(s.TaskManager)
			}
			return tm.metrics(), nil
		})
	}
	return query(ctx, b.m, func() ([]rest.Metric, error) { return b.m.metrics(), nil })
}

// Submit is Backend's.
func (b *backend) Submit(ctx context.Context, r *restpb.SubmitRequest) (*restpb.SubmitReply, error) {
	r, forget, err := b.m.keep(ctx, r)
	if err != nil {
		return nil, err
	}
	reply, err := query(ctx, b.m, func() (*restpb.SubmitReply, error) {
		if b.m.ending {
			return nil, rest.Unavailable("the cluster is being shut down")
		}
		if err := b.m.takes(r); err != nil {
			return nil, err
		}
		j, err := b.m.submit(r)
		if err != nil {
			return nil, rest.Invalid("%v", err)
		}
		return &restpb.SubmitReply{JobId: j.id.String()}, nil
	})
	if err != nil && ctx.Err() == nil {
		forget()
	}
	return reply, err
}

// Watch is Backend's.
func (b *backend) Watch(ctx context.Context, jid id.Job, since uint64, wait time.Duration) (*restpb.WatchReply, error) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		var changed chan struct{}
		reply, err := query(ctx, b.m, func() (*restpb.WatchReply, error) {
			j := b.m.jobs[jid]
			if j == nil {
				return nil, rest.JobNotFound(jid)
			}
			changed = j.changed
			reply := j.watched(since)
			j.told = j.told || reply.GetEnded()
			return reply, nil
		})
		if err != nil || len(reply.GetEvents()) > 0 || reply.GetEnded() {
			return reply, err
		}
		select {
		case <-changed:
		case <-timer.C:
			return reply, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-b.m.l.done:
			return nil, errStopped
		}
	}
}

// Cancel is Backend's.
func (b *backend) Cancel(ctx context.Context, jid id.Job) error {
	_, err := query(ctx, b.m, func() (struct{}, error) {
		j := b.m.jobs[jid]
		if j == nil {
			return struct{}{}, rest.JobNotFound(jid)
		}
		if err := b.m.cancelJob(j); err != nil {
			return struct{}{}, rest.Conflict("%v", err)
		}
		return struct{}{}, nil
	})
	return err
}

// Shutdown is Backend's.
func (b *backend) Shutdown(ctx context.Context) error {
	return b.m.l.ask(ctx, func() {
		b.m.o.Log.Info("shutting down on request")
		// The answer to the request goes out first.
		b.m.l.after(100*time.Millisecond, func() { b.m.end(nil) })
	})
}
