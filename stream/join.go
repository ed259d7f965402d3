package stream

import (
	"time"

	"github.com/weft-project/weft/operator"
)

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
