package main

import (
	"time"

	"github.com/weft-project/weft/bench/workload"
	"github.com/weft-project/weft/stream"
)

// reading is an event of keyed-window.
type reading struct {
	Key, Value, TS int64
}

// total is what a window has of a key.
type total struct{ Sum, Count int64 }

// windowed is a result.
type windowed struct{ Start, Key, Sum, Count int64 }

// eventAt makes event i: 5 in 100 come late by up to 2 seconds.
func eventAt(seed uint64, keys, perMS int64) func(i int64, r *reading) {
	return func(i int64, r *reading) {
		draw := func(j uint64) int64 { return int64(workload.At(seed, uint64(i), j) >> 1) }
		r.Key, r.Value, r.TS = draw(0)%keys, draw(1)%1000, i/perMS
		if draw(2)%100 < 5 {
			r.TS = max(0, r.TS-draw(3)%2000)
		}
	}
}

// keyedWindow sums and counts the values of each key in tumbling windows of event time.
func keyedWindow(env *stream.Env, o *options) error {
	fill := eventAt(uint64(o.seed), or(o.keys, 1_000_000), o.eventsPerMS)
	in := stream.GenerateRef(env, "events", or(o.events, 20_000_000), fill)
	in = stream.AssignTimestamps(in, "time", stream.OutOfOrder(2*time.Second, func(r *reading) int64 { return r.TS }))
	byKey := stream.KeyBy(in, func(r reading) int64 { return r.Key })
	windows := stream.Window(byKey, stream.Tumbling(time.Duration(o.window)*time.Millisecond))
	sums := stream.AggregateWindowWith(windows, "window", stream.Aggregate[reading, total, total]{
		Add:    func(acc *total, r *reading) { acc.Sum += r.Value; acc.Count++ },
		Merge:  func(acc, other *total) { acc.Sum += other.Sum; acc.Count += other.Count },
		Result: func(acc *total) total { return *acc },
	}, func(c *stream.WindowContext[int64], t total, emit func(windowed)) {
		emit(windowed{c.Window.Start, c.Key, t.Sum, t.Count})
	})
	stream.ForEachWith(sums, "discard", func(c *stream.Context) func(windowed) {
		n, check, records := c.Counter("out"), c.Counter("check"), c.Counter("records")
		return func(w windowed) {
			n.Add(1)
			records.Add(w.Count)
			check.Add(int64(workload.Fold(uint64(w.Start), uint64(w.Key), uint64(w.Sum), uint64(w.Count))))
		}
	})
	return nil
}
