package operator

import (
	"testing"

	"github.com/weft-project/weft/rpc/planpb"
)

// A node whose output does not fit what follows is an engine's failure, never the author's.
func TestLinkingTypesThatDoNotFit(t *testing.T) {
	for name, after := range map[string][]*Node{
		"one":     {{Name: "sink", Factory: DiscardFactory[string]()}},
		"several": {{Name: "sink", Factory: DiscardFactory[int64]()}, {Name: "other", Factory: DiscardFactory[string]()}},
	} {
		root := mapNode(t, "map", func(v int64) int64 { return v })
		for _, n := range after {
			root.Chained = append(root.Chained, ChainedNode{Node: n})
		}
		_, err := (&Vertex{Root: root}).Link(&Context{Ctx: t.Context(), Op: -1}, nil)
		want := `output of operator "map": operator is linked to a operator.Emit[string], expected operator.Emit[int64]`
		if err == nil || DomainOf(err) != planpb.FailureDomain_INTERNAL || err.Error() != want {
			t.Errorf("%s: %v in domain %s, expected INTERNAL: %s", name, err, DomainOf(err), want)
		}
	}
}
