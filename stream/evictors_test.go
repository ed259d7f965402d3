package stream_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/weft-project/weft/stream"
)

type keyedWindows = *stream.Windowed[string, ev]

// numbers shows the records of a window.
func numbers(c *stream.WindowContext[string], vs []ev, emit func(string)) {
	var all []int64
	for _, v := range vs {
		all = append(all, v.N)
	}
	emit(fmt.Sprint(c.Key, all))
}

// Statements of Flink's documentation about evictors, and about triggers and sessions by the records, one test each.
func TestEvictors(t *testing.T) {
	distance := func(v, last *ev) float64 { return float64(last.N - v.N) }
	for _, tt := range []struct {
		name     string
		assigner stream.WindowAssigner
		of       func(w keyedWindows) keyedWindows
		process  func(w keyedWindows) *stream.Stream[string] // nil shows the records
		run      func(b *bench)
		want     string
	}{
		{"CountEvictor keeps up to a number of elements and discards the remaining ones from the beginning", stream.Tumbling(10 * ms),
			func(w keyedWindows) keyedWindows { return w.Evict(stream.EvictCount[ev](2)) }, nil,
			func(b *bench) { b.ev("a", 1, 1); b.ev("a", 2, 0); b.ev("a", 3, 2); b.ev("b", 9, 3) }, "a[2 3] @9, b[9] @9"},
		{"TimeEvictor removes all elements with timestamps smaller than max_ts less the interval", stream.Tumbling(100 * ms),
			func(w keyedWindows) keyedWindows { return w.Evict(stream.EvictTime[ev](10 * ms)) }, nil,
			func(b *bench) { b.ev("a", 1, 50); b.ev("a", 2, 39); b.ev("a", 3, 40); b.ev("a", 4, 41) }, "a[1 4] @99"},
		{"DeltaEvictor removes the ones with a delta greater than or equal to the threshold from the last", stream.Tumbling(100 * ms),
			func(w keyedWindows) keyedWindows { return w.Evict(stream.EvictDelta(5, distance)) }, nil,
			func(b *bench) { b.ev("a", 1, 1); b.ev("a", 5, 2); b.ev("a", 6, 3); b.ev("a", 10, 4) }, "a[6 10] @99"},
		{"evictors remove elements after the trigger fires and before the function, for good", stream.Tumbling(100 * ms),
			func(w keyedWindows) keyedWindows {
				return w.Trigger(stream.OnCount(3)).Evict(stream.EvictCount[ev](2))
			}, nil,
			func(b *bench) {
				for i := range int64(6) {
					b.ev("a", i, i)
				}
			}, "a[1 2] @99, a[4 5] @99"},
		{"evictors may be called after the function", stream.Tumbling(100 * ms),
			func(w keyedWindows) keyedWindows {
				return w.Trigger(stream.OnCount(3)).Evict(stream.EvictCount[ev](1).AfterFunction())
			}, nil,
			func(b *bench) {
				for i := range int64(6) {
					b.ev("a", i, i)
				}
			}, "a[0 1 2] @99, a[2 3 4 5] @99"},
		{"an evictor prevents pre-aggregation: a reduce is made of what is left", stream.Sliding(20*ms, 10*ms),
			func(w keyedWindows) keyedWindows { return w.Evict(stream.EvictCount[ev](2)) },
			func(w keyedWindows) *stream.Stream[string] {
				return stream.Map(stream.SumWindow(w, "window", func(e *ev) *int64 { return &e.N }), "show", func(e ev) string { return fmt.Sprint(e.Key, e.N) })
			},
			func(b *bench) { b.ev("a", 1, 1); b.ev("a", 2, 2); b.ev("a", 4, 3) }, "a6 @9, a6 @19"},
		{"an aggregate is made of what is left", stream.Tumbling(10 * ms),
			func(w keyedWindows) keyedWindows { return w.Evict(stream.EvictCount[ev](0)) },
			func(w keyedWindows) *stream.Stream[string] {
				return stream.AggregateWindowWith(w, "window", sumOf(), func(_ *stream.WindowContext[string], n int64, emit func(string)) { emit(fmt.Sprint(n)) })
			},
			func(b *bench) { b.ev("a", 1, 1) }, "0 @9"},
		{"what an evictor leaves of sessions is joined", stream.Session(10 * ms),
			func(w keyedWindows) keyedWindows { return w.Evict(stream.EvictCount[ev](3)) }, nil,
			func(b *bench) { b.ev("a", 1, 0); b.ev("a", 2, 18); b.ev("a", 3, 9); b.ev("a", 4, 20) }, "a[2 3 4] @29"},
		{"a delta trigger fires when the distance to the last element that fired exceeds the threshold", stream.GlobalWindow(),
			func(w keyedWindows) keyedWindows {
				return w.TriggerDelta(10, func(e *ev) float64 { return float64(e.N) })
			}, nil,
			func(b *bench) { b.ev("a", 0, 0); b.ev("a", 10, 1); b.ev("a", 11, 2); b.ev("a", 20, 3); b.ev("a", 0, 4) },
			"a[0 10 11], a[0 10 11 20 0]"},
		{"sessions with a dynamic gap are as long as the records say", stream.Session(time.Second),
			func(w keyedWindows) keyedWindows {
				return w.GapOf(func(e *ev) time.Duration { return time.Duration(e.N) * ms })
			}, nil,
			func(b *bench) { b.ev("a", 5, 0); b.ev("a", 20, 4); b.ev("a", 1, 30) }, "a[5 20] @23, a[1] @30"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := operate(t, "window", func(env *stream.Env, b *bench) {
				w := tt.of(stream.Window(stream.KeyBy(source[ev](env, "in"), keyOf), tt.assigner))
				if tt.process != nil {
					collect(b, tt.process(w), "")
					return
				}
				collect(b, stream.ProcessWindow(w, "window", numbers), "")
			})
			tt.run(b)
			b.end()
			got := strings.Join(b.out, ", ")
			if tt.assigner == stream.GlobalWindow() {
				for i := range b.out {
					b.out[i], _, _ = strings.Cut(b.out[i], " @")
				}
				got = strings.Join(b.out, ", ")
			}
			if got != tt.want {
				t.Errorf("came out %q, expected %q", got, tt.want)
			}
		})
	}
}

func TestWindowFunctionsWithSideOutputsAndCounters(t *testing.T) {
	odd := stream.NewSide[string]("odd")
	b := operate(t, "window", func(env *stream.Env, b *bench) {
		w := stream.Window(stream.KeyBy(source[ev](env, "in"), keyOf), stream.Tumbling(10*ms))
		main := stream.ProcessWindowWith(w, "window", func(c *stream.Context, emit func(int)) func(*stream.WindowContext[string], []ev) {
			toOdd, windows := odd.Emitter(c), c.Counter("windows")
			return func(f *stream.WindowContext[string], vs []ev) {
				windows.Add(1)
				if len(vs)%2 != 0 {
					toOdd(fmt.Sprint(f.Key, windows.Value()))
				}
				emit(len(vs))
			}
		})
		collect(b, main, "")
		collect(b, odd.From(main), "odd ")
	})
	b.ev("a", 1, 1)
	b.ev("b", 1, 1)
	b.ev("b", 1, 2)
	b.end()
	b.expect("odd a1 @9", "1 @9", "2 @9")
}

func TestWindowsThatMakeNoSense(t *testing.T) {
	for want, make := range map[string]func(w *stream.KeyedStream[string, ev]){
		"only sessions have gaps": func(in *stream.KeyedStream[string, ev]) {
			stream.Window(in, stream.Tumbling(ms)).GapOf(func(*ev) time.Duration { return ms })
		},
		"sessions cannot have a delta trigger": func(in *stream.KeyedStream[string, ev]) {
			stream.Window(in, stream.Session(ms)).TriggerDelta(1, func(*ev) float64 { return 0 })
		},
	} {
		env := stream.New()
		make(stream.KeyBy(source[ev](env, "in"), keyOf))
		if _, err := stream.Compile(env); err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "stream/evictors_test.go:") {
			t.Errorf("error %v, expected %s", err, want)
		}
	}
	env := stream.New()
	stream.Discard(stream.GenerateRate(env, "slow", 1, 0, func(i int64) int64 { return i }), "end")
	if _, err := stream.Compile(env); err == nil || !strings.Contains(err.Error(), "0 records a second") {
		t.Errorf("error %v", err)
	}
}
