package state

import (
	"math/bits"
	"unsafe"
)

const (
	pageBits = 10
	pageSize = 1 << pageBits
	// firstBits is the size of the first pages; they double until pages are of full size, so that a small table is small.
	firstBits  = 4
	smallPages = pageBits - firstBits + 1
	// slabSize is how much key text one allocation holds at most.
	slabSize  = 64 << 10
	firstSlab = 256
)

// Table is an open-addressing hash table from K to V for one task. Its index holds no pointers; entries live in pages
// that do not move, so a *V stays valid until Delete or Reset, or the next snapshot: while others read a page it is copied
// before its first change (cow.go). Whoever is given a *V may change it, so Get, At, Each and Nth count as changes; Look does not.
type Table[K comparable, V any] struct {
	// index: upper half the lower half of the hash, lower half the entry's number + 1; 0 is free.
	index []uint64
	mask  uint64
	pages [][]tableEntry[K, V]
	n     int
	slab  []byte
	slabs int64
	// intern copies a key that holds strings; nil where K holds none.
	intern func(*K)
	hash   func(K) uint64
	// shared is nil while nobody else reads.
	shared *sharing[V]
}

type tableEntry[K comparable, V any] struct {
	key K
	val V
}

// NewTable makes an empty table. keep makes a key fit to be kept (codec.Keeper). hash is needed for Delete.
func NewTable[K comparable, V any](keep func(*K), hash func(K) uint64) *Table[K, V] {
	return &Table[K, V]{intern: keep, hash: hash}
}

// NewSlabTable makes a table from which single entries are not deleted: string keys are copied into slabs, many to an
// allocation.
func NewSlabTable[K comparable, V any](keep func(*K)) *Table[K, V] {
	t := &Table[K, V]{intern: keep}
	if f, ok := any(t.internString).(func(*K)); ok {
		t.intern = f
	}
	return t
}

// Reset empties the table and lets its memory go.
func (t *Table[K, V]) Reset() {
	t.index, t.mask = nil, 0
	t.pages, t.n, t.slab, t.slabs, t.shared = nil, 0, nil, 0, nil
}

// Clear empties the table and keeps its memory for the next entries. Text of keys is let go, and pages that others read.
func (t *Table[K, V]) Clear() {
	if t.shared != nil {
		clear(t.index)
		t.pages, t.n, t.slab, t.slabs, t.shared = nil, 0, nil, 0, nil
		return
	}
	for n := 0; n < t.n; n++ {
		*t.entry(n) = tableEntry[K, V]{}
	}
	clear(t.index)
	t.n, t.slab, t.slabs = 0, nil, 0
}

// Len is the number of entries.
func (t *Table[K, V]) Len() int { return t.n }

// Bytes estimates the memory the table takes.
func (t *Table[K, V]) Bytes() int64 {
	entries := 0
	if n := len(t.pages); n > smallPages {
		entries = (n - smallPages + 1) * pageSize
	} else if n > 0 {
		entries = 1 << (firstBits + n - 1)
	}
	return int64(len(t.index))*8 + int64(entries)*int64(unsafe.Sizeof(tableEntry[K, V]{})) + t.slabs
}

// entry is the place of entry n.
func (t *Table[K, V]) entry(n int) *tableEntry[K, V] {
	if n >= pageSize {
		return &t.pages[n>>pageBits+smallPages-1][n&(pageSize-1)]
	}
	p := bits.Len(uint(n >> firstBits))
	if p > 0 {
		n -= 1 << (firstBits + p - 1)
	}
	return &t.pages[p][n]
}

// addPage makes place for entry number t.n.
func (t *Table[K, V]) addPage() {
	size := pageSize
	if n := len(t.pages); n < smallPages {
		size = 1 << (firstBits + max(0, n-1))
	}
	t.pages = append(t.pages, make([]tableEntry[K, V], size))
}

// full tells that the pages hold n entries and no more.
func (t *Table[K, V]) full(n int) bool {
	switch p := len(t.pages); {
	case p == 0:
		return true
	case p <= smallPages:
		return n == 1<<(firstBits+p-1)
	default:
		return n == (p-smallPages+1)<<pageBits
	}
}

// Get finds the value of a key, which may be changed; nil when there is none. hash must be the same for equal keys.
func (t *Table[K, V]) Get(key K, hash uint64) *V {
	if t.shared != nil {
		if n := t.find(key, hash); n >= 0 {
			return &t.mine(n, false).val
		}
		return nil
	}
	return t.Look(key, hash)
}

// find gives the number of a key's entry; -1 for none.
func (t *Table[K, V]) find(key K, hash uint64) int {
	if t.n == 0 {
		return -1
	}
	return t.numberAt(t.slotOf(key, hash))
}

func (t *Table[K, V]) numberAt(slot uint64) int { return int(uint32(t.index[slot])) - 1 }

// slotOf is the place of a key in the index, or the free one where it is missed. There must be an index.
func (t *Table[K, V]) slotOf(key K, hash uint64) uint64 {
	tag := hash << 32
	i := uint64(uint32(hash)>>7) & t.mask
	for {
		slot := t.index[i]
		if slot == 0 || slot&^0xffffffff == tag && t.entry(int(uint32(slot)-1)).key == key {
			return i
		}
		i = (i + 1) & t.mask
	}
}

// Look finds the value of a key, which may be read only; nil when there is none.
func (t *Table[K, V]) Look(key K, hash uint64) *V {
	if t.n == 0 {
		return nil
	}
	tag := hash << 32
	i := uint64(uint32(hash)>>7) & t.mask
	for {
		slot := t.index[i]
		if slot == 0 {
			return nil
		}
		if slot&^0xffffffff == tag {
			if e := t.entry(int(uint32(slot) - 1)); e.key == key {
				return &e.val
			}
		}
		i = (i + 1) & t.mask
	}
}

// At finds the value of a key, or adds a zero one; fresh tells which. hash must be the same for equal keys.
func (t *Table[K, V]) At(key K, hash uint64) (v *V, fresh bool) {
	if t.index == nil {
		t.index = make([]uint64, 32)
		t.mask = 31
	}
	if t.shared != nil {
		if n := t.find(key, hash); n >= 0 {
			return &t.mine(n, false).val, false
		}
	}
	tag := hash << 32
	i := uint64(uint32(hash)>>7) & t.mask
	for {
		slot := t.index[i]
		if slot == 0 {
			break
		}
		if slot&^0xffffffff == tag {
			if e := t.entry(int(uint32(slot) - 1)); e.key == key {
				return &e.val, false
			}
		}
		i = (i + 1) & t.mask
	}
	if t.full(t.n) {
		t.addPage()
	} else if t.shared != nil {
		t.mine(t.n, true)
	}
	e := t.entry(t.n)
	e.key = key
	if t.intern != nil {
		t.intern(&e.key)
	}
	t.n++
	t.index[i] = tag | uint64(t.n)
	if uint64(t.n)*4 > t.mask*3 {
		t.grow()
	}
	return &e.val, true
}

// Delete removes a key and tells whether it was there. The last entry takes its place.
func (t *Table[K, V]) Delete(key K, hash uint64) bool {
	if t.n == 0 {
		return false
	}
	i := t.slotOf(key, hash)
	gone := t.numberAt(i)
	if gone < 0 {
		return false
	}
	if t.shared != nil {
		t.moving(t.n-1, gone)
	}
	t.unlink(i)
	t.n--
	last := t.entry(t.n)
	if gone != t.n {
		*t.entry(gone) = *last
		t.relink(last.key, uint64(t.n)+1, uint64(gone)+1)
	}
	*last = tableEntry[K, V]{}
	t.shrink()
	return true
}

// shrink lets pages go of which one is empty beyond the one in use.
func (t *Table[K, V]) shrink() {
	if p := len(t.pages); p > smallPages && t.n <= (p-smallPages-1)<<pageBits {
		if t.shared != nil {
			t.shared.drop(p - 1)
		}
		t.pages[p-1] = nil
		t.pages = t.pages[:p-1]
	}
}

// unlink frees place i of the index and moves those behind it that it kept from their own.
func (t *Table[K, V]) unlink(i uint64) {
	hole := i
	for {
		i = (i + 1) & t.mask
		slot := t.index[i]
		if slot == 0 {
			break
		}
		home := (slot >> 32 >> 7) & t.mask
		if (i-home)&t.mask >= (i-hole)&t.mask {
			t.index[hole] = slot
			hole = i
		}
	}
	t.index[hole] = 0
}

// relink lets the index find the entry that has moved.
func (t *Table[K, V]) relink(key K, from, to uint64) {
	hash := t.hash(key)
	i := uint64(uint32(hash)>>7) & t.mask
	for uint64(uint32(t.index[i])) != from {
		i = (i + 1) & t.mask
	}
	t.index[i] = hash<<32 | to
}

// grow doubles the index. Tags are the lower 32 bits of the hash, which hold all the bits that the place of an entry
// depends on up to 2^25 places; beyond that neighbours share a start, which costs a longer walk and nothing else.
func (t *Table[K, V]) grow() {
	old := t.index
	t.index = make([]uint64, 2*len(old))
	t.mask = uint64(len(t.index) - 1)
	for _, slot := range old {
		if slot == 0 {
			continue
		}
		i := (slot >> 32 >> 7) & t.mask
		for t.index[i] != 0 {
			i = (i + 1) & t.mask
		}
		t.index[i] = slot
	}
}

// Each calls f for every entry: in order of insertion, where nothing was deleted. f may change the value and add entries,
// which are then met too.
func (t *Table[K, V]) Each(f func(key *K, v *V)) {
	for n := 0; n < t.n; n++ {
		f(t.Nth(n))
	}
}

// Nth is the n-th entry in the order of Each.
func (t *Table[K, V]) Nth(n int) (*K, *V) {
	e := t.entry(n)
	if t.shared != nil {
		e = t.mine(n, false)
	}
	return &e.key, &e.val
}

func (t *Table[K, V]) internString(s *string) {
	if len(*s) > slabSize/4 {
		b := []byte(*s)
		t.slabs += int64(len(b))
		*s = unsafe.String(unsafe.SliceData(b), len(b))
		return
	}
	if len(t.slab)+len(*s) > cap(t.slab) {
		size := min(slabSize, max(firstSlab, 2*cap(t.slab)))
		size = max(size, len(*s))
		t.slab = make([]byte, 0, size)
		t.slabs += int64(size)
	}
	at := len(t.slab)
	t.slab = append(t.slab, *s...)
	if n := len(*s); n > 0 {
		*s = unsafe.String(&t.slab[at], n)
	}
}
