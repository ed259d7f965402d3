package stream

import (
	"github.com/weft-project/weft/metrics"
	"github.com/weft-project/weft/operator"
)

// The kinds of metrics. They belong to the subtask's goroutine, like the function that uses them.
type (
	// MetricCounter counts up and down.
	MetricCounter = metrics.Counter
	// Meter counts events and tells how many there are in a second.
	Meter = metrics.Meter
	// Histogram tells how the last 1024 values are distributed.
	Histogram = metrics.Histogram
)

// MetricGroup makes metrics whose names have a common beginning. Asking for a name again gives the same metric; a metric without a
// name, or one that is of another kind already, is a failure of the job.
type MetricGroup struct{ g metrics.Group }

// Metrics is the group of this operator's metrics, which the cluster shows for each subtask under the operator's name. Unlike
// Counter, they are for who watches the job, and no part of its result.
func (c *Context) Metrics() MetricGroup { return MetricGroup{c.c.Metrics(c.op).Root()} }

// Group is a group within this one.
func (g MetricGroup) Group(name string) MetricGroup { return MetricGroup{g.g.Group(name)} }

// made gives a metric, or ends the task with the author's mistake.
func made[M any](m M, err error) M {
	if err != nil {
		operator.Abort(operator.User(err))
	}
	return m
}

// Counter gives the counter of that name.
func (g MetricGroup) Counter(name string) *MetricCounter { return made(g.g.Counter(name)) }

// Meter gives the meter of that name; its rate is that of the last minute.
func (g MetricGroup) Meter(name string) *Meter { return made(g.g.Meter(name)) }

// Histogram gives the histogram of that name.
func (g MetricGroup) Histogram(name string) *Histogram { return made(g.g.Histogram(name)) }

// Gauge has a value that read gives, which is called about once a second between two records, never beside the function. One
// that panics is noted in the log and not asked again. Another gauge of the same name takes its place.
func (g MetricGroup) Gauge(name string, read func() float64) {
	made(struct{}{}, g.g.Gauge(name, read))
}
