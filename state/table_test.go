package state

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"

	"github.com/weft-project/weft/codec"
)

func hasher[K comparable](t testing.TB) func(K) uint64 {
	t.Helper()
	k, err := codec.KeyOf[K]()
	if err != nil {
		t.Fatal(err)
	}
	return k.Hasher()
}

// A table is a map, whatever was added and deleted in which order; bad hashes make it slow, not wrong.
func TestTableIsAMap(t *testing.T) {
	good := hasher[int64](t)
	for name, hash := range map[string]func(int64) uint64{
		"good": good, "few values": func(k int64) uint64 { return uint64(k%7) << 7 }, "one value": func(int64) uint64 { return 1 << 40 },
	} {
		rnd := rand.New(rand.NewPCG(1, 2))
		table, want := NewTable[int64, int64](nil, hash), map[int64]int64{}
		span := int64(50)
		for i := range 20_000 {
			if i == 10_000 && name == "good" {
				span = 5000
			}
			k := rnd.Int64N(span)
			switch rnd.IntN(4) {
			case 0:
				if _, there := want[k]; table.Delete(k, hash(k)) != there {
					t.Fatalf("%s: delete of %d, which is there: %t", name, k, there)
				}
				delete(want, k)
			case 1:
				v := table.Get(k, hash(k))
				if w, there := want[k]; (v != nil) != there || there && *v != w {
					t.Fatalf("%s: key %d: %v, expected %d %t", name, k, v, w, there)
				}
			default:
				v, fresh := table.At(k, hash(k))
				if _, there := want[k]; fresh == there {
					t.Fatalf("%s: key %d is fresh: %t", name, k, fresh)
				}
				*v += int64(i)
				want[k] += int64(i)
			}
		}
		got := map[int64]int64{}
		table.Each(func(k *int64, v *int64) { got[*k] = *v })
		if table.Len() != len(want) || !maps.Equal(got, want) {
			t.Errorf("%s: %d entries, expected %d", name, table.Len(), len(want))
		}
		table.Clear()
		if _, fresh := table.At(1, hash(1)); !fresh || table.Len() != 1 {
			t.Errorf("%s: a cleared table is not empty", name)
		}
	}
}

// Values do not move while entries are added.
func TestValuesDoNotMove(t *testing.T) {
	hash := hasher[int64](t)
	table := NewSlabTable[int64, int64](nil)
	var refs []*int64
	for i := range int64(5000) {
		v, _ := table.At(i, hash(i))
		*v = i
		refs = append(refs, v)
	}
	for i, v := range refs {
		if *v != int64(i) || table.Get(int64(i), hash(int64(i))) != v {
			t.Fatalf("entry %d has moved", i)
		}
	}
	order := int64(0)
	table.Each(func(k, _ *int64) {
		if *k != order {
			t.Fatalf("key %d comes as number %d", *k, order)
		}
		order++
	})
}

// Memory follows the number of entries, both ways.
func TestTableMemory(t *testing.T) {
	hash := hasher[int64](t)
	table := NewTable[int64, [4]int64](nil, hash)
	table.At(1, hash(1))
	if b := table.Bytes(); b > 2<<10 {
		t.Errorf("a table of one entry takes %d bytes", b)
	}
	for i := range int64(100_000) {
		table.At(i, hash(i))
	}
	full := table.Bytes()
	for i := range int64(100_000) {
		table.Delete(i, hash(i))
	}
	if table.Bytes() > full/2 || table.Len() != 0 {
		t.Errorf("%d bytes when full, %d when empty again", full, table.Bytes())
	}
}

func TestKeysAreKept(t *testing.T) {
	hash := hasher[string](t)
	buffer := []byte("some words in a buffer")
	word := unsafeString(buffer[5:10])
	for name, table := range map[string]*Table[string, int]{"slabs": NewSlabTable[string, int](nil), "copies": NewTable[string, int](func(s *string) { *s = string([]byte(*s)) }, hash)} {
		table.At(word, hash(word))
		copy(buffer[5:], "XXXXX")
		if table.Get("words", hash("words")) == nil {
			t.Errorf("%s: the key has changed with the buffer", name)
		}
		copy(buffer[5:], "words")
	}
	long := NewSlabTable[string, int](nil)
	for i := range 100 {
		k := fmt.Sprintf("%0*d", i*400, i)
		long.At(k, hash(k))
	}
	if long.Len() != 100 {
		t.Errorf("%d keys", long.Len())
	}
}

func BenchmarkTable(b *testing.B) {
	hash := hasher[int64](b)
	for _, n := range []int64{1000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			table := NewSlabTable[int64, [2]int64](nil)
			rnd := rand.New(rand.NewPCG(1, 2))
			keys := make([]int64, 1<<16)
			for i := range n {
				table.At(i, hash(i))
			}
			for i := range keys {
				keys[i] = rnd.Int64N(n)
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				k := keys[i&(1<<16-1)]
				i++
				v, _ := table.At(k, hash(k))
				v[0]++
			}
		})
	}
}
