package operator

import (
	"strings"
	"testing"
)

// place is a record with strings; basket one with slices of three types.
type place struct {
	Name string
	N    int64
	City string
}

type basket struct {
	Name   string
	Counts []int64
	Places []place
	Tags   []string
}

func wordOf(i int) string      { return strings.Repeat("x", i%40) }
func fixedOf(i int) fixed      { return fixed{ID: int64(i), Price: 1.5} }
func placeOf(i int) place      { return place{strings.Repeat("n", i%20), int64(i), "Zürich"} }
func listOf(i int) []string    { return []string{"a", strings.Repeat("b", i%9)} }
func numbersOf(i int) []int64  { return []int64{int64(i), 2, 3}[:i%4] }
func nestedOf(i int) [][]int32 { return [][]int32{{1, 2}, {}, {int32(i)}} }
func basketOf(i int) basket {
	return basket{Name: "name", Counts: numbersOf(i), Places: []place{placeOf(i)}, Tags: listOf(i)}
}

// BenchmarkReader decodes buffers of 32 KiB; an operation is a buffer.
func BenchmarkReader(b *testing.B) {
	b.Run("strings", func(b *testing.B) { benchReader(b, wordOf) })
	b.Run("fixed", func(b *testing.B) { benchReader(b, fixedOf) })
	b.Run("structs", func(b *testing.B) { benchReader(b, placeOf) })
	b.Run("lists", func(b *testing.B) { benchReader(b, listOf) })
	b.Run("numbers", func(b *testing.B) { benchReader(b, numbersOf) })
	b.Run("nested", func(b *testing.B) { benchReader(b, nestedOf) })
	b.Run("baskets", func(b *testing.B) { benchReader(b, basketOf) })
}

func benchReader[T any](b *testing.B, value func(i int) T) {
	item := bufferOf(b, value)
	n := 0
	r, err := typeFor[T](b).NewReader(Emit[T](func(*T) { n++ }), new(int64), false)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.SetBytes(int64(len(item.Data)))
	for b.Loop() {
		if _, err := r.Process(item); err != nil {
			b.Fatal(err)
		}
	}
}
