package graph

import "github.com/weft-project/weft/rpc/planpb"

// combineKind is the kind of the operators that combine puts in.
const combineKind = "combine"

// managed tells whether an operator needs managed memory.
func (c *compiler) managed(n *Node) bool {
	need := n.Managed
	for _, in := range n.Inputs {
		need = need || in.Partitioner == planpb.Partitioner_HASH
	}
	return need && c.s.Mode == planpb.RuntimeMode_BATCH
}

// exchange decides whether an edge of a BATCH job is blocking: those that deal records anew are, unless a combiner has made the
// records few (docs/adr/0003). What edges of the other kind connect runs at the same time.
func (c *compiler) exchange(in Input) planpb.ExchangeMode {
	if c.s.Mode != planpb.RuntimeMode_BATCH || c.s.Pipelined || in.Partitioner == planpb.Partitioner_FORWARD || in.From.Kind == combineKind {
		return planpb.ExchangeMode_PIPELINED_BOUNDED
	}
	return planpb.ExchangeMode_BLOCKING
}
