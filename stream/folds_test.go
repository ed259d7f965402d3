package stream_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/weft-project/weft/stream"
)

// The extremes of each key: of one field, beside the first record's others, or of whole records. STREAMING gives each new one, BATCH the last.
func TestExtremesOfKeys(t *testing.T) {
	clicks := []click{{User: "a", At: 5, N: 1}, {User: "a", At: 9, N: 2}, {User: "b", At: 1, N: 3}, {User: "a", At: 2, N: 4}, {User: "a", At: 9, N: 5}, {User: "a", At: 2, N: 6}}
	at := func(c *click) *int64 { return &c.At }
	type keyed = *stream.KeyedStream[string, click]
	for name, tt := range map[string]struct {
		of    func(in keyed) *stream.Stream[click]
		each  string
		final string
	}{
		"max":    {func(in keyed) *stream.Stream[click] { return stream.Max(in, "op", at) }, "a5:1 a9:1 b1:3 a9:1 a9:1 a9:1", "a9:1 b1:3"},
		"min":    {func(in keyed) *stream.Stream[click] { return stream.Min(in, "op", at) }, "a5:1 a5:1 b1:3 a2:1 a2:1 a2:1", "a2:1 b1:3"},
		"max by": {func(in keyed) *stream.Stream[click] { return stream.MaxBy(in, "op", at) }, "a5:1 a9:2 b1:3 a9:2 a9:2 a9:2", "a9:2 b1:3"},
		"min by": {func(in keyed) *stream.Stream[click] { return stream.MinBy(in, "op", at) }, "a5:1 a5:1 b1:3 a2:4 a2:4 a2:4", "a2:4 b1:3"},
	} {
		for _, mode := range []stream.Mode{stream.Streaming, stream.Batch} {
			env := stream.New()
			env.SetMode(mode)
			env.SetParallelism(1)
			var mu sync.Mutex
			var got []string
			in := stream.KeyBy(stream.FromSlice(env, "clicks", clicks), func(c click) string { return c.User })
			stream.ForEach(tt.of(in), "collect", func(c click) {
				mu.Lock()
				defer mu.Unlock()
				got = append(got, fmt.Sprint(c.User, c.At, ":", c.N))
			})
			if _, err := env.Execute(t.Context(), name); err != nil {
				t.Fatal(err)
			}
			want := tt.each
			if mode == stream.Batch {
				slices.Sort(got)
				want = tt.final
			}
			if have := strings.Join(got, " "); have != want {
				t.Errorf("%s, mode %v: %s, expected %s", name, mode, have, want)
			}
		}
	}
}

// Two streams of different types meet in one operator, which may emit any number of records for each.
func TestCoFlatMap(t *testing.T) {
	b := operate(t, "both", func(env *stream.Env, b *bench) {
		out := stream.CoFlatMap(source[ev](env, "events"), source[string](env, "texts"), "both",
			func(e ev, emit func(string)) {
				for range e.N {
					emit(e.Key)
				}
			}, func(s string, emit func(string)) {
				for _, w := range strings.Fields(s) {
					emit(w)
				}
			})
		collect(b, out, "")
	})
	b.ev("a", 2, 1)
	b.ev("never", 0, 2)
	give(b, 1, "to be", 3)
	give(b, 1, "", 4)
	b.expect("a @1", "a @1", "to @3", "be @3")
}
