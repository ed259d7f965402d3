package checkpoint

import (
	"cmp"
	"fmt"

	"github.com/weft-project/weft/checkpoint/manifest"
)

// Ref names a checkpoint. Refs are ordered by epoch, then by number: a new leader may use numbers again that its predecessor had
// begun with and not published, and barriers of those may still be on their way.
type Ref struct {
	Epoch uint64
	ID    int64
}

// Compare orders refs.
func (r Ref) Compare(o Ref) int {
	return cmp.Or(cmp.Compare(r.Epoch, o.Epoch), cmp.Compare(r.ID, o.ID))
}

// String is the form for log lines.
func (r Ref) String() string { return fmt.Sprintf("%d (epoch %d)", r.ID, r.Epoch) }

// Kind says what a checkpoint is for.
type Kind uint8

// The kinds.
const (
	// Periodic is triggered by the interval, or by hand without further purpose.
	Periodic Kind = iota
	// Savepoint is complete and belongs to who asked for it; nothing is committed with it and nothing restored from it by itself.
	Savepoint
	// Stop is a savepoint with which the job ends; it commits, and counts as a checkpoint too.
	Stop
)

// String is the word for people.
func (k Kind) String() string {
	return [...]string{"checkpoint", "savepoint", "stop with savepoint"}[k]
}

// Barrier is what sources send through the job.
type Barrier struct {
	Ref
	Kind Kind
	// Drain: sources end event time before it (MAX_WATERMARK), so that all windows fire. Stop only.
	Drain bool
	// Canonical asks for the format that every release and backend reads; savepoints have it.
	Canonical bool
	// Unaligned is not used yet: barriers may overtake data, which is then part of the checkpoint.
	Unaligned bool
	// Target is the URI of a savepoint's directory; empty for checkpoints.
	Target string
}

// Task is one subtask of a vertex, whichever attempt of it runs.
type Task struct {
	// Vertex is an index in Graph.Vertices.
	Vertex, Subtask int
}

// Member is a task as it runs now.
type Member struct {
	Task
	// Attempt is F2's number.
	Attempt int
	// Finished: it has come to its end, or was restored as such.
	Finished bool
}

// Graph is what the decisions need of a job graph.
type Graph struct {
	Vertices []Vertex
	Edges    []Edge
}

// Vertex is a vertex with its operators in chain order.
type Vertex struct {
	ID                          string
	Parallelism, MaxParallelism int
	// Coordinator marks the coordinator task, which snapshots before the sources do.
	Coordinator bool
	Operators   []Operator
}

// Operator names an operator.
type Operator struct{ ID, UID, Name string }

// Pattern says which subtasks an edge connects.
type Pattern uint8

// The patterns.
const (
	// AllToAll: each with each.
	AllToAll Pattern = iota
	// Pointwise: subtasks with those at the same share of the width (forward, rescale).
	Pointwise
)

// Edge connects two vertices.
type Edge struct {
	From, To int
	Pattern  Pattern
	// Blocking: the consumer begins when the producer has ended, so the two are not one region. No exchange is so yet.
	Blocking bool
}

// producers are the subtasks from ≤ s < end of e.From that feed subtask s of e.To.
func (g *Graph) producers(e Edge, s int) (from, end int) {
	up, down := g.Vertices[e.From].Parallelism, g.Vertices[e.To].Parallelism
	switch {
	case e.Pattern == AllToAll:
		return 0, up
	case up >= down: // producer i feeds i*down/up
		return ceil(s*up, down), ceil((s+1)*up, down)
	default: // producer i feeds i*down/up … (i+1)*down/up
		i := ((s+1)*up - 1) / down
		return i, i + 1
	}
}

func ceil(a, b int) int { return (a + b - 1) / b }

// Tasks are all tasks, in order.
func (g *Graph) Tasks() []Task {
	var all []Task
	for v := range g.Vertices {
		for s := range g.Vertices[v].Parallelism {
			all = append(all, Task{v, s})
		}
	}
	return all
}

// Ack is a task's acknowledgement of a checkpoint. A task whose input has ended acknowledges its last snapshot like any other, and ends
// when it hears that the checkpoint is complete: until then what it has prepared may have to be committed by a restored one.
type Ack struct {
	Ref
	Task
	Attempt int
	// Operators hold what the task has stored: of each of its operators that subtask's part alone.
	Operators []manifest.Operator
	Stats     TaskStats
}

// TaskStats is what a task measures of a checkpoint, in milliseconds and bytes.
type TaskStats struct {
	StartDelay, Alignment, Sync, Async int64
	StateSize, ProcessedBytes          int64
}

// Files are the names of the files that an acknowledgement refers to.
func (a *Ack) Files() []string {
	m := manifest.Manifest{Operators: a.Operators}
	return m.Files()
}
