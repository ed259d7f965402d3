package operator

import (
	"context"
	"slices"
	"testing"

	"github.com/weft-project/weft/checkpoint"
)

// parts is a split of numbers.
type parts struct{ At, Next int }

type partsReader struct{ left parts }

func (r *partsReader) Read(emit func(v *int)) (Status, error) {
	emit(&r.left.Next)
	r.left.Next++
	return More, nil
}

func (r *partsReader) Remaining() parts { return r.left }
func (r *partsReader) Close() error     { return nil }

// Splits come to their owners, and a source hears of complete checkpoints what it had read by then.
func TestOwnersOfSplitsAndCompleteCheckpoints(t *testing.T) {
	var told [][]parts
	source, coordinator := SplitSource[int, parts]{
		Plan: func(context.Context, int) ([]parts, error) {
			return []parts{{0, 0}, {1, 0}, {2, 0}, {3, 0}, {4, 0}}, nil
		},
		Open: func(_ context.Context, s parts, _ func()) (SplitReader[int], error) {
			return &partsReader{s}, nil
		},
		Owner:     func(s parts, subtasks int) int { return s.At % subtasks },
		Committed: func(_ context.Context, s []parts) { told = append(told, s) },
		AtOnce:    100,
	}.Factories()
	deal, err := coordinator(&CoordinatorContext{Context: &Context{}, Subtasks: 2})
	if err == nil {
		err = deal.Start(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	posted := make(chan func(), 100)
	c := &Context{Ctx: t.Context(), Parallelism: 2, OpIDs: []string{"op"}, Batch: true, Post: func(f func()) { posted <- f },
		Call: func(ctx context.Context, _ string, payload []byte) ([]byte, error) {
			return deal.Handle(ctx, 1, payload)
		}}
	i, err := source(c, 0, Emit[int](func(*int) {}))
	if err != nil {
		t.Fatal(err)
	}
	x := i.Operator.(*splitSource[int, parts])
	if _, err := x.Poll(); err != nil {
		t.Fatal(err)
	}
	for !x.none {
		(<-posted)()
	}
	var refs [4]checkpoint.Ref
	for n := range refs {
		refs[n] = checkpoint.Ref{Epoch: 1, ID: int64(n)}
		if err := x.BeforeSnapshot(refs[n]); err != nil {
			t.Fatal(err)
		}
		if _, err := x.Poll(); err != nil {
			t.Fatal(err)
		}
	}
	// The second is complete, the first and third never are; the fourth is, and is told of once.
	for _, n := range []int{1, 0, 3, 3} {
		if err := x.Completed(refs[n]); err != nil {
			t.Fatal(err)
		}
	}
	want := [][]parts{{{1, 1}, {3, 1}}, {{1, 3}, {3, 3}}}
	if !slices.EqualFunc(told, want, slices.Equal) || len(x.prepared) != 0 || x.Pending() {
		t.Errorf("told %v, expected %v; %d kept", told, want, len(x.prepared))
	}
}
