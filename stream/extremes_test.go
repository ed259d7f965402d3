package stream_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/weft-project/weft/stream"
)

// Event time that jumps, by records of a far future or past, neither stalls nor crashes windows of any kind.
func TestEventTimeJumps(t *testing.T) {
	const year = int64(365 * 24 * 3600 * 1000)
	for name, a := range map[string]stream.WindowAssigner{
		"tumbling": stream.Tumbling(time.Second),
		"sliding":  stream.Sliding(time.Hour, time.Second),
		"session":  stream.Session(time.Second),
	} {
		b := operate(t, "sum", func(env *stream.Env, b *bench) {
			w := stream.Window(byName(source[ev](env, "in")), a)
			collect(b, stream.ReduceWindow(w, "sum", func(acc, v ev) ev { acc.N += v.N; return acc }), "")
		})
		fired := func() int64 {
			var n int64
			for _, line := range b.out {
				var key string
				var v, at int64
				if _, err := fmt.Sscanf(strings.Trim(line, "{"), "%s %d} @%d", &key, &v, &at); err != nil {
					t.Fatalf("%q: %v", line, err)
				}
				n += v
			}
			b.out = nil
			return n
		}
		b.watermark(0)
		b.ev("a", 1, 500)
		b.ev("a", 1, 9000*year)
		b.watermark(9000*year - 1)
		first := fired()
		b.ev("a", 1, -9000*year) // late by far
		b.ev("a", 1, 20_000_000*year)
		b.watermark(20_000_000 * year)
		second := fired()
		b.ev("a", 1, math.MaxInt64-10)
		b.ev("a", 1, math.MinInt64+10)
		b.end()
		fired()
		if first < 1 || second < 1 {
			t.Errorf("%s: the sums before the jumps are %d and %d, expected windows to have fired", name, first, second)
		}
	}
}

// A trigger that fires every second does so once where event time jumps over a million years, or to the stream's end.
func TestContinuousTriggerJumps(t *testing.T) {
	b := operate(t, "count", func(env *stream.Env, b *bench) {
		w := stream.Window(byName(source[ev](env, "in")), stream.GlobalWindow()).Trigger(stream.EveryEventTime(time.Second))
		collect(b, stream.ReduceWindow(w, "count", func(acc, v ev) ev { acc.N += v.N; return acc }), "")
	})
	b.watermark(0)
	b.ev("a", 1, 500)
	b.watermark(1_000)
	b.watermark(1_999)
	b.expect("{a 1} @" + fmt.Sprint(int64(math.MaxInt64)))
	b.ev("a", 1, 2500)
	b.watermark(1_000_000 * 365 * 24 * 3600 * 1000)
	b.expect("{a 2} @" + fmt.Sprint(int64(math.MaxInt64)))
	b.end() // the next second, and the end of the window
	b.expect("{a 2} @"+fmt.Sprint(int64(math.MaxInt64)), "{a 2} @"+fmt.Sprint(int64(math.MaxInt64)))
}

// A clock that jumps a year ahead fires once what is due; one that jumps back fires nothing twice and goes on.
func TestTheClockJumps(t *testing.T) {
	const year = int64(365 * 24 * 3600 * 1000)
	b := operate(t, "timers", func(env *stream.Env, b *bench) {
		timers := stream.KeyedProcess(byName(source[ev](env, "in")), "timers", func(k *stream.Keyed[string], emit func(string)) func(ev) {
			k.OnTimer(func(tm stream.Timer) { emit(fmt.Sprint(k.Key(), tm.At)) })
			return func(v ev) { k.SetProcessingTimer(v.N) }
		})
		collect(b, timers, "")
	})
	b.time(50)
	b.ev("a", 100, 0)
	b.ev("a", 200, 0)
	b.time(150)
	b.expect("a100")
	b.time(10)
	b.ev("b", 20, 0)
	b.expect()
	b.time(30)
	b.expect("b20")
	b.time(year)
	b.expect("a200")
	b.time(20)
	b.time(2 * year)
	b.expect()

	for name, tr := range map[string]stream.Trigger{"every": stream.EveryProcessingTime(10 * ms), "end": stream.OnProcessingTime()} {
		b := operate(t, "count", func(env *stream.Env, b *bench) {
			w := stream.Window(byName(source[ev](env, "in")), stream.Tumbling(time.Second).InProcessingTime()).Trigger(tr)
			collect(b, stream.ReduceWindow(w, "count", func(acc, v ev) ev { acc.N += v.N; return acc }), "")
		})
		b.time(100)
		b.ev("a", 1, 0)
		b.time(year)
		if n := len(b.out); n == 0 || n > 2 {
			t.Errorf("%s: a jump of a year fired %d times, expected once or twice", name, n)
		}
		b.out = nil
		b.time(50)
		b.ev("a", 1, 0)
		b.time(2 * year)
		if n := len(b.out); n == 0 || n > 2 {
			t.Errorf("%s: after a jump back the next fired %d times, expected once or twice", name, n)
		}
	}
}

// One key with half of all records: what comes out is right, and every operator takes it.
func TestHalfOfAllRecordsHaveOneKey(t *testing.T) {
	const n = 100_000
	for _, mode := range []stream.Mode{stream.Streaming, stream.Batch} {
		env, got := variant{parallelism: 3, mode: mode}.env(), newResults()
		s := stream.Generate(env, "skewed", n, func(i int64) ev {
			if i%2 == 0 {
				return ev{"hot", i}
			}
			return ev{fmt.Sprint("cold ", i%1000), i}
		})
		s = stream.AssignTimestamps(s, "time", stream.Monotonous(func(v *ev) int64 { return v.N / 10 }))
		stream.ForEach(stream.Count(byName(s), "count"), "counts", func(c stream.Counted[string]) { got.total("count", c.Key, c.N) })
		w := stream.Window(byName(s), stream.Sliding(2*time.Second, time.Second))
		sizes := stream.ProcessWindow(w, "sizes", func(c *stream.WindowContext[string], vs []ev, emit func(int64)) { emit(int64(len(vs))) })
		total := stream.Sum(stream.KeyBy(sizes, func(int64) bool { return true }), "all", func(v *int64) *int64 { return v })
		stream.ForEach(total, "total", func(v int64) { got.total("sliding", "", v) })
		if _, err := env.Execute(t.Context(), "skew"); err != nil {
			t.Fatal(err)
		}
		if hot := got.last["count: hot"]; hot != n/2 || len(got.last) != 502 || got.last["sliding: "] != 2*n {
			t.Errorf("mode %d: hot %d, keys %d, in sliding windows %d; expected %d, 502 and %d", mode, hot, len(got.last), got.last["sliding: "], n/2, 2*n)
		}
	}
}

// A million keys of one record each.
func TestAMillionTinyKeys(t *testing.T) {
	const n = 1_000_000
	env := variant{parallelism: 2, mode: stream.Batch}.env()
	s := stream.Generate(env, "keys", n, func(i int64) int64 { return i * 7919 })
	s = stream.AssignTimestamps(s, "time", stream.Monotonous(func(*int64) int64 { return 0 }))
	w := stream.Window(stream.KeyBy(s, func(v int64) int64 { return v }), stream.Tumbling(time.Minute))
	sums := stream.SumWindow(w, "sums", func(v *int64) *int64 { return v })
	stream.ForEachWith(sums, "end", func(c *stream.Context) func(int64) {
		keys, sum := c.Counter("keys"), c.Counter("sum")
		return func(v int64) { keys.Add(1); sum.Add(v) }
	})
	res, err := env.Execute(t.Context(), "tiny keys")
	if err != nil {
		t.Fatal(err)
	}
	if keys, sum := res.Counter("keys"), res.Counter("sum"); keys != n || sum != 7919*n*(n-1)/2 {
		t.Errorf("%d keys with the sum %d, expected %d and %d", keys, sum, n, int64(7919*n*(n-1)/2))
	}
}

// A record of 10 MiB goes through exchanges, windows and state; it is a key as well.
func TestALargeRecord(t *testing.T) {
	const size = 10 << 20
	for _, v := range []variant{{parallelism: 2}, {parallelism: 2, mode: stream.Batch, segment: "1 kb"}} {
		env, got := v.env(), newResults()
		s := stream.Generate(env, "large", 3, func(i int64) ev { return ev{strings.Repeat("x", size+int(i)), 1} })
		s = stream.AssignTimestamps(stream.Rebalance(s), "time", stream.Monotonous(func(*ev) int64 { return 1 }), stream.DisableChaining())
		w := stream.Window(byName(s), stream.Tumbling(time.Second))
		all := stream.ProcessWindow(w, "all", func(c *stream.WindowContext[string], vs []ev, emit func(ev)) { emit(vs[0]) })
		stream.ForEach(stream.Count(byName(all), "count"), "counts", func(c stream.Counted[string]) { got.total("large", len(c.Key)-size, c.N) })
		if _, err := env.Execute(t.Context(), "large record"); err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(got.last) != "map[large: 0:1 large: 1:1 large: 2:1]" {
			t.Errorf("%s: came %v", v, got.last)
		}
	}
}

func byName(s *stream.Stream[ev]) *stream.KeyedStream[string, ev] {
	return stream.KeyBy(s, func(v ev) string { return v.Key })
}
