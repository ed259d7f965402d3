package execution

import (
	"github.com/weft-project/weft/checkpoint"
	"github.com/weft-project/weft/checkpoint/manifest"
	"github.com/weft-project/weft/checkpoint/restore"
	"github.com/weft-project/weft/rpc/controlpb"
	"github.com/weft-project/weft/rpc/planpb"
)

// CheckpointGraph is what decisions about a job's checkpoints need of its graph; vertices stand in the same order.
func CheckpointGraph(g *planpb.JobGraph) checkpoint.Graph {
	var out checkpoint.Graph
	index := map[string]int{}
	for i, v := range g.GetVertices() {
		index[v.GetId()] = i
		vertex := checkpoint.Vertex{ID: v.GetId(), Parallelism: int(v.GetParallelism()), MaxParallelism: max(int(v.GetMaxParallelism()), int(v.GetParallelism())),
			Coordinator: v.GetKind() == planpb.VertexKind_COORDINATOR}
		for _, o := range v.GetOperators() {
			vertex.Operators = append(vertex.Operators, checkpoint.Operator{ID: o.GetId(), UID: o.GetUid(), Name: o.GetName()})
		}
		out.Vertices = append(out.Vertices, vertex)
	}
	for _, e := range g.GetEdges() {
		edge := checkpoint.Edge{From: index[e.GetSource()], To: index[e.GetTarget()], Blocking: e.GetExchange() == planpb.ExchangeMode_BLOCKING}
		if p := e.GetPartitioner(); p == planpb.Partitioner_FORWARD || p == planpb.Partitioner_RESCALE {
			edge.Pattern = checkpoint.Pointwise
		}
		out.Edges = append(out.Edges, edge)
	}
	return out
}

// RestorePlan says which operators of a graph read what of a checkpoint.
func RestorePlan(g *checkpoint.Graph, point *checkpoint.Completed, allowUnclaimed bool) (*restore.Plan, error) {
	var ops []restore.Operator
	for _, v := range g.Vertices {
		for _, o := range v.Operators {
			ops = append(ops, restore.Operator{ID: o.ID, UID: o.UID, Name: o.Name, Parallelism: v.Parallelism, MaxParallelism: v.MaxParallelism})
		}
	}
	return restore.Make(point.Manifest, ops, allowUnclaimed)
}

// TaskRestore describes what one task begins with.
func TaskRestore(g *checkpoint.Graph, plan *restore.Plan, t checkpoint.Task) *controlpb.TaskRestore {
	v := &g.Vertices[t.Vertex]
	if v.Coordinator {
		return coordinatorRestore(g, plan)
	}
	out := &controlpb.TaskRestore{Finished: len(v.Operators) > 0}
	var ops []manifest.Operator
	for _, o := range v.Operators {
		p := plan.Operators[o.ID]
		if p == nil {
			out.Finished = false
			continue
		}
		sub := &p.Subtasks[t.Subtask]
		out.Finished = out.Finished && sub.Finished
		op := manifest.Operator{ID: o.ID, UID: o.UID, Name: o.Name, Vertex: v.ID, Parallelism: v.Parallelism, MaxParallelism: v.MaxParallelism, States: p.States}
		m := manifest.Subtask{Index: t.Subtask}
		for _, r := range sub.Keyed {
			m.Keyed = append(m.Keyed, cut(r))
		}
		for _, l := range sub.Lists {
			for _, part := range l.Parts {
				m.Lists = append(m.Lists, part.List)
				out.Elements = append(out.Elements, &controlpb.ElementRange{From: int32(part.From), End: int32(part.End)})
			}
		}
		op.Subtasks = []manifest.Subtask{m}
		ops = append(ops, op)
	}
	out.Operators = manifest.EncodeSnapshot(ops)
	return out
}

// coordinatorRestore is the coordinator task's: its own state, and which subtasks had ended.
func coordinatorRestore(g *checkpoint.Graph, plan *restore.Plan) *controlpb.TaskRestore {
	out := &controlpb.TaskRestore{}
	var ops []manifest.Operator
	for i := range g.Vertices {
		for _, o := range g.Vertices[i].Operators {
			p := plan.Operators[o.ID]
			if p == nil {
				continue
			}
			ended := &controlpb.FinishedSubtasks{OperatorId: o.ID}
			for s := range p.Subtasks {
				if p.Subtasks[s].Finished {
					ended.Subtasks = append(ended.Subtasks, int32(s))
				}
			}
			out.Ended = append(out.Ended, ended)
			if p.Coordinator != nil {
				ops = append(ops, manifest.Operator{ID: o.ID, Name: o.Name, Parallelism: 1, MaxParallelism: 1, Coordinator: p.Coordinator})
			}
		}
	}
	out.Operators = manifest.EncodeSnapshot(ops)
	return out
}

// cut makes a piece of its own of key groups in the middle of one. Its checksum is not known; those of its key groups are.
func cut(r restore.Range) manifest.Groups {
	g := manifest.Groups{First: r.First, Pieces: r.Pieces, Data: r.Data}
	var n int64
	for _, p := range r.Pieces {
		n += p.Length
	}
	if g.Data.File == "" {
		g.Data = manifest.InlineHandle(r.Data.Inline[r.Offset : r.Offset+n])
		return g
	}
	g.Data.Offset, g.Data.Length, g.Data.Sum = r.Data.Offset+r.Offset, n, 0
	return g
}
