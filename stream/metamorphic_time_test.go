package stream_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/weft-project/weft/stream"
)

// click is a record of the programs with event time.
type click struct {
	User string
	At   int64
	N    int64
	Tags []string
}

// clicks come up to 300 ms out of order, with watermarks often enough that windows fire while the job runs.
func clicks(env *stream.Env, name string, n int64, seed uint64) *stream.Stream[click] {
	env.Set("pipeline.auto-watermark-interval", "1 ms")
	s := stream.Generate(env, name, n, func(i int64) click {
		rnd := rand.New(rand.NewPCG(seed, uint64(i)))
		return click{"user" + strings.Repeat("x", rnd.IntN(5)) + fmt.Sprint(rnd.IntN(20)), i + 1000 - rnd.Int64N(300), rnd.Int64N(100), []string{fmt.Sprint(i % 3)}}
	})
	return stream.AssignTimestamps(s, name+" time", stream.OutOfOrder(300*ms, func(c *click) int64 { return c.At }))
}

func byUser(s *stream.Stream[click]) *stream.KeyedStream[string, click] {
	return stream.KeyBy(s, func(c click) string { return c.User })
}

func windowPrograms() []program {
	return []program{
		{name: "tumbling and sliding", build: alignedWindows},
		{name: "sessions and triggers", build: sessionWindows},
		{name: "timers", build: timersProgram},
		{name: "joins in time", build: joinsProgram},
		{name: "rules", build: rulesProgram},
		{name: "windows of windows", build: windowsOfWindows},
	}
}

func alignedWindows(env *stream.Env, r *results) {
	s := clicks(env, "clicks", 4000, 1)
	sum := func(acc, v click) click { acc.N += v.N; return acc }
	tumbling := stream.Window(byUser(s), stream.Tumbling(500*ms))
	stream.ForEach(stream.ReduceWindowWith(tumbling, "sums", sum, func(c *stream.WindowContext[string], v click, emit func(string)) {
		emit(fmt.Sprint(c.Key, c.Window, v.N))
	}), "tumbling", func(s string) { r.record("tumbling", s) })
	type stats struct {
		Count, Sum int64
		Tags       map[string]int
	}
	agg := stream.Aggregate[click, stats, string]{
		Add: func(acc *stats, v *click) {
			acc.Count++
			acc.Sum += v.N
			if acc.Tags == nil {
				acc.Tags = map[string]int{}
			}
			acc.Tags[v.Tags[0]]++
		},
		Merge: func(acc, other *stats) {
			acc.Count += other.Count
			acc.Sum += other.Sum
			for t, n := range other.Tags {
				acc.Tags[t] += n
			}
		},
		Result: func(acc *stats) string {
			return fmt.Sprint(acc.Count, acc.Sum, acc.Tags["0"], acc.Tags["1"], acc.Tags["2"])
		},
	}
	sliding := stream.Window(byUser(s), stream.Sliding(700*ms, 100*ms))
	stream.ForEach(stream.AggregateWindowWith(sliding, "stats", agg, func(c *stream.WindowContext[string], v string, emit func(string)) {
		emit(fmt.Sprint(c.Key, c.Window, v))
	}), "sliding", func(s string) { r.record("sliding", s) })
	all := stream.WindowAll(s, stream.Tumbling(time.Second))
	stream.ForEach(stream.MaxByWindow(all, "highest", func(c *click) *int64 { return &c.At }), "all", func(c click) { r.record("highest", c.At) })
}

func sessionWindows(env *stream.Env, r *results) {
	s := clicks(env, "clicks", 3000, 2)
	sessions := stream.Window(byUser(s), stream.Session(60*ms))
	counted := stream.ProcessWindow(sessions, "sessions", func(c *stream.WindowContext[string], vs []click, emit func(string)) {
		sum := int64(0)
		for _, v := range vs {
			sum += v.N
		}
		emit(fmt.Sprint(c.Key, c.Window, len(vs), sum))
	})
	stream.ForEach(counted, "each session", func(s string) { r.record("session", s) })
	asked := stream.Window(byUser(s), stream.Session(60*ms)).Trigger(stream.OnEventTime())
	stream.ForEach(stream.SumWindow(asked, "sums", func(c *click) *int64 { return &c.N }), "each sum", func(c click) { r.record("sum", fmt.Sprint(c.User, c.N)) })
	five := stream.Window(byUser(s), stream.CountWindow(5))
	stream.ForEach(stream.SumWindow(five, "fives", func(c *click) *int64 { c.N = 1; return &c.N }), "each five", func(c click) { r.record("five", fmt.Sprint(c.User, c.N)) })
}

func timersProgram(env *stream.Env, r *results) {
	s := clicks(env, "clicks", 3000, 3)
	late := stream.NewSide[string]("odd")
	in := byUser(s)
	declared := stream.DeclareMap[int64, int64](in, "sums")
	totals := stream.KeyedProcess(in, "totals", func(k *stream.Keyed[string], emit func(string)) func(click) {
		sums := declared.In(k)
		odd := late.Emitter(k)
		k.OnTimer(func(t stream.Timer) {
			sum, _ := sums.Get(t.At)
			sums.Delete(t.At)
			emit(fmt.Sprint(k.Key(), t.At, sum))
			if sum%2 != 0 {
				odd(k.Key())
			}
		})
		return func(c click) {
			end := k.Timestamp()/250*250 + 249
			*sums.Ref(end) += c.N
			k.SetTimer(end)
		}
	})
	stream.ForEach(totals, "each total", func(s string) { r.record("total", s) })
	stream.ForEach(late.From(totals), "each odd one", func(s string) { r.record("odd", s) })
	dealt := stream.PartitionBy(s, func(c click, n int) int { return int(c.N) % n })
	stream.ForEach(stream.Process(dealt, "stamped", func(c *stream.ProcessContext, emit func(string)) func(click) {
		return func(v click) { emit(fmt.Sprint(v.At, c.Timestamp())) }
	}), "each stamp", func(s string) { r.record("stamp", s) })
}

func joinsProgram(env *stream.Env, r *results) {
	a, b := byUser(clicks(env, "a", 1500, 4)), byUser(clicks(env, "b", 1500, 5))
	stream.ForEach(stream.IntervalJoin(a, b, -20*ms, 30*ms, "interval", func(x, y click, emit func(string)) { emit(fmt.Sprint(x.User, x.At, y.At)) }),
		"each pair", func(s string) { r.record("pair", s) })
	stream.ForEach(stream.CoGroupWindow(stream.CoWindow(a, b, stream.Tumbling(200*ms)), "group", func(c *stream.WindowContext[string], xs, ys []click, emit func(string)) {
		emit(fmt.Sprint(c.Key, c.Window, len(xs), len(ys)))
	}), "each group", func(s string) { r.record("group", s) })
	stream.ForEach(stream.JoinWindow(stream.CoWindow(a, b, stream.Session(15*ms)), "join", func(x, y click) string { return fmt.Sprint(x.User, x.At, y.At) }),
		"each of a session", func(s string) { r.record("session pair", s) })
	ns := stream.DeclareValue[[2]int64](a, "n")
	both := stream.KeyedCoProcess(a, b, "both", func(k *stream.Keyed[string], emit func(string)) (func(click), func(click)) {
		n := ns.In(k)
		k.OnTimer(func(stream.Timer) { v, _ := n.Get(); emit(fmt.Sprint(k.Key(), v)) })
		first := func(c click) { n.Ref()[0] += c.N; k.SetTimer(stream.MaxTime - 1) }
		return first, func(c click) { n.Ref()[1] += c.N; k.SetTimer(stream.MaxTime - 1) }
	})
	stream.ForEach(both, "each of both", func(s string) { r.record("both", s) })
}

func rulesProgram(env *stream.Env, r *results) {
	rules := stream.FromSlice(env, "rules", []string{"x", "y"}, stream.Parallelism(1))
	s := clicks(env, "clicks", 500, 6)
	rulesSeen := stream.DeclareBroadcast[string, bool](env, "known")
	out := stream.BroadcastProcess(s, rules, "apply", func(c *stream.ProcessContext, emit func(string)) (func(click), func(string)) {
		known := rulesSeen.In(c)
		n := 0
		c.OnEnd(func() { emit(fmt.Sprint("rules ", known.Len())) })
		return func(click) { n++ }, func(rule string) { known.Put(rule, true) }
	}, stream.Parallelism(2))
	stream.ForEach(out, "each", func(s string) { r.record("subtask", s) })
	stream.ForEach(stream.CoMap(s, rules, "text", func(c click) string { return fmt.Sprint(c.N) }, strings.ToUpper), "each text", func(s string) { r.record("text", s) })
	lowest := stream.MinBy(byUser(s), "lowest", func(c *click) *int64 { return &c.N })
	stream.ForEach(lowest, "each lowest", func(c click) { r.total("lowest", c.User, -c.N) })
	highest := stream.Max(byUser(s), "highest", func(c *click) *int64 { return &c.N })
	stream.ForEach(highest, "each highest", func(c click) { r.total("highest", c.User, c.N) })
}

func windowsOfWindows(env *stream.Env, r *results) {
	s := clicks(env, "clicks", 4000, 7)
	type best struct {
		User string
		N    int64
	}
	perUser := stream.AggregateWindowWith(stream.Window(byUser(s), stream.Sliding(400*ms, 200*ms)), "per user", stream.Aggregate[click, int64, int64]{
		Add: func(acc *int64, c *click) { *acc += c.N }, Merge: func(acc, o *int64) { *acc += *o }, Result: func(acc *int64) int64 { return *acc },
	}, func(c *stream.WindowContext[string], n int64, emit func(best)) { emit(best{c.Key, n}) })
	top := stream.ProcessWindow(stream.WindowAll(perUser, stream.Tumbling(200*ms)), "top", func(c *stream.WindowContext[stream.All], vs []best, emit func(string)) {
		high := vs[0]
		for _, v := range vs {
			if v.N > high.N || v.N == high.N && v.User < high.User {
				high = v
			}
		}
		emit(fmt.Sprint(c.Window.End, high, len(vs)))
	})
	stream.ForEach(top, "each top", func(s string) { r.record("top", s) })
}

// Programs with event time give the same in every variant, too.
func TestEventTimeDoesNotDependOnHowAProgramRuns(t *testing.T) {
	for _, p := range windowPrograms() {
		t.Run(p.name, func(t *testing.T) {
			var want *results
			for _, v := range variants() {
				env, got := v.env(), newResults()
				p.build(env, got)
				res, err := env.Execute(t.Context(), p.name)
				if err != nil {
					t.Fatalf("%s: %v", v, err)
				}
				if n := res.Counter("numLateRecordsDropped"); n > 0 {
					t.Fatalf("%s: %d records came late", v, n)
				}
				if want == nil {
					want = got
				}
				if len(got.records)+len(got.last) == 0 {
					t.Fatalf("%s: nothing came out", v)
				}
				got.same(t, v, want)
			}
		})
	}
}
