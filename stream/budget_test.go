package stream_test

import (
	"strings"
	"testing"

	"github.com/weft-project/weft/operator"
	"github.com/weft-project/weft/stream"
)

// point is a record of fixed size.
type point struct{ Key, N, At int64 }

// TestNoAllocationForARecordOfAKnownKey is the budget of operators that remember: none for a record of fixed size whose key
// and window are there.
func TestNoAllocationForARecordOfAKnownKey(t *testing.T) {
	key := func(p point) int64 { return p.Key }
	n := func(p *point) *int64 { return &p.N }
	keyed := func(env *stream.Env) *stream.KeyedStream[int64, point] {
		return stream.KeyBy(source[point](env, "in"), key)
	}
	windowed := func(a stream.WindowAssigner, trigger stream.Trigger) func(env *stream.Env) *stream.Stream[point] {
		return func(env *stream.Env) *stream.Stream[point] {
			w := stream.Window(keyed(env), a)
			if trigger != nil {
				w.Trigger(trigger)
			}
			return stream.SumWindow(w, "op", n)
		}
	}
	tests := []struct {
		name  string
		build func(env *stream.Env) *stream.Stream[point]
		// limit is for 100 records and a watermark, by which event time goes on.
		limit float64
	}{
		{"tumbling", windowed(stream.Tumbling(100*ms), nil), 0},
		{"tumbling of processing time", windowed(stream.Tumbling(1000_000*ms).InProcessingTime(), nil), 0},
		{"sliding, few panes", windowed(stream.Sliding(300*ms, 100*ms), nil), 0},
		{"sliding, many panes", windowed(stream.Sliding(100_000*ms, 10_000*ms), nil), 0},
		{"sessions", windowed(stream.Session(50*ms), nil), 0},
		{"count trigger", windowed(stream.Tumbling(1000_000*ms), stream.OnCount(7)), 0},
		{"count windows", windowed(stream.CountWindow(3), nil), 0},
		{"event-time trigger", windowed(stream.Tumbling(1000_000*ms), stream.OnEventTime()), 0},
		{"windows of all", func(env *stream.Env) *stream.Stream[point] {
			return stream.MaxWindow(stream.WindowAll(source[point](env, "in"), stream.Tumbling(100*ms)), "op", n)
		}, 0},
		{"process", func(env *stream.Env) *stream.Stream[point] {
			return stream.Process(stream.Map(source[point](env, "in"), "apart", func(p point) point { return p }, stream.DisableChaining()), "op",
				func(c *stream.ProcessContext, emit func(point)) func(point) {
					return func(p point) { p.At = c.Timestamp(); emit(p) }
				})
		}, 0},
		{"keyed process", func(env *stream.Env) *stream.Stream[point] {
			in := keyed(env)
			sums, lasts := stream.DeclareValue[int64](in, "sum"), stream.DeclareValue[point](in, "last")
			maps := stream.DeclareMap[int64, int64](in, "each")
			return stream.KeyedProcess(in, "op", func(k *stream.Keyed[int64], emit func(point)) func(point) {
				sum, last, each := sums.In(k), lasts.In(k), maps.In(k)
				k.OnTimer(func(t stream.Timer) { emit(point{k.Key(), *sum.Ref(), t.At}) })
				return func(p point) {
					*sum.Ref() += p.N
					last.Set(p)
					*each.Ref(p.N)++
					k.SetTimer(k.Timestamp()/100*100 + 99)
					k.SetTimer(k.Timestamp()/100*100 + 99)
					emit(p)
				}
			})
		}, 0},
		{"keyed co-process", func(env *stream.Env) *stream.Stream[point] {
			in := keyed(env)
			sums := stream.DeclareReducing(in, "sum", func(acc, v *int64) { *acc += *v })
			return stream.KeyedCoProcess(in, stream.KeyBy(source[point](env, "other"), key), "op",
				func(k *stream.Keyed[int64], emit func(point)) (func(point), func(point)) {
					sum := sums.In(k)
					return func(p point) { sum.Add(p.N); emit(p) }, func(point) {}
				})
		}, 0},
		// What keeps records has lists that double: some ten keys have new ones in each step.
		{"interval join", func(env *stream.Env) *stream.Stream[point] {
			return stream.IntervalJoin(keyed(env), stream.KeyBy(source[point](env, "other"), key), -5*ms, 5*ms, "op",
				func(a, b point, emit func(point)) { emit(point{a.Key, a.N + b.N, b.At}) })
		}, 10},
		{"window join", func(env *stream.Env) *stream.Stream[point] {
			return stream.JoinWindow(stream.CoWindow(keyed(env), stream.KeyBy(source[point](env, "other"), key), stream.Tumbling(100*ms)), "op",
				func(a, b point) point { return point{a.Key, a.N + b.N, b.At} })
		}, 100},
		{"process window", func(env *stream.Env) *stream.Stream[point] {
			return stream.ProcessWindow(stream.Window(keyed(env), stream.Tumbling(100*ms)), "op",
				func(c *stream.WindowContext[int64], all []point, emit func(point)) { emit(all[0]) })
		}, 50},
		{"min by", func(env *stream.Env) *stream.Stream[point] { return stream.MinBy(keyed(env), "op", n) }, 0},
	}
	for _, tt := range tests {
		b := operate(t, "op", func(env *stream.Env, _ *bench) { stream.Discard(tt.build(env), "end") })
		in, at := b.chain.Inputs[0].(operator.Emit[point]), int64(0)
		v, inputs := &point{}, b.chain.Inputs
		var other operator.Emit[point]
		if strings.HasSuffix(tt.name, " join") {
			other = inputs[1].(operator.Emit[point])
		}
		step := func() {
			for i := range int64(100) {
				*v = point{i % 10, i % 3, at}
				b.c.Time, b.c.Now = at, at
				in(v)
				if other != nil {
					other(v)
				}
				at++
			}
			b.watermark(at - 5)
		}
		for range 300 {
			step()
		}
		if n := testing.AllocsPerRun(100, step); n > tt.limit {
			t.Errorf("%s: %v allocations for 100 records and a watermark, expected at most %v", tt.name, n, tt.limit)
		}
	}
}
