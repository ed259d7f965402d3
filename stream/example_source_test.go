package stream_test

import (
	"context"
	"fmt"

	"github.com/weft-project/weft/stream"
)

// shelf is a split of the example's source: a part of a catalogue.
type shelf struct{ First, Books int }

// books reads the books of one shelf.
type books struct{ left shelf }

// Read emits a few records at a time: between two calls the task looks around.
func (b *books) Read(emit func(title *string)) (stream.SourceStatus, error) {
	for range 10 {
		if b.left.Books == 0 {
			return stream.SourceEnd, nil
		}
		title := fmt.Sprint("book ", b.left.First)
		emit(&title)
		b.left.First++
		b.left.Books--
	}
	return stream.SourceMore, nil
}

// Remaining lets the source go on from a checkpoint where it was.
func (b *books) Remaining() shelf { return b.left }

func (b *books) Close() error { return nil }

// A source of one's own: an enumerator that lists the splits, or finds them while the job runs, in the coordinator task; and a
// reader for each split.
func ExampleFromSource() {
	env := stream.New()
	env.SetMode(stream.Batch)
	titles := stream.FromSource(env, "catalogue", stream.SplitSource[string, shelf]{
		Discover: func(_ context.Context, e *stream.Enumeration[shelf]) error {
			e.Found(nil, shelf{0, 30}, shelf{30, 12})
			e.Found(nil, shelf{42, 8})
			return nil // there will be no more
		},
		Open: func(_ context.Context, s shelf, _ func()) (stream.SplitReader[string], error) { return &books{s}, nil },
	})
	counts := stream.Count(stream.KeyBy(titles, func(string) string { return "books" }), "count")
	stream.Print(counts, "print", stream.Parallelism(1))
	if _, err := env.Execute(context.Background(), "catalogue"); err != nil {
		fmt.Println(err)
	}
	// Output: {books 50}
}
