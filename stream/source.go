package stream

import (
	"context"
	"errors"

	"github.com/weft-project/weft/operator"
)

// SourceStatus is what a SplitReader says after Read.
type SourceStatus = operator.Status

// What a SplitReader says.
const (
	// SourceMore: ask again at once.
	SourceMore = operator.More
	// SourceIdle: nothing now; it will call wake.
	SourceIdle = operator.Idle
	// SourceEnd: the split has been read.
	SourceEnd = operator.End
)

// SplitReader reads one split of a source of one's own.
type SplitReader[T any] = operator.SplitReader[T]

// ResumableReader is a SplitReader that knows what is left of its split, from which the source goes on after a restart.
type ResumableReader[S any] = operator.Resumable[S]

// SplitSource is a source whose input is dealt out in splits to its subtasks as they ask: those of connectors, files.CSV for
// example, and those of one's own.
type SplitSource[T, S any] = operator.SplitSource[T, S]

// Enumeration is what the Discover function of a SplitSource works with.
type Enumeration[S any] = operator.Enumeration[S]

// SourceContext gives what a function of a SplitSource knows of the task in whose name it is called with ctx: Open and the readers
// of their subtask, Plan and Discover of the coordinator task. Counters are for Open and Read only.
func SourceContext(ctx context.Context) *Context {
	c := operator.ContextOf(ctx)
	if c == nil {
		operator.Abort(operator.User(errors.New("SourceContext: no function of a source was called with this context")))
	}
	return contextOf(c)
}

// FromSource reads a source of one's own or of a connector.
func FromSource[T, S any](e *Env, name string, src SplitSource[T, S], opts ...Option) *Stream[T] {
	return fromSource(e, name, src, nil, opts)
}

// FromTimedSource is FromSource with timestamps. Watermarks are made for each split: one that is behind is waited for, one
// that has had nothing for IdleAfter is not.
func FromTimedSource[T, S any](e *Env, name string, src SplitSource[T, S], w WatermarkStrategy[T], opts ...Option) *Stream[T] {
	s := fromSource(e, name, src, &w.s, opts)
	s.from[0].node.SetsTime = true
	return s
}

func fromSource[T, S any](e *Env, name string, src SplitSource[T, S], time *operator.Strategy[T], opts []Option) *Stream[T] {
	switch {
	case src.Invalid != nil:
		e.fail("source %q: %v", name, src.Invalid)
	case (src.Plan == nil) == (src.Discover == nil) || src.Open == nil:
		e.fail("source %q: Plan and Open are needed, or Discover and Open", name)
	}
	src.Time = time
	source, coordinator := src.Factories()
	s := add[T](e, name, "source", nil, source, opts)
	n := s.from[0].node
	n.Coordinator, n.Unbounded, n.Reads = coordinator, src.Unbounded, src.Reads
	return s
}
