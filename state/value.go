package state

import (
	"github.com/weft-project/weft/codec"
)

// Value is one value for each key.
type Value[K comparable, V any] struct {
	tables[K, V]
	keep func(*V)
	exp  *expiry[K]
}

// NewValue declares a value.
func NewValue[V any, K comparable](k *Keyed[K], name string, ttl TTL) (*Value[K, V], error) {
	c, err := codec.Of[V]()
	if err != nil {
		return nil, err
	}
	v := &Value[K, V]{tables: newTables[V](k, name), keep: c.Keeper()}
	v.encode, v.decode, v.clone = c.Encoder(), c.Decoder(), cloning(c.Cloner())
	v.exp = v.expire(ttl)
	return v, k.Register(v)
}

// expire lets the entries of t expire.
func (t *tables[K, V]) expire(ttl TTL) *expiry[K] {
	e := newExpiry(t.k, ttl, func(group int, key K, hash uint64) { t.groups[group].Delete(key, hash) })
	if e == nil {
		return nil
	}
	// An entry that comes back from a snapshot begins a new life.
	t.restored = func(group int, key *K) {
		at, _ := e.times.table(group).At(*key, t.k.hasher(*key))
		*at = t.k.Now()
	}
	return e
}

// Get gives the current key's value; ok is false, and the value zero, where there is none.
func (s *Value[K, V]) Get() (v V, ok bool) {
	if p := s.give(); p != nil && (s.exp == nil || s.exp.read()) {
		return *p, true
	}
	return v, false
}

// Set sets the current key's value to a copy of v.
func (s *Value[K, V]) Set(v V) {
	p := s.place()
	*p = v
	if s.keep != nil {
		s.keep(p)
	}
	if s.exp != nil {
		s.exp.wrote()
	}
}

// Ref gives the current key's value to be changed in place, a zero one where there was none. It is valid until the
// state is used for another key or cleared, and no longer than the record, timer or message that it was asked for is processed. What is put into it must not refer to what the function was given.
func (s *Value[K, V]) Ref() *V {
	if s.exp != nil {
		if s.look() != nil {
			s.exp.read()
		}
		s.at()
		s.exp.wrote() // may move entries
	}
	p, _ := s.at()
	return p
}

// Clear removes the current key's value.
func (s *Value[K, V]) Clear() {
	s.delete()
	if s.exp != nil {
		s.exp.times.delete()
	}
}

// Reducing is one value for each key, into which others are folded.
type Reducing[K comparable, V any] struct {
	*Value[K, V]
	fold func(acc, v *V)
	slot *V
}

// NewReducing declares a value that Add folds into.
func NewReducing[V any, K comparable](k *Keyed[K], name string, ttl TTL, fold func(acc, v *V)) (*Reducing[K, V], error) {
	v, err := NewValue[V](k, name, ttl)
	return &Reducing[K, V]{v, fold, new(V)}, err
}

// Add folds a copy of v in; the first value is v itself.
func (s *Reducing[K, V]) Add(v V) {
	if s.exp != nil && s.look() != nil {
		s.exp.read()
	}
	p, fresh := s.at()
	if fresh {
		*p = v
	} else {
		*s.slot = v
		s.fold(p, s.slot)
	}
	if s.keep != nil {
		s.keep(p)
	}
	if s.exp != nil {
		s.exp.wrote()
	}
}

// Aggregating is an accumulator for each key.
type Aggregating[K comparable, T, A, R any] struct {
	*Value[K, A]
	add    func(acc *A, v *T)
	result func(acc *A) R
	slot   *T
}

// NewAggregating declares an accumulator, which begins as the zero value.
func NewAggregating[T, A, R any, K comparable](k *Keyed[K], name string, ttl TTL, add func(acc *A, v *T), result func(acc *A) R) (*Aggregating[K, T, A, R], error) {
	v, err := NewValue[A](k, name, ttl)
	return &Aggregating[K, T, A, R]{v, add, result, new(T)}, err
}

// Add adds a value to the current key's accumulator.
func (s *Aggregating[K, T, A, R]) Add(v T) {
	if s.exp != nil && s.look() != nil {
		s.exp.read()
	}
	p, _ := s.at()
	*s.slot = v
	s.add(p, s.slot)
	if s.keep != nil {
		s.keep(p)
	}
	if s.exp != nil {
		s.exp.wrote()
	}
}

// Result is the current key's result; ok is false where nothing was added.
func (s *Aggregating[K, T, A, R]) Result() (r R, ok bool) {
	if p := s.get(); p != nil && (s.exp == nil || s.exp.read()) {
		return s.result(p), true
	}
	return r, false
}
