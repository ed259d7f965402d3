package operator

import (
	"encoding/binary"
	"fmt"

	"github.com/weft-project/weft/state"
)

// generatorBatch is how many records a generator emits before the task looks around.
const generatorBatch = 1024

// GeneratorFactory is a bounded source of n records; subtask k of p makes records k, k+p, k+2p, …
func GeneratorFactory[T any](n int64, fill func(i int64, v *T)) Factory {
	return func(c *Context, op int, out any) (Instance, error) {
		next, err := emitOf[T](out)
		if err != nil {
			return Instance{}, err
		}
		g := &generator[T]{c: c, op: op, next: next, fill: fill, n: n, slot: new(T)}
		g.strides = []stride{{at: int64(c.Subtask()), step: int64(c.Parallelism)}}
		return Instance{Operator: g}, nil
	}
}

type generator[T any] struct {
	Base
	c    *Context
	op   int
	next Emit[T]
	fill func(int64, *T)
	n    int64
	// strides are what this subtask makes, in order of their next records: one, but after a change of parallelism.
	strides []stride
	slot    *T
}

// stride is records at, at+step, at+2·step, …
type stride struct{ at, step int64 }

// Poll is Source's.
func (g *generator[T]) Poll() (Status, error) {
	var zero T
	for left := generatorBatch; left > 0; {
		s := g.first()
		if s == nil {
			return End, nil
		}
		// As far as the next stride is not due.
		until := g.n
		if len(g.strides) > 1 {
			until = min(until, s.at+1)
		}
		for ; left > 0 && s.at < until; left-- {
			*g.slot = zero // downstream may have changed the last one in place
			g.c.Op = g.op
			at := s.at
			s.at += s.step // counts when what follows takes a snapshot, which is after the batch
			g.fill(at, g.slot)
			g.next(g.slot)
		}
	}
	return More, nil
}

// first is the stride with the next record; those at their end are dropped.
func (g *generator[T]) first() *stride {
	var best *stride
	kept := g.strides[:0]
	for _, s := range g.strides {
		if s.at < g.n {
			kept = append(kept, s)
		}
	}
	g.strides = kept
	for i := range g.strides {
		if s := &g.strides[i]; best == nil || s.at < best.at {
			best = s
		}
	}
	return best
}

// Wake is Source's: a generator is never idle.
func (g *generator[T]) Wake() <-chan struct{} { return nil }

// KeyedState is Stateful's.
func (g *generator[T]) KeyedState() []state.Part { return nil }

// OperatorState is Stateful's.
func (g *generator[T]) OperatorState() map[string]state.OperatorPart {
	return map[string]state.OperatorPart{stridesName: (*strides[T])(g)}
}

// stridesName is the name of a generator's state.
const stridesName = "strides"

// strides is the state of a generator: of each stride two varints, and the number of subtasks that had them.
type strides[T any] generator[T]

// Name is state.OperatorPart's.
func (g *strides[T]) Name() string { return stridesName }

// Redistribution is state.OperatorPart's: every subtask sees all and takes its part of each.
func (g *strides[T]) Redistribution() state.Redistribution { return state.Union }

// Snapshot is state.OperatorPart's.
func (g *strides[T]) Snapshot() [][]byte {
	out := make([][]byte, 0, len(g.strides))
	for _, s := range g.strides {
		b := binary.AppendVarint(nil, int64(g.c.Subtask()))
		b = binary.AppendVarint(b, int64(g.c.Parallelism))
		out = append(out, binary.AppendVarint(binary.AppendVarint(b, s.at), s.step))
	}
	return out
}

// Restore is state.OperatorPart's.
func (g *strides[T]) Restore(elements [][]byte) error {
	g.strides = nil
	p, k := int64(g.c.Parallelism), int64(g.c.Subtask())
	for _, e := range elements {
		var v [4]int64
		for i := range v {
			n, used := binary.Varint(e)
			if used <= 0 {
				return fmt.Errorf("stored stride %x is cut short", e)
			}
			v[i], e = n, e[used:]
		}
		if v[3] <= 0 {
			return fmt.Errorf("stored stride has step %d: expected 1 or more", v[3])
		}
		switch {
		case v[1] != p: // a part of each
			g.strides = append(g.strides, stride{v[2] + k*v[3], p * v[3]})
		case v[0] == k:
			g.strides = append(g.strides, stride{v[2], v[3]})
		}
	}
	return nil
}
