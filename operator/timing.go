package operator

import (
	"github.com/weft-project/weft/codec"
	"github.com/weft-project/weft/eventtime"
	"github.com/weft-project/weft/state"
)

// Timing is the keyed state and the timers of one operator's subtask: the base of operators that remember. N tells timers of
// one key and time apart.
type Timing[K, N comparable] struct {
	Base
	C     *Context
	Op    int
	Keyed *state.Keyed[K]
	// Watermark is how far event time has come.
	Watermark int64
	// Fire is called for each timer that is due, with its key as the current one.
	Fire func(t state.Timer[K, N], processing bool)

	events, procs *state.Timers[K, N]
	armed         int64
	stop          func()
}

// NewTiming makes it for the key groups of the subtask.
func NewTiming[N, K comparable](c *Context, op int, key *codec.Key[K]) (*Timing[K, N], error) {
	keyed, err := state.NewKeyed(key, state.GroupsOf(max(1, c.MaxParallelism), max(1, c.Parallelism), c.Subtask()))
	if err != nil {
		return nil, User(err)
	}
	t := &Timing[K, N]{C: c, Op: op, Keyed: keyed, Watermark: eventtime.None}
	keyed.Now = func() int64 { return c.Now }
	if t.events, err = state.NewTimers[N](keyed, "event-timers"); err != nil {
		return nil, User(err)
	}
	if t.procs, err = state.NewTimers[N](keyed, "processing-timers"); err != nil {
		return nil, User(err)
	}
	return t, nil
}

// SetTimer asks for a call when event time has come to at, for the current key.
func (t *Timing[K, N]) SetTimer(at int64, ns N) { t.events.Set(at, t.Keyed.Key(), t.Keyed.Hash(), ns) }

// DeleteTimer takes it back.
func (t *Timing[K, N]) DeleteTimer(at int64, ns N) {
	t.events.Delete(at, t.Keyed.Key(), t.Keyed.Hash(), ns)
}

// SetProcessingTimer asks for a call when processing time has come to at, for the current key.
func (t *Timing[K, N]) SetProcessingTimer(at int64, ns N) {
	if t.procs.Set(at, t.Keyed.Key(), t.Keyed.Hash(), ns) {
		t.arm()
	}
}

// DeleteProcessingTimer takes it back.
func (t *Timing[K, N]) DeleteProcessingTimer(at int64, ns N) {
	t.procs.Delete(at, t.Keyed.Key(), t.Keyed.Hash(), ns)
}

// Timers is the number of timers set, of both kinds.
func (t *Timing[K, N]) Timers() int { return t.events.Len() + t.procs.Len() }

// Advance is EventTime's. In BATCH mode the end of the input is the end of processing time too.
func (t *Timing[K, N]) Advance(wm int64) bool {
	t.Watermark = wm
	t.due(t.events, wm, false)
	if wm == eventtime.Max && t.C.Batch {
		t.due(t.procs, wm, true)
	}
	return true
}

// due calls Fire for what is due.
func (t *Timing[K, N]) due(timers *state.Timers[K, N], now int64, processing bool) {
	before := t.C.Time
	for {
		x, hash, ok := timers.Pop(now)
		if !ok {
			break
		}
		t.C.Op = t.Op
		t.C.Time = x.At
		if processing {
			t.C.Time = eventtime.None
		}
		t.Keyed.SetKey(x.Key, hash)
		t.Fire(x, processing)
	}
	t.C.Time = before
}

// arm has the clock call when the first processing-time timer is due.
func (t *Timing[K, N]) arm() {
	next, ok := t.procs.Next()
	if !ok || t.C.Batch || t.stop != nil && next >= t.armed {
		return
	}
	if t.stop != nil {
		t.stop()
	}
	t.armed = next
	t.stop = t.C.Schedule(next, func() {
		if t.armed == next {
			t.stop = nil
		}
		t.due(t.procs, t.C.Now, true)
		t.arm()
	})
}

// Restored is the interface's: timers of processing time wait for the clock again.
func (t *Timing[K, N]) Restored() error {
	t.arm()
	return nil
}

// Close is Operator's.
func (t *Timing[K, N]) Close(error) error {
	if t.stop != nil {
		t.stop()
	}
	return nil
}
