package jobmanager

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/weft-project/weft/checkpoint"
	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/graph/execution"
	"github.com/weft-project/weft/hdfsstate"
	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/internal/fs"
	"github.com/weft-project/weft/rest"
	"github.com/weft-project/weft/rpc/planpb"
)

// operation is a checkpoint, savepoint or stop that somebody has asked for.
type operation struct {
	cancel bool               // the job, when it is complete
	answer *checkpoint.Answer // nil while it is on its way
}

// maxOperations bounds what is remembered of them for a job.
const maxOperations = 1000

// answered ends an operation.
func (cp *checkpoints) answered(a checkpoint.Answer) {
	if len(a.WithoutUID) > 0 {
		cp.j.note("operators with state and without UID, which may not be found again when the job is changed: " + strings.Join(a.WithoutUID, ", "))
	}
	o := cp.operations[a.Request]
	if o == nil {
		return
	}
	o.answer = &a
	if o.cancel && a.Err == nil {
		if err := cp.m.cancelJob(cp.j); err != nil {
			cp.m.o.Log.Warn("cancel a job after its savepoint", "job", cp.j.id, "error", err)
		}
	}
}

// operable gives a job's checkpoints while it runs.
func (m *JobManager) operable(jid id.Job) (*checkpoints, error) {
	j := m.jobs[jid]
	switch {
	case j == nil:
		return nil, rest.JobNotFound(jid)
	case j.cp == nil:
		return nil, rest.Conflict("job %s runs in BATCH mode: it takes no checkpoints and no savepoints", jid)
	case execution.Ended(j.x.Status) || j.cleaning:
		return nil, rest.Conflict("job %s has ended or is ending: %s", jid, j.x.Status)
	}
	return j.cp, nil
}

// TriggerCheckpoint is rest.CheckpointBackend's.
func (b *backend) TriggerCheckpoint(ctx context.Context, jid id.Job, r rest.CheckpointRequest) error {
	cp, err := query(ctx, b.m, func() (*checkpoints, error) {
		cp, err := b.m.operable(jid)
		if err == nil && cp.operations[r.ID] != nil {
			return nil, nil // asked again
		}
		return cp, err
	})
	if err != nil || cp == nil {
		return err
	}
	request := checkpoint.Request{ID: r.ID, Drain: r.Drain}
	if r.Savepoint || r.Stop {
		if request.Kind = checkpoint.Savepoint; r.Stop {
			request.Kind = checkpoint.Stop
		}
		if request.Target, err = b.m.reserve(ctx, cp, r.Target); err != nil {
			return err
		}
	} else if cp.settings.Directory == "" {
		return rest.Conflict("job %s has no directory for checkpoints: set %s", jid, config.CheckpointDirectory.Key)
	}
	if err := cp.ready(ctx); err != nil {
		return err
	}
	_, err = query(ctx, b.m, func() (struct{}, error) { return struct{}{}, cp.request(jid, request, r.Cancel) })
	if err != nil && request.Target != "" {
		if store, dir, e := b.m.o.Files.Get(request.Target); e == nil {
			_ = store.Delete(ctx, dir, false) // an empty directory; the request's error is what counts
		}
	}
	return err
}

// reserve makes the directory of a savepoint.
func (m *JobManager) reserve(ctx context.Context, cp *checkpoints, parent string) (string, error) {
	if parent == "" {
		parent = cp.settings.Savepoints
	}
	if parent == "" {
		return "", rest.Invalid("no directory for the savepoint is named, and %s is not set", config.SavepointDirectory.Key)
	}
	store, p, err := m.o.Files.Get(parent)
	if err != nil {
		return "", rest.Invalid("directory %q for the savepoint: %v", parent, err)
	}
	dir, err := hdfsstate.ReserveSavepoint(ctx, store, p, cp.j.id.String())
	if err != nil {
		return "", rest.Unavailable("%v", err)
	}
	return store.URI() + dir, nil
}

// ready makes the core of a job that takes no checkpoints by itself.
func (cp *checkpoints) ready(ctx context.Context) error {
	opened := make(chan error, 1)
	have, err := query(ctx, cp.m, func() (bool, error) { return cp.core != nil, nil })
	if err != nil || have {
		return err
	}
	go func() {
		look, cancel := context.WithTimeout(context.Background(), openLimit)
		defer cancel()
		f, err := cp.look(look)
		cp.m.l.post(func() {
			if err == nil && cp.core == nil {
				if err = cp.begin(f); err == nil {
					cp.enliven()
				}
			}
			opened <- err
		})
	}()
	select {
	case err := <-opened:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-cp.m.l.done:
		return errStopped
	}
}

// request hands a request to the core.
func (cp *checkpoints) request(jid id.Job, r checkpoint.Request, cancel bool) error {
	if _, err := cp.m.operable(jid); err != nil {
		return err
	}
	actions, err := cp.core.Request(r, time.Now())
	if err != nil {
		return rest.Conflict("job %s: %v", jid, err)
	}
	if len(cp.operations) >= maxOperations {
		for k, o := range cp.operations {
			if o.answer != nil {
				delete(cp.operations, k)
			}
		}
	}
	cp.operations[r.ID] = &operation{cancel: cancel}
	cp.perform(actions)
	return nil
}

// CheckpointOperation is rest.CheckpointBackend's.
func (b *backend) CheckpointOperation(ctx context.Context, jid id.Job, trigger string) (rest.CheckpointOperation, error) {
	return query(ctx, b.m, func() (out rest.CheckpointOperation, err error) {
		j := b.m.jobs[jid]
		if j == nil {
			return out, rest.JobNotFound(jid)
		}
		if j.cp == nil || j.cp.operations[trigger] == nil {
			return out, rest.NotFound("Operation not found under key: %s", trigger)
		}
		if a := j.cp.operations[trigger].answer; a != nil {
			out = rest.CheckpointOperation{Done: true, Location: a.Path, Checkpoint: a.Ref.ID}
			if a.Err != nil {
				out.Failure = a.Err.Error()
			}
		}
		return out, nil
	})
}

// DisposeSavepoint is rest.CheckpointBackend's.
func (b *backend) DisposeSavepoint(ctx context.Context, path string) error {
	if b.m.o.Files == nil {
		return rest.Unavailable("this JobManager has no file systems")
	}
	if scheme, _, _ := fs.SplitURI(path); scheme == "" {
		return rest.Invalid("savepoint %q: expected a URI, such as hdfs:///savepoints/savepoint-1", path)
	}
	return hdfsstate.Dispose(ctx, b.m.o.Files, path)
}

// CheckpointConfig is rest.CheckpointBackend's.
func (b *backend) CheckpointConfig(ctx context.Context, jid id.Job) (rest.CheckpointConfig, error) {
	return query(ctx, b.m, func() (c rest.CheckpointConfig, err error) {
		j := b.m.jobs[jid]
		if j == nil {
			return c, rest.JobNotFound(jid)
		}
		if j.cp == nil || j.cp.settings.Interval == 0 {
			return c, rest.NotFound("Checkpointing is not enabled for this job (%s).", jid)
		}
		s := j.cp.settings
		c = rest.CheckpointConfig{Mode: "exactly_once", Interval: s.Interval.Milliseconds(), Timeout: s.Timeout.Milliseconds(), MinPause: s.MinPause.Milliseconds(),
			MaxConcurrent: s.MaxConcurrent, StateBackend: "HashMapStateBackend", CheckpointStorage: "FileSystemCheckpointStorage",
			TolerableFailedCheckpoints: s.TolerableFailures, CheckpointsAfterTasksFinish: s.AfterTasksFinish, ChangelogStorage: "none"}
		if s.Mode == checkpoint.AtLeastOnce {
			c.Mode = "at_least_once"
		}
		c.Externalization.Enabled = s.Retention != checkpoint.NoExternalized
		c.Externalization.DeleteOnCancellation = s.Retention != checkpoint.RetainOnCancellation
		return c, nil
	})
}

// Checkpoints is rest.CheckpointBackend's.
func (b *backend) Checkpoints(ctx context.Context, jid id.Job) (rest.Checkpoints, error) {
	return query(ctx, b.m, func() (c rest.Checkpoints, err error) {
		j := b.m.jobs[jid]
		if j == nil {
			return c, rest.JobNotFound(jid)
		}
		if j.cp == nil || j.cp.core == nil {
			return c, nil
		}
		counts, pending, ended := j.cp.core.History()
		c.Counts = rest.CheckpointCounts{Total: counts.Triggered, InProgress: len(pending), Completed: counts.Completed, Failed: counts.Failed}
		for _, r := range slices.Backward(pending) {
			c.History = append(c.History, j.cp.statistics(r))
		}
		for _, r := range slices.Backward(ended) {
			c.History = append(c.History, j.cp.statistics(r))
		}
		if p := j.cp.restored; p != nil {
			c.Counts.Restored = j.restarts
			if p.Foreign {
				c.Counts.Restored++
			}
			c.Latest.Restored = &rest.RestoredCheckpoint{ID: p.ID, RestoreTimestamp: j.cp.restoredAt, IsSavepoint: p.Kind != checkpoint.Periodic, ExternalPath: p.Path}
		}
		return c, nil
	})
}

// statistics is the document of one checkpoint.
func (cp *checkpoints) statistics(r checkpoint.Record) rest.CheckpointStatistics {
	s := rest.CheckpointStatistics{ClassName: "in_progress", Status: "IN_PROGRESS", ID: r.ID, IsSavepoint: r.Kind != checkpoint.Periodic, TriggerTimestamp: r.Triggered.UnixMilli(),
		StateSize: r.StateSize, CheckpointedSize: r.StateSize, NumSubtasks: r.Tasks, AcknowledgedSubtasks: r.Acknowledged, CheckpointType: "CHECKPOINT",
		Tasks: map[string]rest.TaskCheckpointStatistics{}}
	last := r.Triggered
	if !r.LastAck.IsZero() {
		last = r.LastAck
		s.LatestAckTimestamp = last.UnixMilli()
	}
	if s.IsSavepoint {
		canonical := "CANONICAL"
		s.SavepointFormat, s.CheckpointType = &canonical, "SAVEPOINT"
		if r.Kind == checkpoint.Stop {
			s.CheckpointType = "SYNC_SAVEPOINT"
		}
	}
	switch {
	case r.Ended.IsZero():
	case r.Err != nil:
		s.ClassName, s.Status, s.FailureTimestamp, s.FailureMessage = "failed", "FAILED", r.Ended.UnixMilli(), r.Err.Error()
		last = r.Ended
	default:
		kept := r.Kind != checkpoint.Periodic || slices.ContainsFunc(cp.core.Completed(), func(c *checkpoint.Completed) bool { return c.Ref == r.Ref })
		gone := !kept
		s.ClassName, s.Status, s.ExternalPath, s.Discarded = "completed", "COMPLETED", r.Path, &gone
		last = r.Ended
	}
	s.EndToEndDuration = last.Sub(r.Triggered).Milliseconds()
	for t, a := range r.Acks {
		v := &cp.graph.Vertices[t.Vertex]
		if v.Coordinator {
			continue
		}
		one := s.Tasks[v.ID]
		one.ID, one.Status, one.NumSubtasks, one.LatestAckTimestamp, one.EndToEndDuration = r.ID, s.Status, v.Parallelism, s.LatestAckTimestamp, s.EndToEndDuration
		one.AcknowledgedSubtasks++
		one.StateSize += a.StateSize
		one.CheckpointedSize += a.StateSize
		s.Tasks[v.ID] = one
	}
	return s
}

// enliven tells the core of tasks that run already.
func (cp *checkpoints) enliven() {
	if cp.live || cp.j.x.Status != planpb.JobStatus_RUNNING {
		return
	}
	members, all := cp.members()
	if all {
		cp.live = true
		cp.perform(cp.core.Run(members, time.Now()))
	}
}
