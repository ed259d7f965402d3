package stream_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/weft-project/weft/stream"
)

const ms = time.Millisecond

// windowBench has the records of each key in windows, and shows what fires as "key [start end) sum".
func windowBench(t *testing.T, a stream.WindowAssigner, with func(w *stream.Windowed[string, ev]) *stream.Windowed[string, ev]) *bench {
	t.Helper()
	return operate(t, "window", func(env *stream.Env, b *bench) {
		late := stream.NewSide[ev]("late")
		w := stream.Window(stream.KeyBy(source[ev](env, "in"), func(e ev) string { return e.Key }), a).LateTo(late)
		if with != nil {
			w = with(w)
		}
		out := stream.AggregateWindowWith(w, "window", sumOf(), show)
		collect(b, out, "")
		collect(b, late.From(out), "late ")
	})
}

func sumOf() stream.Aggregate[ev, int64, int64] {
	return stream.Aggregate[ev, int64, int64]{
		Add:    func(acc *int64, e *ev) { *acc += e.N },
		Merge:  func(acc, other *int64) { *acc += *other },
		Result: func(acc *int64) int64 { return *acc },
	}
}

func show(c *stream.WindowContext[string], sum int64, emit func(string)) {
	emit(fmt.Sprintf("%s [%d %d) %d", c.Key, c.Window.Start, c.Window.End, sum))
}

// windowCase is a statement of Flink's documentation about windows and triggers.
type windowCase struct {
	statement string
	assigner  stream.WindowAssigner
	with      func(w *stream.Windowed[string, ev]) *stream.Windowed[string, ev]
	play      func(b *bench)
}

func playAll(t *testing.T, tests []windowCase) {
	t.Helper()
	for _, tt := range tests {
		t.Run(tt.statement, func(t *testing.T) { tt.play(windowBench(t, tt.assigner, tt.with)) })
	}
}

// What Flink's documentation says of tumbling and sliding windows.
func TestWindowsOfTime(t *testing.T) {
	playAll(t, []windowCase{
		{"a tumbling window fires when the watermark has come to its last millisecond", stream.Tumbling(10 * ms), nil, func(b *bench) {
			b.ev("a", 1, 0)
			b.ev("a", 2, 9)
			b.ev("b", 4, 5)
			b.ev("a", 8, 10)
			b.watermark(8)
			b.expect()
			b.watermark(9)
			b.expect("a [0 10) 3 @9", "b [0 10) 4 @9")
			b.end()
			b.expect("a [10 20) 8 @19")
		}},
		{"windows are aligned with the epoch, before it too", stream.Tumbling(10 * ms), nil, func(b *bench) {
			b.ev("a", 1, -1)
			b.ev("a", 2, -10)
			b.end()
			b.expect("a [-10 0) 3 @-1")
		}},
		{"an offset moves tumbling windows", stream.Tumbling(10 * ms).Offset(3 * ms), nil, func(b *bench) {
			b.ev("a", 1, 2)
			b.ev("a", 2, 3)
			b.end()
			b.expect("a [-7 3) 1 @2", "a [3 13) 2 @12")
		}},
		{"an offset moves sliding windows", stream.Sliding(10*ms, 5*ms).Offset(-3 * ms), nil, func(b *bench) {
			b.ev("a", 1, 2)
			b.end()
			b.expect("a [-3 7) 1 @6", "a [2 12) 1 @11")
		}},
		{"a record belongs to all the sliding windows that cover it", stream.Sliding(10*ms, 5*ms), nil, func(b *bench) {
			b.ev("a", 1, 7)
			b.ev("a", 2, 12)
			b.watermark(9)
			b.expect("a [0 10) 1 @9")
			b.watermark(14)
			b.expect("a [5 15) 3 @14")
			b.end()
			b.expect("a [10 20) 2 @19")
		}},
		{"the size of sliding windows need not be a multiple of the slide", stream.Sliding(10*ms, 4*ms), nil, func(b *bench) {
			b.ev("a", 1, 5)
			b.end()
			b.expect("a [-4 6) 1 @5", "a [0 10) 1 @9", "a [4 14) 1 @13")
		}},
		{"between windows with a slide longer than their size records are dropped", stream.Sliding(3*ms, 10*ms), nil, func(b *bench) {
			b.ev("a", 1, 2)
			b.ev("a", 2, 3)
			b.ev("a", 4, 11)
			b.end()
			b.expect("a [0 3) 1 @2", "a [10 13) 4 @12")
		}},
		{"windows without records do not exist", stream.Tumbling(10 * ms), nil, func(b *bench) {
			b.ev("a", 1, 0)
			b.ev("a", 2, 1_000_000)
			b.end()
			b.expect("a [0 10) 1 @9", "a [1000000 1000010) 2 @1000009")
		}},
	})
}

// What it says of late records.
func TestLateRecords(t *testing.T) {
	playAll(t, []windowCase{
		{"a record is late when the watermark has passed the end of all its windows", stream.Tumbling(10 * ms), nil, func(b *bench) {
			b.watermark(9)
			b.ev("a", 1, 9)
			b.expect("late {a 1} @9")
			b.watermark(14)
			b.ev("a", 2, 12) // behind the watermark, but its window has not ended
			b.expect()
			b.end()
			b.expect("a [10 20) 2 @19")
		}},
		{"a late record of sliding windows goes into those that have not ended", stream.Sliding(10*ms, 5*ms), nil, func(b *bench) {
			b.watermark(9)
			b.ev("a", 1, 7)
			b.expect()
			b.end()
			b.expect("a [5 15) 1 @14")
		}},
		{"within the allowed lateness each late record fires the window again", stream.Tumbling(10 * ms),
			func(w *stream.Windowed[string, ev]) *stream.Windowed[string, ev] { return w.AllowedLateness(5 * ms) }, func(b *bench) {
				b.ev("a", 1, 1)
				b.watermark(9)
				b.expect("a [0 10) 1 @9")
				b.ev("a", 2, 2)
				b.expect("a [0 10) 3 @9")
				b.watermark(13)
				b.ev("b", 4, 3) // a key that had no record in time
				b.expect("b [0 10) 4 @9")
				b.watermark(14) // end - 1 + lateness
				b.ev("a", 8, 4)
				b.expect("late {a 8} @4")
			}},
		{"allowed lateness of sliding windows counts for each of them", stream.Sliding(10*ms, 5*ms),
			func(w *stream.Windowed[string, ev]) *stream.Windowed[string, ev] { return w.AllowedLateness(5 * ms) }, func(b *bench) {
				b.ev("a", 1, 6)
				b.watermark(14)
				b.expect("a [0 10) 1 @9", "a [5 15) 1 @14")
				b.ev("a", 2, 7) // [0 10) waits until 14
				b.expect("a [5 15) 3 @14")
				b.ev("a", 4, 11)
				b.expect("a [5 15) 7 @14")
				b.end()
				b.expect("a [10 20) 4 @19")
			}},
	})
}

// What it says of sessions and global windows.
func TestSessionsAndGlobalWindows(t *testing.T) {
	playAll(t, []windowCase{
		{"sessions last as long as records follow each other within the gap", stream.Session(10 * ms), nil, func(b *bench) {
			b.ev("a", 1, 0)
			b.ev("a", 2, 9)
			b.ev("a", 4, 30)
			b.ev("b", 8, 5)
			b.watermark(14)
			b.expect("b [5 15) 8 @14")
			b.watermark(18)
			b.expect("a [0 19) 3 @18")
			b.end()
			b.expect("a [30 40) 4 @39")
		}},
		{"a record between two sessions joins them", stream.Session(10 * ms), nil, func(b *bench) {
			b.ev("a", 1, 0)
			b.ev("a", 2, 15)
			b.ev("a", 4, 8)
			b.end()
			b.expect("a [0 25) 7 @24")
		}},
		{"sessions that touch are one", stream.Session(10 * ms), nil, func(b *bench) {
			b.ev("a", 1, 0)
			b.ev("a", 2, 10)
			b.end()
			b.expect("a [0 20) 3 @19")
		}},
		{"a late record may join a session that has not ended", stream.Session(10 * ms), nil, func(b *bench) {
			b.ev("a", 1, 10)
			b.watermark(15)
			b.ev("a", 2, 4) // alone it would be late
			b.ev("b", 4, 4)
			b.expect("late {b 4} @4")
			b.end()
			b.expect("a [4 20) 3 @19")
		}},
		{"a session that has fired and grows within the allowed lateness fires again", stream.Session(10 * ms),
			func(w *stream.Windowed[string, ev]) *stream.Windowed[string, ev] { return w.AllowedLateness(20 * ms) }, func(b *bench) {
				b.ev("a", 1, 0)
				b.watermark(9)
				b.expect("a [0 10) 1 @9")
				b.ev("a", 2, 8)
				b.expect()
				b.watermark(17)
				b.expect("a [0 18) 3 @17")
				b.ev("a", 4, 5)
				b.expect("a [0 18) 7 @17")
				b.watermark(37)
				b.ev("a", 8, 5)
				b.expect("late {a 8} @5")
			}},
		{"a global window fires only by a trigger", stream.GlobalWindow(), nil, func(b *bench) {
			b.ev("a", 1, 0)
			b.end()
			b.expect()
		}},
		{"a count window fires when it is full and begins anew", stream.CountWindow(2), nil, func(b *bench) {
			b.ev("a", 1, 0)
			b.ev("b", 2, 0)
			b.ev("a", 4, 0)
			b.ev("a", 8, 0)
			b.ev("a", 16, 0)
			b.end()
			b.expect(count("a", 5), count("a", 24))
		}},
		{"a sliding count window fires for every slide records, over the last size of them", stream.SlidingCountWindow(3, 2), nil, func(b *bench) {
			for i := range int64(6) {
				b.ev("a", 1<<i, 0)
			}
			b.end()
			b.expect(count("a", 1+2), count("a", 2+4+8), count("a", 8+16+32))
		}},
	})
}

func count(key string, sum int64) string {
	return fmt.Sprintf("%s [%d %d) %d @%d", key, int64(stream.NoTime), int64(stream.MaxTime), sum, int64(stream.MaxTime))
}
