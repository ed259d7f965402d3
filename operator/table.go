package operator

import "unsafe"

const (
	pageBits = 10
	pageSize = 1 << pageBits
	// slabSize is how much key text one allocation holds.
	slabSize = 64 << 10
)

// Table is an open-addressing hash table from K to V for one task. Its index holds no pointers; entries live in pages
// that do not move, so a *V stays valid until Reset. Strings given as keys are copied into slabs, so that a kept key
// does not hold the batch it came in.
type Table[K comparable, V any] struct {
	// index: upper 32 bits of the hash's lower half … the tag, lower 32 bits the entry's number + 1; 0 is free.
	index []uint64
	mask  uint64
	pages [][]tableEntry[K, V]
	n     int
	slab  []byte
	slabs int64
	// intern copies a key that holds strings; nil where K holds none.
	intern func(*K)
}

type tableEntry[K comparable, V any] struct {
	key K
	val V
}

// NewTable makes an empty table. keep makes a key fit to be kept (codec.Keeper); string keys have a faster way of their
// own.
func NewTable[K comparable, V any](keep func(*K)) *Table[K, V] {
	t := &Table[K, V]{intern: keep}
	if f, ok := any(t.internString).(func(*K)); ok {
		t.intern = f
	}
	t.Reset()
	return t
}

// Reset empties the table and lets its memory go.
func (t *Table[K, V]) Reset() {
	t.index = make([]uint64, 1024)
	t.mask = 1023
	t.pages, t.n, t.slab, t.slabs = nil, 0, nil, 0
}

// Len is the number of entries.
func (t *Table[K, V]) Len() int { return t.n }

// Bytes estimates the memory the table takes.
func (t *Table[K, V]) Bytes() int64 {
	return int64(len(t.index))*8 + int64(len(t.pages))*pageSize*int64(unsafe.Sizeof(tableEntry[K, V]{})) + t.slabs
}

// At finds the value of a key, or adds a zero one; fresh tells which. hash must be the same for equal keys.
func (t *Table[K, V]) At(key K, hash uint64) (v *V, fresh bool) {
	tag := hash << 32
	i := uint64(uint32(hash)>>7) & t.mask
	for {
		slot := t.index[i]
		if slot == 0 {
			break
		}
		if slot&^0xffffffff == tag {
			n := uint32(slot) - 1
			e := &t.pages[n>>pageBits][n&(pageSize-1)]
			if e.key == key {
				return &e.val, false
			}
		}
		i = (i + 1) & t.mask
	}
	if t.n&(pageSize-1) == 0 {
		t.pages = append(t.pages, make([]tableEntry[K, V], pageSize))
	}
	e := &t.pages[t.n>>pageBits][t.n&(pageSize-1)]
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

// Each calls f for every entry in order of insertion.
func (t *Table[K, V]) Each(f func(key *K, v *V)) {
	for n := range t.n {
		e := &t.pages[n>>pageBits][n&(pageSize-1)]
		f(&e.key, &e.val)
	}
}

func (t *Table[K, V]) internString(s *string) {
	if len(*s) > slabSize/4 {
		b := []byte(*s)
		t.slabs += int64(len(b))
		*s = unsafe.String(unsafe.SliceData(b), len(b))
		return
	}
	if len(t.slab)+len(*s) > cap(t.slab) {
		t.slab = make([]byte, 0, slabSize)
		t.slabs += slabSize
	}
	at := len(t.slab)
	t.slab = append(t.slab, *s...)
	if n := len(*s); n > 0 {
		*s = unsafe.String(&t.slab[at], n)
	}
}
