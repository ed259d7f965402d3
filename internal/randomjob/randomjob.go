package randomjob

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/weft-project/weft/stream"
)

// Sink is told what comes out of a program. It is called from several goroutines.
type Sink interface {
	// Record must come as often in every run.
	Record(sink, text string)
	// Total is a key's running total in STREAMING, its last in BATCH; it only grows, and its last value is the same in every run.
	Total(sink, key string, n int64)
}

// Record is what all streams of these programs carry: a field of each kind of codec.
type Record struct {
	ID, N int64
	Key   int32
	Even  bool
	Text  string
	Tags  []string
}

// String shows a record as sinks tell it, long texts by their beginning and length.
func (r Record) String() string {
	return fmt.Sprintf("%d %d %d %t %.40s(%d) %v", r.ID, r.N, r.Key, r.Even, r.Text, len(r.Text), r.Tags)
}

// builder draws one program.
type builder struct {
	env   *stream.Env
	rnd   *rand.Rand
	sink  Sink
	pool  []*stream.Stream[Record]
	used  []bool
	names int
	slow  bool
}

// Build adds the program of a seed to the environment. Records have times that are at most 50 ms out of order.
func Build(env *stream.Env, seed uint64, sink Sink) { build(env, seed, sink, false) }

// BuildSlow adds the same program with sources that take their time, so that much can happen to it: some are generators with a rate, some
// deal out splits. The same comes out.
func BuildSlow(env *stream.Env, seed uint64, sink Sink) { build(env, seed, sink, true) }

func build(env *stream.Env, seed uint64, sink Sink, slow bool) {
	b := &builder{env: env, rnd: rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15)), sink: sink, slow: slow}
	env.Set("pipeline.auto-watermark-interval", "1 ms")
	for range 1 + b.rnd.IntN(3) {
		b.add(b.source(b.rnd.Uint64()))
	}
	for range 2 + b.rnd.IntN(8) {
		b.add(b.step())
	}
	for i, s := range b.pool {
		if !b.used[i] || b.rnd.IntN(4) == 0 {
			b.end(s)
		}
	}
}

func (b *builder) add(s *stream.Stream[Record]) {
	b.pool = append(b.pool, s)
	b.used = append(b.used, false)
}

// name is one that no other operator has.
func (b *builder) name(kind string) string {
	b.names++
	return fmt.Sprint(kind, " ", b.names)
}

// any is a stream drawn so far; those without a consumer are preferred, so that programs grow long.
func (b *builder) any() *stream.Stream[Record] {
	i := b.rnd.IntN(len(b.pool))
	for range 3 {
		if b.used[i] {
			i = b.rnd.IntN(len(b.pool))
		}
	}
	b.used[i] = true
	return b.pool[i]
}

// options are properties that must not change what comes out.
func (b *builder) options() []stream.Option {
	var out []stream.Option
	switch b.rnd.IntN(8) {
	case 0:
		out = append(out, stream.Parallelism(1+b.rnd.IntN(4)))
	case 1:
		out = append(out, stream.DisableChaining())
	case 2:
		out = append(out, stream.StartNewChain())
	case 3:
		out = append(out, stream.SlotSharingGroup("other"))
	}
	return out
}

func (b *builder) source(seed uint64) *stream.Stream[Record] {
	n, keys, large := int64(50+b.rnd.IntN(500)), 1+b.rnd.IntN(40), b.rnd.IntN(3) == 0
	if b.rnd.IntN(12) == 0 {
		n = 0
	}
	name := b.name("source")
	record := func(i int64) Record {
		rnd := rand.New(rand.NewPCG(seed, uint64(i)))
		r := Record{ID: i*2 - rnd.Int64N(50), N: rnd.Int64N(1000), Key: int32(rnd.IntN(keys)), Even: i%2 == 0, Text: strings.Repeat("ü", rnd.IntN(9))}
		if large && rnd.IntN(100) == 0 {
			r.Text = strings.Repeat("long", 1+rnd.IntN(20_000))
		}
		for t := range rnd.IntN(3) {
			r.Tags = append(r.Tags, fmt.Sprint(t))
		}
		return r
	}
	// The time of a record is its ID. Behind a source of another parallelism records would come in any order.
	times := stream.OutOfOrder(50*time.Millisecond, func(r *Record) int64 { return r.ID })
	switch {
	case b.slow && seed%2 == 0:
		return slowSplits(b.env, name, n, record, times)
	case b.slow:
		return stream.AssignTimestamps(stream.GenerateRate(b.env, name, n, slowRate, record), name+" time", times)
	}
	return stream.AssignTimestamps(stream.Generate(b.env, name, n, record), name+" time", times)
}

func byKey(s *stream.Stream[Record]) *stream.KeyedStream[int32, Record] {
	return stream.KeyBy(s, func(r Record) int32 { return r.Key })
}

// step is one operator, or two, on streams drawn so far.
func (b *builder) step() *stream.Stream[Record] {
	steps := []func() *stream.Stream[Record]{b.change, b.filter, b.flatMap, b.deal, b.deal, b.union, b.everywhere, b.side, b.timers,
		b.tumbling, b.sliding, b.session, b.interval, b.group}
	return steps[b.rnd.IntN(len(steps))]()
}

func (b *builder) change() *stream.Stream[Record] {
	by := b.rnd.Int64N(100)
	return stream.Map(b.any(), b.name("map"), func(r Record) Record {
		r.N, r.Key = r.N*31+by, r.Key%7
		r.Tags = append([]string{"mapped"}, r.Tags...)
		return r
	}, b.options()...)
}

func (b *builder) filter() *stream.Stream[Record] {
	out := b.rnd.Int64N(4)
	return stream.Filter(b.any(), b.name("filter"), func(r Record) bool { return (r.N+r.ID)%4 != out }, b.options()...)
}

func (b *builder) flatMap() *stream.Stream[Record] {
	return stream.FlatMap(b.any(), b.name("flat map"), func(r Record, emit func(Record)) {
		for i := range (r.N + r.ID) % 3 {
			r.N += i
			emit(r)
		}
	}, b.options()...)
}

// deal sends records elsewhere.
func (b *builder) deal() *stream.Stream[Record] {
	s := b.any()
	switch b.rnd.IntN(5) {
	case 0:
		s = stream.Rebalance(s)
	case 1:
		s = stream.Shuffle(s)
	case 2:
		s = stream.Rescale(s)
	case 3:
		s = stream.Global(s)
	case 4:
		s = stream.PartitionBy(s, func(r Record, n int) int { return int(uint64(r.N) % uint64(n)) })
	}
	return stream.Map(s, b.name("dealt"), func(r Record) Record { r.Text += "."; return r }, b.options()...)
}

func (b *builder) union() *stream.Stream[Record] {
	return stream.Filter(stream.Union(b.any(), b.any()), b.name("union"), func(r Record) bool { return (r.N^r.ID)%3 != 0 }, b.options()...)
}

func (b *builder) everywhere() *stream.Stream[Record] {
	return stream.Map(stream.Broadcast(b.any()), b.name("everywhere"), func(r Record) Record { r.N++; return r }, stream.Parallelism(1+b.rnd.IntN(2)))
}

// side parts a stream in two and joins them again, one of them by another way.
func (b *builder) side() *stream.Stream[Record] {
	odd := stream.NewSide[Record](b.name("side"))
	main := stream.Process(b.any(), b.name("part"), func(c *stream.ProcessContext, emit func(Record)) func(Record) {
		aside := odd.Emitter(c)
		return func(r Record) {
			if r.N%2 != 0 {
				aside(r)
			} else {
				emit(r)
			}
		}
	}, b.options()...)
	return stream.Union(main, stream.Rebalance(odd.From(main)))
}

// timers sums the records of each key up to the next full 100 ms.
func (b *builder) timers() *stream.Stream[Record] {
	in := byKey(b.any())
	declared := stream.DeclareMap[int64, int64](in, "sums")
	return stream.KeyedProcess(in, b.name("timers"), func(k *stream.Keyed[int32], emit func(Record)) func(Record) {
		sums := declared.In(k)
		k.OnTimer(func(t stream.Timer) {
			sum, _ := sums.Get(t.At)
			sums.Delete(t.At)
			emit(Record{ID: t.At, N: sum, Key: k.Key(), Text: "timer"})
		})
		return func(r Record) {
			end := k.Timestamp() - mod(k.Timestamp(), 100) + 99
			*sums.Ref(end) += r.N
			k.SetTimer(end)
		}
	}, b.options()...)
}

func mod(a, n int64) int64 { return ((a % n) + n) % n }

// fired makes a record of a window's result; its time is the window's.
func fired(c *stream.WindowContext[int32], r Record, emit func(Record)) {
	emit(Record{ID: c.Window.End - 1, N: r.N, Key: c.Key, Even: r.N%2 == 0, Text: "window"})
}

func add(acc, r Record) Record {
	acc.N += r.N
	return acc
}

func (b *builder) tumbling() *stream.Stream[Record] {
	w := stream.Window(byKey(b.any()), stream.Tumbling(time.Duration(20+b.rnd.IntN(300))*time.Millisecond))
	return stream.ReduceWindowWith(w, b.name("tumbling"), add, fired, b.options()...)
}

func (b *builder) sliding() *stream.Stream[Record] {
	slide := 50 + b.rnd.IntN(100)
	w := stream.Window(byKey(b.any()), stream.Sliding(time.Duration(slide*(1+b.rnd.IntN(3)))*time.Millisecond, time.Duration(slide)*time.Millisecond))
	return stream.AggregateWindowWith(w, b.name("sliding"), stream.Aggregate[Record, int64, Record]{
		Add:    func(acc *int64, r *Record) { *acc += r.N },
		Merge:  func(acc, other *int64) { *acc += *other },
		Result: func(acc *int64) Record { return Record{N: *acc} },
	}, fired, b.options()...)
}

func (b *builder) session() *stream.Stream[Record] {
	w := stream.Window(byKey(b.any()), stream.Session(time.Duration(3+b.rnd.IntN(40))*time.Millisecond))
	return stream.ProcessWindow(w, b.name("session"), func(c *stream.WindowContext[int32], vs []Record, emit func(Record)) {
		var sum Record
		for _, v := range vs {
			sum.N += v.N
		}
		fired(c, sum, emit)
	}, b.options()...)
}

// joined are the streams of joins: keys of many values, so that pairs do not multiply.
func joined(s *stream.Stream[Record]) *stream.KeyedStream[int64, Record] {
	return stream.KeyBy(s, func(r Record) int64 { return mod(r.N, 61) })
}

func (b *builder) interval() *stream.Stream[Record] {
	return stream.IntervalJoin(joined(b.any()), joined(b.any()), -10*time.Millisecond, 7*time.Millisecond, b.name("interval"), func(x, y Record, emit func(Record)) {
		emit(Record{ID: max(x.ID, y.ID), N: x.N + y.N, Key: x.Key, Text: y.Text})
	}, b.options()...)
}

func (b *builder) group() *stream.Stream[Record] {
	return stream.CoGroupWindow(stream.CoWindow(joined(b.any()), joined(b.any()), stream.Tumbling(80*time.Millisecond)), b.name("group"),
		func(c *stream.WindowContext[int64], xs, ys []Record, emit func(Record)) {
			emit(Record{ID: c.Window.End - 1, N: c.Key, Key: int32(len(xs)), Even: len(ys) > 0})
		}, b.options()...)
}

// end gives a stream a sink, some behind running totals.
func (b *builder) end(s *stream.Stream[Record]) {
	name := b.name("sink")
	if b.rnd.IntN(3) > 0 {
		stream.ForEach(s, name, func(r Record) { b.sink.Record(name, r.String()) }, b.options()...)
		return
	}
	counts := stream.Count(byKey(s), b.name("count"), b.options()...)
	stream.ForEach(counts, name, func(c stream.Counted[int32]) { b.sink.Total(name, fmt.Sprint(c.Key), c.N) }, b.options()...)
}
