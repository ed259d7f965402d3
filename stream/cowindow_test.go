package stream_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/weft-project/weft/stream"
)

type coWindows = *stream.CoWindowed[string, ev, ev]

// Statements of Flink's documentation about windows, which hold for those of two streams too, one test each.
func TestWindowsOfTwoStreams(t *testing.T) {
	same := func(w coWindows) coWindows { return w }
	left := func(b *bench, n, ts int64) { give(b, 0, ev{"a", n}, ts) }
	right := func(b *bench, n, ts int64) { give(b, 1, ev{"a", n}, ts) }
	lateA, lateB := stream.NewSide[ev]("late a"), stream.NewSide[ev]("late b")
	for _, tt := range []struct {
		name     string
		assigner stream.WindowAssigner
		of       func(w coWindows) coWindows
		run      func(b *bench)
		want     []string
	}{
		{"the default trigger fires once the watermark passes the end of the window", stream.Tumbling(10 * ms), same,
			func(b *bench) {
				left(b, 1, 1)
				right(b, 2, 2)
				b.watermark(8)
				b.out = append(b.out, "8")
				b.watermark(9)
			},
			[]string{"8", "[1] [2] @9"}},
		{"a trigger overwrites the default trigger, and counts the elements of both streams", stream.Tumbling(10 * ms),
			func(w coWindows) coWindows { return w.Trigger(stream.OnCount(2)) },
			func(b *bench) { left(b, 1, 1); right(b, 2, 2); left(b, 3, 3) }, []string{"[1] [2] @9"}},
		{"FIRE_AND_PURGE clears the content of both", stream.Tumbling(10 * ms),
			func(w coWindows) coWindows { return w.Trigger(stream.Purging(stream.OnCount(2))) },
			func(b *bench) { left(b, 1, 1); right(b, 2, 2); left(b, 3, 3); left(b, 4, 3) }, []string{"[1] [2] @9", "[3 4] [] @9"}},
		{"a global window is only useful with a trigger", stream.GlobalWindow(),
			func(w coWindows) coWindows { return w.Trigger(stream.OnCount(3)) },
			func(b *bench) { left(b, 1, 1); right(b, 2, 500); left(b, 3, 900) }, []string{"[1 3] [2]"}},
		{"allowed lateness is 0: elements behind the watermark are dropped", stream.Tumbling(10 * ms), same,
			func(b *bench) { left(b, 1, 1); b.watermark(9); right(b, 2, 2) }, []string{"[1] [] @9"}},
		{"a late but not dropped element causes the window to fire again", stream.Tumbling(10 * ms),
			func(w coWindows) coWindows { return w.AllowedLateness(5 * ms) },
			func(b *bench) { left(b, 1, 1); b.watermark(9); right(b, 2, 2); b.watermark(13); left(b, 3, 3) },
			[]string{"[1] [] @9", "[1] [2] @9", "[1 3] [2] @9"}},
		{"elements later than the allowed lateness go to the side output of their stream", stream.Tumbling(10 * ms),
			func(w coWindows) coWindows { return w.AllowedLateness(5*ms).LateTo(lateA, lateB) },
			func(b *bench) { left(b, 1, 1); b.watermark(14); left(b, 2, 2); right(b, 3, 3) },
			[]string{"[1] [] @9", "late a {a 2} @2", "late b {a 3} @3"}},
		{"the late elements of one stream are dropped where only the other's have a side output", stream.Tumbling(10 * ms),
			func(w coWindows) coWindows { return w.LateTo(nil, lateB) },
			func(b *bench) { b.watermark(9); left(b, 2, 2); right(b, 3, 3) }, []string{"late b {a 3} @3"}},
		{"an evictor removes elements of both streams before the function, by order of arrival", stream.Tumbling(10 * ms),
			func(w coWindows) coWindows { return w.Evict(stream.EvictCount[stream.Either[ev, ev]](2)) },
			func(b *bench) { left(b, 1, 1); right(b, 2, 5); left(b, 3, 3) }, []string{"[3] [2] @9"}},
		{"TimeEvictor removes elements with timestamps smaller than max_ts less the interval, of either stream", stream.Tumbling(100 * ms),
			func(w coWindows) coWindows { return w.Evict(stream.EvictTime[stream.Either[ev, ev]](10 * ms)) },
			func(b *bench) { left(b, 1, 50); right(b, 2, 39); right(b, 3, 41) }, []string{"[1] [3] @99"}},
		{"evictors may be called after the function", stream.Tumbling(10 * ms),
			func(w coWindows) coWindows {
				return w.Trigger(stream.OnCount(2)).Evict(stream.EvictCount[stream.Either[ev, ev]](1).AfterFunction())
			},
			func(b *bench) { left(b, 1, 1); right(b, 2, 2); left(b, 3, 3); left(b, 4, 4) }, []string{"[1] [2] @9", "[3 4] [2] @9"}},
		{"what an evictor leaves of sessions is joined", stream.Session(10 * ms),
			func(w coWindows) coWindows { return w.Evict(stream.EvictCount[stream.Either[ev, ev]](3)) },
			func(b *bench) { left(b, 1, 0); right(b, 2, 18); left(b, 3, 9); right(b, 4, 20) }, []string{"[3] [2 4] @29"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := operate(t, "group", func(env *stream.Env, b *bench) {
				w := stream.CoWindow(stream.KeyBy(source[ev](env, "a"), keyOf), stream.KeyBy(source[ev](env, "b"), keyOf), tt.assigner)
				out := stream.CoGroupWindow(tt.of(w), "group", func(_ *stream.WindowContext[string], as, bs []ev, emit func(string)) {
					emit(fmt.Sprint(valuesOf(as), valuesOf(bs)))
				})
				collect(b, out, "")
				collect(b, lateA.From(out), "late a ")
				collect(b, lateB.From(out), "late b ")
			})
			tt.run(b)
			b.end()
			if tt.assigner == stream.GlobalWindow() {
				for i := range b.out {
					b.out[i], _, _ = strings.Cut(b.out[i], " @")
				}
			}
			b.expect(tt.want...)
		})
	}
}

func valuesOf(vs []ev) []int64 {
	out := []int64{}
	for _, v := range vs {
		out = append(out, v.N)
	}
	return out
}

// A join makes the pairs of what the evictor has left.
func TestJoinsOfEvictedWindows(t *testing.T) {
	b := operate(t, "join", func(env *stream.Env, b *bench) {
		w := stream.CoWindow(stream.KeyBy(source[ev](env, "a"), keyOf), stream.KeyBy(source[ev](env, "b"), keyOf), stream.Sliding(20*ms, 10*ms))
		w.Evict(stream.EvictCount[stream.Either[ev, ev]](3))
		collect(b, stream.JoinWindow(w, "join", func(x, y ev) string { return fmt.Sprint(x.N, y.N) }), "")
	})
	give(b, 0, ev{"a", 1}, 1)
	give(b, 0, ev{"a", 2}, 11)
	give(b, 1, ev{"a", 3}, 12)
	give(b, 1, ev{"a", 4}, 13)
	b.end()
	b.expect("2 3 @19", "2 4 @19", "2 3 @29", "2 4 @29")
}

func TestTwoStreamsAreNotJoinedInWindowsThatNeverFire(t *testing.T) {
	for name, a := range map[string]stream.WindowAssigner{"global": stream.GlobalWindow(), "count": stream.CountWindow(3), "sliding count": stream.SlidingCountWindow(3, 1)} {
		env := stream.New()
		w := stream.CoWindow(stream.KeyBy(source[ev](env, "a"), keyOf), stream.KeyBy(source[ev](env, "b"), keyOf), a)
		stream.Discard(stream.JoinWindow(w, "join", func(x, _ ev) ev { return x }), "end")
		if _, err := stream.Compile(env); err == nil || !strings.Contains(err.Error(), "GlobalWindow with a trigger") || !strings.HasPrefix(err.Error(), "stream/cowindow_test.go:") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}
