package state

import "github.com/weft-project/weft/codec"

// List is a list of values for each key, in order of arrival.
type List[K comparable, V any] struct {
	tables[K, []V]
	keep func(*V)
	exp  *expiry[K]
}

// NewList declares a list. Its values expire together.
func NewList[V any, K comparable](k *Keyed[K], name string, ttl TTL) (*List[K, V], error) {
	c, err := codec.Of[[]V]()
	if err != nil {
		return nil, err
	}
	e, err := codec.Of[V]()
	if err != nil {
		return nil, err
	}
	l := &List[K, V]{tables: newTables[[]V](k, name), keep: e.Keeper()}
	l.encode, l.decode, l.clone = c.Encoder(), c.Decoder(), cloning(c.Cloner())
	l.exp = l.expire(ttl)
	return l, k.Register(l)
}

// Get gives the current key's values; they are the state's own.
func (l *List[K, V]) Get() []V {
	if p := l.get(); p != nil && (l.exp == nil || l.exp.read()) {
		return *p
	}
	return nil
}

// Add appends a copy of v.
func (l *List[K, V]) Add(v V) {
	if l.exp != nil && l.look() != nil {
		l.exp.read()
	}
	p, _ := l.at()
	*p = append(*p, v)
	if l.keep != nil {
		l.keep(&(*p)[len(*p)-1])
	}
	if l.exp != nil {
		l.exp.wrote()
	}
}

// Set replaces the current key's values by copies of vs; none clears the list.
func (l *List[K, V]) Set(vs []V) {
	if len(vs) == 0 {
		l.Clear()
		return
	}
	p := l.place()
	own := append((*p)[:0:0], vs...)
	if l.keep != nil {
		for i := range own {
			l.keep(&own[i])
		}
	}
	*p = own
	if l.exp != nil {
		l.exp.wrote()
	}
}

// Clear removes the current key's values.
func (l *List[K, V]) Clear() {
	l.delete()
	if l.exp != nil {
		l.exp.times.delete()
	}
}
