package main

import (
	"testing"

	"github.com/weft-project/weft/stream"
	"github.com/weft-project/weft/streamtest"
)

func TestVisits(t *testing.T) {
	const minute = 60_000
	env := stream.New()
	out := streamtest.Collect(visits(stream.FromSlice(env, "clicks", []Click{
		{"ann", "/", 0},
		{"bob", "/", 1 * minute},
		{"ann", "/cart", 50 * minute},
		{"ann", "/news", 25 * minute}, // out of order: it joins the two before
		{"ann", "/", 81 * minute},     // more than a pause later: another visit
	}, stream.Parallelism(1))), "visits")
	env.SetMode(stream.Batch) // all clicks are there before a session ends
	streamtest.Run(t, env)
	streamtest.OrderedByKey(t, out.Values(), func(v Visit) string { return v.Visitor },
		Visit{"bob", 1, minute, minute}, Visit{"ann", 3, 0, 50 * minute}, Visit{"ann", 1, 81 * minute, 81 * minute})
}
