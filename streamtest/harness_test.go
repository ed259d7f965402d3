package streamtest_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/weft-project/weft/stream"
	"github.com/weft-project/weft/streamtest"
)

// order is the record of these tests.
type order struct {
	Customer string
	Cents    int64
}

type total struct {
	Customer string
	Cents    int64
	Orders   int
}

func customer(o order) string { return o.Customer }

// summed sums the orders of each customer until it has been quiet for a minute, and remembers the last ones.
func summed(in *stream.Stream[order]) *stream.Stream[total] {
	keyed := stream.KeyBy(in, customer)
	sums := stream.DeclareValue[total](keyed, "sum")
	last := stream.DeclareList[int64](keyed, "cents")
	byCents := stream.DeclareMap[int64, string](keyed, "by cents")
	return stream.KeyedProcess(keyed, "sums", func(k *stream.Keyed[string], emit func(total)) func(order) {
		sum, last, byCents := sums.In(k), last.In(k), byCents.In(k)
		k.OnTimer(func(t stream.Timer) {
			s, _ := sum.Get()
			emit(s)
			sum.Clear()
		})
		return func(o order) {
			s := sum.Ref()
			s.Customer = o.Customer
			s.Cents += o.Cents
			if s.Orders++; s.Orders == 1 {
				k.SetTimer(k.Timestamp() + 60_000)
				k.SetProcessingTimer(k.ProcessingTime() + 3_600_000)
			}
			last.Add(o.Cents)
			byCents.Put(o.Cents, o.Customer)
		}
	})
}

func TestHarnessOfKeyedProcess(t *testing.T) {
	h := streamtest.NewHarness(t)
	in := streamtest.NewInput[order](h, "orders")
	out := streamtest.Collect(summed(in.Stream()), "out")
	h.Open()
	in.At(1_000, order{"ann", 5}, order{"bob", 7}, order{"ann", 6})
	streamtest.Ordered(t, out.Take())
	if got := streamtest.Values[string, total](h, "sums", "sum"); len(got) != 2 || got["ann"] != (total{"ann", 11, 2}) {
		t.Errorf("state %v", got)
	}
	streamtest.Ordered(t, streamtest.Lists[string, int64](h, "sums", "cents")["ann"], 5, 6)
	if got := streamtest.Maps[string, int64, string](h, "sums", "by cents")["ann"]; len(got) != 2 || got[6] != "ann" {
		t.Errorf("map %v", got)
	}
	streamtest.Unordered(t, streamtest.Timers[string](h, "sums"), streamtest.Timer[string]{Key: "ann", At: 61_000},
		streamtest.Timer[string]{Key: "bob", At: 61_000}, streamtest.Timer[string]{Key: "ann", At: 3_600_000, Processing: true},
		streamtest.Timer[string]{Key: "bob", At: 3_600_000, Processing: true})
	in.Watermark(60_999)
	streamtest.Ordered(t, out.Take())
	in.Watermark(61_000)
	streamtest.Ordered(t, out.Take(), total{"ann", 11, 2}, total{"bob", 7, 1})
	h.Advance(time.Hour)
	streamtest.Ordered(t, out.Take(), total{}, total{})
	h.End()
}

// A snapshot goes on with another parallelism: state, timers of both kinds.
func TestSnapshotIsRestoredWithAnotherParallelism(t *testing.T) {
	var snapshot *streamtest.Snapshot
	for _, parallelism := range []int{1, 3, 2} {
		h := streamtest.NewHarness(t, streamtest.Parallelism(parallelism))
		in := streamtest.NewInput[order](h, "orders")
		out := streamtest.Collect(summed(in.Stream()), "out")
		h.OpenFrom(snapshot)
		for _, c := range []string{"ann", "bob", "cid", "dan", "eve"} {
			in.At(int64(parallelism)*1_000, order{c, 10})
		}
		snapshot = h.Snapshot()
		if parallelism != 2 {
			continue
		}
		in.Watermark(61_000)
		want := []total{{"ann", 30, 3}, {"bob", 30, 3}, {"cid", 30, 3}, {"dan", 30, 3}, {"eve", 30, 3}}
		streamtest.Unordered(t, out.Take(), want...)
		h.Advance(time.Hour)
		if got := out.Take(); len(got) != 5 {
			t.Errorf("%d timers of processing time have fired, expected 5", len(got))
		}
	}
}

type visit struct{ Page string }

// Two inputs, a side output, idleness, and one input that ends before the other.
func TestHarnessOfTwoInputs(t *testing.T) {
	h := streamtest.NewHarness(t, streamtest.Parallelism(2))
	orders := streamtest.NewInput[order](h, "orders")
	visits := streamtest.NewInput[visit](h, "visits")
	late := stream.NewSide[visit]("unknown")
	byCustomer := stream.KeyBy(orders.Stream(), customer)
	declared := stream.DeclareValue[bool](byCustomer, "seen")
	joined := stream.KeyedCoProcess(byCustomer, stream.KeyBy(visits.Stream(), func(v visit) string { return v.Page }), "join",
		func(k *stream.Keyed[string], emit func(string)) (func(order), func(visit)) {
			seen := declared.In(k)
			unknown := late.Emitter(k)
			k.OnTimer(func(t stream.Timer) { emit(k.Key() + " is due") })
			return func(o order) {
					seen.Set(true)
					k.SetTimer(k.Timestamp())
				}, func(v visit) {
					if known, _ := seen.Get(); !known {
						unknown(v)
					}
				}
		})
	out, side := streamtest.Collect(joined, "out"), streamtest.Collect(late.From(joined), "side")
	h.Open()
	visits.At(10, visit{"ann"})
	orders.At(20, order{"ann", 1})
	visits.At(30, visit{"ann"})
	streamtest.Ordered(t, side.Take(), visit{"ann"})
	orders.Watermark(100)
	streamtest.Ordered(t, out.Take()) // the other input is behind
	visits.Idle(true)
	streamtest.Ordered(t, out.Take(), "ann is due")
	visits.Idle(false)
	visits.Watermark(100)
	orders.At(200, order{"bob", 1})
	orders.Watermark(300)
	streamtest.Ordered(t, out.Take())
	visits.End()
	streamtest.Ordered(t, out.Take(), "bob is due")
	h.End()
}

func TestHarnessOfWindows(t *testing.T) {
	h := streamtest.NewHarness(t)
	in := streamtest.NewInput[order](h, "orders")
	late := stream.NewSide[order]("late")
	sums := stream.SumWindow(stream.Window(stream.KeyBy(in.Stream(), customer), stream.Tumbling(time.Minute)).LateTo(late), "sum",
		func(o *order) *int64 { return &o.Cents })
	out, tooLate := streamtest.Collect(sums, "out"), streamtest.Collect(late.From(sums), "late")
	h.Open()
	in.At(1_000, order{"ann", 1}, order{"bob", 2})
	in.At(61_000, order{"ann", 4})
	in.At(2_000, order{"ann", 8})
	in.Watermark(59_999)
	in.At(3_000, order{"ann", 16})
	h.End()
	streamtest.OrderedByWatermark(t, out,
		streamtest.Until(59_999, order{"bob", 2}, order{"ann", 9}),
		streamtest.Until(stream.MaxTime, order{"ann", 4}))
	streamtest.OnTime(t, out)
	streamtest.Ordered(t, tooLate.Values(), order{"ann", 16})
	if r := out.Records()[0]; r.Time != 59_999 || r.Watermark != stream.NoTime {
		t.Errorf("record %+v", r)
	}
}

// Windows of processing time and periodic watermarks go by the harness's clock.
func TestHarnessClock(t *testing.T) {
	h := streamtest.NewHarness(t, streamtest.OnClock(streamtest.NewClock(time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC))))
	in := streamtest.NewInput[order](h, "orders")
	timed := stream.AssignTimestamps(in.Stream(), "time", stream.Monotonous(func(o *order) int64 { return o.Cents }))
	byEvent := stream.SumWindow(stream.Window(stream.KeyBy(timed, customer), stream.Tumbling(time.Second)), "event", func(o *order) *int64 { return &o.Cents })
	byClock := stream.SumWindow(stream.Window(stream.KeyBy(in.Stream(), customer), stream.Tumbling(time.Minute).InProcessingTime()), "clock",
		func(o *order) *int64 { return &o.Cents })
	event, clock := streamtest.Collect(byEvent, "event out"), streamtest.Collect(byClock, "clock out")
	h.Open()
	in.Push(order{"ann", 100}, order{"ann", 200}, order{"ann", 5_000})
	streamtest.Ordered(t, event.Take())
	h.Advance(200 * time.Millisecond)
	streamtest.Ordered(t, event.Take(), order{"ann", 300})
	streamtest.Ordered(t, clock.Take())
	h.Advance(time.Minute)
	streamtest.Ordered(t, clock.Take(), order{"ann", 5_300})
}

func TestFailuresInAHarness(t *testing.T) {
	h := streamtest.NewHarness(t)
	in := streamtest.NewInput[order](h, "orders")
	stream.Discard(stream.Map(in.Stream(), "parse", func(o order) int64 { return 100 / o.Cents }), "end")
	h.Open()
	err := h.Try(func() { in.At(1_000, order{"ann", 0}) })
	if err == nil {
		t.Fatal("nothing failed")
	}
	for _, part := range []string{`operator "parse", subtask 1, record of 1000 (1970-01-01T00:00:01Z)`, "divide by zero", "harness_test.go:", "TestFailuresInAHarness"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not in: %v", part, err)
		}
	}
	if strings.Contains(err.Error(), "operator.MapFactory") {
		t.Errorf("the engine's frames are in: %v", err)
	}
}

// What is asked of a harness wrongly ends the test with a sentence.
func TestHarnessSaysWhatIsWrong(t *testing.T) {
	open := func(t testing.TB) (*streamtest.Harness, *streamtest.Input[order]) {
		h := streamtest.NewHarness(t)
		in := streamtest.NewInput[order](h, "orders")
		streamtest.Collect(summed(in.Stream()), "out")
		h.Open()
		in.At(0, order{"ann", 1})
		return h, in
	}
	for want, f := range map[string]func(t testing.TB){
		"Open the harness first":  func(t testing.TB) { streamtest.NewHarness(t).End() },
		"the graph was refused":   func(t testing.TB) { streamtest.NewHarness(t).Open() },
		"there is no operator":    func(t testing.TB) { h, _ := open(t); streamtest.Timers[string](h, "some") },
		"there is no such keyed":  func(t testing.TB) { h, _ := open(t); streamtest.Values[string, total](h, "sums", "mus") },
		"it holds other types":    func(t testing.TB) { h, _ := open(t); streamtest.Values[string, int8](h, "sums", "sum") },
		"that belongs to no key":  func(t testing.TB) { h, _ := open(t); streamtest.OperatorList[int64](h, "sums", "sum") },
		"has ended":               func(t testing.TB) { _, in := open(t); in.End(); in.Push(order{}) },
		"was opened already":      func(t testing.TB) { h, _ := open(t); h.Open() },
		"is a source of its own":  withSource,
		"max parallelism of 128":  func(t testing.TB) { h, _ := open(t); restoreInto(t, h.Snapshot(), 64, summed) },
		"that the graph does not": func(t testing.TB) { h, _ := open(t); restoreInto(t, h.Snapshot(), 128, counted) },
		"no such table":           failing,
	} {
		if got := streamtest.Failing(t, f); !strings.Contains(got, want) {
			t.Errorf("%q is not in %q", want, got)
		}
	}
}

func withSource(t testing.TB) {
	h := streamtest.NewHarness(t)
	stream.Discard(stream.FromSlice(h.Env, "numbers", []int64{1}), "end")
	h.Open()
}

func restoreInto(t testing.TB, s *streamtest.Snapshot, maxParallelism int, build func(*stream.Stream[order]) *stream.Stream[total]) {
	h := streamtest.NewHarness(t)
	h.Env.SetMaxParallelism(maxParallelism)
	in := streamtest.NewInput[order](h, "orders")
	streamtest.Collect(build(in.Stream()), "out")
	h.OpenFrom(s)
}

func counted(in *stream.Stream[order]) *stream.Stream[total] {
	return stream.Map(in, "count", func(o order) total { return total{o.Customer, o.Cents, 1} })
}

func failing(t testing.TB) {
	h := streamtest.NewHarness(t)
	in := streamtest.NewInput[order](h, "orders")
	stream.Discard(stream.Map(in.Stream(), "look up", func(order) int { panic(errors.New("no such table")) }), "end")
	h.Open()
	in.Push(order{})
}
