package codec

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
)

type tree struct {
	Name string
	Kids []tree
}

// forest is recursive by a slice that holds structs which hold the slice.
type forest []struct {
	N    int32
	In   forest
	Over *forest
	Of   map[string]forest
}

// shelf has slices of many kinds.
type shelf struct {
	Words   []string
	Numbers []int64
	Bools   []bool
	Lists   [][]string
	Trees   []tree
	Nothing []struct{}
	Named   []inner
	Refs    []*int32
	Maps    []map[string][]byte
	Woods   forest
	Wide    [][600]byte
}

func shelfOf(i int) shelf {
	n := int32(i)
	s := shelf{Numbers: make([]int64, i%7), Bools: []bool{true, i%2 == 0}, Lists: [][]string{{fmt.Sprint(i)}, nil, {}, {"a", "b"}},
		Trees: []tree{{"t", []tree{{Name: fmt.Sprint("kid", i)}}}}, Nothing: make([]struct{}, i%3), Named: []inner{{uint8(i), "n", []int32{n}}},
		Refs: []*int32{&n, nil}, Maps: []map[string][]byte{{"k": {byte(i)}}}}
	for j := range i % 40 {
		s.Words = append(s.Words, fmt.Sprint("word", i, j))
	}
	if i%5 == 0 {
		s.Woods = forest{{N: n, In: forest{{N: 1}}, Over: &forest{{N: 2}}, Of: map[string]forest{"x": {{N: 3}}}}}
		s.Wide = make([][600]byte, 2)
		s.Wide[1][599] = byte(i)
	}
	return s
}

func encoded[T any](tb testing.TB, n int, of func(int) T) (*Codec[T], string) {
	tb.Helper()
	c, err := Of[T]()
	if err != nil {
		tb.Fatal(err)
	}
	var b []byte
	for i := range n {
		v := of(i)
		b = c.Encoder()(b, &v)
	}
	return c, string(b)
}

// decodeAll decodes what is in src, as a batch, until its end or what is wrong with it.
func decodeAll[T any](dec func(string, int, *T) (int, error), src string) ([]T, error) {
	var out []T
	for pos := 0; pos < len(src); {
		var v T
		var err error
		if pos, err = dec(src, pos, &v); err != nil {
			return out, err
		}
		out = append(out, v)
	}
	return out, nil
}

// What an author keeps, changes or appends to reaches no other slice, in this batch or another.
func TestSlicesOfABatchAreApart(t *testing.T) {
	const n = 300
	c, src := encoded(t, n, shelfOf)
	dec := c.Decoder()
	var kept [][]shelf
	for range 5 {
		got, err := decodeAll(dec, src)
		if err != nil || len(got) != n {
			t.Fatalf("%d values: %v", len(got), err)
		}
		for i := range got {
			s := &got[i]
			for _, f := range []int{cap(s.Words) - len(s.Words), cap(s.Numbers) - len(s.Numbers), cap(s.Lists) - len(s.Lists), cap(s.Trees) - len(s.Trees)} {
				if f != 0 {
					t.Fatal("a slice has room behind it")
				}
			}
			_ = append(append(s.Words, "x"), "y")
			_ = append(s.Numbers, -1)
			_ = append(s.Lists[0], "x")
			if i%2 == 1 { // the neighbours of what stays as it was
				clear(s.Words)
				clear(s.Numbers)
				clear(s.Bools)
				clear(s.Lists)
				clear(s.Trees)
				clear(s.Named)
				clear(s.Refs)
				clear(s.Maps)
			}
		}
		kept = append(kept, got)
		runtime.GC()
	}
	for batch, got := range kept {
		for i := 0; i < n; i += 2 {
			if want := shelfOf(i); !reflect.DeepEqual(got[i], want) {
				t.Fatalf("batch %d, value %d:\n%+v\n%+v", batch, i, got[i], want)
			}
		}
	}
}

func TestAllocationsForABatchOfSlices(t *testing.T) {
	type record struct {
		Words []string
		Lists [][]int32
		Flags []bool
	}
	c, src := encoded(t, 500, func(i int) record {
		return record{slices.Repeat([]string{"w"}, i%6), [][]int32{make([]int32, i%4), {}}, make([]bool, i%9)}
	})
	dec := c.Decoder()
	v := new(record)
	batch := func() {
		for pos := 0; pos < len(src); {
			var err error
			if pos, err = dec(src, pos, v); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range 40 {
		batch() // chunks find their size
	}
	if n := testing.AllocsPerRun(100, batch); n > 1 {
		t.Errorf("%v allocations for a batch, expected at most 1", n)
	}
}

// A few long slices get memory of their own and leave the chunk to others.
func TestLongSlicesWasteNoChunk(t *testing.T) {
	a := newArena(1)
	typ := reflect.TypeFor[[]int64]()
	a.restart(0)
	a.take(0, 1, typ, 8)
	left := a.chunks[0].left
	a.restart(0)
	for _, n := range []int{1000, 100, 70} {
		a.take(0, n, typ, 8)
	}
	if got := a.chunks[0].left; got != left {
		t.Errorf("%d of %d elements are left", got, left)
	}
	for range 1000 {
		a.take(0, 100, typ, 8)
	}
	if got := a.chunks[0].size * 8; got > maxChunk || got < 64<<10 {
		t.Errorf("a chunk has %d bytes after a batch that needs 800000", got)
	}
}

// A type that holds itself by a slice, map or pointer that is the type asked for is cloned to its depth as well.
func TestClonesOfTypesThatBeginWithASlice(t *testing.T) {
	c, err := Of[forest]()
	if err != nil {
		t.Fatal(err)
	}
	made := func() forest { return shelfOf(5).Woods }
	for name, f := range map[string]func(*forest){"clone": c.Cloner(), "keep": c.Keeper()} {
		v := made()
		w := v
		f(&w)
		w[0].In[0].N, (*w[0].Over)[0].N, w[0].Of["x"][0].N = 9, 9, 9
		if !reflect.DeepEqual(v, made()) {
			t.Errorf("%s shares memory: %+v", name, v)
		}
	}
	if got := roundTripOf(t, made()); !reflect.DeepEqual(got, made()) {
		t.Errorf("%+v does not come back", got)
	}
}

// allocated is how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// False counts may not multiply, however deep slices are nested.
func TestCorruptCountsAllocateLittle(t *testing.T) {
	const size = 32 << 10
	count := "\x80\x80\x01" // 16384, less one
	trees, err := Of[tree]()
	if err != nil {
		t.Fatal(err)
	}
	deep, err := Of[[][][][][][][]string]()
	if err != nil {
		t.Fatal(err)
	}
	for name, decode := range map[string]func() error{
		"a tree": func() error {
			_, err := trees.Decoder()(strings.Repeat("\x00"+count, size/4), 0, new(tree))
			return err
		},
		"slices of slices": func() error {
			_, err := deep.Decoder()(strings.Repeat(count, 7)+strings.Repeat("\x02", size), 0, new([][][][][][][]string))
			return err
		},
	} {
		if got := allocated(func() {
			if decode() == nil {
				t.Errorf("%s: decoded", name)
			}
		}); got > 64*size {
			t.Errorf("%s: %d bytes allocated for %d that are corrupt", name, got, size)
		}
	}
}

func TestDamagedBatchesAllocateLittle(t *testing.T) {
	c, src := encoded(t, 200, shelfOf)
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		b := []byte(src)
		for range 1 + rnd.IntN(4) {
			b[rnd.IntN(len(b))] = byte(rnd.Uint32())
		}
		damaged := string(b)
		if got := allocated(func() { _, _ = decodeAll(c.Decoder(), damaged) }); got > uint64(64*len(src)) {
			t.Fatalf("%d bytes allocated for %d that are damaged", got, len(src))
		}
	}
}

// FuzzDecodeBatch: what is decoded from a batch is what is decoded value by value, and stays as it was.
func FuzzDecodeBatch(f *testing.F) {
	c, src := encoded(f, 12, shelfOf)
	f.Add(src)
	f.Fuzz(func(t *testing.T, src string) {
		got, err := decodeAll(c.Decoder(), src)
		alone, errAlone := decodeAll(func(src string, pos int, v *shelf) (int, error) { return c.Decoder()(src, pos, v) }, src)
		if (err == nil) != (errAlone == nil) || len(got) != len(alone) {
			t.Fatalf("%d values and %v in a batch, %d and %v one by one", len(got), err, len(alone), errAlone)
		}
		if !reflect.DeepEqual(got, alone) {
			t.Fatalf("a batch decodes as\n%+v\none by one as\n%+v", got, alone)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	b.Run("string", func(b *testing.B) { benchDecode(b, func(i int) string { return strings.Repeat("x", i%40) }) })
	b.Run("fixed", func(b *testing.B) { benchDecode(b, func(i int) [3]int64 { return [3]int64{int64(i), 1, 2} }) })
	b.Run("strings", func(b *testing.B) {
		benchDecode(b, func(i int) []string { return []string{"a", strings.Repeat("b", i%9)} })
	})
}

// benchDecode: an operation is a value.
func benchDecode[T any](b *testing.B, of func(int) T) {
	c, src := encoded(b, 1000, of)
	dec := c.Decoder()
	v := new(T)
	pos := 0
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if pos, err = dec(src, pos, v); err != nil {
			b.Fatal(err)
		}
		if pos == len(src) {
			pos = 0
		}
	}
}
