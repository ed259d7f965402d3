package stream

import (
	"time"

	"github.com/weft-project/weft/codec"
	"github.com/weft-project/weft/graph"
	"github.com/weft-project/weft/operator"
	"github.com/weft-project/weft/operator/window"
	"github.com/weft-project/weft/rpc/planpb"
)

// TimeWindow is a span of time: from Start, inclusive, to End, exclusive, in milliseconds.
type TimeWindow = window.Window

// WindowAssigner says which windows a record falls into.
type WindowAssigner struct {
	a    window.Assigner
	last int   // records of a key that a window keeps at most; 0 for all
	n    int64 // fires every so many records; 0 where the assigner has no count
}

// Tumbling windows follow each other without overlap.
func Tumbling(size time.Duration) WindowAssigner { return Sliding(size, size) }

// Sliding windows begin every slide and are size long; they share the records that they have in common.
func Sliding(size, slide time.Duration) WindowAssigner {
	return WindowAssigner{a: window.Assigner{Size: size.Milliseconds(), Slide: slide.Milliseconds()}}
}

// Session windows of a key last as long as its records follow each other within gap.
func Session(gap time.Duration) WindowAssigner {
	return WindowAssigner{a: window.Assigner{Gap: gap.Milliseconds()}}
}

// GlobalWindow is one window for all records of a key. It fires only by a trigger.
func GlobalWindow() WindowAssigner { return WindowAssigner{a: window.Assigner{Global: true}} }

// CountWindow holds n records of a key; it fires when it is full and begins anew. What is left at the end is dropped.
func CountWindow(n int) WindowAssigner {
	return WindowAssigner{a: window.Assigner{Global: true}, n: int64(n)}
}

// SlidingCountWindow fires for every slide records of a key, over the last size of them.
func SlidingCountWindow(size, slide int) WindowAssigner {
	return WindowAssigner{a: window.Assigner{Global: true}, last: size, n: int64(slide)}
}

// Offset moves the windows: days of another time zone are Tumbling(24*time.Hour).Offset(-8*time.Hour).
func (a WindowAssigner) Offset(d time.Duration) WindowAssigner {
	a.a.Offset = d.Milliseconds()
	return a
}

// InProcessingTime makes windows of the clock's time, not of the records'.
func (a WindowAssigner) InProcessingTime() WindowAssigner {
	a.a.Processing = true
	return a
}

func (a WindowAssigner) check(env *Env) {
	s := a.a
	switch {
	case s.Global:
		if a.last > 0 && a.n < 1 || a.n < 0 || a.last < 0 {
			env.fail("count window of %d records, every %d: expected 1 or more", a.last, a.n)
		}
	case s.Gap < 0 || s.Gap == 0 && (s.Size < 1 || s.Slide < 1):
		env.fail("window of %d ms every %d ms, gap %d ms: expected 1 ms or more", s.Size, s.Slide, s.Gap)
	}
}

// Trigger decides when a window emits.
type Trigger = window.Trigger

// TriggerContext is what a trigger may do.
type TriggerContext = window.TriggerContext

// TriggerState is what a trigger remembers of a window.
type TriggerState = window.TriggerState

// TriggerResult is what a trigger decides.
type TriggerResult = window.Result

// QuietTrigger does nothing at each call; triggers of one's own embed it.
type QuietTrigger = window.Quiet

// The results of triggers.
const (
	Continue     = window.Continue
	Fire         = window.Fire
	Purge        = window.Purge
	FireAndPurge = window.FireAndPurge
)

// OnEventTime fires when the watermark passes the window's end, and for each late record after that: what windows of event
// time do without a trigger.
func OnEventTime() Trigger { return window.EventTimeTrigger{} }

// OnProcessingTime fires when the clock passes the window's end.
func OnProcessingTime() Trigger { return window.ProcessingTimeTrigger{} }

// OnCount fires for every n records.
func OnCount(n int) Trigger { return window.CountTrigger{N: int64(n)} }

// EveryEventTime fires whenever event time has gone on by d, and at the window's end.
func EveryEventTime(d time.Duration) Trigger {
	return window.ContinuousEventTimeTrigger{Every: d.Milliseconds()}
}

// EveryProcessingTime fires whenever the clock has gone on by d.
func EveryProcessingTime(d time.Duration) Trigger {
	return window.ContinuousProcessingTimeTrigger{Every: d.Milliseconds()}
}

// Purging drops a window's content whenever t fires.
func Purging(t Trigger) Trigger { return window.PurgingTrigger{Inner: t} }

// Windowed is a keyed stream in windows.
type Windowed[K comparable, T any] struct {
	in        *KeyedStream[K, T]
	assigner  WindowAssigner
	trigger   Trigger
	onElement func(v *T, at int64, w TimeWindow, c *TriggerContext) TriggerResult
	lateness  int64
	late      string
	evictor   *Evictor[T]
	gap       func(v *T) int64
	one       bool // a single subtask
}

// Window puts the records of each key into windows.
func Window[K comparable, T any](in *KeyedStream[K, T], a WindowAssigner) *Windowed[K, T] {
	a.check(in.in.env)
	w := &Windowed[K, T]{in: in, assigner: a}
	if a.n > 0 {
		w.trigger = OnCount(int(a.n))
		if a.last == 0 {
			w.trigger = Purging(w.trigger)
		}
	}
	return w
}

// All is the key of streams that have none.
type All struct{}

// WindowAll puts all records into windows, in one subtask.
func WindowAll[T any](in *Stream[T], a WindowAssigner) *Windowed[All, T] {
	keyed := KeyBy(in, func(T) All { return All{} })
	keyed.in = keyed.in.dealt(planpb.Partitioner_GLOBAL)
	w := Window(keyed, a)
	w.one = true
	return w
}

// Trigger replaces the windows' own trigger.
func (w *Windowed[K, T]) Trigger(t Trigger) *Windowed[K, T] {
	w.trigger, w.onElement = t, nil
	return w
}

// TriggerOn is Trigger with a function that sees the records in the place of t's OnElement.
func (w *Windowed[K, T]) TriggerOn(onElement func(v *T, at int64, w TimeWindow, c *TriggerContext) TriggerResult, t Trigger) *Windowed[K, T] {
	w.trigger, w.onElement = t, onElement
	return w
}

// AllowedLateness lets windows wait for late records; each fires the window again.
func (w *Windowed[K, T]) AllowedLateness(d time.Duration) *Windowed[K, T] {
	w.lateness = d.Milliseconds()
	return w
}

// LateTo sends records that come too late for all their windows to a side output. Without it they are counted and dropped.
func (w *Windowed[K, T]) LateTo(s *Side[T]) *Windowed[K, T] {
	w.late = s.name
	return w
}

// WindowContext is what a window function knows: key, window, watermark and processing time.
type WindowContext[K comparable] = window.Fired[K]

// gather is how an operator of windows works: what they keep for a key, and what they emit.
type gather[K comparable, A, O any] struct {
	name, kind string
	merge      func(acc, other *A)
	emit       func(c *WindowContext[K], acc *A, emit func(O))
	// open, in the place of emit, makes the function of a subtask.
	open func(c *Context, emit func(O)) func(c *WindowContext[K], acc *A)
	opts []Option
}

// windowed adds the operator of windows that keep an A for each key.
func windowed[K comparable, T, A, O any](w *Windowed[K, T], add func() func(acc *A, v *T, fresh bool), g gather[K, A, O]) *Stream[O] {
	return windowedIn(w, window.Input[K, T, A]{Add: add}, g)
}

func windowedIn[K comparable, T, A, O any](w *Windowed[K, T], in window.Input[K, T, A], g gather[K, A, O]) *Stream[O] {
	in.Of, in.OnElement, in.Late, in.GapOf = w.in.key, w.onElement, w.late, w.gap
	spec := window.Spec[K, A]{Assigner: w.assigner.a, Key: w.in.k, Trigger: w.trigger, Lateness: w.lateness, Apart: in.AddAt != nil}
	out := windowNode(w.in.in.env, w.in.in.inputs(), spec, g, in)
	n := out.from[0].node
	n.MaxOne = n.MaxOne || w.one
	return out
}

func windowNode[K comparable, A, O any](env *Env, inputs []graph.Input, spec window.Spec[K, A], g gather[K, A, O], ins ...window.AnyInput[K, A]) *Stream[O] {
	acc, err := codec.Of[A]()
	if err != nil {
		env.fail("operator %q: what its windows keep: %v", g.name, err)
		acc = &codec.Codec[A]{}
	}
	if spec.Gap > 0 && g.merge == nil {
		env.fail("operator %q: session windows need an Aggregate with Merge", g.name)
	}
	spec.Acc, spec.Merge = acc, g.merge
	spec.Emitter = func(c *operator.Context, op int, out any) (func(*WindowContext[K], *A), error) {
		next, err := operator.Emitter[O](c, op, out)
		if err != nil {
			return nil, err
		}
		if g.open != nil {
			return g.open(&Context{c: c, op: op}, next), nil
		}
		return func(f *WindowContext[K], acc *A) { g.emit(f, acc, next) }, nil
	}
	out := add[O](env, g.name, g.kind, inputs, window.Factory(spec, ins...), g.opts)
	n := out.from[0].node
	n.ReadsTime, n.SetsTime, n.NewTime = !spec.Processing, true, spec.Processing
	n.Managed = true
	return out
}
