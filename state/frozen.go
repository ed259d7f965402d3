package state

import (
	"cmp"
	"encoding/binary"
	"slices"
	"sync/atomic"

	"github.com/weft-project/weft/codec"
)

// What tells the task that a view has gone (gone) is allocated alone: a table that is at rest keeps it and not what was frozen.

// frozenTables are the tables of a keyed state at one moment.
type frozenTables[K comparable, V any] struct {
	t      *tables[K, V]
	first  int
	groups []*Table[K, V]
	gone   *atomic.Bool
}

// Freeze is Freezer's.
func (t *tables[K, V]) Freeze() Frozen {
	f := &frozenTables[K, V]{t: t, first: t.k.groups.First, groups: make([]*Table[K, V], len(t.groups)),
		gone: new(atomic.Bool)}
	for i, g := range t.groups {
		if g != nil && g.n > 0 {
			f.groups[i] = g.freeze(f.gone, t.clone)
		}
	}
	return f
}

// Group is Frozen's.
func (f *frozenTables[K, V]) Group(group int, dst []byte) []byte {
	return f.t.append(dst, f.groups[group-f.first])
}

// Release is Frozen's.
func (f *frozenTables[K, V]) Release() { f.gone.Store(true) }

// grouped are the entries of a table by key group: order has their numbers, group g's from starts[g] on.
type grouped struct {
	order  []uint32
	starts []uint32
}

// sorted groups entries; groupOf is asked twice for each.
func sorted[K comparable, V any](t *Table[K, V], groups int, groupOf func(*K) int) grouped {
	starts := make([]uint32, groups+1)
	t.read(func(k *K, _ *V) { starts[groupOf(k)+1]++ })
	for g := range groups {
		starts[g+1] += starts[g]
	}
	next, order := slices.Clone(starts), make([]uint32, t.n)
	n := uint32(0)
	t.read(func(k *K, _ *V) {
		g := groupOf(k)
		order[next[g]] = n
		next[g]++
		n++
	})
	return grouped{order, starts}
}

func (g *grouped) of(group int) []uint32 { return g.order[g.starts[group]:g.starts[group+1]] }

// FrozenTable is a table of entries of all key groups at one moment.
type FrozenTable[K comparable, V any] struct {
	p     *TablePart[K, V]
	table *Table[K, V]
	by    *grouped
	gone  *atomic.Bool
}

// FreezeTable freezes a table of the same types as the part's.
func (p *TablePart[K, V]) FreezeTable(table *Table[K, V]) *FrozenTable[K, V] {
	f := &FrozenTable[K, V]{p: p, gone: new(atomic.Bool)}
	f.table = table.freeze(f.gone, p.clone)
	return f
}

// Freeze is Freezer's.
func (p *TablePart[K, V]) Freeze() Frozen { return p.FreezeTable(p.table) }

// Group is Frozen's.
func (f *FrozenTable[K, V]) Group(group int, dst []byte) []byte {
	return f.AppendGroup(append(dst, formatVersion), group)
}

// AppendGroup writes the entries of a key group, as TablePart.AppendGroup does.
func (f *FrozenTable[K, V]) AppendGroup(dst []byte, group int) []byte {
	if f.by == nil {
		hash := f.p.key.Hasher() // the part's is the task's
		by := sorted(f.table, f.p.max, func(k *K) int { return codec.KeyGroup(hash(*k), f.p.max) })
		f.by = &by
	}
	numbers := f.by.of(group)
	dst = binary.AppendUvarint(dst, uint64(len(numbers)))
	for _, n := range numbers {
		e := f.table.entry(int(n))
		dst = f.p.encV(f.p.encK(dst, &e.key), &e.val)
	}
	return dst
}

// Release is Frozen's.
func (f *FrozenTable[K, V]) Release() { f.gone.Store(true) }

// frozenTimers are timers at one moment: the index knows them all, and the place of each among those of its time.
type frozenTimers[K, N comparable] struct {
	t     *Timers[K, N]
	table *Table[timerKey[K, N], int32]
	by    *grouped
	gone  *atomic.Bool
}

// Freeze is Freezer's.
func (t *Timers[K, N]) Freeze() Frozen {
	f := &frozenTimers[K, N]{t: t, gone: new(atomic.Bool)}
	f.table = t.index.freeze(f.gone, nil)
	return f
}

// Group is Frozen's.
func (f *frozenTimers[K, N]) Group(group int, dst []byte) []byte {
	if f.by == nil {
		hash := f.t.typ.Hasher() // the timers' is the task's
		by := sorted(f.table, f.t.groups.Max, func(k *timerKey[K, N]) int { return codec.KeyGroup(hash(k.key), f.t.groups.Max) })
		f.by = &by
	}
	numbers := f.by.of(group)
	slices.SortFunc(numbers, func(a, b uint32) int {
		x, y := f.table.entry(int(a)), f.table.entry(int(b))
		return cmp.Or(cmp.Compare(x.key.at, y.key.at), cmp.Compare(x.val, y.val))
	})
	dst = binary.AppendUvarint(append(dst, formatVersion), uint64(len(numbers)))
	for _, n := range numbers {
		k := &f.table.entry(int(n)).key
		dst = f.t.enc(dst, &Timer[K, N]{k.at, k.key, k.ns})
	}
	return dst
}

// Release is Frozen's.
func (f *frozenTimers[K, N]) Release() { f.gone.Store(true) }

// FrozenElements is a part of operator state as it was at one moment. Any one goroutine may read it while the task goes on.
type FrozenElements interface {
	// Elements gives what OperatorPart.Snapshot would have given.
	Elements() [][]byte
	// Release lets go of it, as Frozen's does.
	Release()
}

// ElementsFreezer is an OperatorPart that is frozen within milliseconds, whatever its size.
type ElementsFreezer interface{ FreezeElements() FrozenElements }

// FreezeElements freezes a part of operator state. What cannot be frozen is encoded at once.
func FreezeElements(p OperatorPart) FrozenElements {
	if f, ok := p.(ElementsFreezer); ok {
		return f.FreezeElements()
	}
	return encoded(p.Snapshot())
}

// encoded are elements' bytes.
type encoded [][]byte

// Elements is FrozenElements'.
func (e encoded) Elements() [][]byte { return e }

// Release is FrozenElements'.
func (e encoded) Release() {}

// frozenMap is a broadcast map at one moment.
type frozenMap[U comparable, V any] struct {
	e     *entryCodec[U, V]
	table *Table[U, V]
	gone  *atomic.Bool
}

// FreezeElements is ElementsFreezer's.
func (m *BroadcastMap[U, V]) FreezeElements() FrozenElements {
	f := &frozenMap[U, V]{e: &m.e, gone: new(atomic.Bool)}
	f.table = m.Table.freeze(f.gone, m.e.clone)
	return f
}

// Elements is FrozenElements'.
func (f *frozenMap[U, V]) Elements() [][]byte {
	return [][]byte{AppendTable(binary.AppendUvarint(nil, formatVersion), f.table, f.e.encU, f.e.encV)}
}

// Release is FrozenElements'.
func (f *frozenMap[U, V]) Release() { f.gone.Store(true) }

// frozenList is a list of values that refer to nothing that could change.
type frozenList[V any] struct{ list *OperatorList[V] }

// FreezeElements is ElementsFreezer's. Values that refer to memory are encoded at once: the author's function holds the list
// itself, and nobody sees what it changes.
func (l *OperatorList[V]) FreezeElements() FrozenElements {
	if !l.codec.Immutable() {
		return encoded(l.Snapshot())
	}
	return frozenList[V]{&OperatorList[V]{codec: l.codec, Values: slices.Clone(l.Values)}}
}

// Elements is FrozenElements'.
func (f frozenList[V]) Elements() [][]byte { return f.list.Snapshot() }

// Release is FrozenElements'.
func (f frozenList[V]) Release() {}
