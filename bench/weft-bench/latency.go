package main

import (
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"strings"
	"time"

	"github.com/weft-project/weft/stream"
)

// stamped is an event of latency: Sent is the time it left its source, in nanoseconds since the epoch.
type stamped struct{ Key, Sent int64 }

// latency measures how long records take from one task to the next, at a rate far below what the tasks could do.
func latency(env *stream.Env, o *options) error {
	rate, keys := or(o.rate, 100_000), or(o.keys, 10_000)
	o.records = rate * o.duration
	in := stream.FromSource(env, "events", generated(o.records, rate, func() func(int64, *stamped) {
		return func(i int64, v *stamped) { v.Key, v.Sent = i%keys, time.Now().UnixNano() }
	}))
	mapped := stream.Map(stream.KeyBy(in, func(v stamped) int64 { return v.Key }).Stream(), "map", func(v stamped) stamped { return v })
	stream.ForEachWith(mapped, "histogram", func(c *stream.Context) func(stamped) {
		var h histogram
		var from int64
		return func(v stamped) {
			if from == 0 {
				from = v.Sent + o.warmUp*int64(time.Second)
			}
			if v.Sent >= from {
				h.add(c, time.Now().UnixNano()-v.Sent)
			}
		}
	})
	return nil
}

const (
	// finer is how many bits after its highest one tell a time's place in a histogram: 3 %.
	finer        = 5
	bucketPrefix = "latency bucket "
)

// histogram counts times by their length. Its counts are counters of the job, so those of all subtasks are added up.
type histogram struct {
	counters [64 << finer]*stream.Counter
}

func (h *histogram) add(c *stream.Context, ns int64) {
	b := bucketOf(ns)
	if h.counters[b] == nil {
		h.counters[b] = c.Counter(bucketPrefix + strconv.Itoa(b))
	}
	h.counters[b].Add(1)
}

// bucketOf is the place of a time.
func bucketOf(ns int64) int {
	if ns < 1<<finer {
		return int(max(ns, 0))
	}
	shift := bits.Len64(uint64(ns)) - 1 - finer
	return (shift+1)<<finer + int(ns>>shift)&(1<<finer-1)
}

// endOf is the end of a bucket: no time in it is longer.
func endOf(bucket int) time.Duration {
	if bucket < 1<<finer {
		return time.Duration(bucket)
	}
	shift := bucket>>finer - 1
	return time.Duration((int64(1<<finer|bucket&(1<<finer-1))+1)<<shift - 1)
}

// latencies are quantiles in milliseconds.
type latencies struct {
	Records int64   `json:"records"`
	P50     float64 `json:"p50"`
	P99     float64 `json:"p99"`
	P999    float64 `json:"p999"`
	Max     float64 `json:"max"`
}

// latencyOf reads the histogram from a result.
func latencyOf(r *stream.Result) *latencies {
	var counts [64 << finer]int64
	l := &latencies{}
	for name := range r.Accumulators() {
		if text, ok := strings.CutPrefix(name, bucketPrefix); ok {
			if b, err := strconv.Atoi(text); err == nil && b < len(counts) {
				counts[b] = r.Counter(name)
				l.Records += counts[b]
			}
		}
	}
	quantile := func(q float64) float64 {
		rank, seen := int64(math.Ceil(q*float64(l.Records))), int64(0)
		for b, n := range counts {
			if seen += n; n > 0 && seen >= rank {
				return endOf(b).Seconds() * 1000
			}
		}
		return 0
	}
	l.P50, l.P99, l.P999, l.Max = quantile(0.5), quantile(0.99), quantile(0.999), quantile(1)
	return l
}

func (l *latencies) String() string {
	return fmt.Sprintf("%d records: p50 %.3f ms, p99 %.3f ms, p99.9 %.3f ms, max %.3f ms", l.Records, l.P50, l.P99, l.P999, l.Max)
}
