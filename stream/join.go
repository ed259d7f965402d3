package stream

import (
	"time"

	"github.com/weft-project/weft/operator"
	"github.com/weft-project/weft/operator/window"
)

// both is what a window keeps of two streams.
type both[A, B any] struct {
	As []A
	Bs []B
}

// CoGroupWindow gives fn the records of two streams that have equal keys and fall into the same window. It is called for
// keys that came in one of them only, too.
func CoGroupWindow[K comparable, A, B, O any](a *KeyedStream[K, A], b *KeyedStream[K, B], in WindowAssigner, name string,
	fn func(c *WindowContext[K], as []A, bs []B, emit func(O)), opts ...Option) *Stream[O] {
	in.check(a.in.env)
	if in.a.Global {
		a.in.env.fail("operator %q: two streams are joined in windows of time", name)
	}
	keepA, keepB := keeper[A](), keeper[B]()
	first := window.Input[K, A, both[A, B]]{Of: a.key, Add: func() func(acc *both[A, B], v *A, _ bool) {
		return func(acc *both[A, B], v *A, _ bool) { appendKept(&acc.As, v, keepA) }
	}}
	second := window.Input[K, B, both[A, B]]{Of: b.key, Add: func() func(acc *both[A, B], v *B, _ bool) {
		return func(acc *both[A, B], v *B, _ bool) { appendKept(&acc.Bs, v, keepB) }
	}}
	return windowNode(a.in.env, bothOf(a.in.env, b.in.env, a.in.inputs(), b.in.inputs()), window.Spec[K, both[A, B]]{Assigner: in.a, Key: a.k},
		gather[K, both[A, B], O]{name: name, kind: "coGroup", opts: opts,
			merge: func(acc, other *both[A, B]) {
				acc.As = append(acc.As, other.As...)
				acc.Bs = append(acc.Bs, other.Bs...)
			},
			emit: func(c *WindowContext[K], acc *both[A, B], emit func(O)) { fn(c, acc.As, acc.Bs, emit) }}, first, second)
}

// JoinWindow gives fn each pair of records of two streams that have equal keys and fall into the same window.
func JoinWindow[K comparable, A, B, O any](a *KeyedStream[K, A], b *KeyedStream[K, B], in WindowAssigner, name string, fn func(a A, b B) O, opts ...Option) *Stream[O] {
	return CoGroupWindow(a, b, in, name, func(_ *WindowContext[K], as []A, bs []B, emit func(O)) {
		for _, x := range as {
			for _, y := range bs {
				emit(fn(x, y))
			}
		}
	}, opts...)
}

// IntervalJoin gives fn each pair of records with equal keys where b's timestamp is a's plus lower to upper, both inclusive.
// Results have the later one's timestamp.
func IntervalJoin[K comparable, A, B, O any](a *KeyedStream[K, A], b *KeyedStream[K, B], lower, upper time.Duration, name string,
	fn func(a A, b B, emit func(O)), opts ...Option) *Stream[O] {
	if lower > upper {
		a.in.env.fail("operator %q: interval from %s to %s: the lower bound is above the upper", name, lower, upper)
	}
	j := &operator.IntervalJoin[K, A, B, O]{Key: a.k, OfA: a.key, OfB: b.key, Lower: lower.Milliseconds(), Upper: upper.Milliseconds(),
		KeepA: keeper[A](), KeepB: keeper[B](), Open: func(_ *operator.Process, emit func(O)) func(*A, *B) {
			return func(x *A, y *B) { fn(*x, *y, emit) }
		}}
	return timed(add[O](a.in.env, name, "intervalJoin", bothOf(a.in.env, b.in.env, a.in.inputs(), b.in.inputs()), j.Factory(), opts))
}
