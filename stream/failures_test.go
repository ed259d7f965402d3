package stream_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/weft-project/weft/rpc/planpb"
	"github.com/weft-project/weft/stream"
)

// fail is the author's function that fails.
func fail() {
	var none []int
	_ = none[len(none)]
}

var errBoom = errors.New("no such table")

// boomReader is a reader of a split that fails as told.
type boomReader struct {
	panics bool
	err    error
	close  error
}

// Read is SplitReader's.
func (r boomReader) Read(emit func(*ev)) (stream.SourceStatus, error) {
	if r.panics {
		fail()
	}
	if r.err != nil {
		return stream.SourceMore, r.err
	}
	emit(&ev{"a", 1})
	return stream.SourceEnd, nil
}

// Close is SplitReader's.
func (r boomReader) Close() error { return r.close }

// badGenerator fails when it sees a record.
type badGenerator struct{}

// OnEvent is WatermarkGenerator's.
func (badGenerator) OnEvent(*ev, int64, func(int64)) { fail() }

// OnPeriodic is WatermarkGenerator's.
func (badGenerator) OnPeriodic(func(int64)) {}

// badTrigger fails as told.
type badTrigger struct {
	stream.QuietTrigger
	onElement bool
}

// OnElement is Trigger's.
func (b badTrigger) OnElement(_ int64, w stream.TimeWindow, c *stream.TriggerContext) stream.TriggerResult {
	if b.onElement {
		fail()
	}
	c.SetTimer(w.MaxTimestamp())
	return stream.Continue
}

// OnEventTime is Trigger's.
func (badTrigger) OnEventTime(int64, stream.TimeWindow, *stream.TriggerContext) stream.TriggerResult {
	fail()
	return stream.Continue
}

// badCodec fails when it is encoded.
type badCodec struct{ N int64 }

// AppendWeft is codec.Coder's.
func (*badCodec) AppendWeft([]byte) []byte {
	fail()
	return nil
}

// DecodeWeft is codec.Coder's.
func (*badCodec) DecodeWeft([]byte) error { return nil }

// unreadable cannot read what it writes.
type unreadable struct{ N int64 }

// AppendWeft is codec.Coder's.
func (*unreadable) AppendWeft(dst []byte) []byte { return append(dst, 1) }

// DecodeWeft is codec.Coder's.
func (*unreadable) DecodeWeft([]byte) error { return errBoom }

type boomCase struct {
	name string
	// build adds an operator "bad", which fails.
	build func(env *stream.Env, s *stream.Stream[ev])
	// at is the time of the record under way; stream.NoTime for none.
	at int64
	// returned: an error, no panic.
	returned bool
}

func boomSource(src stream.SplitSource[ev, int]) func(env *stream.Env, s *stream.Stream[ev]) {
	return func(env *stream.Env, s *stream.Stream[ev]) {
		if src.Plan == nil && src.Discover == nil {
			src.Plan = func(context.Context, int) ([]int, error) { return []int{0}, nil }
		}
		if src.Open == nil {
			src.Open = func(context.Context, int, func()) (stream.SplitReader[ev], error) { return boomReader{}, nil }
		}
		stream.Discard(stream.Union(s, stream.FromSource(env, "bad", src)), "end")
	}
}

func reads(r boomReader) func(context.Context, int, func()) (stream.SplitReader[ev], error) {
	return func(context.Context, int, func()) (stream.SplitReader[ev], error) { return r, nil }
}

func evKey(v ev) string { return v.Key }

func boomCases() []boomCase {
	const at, end = 61_000, 119_999
	sink := func(s *stream.Stream[ev]) { stream.Discard(s, "end") }
	keyed := func(s *stream.Stream[ev]) *stream.KeyedStream[string, ev] { return stream.KeyBy(s, evKey) }
	window := func(s *stream.Stream[ev]) *stream.Windowed[string, ev] {
		return stream.Window(keyed(s), stream.Tumbling(time.Minute))
	}
	process := func(each func(k *stream.Keyed[string])) func(env *stream.Env, s *stream.Stream[ev]) {
		return func(_ *stream.Env, s *stream.Stream[ev]) {
			sink(stream.KeyedProcess(keyed(s), "bad", func(k *stream.Keyed[string], emit func(ev)) func(ev) {
				k.OnTimer(func(stream.Timer) { fail() })
				return func(ev) { each(k) }
			}))
		}
	}
	return []boomCase{
		{"map", func(_ *stream.Env, s *stream.Stream[ev]) {
			sink(stream.Map(s, "bad", func(v ev) ev { fail(); return v }))
		}, at, false},
		{"filter", func(_ *stream.Env, s *stream.Stream[ev]) {
			sink(stream.Filter(s, "bad", func(ev) bool { fail(); return true }))
		}, at, false},
		{"flatMap after it has emitted", func(_ *stream.Env, s *stream.Stream[ev]) {
			sink(stream.Map(stream.FlatMap(s, "bad", func(v ev, emit func(ev)) { emit(v); fail() }), "good", func(v ev) ev { return v }))
		}, at, false},
		{"open", func(_ *stream.Env, s *stream.Stream[ev]) {
			sink(stream.MapWith(s, "bad", func(*stream.Context) func(ev) ev { fail(); return nil }))
		}, stream.NoTime, false},
		{"key", func(_ *stream.Env, s *stream.Stream[ev]) {
			sink(stream.Reduce(stream.KeyBy(s, func(v ev) string { fail(); return "" }), "bad", func(a, _ ev) ev { return a }))
		}, stream.NoTime, false},
		{"partitioner", func(_ *stream.Env, s *stream.Stream[ev]) {
			sink(stream.Map(stream.PartitionBy(stream.Map(s, "bad", func(v ev) ev { return v }), func(ev, int) int { fail(); return 0 }), "good",
				func(v ev) ev { return v }))
		}, at, false},
		{"reduce", func(_ *stream.Env, s *stream.Stream[ev]) {
			sink(stream.Reduce(keyed(s), "bad", func(a, _ ev) ev { fail(); return a }))
		}, stream.NoTime, false},
		{"process function", func(_ *stream.Env, s *stream.Stream[ev]) {
			sink(stream.Process(s, "bad", func(c *stream.ProcessContext, emit func(ev)) func(ev) { return func(ev) { fail() } }))
		}, at, false},
		{"end of a process function", func(_ *stream.Env, s *stream.Stream[ev]) {
			sink(stream.Process(s, "bad", func(c *stream.ProcessContext, emit func(ev)) func(ev) {
				c.OnEnd(fail)
				return func(ev) {}
			}))
		}, stream.NoTime, false},
		{"keyed process function", process(func(*stream.Keyed[string]) { fail() }), at, false},
		{"timer of event time", process(func(k *stream.Keyed[string]) { k.SetTimer(70_000) }), 70_000, false},
		{"state of a codec that fails", func(_ *stream.Env, s *stream.Stream[ev]) {
			byKey := keyed(s)
			declared := stream.DeclareValue[badCodec](byKey, "state")
			sink(stream.KeyedProcess(byKey, "bad", func(k *stream.Keyed[string], emit func(ev)) func(ev) {
				state := declared.In(k)
				return func(v ev) { state.Set(badCodec{v.N}) }
			}))
		}, at, false},
		{"timestamps", func(_ *stream.Env, s *stream.Stream[ev]) {
			sink(stream.AssignTimestamps(s, "bad", stream.Monotonous(func(*ev) int64 { fail(); return 0 })))
		}, at, false},
		{"watermark generator", func(_ *stream.Env, s *stream.Stream[ev]) {
			sink(stream.AssignTimestamps(s, "bad", stream.CustomWatermarks(func(*ev) int64 { return 5 }, func() stream.WatermarkGenerator[ev] { return badGenerator{} })))
		}, at, false},
		{"reduce of a window", func(_ *stream.Env, s *stream.Stream[ev]) {
			sink(stream.ReduceWindow(window(s), "bad", func(a, _ ev) ev { fail(); return a }))
		}, at, false},
		{"window function", func(_ *stream.Env, s *stream.Stream[ev]) {
			sink(stream.ProcessWindow(window(s), "bad", func(*stream.WindowContext[string], []ev, func(ev)) { fail() }))
		}, end, false},
		{"trigger at a record", func(_ *stream.Env, s *stream.Stream[ev]) {
			sink(stream.ReduceWindow(window(s).Trigger(badTrigger{onElement: true}), "bad", func(a, _ ev) ev { return a }))
		}, at, false},
		{"trigger at a timer", func(_ *stream.Env, s *stream.Stream[ev]) {
			sink(stream.ReduceWindow(window(s).Trigger(badTrigger{}), "bad", func(a, _ ev) ev { return a }))
		}, end, false},
		{"interval join", func(_ *stream.Env, s *stream.Stream[ev]) {
			sink(stream.IntervalJoin(keyed(s), keyed(s), 0, time.Second, "bad", func(a, _ ev, emit func(ev)) { fail() }))
		}, at, false},
		{"sink", func(_ *stream.Env, s *stream.Stream[ev]) { stream.ForEach(s, "bad", func(ev) { fail() }) }, at, false},
		{"codec of a sink's line", func(_ *stream.Env, s *stream.Stream[ev]) {
			stream.ForEachWith(s, "bad", func(*stream.Context) func(ev) { return func(v ev) { (&badCodec{v.N}).AppendWeft(nil) } })
		}, at, false},

		{"generator", func(env *stream.Env, s *stream.Stream[ev]) {
			stream.Discard(stream.Generate(env, "bad", 1, func(int64) ev { fail(); return ev{} }), "end")
			sink(s)
		}, stream.NoTime, false},
		{"plan of a source", boomSource(stream.SplitSource[ev, int]{Plan: func(context.Context, int) ([]int, error) { fail(); return nil, nil }}), stream.NoTime, false},
		{"plan of a source gives an error", boomSource(stream.SplitSource[ev, int]{Plan: func(context.Context, int) ([]int, error) { return nil, errBoom }}), stream.NoTime, true},
		{"discovery of splits", boomSource(stream.SplitSource[ev, int]{Discover: func(context.Context, *stream.Enumeration[int]) error { fail(); return nil }}), stream.NoTime, false},
		{"discovery of splits gives an error", boomSource(stream.SplitSource[ev, int]{Discover: func(context.Context, *stream.Enumeration[int]) error { return errBoom }}), stream.NoTime, true},
		{"open of a split", boomSource(stream.SplitSource[ev, int]{Open: func(context.Context, int, func()) (stream.SplitReader[ev], error) { fail(); return nil, nil }}), stream.NoTime, false},
		{"open of a split gives an error", boomSource(stream.SplitSource[ev, int]{Open: func(context.Context, int, func()) (stream.SplitReader[ev], error) { return nil, errBoom }}), stream.NoTime, true},
		{"read of a split", boomSource(stream.SplitSource[ev, int]{Open: reads(boomReader{panics: true})}), stream.NoTime, false},
		{"read of a split gives an error", boomSource(stream.SplitSource[ev, int]{Open: reads(boomReader{err: errBoom})}), stream.NoTime, true},
		{"close of a split gives an error", boomSource(stream.SplitSource[ev, int]{Open: reads(boomReader{close: errBoom})}), stream.NoTime, true},
	}
}

// A codec of the author's that does not read what it wrote is the author's failure: no other attempt would read it.
func TestCodecThatDoesNotReadWhatItWrote(t *testing.T) {
	env := stream.New()
	env.SetParallelism(1)
	env.Set("restart-strategy.type", "none")
	in := stream.Generate(env, "in", 1, func(i int64) unreadable { return unreadable{i} })
	stream.ForEach(stream.Rebalance(in), "bad", func(unreadable) {})
	_, err := env.Execute(t.Context(), "")
	var failed *stream.JobError
	if !errors.As(err, &failed) || failed.Failure == nil {
		t.Fatalf("the job ended with %v", err)
	}
	f := failed.Failure // of the one that copies the record for the other, or of the one that decodes it
	if f.GetDomain() != planpb.FailureDomain_USER || f.GetRetryable() || f.Operator != "in" && f.Operator != "bad" || !strings.Contains(f.Message, errBoom.Error()) {
		t.Errorf("failure %v of operator %q, retryable %t: %s", f.GetDomain(), f.Operator, f.GetRetryable(), f.Message)
	}
	if !strings.Contains(f.Stack, "unreadable).DecodeWeft") {
		t.Errorf("stack %q does not name the method", f.Stack)
	}
}

// Whatever code of the author's fails, the error names operator, subtask, the time of the record, and the author's lines.
func TestFailuresSayWhere(t *testing.T) {
	for _, tt := range boomCases() {
		t.Run(tt.name, func(t *testing.T) {
			env := stream.New()
			env.SetParallelism(1)
			in := stream.FromTimedSource(env, "in", stream.SplitSource[ev, int]{
				Plan: func(context.Context, int) ([]int, error) { return []int{1, 2}, nil },
				Open: func(context.Context, int, func()) (stream.SplitReader[ev], error) { return boomReader{}, nil },
			}, stream.Monotonous(func(*ev) int64 { return 61_000 }))
			tt.build(env, in)
			_, err := env.Execute(t.Context(), "")
			var failed *stream.JobError
			if !errors.As(err, &failed) || failed.Failure == nil {
				t.Fatalf("the job ended with %v", err)
			}
			f := failed.Failure
			if f.GetDomain() != planpb.FailureDomain_USER || f.GetRetryable() {
				t.Errorf("failure of domain %v, retryable: %t", f.GetDomain(), f.GetRetryable())
			}
			if f.Operator != "bad" || f.Subtask != 0 {
				t.Errorf("operator %q, subtask %d: expected \"bad\" and 0", f.Operator, f.Subtask)
			}
			if got := f.RecordTimeMs; tt.at == stream.NoTime && got != nil || tt.at != stream.NoTime && (got == nil || *got != tt.at) {
				t.Errorf("record time %v, expected %d", got, tt.at)
			}
			checkStack(t, f.Stack, tt.returned)
			if tt.returned && f.Message != errBoom.Error() {
				t.Errorf("message %q", f.Message)
			}
			if !strings.Contains(err.Error(), `operator "bad"`) {
				t.Errorf("error %q does not name the operator", err)
			}
		})
	}
}

// checkStack wants the author's frames and no others.
func checkStack(t *testing.T, stack string, returned bool) {
	t.Helper()
	first := ".fail ("
	if returned {
		first = ""
	}
	lines := strings.Split(stack, "\n")
	if !strings.Contains(lines[0], first) {
		t.Errorf("the stack does not begin with the function that failed:\n%s", stack)
	}
	for _, l := range lines {
		if !strings.Contains(l, "stream_test.") || !strings.Contains(l, "failures_test.go:") {
			t.Errorf("frame %q is not the author's", l)
		}
	}
}
