package operator

import (
	"fmt"
	"testing"

	"github.com/weft-project/weft/codec"
	"github.com/weft-project/weft/network"
	"github.com/weft-project/weft/state"
)

type fixed struct {
	ID    int64
	Price float64
	Tags  [4]uint16
	Live  bool
}

func typeFor[T any](tb testing.TB) Type {
	tb.Helper()
	typ, err := TypeOf[T]()
	if err != nil {
		tb.Fatal(err)
	}
	return typ
}

// linkedChain links a chain of nodes and opens it; it gives the first node's input.
func linkedChain[T any](tb testing.TB, nodes ...*Node) (Emit[T], *Chain) {
	tb.Helper()
	for i, n := range nodes[:len(nodes)-1] {
		n.Chained = append(n.Chained, ChainedNode{Node: nodes[i+1]})
	}
	v := &Vertex{Root: nodes[0]}
	chain, err := v.Link(&Context{Ctx: tb.Context(), Parallelism: 1, MaxParallelism: 128, Op: -1}, nil)
	if err != nil {
		tb.Fatal(err)
	}
	if err := chain.Open(); err != nil {
		tb.Fatal(err)
	}
	if len(chain.Inputs) == 0 {
		return nil, chain
	}
	return chain.Inputs[0].(Emit[T]), chain
}

func mapNode[A, B any](tb testing.TB, name string, fn func(A) B) *Node {
	return &Node{Name: name, Out: typeFor[B](tb), Factory: MapFactory(func(*Context) func(A) B { return fn })}
}

// TestNoAllocationForARecordOfFixedSize is the budget of a chain: map, filter, flatMap, mapRef, fan-out and sink.
func TestNoAllocationForARecordOfFixedSize(t *testing.T) {
	var sum int64
	filter := &Node{Name: "filter", Out: typeFor[fixed](t), Factory: FilterFactory(func(*Context) func(fixed) bool {
		return func(f fixed) bool { return f.ID%3 != 0 }
	})}
	flat := &Node{Name: "flatMap", Out: typeFor[fixed](t), Factory: FlatMapFactory(func(*Context) func(fixed, func(fixed)) {
		return func(f fixed, emit func(fixed)) { emit(f); emit(f) }
	})}
	filterRef := &Node{Name: "filterRef", Out: typeFor[fixed](t), Factory: FilterRefFactory(func(*Context) func(*fixed) bool {
		return func(f *fixed) bool { return f.ID%5 != 0 }
	})}
	flatRef := &Node{Name: "flatMapRef", Out: typeFor[fixed](t), Factory: FlatMapRefFactory(func(*Context) func(*fixed, func(fixed)) {
		return func(f *fixed, emit func(fixed)) { emit(*f) }
	})}
	ref := &Node{Name: "mapRef", Out: typeFor[int64](t), Factory: MapRefFactory(func(*Context) func(*fixed, *int64) {
		return func(in *fixed, out *int64) { *out = in.ID + int64(in.Tags[1]) }
	})}
	sink := func(name string) *Node {
		return &Node{Name: name, Factory: SinkFactory(func(*Context) (func(int64), func() error) { return func(v int64) { sum += v }, nil })}
	}
	sinkRef := &Node{Name: "sinkRef", Factory: SinkRefFactory(func(*Context) func(*int64) { return func(v *int64) { sum += *v } })}
	ref.Chained = []ChainedNode{{Node: sink("one sink")}, {Node: sink("another")}, {Node: sinkRef}}
	in, _ := linkedChain[fixed](t, mapNode(t, "map", func(f fixed) fixed { f.ID++; f.Tags[1] = 2; return f }), filter, flat, filterRef, flatRef, ref)
	v := &fixed{ID: 1}
	if n := testing.AllocsPerRun(1000, func() {
		v.ID++
		in(v)
	}); n != 0 {
		t.Errorf("%v allocations for a record", n)
	}
	if sum == 0 {
		t.Error("nothing came through")
	}
}

func TestNoAllocationInAGeneratorAndAReduce(t *testing.T) {
	key, err := codec.KeyOf[int32]()
	if err != nil {
		t.Fatal(err)
	}
	typ, err := codec.Of[fixed]()
	if err != nil {
		t.Fatal(err)
	}
	r := &Reduction[int32, fixed]{Key: key, Of: func(f fixed) int32 { return int32(f.ID % 100) }, Type: typ,
		Open: func(*Context) func(acc, v *fixed) { return func(acc, v *fixed) { acc.Price += v.Price } }}
	for name, factory := range map[string]Factory{"reduce": r.ReduceFactory(), "combine": r.CombineFactory()} {
		source := &Node{Name: "source", Out: typeFor[fixed](t), Factory: GeneratorFactory(1<<50, func(i int64, f *fixed) { f.ID, f.Price = i, 1 })}
		node := &Node{Name: name, Out: typeFor[fixed](t), Factory: factory}
		end := &Node{Name: "end", Factory: DiscardFactory[fixed]()}
		_, chain := linkedChain[fixed](t, source, node, end)
		if n := testing.AllocsPerRun(100, func() {
			if status, err := chain.Source.Poll(); status != More || err != nil {
				t.Fatal(status, err)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations for %d records", name, n, generatorBatch)
		}
	}
}

// Timestamps, processing functions of one and two inputs, and side outputs cost nothing for a record.
func TestNoAllocationInTimestampsAndProcessFunctions(t *testing.T) {
	stamp := Strategy[fixed]{Timestamp: func(f *fixed) int64 { return f.ID }}
	assign := &Node{Name: "timestamps", Out: typeFor[fixed](t), Factory: AssignFactory(stamp)}
	side := Side{Name: "odd", Type: typeFor[fixed](t)}
	var odd, sum int64
	process := &Node{Name: "process", Out: typeFor[fixed](t), Sides: []Side{side}, Factory: ProcessFactory(func(p *Process, emit func(fixed)) func(fixed) {
		next, err := SideOutput[fixed](p.C, p.Op, "odd")
		if err != nil {
			t.Fatal(err)
		}
		slot := new(fixed)
		return func(f fixed) {
			if f.ID%2 == 1 {
				*slot = f
				next(slot)
				return
			}
			emit(f)
		}
	})}
	process.Chained = []ChainedNode{{Output: 1, Node: &Node{Name: "odd ones", Factory: SinkRefFactory(func(*Context) func(*fixed) {
		return func(*fixed) { odd++ }
	})}}}
	union := &Node{Name: "union", Out: typeFor[fixed](t), Factory: UnionFactory[fixed]()}
	both := &Node{Name: "both", Out: typeFor[int64](t), Factory: CoProcessFactory(func(_ *Process, emit func(int64)) (func(fixed), func(int64)) {
		return func(f fixed) { emit(f.ID) }, func(int64) {}
	})}
	end := &Node{Name: "end", Factory: SinkFactory(func(*Context) (func(int64), func() error) { return func(v int64) { sum += v }, nil })}
	in, _ := linkedChain[fixed](t, assign, process, union, both, end)
	v := &fixed{}
	if n := testing.AllocsPerRun(1000, func() {
		v.ID++
		in(v)
	}); n != 0 {
		t.Errorf("%v allocations for a record", n)
	}
	if odd == 0 || sum == 0 {
		t.Errorf("%d records at the side output, sum %d of the others", odd, sum)
	}
}

// A key that was seen costs nothing; a new one its share of pages and slabs.
func TestStringKeysAreCopiedIntoSlabs(t *testing.T) {
	key, err := codec.KeyOf[string]()
	if err != nil {
		t.Fatal(err)
	}
	hash := key.Hasher()
	words := make([]string, 50_000)
	for i := range words {
		words[i] = fmt.Sprint("word", i)
	}
	table := state.NewSlabTable[string, int64](nil)
	fill := func() {
		for _, w := range words {
			v, _ := table.At(w, hash(w))
			*v++
		}
	}
	if n := testing.AllocsPerRun(1, func() { table.Reset(); fill() }); n > 200 {
		t.Errorf("%v allocations for %d new keys", n, len(words))
	}
	if n := testing.AllocsPerRun(5, fill); n != 0 {
		t.Errorf("%v allocations for %d known keys", n, len(words))
	}
	if table.Len() != len(words) || table.Bytes() < int64(len(words))*16 {
		t.Errorf("%d keys, %d bytes", table.Len(), table.Bytes())
	}
}

// TestTwoAllocationsForABufferOfStringsAndSlices is the budget of decoding: one arena for a buffer's strings, one for the elements of
// its slices, whatever is in it.
func TestTwoAllocationsForABufferOfStringsAndSlices(t *testing.T) {
	for name, tt := range map[string]struct{ got, limit float64 }{
		"fixed-size records":          {budgetOf(t, fixedOf), 0},
		"strings":                     {budgetOf(t, wordOf), 2},
		"structs with strings":        {budgetOf(t, placeOf), 2},
		"slices of strings":           {budgetOf(t, listOf), 2},
		"slices of numbers":           {budgetOf(t, numbersOf), 2},
		"slices of slices":            {budgetOf(t, nestedOf), 2},
		"structs with several slices": {budgetOf(t, basketOf), 2},
	} {
		if tt.got > tt.limit {
			t.Errorf("%v allocations for a buffer of %s, expected at most %v", tt.got, name, tt.limit)
		}
	}
}

// bufferOf is a network buffer of 32 KiB, full but for a record.
func bufferOf[T any](tb testing.TB, value func(i int) T) network.Item {
	tb.Helper()
	c, err := codec.Of[T]()
	if err != nil {
		tb.Fatal(err)
	}
	encode := c.Encoder()
	var item network.Item
	for ; len(item.Data) < 32<<10-512; item.Records++ {
		v := value(item.Records)
		item.Data = encode(item.Data, &v)
	}
	return item
}

// budgetOf is how many allocations a reader makes for a 32 KiB buffer.
func budgetOf[T any](t *testing.T, value func(i int) T) float64 {
	t.Helper()
	item := bufferOf(t, value)
	seen := 0
	r, err := typeFor[T](t).NewReader(Emit[T](func(*T) { seen++ }), new(int64), false)
	if err != nil {
		t.Fatal(err)
	}
	allocations := testing.AllocsPerRun(200, func() {
		if got, err := r.Process(item); got != item.Records || err != nil {
			t.Fatalf("%d records of %d: %v", got, item.Records, err)
		}
	})
	if seen != 201*item.Records {
		t.Fatalf("%d records came, expected %d", seen, 201*item.Records)
	}
	return allocations
}

// A buffer that is not what a writer makes is refused, whatever is wrong with it.
func TestCorruptBuffers(t *testing.T) {
	r, err := typeFor[string](t).NewReader(Emit[string](func(*string) {}), new(int64), false)
	if err != nil {
		t.Fatal(err)
	}
	good := []byte("\x03abc\x01d")
	if n, err := r.Process(network.Item{Data: good, Records: 2}); n != 2 || err != nil {
		t.Fatalf("%d records: %v", n, err)
	}
	for name, item := range map[string]network.Item{
		"cut short":      {Data: good[:5], Records: 2},
		"too many bytes": {Data: good, Records: 1},
		"too few":        {Data: good, Records: 3},
		"another batch":  {Kind: network.Batch, Batch: &Batch[int64]{}},
	} {
		if _, err := r.Process(item); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// A buffer of values that are their own encoding is checked as others are.
func TestCorruptBuffersOfFixedSize(t *testing.T) {
	for _, timed := range []bool{false, true} {
		var times []int64
		at := new(int64)
		r, err := typeFor[[2]int64](t).NewReader(Emit[[2]int64](func(*[2]int64) { times = append(times, *at) }), at, timed)
		if err != nil {
			t.Fatal(err)
		}
		record := make([]byte, 16)
		if timed {
			record = append([]byte{6}, record...) // 3 ms after the one before
		}
		good := append(append([]byte(nil), record...), record...)
		if n, err := r.Process(network.Item{Data: good, Records: 2}); n != 2 || err != nil || (timed && (times[0] != 3 || times[1] != 6)) {
			t.Fatalf("timed %v: %d records with times %v: %v", timed, n, times, err)
		}
		for name, item := range map[string]network.Item{"cut short": {Data: good[:len(good)-1], Records: 2}, "too many bytes": {Data: good, Records: 1},
			"too few": {Data: good, Records: 3}, "half": {Data: good[:len(record)], Records: 2}} {
			if _, err := r.Process(item); err == nil {
				t.Errorf("timed %v, %s: no error", timed, name)
			}
		}
	}
}

func BenchmarkChain(b *testing.B) {
	var sum int64
	sink := &Node{Name: "sink", Factory: SinkFactory(func(*Context) (func(fixed), func() error) { return func(f fixed) { sum += f.ID }, nil })}
	in, _ := linkedChain[fixed](b, mapNode(b, "map", func(f fixed) fixed { f.ID++; return f }), sink)
	v := &fixed{}
	b.ReportAllocs()
	for b.Loop() {
		in(v)
	}
}
