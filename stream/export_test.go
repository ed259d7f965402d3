package stream

import (
	"github.com/weft-project/weft/graph"
	"github.com/weft-project/weft/operator"
	"github.com/weft-project/weft/rpc/planpb"
)

// Compile makes the program of an environment, for tests that link its operators themselves.
func Compile(e *Env) (*operator.Program, error) {
	if len(e.errs) > 0 {
		return nil, e.errs[0]
	}
	mode := planpb.RuntimeMode_STREAMING
	if e.modeSet {
		mode = planpb.RuntimeMode(e.mode)
	}
	return graph.Compile(e.nodes, graph.Settings{Name: "test", Mode: mode, Parallelism: 1})
}
