package stream

import (
	"time"

	"github.com/weft-project/weft/operator/window"
)

// both is what a window keeps of two streams.
type both[A, B any] struct {
	As []A
	Bs []B
}

// Either is a record of one of two streams: A or B is nil.
type Either[A, B any] struct {
	A *A
	B *B
}

// CoWindowed is two keyed streams in the same windows.
type CoWindowed[K comparable, A, B any] struct {
	a            *KeyedStream[K, A]
	b            *KeyedStream[K, B]
	assigner     WindowAssigner
	trigger      Trigger
	lateness     int64
	lateA, lateB string
	evictor      *Evictor[Either[A, B]]
}

// CoWindow puts the records of two streams that have equal keys into the same windows. A GlobalWindow needs a trigger.
func CoWindow[K comparable, A, B any](a *KeyedStream[K, A], b *KeyedStream[K, B], in WindowAssigner) *CoWindowed[K, A, B] {
	in.check(a.in.env)
	return &CoWindowed[K, A, B]{a: a, b: b, assigner: in}
}

// Trigger replaces the windows' own trigger. It sees the records of both streams.
func (w *CoWindowed[K, A, B]) Trigger(t Trigger) *CoWindowed[K, A, B] {
	w.trigger = t
	return w
}

// AllowedLateness lets windows wait for late records; each fires the window again.
func (w *CoWindowed[K, A, B]) AllowedLateness(d time.Duration) *CoWindowed[K, A, B] {
	w.lateness = d.Milliseconds()
	return w
}

// LateTo sends records that come too late for all their windows to side outputs, a for the first stream and b for the second. Where
// one is nil that stream's are counted and dropped.
func (w *CoWindowed[K, A, B]) LateTo(a *Side[A], b *Side[B]) *CoWindowed[K, A, B] {
	w.lateA, w.lateB = "", ""
	if a != nil {
		w.lateA = a.name
	}
	if b != nil {
		w.lateB = b.name
	}
	return w
}

// Evict removes records when windows fire. The evictor sees those of both streams, in order of arrival.
func (w *CoWindowed[K, A, B]) Evict(e Evictor[Either[A, B]]) *CoWindowed[K, A, B] {
	w.evictor = &e
	return w
}

// CoGroupWindow gives fn the records of two streams that have equal keys and fall into the same window. It is called for
// keys that came in one of them only, too.
func CoGroupWindow[K comparable, A, B, O any](w *CoWindowed[K, A, B], name string,
	fn func(c *WindowContext[K], as []A, bs []B, emit func(O)), opts ...Option) *Stream[O] {
	if w.assigner.n > 0 || w.assigner.a.Global && w.trigger == nil {
		w.a.in.env.fail("operator %q: two streams are joined in windows of time, or in a GlobalWindow with a trigger", name)
	}
	if w.evictor != nil {
		return coGroupEvicted(w, name, fn, opts)
	}
	keepA, keepB := keeper[A](), keeper[B]()
	first := window.Input[K, A, both[A, B]]{Add: func() func(acc *both[A, B], v *A, _ bool) {
		return func(acc *both[A, B], v *A, _ bool) { appendKept(&acc.As, v, keepA) }
	}}
	second := window.Input[K, B, both[A, B]]{Add: func() func(acc *both[A, B], v *B, _ bool) {
		return func(acc *both[A, B], v *B, _ bool) { appendKept(&acc.Bs, v, keepB) }
	}}
	return coWindowed(w, first, second, false, gather[K, both[A, B], O]{name: name, kind: "coGroup", opts: opts,
		merge: func(acc, other *both[A, B]) {
			acc.As = append(acc.As, other.As...)
			acc.Bs = append(acc.Bs, other.Bs...)
		},
		emit: func(c *WindowContext[K], acc *both[A, B], emit func(O)) { fn(c, acc.As, acc.Bs, emit) }})
}

// coGroupEvicted is CoGroupWindow with an evictor: windows keep the records of both streams in one list.
func coGroupEvicted[K comparable, A, B, O any](w *CoWindowed[K, A, B], name string,
	fn func(c *WindowContext[K], as []A, bs []B, emit func(O)), opts []Option) *Stream[O] {
	type kept = []Element[Either[A, B]]
	evictor := *w.evictor
	first := window.Input[K, A, kept]{AddAt: keptAs(func(v *A) Either[A, B] { return Either[A, B]{A: v} })}
	second := window.Input[K, B, kept]{AddAt: keptAs(func(v *B) Either[A, B] { return Either[A, B]{B: v} })}
	return coWindowed(w, first, second, true, gather[K, kept, O]{name: name, kind: "coGroup", opts: opts,
		merge: func(acc, other *kept) { *acc = append(*acc, *other...) },
		emit: func(c *WindowContext[K], acc *kept, emit func(O)) {
			if len(*acc) == 0 {
				return // the evictor left nothing when it fired before
			}
			evictor.fire(acc, Firing{c.Window, c.Watermark, c.Now}, func(vs []Either[A, B]) {
				as, bs := halves(vs)
				fn(c, as, bs, emit)
			})
		}})
}

// keptAs makes functions that keep a copy of a record, and its timestamp, as a record of either stream.
func keptAs[T, E any](either func(v *T) E) func() func(acc *[]Element[E], v *T, at int64) {
	keep := keeper[T]()
	return func() func(acc *[]Element[E], v *T, at int64) {
		return func(acc *[]Element[E], v *T, at int64) {
			own := *v
			if keep != nil {
				keep(&own)
			}
			*acc = append(*acc, Element[E]{either(&own), at})
		}
	}
}

// halves are the records of the one stream and of the other.
func halves[A, B any](vs []Either[A, B]) (as []A, bs []B) {
	for _, v := range vs {
		if v.A != nil {
			as = append(as, *v.A)
		} else if v.B != nil {
			bs = append(bs, *v.B)
		}
	}
	return as, bs
}

// coWindowed adds the operator of windows that keep a C of two streams for each key.
func coWindowed[K comparable, A, B, C, O any](w *CoWindowed[K, A, B], first window.Input[K, A, C], second window.Input[K, B, C], apart bool,
	g gather[K, C, O]) *Stream[O] {
	first.Of, first.Late, second.Of, second.Late = w.a.key, w.lateA, w.b.key, w.lateB
	spec := window.Spec[K, C]{Assigner: w.assigner.a, Key: w.a.k, Trigger: w.trigger, Lateness: w.lateness, Apart: apart}
	return windowNode(w.a.in.env, bothOf(w.a.in.env, w.b.in.env, w.a.in.inputs(), w.b.in.inputs()), spec, g, first, second)
}

// JoinWindow gives fn each pair of records of two streams that have equal keys and fall into the same window.
func JoinWindow[K comparable, A, B, O any](w *CoWindowed[K, A, B], name string, fn func(a A, b B) O, opts ...Option) *Stream[O] {
	return CoGroupWindow(w, name, func(_ *WindowContext[K], as []A, bs []B, emit func(O)) {
		for _, x := range as {
			for _, y := range bs {
				emit(fn(x, y))
			}
		}
	}, opts...)
}
