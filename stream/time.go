package stream

import (
	"time"

	"github.com/weft-project/weft/eventtime"
	"github.com/weft-project/weft/operator"
)

// Times are milliseconds since the epoch. These two stand for none and for the end of all time.
const (
	// NoTime is the timestamp of a record that has none, and the watermark before the first.
	NoTime = eventtime.None
	// MaxTime is the watermark that ends a stream.
	MaxTime = eventtime.Max
)

// WatermarkStrategy says how records get timestamps and how far event time has come.
type WatermarkStrategy[T any] struct{ s operator.Strategy[T] }

// WatermarkGenerator makes the watermarks of a strategy of one's own. Each subtask has one, used by its goroutine.
type WatermarkGenerator[T any] = operator.Generator[T]

// OutOfOrder is for records that come at most delay behind the newest. timestamp gives a record's time in milliseconds.
func OutOfOrder[T any](delay time.Duration, timestamp func(v *T) int64) WatermarkStrategy[T] {
	return WatermarkStrategy[T]{operator.Strategy[T]{Timestamp: timestamp, Delay: delay.Milliseconds()}}
}

// Monotonous is for records whose times only grow within a subtask.
func Monotonous[T any](timestamp func(v *T) int64) WatermarkStrategy[T] {
	return OutOfOrder(0, timestamp)
}

// CustomWatermarks makes watermarks by a generator of the author's.
func CustomWatermarks[T any](timestamp func(v *T) int64, generator func() WatermarkGenerator[T]) WatermarkStrategy[T] {
	return WatermarkStrategy[T]{operator.Strategy[T]{Timestamp: timestamp, Generator: generator}}
}

// IdleAfter lets a subtask that has had no record for d be left out when event time advances.
func (s WatermarkStrategy[T]) IdleAfter(d time.Duration) WatermarkStrategy[T] {
	s.s.IdleAfter = d.Milliseconds()
	return s
}

// AssignTimestamps gives the records timestamps and watermarks; earlier ones go no further. Put it close to the source: there
// records are in the best order.
func AssignTimestamps[T any](in *Stream[T], name string, s WatermarkStrategy[T], opts ...Option) *Stream[T] {
	out := add[T](in.env, name, "timestamps", in.inputs(), operator.AssignFactory(s.s), opts)
	n := out.from[0].node
	n.SetsTime, n.NewTime, n.ReadsTime = true, true, s.s.Timestamp == nil
	return out
}
