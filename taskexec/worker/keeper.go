package worker

import (
	"context"
	"sync"
	"time"

	"github.com/weft-project/weft/checkpoint"
	"github.com/weft-project/weft/checkpoint/manifest"
	"github.com/weft-project/weft/hdfsstate"
	"github.com/weft-project/weft/operator"
	"github.com/weft-project/weft/rpc/controlpb"
)

// keeper is the coordinator task's part in checkpoints: its state is taken before the barrier is at the sources, and nothing is handed out in
// between. Its methods are called by any goroutine.
type keeper struct {
	t    *task
	mu   sync.Mutex
	host *operator.CoordinatorHost // nil before it runs and after its end
	// held are the checkpoints for which nothing is handed out.
	held map[checkpoint.Ref]context.CancelFunc
}

// serve says which coordinators are there.
func (k *keeper) serve(h *operator.CoordinatorHost) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.host = h
}

// command does what the coordinator of checkpoints says.
func (k *keeper) command(c *controlpb.CheckpointCommand) {
	k.mu.Lock()
	defer k.mu.Unlock()
	ref := checkpoint.Ref{Epoch: c.GetEpoch(), ID: c.GetId()}
	switch c.GetStep() {
	case controlpb.CheckpointStep_CHECKPOINT_TRIGGER:
		b, err := checkpoint.DecodeBarrier(c.GetBarrier())
		if err == nil {
			err = k.hold(b)
		}
		if err != nil {
			k.t.answer(ref, controlpb.CheckpointAnswer_CHECKPOINT_DECLINED, err.Error())
		}
	case controlpb.CheckpointStep_CHECKPOINT_RESUME:
		k.resume(func(r checkpoint.Ref) bool { return r == ref }, false)
	case controlpb.CheckpointStep_CHECKPOINT_ABORTED:
		k.resume(func(r checkpoint.Ref) bool { return r == ref }, true)
	case controlpb.CheckpointStep_CHECKPOINT_ABANDONED:
		k.resume(func(r checkpoint.Ref) bool { return r.Compare(ref) < 0 }, true)
	}
}

// resume hands out again where no checkpoint holds it back.
func (k *keeper) resume(which func(checkpoint.Ref) bool, giveUp bool) {
	for ref, cancel := range k.held {
		if which(ref) {
			delete(k.held, ref)
			if giveUp {
				cancel()
			}
		}
	}
	if len(k.held) == 0 && k.host != nil {
		k.host.Resume()
	}
}

// hold takes the state of all coordinators and has it stored.
func (k *keeper) hold(b checkpoint.Barrier) error {
	began, t := time.Now(), k.t
	states := map[string][]byte{}
	if k.host != nil {
		var err error
		if states, err = k.host.Hold(); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithCancel(t.ctx)
	k.held[b.Ref] = cancel
	t.r.running.Add(1)
	t.storing.Add(1)
	go func() {
		defer t.r.running.Done()
		defer t.storing.Done()
		ops, err := t.write(ctx, b, func(w *hdfsstate.StateWriter) (ops []manifest.Operator, err error) {
			for _, v := range t.r.cfg.Program.Graph.GetVertices() {
				for _, o := range v.GetOperators() {
					data, ok := states[o.GetId()]
					if !ok {
						continue
					}
					h, err := w.Add(ctx, data)
					if err != nil {
						return nil, err
					}
					ops = append(ops, manifest.Operator{ID: o.GetId(), UID: o.GetUid(), Name: o.GetName(), Vertex: v.GetId(),
						Parallelism: int(v.GetParallelism()), MaxParallelism: max(int(v.GetMaxParallelism()), int(v.GetParallelism())), Coordinator: &h})
				}
			}
			return ops, nil
		})
		t.acknowledge(ctx, b.Ref, ops, err, began, &controlpb.CheckpointStats{})
	}()
	return nil
}
