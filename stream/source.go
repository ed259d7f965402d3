package stream

import (
	"context"

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

// SplitSource is a source of one's own. S names a part of the input, small and fit for JSON.
type SplitSource[T, S any] struct {
	// Plan lists the splits. It is called once, in the job's coordinator task.
	Plan func(ctx context.Context, subtasks int) ([]S, error)
	// Open begins to read a split; a reader that was idle calls wake when it has records again.
	Open func(ctx context.Context, split S, wake func()) (SplitReader[T], error)
	// AtOnce is how many splits a subtask reads side by side; 0 means one, one after the other.
	AtOnce int
	// Unbounded: the splits do not end.
	Unbounded bool
}

// FromSource reads a source of one's own.
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
	if src.Plan == nil || src.Open == nil {
		e.fail("source %q: Plan and Open are needed", name)
	}
	source, coordinator := operator.SplitSource[T, S]{Plan: src.Plan, Open: src.Open, AtOnce: src.AtOnce, Time: time}.Factories()
	s := add[T](e, name, "source", nil, source, opts)
	n := s.from[0].node
	n.Coordinator, n.Unbounded = coordinator, src.Unbounded
	return s
}
