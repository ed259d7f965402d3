package codec

import (
	"reflect"
	"unsafe"
)

const (
	// minChunk and maxChunk bound the memory of a chunk in bytes; an element larger than minChunk begins with a chunk of one.
	minChunk = 512
	maxChunk = 512 << 10
)

// arena is the memory of one decoder: the elements of decoded slices are cut from chunks that it allocates, one row of
// chunks for each element type, so that the garbage collector sees the pointers in them. What was cut is never given out
// again; what is left of a chunk serves the next batch.
//
// A batch is what is decoded until a decoder is asked for position 0 again. Chunks grow until each lasts for as many
// batches as there are element types: together they then cost one allocation for a batch.
type arena struct {
	// chunks by program.slot; empty where every slice gets memory of its own.
	chunks  []chunk
	batches uint64
	// owed is how many of the bytes ahead the elements still to be decoded of all slices under way take at least. Slices
	// within them can not claim these bytes once more, so that a few false counts do not multiply.
	owed int
	// depth is how many values of recursive types are under way, one within the other.
	depth int
}

// chunk is what is left of the memory that an arena allocated last for one element type.
type chunk struct {
	next unsafe.Pointer
	left int // elements from next on
	// size is how many elements the next chunk gets, a power of two; array is its type.
	size  int
	array reflect.Type
	since uint64 // the batch that allocated the chunk, or a slice too large for it
}

func newArena(slots int) *arena { return &arena{chunks: make([]chunk, slots)} }

// restart begins the decoding of a value; nothing is owed for it, whatever became of the one before.
func (a *arena) restart(pos int) {
	a.owed, a.depth = 0, 0
	if pos == 0 {
		a.batches++
	}
}

// take gives zeroed memory for n elements of size bytes of slices of type t, whose row is slot.
func (a *arena) take(slot, n int, t reflect.Type, size uintptr) unsafe.Pointer {
	if slot >= len(a.chunks) {
		return newElements(n, t)
	}
	c := &a.chunks[slot]
	if n > c.left {
		if p := a.refill(c, n, t, size); p != nil {
			return p
		}
	}
	p := c.next
	if c.left -= n; c.left > 0 {
		c.next = unsafe.Add(p, uintptr(n)*size)
	} else {
		c.next = nil // behind the memory may be another's
	}
	return p
}

// refill replaces a chunk that has not enough left, or gives memory for these n elements alone where they would take much
// of a chunk.
func (a *arena) refill(c *chunk, n int, t reflect.Type, size uintptr) unsafe.Pointer {
	switch lasted := a.batches - c.since; {
	case c.size == 0:
		for c.size = 1; uintptr(2*c.size)*size <= minChunk; {
			c.size *= 2
		}
		c.array = reflect.ArrayOf(c.size, t.Elem())
	case lasted < uint64(len(a.chunks)) && uintptr(2*c.size)*size <= maxChunk:
		c.size *= 2
		c.array = reflect.ArrayOf(c.size, t.Elem())
	}
	c.since = a.batches
	if n > c.size/4 {
		return newElements(n, t)
	}
	c.next, c.left = reflect.New(c.array).UnsafePointer(), c.size
	return nil
}

// newElements allocates n elements of slices of type t.
func newElements(n int, t reflect.Type) unsafe.Pointer {
	if n == 1 {
		return reflect.New(t.Elem()).UnsafePointer()
	}
	return reflect.MakeSlice(t, n, n).UnsafePointer()
}
