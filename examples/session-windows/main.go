// Command session-windows is an example: a visitor's clicks belong to one visit as long as no more than half an hour passes between two of
// them.
//
//	go run ./examples/session-windows
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/weft-project/weft/stream"
)

// Click is a page that a visitor has asked for, at a time in milliseconds.
type Click struct {
	Visitor string
	Page    string
	At      int64
}

// Visit is a session of a visitor: how many clicks, from the first to the last.
type Visit struct {
	Visitor     string
	Clicks      int64
	First, Last int64
}

// pause ends a visit.
const pause = 30 * time.Minute

// clicks counts clicks; sessions are joined when a click comes between them, so it can be merged.
var clicks = stream.Aggregate[Click, int64, int64]{
	Add:    func(n *int64, _ *Click) { *n++ },
	Merge:  func(n, other *int64) { *n += *other },
	Result: func(n *int64) int64 { return *n },
}

func visits(in *stream.Stream[Click]) *stream.Stream[Visit] {
	timed := stream.AssignTimestamps(in, "time", stream.OutOfOrder(time.Minute, func(c *Click) int64 { return c.At }))
	byVisitor := stream.KeyBy(timed, func(c Click) string { return c.Visitor })
	return stream.AggregateWindowWith(stream.Window(byVisitor, stream.Session(pause)), "visits", clicks,
		func(c *stream.WindowContext[string], n int64, emit func(Visit)) {
			emit(Visit{c.Key, n, c.Window.Start, c.Window.End - pause.Milliseconds()}) // a session ends a pause after its last click
		})
}

func main() {
	env := stream.New()
	minute := time.Minute.Milliseconds()
	stream.Print(visits(stream.FromSlice(env, "clicks", []Click{
		{"ann", "/", 0}, {"bob", "/", minute}, {"ann", "/cart", 20 * minute}, {"ann", "/", 90 * minute},
	}, stream.Parallelism(1))), "visits")
	if _, err := env.Execute(context.Background(), "Session windows"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
