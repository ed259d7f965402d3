package operator

import (
	"sync/atomic"
	"time"

	"github.com/weft-project/weft/eventtime"
	"github.com/weft-project/weft/metrics"
	"github.com/weft-project/weft/rpc/controlpb"
)

// Waiting adds up the time that a task spends waiting for something. The task's goroutine begins and ends it; others read it at
// any moment, a wait under way included.
type Waiting struct {
	since time.Time
	// state is the total in nanoseconds, or, while a wait is under way, the total less when it began, less one: always negative.
	state atomic.Int64
}

// NewWaiting begins at a total of none; it is as old as the task.
func NewWaiting(taskBegan time.Time) *Waiting { return &Waiting{since: taskBegan} }

// Begin is called before a wait.
func (w *Waiting) Begin() { w.state.Store(w.state.Load() - int64(time.Since(w.since)) - 1) }

// End is called after it.
func (w *Waiting) End() { w.state.Store(w.state.Load() + int64(time.Since(w.since)) + 1) }

// Total is how long it has been waited.
func (w *Waiting) Total() time.Duration {
	s := w.state.Load()
	if s < 0 {
		s += int64(time.Since(w.since)) + 1
	}
	return time.Duration(s)
}

// Metrics are those of operator op. They belong to the task's goroutine.
func (c *Context) Metrics(op int) *metrics.Registry {
	if c.metrics == nil {
		c.metrics = map[int]*metrics.Registry{}
	}
	if c.metrics[op] == nil {
		c.metrics[op] = &metrics.Registry{}
	}
	return c.metrics[op]
}

// Measured tells that there are accumulators, or metrics of operators.
func (c *Context) Measured() bool { return len(c.metrics) > 0 || len(c.accumulators) > 0 }

// NamedMetrics gives the metrics of each operator that has some; now is how long ago the task began.
func (c *Context) NamedMetrics(now time.Duration) map[int][]*controlpb.NamedMetric {
	out := map[int][]*controlpb.NamedMetric{}
	for op, r := range c.metrics {
		out[op] = r.Snapshot(now, func(name string, why any) {
			c.Log.Warn("a gauge panicked and is not read any more", "task", c.TaskName, "operator", c.Ops[op], "metric", name, "panic", why)
		})
	}
	return out
}

// NoLag is the EmitLag of a source whose records have no time.
const NoLag = eventtime.None

// Marks are the last watermarks of one operator of a chain, and how many records have left the chain there.
type Marks struct {
	In, Out int64
	Records int64
	// Leaves tells that records leave the chain there.
	Leaves bool
}

// Marks writes the current figures of the chain's operators to list, which has a place for each, upstream first.
func (ch *Chain) Marks(list []Marks) {
	for i := range ch.operators {
		o, m := &ch.operators[i], &list[i]
		m.In, m.Out, m.Records, m.Leaves = o.in, o.out, 0, len(o.writers) > 0
		for _, w := range o.writers {
			m.Records += w.Records()
		}
	}
}
