package stream

import (
	"github.com/weft-project/weft/codec"
	"github.com/weft-project/weft/operator"
)

// Context is what a function made by a …With form knows of its subtask.
type Context struct {
	c  *operator.Context
	op int // its place in the chain
}

// contextOf is called when an operator is opened.
func contextOf(c *operator.Context) *Context { return &Context{c, c.Op} }

// Subtask is the index of this subtask, from 0.
func (c *Context) Subtask() int { return c.c.Subtask() }

// Parallelism is the number of subtasks.
func (c *Context) Parallelism() int { return c.c.Parallelism }

// Attempt counts the executions of this subtask, from 0.
func (c *Context) Attempt() int { return c.c.Attempt.Number }

// Counter gives a named running total of this subtask; the totals of all subtasks are added up in the job's result. It
// belongs to the subtask's goroutine.
func (c *Context) Counter(name string) *Counter { return (*Counter)(c.c.Counter(name)) }

// Counter is a running total.
type Counter operator.Accumulator

// Add adds n.
func (c *Counter) Add(n int64) { c.Long += n }

// Value is the total of this subtask so far.
func (c *Counter) Value() int64 { return c.Long }

// Map applies fn to each record.
func Map[A, B any](in *Stream[A], name string, fn func(A) B, opts ...Option) *Stream[B] {
	return MapWith(in, name, func(*Context) func(A) B { return fn }, opts...)
}

// MapWith is Map with a function made for each subtask.
func MapWith[A, B any](in *Stream[A], name string, open func(*Context) func(A) B, opts ...Option) *Stream[B] {
	f := operator.MapFactory(func(c *operator.Context) func(A) B { return open(contextOf(c)) })
	return add[B](in.env, name, "map", in.inputs(), f, opts)
}

// MapRef is Map for large records: fn reads the input in place and fills the output.
func MapRef[A, B any](in *Stream[A], name string, fn func(in *A, out *B), opts ...Option) *Stream[B] {
	f := operator.MapRefFactory(func(*operator.Context) func(*A, *B) { return fn })
	return add[B](in.env, name, "map", in.inputs(), f, opts)
}

// Filter keeps the records for which fn says true.
func Filter[A any](in *Stream[A], name string, fn func(A) bool, opts ...Option) *Stream[A] {
	return FilterWith(in, name, func(*Context) func(A) bool { return fn }, opts...)
}

// FilterWith is Filter with a function made for each subtask.
func FilterWith[A any](in *Stream[A], name string, open func(*Context) func(A) bool, opts ...Option) *Stream[A] {
	f := operator.FilterFactory(func(c *operator.Context) func(A) bool { return open(contextOf(c)) })
	return add[A](in.env, name, "filter", in.inputs(), f, opts)
}

// FlatMap lets fn emit any number of records for each.
func FlatMap[A, B any](in *Stream[A], name string, fn func(a A, emit func(B)), opts ...Option) *Stream[B] {
	return FlatMapWith(in, name, func(*Context) func(A, func(B)) { return fn }, opts...)
}

// FlatMapWith is FlatMap with a function made for each subtask.
func FlatMapWith[A, B any](in *Stream[A], name string, open func(*Context) func(a A, emit func(B)), opts ...Option) *Stream[B] {
	f := operator.FlatMapFactory(func(c *operator.Context) func(A, func(B)) { return open(contextOf(c)) })
	return add[B](in.env, name, "flatMap", in.inputs(), f, opts)
}

// Reduce joins the records of each key. fn must be associative and commutative, and what it gives have the same key. Streaming emits
// each new value, Batch the final ones.
func Reduce[K comparable, T any](in *KeyedStream[K, T], name string, fn func(acc, v T) T, opts ...Option) *Stream[T] {
	return reduce(in, name, "reduce", func(acc, v *T) { *acc = fn(*acc, *v) }, opts)
}

// ReduceRef is Reduce for large records: fn changes acc in place. It must copy what it keeps of v's strings and slices.
func ReduceRef[K comparable, T any](in *KeyedStream[K, T], name string, fn func(acc, v *T), opts ...Option) *Stream[T] {
	return reduce(in, name, "reduce", fn, opts)
}

// Number is what can be added up.
type Number interface {
	~int | ~int8 | ~int16 | ~int32 | ~int64 | ~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~float32 | ~float64
}

// Sum adds up one field of the records of each key; the other fields are those of the key's first record.
func Sum[K comparable, T any, N Number](in *KeyedStream[K, T], name string, field func(*T) *N, opts ...Option) *Stream[T] {
	return reduce(in, name, "sum", func(acc, v *T) { *field(acc) += *field(v) }, opts)
}

// Min gives the lowest value of one field so far of each key; the other fields are those of the key's first record.
func Min[K comparable, T any, N Number](in *KeyedStream[K, T], name string, field func(*T) *N, opts ...Option) *Stream[T] {
	return reduce(in, name, "min", func(acc, v *T) { *field(acc) = min(*field(acc), *field(v)) }, opts)
}

// Max gives the highest value of one field so far of each key; the other fields are those of the key's first record.
func Max[K comparable, T any, N Number](in *KeyedStream[K, T], name string, field func(*T) *N, opts ...Option) *Stream[T] {
	return reduce(in, name, "max", func(acc, v *T) { *field(acc) = max(*field(acc), *field(v)) }, opts)
}

// MinBy gives the record with the lowest value of one field so far of each key, of equal ones the first.
func MinBy[K comparable, T any, N Number](in *KeyedStream[K, T], name string, field func(*T) *N, opts ...Option) *Stream[T] {
	return reduce(in, name, "reduce", lower(field), opts)
}

// MaxBy gives the record with the highest value of one field so far of each key, of equal ones the first.
func MaxBy[K comparable, T any, N Number](in *KeyedStream[K, T], name string, field func(*T) *N, opts ...Option) *Stream[T] {
	return reduce(in, name, "reduce", higher(field), opts)
}

// Counted is a key and how often it came.
type Counted[K comparable] struct {
	Key K
	N   int64
}

// Count counts the records of each key.
func Count[K comparable, T any](in *KeyedStream[K, T], name string, opts ...Option) *Stream[Counted[K]] {
	ones := &Stream[T]{env: in.in.env, typ: in.in.typ, from: append([]upstream(nil), in.in.from...)}
	for i := range ones.from {
		// The records are counted where they are; what is dealt by key are the counts.
		ones.from[i].partitioner, ones.from[i].keyHash = -1, nil
	}
	key := in.key
	counted := Map(ones, name+": key", func(v T) Counted[K] { return Counted[K]{key(v), 1} })
	return Sum(KeyBy(counted, func(c Counted[K]) K { return c.Key }), name, func(c *Counted[K]) *int64 { return &c.N }, opts...)
}

func reduce[K comparable, T any](in *KeyedStream[K, T], name, kind string, fold func(acc, v *T), opts []Option) *Stream[T] {
	env := in.in.env
	t, err := codec.Of[T]()
	if err != nil {
		env.fail("operator %q: %v", name, err)
		t = &codec.Codec[T]{}
	}
	if keeper := t.Keeper; err == nil && kind == "reduce" && keeper() != nil {
		// What the author's function has put into acc may refer to the batch it came in.
		inner, keep := fold, keeper()
		fold = func(acc, v *T) { inner(acc, v); keep(acc) }
	}
	r := &operator.Reduction[K, T]{Key: in.k, Of: in.key, Type: t, Open: func(*operator.Context) func(acc, v *T) { return fold }}
	out := add[T](env, name, kind, in.in.inputs(), r.ReduceFactory(), opts)
	out.from[0].node.Combine = r.CombineFactory()
	return out
}
