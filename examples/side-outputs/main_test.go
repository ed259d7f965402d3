package main

import (
	"testing"

	"github.com/weft-project/weft/stream"
	"github.com/weft-project/weft/streamtest"
)

func TestParse(t *testing.T) {
	env := stream.New()
	accesses, bad := parse(stream.FromSlice(env, "lines", []string{"ann / 200 512", "what is this", "bob /cart 404 17", ""}))
	out, rest := streamtest.Collect(accesses, "accesses"), streamtest.Collect(bad, "bad")
	result := streamtest.Run(t, env)
	streamtest.Unordered(t, out.Values(), Access{"ann", "/", 200, 512}, Access{"bob", "/cart", 404, 17})
	var lines []string
	for _, b := range rest.Values() {
		lines = append(lines, b.Line)
		if b.Why == "" {
			t.Errorf("line %q has no reason", b.Line)
		}
	}
	streamtest.Unordered(t, lines, "what is this", "")
	if n := result.Counter("bad lines"); n != 2 {
		t.Errorf("%d bad lines were counted, expected 2", n)
	}
}
