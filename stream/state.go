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

// declared gives a state, or ends the task with the author's mistake.
func declared[S any](name string, s S, err error) S {
	if err != nil {
		operator.Abort(operator.User(fmt.Errorf("state %q: %w", name, err)))
	}
	return s
}

func ttlOf(ttl []TTL) TTL {
	if len(ttl) == 0 {
		return TTL{}
	}
	return ttl[0]
}

// ValueState declares a value for each key. Declare state in open.
func ValueState[V any, K comparable](k *Keyed[K], name string, ttl ...TTL) *Value[K, V] {
	s, err := state.NewValue[V](k.k.Timing.Keyed, name, ttlOf(ttl))
	return declared(name, s, err)
}

// ListState declares a list for each key.
func ListState[V any, K comparable](k *Keyed[K], name string, ttl ...TTL) *List[K, V] {
	s, err := state.NewList[V](k.k.Timing.Keyed, name, ttlOf(ttl))
	return declared(name, s, err)
}

// MapState declares a map for each key.
func MapState[U comparable, V any, K comparable](k *Keyed[K], name string, ttl ...TTL) *MapOf[K, U, V] {
	s, err := state.NewMap[U, V](k.k.Timing.Keyed, name, ttlOf(ttl))
	return declared(name, s, err)
}

// ReducingState declares a value for each key into which fold puts others.
func ReducingState[V any, K comparable](k *Keyed[K], name string, fold func(acc, v *V), ttl ...TTL) *Reducing[K, V] {
	s, err := state.NewReducing(k.k.Timing.Keyed, name, ttlOf(ttl), fold)
	return declared(name, s, err)
}

// AggregatingState declares an accumulator for each key.
func AggregatingState[K comparable, T, A, R any](k *Keyed[K], name string, a Aggregate[T, A, R], ttl ...TTL) *Aggregating[K, T, A, R] {
	s, err := state.NewAggregating(k.k.Timing.Keyed, name, ttlOf(ttl), a.Add, a.Result)
	return declared(name, s, err)
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

// OperatorListState declares a list of the subtask; when the parallelism changes its values are dealt out anew.
func OperatorListState[V any](c stateful, name string) *OperatorList[V] {
	s, err := state.NewOperatorList[V](c.operatorState(), name, state.Split)
	return declared(name, s, err)
}

// UnionListState declares a list of the subtask; after a restart every subtask gets the values of all.
func UnionListState[V any](c stateful, name string) *OperatorList[V] {
	s, err := state.NewOperatorList[V](c.operatorState(), name, state.Union)
	return declared(name, s, err)
}

// BroadcastState declares a map that the function for rules changes: by the same rules, so all subtasks have the same.
func BroadcastState[U comparable, V any](c stateful, name string) *BroadcastMap[U, V] {
	s, err := state.NewBroadcastMap[U, V](c.operatorState(), name)
	return declared(name, s, err)
}
