package stream

import (
	"github.com/weft-project/weft/codec"
	"github.com/weft-project/weft/graph"
	"github.com/weft-project/weft/operator"
	"github.com/weft-project/weft/rpc/planpb"
)

// Stream is a stream of T: what one or several operators emit, and how it is to be dealt to the next one's subtasks.
type Stream[T any] struct {
	env  *Env
	from []upstream
	typ  operator.Type
}

type upstream struct {
	node        *graph.Node
	partitioner planpb.Partitioner
	keyHash     func() any
	output      int // of the node: 0 the main one, then side outputs
}

// Option sets a property of one operator.
type Option func(*graph.Node)

// UID names an operator across versions of the program; state is found again by it.
func UID(uid string) Option { return func(n *graph.Node) { n.UID = uid } }

// Parallelism is the number of subtasks of one operator.
func Parallelism(p int) Option {
	return func(n *graph.Node) {
		if n.Parallelism = p; p == 0 {
			n.Parallelism = -1 // 0 means "not set" inside; asked for by the author it is an error
		}
	}
}

// MaxParallelism is the number of key groups of one operator.
func MaxParallelism(p int) Option { return func(n *graph.Node) { n.MaxParallelism = p } }

// SlotSharingGroup puts an operator into a group; subtasks of different groups do not share slots.
func SlotSharingGroup(name string) Option { return func(n *graph.Node) { n.SlotGroup = name } }

// DisableChaining keeps an operator in a task of its own.
func DisableChaining() Option { return func(n *graph.Node) { n.NoChain = true } }

// StartNewChain separates an operator from those before it.
func StartNewChain() Option { return func(n *graph.Node) { n.StartChain = true } }

// add makes the node of an operator with output type B.
func add[B any](e *Env, name, kind string, inputs []graph.Input, f operator.Factory, opts []Option) *Stream[B] {
	n := &graph.Node{Name: name, Kind: kind, DeclaredAt: caller(), Inputs: inputs, Factory: f}
	for _, o := range opts {
		o(n)
	}
	t, err := operator.TypeOf[B]()
	if err != nil {
		e.fail("operator %q: %v", name, err)
	}
	n.Out = t
	e.nodes = append(e.nodes, n)
	return &Stream[B]{env: e, from: []upstream{{node: n, partitioner: graph.Auto}}, typ: t}
}

// addSink makes the node of an operator without output.
func addSink(e *Env, name, kind string, inputs []graph.Input, f operator.Factory, opts []Option) *graph.Node {
	n := &graph.Node{Name: name, Kind: kind, DeclaredAt: caller(), Inputs: inputs, Factory: f}
	for _, o := range opts {
		o(n)
	}
	e.nodes = append(e.nodes, n)
	return n
}

// inputs are the in-edges that reading s makes.
func (s *Stream[T]) inputs() []graph.Input {
	var in []graph.Input
	for _, u := range s.from {
		in = append(in, graph.Input{From: u.node, Partitioner: u.partitioner, KeyHash: u.keyHash, Output: u.output})
	}
	return in
}

func (s *Stream[T]) dealt(p planpb.Partitioner) *Stream[T] {
	c := *s
	c.from = append([]upstream(nil), s.from...)
	for i := range c.from {
		c.from[i].partitioner, c.from[i].keyHash = p, nil
	}
	return &c
}

// Rebalance deals records to the next operator's subtasks in turn.
func Rebalance[T any](in *Stream[T]) *Stream[T] { return in.dealt(planpb.Partitioner_REBALANCE) }

// Rescale deals records in turn within groups of neighbouring subtasks.
func Rescale[T any](in *Stream[T]) *Stream[T] { return in.dealt(planpb.Partitioner_RESCALE) }

// Shuffle deals records at random.
func Shuffle[T any](in *Stream[T]) *Stream[T] { return in.dealt(planpb.Partitioner_SHUFFLE) }

// Broadcast gives every record to every subtask.
func Broadcast[T any](in *Stream[T]) *Stream[T] { return in.dealt(planpb.Partitioner_BROADCAST) }

// Global gives every record to the first subtask.
func Global[T any](in *Stream[T]) *Stream[T] { return in.dealt(planpb.Partitioner_GLOBAL) }

// PartitionBy gives each record to the subtask that choose says, of n.
func PartitionBy[T any](in *Stream[T], choose func(v T, n int) int) *Stream[T] {
	out := in.dealt(planpb.Partitioner_CUSTOM)
	for i := range out.from {
		out.from[i].keyHash = func() any { return func(v *T, n int) int { return choose(*v, n) } }
	}
	return out
}

// Forward gives records to the subtask of the same index; both sides need equal parallelism.
func Forward[T any](in *Stream[T]) *Stream[T] { return in.dealt(planpb.Partitioner_FORWARD) }

// Union is the records of all its streams.
func Union[T any](first *Stream[T], more ...*Stream[T]) *Stream[T] {
	u := &Stream[T]{env: first.env, typ: first.typ, from: append([]upstream(nil), first.from...)}
	for _, s := range more {
		if s.env != first.env {
			first.env.fail("union of streams of two environments")
			return first
		}
		u.from = append(u.from, s.from...)
	}
	return u
}

// KeyedStream is a stream whose records with equal keys go to the same subtask.
type KeyedStream[K comparable, T any] struct {
	in  *Stream[T]
	key func(T) K
	k   *codec.Key[K]
}

// Stream is the records themselves: what reads it gets those of a key in one subtask, in order, and knows nothing of keys.
func (k *KeyedStream[K, T]) Stream() *Stream[T] { return k.in }

// KeyBy groups records by a key: integers, strings, booleans, byte arrays, time.Time, and structs and arrays of these.
func KeyBy[K comparable, T any](in *Stream[T], key func(T) K) *KeyedStream[K, T] {
	k, err := codec.KeyOf[K]()
	if err != nil {
		in.env.fail("keyBy: %v", err)
		k = &codec.Key[K]{}
	}
	if normal := k.Normalizer(); normal != nil {
		authors := key
		key = func(v T) K {
			c := authors(v)
			normal(&c)
			return c
		}
	}
	keyed := in.dealt(planpb.Partitioner_HASH)
	for i := range keyed.from {
		keyed.from[i].keyHash = func() any { return operator.KeyHash(k, key) }
	}
	return &KeyedStream[K, T]{keyed, key, k}
}
