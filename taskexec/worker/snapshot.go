package worker

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"github.com/weft-project/weft/checkpoint"
	"github.com/weft-project/weft/checkpoint/manifest"
	"github.com/weft-project/weft/eventtime"
	"github.com/weft-project/weft/hdfsstate"
	"github.com/weft-project/weft/internal/stacks"
	"github.com/weft-project/weft/operator"
	"github.com/weft-project/weft/rpc/controlpb"
	"github.com/weft-project/weft/rpc/planpb"
	"github.com/weft-project/weft/state"
)

// removeLimit bounds the removal of a snapshot's files that nobody needs.
const removeLimit = 20 * time.Second

// frozenOperator is an operator's state at a barrier.
type frozenOperator struct {
	manifest manifest.Operator
	groups   state.Groups
	keyed    map[string]state.Frozen
	lists    map[string]state.FrozenElements
}

// snapshot freezes the state of all operators and sends the barrier on; a goroutine of its own encodes and stores it.
func (t *task) snapshot(b checkpoint.Barrier) {
	p, began := t.part, time.Now()
	var alignment time.Duration
	if !p.began.IsZero() {
		alignment, p.began = began.Sub(p.began), time.Time{}
	}
	if b.Kind == checkpoint.Stop && b.Drain && !p.drained && !p.over {
		// Event time and input end before the barrier.
		p.drained = true
		if t.chain.Source != nil {
			t.chain.Watermark(eventtime.Max)
		}
		if err := t.chain.EndInput(); err != nil {
			operator.Abort(err)
		}
	}
	if err := t.chain.BeforeSnapshot(b.Ref); err != nil {
		operator.Abort(err)
	}
	frozen := t.freeze()
	if !p.over { // otherwise consumers have taken the end for it
		t.chain.Barrier(checkpoint.AppendBarrier(nil, b))
	}
	p.last = b.Ref
	if b.Kind == checkpoint.Stop {
		p.stopped = true
		t.opctx.Halt()
	}
	stats := &controlpb.CheckpointStats{Alignment: alignment.Milliseconds(), Sync: time.Since(began).Milliseconds()}
	ctx, cancel := context.WithCancel(t.ctx)
	p.writing[b.Ref] = cancel
	t.r.running.Add(1)
	t.storing.Add(1)
	go func() {
		defer t.r.running.Done()
		defer t.storing.Done()
		defer cancel()
		t.store(ctx, b, frozen, stats)
		t.mailbox.Post(func() { delete(p.writing, b.Ref) })
	}()
}

// release lets the task's goroutine write where the snapshot was read.
func (f *frozenOperator) release() {
	for _, p := range f.keyed {
		p.Release()
	}
	for _, p := range f.lists {
		p.Release()
	}
}

// freeze marks the state of all operators; the task copies what it changes until the snapshot has been read.
func (t *task) freeze() []frozenOperator {
	groups := state.GroupsOf(max(1, t.opctx.MaxParallelism), max(1, t.opctx.Parallelism), t.opctx.Subtask())
	stateful := t.chain.Stateful()
	var out []frozenOperator
	for _, o := range t.vertex.GetOperators() {
		s := stateful[o.GetId()]
		if s == nil {
			continue
		}
		f := frozenOperator{manifest: t.operatorOf(o), groups: groups, keyed: map[string]state.Frozen{}, lists: map[string]state.FrozenElements{}}
		for _, part := range s.KeyedState() {
			f.keyed[part.Name()] = state.Freeze(part, groups)
			d := state.Describe(part)
			kind := manifest.Keyed
			if d.Kind == state.TimerEntries {
				kind = manifest.Timers
			}
			f.manifest.States = append(f.manifest.States, manifest.State{Name: part.Name(), Kind: kind, Key: d.Key, Value: d.Value})
		}
		for name, part := range s.OperatorState() {
			f.lists[name] = state.FreezeElements(part)
			f.manifest.States = append(f.manifest.States, manifest.State{Name: name, Kind: kindOf(part.Redistribution()), Value: state.Describe(part).Value})
		}
		slices.SortFunc(f.manifest.States, byName)
		out = append(out, f)
	}
	return out
}

func byName(a, b manifest.State) int {
	switch {
	case a.Name < b.Name:
		return -1
	case a.Name > b.Name:
		return 1
	}
	return 0
}

func kindOf(r state.Redistribution) manifest.StateKind {
	return [...]manifest.StateKind{state.Split: manifest.Split, state.Union: manifest.Union, state.Broadcast: manifest.Broadcast}[r]
}

func (t *task) operatorOf(o *planpb.ChainedOperator) manifest.Operator {
	return manifest.Operator{ID: o.GetId(), UID: o.GetUid(), Name: o.GetName(), Vertex: t.vertex.GetId(),
		Parallelism: int(t.td.GetParallelism()), MaxParallelism: max(int(t.td.GetMaxParallelism()), int(t.td.GetParallelism()))}
}

// target is where the state of a checkpoint goes.
func (t *task) target(b checkpoint.Barrier) (hdfsstate.StateTarget, error) {
	s := t.r.settings
	out := hdfsstate.StateTarget{InlineBelow: s.InlineBelow, Chunk: s.WriteBuffer,
		Name: fmt.Sprintf("%.8s-%d-%d-%d", t.vertex.GetId(), t.attempt.Subtask, t.attempt.Number, b.ID)}
	var err error
	if b.Target != "" {
		out.Store, out.Root, err = t.r.cfg.Files.Get(b.Target)
		return out, err
	}
	out.Store, out.Root, err = t.r.cfg.Files.Get(s.Directory)
	out.Root = hdfsstate.JobDirectory(out.Root, t.attempt.Job.String(), s.Subdirectory)
	out.Prefix = hdfsstate.StatePrefix(b.Ref)
	return out, err
}

// store writes what was frozen and acknowledges it.
func (t *task) store(ctx context.Context, b checkpoint.Barrier, frozen []frozenOperator, stats *controlpb.CheckpointStats) {
	began := time.Now()
	defer func() {
		for _, f := range frozen {
			f.release()
		}
	}()
	ops, err := t.write(ctx, b, func(w *hdfsstate.StateWriter) ([]manifest.Operator, error) {
		var ops []manifest.Operator
		for i := range frozen {
			op, err := t.encode(ctx, &frozen[i], w)
			if err != nil {
				return nil, fmt.Errorf("state of operator %q: %w", op.Name, err)
			}
			ops = append(ops, op)
		}
		return ops, nil
	})
	t.acknowledge(ctx, b.Ref, ops, err, began, stats)
}

// encode writes an operator's state. What the author's types do in panic is the task's failure, as anywhere else.
func (t *task) encode(ctx context.Context, f *frozenOperator, w *hdfsstate.StateWriter) (op manifest.Operator, err error) {
	defer func() {
		if p := recover(); p != nil {
			op, err = f.manifest, &panicError{text: fmt.Sprint(p), stack: stacks.Author(string(debug.Stack())), op: f.manifest.Name}
			t.mailbox.Post(func() { operator.Abort(err) })
		}
	}()
	return f.write(ctx, w, t.attempt.Subtask)
}

// write has the pieces written and completes the files.
func (t *task) write(ctx context.Context, b checkpoint.Barrier, pieces func(*hdfsstate.StateWriter) ([]manifest.Operator, error)) ([]manifest.Operator, error) {
	target, err := t.target(b)
	if err != nil {
		return nil, err
	}
	w := hdfsstate.NewStateWriter(target)
	ops, err := pieces(w)
	if err == nil {
		return ops, w.Close(ctx)
	}
	clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeLimit)
	defer cancel()
	if e := w.Abort(clean); e != nil {
		t.r.cfg.Log.Warn("state of a checkpoint that was given up could not be removed", "checkpoint", b.Ref.String(), "error", e)
	}
	return nil, err
}

// acknowledge tells the outcome.
func (t *task) acknowledge(ctx context.Context, ref checkpoint.Ref, ops []manifest.Operator, err error, began time.Time, stats *controlpb.CheckpointStats) {
	if err != nil {
		if ctx.Err() == nil {
			t.answer(ref, controlpb.CheckpointAnswer_CHECKPOINT_DECLINED, err.Error())
		}
		return
	}
	m := manifest.Manifest{Operators: ops}
	stats.Async, stats.StateSize = time.Since(began).Milliseconds(), m.Size()
	b := manifest.EncodeSnapshot(ops)
	if len(b) > maxSnapshot {
		t.answer(ref, controlpb.CheckpointAnswer_CHECKPOINT_DECLINED, fmt.Sprintf(
			"to list its state takes %d bytes: expected at most %d; lower execution.checkpointing.data-inline-threshold", len(b), maxSnapshot))
		return
	}
	t.tell(&controlpb.CheckpointReport{Answer: controlpb.CheckpointAnswer_CHECKPOINT_ACKNOWLEDGED, Epoch: ref.Epoch, Id: ref.ID, Snapshot: b, Stats: stats})
}

// maxSnapshot bounds an acknowledgement, in bytes.
const maxSnapshot = 32 << 20

// write writes an operator's state.
func (f *frozenOperator) write(ctx context.Context, w *hdfsstate.StateWriter, subtask int) (manifest.Operator, error) {
	sub := manifest.Subtask{Index: subtask}
	var err error
	if len(f.keyed) > 0 {
		k := w.Keyed(f.groups.First)
		for g := f.groups.First; g < f.groups.End && err == nil; g++ {
			if err = ctx.Err(); err != nil {
				break
			}
			parts := map[string][]byte{}
			for name, p := range f.keyed {
				if b := p.Group(g, nil); !state.Empty(b) {
					parts[name] = b
				}
			}
			err = k.Group(ctx, parts)
		}
		if err == nil {
			sub.Keyed, err = k.Done(ctx)
		}
	}
	for name, elements := range f.lists {
		if err != nil {
			break
		}
		var l manifest.List
		if l, err = w.List(ctx, name, elements.Elements()); err == nil {
			sub.Lists = append(sub.Lists, l)
		}
	}
	slices.SortFunc(sub.Lists, func(a, b manifest.List) int {
		return byName(manifest.State{Name: a.Name}, manifest.State{Name: b.Name})
	})
	f.manifest.Subtasks = []manifest.Subtask{sub}
	return f.manifest, err
}
