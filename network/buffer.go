package network

import (
	"sync"

	"github.com/weft-project/weft/network/frame"
)

// buffer is memory for one frame: its header, then the payload.
type buffer struct {
	mem []byte
	// sub is the subpartition whose share the buffer takes; nil for a buffer that was received.
	sub *Subpartition
}

// payload is the room behind the header.
func (b *buffer) payload() []byte { return b.mem[frame.HeaderSize:] }

// pool keeps free buffers. How many buffers there can be is bounded by partitions and gates, by their shares; the pool
// keeps at most as many free ones as these may want.
type pool struct {
	size int // of a payload, in bytes

	mu    sync.Mutex
	free  []*buffer
	share int
}

// reserve changes the number of buffers that may be wanted.
func (p *pool) reserve(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.share += n
	for len(p.free) > max(p.share, 0) {
		p.free[len(p.free)-1] = nil
		p.free = p.free[:len(p.free)-1]
	}
}

// get gives a buffer; whoever asks has counted it.
func (p *pool) get() *buffer {
	p.mu.Lock()
	if n := len(p.free); n > 0 {
		b := p.free[n-1]
		p.free[n-1] = nil
		p.free = p.free[:n-1]
		p.mu.Unlock()
		return b
	}
	p.mu.Unlock()
	return &buffer{mem: make([]byte, frame.HeaderSize+p.size)}
}

// put takes a buffer back.
func (p *pool) put(b *buffer) {
	b.sub = nil
	p.mu.Lock()
	if len(p.free) < p.share {
		p.free = append(p.free, b)
	}
	p.mu.Unlock()
}

// queue is a first-in first-out list that reuses its memory.
type queue[T any] struct {
	items []T
	head  int
}

func (q *queue[T]) len() int { return len(q.items) - q.head }

func (q *queue[T]) push(v T) {
	if len(q.items) == cap(q.items) && q.head > len(q.items)/2 {
		n := copy(q.items, q.items[q.head:])
		clear(q.items[n:])
		q.items, q.head = q.items[:n], 0
	}
	q.items = append(q.items, v)
}

// front points to the first item; valid until the next push.
func (q *queue[T]) front() *T { return &q.items[q.head] }

// back points to the last item; valid until the next push.
func (q *queue[T]) back() *T { return &q.items[len(q.items)-1] }

func (q *queue[T]) pop() T {
	var zero T
	v := q.items[q.head]
	q.items[q.head] = zero
	q.head++
	if q.head == len(q.items) {
		q.items, q.head = q.items[:0], 0
	}
	return v
}
