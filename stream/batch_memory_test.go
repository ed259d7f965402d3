package stream_test

import (
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/weft-project/weft/stream"
)

// payload is a record of 100 bytes.
type payload struct {
	Key, N int64
	Body   [84]byte
}

// 64 MiB are dealt out and sorted by key in 16 MiB: what is alive at any moment stays near that.
func TestShuffleKeepsToItsMemory(t *testing.T) {
	const records, keys, managed, spare = 640 << 10, 50_000, 16 << 20, 16 << 20
	var before runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var asked, most atomic.Int64
	look := func() {
		if asked.Add(1)%100_000 != 0 {
			return
		}
		var now runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&now)
		if held := int64(now.HeapAlloc) - int64(before.HeapAlloc); held > most.Load() {
			most.Store(held)
		}
	}
	for _, kind := range []string{"sorted", "summed"} {
		most.Store(0)
		env := stream.New()
		env.SetMode(stream.Batch)
		env.SetParallelism(2)
		env.Set("taskmanager.memory.managed.size", "16 mb")
		s := stream.GenerateRef(env, "records", records, func(i int64, r *payload) { r.Key, r.N = i*7919%keys, 1 })
		byKey := stream.KeyBy(s, func(r payload) int64 { look(); return r.Key })
		var out *stream.Stream[payload]
		if kind == "summed" {
			out = stream.Sum(byKey, "sum", func(r *payload) *int64 { return &r.N })
		} else {
			sum := stream.DeclareValue[int64](byKey, "n")
			out = stream.KeyedProcess(byKey, "count", func(k *stream.Keyed[int64], emit func(payload)) func(payload) {
				n := sum.In(k)
				k.OnTimer(func(stream.Timer) {
					v, _ := n.Get()
					emit(payload{Key: k.Key(), N: v})
				})
				return func(r payload) {
					look()
					*n.Ref() += r.N
					k.SetTimer(stream.MaxTime - 1)
				}
			})
		}
		stream.ForEachWith(out, "tally", func(c *stream.Context) func(payload) {
			total, results := c.Counter("total"), c.Counter("results")
			return func(r payload) { total.Add(r.N); results.Add(1) }
		})
		res, err := env.Execute(t.Context(), kind)
		if err != nil {
			t.Fatal(err)
		}
		if total, results := res.Counter("total"), res.Counter("results"); total != records || results != keys {
			t.Errorf("%s: %d records in %d results", kind, total, results)
		}
		if held := most.Load(); held == 0 || held > managed+spare {
			t.Errorf("%s: %d KiB were alive at a time, expected at most %d", kind, held>>10, (managed+spare)>>10)
		}
		t.Logf("%s: at most %d KiB alive", kind, most.Load()>>10)
	}
}
