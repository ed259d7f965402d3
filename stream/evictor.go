package stream

import (
	"math"
	"slices"
	"time"

	"github.com/weft-project/weft/operator/window"
)

// Element is a record that a window keeps, and its timestamp; NoTime where it has none.
type Element[T any] struct {
	Value T
	At    int64
}

// Firing is what an evictor knows of a window that fires.
type Firing struct {
	Window TimeWindow
	// Watermark and Now are how far event time and processing time have come.
	Watermark, Now int64
}

// Evictor removes records from windows when they fire. Both functions are given what the window keeps, in order of arrival, and
// return what it keeps from then on; they may use its memory.
type Evictor[T any] struct {
	// Before is called before the window's function, which does not see what is removed. Nil removes nothing.
	Before func(in []Element[T], f Firing) []Element[T]
	// After is called after it.
	After func(in []Element[T], f Firing) []Element[T]
}

// EvictCount keeps the last n records.
func EvictCount[T any](n int) Evictor[T] {
	return Evictor[T]{Before: func(in []Element[T], _ Firing) []Element[T] {
		return slices.Delete(in, 0, max(0, len(in)-max(0, n)))
	}}
}

// EvictTime keeps the records that are less than d older than the newest one. Records without timestamps are all kept.
func EvictTime[T any](d time.Duration) Evictor[T] {
	return Evictor[T]{Before: func(in []Element[T], _ Firing) []Element[T] {
		if len(in) == 0 || in[0].At == NoTime {
			return in
		}
		newest := in[0].At
		for i := range in {
			newest = max(newest, in[i].At)
		}
		return slices.DeleteFunc(in, func(e Element[T]) bool { return e.At <= newest-d.Milliseconds() })
	}}
}

// EvictDelta keeps the records whose distance from the last one is below threshold.
func EvictDelta[T any](threshold float64, delta func(v, last *T) float64) Evictor[T] {
	return Evictor[T]{Before: func(in []Element[T], _ Firing) []Element[T] {
		if len(in) == 0 {
			return in
		}
		last := in[len(in)-1].Value
		return slices.DeleteFunc(in, func(e Element[T]) bool { return delta(&e.Value, &last) >= threshold })
	}}
}

// AfterFunction has an evictor remove after the window's function what it would remove before.
func (e Evictor[T]) AfterFunction() Evictor[T] { return Evictor[T]{After: e.Before} }

// Evict removes records when windows fire. The windows then keep every record, and reduces and aggregates are made when they fire.
func (w *Windowed[K, T]) Evict(e Evictor[T]) *Windowed[K, T] {
	w.evictor = &e
	return w
}

// evictedRecords keeps the records that an evictor leaves.
func evictedRecords[K comparable, T, O any](w *Windowed[K, T], name, kind string, open func(*Context, func(O)) func(*WindowContext[K], []T),
	opts []Option) *Stream[O] {
	keep, evictor := keeper[T](), *w.evictor
	in := window.Input[K, T, []Element[T]]{AddAt: func() func(acc *[]Element[T], v *T, at int64) {
		return func(acc *[]Element[T], v *T, at int64) {
			*acc = append(*acc, Element[T]{*v, at})
			if keep != nil {
				keep(&(*acc)[len(*acc)-1].Value)
			}
		}
	}}
	return windowedIn(w, in, gather[K, []Element[T], O]{name: name, kind: kind, opts: opts,
		merge: func(acc, other *[]Element[T]) { *acc = append(*acc, *other...) },
		open: func(c *Context, emit func(O)) func(*WindowContext[K], *[]Element[T]) {
			fn := open(c, emit)
			return func(f *WindowContext[K], acc *[]Element[T]) {
				if len(*acc) > 0 { // an evictor may have left nothing when it fired before
					evictor.fire(acc, Firing{f.Window, f.Watermark, f.Now}, func(vs []T) { fn(f, vs) })
				}
			}
		}})
}

// fire removes what is to be removed around a window's function.
func (e *Evictor[T]) fire(acc *[]Element[T], f Firing, fn func(vs []T)) {
	if e.Before != nil {
		*acc = e.Before(*acc, f)
	}
	vs := make([]T, len(*acc))
	for i := range vs {
		vs[i] = (*acc)[i].Value
	}
	fn(vs)
	if e.After != nil {
		*acc = e.After(*acc, f)
	}
}

// GapOf has sessions end when no record follows within what gap says of each.
func (w *Windowed[K, T]) GapOf(gap func(v *T) time.Duration) *Windowed[K, T] {
	if w.assigner.a.Gap == 0 {
		w.in.in.env.fail("only sessions have gaps")
	}
	w.gap = func(v *T) int64 { return gap(v).Milliseconds() }
	return w
}

// TriggerDelta fires when a record's measure is further than threshold from that of the record that fired last, or came first.
func (w *Windowed[K, T]) TriggerDelta(threshold float64, measure func(v *T) float64) *Windowed[K, T] {
	if w.assigner.a.Gap > 0 {
		w.in.in.env.fail("sessions cannot have a delta trigger: when two are joined there would be two last records")
	}
	return w.TriggerOn(func(v *T, _ int64, _ TimeWindow, c *TriggerContext) TriggerResult {
		now := measure(v)
		if c.State.Count > 0 && math.Abs(now-math.Float64frombits(uint64(c.State.Next))) <= threshold {
			return Continue
		}
		fire := c.State.Count > 0
		c.State.Count, c.State.Next = 1, int64(math.Float64bits(now))
		if fire {
			return Fire
		}
		return Continue
	}, QuietTrigger{})
}
