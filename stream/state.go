package stream

import (
	"fmt"

	"github.com/weft-project/weft/operator"
	"github.com/weft-project/weft/state"
)

// TTL lets state expire.
type TTL = state.TTL

// The kinds of keyed state. What they give belongs to the current key.
type (
	// Value is one value for each key.
	Value[K comparable, V any] = state.Value[K, V]
	// List is a list for each key.
	List[K comparable, V any] = state.List[K, V]
	// MapOf is a map for each key.
	MapOf[K, U comparable, V any] = state.Map[K, U, V]
	// Reducing is a value for each key into which others are folded.
	Reducing[K comparable, V any] = state.Reducing[K, V]
	// Aggregating is an accumulator for each key.
	Aggregating[K comparable, T, A, R any] = state.Aggregating[K, T, A, R]
	// OperatorList is a list of the operator's subtask, of no key.
	OperatorList[V any] = state.OperatorList[V]
	// BroadcastMap is a map of which every subtask has the same.
	BroadcastMap[U comparable, V any] = state.BroadcastMap[U, V]
)

// Declared is keyed state that main has declared, so that a type that cannot be kept is found while the graph is built. In gives
// it to the function that opens a subtask.
type Declared[K comparable, S any] struct {
	name string
	make func(k *state.Keyed[K]) (S, error)
}

// In is the state of a subtask. Ask for it once, in the function that opens the subtask.
func (d *Declared[K, S]) In(k *Keyed[K]) S {
	s, err := d.make(k.k.Timing.Keyed)
	return declared(d.name, s, err)
}

// declared gives a state, or ends the task with the author's mistake.
func declared[S any](name string, s S, err error) S {
	if err != nil {
		operator.Abort(operator.User(fmt.Errorf("state %q: %w", name, err)))
	}
	return s
}

// declare makes the declaration of keyed state.
func declare[K comparable, S any](e *Env, name string, err error, in func(k *state.Keyed[K]) (S, error)) *Declared[K, S] {
	e.checkState(name, err)
	return &Declared[K, S]{name, in}
}

// checkState refuses state whose values cannot be kept, or that nobody could find again.
func (e *Env) checkState(name string, err error) {
	switch {
	case err != nil:
		e.fail("state %q: %v", name, err)
	case name == "":
		e.fail("a state needs a name, by which it is found again")
	}
}

func ttlOf(ttl []TTL) TTL {
	if len(ttl) == 0 {
		return TTL{}
	}
	return ttl[0]
}

// DeclareValue declares a value for each key of operators on in.
//
//	seen := stream.DeclareValue[bool](byUser, "seen", stream.TTL{After: time.Hour})
//	first := stream.KeyedProcess(byUser, "first", func(k *stream.Keyed[string], emit func(Visit)) func(Visit) {
//		seen := seen.In(k)
//		…
func DeclareValue[V any, K comparable, T any](in *KeyedStream[K, T], name string, ttl ...TTL) *Declared[K, *Value[K, V]] {
	return declare(in.in.env, name, state.CheckValue[V](), func(k *state.Keyed[K]) (*Value[K, V], error) {
		return state.NewValue[V](k, name, ttlOf(ttl))
	})
}

// DeclareList declares a list for each key of operators on in.
func DeclareList[V any, K comparable, T any](in *KeyedStream[K, T], name string, ttl ...TTL) *Declared[K, *List[K, V]] {
	return declare(in.in.env, name, state.CheckValue[V](), func(k *state.Keyed[K]) (*List[K, V], error) {
		return state.NewList[V](k, name, ttlOf(ttl))
	})
}

// DeclareMap declares a map for each key of operators on in.
func DeclareMap[U comparable, V any, K comparable, T any](in *KeyedStream[K, T], name string, ttl ...TTL) *Declared[K, *MapOf[K, U, V]] {
	return declare(in.in.env, name, state.CheckEntries[U, V](), func(k *state.Keyed[K]) (*MapOf[K, U, V], error) {
		return state.NewMap[U, V](k, name, ttlOf(ttl))
	})
}

// DeclareReducing declares a value for each key of operators on in, into which fold puts others.
func DeclareReducing[V any, K comparable, T any](in *KeyedStream[K, T], name string, fold func(acc, v *V), ttl ...TTL) *Declared[K, *Reducing[K, V]] {
	return declare(in.in.env, name, state.CheckValue[V](), func(k *state.Keyed[K]) (*Reducing[K, V], error) {
		return state.NewReducing(k, name, ttlOf(ttl), fold)
	})
}

// DeclareAggregating declares an accumulator for each key of operators on in.
func DeclareAggregating[K comparable, T, V, A, R any](in *KeyedStream[K, T], name string, a Aggregate[V, A, R],
	ttl ...TTL) *Declared[K, *Aggregating[K, V, A, R]] {
	return declare(in.in.env, name, state.CheckValue[A](), func(k *state.Keyed[K]) (*Aggregating[K, V, A, R], error) {
		return state.NewAggregating(k, name, ttlOf(ttl), a.Add, a.Result)
	})
}

// Aggregate is a function over many records: A is what it remembers, which begins as the zero value.
type Aggregate[T, A, R any] struct {
	// Add puts a record into acc.
	Add func(acc *A, v *T)
	// Merge puts other into acc; sessions and sliding windows that share panes need it.
	Merge func(acc, other *A)
	// Result is what comes of acc.
	Result func(acc *A) R
}

// stateful is a context whose operator may have state that belongs to no key.
type stateful interface{ operatorState() *state.Operator }

func (c *ProcessContext) operatorState() *state.Operator { return &c.p.State }
func (k *Keyed[K]) operatorState() *state.Operator       { return &k.k.State }

// DeclaredOperator is declared state of an operator's subtask, of no key.
type DeclaredOperator[S any] struct {
	name string
	make func(o *state.Operator) (S, error)
}

// In is the state of a subtask. Ask for it once, in the function that opens the subtask.
func (d *DeclaredOperator[S]) In(c stateful) S {
	s, err := d.make(c.operatorState())
	return declared(d.name, s, err)
}

// DeclareOperatorList declares a list of the subtask; when the parallelism changes its values are dealt out anew.
func DeclareOperatorList[V any](e *Env, name string) *DeclaredOperator[*OperatorList[V]] {
	e.checkState(name, state.CheckValue[V]())
	return &DeclaredOperator[*OperatorList[V]]{name, func(o *state.Operator) (*OperatorList[V], error) {
		return state.NewOperatorList[V](o, name, state.Split)
	}}
}

// DeclareUnionList declares a list of the subtask; after a restart every subtask gets the values of all.
func DeclareUnionList[V any](e *Env, name string) *DeclaredOperator[*OperatorList[V]] {
	e.checkState(name, state.CheckValue[V]())
	return &DeclaredOperator[*OperatorList[V]]{name, func(o *state.Operator) (*OperatorList[V], error) {
		return state.NewOperatorList[V](o, name, state.Union)
	}}
}

// DeclareBroadcast declares a map that the function for rules changes: by the same rules, so all subtasks have the same.
func DeclareBroadcast[U comparable, V any](e *Env, name string) *DeclaredOperator[*BroadcastMap[U, V]] {
	e.checkState(name, state.CheckEntries[U, V]())
	return &DeclaredOperator[*BroadcastMap[U, V]]{name, func(o *state.Operator) (*BroadcastMap[U, V], error) {
		return state.NewBroadcastMap[U, V](o, name)
	}}
}
