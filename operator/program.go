package operator

import (
	"context"
	"fmt"

	"github.com/weft-project/weft/eventtime"
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
	// Sides are the side outputs; their number as an output is the place here, from 1.
	Sides []Side
	// Chained nodes and out-edges both receive what this node emits. Input says which input of the chained node.
	Chained []ChainedNode
	// Edges are indexes into JobGraph.Edges; EdgeOutput is which output feeds one, where it is not the main one.
	Edges      []uint32
	EdgeOutput map[uint32]int
	// KeyHashes makes, for HASH edges by index, the func(*T) uint64 of one subtask.
	KeyHashes map[uint32]func() any
	// Managed: it takes part in Context.Managed.
	Managed bool
	// In is the element type of each in-edge of the root, by edge index.
	In map[uint32]Type
}

// Side is a side output.
type Side struct {
	Name string
	Type Type
}

// ChainedNode is a node that another one calls directly.
type ChainedNode struct {
	Node  *Node
	Input int
	// Output of the caller, as in Node.Sides.
	Output int
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

// linked is one operator of a chain; index is its place, also in Context.Ops.
type linked struct {
	op    Operator
	index int
	timed EventTime
	idler IdleTaker
	// What follows, for watermarks.
	children []int
	writers  []Writer
	// in and out are the last watermarks.
	in, out int64
}

// NewWriter gives the Emit and the Writer of an out-edge of a node; typ is its element type.
type NewWriter func(n *Node, edge uint32, typ Type) (emit any, w Writer, err error)

// Link builds the operators of one subtask.
func (v *Vertex) Link(c *Context, writer NewWriter) (*Chain, error) {
	chain := &Chain{ctx: c}
	c.chain, c.sides, c.Time, c.EmitLag = chain, map[int]map[string]any{}, eventtime.None, NoLag
	if c.Clock == nil {
		c.Clock = WallClock{}
	}
	c.Now = c.Clock.Now()
	inst, err := chain.link(v.Root, writer)
	if err != nil {
		return nil, err
	}
	chain.Inputs = inst.Inputs
	chain.Source, _ = inst.Operator.(Source)
	return chain, nil
}

func (ch *Chain) link(n *Node, writer NewWriter) (Instance, error) {
	index := len(ch.ctx.Ops)
	ch.ctx.Ops = append(ch.ctx.Ops, n.Name)
	ch.ctx.OpIDs = append(ch.ctx.OpIDs, n.ID)
	ch.operators = append(ch.operators, linked{index: index, in: eventtime.None, out: eventtime.None})
	outs := make([][]any, 1+len(n.Sides))
	// Edges before chained operators, which change Context.Op: the author's key function runs in the name of n.
	for _, e := range n.Edges {
		output := n.EdgeOutput[e]
		emit, w, err := writer(n, e, n.typeOf(output))
		if err != nil {
			return Instance{}, err
		}
		outs[output] = append(outs[output], emit)
		ch.operators[index].writers = append(ch.operators[index].writers, w)
	}
	for _, c := range n.Chained {
		child := len(ch.ctx.Ops)
		inst, err := ch.link(c.Node, writer)
		if err != nil {
			return inst, err
		}
		if c.Input >= len(inst.Inputs) {
			return inst, fmt.Errorf("operator %q has no input %d", c.Node.Name, c.Input)
		}
		outs[c.Output] = append(outs[c.Output], inst.Inputs[c.Input])
		ch.operators[index].children = append(ch.operators[index].children, child)
	}
	out, err := ch.fan(n, index, outs)
	if err != nil {
		return Instance{}, fmt.Errorf("output of operator %q: %w", n.Name, err)
	}
	inst, err := n.Factory(ch.ctx, index, out)
	if err != nil {
		return inst, fmt.Errorf("operator %q: %w", n.Name, err)
	}
	o := &ch.operators[index]
	o.op = inst.Operator
	o.timed, _ = inst.Operator.(EventTime)
	o.idler, _ = inst.Operator.(IdleTaker)
	return inst, nil
}

// typeOf is the element type of an output.
func (n *Node) typeOf(output int) Type {
	if output == 0 {
		return n.Out
	}
	return n.Sides[output-1].Type
}

// fan joins what reads each output into one function; those of side outputs are kept in the context.
func (ch *Chain) fan(n *Node, index int, outs [][]any) (out any, err error) {
	if n.Out != nil {
		if out, err = n.Out.Fan(outs[0], ch.ctx.ObjectReuse); err != nil {
			return nil, err
		}
	}
	for i, side := range n.Sides {
		emit, err := side.Type.Fan(outs[i+1], ch.ctx.ObjectReuse)
		if err != nil {
			return nil, err
		}
		if ch.ctx.sides[index] == nil {
			ch.ctx.sides[index] = map[string]any{}
		}
		ch.ctx.sides[index][side.Name] = emit
	}
	return out, nil
}

// Watermark advances event time for the whole chain: what is due fires, upstream first, then the watermark goes on.
func (ch *Chain) Watermark(wm int64) {
	if ch.Source != nil {
		ch.forward(0, wm)
		return
	}
	ch.advance(0, wm)
}

// Barrier sends a checkpoint's barrier to all consumers of the chain.
func (ch *Chain) Barrier(payload []byte) {
	for i := range ch.operators {
		for _, w := range ch.operators[i].writers {
			w.Barrier(payload)
		}
	}
}

// Idle takes the status of the chain's inputs.
func (ch *Chain) Idle(idle bool) { ch.takeIdle(0, idle) }

func (ch *Chain) advance(i int, wm int64) {
	o := &ch.operators[i]
	if wm <= o.in {
		return
	}
	o.in = wm
	if o.timed != nil {
		ch.ctx.Op = i
		if pass := o.timed.Advance(wm); !pass && wm != eventtime.Max {
			return
		}
	}
	ch.forward(i, wm)
}

func (ch *Chain) forward(i int, wm int64) {
	o := &ch.operators[i]
	if wm <= o.out {
		return
	}
	o.out = wm
	for _, c := range o.children {
		ch.advance(c, wm)
	}
	for _, w := range o.writers {
		w.Watermark(wm)
	}
}

func (ch *Chain) takeIdle(i int, idle bool) {
	if o := &ch.operators[i]; o.idler != nil {
		ch.ctx.Op = i
		if !o.idler.Idle(idle) {
			return
		}
	}
	ch.forwardIdle(i, idle)
}

func (ch *Chain) forwardIdle(i int, idle bool) {
	o := &ch.operators[i]
	if o.out == eventtime.Max {
		return // it has ended
	}
	for _, c := range o.children {
		ch.takeIdle(c, idle)
	}
	for _, w := range o.writers {
		w.Idle(idle)
	}
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
	// Fail ends the coordinator task with an error of code that runs in a goroutine of the coordinator's own.
	Fail func(err error)
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
