package stream_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weft-project/weft/stream"
)

// variant is one way to run a program. What comes out must not depend on it.
type variant struct {
	parallelism int
	mode        stream.Mode
	noChaining  bool
	timeout     string // "" for the default
	reuse       bool
	segment     string // the size of a buffer, "" for the default
}

func (v variant) String() string {
	return fmt.Sprintf("p=%d mode=%d nochain=%t timeout=%q reuse=%t segment=%q", v.parallelism, v.mode, v.noChaining, v.timeout, v.reuse, v.segment)
}

func (v variant) env() *stream.Env {
	env := stream.New()
	env.SetParallelism(v.parallelism)
	env.SetMode(v.mode)
	if v.noChaining {
		env.Set("pipeline.operator-chaining.enabled", "false")
	}
	if v.timeout != "" {
		env.Set("execution.buffer-timeout.interval", v.timeout)
	}
	if v.reuse {
		env.Set("pipeline.object-reuse", "true")
	}
	if v.segment != "" {
		env.Set("taskmanager.memory.segment-size", v.segment)
	}
	return env
}

// variants are all modes and parallelisms, chained and not, and the buffer timeouts at one parallelism.
func variants() []variant {
	var all []variant
	for _, mode := range []stream.Mode{stream.Streaming, stream.Batch, stream.Automatic} {
		for _, p := range []int{1, 2, 3, 7} {
			if mode == stream.Automatic && p%2 != 0 {
				continue // it is one of the others
			}
			all = append(all, variant{parallelism: p, mode: mode})
			if mode != stream.Automatic {
				all = append(all, variant{parallelism: p, mode: mode, noChaining: true})
			}
		}
		for _, timeout := range []string{"0", "-1", "1 ms"} {
			all = append(all, variant{parallelism: 3, mode: mode, timeout: timeout, noChaining: timeout == "0"})
		}
		all = append(all, variant{parallelism: 2, mode: mode, reuse: true})
	}
	return all
}

// results collects what the sinks of a run are given.
type results struct {
	mu      sync.Mutex
	records map[string]int   // how often each record came
	last    map[string]int64 // the highest total of a key: totals only grow, so that is the final one
	updates map[string]int   // how many totals of a key came
}

func newResults() *results {
	return &results{records: map[string]int{}, last: map[string]int64{}, updates: map[string]int{}}
}

// record counts a record that must come in every variant.
func (r *results) record(sink string, v any) {
	text := fmt.Sprintf("%s: %v", sink, v)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.records[text]++
}

// total notes a key's running (STREAMING) or final (BATCH) total.
func (r *results) total(sink string, key any, n int64) {
	text := fmt.Sprintf("%s: %v", sink, key)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.updates[text]++
	r.last[text] = max(n, r.last[text])
}

// same compares two runs and, in BATCH, that each key came once.
func (r *results) same(t *testing.T, v variant, want *results) {
	t.Helper()
	if !maps.Equal(r.records, want.records) {
		t.Errorf("%s: records differ:\n%s", v, firstDifferences(r.records, want.records))
	}
	if !maps.Equal(r.last, want.last) {
		t.Errorf("%s: final totals differ:\n%s", v, firstDifferences(r.last, want.last))
	}
	for k, n := range r.updates {
		if v.mode != stream.Streaming && n != 1 {
			t.Errorf("%s: key %s was emitted %d times, expected the final value only", v, k, n)
			return
		}
	}
}

func firstDifferences[V comparable](got, want map[string]V) string {
	keys := map[string]bool{}
	for k := range got {
		keys[k] = true
	}
	for k := range want {
		keys[k] = true
	}
	var out []string
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		if got[k] != want[k] {
			out = append(out, fmt.Sprintf("  %.80q: %v, expected %v", k, got[k], want[k]))
		}
		if len(out) == 5 {
			break
		}
	}
	return strings.Join(out, "\n")
}

// randomLines is a text with a skewed choice of words, blank lines and some that are long.
func randomLines(seed uint64, n int) []string {
	rnd := rand.New(rand.NewPCG(seed, 42))
	lines := make([]string, n)
	for i := range lines {
		var b strings.Builder
		for range rnd.IntN(12) {
			word := int(rnd.ExpFloat64() * 40)
			b.WriteString(strings.Repeat(" ", 1+rnd.IntN(2)))
			b.WriteString("w" + strconv.Itoa(word) + strings.Repeat("é", word%4))
		}
		if rnd.IntN(100) == 0 {
			b.WriteString(" " + strings.Repeat("long", 2000))
		}
		lines[i] = b.String()
	}
	return lines
}

type word struct {
	Text string
	N    int64
}

func split(line string, emit func(word)) {
	for _, w := range strings.Fields(line) {
		emit(word{w, 1})
	}
}

// program builds a job whose sinks report to r.
type program struct {
	name  string
	build func(env *stream.Env, r *results)
	// mutates: the author's functions change what they were given, which object reuse forbids.
	mutates bool
	// batchOnly: totals of totals, which are other ones in STREAMING.
	batchOnly bool
}

func programs() []program {
	return []program{
		{name: "word count", build: wordCount},
		{name: "union", build: unionProgram},
		{name: "partitioners", build: partitionersProgram},
		{name: "fan-out", build: fanOut, mutates: true},
		{name: "several sinks", build: severalSinks},
		{name: "reduce of structs", build: reduceStructs},
		{name: "diamond", build: diamond},
		{name: "large records", build: largeRecords},
		{name: "totals of totals", build: totalsOfTotals, batchOnly: true},
	}
}

func wordCount(env *stream.Env, r *results) {
	lines := stream.FromSlice(env, "text", randomLines(1, 800))
	trimmed := stream.Map(lines, "trim", strings.TrimSpace)
	full := stream.Filter(trimmed, "not empty", func(s string) bool { return s != "" })
	words := stream.FlatMap(full, "split", split)
	keyed := stream.KeyBy(words, func(w word) string { return w.Text })
	stream.ForEach(stream.Sum(keyed, "sum", func(w *word) *int64 { return &w.N }), "sums", func(w word) { r.total("sum", w.Text, w.N) })
	stream.ForEach(stream.Count(keyed, "count"), "counts", func(c stream.Counted[string]) { r.total("count", c.Key, c.N) })
	most := stream.Reduce(stream.KeyBy(full, func(s string) int { return len(s) % 17 }), "longest", func(a, b string) string {
		if len(b) > len(a) || len(b) == len(a) && b > a {
			return b
		}
		return a
	})
	stream.ForEach(most, "lengths", func(s string) { r.total("longest", len(s)%17, int64(len(s))) })
}

func unionProgram(env *stream.Env, r *results) {
	a := stream.Generate(env, "a", 2000, func(i int64) int64 { return i })
	b := stream.Map(stream.FromSlice(env, "b", []int64{-1, -2, -3}, stream.Parallelism(1)), "negate", func(v int64) int64 { return -v })
	none := stream.Filter(stream.Generate(env, "c", 100, func(i int64) int64 { return i }, stream.Parallelism(5)), "none", func(int64) bool { return false })
	all := stream.Union(a, b, none, a, stream.Rebalance(b))
	stream.ForEach(all, "all", func(v int64) { r.record("all", v) })
	keyed := stream.KeyBy(stream.Union(a, b), func(v int64) bool { return v%2 == 0 })
	stream.ForEach(stream.Count(keyed, "parity"), "parities", func(c stream.Counted[bool]) { r.total("parity", c.Key, c.N) })
}

func partitionersProgram(env *stream.Env, r *results) {
	s := stream.Generate(env, "numbers", 2000, func(i int64) int32 { return int32(i) })
	s = stream.Map(stream.Rebalance(s), "after rebalance", func(v int32) int32 { return v + 1 }, stream.Parallelism(4))
	s = stream.Filter(stream.Shuffle(s), "after shuffle", func(v int32) bool { return v%3 != 0 })
	s = stream.Map(stream.Rescale(s), "after rescale", func(v int32) int32 { return v * 2 }, stream.Parallelism(2))
	s = stream.Map(stream.Rescale(s), "wider", func(v int32) int32 { return v - 1 }, stream.Parallelism(5))
	s = stream.Map(stream.Rescale(s), "narrower", func(v int32) int32 { return v + 1 }, stream.Parallelism(3))
	s = stream.Filter(stream.Forward(s), "twin", func(v int32) bool { return v%5 != 0 }, stream.Parallelism(3))
	stream.ForEach(stream.Broadcast(s), "to all", func(v int32) { r.record("broadcast", v) }, stream.Parallelism(3))
	stream.ForEachWith(stream.Global(s), "to the first", func(c *stream.Context) func(int32) {
		return func(v int32) { r.record(fmt.Sprint("global at ", c.Subtask()), v) }
	})
}

type basket struct {
	ID    int64
	Items []string
	Price map[string]float64
	Next  *basket
}

// fanOut has consumers that change what they are given, which the others must not see.
func fanOut(env *stream.Env, r *results) {
	s := stream.Generate(env, "baskets", 200, func(i int64) basket {
		return basket{i, []string{"a", "b"}, map[string]float64{"a": float64(i)}, &basket{ID: -i}}
	})
	spoil := func(b basket) basket {
		b.Items[0], b.Price["a"], b.Next.ID = "spoilt", -1, 77
		b.Items = append(b.Items[:1], "more")
		return b
	}
	show := func(sink string) func(basket) {
		return func(b basket) { r.record(sink, fmt.Sprint(b.ID, b.Items, b.Price, b.Next.ID)) }
	}
	stream.ForEach(s, "before", show("before"))
	stream.ForEach(stream.Map(s, "spoil", spoil), "spoilt", show("spoilt"))
	stream.ForEach(stream.Rebalance(s), "elsewhere", show("elsewhere"))
	stream.ForEach(stream.Broadcast(s), "everywhere", func(b basket) {
		show("everywhere")(b)
		spoil(b)
	}, stream.Parallelism(2))
	stream.ForEach(stream.Map(s, "spoil again", spoil, stream.DisableChaining()), "spoilt again", show("spoilt"))
	first := stream.Reduce(stream.KeyBy(s, func(b basket) int64 { return b.ID % 10 }), "smallest", func(a, b basket) basket {
		a.ID = max(a.ID, b.ID)
		return a
	})
	stream.ForEach(first, "highest", func(b basket) {
		r.total("highest", b.ID%10, b.ID)
		spoil(b)
	})
	stream.ForEach(s, "after", show("after"))
}

func severalSinks(env *stream.Env, r *results) {
	s := stream.Generate(env, "numbers", 1500, func(i int64) uint16 { return uint16(i * 7) })
	for i := range 4 {
		stream.ForEach(s, fmt.Sprint("sink ", i), func(v uint16) { r.record(strconv.Itoa(i), v) })
	}
	stream.ForEach(stream.MapRef(s, "ref", func(in *uint16, out *string) { *out = strconv.Itoa(int(*in)) }, stream.StartNewChain()),
		"texts", func(s string) { r.record("text", s) }, stream.SlotSharingGroup("other"))
	stream.Discard(s, "nothing")
	grouped := stream.KeyBy(s, func(v uint16) [2]uint8 { return [2]uint8{uint8(v % 5), uint8(v % 3)} })
	stream.ForEach(stream.Count(grouped, "groups", stream.Parallelism(2)), "counts", func(c stream.Counted[[2]uint8]) { r.total("group", c.Key, c.N) })
}

type place struct {
	Country string
	Zone    int16
}

type sale struct {
	At    place
	When  time.Time
	Cents int64
	Count uint32
	Sum   float64
}

func reduceStructs(env *stream.Env, r *results) {
	began := time.Unix(1_700_000_000, 0)
	sales := stream.GenerateRef(env, "sales", 2500, func(i int64, s *sale) {
		rnd := rand.New(rand.NewPCG(uint64(i), 7))
		*s = sale{place{strings.Repeat("x", rnd.IntN(6)), int16(rnd.IntN(9) - 4)}, began.Add(time.Duration(i%5) * time.Hour), rnd.Int64N(1000), 1, 0.25}
	})
	perPlace := stream.ReduceRef(stream.KeyBy(sales, func(s sale) place { return s.At }), "per place", func(acc, s *sale) {
		acc.Cents += s.Cents
		acc.Count += s.Count
		acc.Sum += s.Sum
	})
	stream.ForEach(perPlace, "places", func(s sale) {
		r.total("cents", s.At, s.Cents)
		r.total("count", s.At, int64(s.Count))
		r.total("quarters", s.At, int64(s.Sum*4))
	})
	perHour := stream.Sum(stream.KeyBy(sales, func(s sale) time.Time { return s.When }), "per hour", func(s *sale) *uint32 { return &s.Count })
	stream.ForEach(perHour, "hours", func(s sale) { r.total("hour", s.When.Unix(), int64(s.Count)) })
}

// diamond parts a stream and joins it again.
func diamond(env *stream.Env, r *results) {
	s := stream.Generate(env, "numbers", 8000, func(i int64) int64 { return i })
	even := stream.Filter(s, "even", func(v int64) bool { return v%2 == 0 })
	odd := stream.Map(stream.Rebalance(stream.Filter(s, "odd", func(v int64) bool { return v%2 != 0 })), "odd elsewhere", func(v int64) int64 { return v })
	both := stream.Union(even, odd, stream.Shuffle(even))
	texts := stream.Map(both, "text", func(v int64) string { return strconv.FormatInt(v%101, 10) })
	stream.ForEach(stream.Count(stream.KeyBy(texts, func(s string) string { return s }), "count"), "counts",
		func(c stream.Counted[string]) { r.total("count", c.Key, c.N) })
}

func largeRecords(env *stream.Env, r *results) {
	s := stream.Generate(env, "blobs", 60, func(i int64) []byte { return []byte(strings.Repeat(string(rune('a'+i%26)), int(i*i*11))) })
	s = stream.Map(stream.Rebalance(s), "upper", func(b []byte) []byte { return append(b, '!') })
	stream.ForEach(stream.Shuffle(s), "lengths", func(b []byte) { r.record("blob", fmt.Sprint(len(b), string(b[:1]))) })
}

func totalsOfTotals(env *stream.Env, r *results) {
	words := stream.FlatMap(stream.FromSlice(env, "text", randomLines(2, 800)), "split", split)
	counts := stream.Count(stream.KeyBy(words, func(w word) string { return w.Text }), "words")
	perLength := stream.Sum(stream.KeyBy(counts, func(c stream.Counted[string]) int { return len(c.Key) }), "per length",
		func(c *stream.Counted[string]) *int64 { return &c.N })
	stream.ForEach(perLength, "lengths", func(c stream.Counted[string]) { r.total("length", len(c.Key), c.N) })
	different := stream.Count(stream.KeyBy(counts, func(c stream.Counted[string]) int64 { return c.N }), "how many come so often")
	stream.ForEach(different, "frequencies", func(c stream.Counted[int64]) { r.total("frequency", c.Key, c.N) })
}

// TestResultsDoNotDependOnHowAProgramRuns runs every program in every variant.
func TestResultsDoNotDependOnHowAProgramRuns(t *testing.T) {
	for _, p := range programs() {
		t.Run(p.name, func(t *testing.T) {
			var want *results
			for _, v := range variants() {
				if p.batchOnly && v.mode == stream.Streaming || p.mutates && v.reuse {
					continue
				}
				env, got := v.env(), newResults()
				p.build(env, got)
				if _, err := env.Execute(t.Context(), p.name); err != nil {
					t.Fatalf("%s: %v", v, err)
				}
				if want == nil {
					want = got
				}
				if len(got.records)+len(got.last) == 0 {
					t.Fatalf("%s: nothing came out", v)
				}
				got.same(t, v, want)
			}
		})
	}
}

// TestWordCountIsRight compares with a count made by hand, so that all variants are not wrong in the same way.
func TestWordCountIsRight(t *testing.T) {
	want := map[string]int64{}
	for _, l := range randomLines(1, 800) {
		for _, w := range strings.Fields(l) {
			want["sum: "+w]++
			want["count: "+w]++
		}
	}
	env, got := variant{parallelism: 3, mode: stream.Batch}.env(), newResults()
	wordCount(env, got)
	if _, err := env.Execute(t.Context(), "word count"); err != nil {
		t.Fatal(err)
	}
	maps.DeleteFunc(got.last, func(k string, _ int64) bool { return strings.HasPrefix(k, "longest") })
	if !maps.Equal(got.last, want) {
		t.Errorf("counts differ:\n%s", firstDifferences(got.last, want))
	}
}
