package state

import (
	"encoding/binary"
	"iter"
)

// Map is a map for each key. Its entries are met in order of insertion, as far as none was deleted.
type Map[K, U comparable, V any] struct {
	tables[K, *Table[U, V]]
	e   entryCodec[U, V]
	exp *expiry[K]
}

// NewMap declares a map. Its entries expire together.
func NewMap[U comparable, V any, K comparable](k *Keyed[K], name string, ttl TTL) (*Map[K, U, V], error) {
	e, err := entriesOf[U, V]()
	if err != nil {
		return nil, err
	}
	m := &Map[K, U, V]{tables: newTables[*Table[U, V]](k, name), e: e}
	m.encode = func(dst []byte, t **Table[U, V]) []byte { return AppendTable(dst, *t, e.encU, e.encV) }
	m.decode = func(src string, pos int, t **Table[U, V]) (int, error) {
		*t = NewTable[U, V](e.keepU, e.hash)
		return ReadTable(src, pos, *t, e.hash, e.decU, e.decV)
	}
	m.clone = func(t **Table[U, V], by views) { *t = (*t).fork(by, e.clone) }
	m.exp = m.expire(ttl)
	return m, k.Register(m)
}

// AppendTable writes the entries of a table.
func AppendTable[U comparable, V any](dst []byte, t *Table[U, V], encU func([]byte, *U) []byte, encV func([]byte, *V) []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(t.Len()))
	t.read(func(u *U, v *V) { dst = encV(encU(dst, u), v) })
	return dst
}

// ReadTable reads what AppendTable has written.
func ReadTable[U comparable, V any](src string, pos int, t *Table[U, V], hash func(U) uint64, decU func(string, int, *U) (int, error),
	decV func(string, int, *V) (int, error)) (int, error) {
	n, used := binary.Uvarint([]byte(src[pos:min(len(src), pos+10)]))
	if used <= 0 {
		return pos, errFormat
	}
	pos += used
	if n > uint64(len(src)-pos)+1 { // entries take a byte at least, but for the only one of keys without bytes
		return pos, errFormat
	}
	var err error
	for range n {
		var u U
		if pos, err = decU(src, pos, &u); err != nil {
			return pos, err
		}
		v, _ := t.At(u, hash(u))
		if pos, err = decV(src, pos, v); err != nil {
			return pos, err
		}
	}
	return pos, nil
}

// current is the current key's map, to be changed; nil for none.
func (m *Map[K, U, V]) current() *Table[U, V] { return m.valid(m.get()) }

// looked is the current key's map, of which values are given as copies; nil for none.
func (m *Map[K, U, V]) looked() *Table[U, V] {
	if m.e.clone == nil {
		return m.valid(m.look())
	}
	return m.current()
}

func (m *Map[K, U, V]) valid(p **Table[U, V]) *Table[U, V] {
	if p != nil && (m.exp == nil || m.exp.read()) {
		return *p
	}
	return nil
}

// Get gives the value of an entry; ok is false where there is none.
func (m *Map[K, U, V]) Get(u U) (v V, ok bool) {
	if t := m.looked(); t != nil {
		if p := m.e.get(t, u); p != nil {
			return *p, true
		}
	}
	return v, false
}

// Put sets an entry to a copy of v.
func (m *Map[K, U, V]) Put(u U, v V) {
	p := m.Ref(u)
	*p = v
	if m.e.keepV != nil {
		m.e.keepV(p)
	}
}

// Ref gives the value of an entry to be changed in place, a zero one where there was none, as Value.Ref does.
func (m *Map[K, U, V]) Ref(u U) *V {
	t := m.current()
	if t == nil {
		p, _ := m.at()
		t = NewTable[U, V](m.e.keepU, m.e.hash)
		*p = t
	}
	if m.exp != nil {
		m.exp.wrote()
	}
	v, _ := t.At(u, m.e.hash(u))
	return v
}

// Delete removes an entry.
func (m *Map[K, U, V]) Delete(u U) {
	if t := m.current(); t != nil && t.Delete(u, m.e.hash(u)) && t.Len() == 0 {
		m.Clear()
	}
}

// Size is the number of entries of the current key.
func (m *Map[K, U, V]) Size() int {
	if t := m.valid(m.look()); t != nil {
		return t.Len()
	}
	return 0
}

// All gives the entries of the current key; the loop may not change the map.
func (m *Map[K, U, V]) All() iter.Seq2[U, V] {
	t := m.looked()
	return func(yield func(U, V) bool) {
		if t == nil {
			return
		}
		for n := 0; n < t.Len(); n++ {
			if u, v := m.e.nth(t, n); !yield(*u, *v) {
				return
			}
		}
	}
}

// Clear removes the current key's map.
func (m *Map[K, U, V]) Clear() {
	m.delete()
	if m.exp != nil {
		m.exp.times.delete()
	}
}
