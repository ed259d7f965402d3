package stream_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/weft-project/weft/internal/randomjob"
	"github.com/weft-project/weft/stream"
)

var (
	randomSeed = flag.Uint64("seed", 1, "the first seed of the random programs")
	randomRuns = flag.Uint64("programs", 40, "how many random programs are run")
)

// Record and Total make results the sink of random programs.
func (r *results) Record(sink, text string) { r.record(sink, text) }

func (r *results) Total(sink, key string, n int64) { r.total(sink, key, n) }

// randomVariant is any way to run a program.
func randomVariant(rnd *rand.Rand) variant {
	return variant{parallelism: 1 + rnd.IntN(5), mode: []stream.Mode{stream.Streaming, stream.Batch, stream.Automatic}[rnd.IntN(3)], noChaining: rnd.IntN(3) == 0,
		timeout: []string{"", "", "0", "-1", "1 ms"}[rnd.IntN(5)], reuse: rnd.IntN(4) == 0, segment: []string{"", "1 kb", "64 kb"}[rnd.IntN(3)]}
}

// Random programs give the same however they run. A failure names its seed: go test -run TestRandomPrograms -seed N -programs 1.
func TestRandomPrograms(t *testing.T) {
	came := 0
	for seed := *randomSeed; seed < *randomSeed+*randomRuns; seed++ {
		rnd := rand.New(rand.NewPCG(seed, 1))
		var want *results
		for _, v := range []variant{{parallelism: 1}, randomVariant(rnd), randomVariant(rnd), randomVariant(rnd)} {
			env, got := v.env(), newResults()
			randomjob.Build(env, seed, got)
			res, err := env.Execute(t.Context(), fmt.Sprint("seed ", seed))
			if err != nil {
				t.Fatalf("seed %d, %s: %v", seed, v, err)
			}
			if n := res.Counter("numLateRecordsDropped"); n > 0 {
				t.Fatalf("seed %d, %s: %d records came late", seed, v, n)
			}
			if want == nil {
				want = got
			}
			got.same(t, v, want)
			came += len(got.records) + len(got.last)
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	if *randomRuns > 10 && came < 10_000 {
		t.Errorf("%d results came of %d programs: too few to say anything", came, *randomRuns)
	}
}
