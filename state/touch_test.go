package state

import "testing"

// TestTouch reads places of keys that are there, that are not, and that have gone, in tables of all sizes.
func TestTouch(t *testing.T) {
	hash := func(k int64) uint64 { return uint64(k) * 0x9E3779B97F4A7C15 }
	table := NewTable[int64, int64](nil, hash)
	var hashes []uint64
	for k := range int64(TouchMost) {
		hashes = append(hashes, hash(k*1000))
	}
	table.Touch(hashes)
	for n := range int64(3 * touchFrom) {
		v, _ := table.At(n, hash(n))
		*v = n
		if n%997 == 0 {
			table.Touch(hashes[:n%TouchMost])
		}
	}
	if !table.Touchable() {
		t.Error("a large table is worth it")
	}
	for n := range int64(3*touchFrom - 10) {
		table.Delete(n, hash(n))
	}
	table.Touch(hashes)
	if table.Touchable() || table.Len() != 10 {
		t.Errorf("%d entries are left: expected 10, too few to be worth it", table.Len())
	}
	nothing := NewSlabTable[struct{}, struct{}](nil)
	nothing.At(struct{}{}, 1)
	nothing.Touch(hashes)
}
