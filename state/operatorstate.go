package state

import (
	"encoding/binary"
	"fmt"

	"github.com/weft-project/weft/codec"
)

// Redistribution says how the elements of a list are dealt when the number of subtasks changes.
type Redistribution int

// The redistributions.
const (
	// Split deals the elements of all subtasks out evenly.
	Split Redistribution = iota
	// Union gives every subtask the elements of all.
	Union
	// Broadcast says that all subtasks have the same; each gets it.
	Broadcast
)

// Operator is the state of an operator's subtask that belongs to no key.
type Operator struct{ parts map[string]OperatorPart }

// OperatorPart is one named piece of it.
type OperatorPart interface {
	// Name within its operator.
	Name() string
	// Redistribution when the parallelism changes.
	Redistribution() Redistribution
	// Snapshot gives the elements, encoded; they are dealt out one by one.
	Snapshot() [][]byte
	// Restore takes elements, of any subtasks.
	Restore(elements [][]byte) error
}

// Register adds a part; a name is used once.
func (o *Operator) Register(p OperatorPart) error {
	if o.parts == nil {
		o.parts = map[string]OperatorPart{}
	}
	if o.parts[p.Name()] != nil {
		return fmt.Errorf("operator state %q is declared twice in one operator", p.Name())
	}
	o.parts[p.Name()] = p
	return nil
}

// Parts are the parts by name.
func (o *Operator) Parts() map[string]OperatorPart { return o.parts }

// Redistribute gives the elements that subtask i of n gets of those that the old subtasks had.
func Redistribute(how Redistribution, old [][][]byte, i, n int) [][]byte {
	var all [][]byte
	switch how {
	case Broadcast:
		if len(old) > 0 {
			return old[i%len(old)]
		}
		return nil
	case Union:
		for _, o := range old {
			all = append(all, o...)
		}
		return all
	}
	for _, o := range old {
		all = append(all, o...)
	}
	return all[i*len(all)/n : (i+1)*len(all)/n]
}

// OperatorList is a list that belongs to no key.
type OperatorList[V any] struct {
	name   string
	how    Redistribution
	codec  *codec.Codec[V]
	Values []V
}

// NewOperatorList declares a list; how is Split or Union.
func NewOperatorList[V any](o *Operator, name string, how Redistribution) (*OperatorList[V], error) {
	c, err := codec.Of[V]()
	if err != nil {
		return nil, err
	}
	l := &OperatorList[V]{name: name, how: how, codec: c}
	return l, o.Register(l)
}

// Name is OperatorPart's.
func (l *OperatorList[V]) Name() string { return l.name }

// Redistribution is OperatorPart's.
func (l *OperatorList[V]) Redistribution() Redistribution { return l.how }

// Snapshot is OperatorPart's.
func (l *OperatorList[V]) Snapshot() [][]byte {
	out := make([][]byte, len(l.Values))
	enc := l.codec.Encoder()
	for i := range l.Values {
		out[i] = enc(nil, &l.Values[i])
	}
	return out
}

// Restore is OperatorPart's.
func (l *OperatorList[V]) Restore(elements [][]byte) error {
	dec := l.codec.Decoder()
	for _, e := range elements {
		var v V
		if n, err := dec(string(e), 0, &v); err != nil || n != len(e) {
			return fmt.Errorf("operator state %q: %w: %v", l.name, errFormat, err)
		}
		l.Values = append(l.Values, v)
	}
	return nil
}

// BroadcastMap is a map of which every subtask has the same.
type BroadcastMap[U comparable, V any] struct {
	name string
	*Table[U, V]
	e entryCodec[U, V]
}

// NewBroadcastMap declares a map.
func NewBroadcastMap[U comparable, V any](o *Operator, name string) (*BroadcastMap[U, V], error) {
	e, err := entriesOf[U, V]()
	if err != nil {
		return nil, err
	}
	m := &BroadcastMap[U, V]{name: name, Table: NewTable[U, V](e.keepU, e.hash), e: e}
	return m, o.Register(m)
}

// Lookup gives the value of an entry.
func (m *BroadcastMap[U, V]) Lookup(u U) (v V, ok bool) {
	if p := m.e.get(m.Table, u); p != nil {
		return *p, true
	}
	return v, false
}

// Put sets an entry to a copy of v.
func (m *BroadcastMap[U, V]) Put(u U, v V) {
	p := m.Table.place(u, m.e.hash(u))
	*p = v
	if m.e.keepV != nil {
		m.e.keepV(p)
	}
}

// Remove removes an entry.
func (m *BroadcastMap[U, V]) Remove(u U) { m.Table.Delete(u, m.e.hash(u)) }

// Name is OperatorPart's.
func (m *BroadcastMap[U, V]) Name() string { return m.name }

// Redistribution is OperatorPart's.
func (m *BroadcastMap[U, V]) Redistribution() Redistribution { return Broadcast }

// Snapshot is OperatorPart's: one element, the map.
func (m *BroadcastMap[U, V]) Snapshot() [][]byte {
	return [][]byte{AppendTable(binary.AppendUvarint(nil, formatVersion), m.Table, m.e.encU, m.e.encV)}
}

// Restore is OperatorPart's.
func (m *BroadcastMap[U, V]) Restore(elements [][]byte) error {
	for _, e := range elements {
		if len(e) == 0 || e[0] != formatVersion {
			return fmt.Errorf("operator state %q: %w", m.name, errFormat)
		}
		if _, err := ReadTable(string(e), 1, m.Table, m.e.hash, m.e.decU, m.e.decV); err != nil {
			return fmt.Errorf("operator state %q: %w", m.name, err)
		}
	}
	return nil
}
