package state

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/weft-project/weft/codec"
)

// What is frozen is what a snapshot of each key group would have been, and stays so when the task goes on.
func TestFrozenIsTheSnapshot(t *testing.T) {
	key, err := codec.KeyOf[string]()
	if err != nil {
		t.Fatal(err)
	}
	groups := Groups{First: 0, End: 16, Max: 16}
	k, err := NewKeyed(key, groups)
	if err != nil {
		t.Fatal(err)
	}
	value, err1 := NewValue[[]int](k, "value", TTL{})
	timers, err2 := NewTimers[int](k, "timers")
	table := NewTable[string, int64](nil, key.Hasher())
	part, err3 := NewTablePart("table", table, groups.Max, key.Hasher())
	if err1 != nil || err2 != nil || err3 != nil {
		t.Fatal(err1, err2, err3)
	}
	change := func(round int) {
		for i := range 300 {
			name := fmt.Sprint("key ", i)
			hash := key.Hasher()(name)
			k.SetKey(name, hash)
			value.Set([]int{i, round})
			timers.Set(int64(i%7+round), name, hash, round)
			n, _ := table.At(name, hash)
			*n += int64(i + round)
		}
	}
	change(0)
	timers.Pop(3)
	for _, p := range []Part{value, timers, part} {
		var want [][]byte
		for g := range groups.Max {
			want = append(want, p.Snapshot(g, nil))
		}
		f := Freeze(p, groups)
		change(1)
		for g := range groups.Max {
			if got := f.Group(g, nil); !bytes.Equal(got, want[g]) {
				t.Errorf("%s, key group %d: %x, expected %x", p.Name(), g, got, want[g])
			}
		}
		f.Release()
	}
}
