package kafka

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/weft-project/weft/eventtime"
	"github.com/weft-project/weft/operator"
)

// readRecords bounds the records handed on by one Read: between Reads a task publishes its counters and looks whether it shall stop.
const readRecords = 512

// reader reads one partition.
type reader[T any] struct {
	ctx    context.Context
	c      *operator.Context
	split  Split
	f      *fetchers
	x      *fetcher
	q      *queue
	decode Decoder[T]
	slot   *T
	record Record
	batch  []*kgo.Record
}

func openReader[T any](ctx context.Context, f *fetchers, split Split, decode Decoder[T], wake func()) (operator.SplitReader[T], error) {
	r := &reader[T]{ctx: ctx, c: operator.ContextOf(ctx), split: split, f: f, decode: decode, slot: new(T)}
	if r.ended() {
		return r, nil
	}
	r.q = &queue{topic: split.Topic, partition: split.Partition, wake: wake, fetched: split.From}
	r.q.next.Store(split.From)
	var err error
	r.x, err = f.get(ctx, r.q)
	return r, err
}

func (r *reader[T]) ended() bool { return r.split.Until != endless && r.split.From >= r.split.Until }

// Read is SplitReader's.
func (r *reader[T]) Read(emit func(v *T)) (operator.Status, error) {
	if r.ended() {
		return operator.End, nil
	}
	if len(r.batch) == 0 {
		var err error
		if r.batch, err = r.x.take(r.q); len(r.batch) == 0 {
			return operator.Idle, err
		}
	}
	defer func() { r.q.next.Store(r.split.From) }()
	for range min(len(r.batch), readRecords) {
		k := r.batch[0]
		r.batch[0] = nil // its memory may go
		r.batch = r.batch[1:]
		if r.split.Until != endless && k.Offset >= r.split.Until {
			return operator.End, nil
		}
		if err := r.hand(k, emit); err != nil {
			return operator.End, err
		}
		if r.split.From = k.Offset + 1; r.ended() {
			return operator.End, nil
		}
	}
	return operator.More, nil
}

// hand decodes a record and hands it on.
func (r *reader[T]) hand(k *kgo.Record, emit func(v *T)) error {
	if k.Offset < r.split.From || k.Attrs.IsControl() {
		return nil
	}
	var zero T
	*r.slot = zero // what follows may have changed the last one
	r.record.fill(k)
	switch err := r.decode(&r.record, r.slot); err {
	case nil:
	case ErrSkip:
		return nil
	default:
		return operator.User(fmt.Errorf("the record at offset %d of partition %d of topic %q (Kafka at %s) cannot be decoded: %w",
			k.Offset, k.Partition, k.Topic, r.f.s.at(), err))
	}
	r.c.Time = r.record.Timestamp
	emit(r.slot)
	r.c.Time = eventtime.None
	return nil
}

// Remaining is Resumable's.
func (r *reader[T]) Remaining() Split { return r.split }

// Close is SplitReader's.
func (r *reader[T]) Close() error {
	if r.x != nil {
		r.f.release(r.ctx, r.x, r.q)
		r.x = nil
	}
	return nil
}
