package operator

import (
	"context"
	"fmt"

	"github.com/weft-project/weft/rpc/planpb"
)

// Program is what a job binary hands to its launcher: the graph that travels, and the code that stays.
type Program struct {
	Graph *planpb.JobGraph
	// Vertices by id (32 hex digits).
	Vertices map[string]*Vertex
	// Coordinators by operator id.
	Coordinators map[string]CoordinatorFactory
}

// Vertex is the code of one vertex: a tree of chained nodes whose root reads the vertex's inputs or is a source.
type Vertex struct {
	Root *Node
}

// Node is one chained operator.
type Node struct {
	// ID is 32 hex digits.
	ID      string
	Name    string
	Factory Factory
	Out     Type
	// Chained nodes and out-edges both receive what this node emits. Input says which input of the chained node.
	Chained []ChainedNode
	// Edges are indexes into JobGraph.Edges.
	Edges []uint32
	// KeyHashes makes, for HASH edges by index, the func(*T) uint64 of one subtask.
	KeyHashes map[uint32]func() any
	// In is the element type of each in-edge of the root, by edge index.
	In map[uint32]Type
}

// ChainedNode is a node that another one calls directly.
type ChainedNode struct {
	Node  *Node
	Input int
}

// Chain is a linked subtask.
type Chain struct {
	// Source is set for source vertices.
	Source Source
	// Inputs are the root's typed inputs.
	Inputs []any
	// operators, upstream first.
	operators []linked
	ctx       *Context
}

type linked struct {
	op    Operator
	index int
}

// Link builds the operators of one subtask. writer gives the Emit of an out-edge.
func (v *Vertex) Link(c *Context, writer func(n *Node, edge uint32) (any, error)) (*Chain, error) {
	chain := &Chain{ctx: c}
	inst, err := chain.link(v.Root, writer)
	if err != nil {
		return nil, err
	}
	chain.Inputs = inst.Inputs
	chain.Source, _ = inst.Operator.(Source)
	return chain, nil
}

func (ch *Chain) link(n *Node, writer func(*Node, uint32) (any, error)) (Instance, error) {
	index := len(ch.ctx.Ops)
	ch.ctx.Ops = append(ch.ctx.Ops, n.Name)
	ch.ctx.OpIDs = append(ch.ctx.OpIDs, n.ID)
	at := len(ch.operators)
	ch.operators = append(ch.operators, linked{nil, index})
	var outs []any
	// Edges before chained operators, which change Context.Op: the author's key function runs in the name of n.
	for _, e := range n.Edges {
		emit, err := writer(n, e)
		if err != nil {
			return Instance{}, err
		}
		outs = append(outs, emit)
	}
	for _, c := range n.Chained {
		inst, err := ch.link(c.Node, writer)
		if err != nil {
			return inst, err
		}
		if c.Input >= len(inst.Inputs) {
			return inst, fmt.Errorf("operator %q has no input %d", c.Node.Name, c.Input)
		}
		outs = append(outs, inst.Inputs[c.Input])
	}
	var out any
	if n.Out != nil {
		var err error
		if out, err = n.Out.Fan(outs, ch.ctx.ObjectReuse); err != nil {
			return Instance{}, fmt.Errorf("output of operator %q: %w", n.Name, err)
		}
	}
	inst, err := n.Factory(ch.ctx, index, out)
	if err != nil {
		return inst, fmt.Errorf("operator %q: %w", n.Name, err)
	}
	ch.operators[at].op = inst.Operator
	return inst, nil
}

// Open opens the operators, downstream first.
func (ch *Chain) Open() error {
	for i := len(ch.operators) - 1; i >= 0; i-- {
		ch.ctx.Op = ch.operators[i].index
		if err := ch.operators[i].op.Open(); err != nil {
			return err
		}
	}
	return nil
}

// EndInput ends the operators, upstream first.
func (ch *Chain) EndInput() error {
	for _, o := range ch.operators {
		ch.ctx.Op = o.index
		if err := o.op.EndInput(); err != nil {
			return err
		}
	}
	return nil
}

// Close closes all operators and gives the first error; Context.Op then names its operator.
func (ch *Chain) Close(err error) error {
	var first error
	failed := -1
	for _, o := range ch.operators {
		if o.op == nil {
			continue
		}
		ch.ctx.Op = o.index
		if e := o.op.Close(err); e != nil && first == nil {
			first, failed = e, o.index
		}
	}
	ch.ctx.Op = failed
	return first
}

// CoordinatorFactory makes the part of the coordinator task that serves one operator: a split enumerator or a global
// committer.
type CoordinatorFactory func(c *CoordinatorContext) (Coordinator, error)

// CoordinatorContext is what a coordinator knows.
type CoordinatorContext struct {
	*Context
	// OperatorID is the operator served; Parallelism is that operator's.
	OperatorID string
	// Subtasks is the parallelism of the operator's vertex.
	Subtasks int
}

// Coordinator serves the subtasks of one operator. Handle may be called from several goroutines at once.
type Coordinator interface {
	// Start prepares, for example lists the files to read. It ends before the first Handle.
	Start(ctx context.Context) error
	// Handle answers one request of a subtask.
	Handle(ctx context.Context, subtask int, payload []byte) ([]byte, error)
	// Done is closed when every subtask has been served to the end.
	Done() <-chan struct{}
	// Close releases what Start took.
	Close() error
}
