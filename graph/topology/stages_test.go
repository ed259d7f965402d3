package topology

import (
	"maps"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/weft-project/weft/rpc/planpb"
)

// graphOf reads edges as "a-b" (pipelined) and "a=b" (blocking).
func graphOf(text string) *planpb.JobGraph {
	g := &planpb.JobGraph{}
	seen := map[string]bool{}
	for i, f := range strings.Fields(text) {
		e := &planpb.JobEdge{Index: uint32(i), Source: f[:1], Target: f[2:]}
		if f[1] == '=' {
			e.Exchange = planpb.ExchangeMode_BLOCKING
		}
		g.Edges = append(g.Edges, e)
		for _, v := range []string{e.Source, e.Target} {
			if !seen[v] {
				seen[v] = true
				g.Vertices = append(g.Vertices, &planpb.JobVertex{Id: v, Parallelism: 1})
			}
		}
	}
	return g
}

func TestStages(t *testing.T) {
	for text, want := range map[string]map[string]int{
		"a-b b-c":             {"a": 0, "b": 0, "c": 0},
		"a=b b-c c=d":         {"a": 0, "b": 1, "c": 1, "d": 2},
		"a=c b=c":             {"a": 0, "b": 0, "c": 1},
		"a=b b=c a=c":         {"a": 0, "b": 1, "c": 2},
		"a=b c-b":             {"a": 0, "b": 1, "c": 1},
		"a=b a-c b-c":         {"a": 0, "b": 0, "c": 0},         // a and b are connected by c
		"a=b c=d a-d c-b":     {"a": 0, "b": 0, "c": 0, "d": 0}, // each region would wait for the other
		"a=b b=c c=d a-x x-d": {"a": 0, "b": 0, "c": 0, "d": 0, "x": 0},
	} {
		g := graphOf(text)
		Untangle(g.Edges)
		got, n, ok := Stages(g)
		if !ok || !maps.Equal(got, want) {
			t.Errorf("%s: %v (%d stages, %t), expected %v", text, got, n, ok, want)
		}
	}
	if _, _, ok := Stages(graphOf("a=b a-b")); ok {
		t.Error("a tangled graph has stages")
	}
}

// In any graph every edge goes to the same stage when it is pipelined, and to a later one when it is not.
func TestStagesOfRandomGraphs(t *testing.T) {
	for seed := range uint64(500) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		var text []string
		for range 1 + rnd.IntN(14) {
			from := rnd.IntN(9)
			to := from + 1 + rnd.IntN(9-from)
			text = append(text, string(rune('a'+from))+[]string{"-", "="}[rnd.IntN(2)]+string(rune('a'+to)))
		}
		g := graphOf(strings.Join(text, " "))
		Untangle(g.Edges)
		stage, n, ok := Stages(g)
		if !ok {
			t.Fatalf("seed %d, %v: tangled", seed, text)
		}
		for _, e := range g.Edges {
			a, b := stage[e.Source], stage[e.Target]
			if blocking := e.Exchange == planpb.ExchangeMode_BLOCKING; blocking && a >= b || !blocking && a != b || b >= n {
				t.Errorf("seed %d, %v: edge %v from stage %d to %d of %d", seed, text, e, a, b, n)
			}
		}
	}
}
