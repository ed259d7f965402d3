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

// heldBy gives a function that estimates what a new entry holds beside its place in the table, in bytes: strings and slices of the
// value, by the length of its encoding. Strings that are keys are counted by the table.
func (r *Reduction[K, T]) heldBy() func(v *T) int64 {
	if r.Type.Keeper() == nil {
		return func(*T) int64 { return 0 }
	}
	encode := r.Type.Encoder()
	var scratch []byte
	return func(v *T) int64 {
		scratch = encode(scratch[:0], v)
		return int64(len(scratch))
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
		add := red.adder()
		limit := int64(combinerMemory)
		if c.Memory > 0 {
			limit = min(limit, c.Memory/8)
		}
		last, held := 0, int64(0)
		size := r.heldBy()
		return Instance{&finalReducer[K, T]{red}, []any{Emit[T](func(v *T) {
			add(v)
			if n := red.table.Len(); n != last {
				last = n
				held += size(v)
				if red.table.Bytes()+held > limit {
					red.emitAll()
					last, held = 0, 0
				}
			}
		})}}, nil
	}
}
