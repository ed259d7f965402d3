package stream

import (
	"github.com/weft-project/weft/graph"
	"github.com/weft-project/weft/internal/role"
	"github.com/weft-project/weft/operator"
)

// ProcessContext is what a process function knows of its subtask and the record under way.
type ProcessContext struct {
	*Context
	p *operator.Process
}

// Timestamp is that of the record under way in milliseconds, NoTime where it has none.
func (c *Context) Timestamp() int64 { return c.c.Time }

// ProcessingTime is the clock's in milliseconds; it is read once a batch.
func (c *Context) ProcessingTime() int64 { return c.c.Now }

// Watermark is how far event time has come.
func (c *ProcessContext) Watermark() int64 { return c.p.Watermark }

// OnWatermark has fn called whenever event time advances.
func (c *ProcessContext) OnWatermark(fn func(wm int64)) { c.p.AtWatermark = fn }

// OnEnd has fn called after the last record.
func (c *ProcessContext) OnEnd(fn func()) { c.p.AtEnd = fn }

// Process is FlatMap with a function that knows timestamps and may have side outputs. open is called once for each subtask.
func Process[A, B any](in *Stream[A], name string, open func(c *ProcessContext, emit func(B)) func(A), opts ...Option) *Stream[B] {
	f := operator.ProcessFactory(func(p *operator.Process, emit func(B)) func(A) { return open(processContext(p), emit) })
	return timed(add[B](in.env, name, "process", in.inputs(), f, opts))
}

func processContext(p *operator.Process) *ProcessContext {
	return &ProcessContext{&Context{c: p.C, op: p.Op}, p}
}

// timed marks the operator as one that reads timestamps.
func timed[T any](s *Stream[T]) *Stream[T] {
	s.from[0].node.ReadsTime = true
	return s
}

// second are the in-edges of another input.
func second(in []graph.Input) []graph.Input {
	for i := range in {
		in[i].Index = 1
	}
	return in
}

// CoProcess has a function for each of two streams, which share what open makes.
func CoProcess[A, B, O any](a *Stream[A], b *Stream[B], name string, open func(c *ProcessContext, emit func(O)) (func(A), func(B)), opts ...Option) *Stream[O] {
	f := operator.CoProcessFactory(func(p *operator.Process, emit func(O)) (func(A), func(B)) { return open(processContext(p), emit) })
	return timed(add[O](a.env, name, "coProcess", bothOf(a.env, b.env, a.inputs(), b.inputs()), f, opts))
}

// bothOf joins the in-edges of two inputs.
func bothOf(env, other *Env, a, b []graph.Input) []graph.Input {
	if env != other {
		env.fail("two streams of two environments can not be connected")
		return a
	}
	return append(a, second(b)...)
}

// CoMap applies a function to the records of each of two streams.
func CoMap[A, B, O any](a *Stream[A], b *Stream[B], name string, fa func(A) O, fb func(B) O, opts ...Option) *Stream[O] {
	return CoProcess(a, b, name, func(_ *ProcessContext, emit func(O)) (func(A), func(B)) {
		return func(v A) { emit(fa(v)) }, func(v B) { emit(fb(v)) }
	}, opts...)
}

// CoFlatMap lets a function for each of two streams emit any number of records for each.
func CoFlatMap[A, B, O any](a *Stream[A], b *Stream[B], name string, fa func(v A, emit func(O)), fb func(v B, emit func(O)), opts ...Option) *Stream[O] {
	return CoProcess(a, b, name, func(_ *ProcessContext, emit func(O)) (func(A), func(B)) {
		return func(v A) { fa(v, emit) }, func(v B) { fb(v, emit) }
	}, opts...)
}

// BroadcastProcess joins a stream with one of which every subtask gets every record, rules for example.
func BroadcastProcess[A, B, O any](in *Stream[A], rules *Stream[B], name string, open func(c *ProcessContext, emit func(O)) (each func(A), rule func(B)), opts ...Option) *Stream[O] {
	return CoProcess(in, Broadcast(rules), name, open, opts...)
}

// Keyed is what a keyed function knows of its subtask, the record under way and its key. State and timers are those of the
// current key.
type Keyed[K comparable] struct {
	*Context
	k *operator.Keyed[K]
}

// Key is the current one.
func (k *Keyed[K]) Key() K { return k.k.Timing.Keyed.Key() }

// Watermark is how far event time has come.
func (k *Keyed[K]) Watermark() int64 { return k.k.Watermark }

// SetTimer has OnTimer called for the current key when the watermark has come to at. Setting it again is setting it once.
func (k *Keyed[K]) SetTimer(at int64) { k.k.SetTimer(at, operator.None{}) }

// DeleteTimer takes it back.
func (k *Keyed[K]) DeleteTimer(at int64) { k.k.DeleteTimer(at, operator.None{}) }

// SetProcessingTimer has OnTimer called for the current key when the clock has come to at.
func (k *Keyed[K]) SetProcessingTimer(at int64) { k.k.SetProcessingTimer(at, operator.None{}) }

// DeleteProcessingTimer takes it back.
func (k *Keyed[K]) DeleteProcessingTimer(at int64) { k.k.DeleteProcessingTimer(at, operator.None{}) }

// Timer is one that is due.
type Timer struct {
	At int64
	// Processing: it was set by SetProcessingTimer.
	Processing bool
}

// OnTimer has fn called for each timer that is due, with its key as the current one. Records emitted have the timer's time
// as their timestamp, those of processing time none.
func (k *Keyed[K]) OnTimer(fn func(t Timer)) {
	k.k.OnTimer = func(at int64, processing bool) { fn(Timer{at, processing}) }
}

// OnEnd has fn called after the last record; there is no current key.
func (k *Keyed[K]) OnEnd(fn func()) { k.k.AtEnd = fn }

func keyedContext[K comparable](k *operator.Keyed[K]) *Keyed[K] {
	return &Keyed[K]{&Context{c: k.C, op: k.Op}, k}
}

// KeyedProcess has a function with state and timers for each key. open is called once for each subtask; it asks for the
// declared state, and says by OnTimer what timers do.
//
//	known := stream.DeclareValue[bool](byUser, "seen")
//	stream.KeyedProcess(byUser, "first of the day", func(k *stream.Keyed[string], emit func(Visit)) func(Visit) {
//		seen := known.In(k)
//		k.OnTimer(func(stream.Timer) { seen.Clear() })
//		return func(v Visit) {
//			if known, _ := seen.Get(); !known {
//				seen.Set(true)
//				k.SetTimer(endOfDay(k.Timestamp()))
//				emit(v)
//			}
//		}
//	})
func KeyedProcess[K comparable, T, O any](in *KeyedStream[K, T], name string, open func(k *Keyed[K], emit func(O)) func(T), opts ...Option) *Stream[O] {
	f := operator.KeyedProcessFactory(in.k, in.key, func(k *operator.Keyed[K], emit func(O)) func(T) { return open(keyedContext(k), emit) })
	return timed(add[O](in.in.env, name, "keyedProcess", in.in.inputs(), f, opts))
}

// KeyedCoProcess has a function for each of two streams; records with equal keys share state and timers.
func KeyedCoProcess[K comparable, A, B, O any](a *KeyedStream[K, A], b *KeyedStream[K, B], name string,
	open func(k *Keyed[K], emit func(O)) (func(A), func(B)), opts ...Option) *Stream[O] {
	f := operator.KeyedCoProcessFactory(a.k, a.key, b.key, func(k *operator.Keyed[K], emit func(O)) (func(A), func(B)) { return open(keyedContext(k), emit) })
	return timed(add[O](a.in.env, name, "keyedCoProcess", bothOf(a.in.env, b.in.env, a.in.inputs(), b.in.inputs()), f, opts))
}

// KeyedBroadcastProcess joins a keyed stream with one of which every subtask gets every record. There is no current key in
// the function for rules.
func KeyedBroadcastProcess[K comparable, A, B, O any](in *KeyedStream[K, A], rules *Stream[B], name string,
	open func(k *Keyed[K], emit func(O)) (each func(A), rule func(B)), opts ...Option) *Stream[O] {
	f := operator.KeyedBroadcastFactory(in.k, in.key, func(k *operator.Keyed[K], emit func(O)) (func(A), func(B)) { return open(keyedContext(k), emit) })
	return timed(add[O](in.in.env, name, "keyedBroadcast", bothOf(in.in.env, rules.env, in.in.inputs(), Broadcast(rules).inputs()), f, opts))
}

// Side names a side output of records of type T: what an operator emits besides its main output.
type Side[T any] struct{ name string }

// NewSide makes a side output's name.
func NewSide[T any](name string) *Side[T] { return &Side[T]{name} }

// Task is a context of any kind.
type Task interface{ task() *Context }

func (c *Context) task() *Context { return c }

// Emitter gives the function that emits to the side output; where nobody reads it, records are dropped. Ask for it in open.
func (s *Side[T]) Emitter(t Task) func(T) {
	c := t.task()
	next, err := operator.SideOutput[T](c.c, c.op, s.name)
	if err != nil {
		operator.Abort(err)
	}
	slot, op := new(T), c.op
	return func(v T) {
		*slot = v
		next(slot)
		c.c.Op = op
	}
}

// Emitting is the main output of an operator, of any type.
type Emitting interface {
	operator() (*Env, *graph.Node)
}

func (s *Stream[T]) operator() (*Env, *graph.Node) {
	if len(s.from) != 1 || s.from[0].output != 0 {
		s.env.fail("a side output is asked of a stream that is not one operator's output")
		return s.env, &graph.Node{Name: "no operator"}
	}
	return s.env, s.from[0].node
}

// Test sources of package streamtest are operators of their own.
func init() {
	role.NodeOf = func(s any) any {
		_, n := s.(Emitting).operator()
		return n
	}
}

// From is the side output's stream of the operator whose main output is given.
func (s *Side[T]) From(main Emitting) *Stream[T] {
	env, n := main.operator()
	typ, err := operator.TypeOf[T]()
	if err != nil {
		env.fail("side output %q of operator %q: %v", s.name, n.Name, err)
	}
	for i, side := range n.Sides {
		if side.Name == s.name {
			if side.Type.Name() != typ.Name() {
				env.fail("side output %q of operator %q is of %s, not of %s", s.name, n.Name, side.Type.Name(), typ.Name())
			}
			return &Stream[T]{env: env, from: []upstream{{node: n, partitioner: graph.Auto, output: i + 1}}, typ: side.Type}
		}
	}
	n.Sides = append(n.Sides, operator.Side{Name: s.name, Type: typ})
	return &Stream[T]{env: env, from: []upstream{{node: n, partitioner: graph.Auto, output: len(n.Sides)}}, typ: typ}
}
