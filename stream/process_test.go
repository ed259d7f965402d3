package stream_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weft-project/weft/operator"
	"github.com/weft-project/weft/stream"
)

func keyOf(e ev) string { return e.Key }

// What Flink's documentation says of timers, a statement a test.
func TestTimers(t *testing.T) {
	tests := []struct {
		statement string
		each      func(k *stream.Keyed[string], e ev)
		play      func(b *bench)
	}{
		{"an event-time timer fires when the watermark has come to its time", func(k *stream.Keyed[string], e ev) { k.SetTimer(e.N) }, func(b *bench) {
			b.ev("a", 10, 1)
			b.watermark(9)
			b.expect()
			b.watermark(10)
			b.expect("a due 10 @10")
		}},
		{"timers are of a key and a time: set twice they fire once", func(k *stream.Keyed[string], e ev) { k.SetTimer(e.N) }, func(b *bench) {
			b.ev("a", 10, 1)
			b.ev("a", 10, 2)
			b.ev("b", 10, 3)
			b.watermark(100)
			b.expect("a due 10 @10", "b due 10 @10")
			b.end()
			b.expect()
		}},
		{"timers fire in order of time", func(k *stream.Keyed[string], e ev) { k.SetTimer(e.N) }, func(b *bench) {
			b.ev("a", 30, 1)
			b.ev("b", 10, 1)
			b.ev("a", 20, 1)
			b.watermark(100)
			b.expect("b due 10 @10", "a due 20 @20", "a due 30 @30")
		}},
		{"a timer behind the watermark fires with the next watermark", func(k *stream.Keyed[string], e ev) { k.SetTimer(e.N) }, func(b *bench) {
			b.watermark(50)
			b.ev("a", 10, 60)
			b.expect()
			b.watermark(51)
			b.expect("a due 10 @10")
		}},
		{"a timer that was deleted does not fire", func(k *stream.Keyed[string], e ev) {
			k.SetTimer(e.N)
			k.SetTimer(e.N + 1)
			k.DeleteTimer(e.N)
		}, func(b *bench) {
			b.ev("a", 10, 1)
			b.end()
			b.expect("a due 11 @11")
		}},
		{"a timer may set another one, which fires at once when it is due too", func(k *stream.Keyed[string], e ev) { k.SetTimer(e.N) }, func(b *bench) {
			b.ev("again", 10, 1)
			b.watermark(31)
			b.expect("again due 10 @10", "again due 20 @20", "again due 30 @30")
		}},
		{"the end of the input fires all timers of event time and none of processing time", func(k *stream.Keyed[string], e ev) {
			k.SetTimer(e.N)
			k.SetProcessingTimer(e.N)
		}, func(b *bench) {
			b.ev("a", 1<<40, 1)
			b.end()
			b.expect(fmt.Sprintf("a due %d @%d", 1<<40, 1<<40), "end")
		}},
		{"a processing-time timer fires by the clock, and what it emits has no timestamp", func(k *stream.Keyed[string], e ev) { k.SetProcessingTimer(e.N) }, func(b *bench) {
			b.ev("a", 20, 1)
			b.ev("b", 10, 1)
			b.watermark(1000)
			b.time(9)
			b.expect()
			b.time(30)
			b.expect("b due 10 by the clock", "a due 20 by the clock")
		}},
		{"a processing-time timer that was deleted does not fire", func(k *stream.Keyed[string], e ev) {
			k.SetProcessingTimer(e.N)
			k.DeleteProcessingTimer(e.N)
		}, func(b *bench) {
			b.ev("a", 10, 1)
			b.time(100)
			b.expect()
		}},
		{"when the clock is set back timers wait", func(k *stream.Keyed[string], e ev) { k.SetProcessingTimer(k.ProcessingTime() + e.N) }, func(b *bench) {
			b.time(1000)
			b.ev("a", 10, 1)
			b.time(500)
			b.expect()
			b.time(1010)
			b.expect("a due 1010 by the clock")
		}},
	}
	for _, tt := range tests {
		t.Run(tt.statement, func(t *testing.T) {
			tt.play(operate(t, "timers", func(env *stream.Env, b *bench) {
				out := stream.KeyedProcess(stream.KeyBy(source[ev](env, "in"), keyOf), "timers", func(k *stream.Keyed[string], emit func(string)) func(ev) {
					k.OnTimer(func(x stream.Timer) {
						by := ""
						if x.Processing {
							by = " by the clock"
						}
						emit(fmt.Sprint(k.Key(), " due ", x.At, by))
						if k.Key() == "again" {
							k.SetTimer(x.At + 10)
						}
					})
					k.OnEnd(func() {
						if strings.HasPrefix(t.Name(), "TestTimers/the_end") {
							b.out = append(b.out, "end")
						}
					})
					return func(e ev) { tt.each(k, e) }
				})
				collect(b, out, "")
			}))
		})
	}
}

// State belongs to the key of the record, in timers to that of the timer.
func TestKeyedStateInFunctions(t *testing.T) {
	b := operate(t, "count", func(env *stream.Env, b *bench) {
		in := stream.KeyBy(source[ev](env, "in"), keyOf)
		ns := stream.DeclareValue[int64](in, "n")
		lists := stream.DeclareList[int64](in, "seen")
		maps := stream.DeclareMap[int64, string](in, "by")
		highest := stream.DeclareReducing(in, "most", func(acc, v *int64) { *acc = max(*acc, *v) })
		means := stream.DeclareAggregating(in, "mean", sumOf())
		out := stream.KeyedProcess(in, "count", func(k *stream.Keyed[string], emit func(string)) func(ev) {
			n, seen, by, most, mean := ns.In(k), lists.In(k), maps.In(k), highest.In(k), means.In(k)
			k.OnTimer(func(stream.Timer) {
				m, _ := most.Get()
				sum, _ := mean.Result()
				emit(fmt.Sprint(k.Key(), *n.Ref(), seen.Get(), by.Size(), m, sum))
			})
			return func(e ev) {
				*n.Ref()++
				seen.Add(e.N)
				by.Put(e.N%2, e.Key)
				most.Add(e.N)
				mean.Add(e)
				k.SetTimer(100)
			}
		})
		collect(b, out, "")
	})
	b.ev("a", 5, 1)
	b.ev("b", 7, 1)
	b.ev("a", 3, 1)
	b.end()
	b.expect("a2 [5 3] 1 5 8 @100", "b1 [7] 1 7 7 @100")
}

// What cannot be kept is refused while the graph is built, with the field and the author's line.
func TestStateThatCanNotBeKept(t *testing.T) {
	type held struct {
		Name string
		In   struct{ Done chan int }
	}
	type by struct{ Share float64 }
	for want, declare := range map[string]func(env *stream.Env, in *stream.KeyedStream[string, ev]){
		`state "value": stream_test.held.In.Done: chan int cannot be encoded`: func(_ *stream.Env, in *stream.KeyedStream[string, ev]) {
			stream.DeclareValue[held](in, "value")
		},
		`state "list": []stream_test.held[].In.Done`: func(_ *stream.Env, in *stream.KeyedStream[string, ev]) {
			stream.DeclareList[[]held](in, "list")
		},
		`state "map": stream_test.by.Share: float64 cannot be a key`: func(_ *stream.Env, in *stream.KeyedStream[string, ev]) {
			stream.DeclareMap[by, int64](in, "map")
		},
		`state "folded": stream_test.held.In.Done`: func(_ *stream.Env, in *stream.KeyedStream[string, ev]) {
			stream.DeclareReducing(in, "folded", func(acc, v *held) {})
		},
		`state "mean": stream_test.held.In.Done`: func(_ *stream.Env, in *stream.KeyedStream[string, ev]) {
			stream.DeclareAggregating(in, "mean", stream.Aggregate[int, held, int]{})
		},
		`state "rules": func() cannot be encoded`: func(env *stream.Env, _ *stream.KeyedStream[string, ev]) {
			stream.DeclareBroadcast[string, func()](env, "rules")
		},
		`state "own": error cannot be encoded`: func(env *stream.Env, _ *stream.KeyedStream[string, ev]) {
			stream.DeclareOperatorList[error](env, "own")
		},
		`state "shared": error cannot be encoded`: func(env *stream.Env, _ *stream.KeyedStream[string, ev]) {
			stream.DeclareUnionList[error](env, "shared")
		},
		`a state needs a name`: func(_ *stream.Env, in *stream.KeyedStream[string, ev]) { stream.DeclareValue[int](in, "") },
	} {
		env := stream.New()
		declare(env, stream.KeyBy(source[ev](env, "in"), keyOf))
		_, err := stream.Compile(env)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "stream/process_test.go:") {
			t.Errorf("error %v, expected the line and %s", err, want)
		}
	}
}

func TestStateDeclaredTwiceInOneOperator(t *testing.T) {
	defer func() {
		if err, ok := operator.Aborted(recover()); !ok || !strings.Contains(err.Error(), `state "f" is declared twice`) {
			t.Errorf("error %v", err)
		}
	}()
	operate(t, "bad", func(env *stream.Env, b *bench) {
		in := stream.KeyBy(source[ev](env, "in"), keyOf)
		one, two := stream.DeclareValue[int](in, "f"), stream.DeclareList[string](in, "f")
		stream.Discard(stream.KeyedProcess(in, "bad", func(k *stream.Keyed[string], _ func(int)) func(ev) {
			one.In(k)
			two.In(k)
			return func(ev) {}
		}), "end")
	})
}

func TestSideOutputs(t *testing.T) {
	odd, unread := stream.NewSide[string]("odd"), stream.NewSide[int32]("unread")
	b := operate(t, "split", func(env *stream.Env, b *bench) {
		in := stream.Map(source[ev](env, "in"), "apart", func(e ev) ev { return e }, stream.DisableChaining())
		main := stream.Process(in, "split", func(c *stream.ProcessContext, emit func(ev)) func(ev) {
			toOdd, nowhere := odd.Emitter(c), unread.Emitter(c)
			return func(e ev) {
				nowhere(1)
				if e.N%2 != 0 {
					toOdd(fmt.Sprint("odd ", e.N))
					return
				}
				emit(e)
			}
		})
		collect(b, main, "main ")
		collect(b, odd.From(main), "")
		collect(b, odd.From(main), "again ")
	})
	b.ev("a", 1, 5)
	b.ev("a", 2, 6)
	b.expect("odd 1 @5", "again odd 1 @5", "main {a 2} @6")
}

func TestTwoInputs(t *testing.T) {
	b := operate(t, "both", func(env *stream.Env, b *bench) {
		in := stream.KeyBy(source[ev](env, "a"), keyOf)
		last := stream.DeclareValue[int64](in, "seen")
		out := stream.KeyedCoProcess(in, stream.KeyBy(source[int64](env, "b"), func(n int64) string { return fmt.Sprint(n) }), "both",
			func(k *stream.Keyed[string], emit func(string)) (func(ev), func(int64)) {
				seen := last.In(k)
				return func(e ev) { seen.Set(e.N); k.SetTimer(50) }, func(int64) {
					if n, ok := seen.Get(); ok {
						emit(fmt.Sprint(k.Key(), " was ", n))
					}
				}
			})
		collect(b, out, "")
	})
	b.ev("7", 1, 0)
	give(b, 1, int64(8), 3)
	give(b, 1, int64(7), 4)
	b.expect("7 was 1 @4")
}

func TestRulesForAllKeys(t *testing.T) {
	b := operate(t, "rules", func(env *stream.Env, b *bench) {
		in := stream.KeyBy(source[ev](env, "in"), keyOf)
		known, counts := stream.DeclareBroadcast[string, int64](env, "limits"), stream.DeclareValue[int64](in, "over")
		out := stream.KeyedBroadcastProcess(in, source[ev](env, "limits"), "rules",
			func(k *stream.Keyed[string], emit func(string)) (func(ev), func(ev)) {
				limits, over := known.In(k), counts.In(k)
				return func(e ev) {
					if limit, ok := limits.Lookup(e.Key); ok && e.N > limit {
						*over.Ref()++
						emit(fmt.Sprint(e.Key, " over ", limit, ", ", *over.Ref(), " times"))
					}
				}, func(rule ev) { limits.Put(rule.Key, rule.N) }
			})
		collect(b, out, "")
	})
	b.ev("a", 10, 0)
	give(b, 1, ev{"a", 5}, 1)
	b.ev("a", 10, 2)
	b.ev("b", 10, 3)
	give(b, 1, ev{"a", 20}, 4)
	b.ev("a", 10, 5)
	b.ev("a", 21, 6)
	b.expect("a over 5, 1 times @2", "a over 20, 2 times @6")
}

// What Flink's documentation says of joins, a statement a test.
func TestJoins(t *testing.T) {
	interval := func(lower, upper time.Duration) func(env *stream.Env, b *bench) {
		return func(env *stream.Env, b *bench) {
			out := stream.IntervalJoin(stream.KeyBy(source[ev](env, "a"), keyOf), stream.KeyBy(source[ev](env, "b"), keyOf), lower, upper, "join",
				func(x, y ev, emit func(string)) { emit(fmt.Sprint(x.Key, x.N, "-", y.N)) })
			collect(b, out, "")
		}
	}
	windowed := func(a stream.WindowAssigner) func(env *stream.Env, b *bench) {
		return func(env *stream.Env, b *bench) {
			out := stream.CoGroupWindow(stream.CoWindow(stream.KeyBy(source[ev](env, "a"), keyOf), stream.KeyBy(source[ev](env, "b"), keyOf), a), "join",
				func(c *stream.WindowContext[string], as, bs []ev, emit func(string)) {
					emit(fmt.Sprint(c.Key, c.Window, as, bs))
				})
			collect(b, out, "")
		}
	}
	tests := []struct {
		statement string
		build     func(env *stream.Env, b *bench)
		play      func(b *bench)
	}{
		{"an interval join joins equal keys whose times are within the bounds, both inclusive", interval(-2*ms, 3*ms), func(b *bench) {
			b.ev("a", 1, 10)
			for _, ts := range []int64{7, 8, 13, 14} {
				give(b, 1, ev{"a", ts}, ts)
				give(b, 1, ev{"b", ts}, ts)
			}
			b.ev("a", 2, 16)
			b.expect("a1-8 @10", "a1-13 @13", "a2-14 @16")
		}},
		{"an interval join gives the later timestamp to what it emits", interval(-10*ms, 10*ms), func(b *bench) {
			give(b, 1, ev{"a", 1}, 20)
			b.ev("a", 2, 15)
			b.expect("a2-1 @20")
		}},
		{"an interval join drops late records, and what no record can meet any more", interval(0, 5*ms), func(b *bench) {
			b.ev("a", 1, 10)
			b.watermark(14)
			give(b, 1, ev{"a", 2}, 13)
			give(b, 1, ev{"a", 3}, 14)
			b.expect("a1-3 @14")
			b.watermark(15)
			give(b, 1, ev{"a", 4}, 15)
			b.expect()
		}},
		{"an interval join may have both bounds on one side", interval(-5*ms, -2*ms), func(b *bench) {
			b.ev("a", 1, 10)
			for ts := int64(4); ts < 10; ts++ {
				give(b, 1, ev{"a", ts}, ts)
			}
			b.expect("a1-5 @10", "a1-6 @10", "a1-7 @10", "a1-8 @10")
		}},
		{"a co-group has the records of both streams in a window, also where one has none", windowed(stream.Tumbling(10 * ms)), func(b *bench) {
			b.ev("a", 1, 1)
			give(b, 1, ev{"a", 2}, 9)
			give(b, 1, ev{"a", 3}, 10)
			b.ev("c", 4, 2)
			b.end()
			b.expect("a{0 10} [{a 1}] [{a 2}] @9", "c{0 10} [{c 4}] [] @9", "a{10 20} [] [{a 3}] @19")
		}},
		{"a co-group in sliding windows has a record in each of its windows", windowed(stream.Sliding(10*ms, 5*ms)), func(b *bench) {
			b.ev("a", 1, 7)
			give(b, 1, ev{"a", 2}, 12)
			b.end()
			b.expect("a{0 10} [{a 1}] [] @9", "a{5 15} [{a 1}] [{a 2}] @14", "a{10 20} [] [{a 2}] @19")
		}},
		{"sessions of a co-group are those of both streams together", windowed(stream.Session(5 * ms)), func(b *bench) {
			b.ev("a", 1, 0)
			give(b, 1, ev{"a", 2}, 4)
			b.ev("a", 3, 8)
			b.end()
			b.expect("a{0 13} [{a 1} {a 3}] [{a 2}] @12")
		}},
	}
	for _, tt := range tests {
		t.Run(tt.statement, func(t *testing.T) { tt.play(operate(t, "join", tt.build)) })
	}
}

// All kinds of window functions say the same of the same records.
func TestWindowFunctions(t *testing.T) {
	type function func(w *stream.Windowed[string, ev]) *stream.Stream[string]
	text := func(s *stream.Stream[ev]) *stream.Stream[string] {
		return stream.Map(s, "text", func(e ev) string { return fmt.Sprint(e.Key, e.N) })
	}
	n := func(e *ev) *int64 { return &e.N }
	add := func(acc, v ev) ev { acc.N += v.N; return acc }
	tests := map[string]struct {
		f    function
		want []string
	}{
		"reduce": {func(w *stream.Windowed[string, ev]) *stream.Stream[string] {
			return text(stream.ReduceWindow(w, "window", add))
		}, []string{"a11 @9", "b4 @9"}},
		"reduceRef": {func(w *stream.Windowed[string, ev]) *stream.Stream[string] {
			return text(stream.ReduceWindowRef(w, "window", func(acc, v *ev) { acc.N += v.N }))
		}, []string{"a11 @9", "b4 @9"}},
		"reduce and process": {func(w *stream.Windowed[string, ev]) *stream.Stream[string] {
			return stream.ReduceWindowWith(w, "window", add, func(c *stream.WindowContext[string], v ev, emit func(string)) {
				emit(fmt.Sprint(c.Key, v.N, c.Window.End))
			})
		}, []string{"a11 10 @9", "b4 10 @9"}},
		"aggregate": {func(w *stream.Windowed[string, ev]) *stream.Stream[string] {
			return stream.Map(stream.AggregateWindow(w, "window", sumOf()), "text", func(v int64) string { return fmt.Sprint(v) })
		}, []string{"11 @9", "4 @9"}},
		"process": {func(w *stream.Windowed[string, ev]) *stream.Stream[string] {
			return stream.ProcessWindow(w, "window", func(c *stream.WindowContext[string], vs []ev, emit func(string)) { emit(fmt.Sprint(c.Key, vs)) })
		}, []string{"a[{a 5} {a 2} {a 4}] @9", "b[{b 4}] @9"}},
		"sum": {func(w *stream.Windowed[string, ev]) *stream.Stream[string] {
			return text(stream.SumWindow(w, "window", n))
		}, []string{"a11 @9", "b4 @9"}},
		"min": {func(w *stream.Windowed[string, ev]) *stream.Stream[string] {
			return text(stream.MinWindow(w, "window", n))
		}, []string{"a2 @9", "b4 @9"}},
		"max": {func(w *stream.Windowed[string, ev]) *stream.Stream[string] {
			return text(stream.MaxWindow(w, "window", n))
		}, []string{"a5 @9", "b4 @9"}},
		"minBy": {func(w *stream.Windowed[string, ev]) *stream.Stream[string] {
			return text(stream.MinByWindow(w, "window", n))
		}, []string{"a2 @9", "b4 @9"}},
		"maxBy": {func(w *stream.Windowed[string, ev]) *stream.Stream[string] {
			return text(stream.MaxByWindow(w, "window", n))
		}, []string{"a5 @9", "b4 @9"}},
	}
	for name, tt := range tests {
		for _, trigger := range []stream.Trigger{nil, stream.OnEventTime()} {
			b := operate(t, "window", func(env *stream.Env, b *bench) {
				w := stream.Window(stream.KeyBy(source[ev](env, "in"), keyOf), stream.Tumbling(10*ms))
				if trigger != nil {
					w.Trigger(trigger)
				}
				collect(b, tt.f(w), "")
			})
			for _, e := range []ev{{"a", 5}, {"b", 4}, {"a", 2}, {"a", 4}} {
				give(b, 0, e, 3)
			}
			b.end()
			if !slices.Equal(b.out, tt.want) {
				t.Errorf("%s: %q, expected %q", name, b.out, tt.want)
			}
		}
	}
}
