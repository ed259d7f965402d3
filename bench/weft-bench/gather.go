package main

import (
	"fmt"

	"github.com/weft-project/weft/stream"
)

// gathered is a record of 100 bytes.
type gathered struct {
	Key, N int64
	Rest   [84]byte
}

// gather is a BATCH job that deals 1 GiB of records out by key, twice as many as there are keys, and counts those of each key: in the order
// of the keys ("sorted", all records are sorted on disk) or in a table ("summed", tables that outgrow their memory go to disk).
func gather(env *stream.Env, o *options) error {
	env.SetMode(stream.Batch)
	o.records = or(o.events, (1<<30)/100)
	keys := or(o.keys, (o.records+1)/2)
	records := stream.GenerateRef(env, "records", o.records, func(i int64, v *gathered) { v.Key, v.N = i%keys, 1 })
	byKey := stream.KeyBy(stream.Rebalance(records), func(v gathered) int64 { return v.Key })
	var out *stream.Stream[gathered]
	switch o.mode {
	case "sorted":
		declared := stream.DeclareValue[int64](byKey, "n")
		out = stream.KeyedProcess(byKey, "count", func(k *stream.Keyed[int64], emit func(gathered)) func(gathered) {
			n := declared.In(k)
			k.OnTimer(func(stream.Timer) { emit(gathered{Key: k.Key(), N: *n.Ref()}) })
			return func(v gathered) {
				*n.Ref() += v.N
				k.SetTimer(stream.MaxTime - 1)
			}
		})
	case "summed":
		out = stream.Sum(byKey, "count", func(v *gathered) *int64 { return &v.N })
	default:
		return fmt.Errorf("--mode %q: expected sorted or summed", o.mode)
	}
	stream.ForEachRefWith(out, "discard", func(c *stream.Context) func(*gathered) {
		t := newTally(c)
		return func(v *gathered) { t.add(v.Key * v.N) }
	})
	return nil
}
