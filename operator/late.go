package operator

import "github.com/weft-project/weft/metrics"

// LateRecords is the name of the counter of records that come too late to be joined, or for their windows.
const LateRecords = "numLateRecordsDropped"

// Late counts the records that one operator drops because they come too late: in its metrics and, if there are any, in the job's
// result.
type Late struct {
	c     *Context
	own   *metrics.Counter
	total *Accumulator
}

// NewLate makes the count of operator op.
func NewLate(c *Context, op int) *Late {
	own, err := c.Metrics(op).Root().Counter(LateRecords)
	if err != nil {
		own = &metrics.Counter{} // the author's own has that name
	}
	return &Late{c: c, own: own}
}

// Count counts one record.
func (l *Late) Count() {
	if l.total == nil {
		l.total = l.c.Counter(LateRecords)
	}
	l.total.Long++
	l.own.Inc()
}
