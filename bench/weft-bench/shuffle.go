package main

import (
	"fmt"

	"github.com/weft-project/weft/stream"
)

// indexed is a record of a length: its index, the rest is zero. The index is stored as machines do that Weft runs on, little-endian.
type indexed[R any] struct {
	Index int64
	Rest  R
}

// shuffle sends records from one task to another and throws them away.
func shuffle(env *stream.Env, o *options) error {
	o.records = or(o.events, 50_000_000)
	switch or(o.size, 100) {
	case 16:
		return shuffled[[8]byte](env, o)
	case 100:
		return shuffled[[92]byte](env, o)
	case 1000:
		return shuffled[[992]byte](env, o)
	}
	return fmt.Errorf("--size %d: expected 16, 100 or 1000", o.size)
}

func shuffled[R any](env *stream.Env, o *options) error {
	fill := func(i int64, v *indexed[R]) { v.Index = i }
	var in *stream.Stream[indexed[R]]
	var sink []stream.Option
	if o.mode == "cross" {
		// Two slot-sharing groups of one slot each: with TaskManagers of one slot, two processes.
		source := []stream.Option{stream.Parallelism(1), stream.SlotSharingGroup("source")}
		sink = []stream.Option{stream.Parallelism(1), stream.SlotSharingGroup("sink"), stream.StartNewChain()}
		in = stream.FromSource(env, "records", generated(o.records, o.rate, func() func(int64, *indexed[R]) { return fill }), source...)
	} else {
		in = stream.FromSource(env, "records", generated(o.records, o.rate, func() func(int64, *indexed[R]) { return fill }))
	}
	switch o.mode {
	case "rebalance":
		in = stream.Rebalance(in)
	case "keyby":
		in = stream.KeyBy(in, func(v indexed[R]) int64 { return v.Index }).Stream()
	case "cross":
	default:
		return fmt.Errorf("--mode %q: expected rebalance, keyby or cross", o.mode)
	}
	stream.ForEachRefWith(in, "discard", func(c *stream.Context) func(*indexed[R]) {
		t := newTally(c)
		return func(v *indexed[R]) { t.add(v.Index) }
	}, sink...)
	return nil
}
