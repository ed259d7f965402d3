package main

import (
	"encoding/binary"
	"math"

	"github.com/weft-project/weft/bench/workload"
	"github.com/weft-project/weft/stream"
)

// put is an event of bigstate: the number of the event, and the key whose value it replaces.
type put struct{ Event, Key int64 }

// bigState puts values that cannot be compressed under each of many keys, then under keys at random.
func bigState(env *stream.Env, o *options) error {
	keys, size := or(o.keys, 1<<20), int(or(o.size, 1024))
	n := or(o.events, math.MaxInt64/2) // without end
	in := stream.FromSource(env, "puts", generated(n, o.rate, func() func(int64, *put) {
		return func(i int64, p *put) {
			p.Event, p.Key = i, i
			if i >= keys {
				p.Key = int64(workload.Scatter(uint64(i))>>1) % keys
			}
		}
	}))
	byKey := stream.KeyBy(in, func(p put) int64 { return p.Key })
	values := stream.DeclareValue[[]byte](byKey, "value")
	stored := stream.KeyedProcess(byKey, "store", func(k *stream.Keyed[int64], _ func(put)) func(put) {
		value := values.In(k)
		t, records := newTally(k.Context), k.Counter("records")
		scratch := make([]byte, size+8)
		return func(p put) {
			for at := 0; at < size; at += 8 {
				binary.LittleEndian.PutUint64(scratch[at:], workload.At(uint64(o.seed), uint64(p.Event), uint64(at)))
			}
			value.Set(scratch[:size]) // it is copied
			records.Add(1)
			t.add(p.Key)
		}
	}, stream.UID("store"))
	stream.Discard(stored, "discard")
	return nil
}
