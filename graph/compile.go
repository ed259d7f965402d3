package graph

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"math/bits"
	"sort"
	"strings"

	"github.com/weft-project/weft/graph/topology"
	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/operator"
	"github.com/weft-project/weft/rpc/planpb"
)

// defaultGroup is the slot sharing group of operators that name none.
const defaultGroup = "default"

// Compile makes the program of one Execute call. Errors name the author's file and line.
func Compile(nodes []*Node, s Settings) (*operator.Program, error) {
	c := &compiler{s: s, opIDs: map[*Node]string{}, stable: map[*Node]string{}}
	steps := []func() error{
		func() error { return c.collect(nodes) }, c.settle, c.combine, c.identify, c.times, c.chain, c.build,
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return c.program, nil
}

type compiler struct {
	s       Settings
	nodes   []*Node // copies: compiling twice must not change the author's graph
	stable  map[*Node]string
	opIDs   map[*Node]string
	heads   []*Node
	headOf  map[*Node]*Node
	chained map[*Node][]*Node // downstream nodes called directly, in node order
	hasTime map[*Node]bool    // what it emits has timestamps
	inTime  map[*Node]bool    // it, or something after it, needs timestamps of its inputs
	program *operator.Program
}

func at(n *Node) string {
	if n.DeclaredAt == "" {
		return fmt.Sprintf("operator %q", n.Name)
	}
	return fmt.Sprintf("%s: operator %q", n.DeclaredAt, n.Name)
}

// collect copies the nodes and checks what can be checked one by one.
func (c *compiler) collect(nodes []*Node) error {
	copies := map[*Node]*Node{}
	uids, writers := map[string]*Node{}, map[string]*Node{}
	consumed := map[*Node]bool{}
	var errs []error
	for _, n := range nodes {
		cp := *n
		cp.Inputs = append([]Input(nil), n.Inputs...)
		copies[n] = &cp
		c.nodes = append(c.nodes, &cp)
		for i := range cp.Inputs {
			from := cp.Inputs[i].From
			if copies[from] == nil {
				return fmt.Errorf("%s: its input %q was not added to this environment before it", at(n), from.Name)
			}
			consumed[from] = true
			cp.Inputs[i].From = copies[from]
		}
		if n.UID != "" {
			if other := uids[n.UID]; other != nil {
				errs = append(errs, fmt.Errorf("%s: UID %q is taken by %s", at(n), n.UID, at(other)))
			}
			uids[n.UID] = n
		}
		if n.Parallelism < 0 || n.Parallelism > 1<<15 {
			errs = append(errs, fmt.Errorf("%s: parallelism %d: expected 1 to 32768", at(n), n.Parallelism))
		}
		if n.MaxParallelism < 0 || n.MaxParallelism > 1<<15 {
			errs = append(errs, fmt.Errorf("%s: max parallelism %d: expected 1 to 32768", at(n), n.MaxParallelism))
		}
		for _, uri := range n.Writes {
			if other := writers[uri]; other != nil {
				errs = append(errs, fmt.Errorf("%s: output %s is written by %s too", at(n), uri, at(other)))
			}
			writers[uri] = n
		}
		if n.MaxOne && n.Parallelism > 1 {
			errs = append(errs, fmt.Errorf("%s: parallelism %d: this operator can not run in parallel", at(n), n.Parallelism))
		}
	}
	if len(nodes) == 0 {
		errs = append(errs, errors.New("the job has no operators: nothing was added to the environment before Execute"))
	}
	for _, n := range nodes {
		if n.Out != nil && !consumed[n] {
			errs = append(errs, fmt.Errorf("%s: nothing consumes its output; end the stream with a sink, stream.Discard for none", at(n)))
		}
	}
	return errors.Join(errs...)
}

// maxParallelismOf is Flink's rule: one and a half times the parallelism, rounded up to a power of two, at least 128.
func maxParallelismOf(parallelism int) int {
	want := parallelism + parallelism/2
	return min(1<<15, max(128, 1<<bits.Len(uint(want-1))))
}

// settle decides mode, parallelism, slot groups and partitioners.
func (c *compiler) settle() error {
	bounded := true
	for _, n := range c.nodes {
		bounded = bounded && !n.Unbounded
	}
	switch c.s.Mode {
	case planpb.RuntimeMode_AUTOMATIC:
		c.s.Mode = planpb.RuntimeMode_STREAMING
		if bounded {
			c.s.Mode = planpb.RuntimeMode_BATCH
		}
	case planpb.RuntimeMode_BATCH:
		for _, n := range c.nodes {
			if n.Unbounded {
				return fmt.Errorf("%s: an unbounded source can not run in BATCH mode; use STREAMING or AUTOMATIC", at(n))
			}
		}
	}
	for _, n := range c.nodes {
		switch {
		case n.MaxOne:
			n.Parallelism = 1
		case n.Parallelism == 0:
			n.Parallelism = max(1, c.s.Parallelism)
		}
		if n.MaxParallelism == 0 {
			n.MaxParallelism = c.s.MaxParallelism
		}
		if n.MaxParallelism == 0 {
			n.MaxParallelism = maxParallelismOf(n.Parallelism)
		}
		if n.Parallelism > n.MaxParallelism {
			return fmt.Errorf("%s: parallelism %d is more than the max parallelism %d", at(n), n.Parallelism, n.MaxParallelism)
		}
		if n.SlotGroup == "" {
			n.SlotGroup = inheritedGroup(n)
		}
		for i := range n.Inputs {
			in := &n.Inputs[i]
			switch {
			case in.Partitioner == Auto && in.From.Parallelism == n.Parallelism:
				in.Partitioner = planpb.Partitioner_FORWARD
			case in.Partitioner == Auto:
				in.Partitioner = planpb.Partitioner_REBALANCE
			case in.Partitioner == planpb.Partitioner_FORWARD && in.From.Parallelism != n.Parallelism:
				return fmt.Errorf("%s: forward needs equal parallelisms, but %q has %d and this operator %d", at(n), in.From.Name, in.From.Parallelism, n.Parallelism)
			}
		}
	}
	return nil
}

// inheritedGroup is the inputs' slot sharing group where they agree, as in Flink.
func inheritedGroup(n *Node) string {
	group := ""
	for _, in := range n.Inputs {
		if group == "" {
			group = in.From.SlotGroup
		} else if group != in.From.SlotGroup {
			return defaultGroup
		}
	}
	if group == "" {
		return defaultGroup
	}
	return group
}

// combine puts a combiner before each HASH edge of an aggregation that allows it, in BATCH mode.
func (c *compiler) combine() error {
	if c.s.Mode != planpb.RuntimeMode_BATCH {
		return nil
	}
	var out []*Node
	for _, n := range c.nodes {
		if n.Combine != nil {
			for i := range n.Inputs {
				in := &n.Inputs[i]
				if in.Partitioner != planpb.Partitioner_HASH {
					continue
				}
				up := in.From
				k := &Node{Name: "Combine: " + n.Name, Kind: combineKind, DeclaredAt: n.DeclaredAt, Parallelism: up.Parallelism,
					MaxParallelism: up.MaxParallelism, SlotGroup: up.SlotGroup, Factory: n.Combine, Out: up.output(in.Output),
					Inputs: []Input{{From: up, Partitioner: planpb.Partitioner_FORWARD, Output: in.Output}}}
				in.From, in.Output = k, 0
				out = append(out, k)
			}
		}
		out = append(out, n)
	}
	c.nodes = out
	return nil
}

// identify gives every node a stable text and an id: from its UID, else from its place.
func (c *compiler) identify() error {
	for i, n := range c.nodes {
		text := "uid " + n.UID
		if n.UID == "" {
			text = fmt.Sprintf("place %d %s %s", i, n.Kind, n.Name)
		}
		c.stable[n] = text
		c.opIDs[n] = id.VertexOf("operator " + text).String()
	}
	return nil
}

// times finds out where timestamps travel: where they were given and somebody needs them.
func (c *compiler) times() error {
	c.hasTime, c.inTime = map[*Node]bool{}, map[*Node]bool{}
	for _, n := range c.nodes {
		has := n.SetsTime
		for _, in := range n.Inputs {
			has = has || !n.NewTime && c.hasTime[in.From]
		}
		c.hasTime[n] = has
	}
	for i := len(c.nodes) - 1; i >= 0; i-- {
		n := c.nodes[i]
		c.inTime[n] = c.inTime[n] || n.ReadsTime
		for _, in := range n.Inputs {
			if c.inTime[n] && !in.From.NewTime {
				c.inTime[in.From] = true
			}
		}
	}
	return nil
}

// chain decides which nodes share a vertex.
func (c *compiler) chain() error {
	c.headOf, c.chained = map[*Node]*Node{}, map[*Node][]*Node{}
	for _, n := range c.nodes {
		if up := c.chainsTo(n); up != nil {
			c.headOf[n] = c.headOf[up]
			c.chained[up] = append(c.chained[up], n)
		} else {
			c.headOf[n] = n
			c.heads = append(c.heads, n)
		}
	}
	return nil
}

func (c *compiler) chainsTo(n *Node) *Node {
	if len(n.Inputs) != 1 || c.s.NoChaining || n.NoChain || n.StartChain {
		return nil
	}
	in := n.Inputs[0]
	if in.Partitioner != planpb.Partitioner_FORWARD || in.From.NoChain || in.From.SlotGroup != n.SlotGroup || in.From.Parallelism != n.Parallelism {
		return nil
	}
	return in.From
}

// members are the nodes of a head's chain, in order of their calls.
func (c *compiler) members(n *Node) []*Node {
	all := []*Node{n}
	for _, d := range c.chained[n] {
		all = append(all, c.members(d)...)
	}
	return all
}

// chainName is Flink's way to write a chain: "a -> b", and "a -> (b, c)" where it branches.
func (c *compiler) chainName(n *Node) string {
	name := n.Name
	if len(n.Inputs) == 0 && !strings.HasPrefix(name, "Source: ") {
		name = "Source: " + name
	}
	if n.Out == nil && !strings.HasPrefix(name, "Sink: ") {
		name = "Sink: " + name
	}
	switch down := c.chained[n]; len(down) {
	case 0:
		return name
	case 1:
		return name + " -> " + c.chainName(down[0])
	default:
		var parts []string
		for _, d := range down {
			parts = append(parts, c.chainName(d))
		}
		return name + " -> (" + strings.Join(parts, ", ") + ")"
	}
}

// build makes the JobGraph and the program.
func (c *compiler) build() error {
	g := &planpb.JobGraph{SdkVersion: c.s.SDKVersion, Name: c.s.Name, Mode: c.s.Mode, ExecuteCall: int32(c.s.ExecuteCall),
		Captured: c.s.Captured, Once: c.s.Once, Config: c.s.Config, Bounded: true}
	c.program = &operator.Program{Graph: g, Vertices: map[string]*operator.Vertex{}, Coordinators: map[string]operator.CoordinatorFactory{}}
	opNodes := map[*Node]*operator.Node{}
	for _, n := range c.nodes {
		opNodes[n] = &operator.Node{ID: c.opIDs[n], Name: n.Name, Factory: n.Factory, Out: n.Out, Managed: c.managed(n),
			Sides: n.Sides, KeyHashes: map[uint32]func() any{}, EdgeOutput: map[uint32]int{}, In: map[uint32]operator.Type{}}
		g.Bounded = g.Bounded && !n.Unbounded
		g.Inputs = append(g.Inputs, n.Reads...)
		g.Outputs = append(g.Outputs, n.Writes...)
		g.ScratchPaths = append(g.ScratchPaths, n.Scratch...)
		if n.Coordinator != nil {
			c.program.Coordinators[c.opIDs[n]] = n.Coordinator
		}
	}
	for _, h := range c.heads {
		v := &planpb.JobVertex{Id: c.vertexID(h), Name: c.chainName(h), Parallelism: int32(h.Parallelism),
			MaxParallelism: int32(h.MaxParallelism), SlotSharingGroup: h.SlotGroup, IsSource: len(h.Inputs) == 0}
		for _, n := range c.members(h) {
			v.Operators = append(v.Operators, &planpb.ChainedOperator{Id: c.opIDs[n], Uid: n.UID, Name: n.Name, Kind: n.Kind,
				DeclaredAt: n.DeclaredAt, Coordinated: n.Coordinator != nil})
		}
		g.Vertices = append(g.Vertices, v)
		c.program.Vertices[v.Id] = &operator.Vertex{Root: opNodes[h]}
	}
	for _, n := range c.nodes {
		for _, in := range n.Inputs {
			if c.headOf[n] != n {
				opNodes[in.From].Chained = append(opNodes[in.From].Chained, operator.ChainedNode{Node: opNodes[n], Input: in.Index, Output: in.Output})
				continue
			}
			typ := in.From.output(in.Output)
			e := &planpb.JobEdge{Index: uint32(len(g.Edges)), Source: c.vertexID(c.headOf[in.From]), Target: c.vertexID(n), Output: uint32(in.Output),
				TargetInput: uint32(in.Index), Partitioner: in.Partitioner, Exchange: c.exchange(in), Type: typ.Name(), Timed: c.hasTime[in.From] && c.inTime[n]}
			g.Edges = append(g.Edges, e)
			opNodes[in.From].Edges = append(opNodes[in.From].Edges, e.Index)
			opNodes[in.From].KeyHashes[e.Index] = in.KeyHash
			opNodes[in.From].EdgeOutput[e.Index] = in.Output
			opNodes[n].In[e.Index] = typ
		}
	}
	topology.Untangle(g.Edges)
	if len(c.program.Coordinators) > 0 {
		g.Vertices = append(g.Vertices, &planpb.JobVertex{Id: CoordinatorID(), Name: "Coordinator", Parallelism: 1, MaxParallelism: 1,
			SlotSharingGroup: c.heads[0].SlotGroup, Kind: planpb.VertexKind_COORDINATOR})
	}
	sort.Strings(g.ScratchPaths)
	g.Canonical = canonical(g)
	sum := sha256.Sum256([]byte(g.Canonical))
	g.Fingerprint = sum[:]
	return nil
}

// CoordinatorID is the vertex id of every job's coordinator task.
func CoordinatorID() string { return id.VertexOf("coordinator").String() }

func (c *compiler) vertexID(head *Node) string { return id.VertexOf(c.stable[head]).String() }

// canonical writes what the fingerprint covers, a line each, so that a difference can be shown.
func canonical(g *planpb.JobGraph) string {
	var b strings.Builder
	fmt.Fprintf(&b, "job %q mode %s call %d bounded %t\n", g.Name, g.Mode, g.ExecuteCall, g.Bounded)
	for _, v := range g.Vertices {
		fmt.Fprintf(&b, "vertex %s %q parallelism %d max %d group %q kind %s\n", v.Id, v.Name, v.Parallelism, v.MaxParallelism, v.SlotSharingGroup, v.Kind)
		for _, o := range v.Operators {
			fmt.Fprintf(&b, "  operator %s %q uid %q kind %s\n", o.Id, o.Name, o.Uid, o.Kind)
		}
	}
	for _, e := range g.Edges {
		fmt.Fprintf(&b, "edge %d %s -> %s input %d %s of %s%s\n", e.Index, e.Source, e.Target, e.TargetInput, e.Partitioner, e.Type, edgeExtras(e))
	}
	for _, x := range g.Captured {
		fmt.Fprintf(&b, "captured %q %x\n", x.Name, sha256.Sum256(x.Value))
	}
	for _, o := range g.Once {
		fmt.Fprintf(&b, "once %q\n", o)
	}
	for _, p := range g.Inputs {
		fmt.Fprintf(&b, "reads %q\n", p)
	}
	for _, p := range g.Outputs {
		fmt.Fprintf(&b, "writes %q\n", p)
	}
	return b.String()
}

func edgeExtras(e *planpb.JobEdge) string {
	var s string
	if e.Output != 0 {
		s += fmt.Sprint(" from output ", e.Output)
	}
	if e.Timed {
		s += " with timestamps"
	}
	if e.Exchange == planpb.ExchangeMode_BLOCKING {
		s += " blocking"
	}
	return s
}

// output is the element type of an output.
func (n *Node) output(i int) operator.Type {
	if i == 0 {
		return n.Out
	}
	return n.Sides[i-1].Type
}

// Difference tells in a few lines how a rebuilt graph differs from the one deployed; empty when it does not.
func Difference(deployed, rebuilt string) string {
	if deployed == rebuilt {
		return ""
	}
	a, b := strings.Split(deployed, "\n"), strings.Split(rebuilt, "\n")
	var out []string
	for i := 0; (i < len(a) || i < len(b)) && len(out) < 6; i++ {
		line := func(s []string) string {
			if i < len(s) && s[i] != "" {
				return strings.TrimSpace(s[i])
			}
			return "(nothing)"
		}
		if x, y := line(a), line(b); x != y {
			out = append(out, "deployed: "+x, "rebuilt:  "+y)
		}
	}
	return strings.Join(out, "\n")
}
