package streamtest

import (
	"fmt"
	"time"

	"github.com/weft-project/weft/eventtime"
	"github.com/weft-project/weft/operator"
	"github.com/weft-project/weft/stream"
)

// Script is what one subtask of a source does, step by step. Its methods add a step and give the script back.
type Script[T any] struct {
	steps []step[T]
}

// step is a record, or whatever do does; it is passed when until says so.
type step[T any] struct {
	records []T
	at      int64
	do      func(c *operator.Context, op int) error
	until   func() bool
}

// NewScript gives a script without steps.
func NewScript[T any]() *Script[T] { return &Script[T]{} }

// Emit emits records without a timestamp.
func (s *Script[T]) Emit(vs ...T) *Script[T] { return s.At(eventtime.None, vs...) }

// At emits records with a timestamp, in milliseconds.
func (s *Script[T]) At(ms int64, vs ...T) *Script[T] {
	s.steps = append(s.steps, step[T]{records: vs, at: ms})
	return s
}

// Watermark says that nothing with a timestamp up to ms is to come.
func (s *Script[T]) Watermark(ms int64) *Script[T] {
	return s.do(func(c *operator.Context, op int) error { c.Forward(op, ms); return nil })
}

// Idle says whether the subtask is idle: then event time advances without it.
func (s *Script[T]) Idle(idle bool) *Script[T] {
	return s.do(func(c *operator.Context, op int) error { c.ForwardIdle(op, idle); return nil })
}

// Do calls f, which may move a Clock, for example. An error fails the source.
func (s *Script[T]) Do(f func() error) *Script[T] {
	return s.do(func(*operator.Context, int) error { return operator.ReturnedBy(f, f()) })
}

// When waits until a condition holds; it is asked again and again, by the source's subtask. What was emitted before is on its
// way meanwhile.
func (s *Script[T]) When(condition func() bool) *Script[T] {
	s.steps = append(s.steps, step[T]{until: condition})
	return s
}

// Forever lets the source not end: the job runs until it is canceled.
func (s *Script[T]) Forever() *Script[T] { return s.When(func() bool { return false }) }

func (s *Script[T]) do(f func(c *operator.Context, op int) error) *Script[T] {
	s.steps = append(s.steps, step[T]{do: f})
	return s
}

// Play adds a source to a graph that plays scripts, one in each subtask.
func Play[T any](env *stream.Env, name string, scripts ...*Script[T]) *stream.Stream[T] {
	return sourceOf[T](env, name, max(1, len(scripts)), func(c *operator.Context, op int, out any) (operator.Instance, error) {
		next, ok := out.(operator.Emit[T])
		if !ok || c.Subtask() >= len(scripts) {
			return operator.Instance{}, fmt.Errorf("source %q plays %d scripts of %T and is subtask %d of %d", name, len(scripts), *new(T), c.Subtask()+1, c.Parallelism)
		}
		return operator.Instance{Operator: &player[T]{c: c, op: op, next: next, steps: scripts[c.Subtask()].steps}}, nil
	})
}

// player is a subtask of the source.
type player[T any] struct {
	operator.Base
	c     *operator.Context
	op    int
	next  operator.Emit[T]
	steps []step[T]
}

// again is how long a condition that does not hold is left alone.
const again = time.Millisecond

// Poll is Source's: a step.
func (p *player[T]) Poll() (operator.Status, error) {
	if len(p.steps) == 0 {
		return operator.End, nil
	}
	s := &p.steps[0]
	p.c.Op, p.c.Time = p.op, eventtime.None
	if s.until != nil && !s.until() {
		time.AfterFunc(again, func() { p.c.Post(func() {}) }) // what comes to the mailbox wakes the task
		return operator.Idle, nil
	}
	p.steps = p.steps[1:]
	if s.do != nil {
		return operator.More, s.do(p.c, p.op)
	}
	for _, v := range s.records {
		p.c.Op, p.c.Time = p.op, s.at
		p.next(&v)
	}
	p.c.Time = eventtime.None
	return operator.More, nil
}

// Wake is Source's: the mailbox wakes it.
func (p *player[T]) Wake() <-chan struct{} { return nil }
