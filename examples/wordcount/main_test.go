package main

import (
	"testing"

	"github.com/weft-project/weft/stream"
	"github.com/weft-project/weft/streamtest"
)

func TestCount(t *testing.T) {
	env := stream.New()
	env.SetMode(stream.Batch)
	out := streamtest.Collect(count(stream.FromSlice(env, "lines", hamlet)), "counts")
	streamtest.Run(t, env)
	got := map[string]int64{}
	for _, w := range out.Values() {
		got[w.Word] += w.N
	}
	if out.Len() != len(got) || got["be"] != 3 || got["tis"] != 2 || got["heartache"] != 1 {
		t.Errorf("%d counts: %v", out.Len(), got)
	}
}
