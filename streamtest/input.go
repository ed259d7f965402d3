package streamtest

import (
	"github.com/weft-project/weft/eventtime"
	"github.com/weft-project/weft/graph"
	"github.com/weft-project/weft/internal/role"
	"github.com/weft-project/weft/operator"
	"github.com/weft-project/weft/stream"
)

// Input is a source that a test drives by hand in a Harness.
type Input[T any] struct {
	h    *Harness
	s    *stream.Stream[T]
	c    *operator.Context
	emit operator.Emit[T]
}

// NewInput adds an input to the graph of a harness. It has one subtask.
func NewInput[T any](h *Harness, name string) *Input[T] {
	in := &Input[T]{h: h}
	in.s = sourceOf[T](h.Env, name, 1, func(c *operator.Context, _ int, out any) (operator.Instance, error) {
		in.c, in.emit = c, out.(operator.Emit[T])
		return operator.Instance{Operator: inputSource{}}, nil
	})
	return in
}

// sourceOf adds a source whose operator a factory makes.
func sourceOf[T any](env *stream.Env, name string, subtasks int, f operator.Factory) *stream.Stream[T] {
	s := stream.Generate(env, name, 0, func(int64) (v T) { return v }, stream.Parallelism(subtasks))
	n := role.NodeOf(s).(*graph.Node)
	n.Factory, n.SetsTime = f, true
	return s
}

// Stream is what the input emits.
func (in *Input[T]) Stream() *stream.Stream[T] { return in.s }

// Push gives records without a timestamp.
func (in *Input[T]) Push(vs ...T) {
	in.h.t.Helper()
	in.At(eventtime.None, vs...)
}

// At gives records with a timestamp, in milliseconds.
func (in *Input[T]) At(ms int64, vs ...T) {
	in.h.t.Helper()
	for _, v := range vs {
		in.step(func(*subtask) error {
			in.c.Time = ms
			in.emit(&v)
			return nil
		})
	}
}

// Watermark lets event time of this input advance: nothing with a timestamp up to ms is to come.
func (in *Input[T]) Watermark(ms int64) {
	in.h.t.Helper()
	in.step(func(s *subtask) error {
		s.chain.Watermark(ms)
		return nil
	})
}

// Idle says whether the input is idle: then event time advances without it.
func (in *Input[T]) Idle(idle bool) {
	in.h.t.Helper()
	in.step(func(s *subtask) error {
		s.ctx.ForwardIdle(0, idle)
		return nil
	})
}

// End ends this input.
func (in *Input[T]) End() {
	in.h.t.Helper()
	in.step((*subtask).end)
}

// step does something as the input's subtask.
func (in *Input[T]) step(f func(s *subtask) error) {
	in.h.t.Helper()
	in.h.do(func() error {
		for _, tasks := range in.h.tasks {
			for _, s := range tasks {
				if s.ctx != in.c {
					continue
				}
				if s.ended {
					in.h.t.Fatalf("streamtest: input %q has ended", s.ctx.TaskName)
				}
				in.c.Op, in.c.Time = 0, eventtime.None
				return in.h.call(s, func() error { return f(s) })
			}
		}
		return nil
	})
}

// inputSource is a source that is never asked.
type inputSource struct{ operator.Base }

// Poll is Source's.
func (inputSource) Poll() (operator.Status, error) { return operator.Idle, nil }

// Wake is Source's.
func (inputSource) Wake() <-chan struct{} { return nil }
