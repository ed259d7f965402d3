package operator

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/weft-project/weft/state"
)

// generatorBatch is how many records a generator emits before the task looks around.
const generatorBatch = 1024

// GeneratorFactory is a bounded source of n records; subtask k of p makes records k, k+p, k+2p, …
func GeneratorFactory[T any](n int64, fill func(i int64, v *T)) Factory {
	return RatedFactory(n, 0, fill)
}

// RatedFactory is a generator of so many records a second, by all subtasks together; 0 for as many as can be.
func RatedFactory[T any](n int64, perSecond float64, fill func(i int64, v *T)) Factory {
	return func(c *Context, op int, out any) (Instance, error) {
		next, err := emitOf[T](out)
		if err != nil {
			return Instance{}, err
		}
		g := &generator[T]{c: c, op: op, next: next, fill: fill, n: n, slot: new(T)}
		g.rate.perMilli = perSecond / 1000 / float64(c.Parallelism)
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
	rate    rate
}

// rate is how many records may be made.
type rate struct {
	perMilli float64 // 0 for no limit
	credit   float64 // records that may be made now
	last     int64   // when credit was given
	stop     func()  // takes back the call that ends a pause
}

// maxCredit is for how many milliseconds a generator that was held up catches up.
const maxCredit = 1000

// allowed is how many of want records may be made now; with 0 the task is woken when there may be one.
func (r *rate) allowed(c *Context, want int) int {
	if r.perMilli == 0 {
		return want
	}
	now := c.Clock.Now()
	if r.last == 0 {
		r.last, r.credit = now, 1 // the first comes at once
	}
	r.credit = min(r.credit+float64(now-r.last)*r.perMilli, max(1, maxCredit*r.perMilli))
	r.last = now
	n := min(want, int(r.credit))
	if n == 0 && r.stop == nil {
		r.stop = c.Schedule(now+max(1, int64(math.Ceil((1-r.credit)/r.perMilli))), func() { r.stop = nil })
	}
	r.credit -= float64(n)
	return n
}

// stride is records at, at+step, at+2·step, …
type stride struct{ at, step int64 }

// Poll is Source's.
func (g *generator[T]) Poll() (Status, error) {
	var zero T
	if g.first() == nil {
		return End, nil
	}
	left := g.rate.allowed(g.c, generatorBatch)
	if left == 0 {
		return Idle, nil
	}
	for left > 0 {
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

// Close is Operator's.
func (g *generator[T]) Close(error) error {
	if g.rate.stop != nil {
		g.rate.stop()
	}
	return nil
}

// Wake is Source's: what ends a pause comes to the task's mailbox.
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
	all := g.strides
	if len(all) == 0 {
		all = []stride{{g.n, 1}} // an end is state, too: without any a generator begins anew
	}
	out := make([][]byte, 0, len(all))
	for _, s := range all {
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
