package streamtest

import (
	"fmt"
	"reflect"

	"github.com/weft-project/weft/codec"
	"github.com/weft-project/weft/eventtime"
	"github.com/weft-project/weft/graph/topology"
	"github.com/weft-project/weft/operator"
	"github.com/weft-project/weft/rpc/planpb"
)

// link builds the chains of all vertices and joins them: a record that one emits is given to the next at once.
func (h *Harness) link() error {
	g := h.program.Graph
	byID := map[string]*planpb.JobVertex{}
	for _, v := range g.GetVertices() {
		if v.GetKind() != planpb.VertexKind_COORDINATOR {
			byID[v.GetId()] = v
		}
	}
	seen := map[string]bool{}
	var visit func(v *planpb.JobVertex)
	visit = func(v *planpb.JobVertex) { // what follows comes first
		if seen[v.GetId()] {
			return
		}
		seen[v.GetId()] = true
		for _, e := range g.GetEdges() {
			if e.GetSource() == v.GetId() {
				visit(byID[e.GetTarget()])
			}
		}
		h.order = append([]*planpb.JobVertex{v}, h.order...)
	}
	for _, v := range g.GetVertices() {
		if byID[v.GetId()] != nil {
			visit(v)
		}
	}
	files := localFiles()
	for i := len(h.order) - 1; i >= 0; i-- {
		v := h.order[i]
		for sub := range int(v.GetParallelism()) {
			s := h.newSubtask(v, sub, files)
			if n := h.channels(v, sub); n > 0 {
				s.valve, s.open = eventtime.NewValve(n), n
			}
			var err error
			if s.chain, err = h.program.Vertices[v.GetId()].Link(s.ctx, s.newEdge); err != nil {
				return err
			}
			if s.chain.Source != nil {
				if _, ok := s.chain.Source.(inputSource); !ok {
					return fmt.Errorf("%q is a source of its own: a harness is driven by its Inputs; use Run for whole jobs", v.GetName())
				}
			}
			h.tasks[v.GetId()] = append(h.tasks[v.GetId()], s)
		}
	}
	return nil
}

// channels is how many channels lead to a subtask.
func (h *Harness) channels(v *planpb.JobVertex, sub int) int {
	n := 0
	for _, e := range h.program.Graph.GetEdges() {
		if e.GetTarget() != v.GetId() {
			continue
		}
		up := h.parallelism(e.GetSource())
		for p := range up {
			for _, c := range topology.Consumers(e.GetPartitioner(), up, int(v.GetParallelism()), p) {
				if c == sub {
					n++
				}
			}
		}
	}
	return n
}

func (h *Harness) parallelism(vertex string) int {
	for _, v := range h.order {
		if v.GetId() == vertex {
			return int(v.GetParallelism())
		}
	}
	return 0
}

// edge is the sending end of an edge of one subtask. What it does not do, buffering above all, is nobody's to ask here.
type edge struct {
	operator.Writer
	h       *Harness
	from    *subtask
	to      []consumer
	choose  func(v reflect.Value) []int
	records int64
}

// consumer is a subtask that an edge leads to.
type consumer struct {
	task    *subtask
	input   reflect.Value
	channel int
}

// newEdge is operator.NewWriter.
func (s *subtask) newEdge(n *operator.Node, index uint32, _ operator.Type) (any, operator.Writer, error) {
	pb := s.h.program.Graph.GetEdges()[index]
	targets := s.h.tasks[pb.GetTarget()]
	e := &edge{h: s.h, from: s}
	for _, c := range topology.Consumers(pb.GetPartitioner(), int(s.vertex.GetParallelism()), len(targets), s.ctx.Subtask()) {
		task := targets[c]
		if int(pb.GetTargetInput()) >= len(task.chain.Inputs) {
			return nil, nil, fmt.Errorf("edge %d into %q does not fit the program", index, task.vertex.GetName())
		}
		e.to = append(e.to, consumer{task, reflect.ValueOf(task.chain.Inputs[pb.GetTargetInput()]), task.next})
		task.next++
	}
	if len(e.to) == 0 {
		return nil, nil, fmt.Errorf("edge %d out of %q leads nowhere", index, s.vertex.GetName())
	}
	var of any
	if mk := n.KeyHashes[index]; mk != nil {
		of = mk()
	}
	e.choose = chooser(pb.GetPartitioner(), len(e.to), int(e.to[0].task.vertex.GetMaxParallelism()), s.ctx.Subtask(), reflect.ValueOf(of))
	timed := pb.GetTimed()
	emit := reflect.MakeFunc(e.to[0].input.Type(), func(args []reflect.Value) []reflect.Value {
		e.emit(args[0], timed)
		return nil
	})
	s.outs = append(s.outs, e)
	return emit.Interface(), e, nil
}

// chooser says which consumers get a record. What is dealt at random on a cluster is dealt in turn.
func chooser(p planpb.Partitioner, n, maxParallelism, subtask int, of reflect.Value) func(v reflect.Value) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	next := subtask % n
	switch p {
	case planpb.Partitioner_HASH:
		return func(v reflect.Value) []int {
			i := codec.SubtaskOf(codec.KeyGroup(of.Call([]reflect.Value{v})[0].Uint(), maxParallelism), maxParallelism, n)
			return all[i : i+1]
		}
	case planpb.Partitioner_CUSTOM:
		return func(v reflect.Value) []int {
			i := int(of.Call([]reflect.Value{v, reflect.ValueOf(n)})[0].Int())
			if i < 0 || i >= n {
				operator.Abort(operator.User(fmt.Errorf("the partitioning function gave %d: expected 0 to %d", i, n-1)))
			}
			return all[i : i+1]
		}
	case planpb.Partitioner_BROADCAST:
		return func(reflect.Value) []int { return all }
	case planpb.Partitioner_SHUFFLE, planpb.Partitioner_REBALANCE, planpb.Partitioner_RESCALE:
		return func(reflect.Value) []int {
			i := next
			next = (next + 1) % n
			return all[i : i+1]
		}
	}
	return func(reflect.Value) []int { return all[:1] }
}

func (e *edge) emit(v reflect.Value, timed bool) {
	e.records++
	for _, i := range e.choose(v) {
		c := e.to[i]
		slot := reflect.New(v.Type().Elem())
		slot.Elem().Set(v.Elem())
		_ = e.h.call(c.task, func() error { // f gives no error
			c.task.ctx.Time = eventtime.None
			if timed {
				c.task.ctx.Time = e.from.ctx.Time
			}
			c.input.Call([]reflect.Value{slot})
			return nil
		})
	}
}

// each calls f for every consumer.
func (e *edge) each(f func(c consumer) (advanced, changed bool)) {
	for _, c := range e.to {
		_ = e.h.call(c.task, func() error { // f gives no error
			c.task.event(f(c))
			return nil
		})
	}
}

// Watermark is Writer's.
func (e *edge) Watermark(wm int64) {
	e.each(func(c consumer) (bool, bool) { return c.task.valve.Watermark(c.channel, wm) })
}

// Idle is Writer's.
func (e *edge) Idle(idle bool) {
	e.each(func(c consumer) (bool, bool) { return c.task.valve.Status(c.channel, idle) })
}

// End is Writer's.
func (e *edge) End() error {
	for _, c := range e.to {
		err := e.h.call(c.task, func() error {
			c.task.event(c.task.valve.End(c.channel))
			if c.task.open--; c.task.open == 0 {
				return c.task.end()
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Records is Writer's.
func (e *edge) Records() int64 { return e.records }

// Flush is Writer's: nothing waits here.
func (e *edge) Flush() error { return nil }

// FlushDue is Writer's.
func (e *edge) FlushDue() error { return nil }
