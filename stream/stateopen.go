package stream

import "github.com/weft-project/weft/state"

// These declare state where a subtask is opened, so that a type that cannot be kept is found no earlier: DeclareValue and the
// others are to be preferred.

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
