package operator

import (
	"errors"

	"github.com/weft-project/weft/checkpoint"
)

// What operators do in checkpoints, beside Stateful. All calls come from the task's goroutine.

// Settler is a Source that must not be asked for its state at any moment: not while a split is on its way to it.
type Settler interface{ Settled() bool }

// Preparer is an Operator that closes what it has under way before its state is taken: the files of a sink.
type Preparer interface {
	BeforeSnapshot(ref checkpoint.Ref) error
}

// Committer is an Operator with effects outside the job that count only when a checkpoint is complete (F5).
type Committer interface {
	// Completed: the checkpoint is published. What was prepared for it and for earlier ones is committed; again is no error.
	Completed(ref checkpoint.Ref) error
	// Pending tells that something is prepared and not committed: the task does not end before.
	Pending() bool
}

// Restored is an Operator that goes on from what it was given back: state is restored after Open, before any record.
type Restored interface{ Restored() error }

// Stopper is an Operator that ends with a savepoint instead of the end of its input.
type Stopper interface{ Stopped() error }

// each calls f for the operators that are a T, upstream first.
func each[T any](ch *Chain, f func(T) error) error {
	for i := range ch.operators {
		if o, ok := ch.operators[i].op.(T); ok {
			ch.ctx.Op = i
			if err := f(o); err != nil {
				return err
			}
		}
	}
	return nil
}

var errUnsettled = errors.New("unsettled")

// Settled tells that the state of all operators may be taken.
func (ch *Chain) Settled() bool {
	return each(ch, func(s Settler) error {
		if !s.Settled() {
			return errUnsettled
		}
		return nil
	}) == nil
}

// BeforeSnapshot has all operators prepare.
func (ch *Chain) BeforeSnapshot(ref checkpoint.Ref) error {
	return each(ch, func(p Preparer) error { return p.BeforeSnapshot(ref) })
}

// Completed tells all operators that a checkpoint is published.
func (ch *Chain) Completed(ref checkpoint.Ref) error {
	return each(ch, func(c Committer) error { return c.Completed(ref) })
}

// Pending tells that an operator has something prepared that is not committed.
func (ch *Chain) Pending() bool {
	pending := false
	_ = each(ch, func(c Committer) error { // f gives no error
		pending = pending || c.Pending()
		return nil
	})
	return pending
}

// Restored tells all operators that they have their state back.
func (ch *Chain) Restored() error { return each(ch, func(r Restored) error { return r.Restored() }) }

// Stopped ends all operators with a savepoint.
func (ch *Chain) Stopped() error { return each(ch, func(s Stopper) error { return s.Stopped() }) }

// Keeper is a Coordinator whose state is part of checkpoints. Without it a coordinator begins anew.
type Keeper interface {
	// Hold gives the state; until Resume nothing is handed out to subtasks: they are told to ask again.
	Hold() ([]byte, error)
	Resume()
	// Restore is called before Start, with what Hold has given.
	Restore(state []byte) error
}

// FinishedTaker is a Coordinator that is told, before Start, which subtasks had come to their end in the checkpoint that the job goes on from:
// these will not ask again.
type FinishedTaker interface{ Finished(subtasks []int) }

// Hold takes the state of all coordinators by operator id.
func (h *CoordinatorHost) Hold() (map[string][]byte, error) {
	out := map[string][]byte{}
	for id, p := range h.parts {
		if k, ok := p.(Keeper); ok {
			b, err := k.Hold()
			if err != nil {
				return nil, err
			}
			out[id] = b
		}
	}
	return out, nil
}

// Resume lets all coordinators go on.
func (h *CoordinatorHost) Resume() {
	for _, p := range h.parts {
		if k, ok := p.(Keeper); ok {
			k.Resume()
		}
	}
}

// CoordinatorRestore is what the coordinator of an operator goes on from.
type CoordinatorRestore struct {
	State    []byte // nil for none
	Finished []int
}

// restore gives a coordinator its state back.
func (r CoordinatorRestore) restore(part Coordinator) error {
	if f, ok := part.(FinishedTaker); ok && len(r.Finished) > 0 {
		f.Finished(r.Finished)
	}
	if k, ok := part.(Keeper); ok && r.State != nil {
		return k.Restore(r.State)
	}
	return nil
}
