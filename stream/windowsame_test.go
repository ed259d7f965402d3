package stream_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/weft-project/weft/stream"
)

// The usual trigger has ways of its own, panes and lazy timers. They give what the same trigger gives when it is asked for
// each record.
func TestUsualWindowsAreThoseOfTheTrigger(t *testing.T) {
	type windowed = *stream.Windowed[string, ev]
	for seed := range uint64(300) {
		rnd := rand.New(rand.NewPCG(seed, 3))
		size, slide := 1+rnd.Int64N(40), 1+rnd.Int64N(20)
		lateness := time.Duration(rnd.Int64N(3) * rnd.Int64N(30))
		a := stream.Sliding(time.Duration(size)*ms, time.Duration(slide)*ms).Offset(time.Duration(rnd.Int64N(20)-10) * ms)
		switch rnd.IntN(3) {
		case 0:
			a = stream.Tumbling(time.Duration(size) * ms)
		case 1:
			a = stream.Session(time.Duration(1+size/4) * ms)
		}
		usual := windowBench(t, a, func(w windowed) windowed { return w.AllowedLateness(lateness * ms) })
		asked := windowBench(t, a, func(w windowed) windowed { return w.AllowedLateness(lateness * ms).Trigger(stream.OnEventTime()) })
		wm := int64(-50)
		for i := range int64(150) {
			if rnd.IntN(5) == 0 {
				wm += rnd.Int64N(20)
				usual.watermark(wm)
				asked.watermark(wm)
			} else {
				key, ts := fmt.Sprint("k", rnd.IntN(3)), max(wm, -40)+rnd.Int64N(60)-30
				usual.ev(key, i, ts)
				asked.ev(key, i, ts)
			}
			same(t, seed, usual, asked)
		}
		usual.end()
		asked.end()
		same(t, seed, usual, asked)
		if t.Failed() {
			t.Fatalf("size %d, slide %d, lateness %d", size, slide, lateness)
		}
	}
}

func same(t *testing.T, seed uint64, a, b *bench) {
	t.Helper()
	slices.Sort(a.out)
	slices.Sort(b.out)
	if !slices.Equal(a.out, b.out) {
		t.Fatalf("seed %d: the usual window gave\n%q, its trigger\n%q", seed, a.out, b.out)
	}
	a.out, b.out = nil, nil
}

// Windows are what their definition says: all records of the window that were not late, and of none other.
func TestWindowsHoldTheirRecords(t *testing.T) {
	for seed := range uint64(100) {
		rnd := rand.New(rand.NewPCG(seed, 4))
		slide := 1 + rnd.Int64N(10)
		size := slide * (1 + rnd.Int64N(12))
		b := windowBench(t, stream.Sliding(time.Duration(size)*ms, time.Duration(slide)*ms), nil)
		sums := map[string]int64{}
		for i := range int64(100) {
			ts, key := rnd.Int64N(300), fmt.Sprint("k", rnd.IntN(4))
			b.ev(key, i, ts)
			for start := ts - ts%slide; start > ts-size; start -= slide {
				sums[fmt.Sprintf("%s [%d %d)", key, start, start+size)] += i
			}
		}
		b.end()
		if len(b.out) != len(sums) {
			t.Fatalf("seed %d: %d windows, expected %d", seed, len(b.out), len(sums))
		}
		var want []string
		for w, sum := range sums {
			var start, end int64
			var key string
			if _, err := fmt.Sscanf(w, "%s [%d %d)", &key, &start, &end); err != nil {
				t.Fatal(err)
			}
			want = append(want, fmt.Sprintf("%s %d @%d", w, sum, end-1))
		}
		slices.Sort(want)
		if slices.Sort(b.out); !slices.Equal(b.out, want) {
			t.Fatalf("seed %d, size %d, slide %d: %q, expected %q", seed, size, slide, b.out, want)
		}
	}
}

// A window of an hour that slides by a second joins a few tables each time, not 3,600 panes, and keeps a record once.
func TestLongWindowsOfShortPanes(t *testing.T) {
	merged, added, fired := 0, 0, 0
	b := operate(t, "window", func(env *stream.Env, _ *bench) {
		w := stream.Window(stream.KeyBy(source[ev](env, "in"), keyOf), stream.Sliding(time.Hour, time.Second))
		out := stream.AggregateWindowWith(w, "window", stream.Aggregate[ev, int64, int64]{
			Add:    func(acc *int64, e *ev) { added++; *acc += e.N },
			Merge:  func(acc, other *int64) { merged++; *acc += *other },
			Result: func(acc *int64) int64 { return *acc },
		}, func(c *stream.WindowContext[string], n int64, _ func(int)) {
			if fired++; c.Window.Start >= 0 && c.Window.End <= 7_200_000 && n != 3600 {
				t.Errorf("window %v has %d records", c.Window, n)
			}
		})
		stream.Discard(out, "end")
	})
	for i := range int64(7200) {
		b.ev("a", 1, i*1000)
		b.watermark(i * 1000)
	}
	b.end()
	if added != 7200 || fired != 7200+3599 || merged > 26*fired {
		t.Errorf("%d records were added, expected 7200; %d windows fired with %d joins", added, fired, merged)
	}
}
