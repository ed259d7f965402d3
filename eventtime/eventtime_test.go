package eventtime

import (
	"math/rand/v2"
	"testing"
)

// step is something that comes to a valve, and what it says then.
type step struct {
	ch   int
	wm   int64
	kind string // "wm", "idle", "active", "end"
	// what is expected after it
	advanced, changed bool
	last              int64
}

func run(t *testing.T, n int, steps []step) {
	t.Helper()
	v := NewValve(n)
	for i, s := range steps {
		var advanced, changed bool
		switch s.kind {
		case "wm":
			advanced, changed = v.Watermark(s.ch, s.wm)
		case "idle", "active":
			advanced, changed = v.Status(s.ch, s.kind == "idle")
		case "end":
			advanced, changed = v.End(s.ch)
		}
		if advanced != s.advanced || changed != s.changed || v.Last() != s.last {
			t.Errorf("step %d: advanced %t, changed %t, watermark %d; expected %t, %t, %d", i, advanced, changed, v.Last(), s.advanced, s.changed, s.last)
		}
	}
}

func TestTheLowestWatermarkOfAllInputsCounts(t *testing.T) {
	run(t, 2, []step{
		{0, 10, "wm", false, false, None},
		{1, 5, "wm", true, false, 5},
		{1, 20, "wm", true, false, 10},
		{0, 15, "wm", true, false, 15},
		{0, 12, "wm", false, false, 15}, // it never goes back
		{0, 30, "wm", true, false, 20},
	})
}

func TestIdleInputsAreLeftOut(t *testing.T) {
	run(t, 2, []step{
		{0, 10, "wm", false, false, None},
		{1, 0, "idle", true, false, 10},
		{0, 20, "wm", true, false, 20},
		{1, 0, "active", false, false, 20},
		{0, 30, "wm", true, false, 30}, // the other is behind what was said: it is not waited for
		{1, 25, "wm", false, false, 30},
		{1, 30, "wm", false, false, 30}, // now it has caught up
		{0, 40, "wm", false, false, 30},
		{1, 35, "wm", true, false, 35},
	})
}

func TestWhenAllInputsAreIdleSoIsTheOutput(t *testing.T) {
	run(t, 2, []step{
		{0, 10, "wm", false, false, None},
		{1, 5, "wm", true, false, 5},
		{0, 0, "idle", false, false, 5},
		{1, 0, "idle", true, true, 10}, // nobody holds the others back any more
		{1, 0, "active", false, true, 10},
		{1, 8, "wm", false, false, 10},
		{1, 11, "wm", true, false, 11},
	})
}

func TestInputsThatEndAreNotWaitedFor(t *testing.T) {
	run(t, 3, []step{
		{0, 10, "wm", false, false, None},
		{1, 0, "end", false, false, None},
		{2, 5, "wm", true, false, 5},
		{2, Max, "wm", true, false, 10},
		{0, 0, "idle", false, true, 10},
		{0, 0, "active", false, true, 10},
		{0, 20, "wm", true, false, 20},
		{0, 0, "end", true, false, Max},
	})
}

// The watermark never goes back and never passes that of an input that has been active all the time.
func TestValveNeverGoesBack(t *testing.T) {
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		n := 1 + rnd.IntN(4)
		v, at := NewValve(n), make([]int64, n)
		for i := range at {
			at[i] = None
		}
		last := int64(None)
		for range 200 {
			ch := rnd.IntN(n)
			switch rnd.IntN(6) {
			case 0:
				v.Status(ch, ch != 0 && rnd.IntN(2) == 0) // input 0 stays active
			default:
				wm := rnd.Int64N(1000)
				v.Watermark(ch, wm)
				at[ch] = max(at[ch], wm)
			}
			if v.Last() < last || v.Last() > at[0] {
				t.Fatalf("seed %d: watermark %d after %d, input 0 is at %d", seed, v.Last(), last, at[0])
			}
			last = v.Last()
		}
		for ch := range n {
			v.End(ch)
		}
		if v.Last() != Max {
			t.Fatalf("seed %d: watermark %d after the end", seed, v.Last())
		}
	}
}

func TestProgress(t *testing.T) {
	p := NewProgress(5)
	if p.Watermark() != None {
		t.Errorf("watermark %d before the first record", p.Watermark())
	}
	for _, ts := range []int64{100, 90, 110} {
		p.See(ts)
	}
	if p.Watermark() != 104 {
		t.Errorf("watermark %d, expected 104", p.Watermark())
	}
}

func TestIdleness(t *testing.T) {
	i := NewIdleness(100)
	for _, s := range []struct {
		records, now  int64
		changed, idle bool
	}{{0, 1000, false, false}, {0, 1099, false, false}, {0, 1100, true, true}, {0, 1200, false, true}, {1, 1300, true, false}, {1, 1399, false, false}, {1, 1400, true, true}} {
		if changed := i.Look(s.records, s.now); changed != s.changed || i.Idle() != s.idle {
			t.Errorf("at %d: changed %t, idle %t", s.now, changed, i.Idle())
		}
	}
	never := NewIdleness(0)
	never.Look(0, 0)
	if never.Look(0, 1<<40) {
		t.Error("idle without a timeout")
	}
}

func TestSplitsOfASource(t *testing.T) {
	s := NewSplits()
	s.Add("a")
	s.Add("b")
	if s.Watermark("a", 10) || !s.Watermark("b", 7) || s.Last() != 7 {
		t.Errorf("watermark %d, expected the lowest of both, 7", s.Last())
	}
	if !s.Status("b", true) || s.Last() != 10 || s.Idle() {
		t.Errorf("watermark %d, expected 10 without the idle split", s.Last())
	}
	s.Status("b", false)
	if s.Watermark("a", 30) || s.Last() != 10 {
		t.Errorf("watermark %d went on without split b", s.Last())
	}
	if !s.Remove("b") || s.Last() != 30 {
		t.Errorf("watermark %d, expected 30 after the end of split b", s.Last())
	}
	if s.Remove("a"); !s.Idle() || s.Last() != 30 {
		t.Error("without splits the source is idle")
	}
}

func TestSlots(t *testing.T) {
	for _, tt := range []struct{ ts, size, offset, want int64 }{
		{0, 10, 0, 0}, {9, 10, 0, 0}, {10, 10, 0, 10}, {-1, 10, 0, -10}, {-10, 10, 0, -10}, {14, 10, 5, 5}, {4, 10, 5, -5}, {15, 10, 5, 15}, {3, 10, -7, 3},
	} {
		if got := Slot(tt.ts, tt.size, tt.offset); got != tt.want {
			t.Errorf("slot of %d, size %d, offset %d: %d, expected %d", tt.ts, tt.size, tt.offset, got, tt.want)
		}
	}
	if w := (Window{0, Max}); w.MaxTimestamp() != Max || w.CleanupTime(5) != Max {
		t.Error("a window without end ends")
	}
}
