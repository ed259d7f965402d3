package operator

import (
	"errors"
	"sort"

	"github.com/weft-project/weft/codec"
	"github.com/weft-project/weft/eventtime"
	"github.com/weft-project/weft/state"
)

// IntervalJoin describes the join of records of two streams that have equal keys, where the second's timestamp is that of
// the first plus Lower to Upper milliseconds.
type IntervalJoin[K comparable, A, B, O any] struct {
	Key          *codec.Key[K]
	OfA          func(A) K
	OfB          func(B) K
	Lower, Upper int64
	// Open makes the function for each pair.
	Open func(p *Process, emit func(O)) func(a *A, b *B)
	// KeepA and KeepB make records fit to be kept; nil where there is nothing to do.
	KeepA func(*A)
	KeepB func(*B)
}

// errJoinTime is the failure of a join in time of records that have none.
var errJoinTime = errors.New("the record has no timestamp: an interval join needs one; use stream.AssignTimestamps before it")

// waiting is a record of one side that may meet others of the other side.
type waiting[T any] struct {
	At int64
	V  T
}

// pending is what waits for one key; timer is when it is looked through, eventtime.None for never.
type pending[A, B any] struct {
	A     []waiting[A]
	B     []waiting[B]
	Timer int64
}

type intervalJoin[K comparable, A, B, O any] struct {
	*Timing[K, None]
	j    *IntervalJoin[K, A, B, O]
	hash func(K) uint64
	keys *state.Table[K, pending[A, B]]
	p    *Process
	emit func(O)
	fn   func(*A, *B)
	late *Late
}

// Factory makes the operator.
func (j *IntervalJoin[K, A, B, O]) Factory() Factory {
	return Sorted(func(c *Context, op int, out any) (Instance, error) {
		next, err := emitOf[O](out)
		if err != nil {
			return Instance{}, err
		}
		timing, err := NewTiming[None](c, op, j.Key)
		if err != nil {
			return Instance{}, err
		}
		x := &intervalJoin[K, A, B, O]{Timing: timing, j: j, hash: j.Key.Hasher(), p: &Process{C: c, Op: op}, emit: emitter(c, op, next), late: NewLate(c, op)}
		x.keys = state.NewTable[K, pending[A, B]](timing.Keyed.Keep(), x.hash)
		part, err := state.NewTablePart("waiting", x.keys, c.MaxParallelism, x.hash)
		if err == nil {
			err = timing.Keyed.Register(part)
		}
		if err != nil {
			return Instance{}, User(err)
		}
		timing.Fire = func(t state.Timer[K, None], _ bool) { x.trim(t.At) }
		return Instance{x, []any{x.first(), x.second()}}, nil
	}, ByKey(j.Key, j.OfA), ByKey(j.Key, j.OfB))
}

// Open is Operator's.
func (x *intervalJoin[K, A, B, O]) Open() error {
	x.fn = x.j.Open(x.p, x.emit)
	return nil
}

// key makes the record's key the current one; nil for a record that comes too late.
func (x *intervalJoin[K, A, B, O]) key(k K) *pending[A, B] {
	ts := x.C.Time
	if ts == eventtime.None {
		Abort(User(errJoinTime))
	}
	if x.Watermark != eventtime.None && ts < x.Watermark {
		x.late.Count()
		return nil
	}
	h := x.hash(k)
	x.Timing.Keyed.SetKey(k, h)
	p, fresh := x.keys.At(k, h)
	if fresh {
		p.Timer = eventtime.None
	}
	return p
}

func (x *intervalJoin[K, A, B, O]) first() Emit[A] {
	c := x.C
	return func(v *A) {
		c.Op = x.Op
		p := x.key(x.j.OfA(*v))
		if p == nil {
			return
		}
		ts := c.Time
		slot := insert(&p.A, ts, v, x.j.KeepA)
		from := sort.Search(len(p.B), func(i int) bool { return p.B[i].At >= ts+x.j.Lower })
		for i := from; i < len(p.B) && p.B[i].At <= ts+x.j.Upper; i++ {
			c.Time = max(ts, p.B[i].At)
			x.fn(&slot.V, &p.B[i].V)
		}
		c.Time = ts
		x.wait(p, ts+max(0, x.j.Upper))
	}
}

func (x *intervalJoin[K, A, B, O]) second() Emit[B] {
	c := x.C
	return func(v *B) {
		c.Op = x.Op
		p := x.key(x.j.OfB(*v))
		if p == nil {
			return
		}
		ts := c.Time
		slot := insert(&p.B, ts, v, x.j.KeepB)
		from := sort.Search(len(p.A), func(i int) bool { return p.A[i].At >= ts-x.j.Upper })
		for i := from; i < len(p.A) && p.A[i].At <= ts-x.j.Lower; i++ {
			c.Time = max(ts, p.A[i].At)
			x.fn(&p.A[i].V, &slot.V)
		}
		c.Time = ts
		x.wait(p, ts+max(0, -x.j.Lower))
	}
}

// insert puts a copy of a record into its place by time, behind those of the same time.
func insert[T any](list *[]waiting[T], at int64, v *T, keep func(*T)) *waiting[T] {
	l := append(*list, waiting[T]{at, *v})
	i := len(l) - 1
	if keep != nil {
		keep(&l[i].V)
	}
	for ; i > 0 && l[i-1].At > at; i-- {
		l[i-1], l[i] = l[i], l[i-1]
	}
	*list = l
	return &l[i]
}

// wait has the key looked through when nothing can meet the record any more; one timer for a key is enough.
func (x *intervalJoin[K, A, B, O]) wait(p *pending[A, B], until int64) {
	if p.Timer == eventtime.None {
		p.Timer = until
		x.SetTimer(until, None{})
	}
}

// trim lets go of what has waited long enough.
func (x *intervalJoin[K, A, B, O]) trim(now int64) {
	k, h := x.Timing.Keyed.Key(), x.Timing.Keyed.Hash()
	p := x.keys.Get(k, h)
	if p == nil {
		return
	}
	p.Timer = eventtime.None
	now = max(now, x.Watermark)
	next := trimmed(&p.A, now, max(0, x.j.Upper))
	if n := trimmed(&p.B, now, max(0, -x.j.Lower)); next == eventtime.None || n != eventtime.None && n < next {
		next = n
	}
	if next == eventtime.None {
		x.keys.Delete(k, h)
		return
	}
	x.wait(p, next)
}

// trimmed drops the records that have waited for so long, and tells when the next one has.
func trimmed[T any](list *[]waiting[T], now, wait int64) (next int64) {
	l := *list
	n := sort.Search(len(l), func(i int) bool { return l[i].At+wait > now })
	if n > 0 {
		copy(l, l[n:])
		clear(l[len(l)-n:])
		l = l[:len(l)-n]
		*list = l
	}
	if len(l) == 0 {
		return eventtime.None
	}
	return l[0].At + wait
}
