package streamtest

import (
	"sync"

	"github.com/weft-project/weft/codec"
	"github.com/weft-project/weft/stream"
)

// Record is a record as it was collected.
type Record[T any] struct {
	Value T
	// Time is its timestamp, stream.NoTime where it has none.
	Time int64
	// Watermark is how far event time had come before it.
	Watermark int64
}

// Output gathers the records of a stream.
type Output[T any] struct {
	name    string
	mu      sync.Mutex
	records []Record[T]
}

// Collect ends a stream in an Output, in one subtask. It copies what it keeps.
func Collect[T any](in *stream.Stream[T], name string) *Output[T] {
	o := &Output[T]{name: name}
	var keep func(*T)
	if c, err := codec.Of[T](); err == nil { // else building the stream has failed
		keep = c.Keeper()
	}
	seen := stream.Process(in, name, func(c *stream.ProcessContext, _ func(struct{})) func(T) {
		return func(v T) {
			if keep != nil {
				keep(&v)
			}
			o.mu.Lock()
			defer o.mu.Unlock()
			o.records = append(o.records, Record[T]{v, c.Timestamp(), c.Watermark()})
		}
	}, stream.Parallelism(1))
	stream.Discard(seen, name+": end", stream.Parallelism(1))
	return o
}

// Records are those that have come so far.
func (o *Output[T]) Records() []Record[T] {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]Record[T](nil), o.records...)
}

// Values are the records that have come so far, without their times.
func (o *Output[T]) Values() []T {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.values()
}

func (o *Output[T]) values() []T {
	vs := make([]T, len(o.records))
	for i, r := range o.records {
		vs[i] = r.Value
	}
	return vs
}

// Len is how many have come so far.
func (o *Output[T]) Len() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.records)
}

// Take gives the values that have come since the last Take, and forgets them.
func (o *Output[T]) Take() []T {
	o.mu.Lock()
	defer o.mu.Unlock()
	vs := o.values()
	o.records = nil
	return vs
}
