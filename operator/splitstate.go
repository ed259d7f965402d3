package operator

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"

	"github.com/weft-project/weft/checkpoint"
	"github.com/weft-project/weft/state"
)

// askAgain is after how many milliseconds a reader asks again that was told to wait for a checkpoint.
const askAgain = 5

// EndInput is Operator's: the coordinator hears that this subtask needs nothing more.
func (x *splitSource[T, S]) EndInput() error {
	_, err := Ask[splitRequest, splitReply[S]](x.c, x.c.OpIDs[x.op], splitRequest{Ended: true})
	return err
}

// Stopped is Stopper's.
func (x *splitSource[T, S]) Stopped() error { return x.EndInput() }

// Settled is Settler's: a split that is on its way belongs to nobody's state.
func (x *splitSource[T, S]) Settled() bool { return !x.asking }

// BeforeSnapshot is Preparer's: what is left of the splits is kept for Committed.
func (x *splitSource[T, S]) BeforeSnapshot(ref checkpoint.Ref) error {
	if x.spec.Committed == nil {
		return nil
	}
	var splits []S
	for _, s := range x.open {
		if left, ok := s.reader.(Resumable[S]); ok {
			splits = append(splits, left.Remaining())
		}
	}
	if x.prepared == nil {
		x.prepared = map[checkpoint.Ref][]S{}
	}
	x.prepared[ref] = splits
	return nil
}

// Completed is Committer's.
func (x *splitSource[T, S]) Completed(ref checkpoint.Ref) error {
	splits, ok := x.prepared[ref]
	for r := range x.prepared {
		if r.Compare(ref) <= 0 {
			delete(x.prepared, r)
		}
	}
	if ok {
		x.spec.Committed(WithContext(x.c.Ctx, x.c), splits)
	}
	return nil
}

// Pending is Committer's: a task does not wait to tell how far it has read.
func (x *splitSource[T, S]) Pending() bool { return false }

// KeyedState is Stateful's.
func (x *splitSource[T, S]) KeyedState() []state.Part { return nil }

// OperatorState is Stateful's: the splits that are being read.
func (x *splitSource[T, S]) OperatorState() map[string]state.OperatorPart {
	return map[string]state.OperatorPart{splitsName: (*splitsPart[T, S])(x)}
}

// splitsName is the name of the state of a split source.
const splitsName = "splits"

// splitsPart is the state of a split source: JSON documents, as splits travel.
type splitsPart[T, S any] splitSource[T, S]

// Name is state.OperatorPart's.
func (x *splitsPart[T, S]) Name() string { return splitsName }

// Redistribution is state.OperatorPart's.
func (x *splitsPart[T, S]) Redistribution() state.Redistribution { return state.Split }

// Snapshot is state.OperatorPart's.
func (x *splitsPart[T, S]) Snapshot() [][]byte {
	var out [][]byte
	add := func(r splitReply[S]) {
		b, err := json.Marshal(r)
		if err != nil {
			Abort(User(fmt.Errorf("split %d cannot be stored: %w", r.Number, err)))
		}
		out = append(out, b)
	}
	for _, s := range x.open {
		r := splitReply[S]{Split: s.split.(S), Number: s.number, Skip: max(s.skip, 0) + s.records}
		if left, ok := s.reader.(Resumable[S]); ok {
			r.Split, r.Skip = left.Remaining(), 0
		}
		add(r)
	}
	for _, r := range x.restored {
		add(r)
	}
	return out
}

// Restore is state.OperatorPart's.
func (x *splitsPart[T, S]) Restore(elements [][]byte) error {
	for _, e := range elements {
		var r splitReply[S]
		if err := json.Unmarshal(e, &r); err != nil {
			return fmt.Errorf("stored split %.100q: %w", e, err)
		}
		x.restored = append(x.restored, r)
	}
	return nil
}

// splitDealer deals splits to subtasks as they ask.
type splitDealer[S any] struct {
	plan      func(ctx context.Context, subtasks int) ([]S, error)
	discover  func(ctx context.Context, e *Enumeration[S]) error
	owner     func(split S, subtasks int) int
	discovery discovery[S]
	c         *CoordinatorContext
	done      *DoneSet

	mu      sync.Mutex
	dealing *Dealing
	left    dealerState[S]
	planned bool
	held    bool
}

// dealerState is what a dealer remembers, as JSON: the splits that are left and the number of the first of them; and what Discover
// goes on from.
type dealerState[S any] struct {
	Splits []S
	Next   int
	Found  []byte `json:",omitempty"`
}

// Start is Coordinator's.
func (d *splitDealer[S]) Start(ctx context.Context) error {
	if d.discover != nil {
		own := *d.c.Context // the task's goroutine goes on using its own
		d.discovery.begin(WithContext(ctx, &own), d, d.discover)
		return nil
	}
	ctx = WithContext(ctx, d.c.Context)
	if d.planned {
		return nil
	}
	splits, err := d.plan(ctx, d.c.Subtasks)
	d.left.Splits = splits
	return ReturnedBy(d.plan, err)
}

// Handle is Coordinator's.
func (d *splitDealer[S]) Handle(_ context.Context, subtask int, payload []byte) ([]byte, error) {
	return Answer(payload, func(r splitRequest) (splitReply[S], error) {
		if r.Ended {
			d.done.End(subtask)
			return splitReply[S]{None: true}, nil
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		switch {
		case d.held:
			return splitReply[S]{Later: true}, nil
		case d.discovery.failed:
			return splitReply[S]{Later: true, After: discoverAgain}, nil // until the task is canceled: the failure is not the reader's
		}
		at := d.first(subtask)
		switch {
		case at < 0 && d.discovery.running:
			return splitReply[S]{Later: true, After: discoverAgain}, nil
		case at < 0, d.owner == nil && !d.discovery.running && !d.dealing.Next(subtask, len(d.left.Splits)):
			return splitReply[S]{None: true}, nil
		}
		next := splitReply[S]{Split: d.left.Splits[at], Number: d.left.Next}
		if d.left.Next++; at == 0 {
			d.left.Splits = d.left.Splits[1:] // there may be many
		} else {
			d.left.Splits = slices.Delete(d.left.Splits, at, at+1)
		}
		return next, nil
	})
}

// first is the index of the first split that a subtask may have, -1 for none. The caller holds the lock.
func (d *splitDealer[S]) first(subtask int) int {
	for i, s := range d.left.Splits {
		if d.owner == nil || d.owner(s, d.c.Subtasks) == subtask {
			return i
		}
	}
	return -1
}

// Hold is Keeper's.
func (d *splitDealer[S]) Hold() ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.held = true
	return json.Marshal(d.left)
}

// Resume is Keeper's.
func (d *splitDealer[S]) Resume() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.held = false
}

// Restore is Keeper's.
func (d *splitDealer[S]) Restore(b []byte) error {
	d.planned = true
	return json.Unmarshal(b, &d.left)
}

// Finished is FinishedTaker's.
func (d *splitDealer[S]) Finished(subtasks []int) {
	for _, s := range subtasks {
		d.done.End(s)
	}
}

// Done is Coordinator's.
func (d *splitDealer[S]) Done() <-chan struct{} { return d.done.Done() }

// Close is Coordinator's.
func (d *splitDealer[S]) Close() error {
	d.discovery.close()
	return nil
}
