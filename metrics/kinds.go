package metrics

import (
	"math"
	"slices"
	"time"

	"github.com/weft-project/weft/rpc/controlpb"
)

// Counter counts up and down.
type Counter struct{ n int64 }

// Inc adds one.
func (c *Counter) Inc() { c.n++ }

// Dec takes one away.
func (c *Counter) Dec() { c.n-- }

// Add adds n, which may be negative.
func (c *Counter) Add(n int64) { c.n += n }

// Value is the count.
func (c *Counter) Value() int64 { return c.n }

// Meter counts events and tells how many there are in a second, over the last minute.
type Meter struct {
	n       int64
	history History[int64]
}

// Mark counts one event.
func (m *Meter) Mark() { m.n++ }

// MarkN counts n events.
func (m *Meter) MarkN(n int64) { m.n += n }

// Value is the count of all events.
func (m *Meter) Value() int64 { return m.n }

func (m *Meter) snapshot(now time.Duration) *controlpb.MeterMetric {
	before, ago := m.history.Oldest(now)
	m.history.Note(now, m.n)
	return &controlpb.MeterMetric{Count: m.n, Rate: PerSecond(m.n-before, ago)}
}

// window is how many values a histogram looks back.
const window = 1024

// Histogram tells how values are distributed: the last 1024 of them.
type Histogram struct {
	values []int64 // a ring once it is full
	n      int64
}

// Update takes a value.
func (h *Histogram) Update(v int64) {
	if len(h.values) < window {
		h.values = append(h.values, v)
	} else {
		h.values[h.n%window] = v
	}
	h.n++
}

// Count is how many values there have been.
func (h *Histogram) Count() int64 { return h.n }

// Quantiles are the quantiles of a HistogramMetric, with their names in REST documents.
var Quantiles = []struct {
	At   float64
	Name string
}{{0.5, "median"}, {0.75, "p75"}, {0.9, "p90"}, {0.95, "p95"}, {0.98, "p98"}, {0.99, "p99"}, {0.999, "p999"}}

func (h *Histogram) snapshot() *controlpb.HistogramMetric {
	out := &controlpb.HistogramMetric{Count: h.n, Quantiles: make([]float64, len(Quantiles))}
	if len(h.values) == 0 {
		return out
	}
	sorted := slices.Clone(h.values)
	slices.Sort(sorted)
	out.Min, out.Max = sorted[0], sorted[len(sorted)-1]
	for _, v := range sorted {
		out.Mean += float64(v) / float64(len(sorted))
	}
	if len(sorted) > 1 {
		squares := 0.0
		for _, v := range sorted {
			squares += (float64(v) - out.Mean) * (float64(v) - out.Mean)
		}
		out.Stddev = math.Sqrt(squares / float64(len(sorted)-1))
	}
	for i, q := range Quantiles {
		out.Quantiles[i] = quantile(sorted, q.At)
	}
	return out
}

// quantile is interpolated at q·(n+1), as Flink's.
func quantile(sorted []int64, q float64) float64 {
	pos := q * float64(len(sorted)+1)
	if pos < 1 {
		return float64(sorted[0])
	}
	if pos >= float64(len(sorted)) {
		return float64(sorted[len(sorted)-1])
	}
	low := int(pos)
	a, b := float64(sorted[low-1]), float64(sorted[low])
	return a + (pos-float64(low))*(b-a)
}
