package operator

import (
	"fmt"
	"unsafe"

	"github.com/weft-project/weft/codec"
	"github.com/weft-project/weft/network"
	"github.com/weft-project/weft/state"
)

// Ahead is shown the records that come next, at most state.TouchMost, before they are handed on one by one. It changes nothing and decides
// nothing: it may only bring closer what the records will need.
type Ahead[T any] func(vs []T)

// touched keeps what looks ahead have read, so that they are not left out as useless. It belongs to one task.
type touched struct{ sum byte }

// AheadIn looks a table's places up ahead. table gives the table, nil for none.
func AheadIn[K comparable, V, T any](c *Context, op int, hash func(K) uint64, of func(T) K, table func() *state.Table[K, V]) Ahead[T] {
	var hashes [state.TouchMost]uint64
	seen := &touched{}
	return func(vs []T) {
		t := table()
		if t == nil || !t.Touchable() {
			return
		}
		c.Op = op // the author's key function runs
		for i := range vs {
			hashes[i] = hash(of(vs[i]))
		}
		seen.sum ^= t.Touch(hashes[:len(vs)])
	}
}

// Foresighted is an Operator that wants to be shown the records of an input before they come: an Ahead[In], or nil.
type Foresighted interface {
	LookAhead(input int) any
}

// LookAhead gives the function that is shown what an input of the chain gets next; nil where there is none.
func (ch *Chain) LookAhead(input int) any {
	if f, ok := ch.operators[0].op.(Foresighted); ok {
		return f.LookAhead(input)
	}
	return nil
}

// LookAhead is Reader's.
func (r *reader[T]) LookAhead(f any) error {
	if f == nil {
		return nil
	}
	ahead, ok := f.(Ahead[T])
	if !ok {
		return wrongType(f, fmt.Sprintf("%T", ahead))
	}
	r.ahead, r.block = ahead, make([]T, state.TouchMost)
	r.times = make([]int64, state.TouchMost)
	return nil
}

// batchAhead is batch with a look ahead.
func (r *reader[T]) batchAhead(b *Batch[T]) {
	for from := 0; from < len(b.vals); from += state.TouchMost {
		block := b.vals[from:min(len(b.vals), from+state.TouchMost)]
		r.ahead(block)
		for i := range block {
			if r.timed {
				*r.time = b.times[from+i]
			}
			r.emit(&block[i])
		}
	}
}

// recordsAhead is records with a look ahead: it decodes a block of records before it hands on the first of them.
func (r *reader[T]) recordsAhead(src string, n int) (left int, err error) {
	pos, last, first := 0, int64(0), true
	for n > 0 {
		block := r.block[:min(n, len(r.block))]
		for i := range block {
			if r.timed {
				delta, used := varint(src, pos)
				if used <= 0 {
					return 0, fmt.Errorf("%w: timestamp at byte %d", codec.ErrCorrupt, pos)
				}
				last += delta
				r.times[i] = last
				if pos += used; first {
					src, pos = src[pos:], 0 // the decoder knows a new batch by position 0
				}
			}
			first = false
			if pos, err = r.one(src, pos, &block[i]); err != nil {
				return 0, err
			}
		}
		n -= len(block)
		r.ahead(block)
		for i := range block {
			if r.timed {
				*r.time = r.times[i]
			}
			r.emit(&block[i])
		}
	}
	return len(src) - pos, nil
}

// one decodes a record.
func (r *reader[T]) one(src string, pos int, v *T) (int, error) {
	if r.dense == 0 {
		return r.dec(src, pos, v)
	}
	end := pos + r.dense
	if end > len(src) {
		return pos, fmt.Errorf("%w: record at byte %d is cut short", codec.ErrCorrupt, pos)
	}
	copy(unsafe.Slice((*byte)(unsafe.Pointer(v)), r.dense), src[pos:end])
	return end, nil
}

// process hands on what an item holds.
func (r *reader[T]) process(src string, item network.Item) (left int, err error) {
	switch {
	case r.ahead != nil:
		return r.recordsAhead(src, item.Records)
	case r.dense > 0:
		return r.denseRecords(src, item.Records)
	}
	return r.records(src, item.Records)
}
