package main

import (
	"testing"

	"github.com/weft-project/weft/stream"
	"github.com/weft-project/weft/streamtest"
)

// Each word emits its new count.
func TestCount(t *testing.T) {
	h := streamtest.NewHarness(t, streamtest.Parallelism(2))
	lines := streamtest.NewInput[string](h, "lines")
	out := streamtest.Collect(count(lines.Stream()), "counts")
	h.Open()
	lines.Push("To be, or not", "to be")
	streamtest.OrderedByKey(t, out.Take(), func(c stream.Counted[string]) string { return c.Key }, stream.Counted[string]{Key: "to", N: 1},
		stream.Counted[string]{Key: "be", N: 1}, stream.Counted[string]{Key: "or", N: 1}, stream.Counted[string]{Key: "not", N: 1},
		stream.Counted[string]{Key: "to", N: 2}, stream.Counted[string]{Key: "be", N: 2})
}
