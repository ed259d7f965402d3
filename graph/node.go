package graph

import (
	"github.com/weft-project/weft/operator"
	"github.com/weft-project/weft/rpc/planpb"
)

// Auto is the partitioner of an edge for which the author asked nothing: FORWARD between equal parallelisms, else
// REBALANCE.
const Auto planpb.Partitioner = -1

// Node is one operator as the author wrote it.
type Node struct {
	Name string
	// Kind is "source", "map", "sink", …
	Kind string
	// UID names the operator across versions of the program; empty means by position.
	UID string
	// DeclaredAt is the author's file:line.
	DeclaredAt string
	// Parallelism and MaxParallelism are 0 where the environment's apply.
	Parallelism, MaxParallelism int
	// MaxOne: the operator can not run in parallel (a socket source).
	MaxOne bool
	// SlotGroup is empty where the inputs' applies.
	SlotGroup string
	// NoChain forbids chaining on both sides; StartChain on the input side.
	NoChain, StartChain bool
	Inputs              []Input
	Factory             operator.Factory
	// Combine pre-aggregates before a HASH edge in BATCH mode; nil where the function does not allow it.
	Combine operator.Factory
	// Out is the element type emitted; nil for sinks.
	Out operator.Type
	// Sides are the side outputs that are read.
	Sides []operator.Side
	// SetsTime: what it emits has timestamps, whatever comes in. ReadsTime: it needs those of its inputs; without such a
	// reader downstream timestamps do not travel. NewTime: those of its inputs go no further.
	SetsTime, ReadsTime, NewTime bool
	// Managed: the operator needs managed memory in BATCH mode; those with a HASH input do in any case.
	Managed bool
	// Coordinator is set for operators with an enumerator or committer.
	Coordinator operator.CoordinatorFactory
	// Unbounded marks a source that does not end.
	Unbounded bool
	// Reads, Writes and Scratch are URIs: what must exist, what must not, and what is removed when the job has ended.
	Reads, Writes, Scratch []string
}

// Input is one upstream of a node.
type Input struct {
	From        *Node
	Partitioner planpb.Partitioner
	// KeyHash makes, for one subtask, the func(*T) uint64 of a HASH edge, or the func(*T, int) int of a CUSTOM one.
	KeyHash func() any
	// Output of From: 0 the main one, then its side outputs.
	Output int
	// Index is which input of the node; edges of a union share one.
	Index int
}

// Settings are what Compile needs besides the nodes.
type Settings struct {
	Name           string
	Mode           planpb.RuntimeMode
	Parallelism    int
	MaxParallelism int
	SDKVersion     string
	ExecuteCall    int
	Config         map[string]string
	Captured       []*planpb.Captured
	Once           []string
	// NoChaining keeps every operator in a vertex of its own (pipeline.operator-chaining.enabled: false).
	NoChaining bool
	// Pipelined: no exchange of a BATCH job is blocking.
	Pipelined bool
}
