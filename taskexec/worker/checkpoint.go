package worker

import (
	"context"
	"fmt"
	"time"

	"github.com/weft-project/weft/checkpoint"
	"github.com/weft-project/weft/checkpoint/align"
	"github.com/weft-project/weft/network"
	"github.com/weft-project/weft/operator"
	"github.com/weft-project/weft/rpc/controlpb"
)

// participant is a task's part in checkpoints. The task's goroutine owns it.
type participant struct {
	t     *task
	align *align.Aligner
	// held are items of channels that are held back, in order; busy tells that next has to look at them.
	held []network.Item
	busy bool
	// wanted waits for the sources' leave.
	wanted *checkpoint.Barrier
	// stopped: the snapshot of a stop was taken. No input is processed until the stop is complete (then ended) or was given up.
	stopped bool
	ended   bool
	// drained: event time and input were ended for a stop.
	drained bool
	// last is the newest checkpoint that this task has taken a snapshot for.
	last checkpoint.Ref
	// waiting: all input has been processed, and what was prepared waits for a checkpoint.
	waiting bool
	// over: input and output have ended. What is left is to be committed.
	over bool
	// began is when the first barrier of an alignment came.
	began time.Time
	// writing are snapshots that are being stored.
	writing map[checkpoint.Ref]context.CancelFunc
}

func newParticipant(t *task, channels int, mode checkpoint.Mode) *participant {
	return &participant{t: t, align: align.New(channels, mode), writing: map[checkpoint.Ref]context.CancelFunc{}}
}

// Checkpoint hands a command to the tasks that it names.
func (r *Runtime) Checkpoint(c *controlpb.CheckpointCommand) {
	var tasks []*task
	r.mu.Lock()
	for _, id := range c.GetTasks() {
		a, err := AttemptOf(&controlpb.AttemptId{JobId: c.GetJobId(), VertexId: id.GetVertexId(), Subtask: id.GetSubtask(), Attempt: id.GetAttempt()})
		if t := r.mu.tasks[a]; err == nil && t != nil {
			tasks = append(tasks, t)
		}
	}
	r.mu.Unlock()
	for _, t := range tasks {
		if t.keeper != nil {
			t.keeper.command(c)
			continue
		}
		t.mailbox.Post(func() { t.command(c) })
	}
}

// command does, in the task's goroutine, what the coordinator of checkpoints says.
func (t *task) command(c *controlpb.CheckpointCommand) {
	p := t.part
	if p == nil {
		return // it runs no operator
	}
	ref := checkpoint.Ref{Epoch: c.GetEpoch(), ID: c.GetId()}
	switch c.GetStep() {
	case controlpb.CheckpointStep_CHECKPOINT_TRIGGER:
		b, err := checkpoint.DecodeBarrier(c.GetBarrier())
		if err != nil {
			t.answer(ref, controlpb.CheckpointAnswer_CHECKPOINT_DECLINED, err.Error())
			return
		}
		p.do(p.align.Trigger(b))
	case controlpb.CheckpointStep_CHECKPOINT_ABORTED:
		p.giveUp(func(r checkpoint.Ref) bool { return r == ref })
		p.do(p.align.Cancel(ref))
		if c.GetContinue() {
			p.goOn()
		}
	case controlpb.CheckpointStep_CHECKPOINT_ABANDONED:
		p.giveUp(func(r checkpoint.Ref) bool { return r.Compare(ref) < 0 })
		p.do(p.align.Abandon(ref))
		p.goOn()
	case controlpb.CheckpointStep_CHECKPOINT_COMPLETED:
		if err := t.chain.Completed(ref); err != nil {
			operator.Abort(err)
		}
		p.waiting = p.waiting && p.last.Compare(ref) > 0
		if c.GetStop() && (p.stopped || p.drained) {
			p.ended = true
		}
	}
}

// goOn takes back that input rests for a stop. A task that was drained has no way back: its job starts again.
func (p *participant) goOn() {
	if p.stopped && !p.drained {
		p.stopped = false
		p.t.opctx.Continue()
	}
}

// giveUp ends the storing of snapshots that nobody waits for any more.
func (p *participant) giveUp(which func(checkpoint.Ref) bool) {
	for ref, cancel := range p.writing {
		if which(ref) {
			cancel()
		}
	}
	if p.wanted != nil && which(p.wanted.Ref) {
		p.wanted = nil
	}
}

// next gives the next item that may be processed.
func (p *participant) next() (network.Item, bool) {
	for i := range p.held {
		if it := p.held[i]; !p.align.Blocked(it.Channel) {
			copy(p.held[i:], p.held[i+1:])
			p.held[len(p.held)-1] = network.Item{}
			p.held = p.held[:len(p.held)-1]
			return it, true
		}
	}
	for {
		it, ok := p.t.gate.Poll()
		if !ok {
			p.busy = len(p.held) > 0 || p.align.Aligning()
			return it, false
		}
		if !p.align.Blocked(it.Channel) {
			p.busy = len(p.held) > 0 || p.align.Aligning()
			return it, true
		}
		p.held = append(p.held, it)
	}
}

// barrier takes a barrier that has come at a channel.
func (p *participant) barrier(channel int, payload []byte) error {
	b, err := checkpoint.DecodeBarrier(payload)
	if err != nil {
		return fmt.Errorf("channel %d: %w", channel, err)
	}
	if !p.align.Aligning() {
		p.began = time.Now()
	}
	p.do(p.align.Barrier(channel, b))
	return nil
}

// do takes a step.
func (p *participant) do(s align.Step) {
	p.busy = p.busy || p.align.Aligning() || len(p.held) > 0
	for _, ref := range s.Passed {
		p.t.answer(ref, controlpb.CheckpointAnswer_CHECKPOINT_DECLINED, "its barriers were overtaken by those of a newer one, or it was given up")
	}
	if s.Snapshot == nil {
		return
	}
	if p.wanted != nil {
		p.t.answer(p.wanted.Ref, controlpb.CheckpointAnswer_CHECKPOINT_DECLINED, "a newer one was begun while a split was on its way to this source")
	}
	p.wanted = s.Snapshot
	p.settle()
}

// settle takes the snapshot that is wanted, if the operators allow it now. A source asks for it again between batches.
func (p *participant) settle() {
	if p.wanted == nil || !p.t.chain.Settled() {
		return
	}
	b := *p.wanted
	p.wanted = nil
	p.t.snapshot(b)
}

// rests tells that no input is to be processed now; then the task waits for its mailbox only.
func (p *participant) rests() bool { return p.stopped && !p.ended }

// answer tells the coordinator of checkpoints something other than an acknowledgement.
func (t *task) answer(ref checkpoint.Ref, kind controlpb.CheckpointAnswer, reason string) {
	t.tell(&controlpb.CheckpointReport{Answer: kind, Epoch: ref.Epoch, Id: ref.ID, Reason: reason})
}

func (t *task) tell(r *controlpb.CheckpointReport) {
	if t.r.cfg.Checkpoint == nil {
		return
	}
	r.JobId, r.JobAttempt = t.attempt.Job.String(), int32(t.r.cfg.JobAttempt)
	r.Task = &controlpb.CheckpointTask{VertexId: t.td.GetId().GetVertexId(), Subtask: t.td.GetId().GetSubtask(), Attempt: t.td.GetId().GetAttempt()}
	t.r.cfg.Checkpoint(r)
}

// finishInput is what follows the end of the input. Where something is prepared and not committed, the task waits for the checkpoint that
// commits it.
func (t *task) finishInput() error {
	p := t.part
	if p.stopped || p.ended {
		return t.stopInput()
	}
	if err := t.endInput(); err != nil {
		return err
	}
	p.over = true
	for t.r.settings.Interval > 0 && t.chain.Pending() {
		if !p.waiting {
			p.waiting = true
			t.answer(checkpoint.Ref{}, controlpb.CheckpointAnswer_CHECKPOINT_WAITING, "")
		}
		if err := t.rest(); err != nil {
			return err
		}
	}
	return nil
}

// stopInput waits until a stop is complete, and ends the operators without the end of their input.
func (t *task) stopInput() error {
	for !t.part.ended {
		if err := t.rest(); err != nil {
			return err
		}
		if !t.part.stopped && !t.part.drained {
			return t.finishInput() // the stop was given up, and all input has come meanwhile
		}
	}
	if err := t.chain.Stopped(); err != nil {
		return err
	}
	return t.endWriters()
}

// rest waits for the mailbox and does what is in it.
func (t *task) rest() error {
	select {
	case <-t.mailbox.Ready():
		t.lookAround()
		t.mailbox.RunAll()
		return nil
	case <-t.ctx.Done():
		return context.Cause(t.ctx)
	}
}
