package state

import "unsafe"

const (
	// TouchMost is how many keys Touch takes at once.
	TouchMost = 32
	// touchFrom is the number of entries from which on Touch pays: a smaller table lies in the caches.
	touchFrom = 1 << 13
)

// Touchable tells that the table is so large that Touch pays.
func (t *Table[K, V]) Touchable() bool { return t.n >= touchFrom }

// Touch reads the places of the keys with these hashes, TouchMost at most, and changes nothing. A processor waits for one place of memory
// at a time when each key is found before the next is looked for; here it waits for all of them at once, and what follows finds
// them in its caches. The sum is there so that nothing of this is left out.
func (t *Table[K, V]) Touch(hashes []uint64) (sum byte) {
	if t.n == 0 || unsafe.Sizeof(tableEntry[K, V]{}) == 0 {
		return 0
	}
	var slots [TouchMost]uint32
	for i, h := range hashes {
		slots[i] = uint32(t.index[uint64(uint32(h)>>7)&t.mask])
	}
	for _, s := range slots[:len(hashes)] {
		if s != 0 { // nobody's place, or the first of those that share it
			sum ^= *(*byte)(unsafe.Pointer(t.entry(int(s - 1))))
		}
	}
	return sum
}
