package operator

import (
	"github.com/weft-project/weft/codec"
	"github.com/weft-project/weft/eventtime"
	"github.com/weft-project/weft/state"
)

// Reduction describes a keyed reduce: the key of a record, and how a record joins what its key has so far.
type Reduction[K comparable, T any] struct {
	Key *codec.Key[K]
	Of  func(T) K
	// Type is T's codec: for copies that are kept.
	Type *codec.Codec[T]
	// Open makes the function that folds *v into *acc.
	Open func(*Context) func(acc, v *T)
}

// KeyHash is the hash of a record's key, for HASH edges. The function is for one goroutine.
func KeyHash[K comparable, T any](key *codec.Key[K], of func(T) K) func(*T) uint64 {
	hash := key.Hasher()
	return func(v *T) uint64 { return hash(of(*v)) }
}

// reducer is the state of a keyed reduce.
type reducer[K comparable, T any] struct {
	Base
	*Reduction[K, T]
	c     *Context
	op    int
	next  Emit[T]
	table *state.Table[K, T]
	fold  func(acc, v *T)
	keep  func(*T)
	part  state.Part
}

func (r *Reduction[K, T]) instance(c *Context, op int, out any) (*reducer[K, T], error) {
	next, err := emitOf[T](out)
	if err != nil {
		return nil, err
	}
	return &reducer[K, T]{Reduction: r, c: c, op: op, next: next, keep: r.Type.Keeper()}, nil
}

// Open is Operator's.
func (r *reducer[K, T]) Open() error {
	var keepKey func(*K)
	if kc, err := codec.Of[K](); err == nil {
		keepKey = kc.Keeper()
	}
	r.table = state.NewSlabTable[K, T](keepKey)
	r.fold = r.Reduction.Open(r.c)
	part, err := state.NewTablePart("values", r.table, r.c.MaxParallelism, r.Key.Hasher())
	r.part = part
	return err
}

// add folds a record in and gives its key's value.
func (r *reducer[K, T]) adder() func(v *T) *T {
	hash, of := r.Key.Hasher(), r.Of
	return func(v *T) *T {
		r.c.Op = r.op
		k := of(*v)
		acc, fresh := r.table.At(k, hash(k))
		if fresh {
			*acc = *v
			if r.keep != nil {
				r.keep(acc)
			}
		} else {
			r.fold(acc, v)
		}
		return acc
	}
}

// LookAhead is Foresighted's.
func (r *reducer[K, T]) LookAhead(int) any {
	return AheadIn(r.c, r.op, r.Key.Hasher(), r.Of, func() *state.Table[K, T] { return r.table })
}

// emitAll emits every entry and empties the table.
func (r *reducer[K, T]) emitAll() {
	r.table.Each(func(_ *K, v *T) { r.next(v) })
	r.table.Reset()
}

// ReduceFactory is the keyed reduce. STREAMING: each record emits its key's new value. BATCH: every key's final value is
// emitted at the end of the input.
func (r *Reduction[K, T]) ReduceFactory() Factory {
	return func(c *Context, op int, out any) (Instance, error) {
		red, err := r.instance(c, op, out)
		if err != nil {
			return Instance{}, err
		}
		if c.Batch && c.Spill != nil {
			b := newBounded(red)
			return Instance{b, []any{b.input()}}, nil
		}
		add := red.adder()
		if c.Batch {
			return Instance{&finalReducer[K, T]{red}, []any{Emit[T](func(v *T) { add(v) })}}, nil
		}
		slot := new(T)
		clone := r.Type.Cloner()
		if c.ObjectReuse {
			clone = nil
		}
		return Instance{red, []any{Emit[T](func(v *T) {
			*slot = *add(v) // what follows must not change the state
			if clone != nil {
				clone(slot)
			}
			red.next(slot)
		})}}, nil
	}
}

// finalReducer emits at the end of event time, before that goes on: what follows must not find the results late.
type finalReducer[K comparable, T any] struct{ *reducer[K, T] }

// Advance is EventTime's.
func (r *finalReducer[K, T]) Advance(wm int64) bool {
	if wm == eventtime.Max {
		r.c.Time = eventtime.Max
		r.emitAll()
		r.c.Time = eventtime.None
	}
	return true
}

// lookAtGrowth is how many records lie between two looks at what a value has grown by, and how many bytes a record looking may cost where
// values are large.
const lookAtGrowth = 64

// holding is what the values of a table hold beside their places in it, in bytes, as far as it has been looked at: strings and slices, by the
// length of their encoding. Strings that are keys are counted by the table.
type holding struct {
	held int64
	// keys is how many there were at the last look; wait and stride are records until the next look at a value that is there.
	keys         int
	wait, stride int64
}

// sizer gives a function that tells what a value holds; nil where values hold nothing.
func (r *Reduction[K, T]) sizer() func(v *T) int64 {
	if r.Type.Keeper() == nil {
		return nil
	}
	encode := r.Type.Encoder()
	var scratch []byte
	return func(v *T) int64 {
		scratch = encode(scratch[:0], v)
		return int64(len(scratch))
	}
}

// within gives a function for records that calls full, which empties the table, when the table and what its values hold have passed the
// limit. Values that grow are measured by samples: what one record in many has added counts for all of them.
func (r *reducer[K, T]) within(limit int64, full func()) Emit[T] {
	add, size, hash := r.adder(), r.sizer(), r.Key.Hasher()
	h := holding{wait: 1, stride: 1}
	check := func() {
		if r.table.Bytes()+h.held > limit {
			full()
			h = holding{wait: 1, stride: 1}
		}
	}
	sample := func(v *T) {
		r.c.Op = r.op
		k := r.Of(*v)
		before, known := int64(0), r.table.Get(k, hash(k))
		if known != nil {
			before = size(known)
		}
		acc := add(v)
		if known == nil {
			h.keys = r.table.Len()
			h.held += size(acc)
			h.wait = 1 // the next record may be of a key that is there
		} else {
			after := size(acc)
			h.held = max(0, h.held+(after-before)*h.stride)
			h.stride = max(min(2*h.stride, lookAtGrowth), after/lookAtGrowth)
			if more := after - before; more > 0 { // no more than an eighth of the limit comes in between
				h.stride = max(1, min(h.stride, limit/8/more))
			}
			h.wait = h.stride
		}
		check()
	}
	return func(v *T) {
		if size != nil {
			if h.wait--; h.wait <= 0 {
				sample(v)
				return
			}
		}
		acc := add(v)
		if n := r.table.Len(); n != h.keys {
			h.keys = n
			if size != nil {
				h.held += size(acc)
			}
			check()
		}
	}
}

// combinerMemory bounds a combiner's table where the task knows no budget.
const combinerMemory = 32 << 20

// CombineFactory pre-aggregates before the exchange: it folds what it can within a bounded table and passes the partial
// results on when the table is full and at the end.
func (r *Reduction[K, T]) CombineFactory() Factory {
	return func(c *Context, op int, out any) (Instance, error) {
		red, err := r.instance(c, op, out)
		if err != nil {
			return Instance{}, err
		}
		limit := int64(combinerMemory)
		if c.Memory > 0 {
			limit = min(limit, c.Memory/8)
		}
		return Instance{&finalReducer[K, T]{red}, []any{red.within(limit, red.emitAll)}}, nil
	}
}
