package jobmanager

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/weft-project/weft/checkpoint"
	"github.com/weft-project/weft/checkpoint/manifest"
	"github.com/weft-project/weft/hdfsstate"
	"github.com/weft-project/weft/rpc/controlpb"
	"github.com/weft-project/weft/rpc/planpb"
)

// report takes what a task tells of a checkpoint.
func (cp *checkpoints) report(r *controlpb.CheckpointReport) {
	if cp == nil || cp.core == nil || int(r.GetJobAttempt()) != cp.j.x.Number {
		return
	}
	v, known := cp.vertices[r.GetTask().GetVertexId()]
	if !known {
		return
	}
	t := checkpoint.Task{Vertex: v, Subtask: int(r.GetTask().GetSubtask())}
	attempt := int(r.GetTask().GetAttempt())
	ref := checkpoint.Ref{Epoch: r.GetEpoch(), ID: r.GetId()}
	now := time.Now()
	switch r.GetAnswer() {
	case controlpb.CheckpointAnswer_CHECKPOINT_ACKNOWLEDGED:
		ops, err := manifest.DecodeSnapshot(r.GetSnapshot())
		if err != nil {
			cp.perform(cp.core.Decline(ref, t, attempt, err, now))
			return
		}
		s := r.GetStats()
		cp.perform(cp.core.Acknowledge(checkpoint.Ack{Ref: ref, Task: t, Attempt: attempt, Operators: ops, Stats: checkpoint.TaskStats{
			StartDelay: s.GetStartDelay(), Alignment: s.GetAlignment(), Sync: s.GetSync(), Async: s.GetAsync(), StateSize: s.GetStateSize(),
			ProcessedBytes: s.GetProcessedBytes()}}, now))
	case controlpb.CheckpointAnswer_CHECKPOINT_DECLINED:
		cp.perform(cp.core.Decline(ref, t, attempt, errors.New(r.GetReason()), now))
	case controlpb.CheckpointAnswer_CHECKPOINT_WAITING:
		cp.perform(cp.core.Waiting(t, attempt, now))
	case controlpb.CheckpointAnswer_CHECKPOINT_DAMAGED:
		if cp.core.Damaged(ref) {
			cp.m.o.Log.Error("damaged checkpoint", "job", cp.j.id, "checkpoint", ref.String(), "error", r.GetReason())
			cp.j.note(fmt.Sprintf("checkpoint %d is damaged and not used any more: %s", ref.ID, r.GetReason()))
		}
	}
}

// perform does what the core decides, in order.
func (cp *checkpoints) perform(actions []checkpoint.Action) {
	failure := ""
	for _, a := range actions {
		switch a := a.(type) {
		case checkpoint.Trigger:
			cp.tell(a.Tasks, a.Ref, &controlpb.CheckpointCommand{Step: controlpb.CheckpointStep_CHECKPOINT_TRIGGER, Barrier: checkpoint.AppendBarrier(nil, a.Barrier)})
		case checkpoint.Resume:
			cp.tell(a.Tasks, a.Ref, &controlpb.CheckpointCommand{Step: controlpb.CheckpointStep_CHECKPOINT_RESUME})
		case checkpoint.Notify:
			cp.tell(a.Tasks, a.Ref, &controlpb.CheckpointCommand{Step: controlpb.CheckpointStep_CHECKPOINT_COMPLETED, Stop: a.Stop})
		case checkpoint.NotifyAborted:
			cp.tell(a.Tasks, a.Ref, &controlpb.CheckpointCommand{Step: controlpb.CheckpointStep_CHECKPOINT_ABORTED, Continue: a.Continue})
		case checkpoint.Abandon:
			cp.tell(a.Tasks, a.Before, &controlpb.CheckpointCommand{Step: controlpb.CheckpointStep_CHECKPOINT_ABANDONED})
		case checkpoint.Publish:
			cp.publish(a)
		case checkpoint.Discard:
			cp.remove("state of a checkpoint that was given up", func(ctx context.Context) error { return cp.discard(ctx, a) })
		case checkpoint.Delete:
			cp.remove("a checkpoint that is not needed any more", func(ctx context.Context) error {
				if cp.dir == nil {
					return nil
				}
				return cp.dir.Delete(ctx, a.ID, a.Files)
			})
		case checkpoint.Reopen:
			cp.reopen()
		case checkpoint.Fail:
			failure = a.Reason
		case checkpoint.Answer:
			cp.answered(a)
		case checkpoint.Ended:
			cp.noteEnded(a.Record)
		}
	}
	cp.arm()
	if failure != "" {
		cp.m.fail(cp.j, &planpb.Failure{Domain: planpb.FailureDomain_EXTERNAL, Retryable: true, Message: failure, TimestampMs: nowMs()})
	}
}

// arm has the core called again when something is due.
func (cp *checkpoints) arm() {
	if cp.timer != nil {
		cp.timer.Stop()
		cp.timer = nil
	}
	if due, ok := cp.core.Due(); ok {
		var t *time.Timer
		t = cp.m.l.after(max(0, time.Until(due)), func() {
			if cp.timer == t {
				cp.perform(cp.core.Tick(time.Now()))
			}
		})
		cp.timer = t
	}
}

// tell sends a command to tasks, one message to each TaskManager.
func (cp *checkpoints) tell(members []checkpoint.Member, ref checkpoint.Ref, c *controlpb.CheckpointCommand) {
	c.JobId, c.JobAttempt, c.Epoch, c.Id = cp.j.id.String(), int32(cp.j.x.Number), ref.Epoch, ref.ID
	byTM := map[string][]*controlpb.CheckpointTask{}
	for _, m := range members {
		v := cp.graph.Vertices[m.Vertex].ID
		list := cp.j.x.Current[v]
		if m.Subtask >= len(list) || list[m.Subtask].Number != m.Attempt {
			continue
		}
		tm := list[m.Subtask].TaskManager
		byTM[tm] = append(byTM[tm], &controlpb.CheckpointTask{VertexId: v, Subtask: int32(m.Subtask), Attempt: int32(m.Attempt)})
	}
	for id, tasks := range byTM {
		if w := cp.j.workers[id]; w != nil && w.ready && !w.stopped {
			own := &controlpb.CheckpointCommand{JobId: c.JobId, JobAttempt: c.JobAttempt, Step: c.Step, Epoch: c.Epoch, Id: c.Id, Barrier: c.Barrier,
				Tasks: tasks, Stop: c.Stop, Continue: c.Continue}
			w.tm.send(&controlpb.ToTaskManager{Kind: &controlpb.ToTaskManager_Checkpoint{Checkpoint: own}})
		}
	}
}

// publish stores a manifest and tells the core the outcome.
func (cp *checkpoints) publish(p checkpoint.Publish) {
	cp.store.add(func() {
		ctx, cancel := context.WithTimeout(context.Background(), storeLimit)
		defer cancel()
		o, at, err := cp.publishAny(ctx, p)
		cp.m.l.post(func() {
			if err != nil {
				cp.m.o.Log.Warn("a checkpoint was not published", "job", cp.j.id, "checkpoint", p.Ref.String(), "error", err)
			}
			if o == checkpoint.Fenced {
				cp.m.end(fmt.Errorf("job %s: %w: %w", cp.j.id, err, errSuperseded))
			}
			cp.perform(cp.core.Published(p.Ref, o, at, err, time.Now()))
			cp.settled()
		})
	})
}

// publishAny publishes. Without a directory of the job's own a stop is its savepoint and no checkpoint.
func (cp *checkpoints) publishAny(ctx context.Context, p checkpoint.Publish) (checkpoint.Outcome, string, error) {
	if cp.dir != nil {
		return cp.dir.PublishAny(ctx, cp.m.o.Files, p)
	}
	store, dir, err := cp.m.o.Files.Get(p.Target)
	if err != nil {
		return checkpoint.NotPublished, "", err
	}
	o, err := hdfsstate.PublishSavepoint(ctx, store, dir, p.Manifest)
	return o, store.URI() + dir, err
}

// reopen settles a publication of unknown outcome.
func (cp *checkpoints) reopen() {
	cp.store.add(func() {
		ctx, cancel := context.WithTimeout(context.Background(), storeLimit)
		defer cancel()
		var completed []*checkpoint.Completed
		if cp.dir != nil {
			e, err := cp.dir.Fence(ctx)
			if errors.Is(err, hdfsstate.ErrFenced) {
				cp.m.l.post(func() { cp.m.end(fmt.Errorf("job %s: %w: %w", cp.j.id, err, errSuperseded)) })
				return
			}
			if err != nil {
				cp.m.o.Log.Warn("nobody knows whether a checkpoint was published; the store is asked again", "job", cp.j.id, "error", err)
				cp.m.l.after(reopenPause, cp.reopen)
				return
			}
			completed = e.Completed
		}
		cp.m.l.post(func() {
			cp.perform(cp.core.Reopened(completed, time.Now()))
			cp.settled()
		})
	})
}

// reopenPause is how long a store that does not answer is left alone.
const reopenPause = 2 * time.Second

// settled goes on with what waited for the outcome of a publication.
func (cp *checkpoints) settled() {
	if _, ready := cp.core.RestorePoint(); !ready {
		return
	}
	if cp.deploying {
		cp.deploying = false
		cp.m.deployTasks(cp.j)
	}
	if cp.ending != nil {
		cp.settleEnd()
	}
}

// remove removes something; what stays is found as garbage.
func (cp *checkpoints) remove(what string, f func(ctx context.Context) error) {
	cp.store.add(func() {
		ctx, cancel := context.WithTimeout(context.Background(), storeLimit)
		defer cancel()
		if err := f(ctx); err != nil {
			cp.m.o.Log.Warn(what+" could not be removed", "job", cp.j.id, "error", err)
		}
	})
}

func (cp *checkpoints) discard(ctx context.Context, d checkpoint.Discard) error {
	dir := cp.dir
	if dir == nil { // there are savepoints only
		if d.Target == "" && d.Claimed == "" {
			return nil
		}
		dir = hdfsstate.NewCheckpoints(nil, "", 0)
	}
	return dir.Perform(ctx, cp.m.o.Files, d)
}

// noteEnded tells of a checkpoint's end, and looks for what crashes have left after the first one.
func (cp *checkpoints) noteEnded(r checkpoint.Record) {
	if r.Err != nil {
		cp.m.o.Log.Warn("checkpoint failed", "job", cp.j.id, "kind", r.Kind.String(), "checkpoint", r.ID, "error", r.Err)
		return
	}
	cp.m.o.Log.Info("checkpoint completed", "job", cp.j.id, "kind", r.Kind.String(), "checkpoint", r.ID, "bytes", r.StateSize,
		"ms", r.Ended.Sub(r.Triggered).Milliseconds(), "path", r.Path)
	if cp.swept || r.Kind != checkpoint.Periodic || cp.dir == nil {
		return
	}
	cp.swept = true
	cp.store.add(func() {
		ctx, cancel := context.WithTimeout(context.Background(), storeLimit)
		defer cancel()
		all, err := cp.dir.Scan(ctx)
		if err != nil {
			cp.m.o.Log.Warn("what crashes have left of checkpoints could not be looked for", "job", cp.j.id, "error", err)
			return
		}
		cp.m.l.post(func() {
			ids, files := cp.core.Garbage(all)
			cp.remove("what crashes have left of checkpoints", func(ctx context.Context) error { return cp.dir.Sweep(ctx, ids, files) })
		})
	})
}
