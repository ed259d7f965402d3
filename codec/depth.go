package codec

import (
	"fmt"
	"unsafe"
)

// maxDepth bounds how deep values of recursive types may be nested, in both directions: foreign bytes can not exhaust the
// stack, which no recover would survive, and a value that refers to itself is found.
const maxDepth = 10_000

// limitDepth makes the program of a recursive type count.
func limitDepth(p *program) {
	dec, walk := p.dec, p.walk
	p.dec = func(src string, pos int, ptr unsafe.Pointer, a *arena) (int, error) {
		if a.depth++; a.depth > maxDepth {
			return pos, corrupt(pos, fmt.Sprintf("%s is nested more than %d deep", p.typ, maxDepth))
		}
		pos, err := dec(src, pos, ptr, a)
		a.depth--
		return pos, err
	}
	p.walk = func(ptr unsafe.Pointer, depth int) {
		if depth++; depth > maxDepth {
			// The author's value: recovered as the author's error.
			panic(fmt.Sprintf("a value of %s is nested more than %d deep: it refers to itself, or is a long chain; use a slice", p.typ, maxDepth))
		}
		if walk != nil {
			walk(ptr, depth)
		}
	}
}
