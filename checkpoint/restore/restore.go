package restore

import (
	"fmt"
	"slices"
	"strings"

	"github.com/weft-project/weft/checkpoint/manifest"
)

// Operator is an operator of the job that is started.
type Operator struct {
	ID, UID, Name               string
	Parallelism, MaxParallelism int
}

// Plan is who reads what.
type Plan struct {
	// Operators by id; those that begin without state have no entry.
	Operators map[string]*Operation
	// Unclaimed names the operators whose state nobody wants and that was allowed to be left out.
	Unclaimed []string
}

// Operation is one operator's part of a plan.
type Operation struct {
	States []manifest.State
	// Subtasks has an entry for each.
	Subtasks []Subtask
	// Coordinator is for the operator's part of the coordinator task; nil for none.
	Coordinator *manifest.Handle
}

// Subtask is what one subtask reads.
type Subtask struct {
	// Finished: it had ended, and is not run again.
	Finished bool
	// Keyed are its key groups, in order.
	Keyed []Range
	// Lists are its operator states.
	Lists []List
}

// Range is key groups that lie behind each other: Pieces begin at Offset of Data. They can be read and checked without the rest of it.
type Range struct {
	First  int
	Pieces []manifest.Piece
	Data   manifest.Handle
	// Offset is where the first piece begins, from the beginning of Data.
	Offset int64
}

// List is one operator state: the elements of its parts, in order.
type List struct {
	Name  string
	Kind  manifest.StateKind
	Parts []Part
}

// Part is elements From ≤ i < End of a stored list. All of its bytes are read, since they have one checksum.
type Part struct {
	manifest.List
	From, End int
}

// Make plans the start of a job from m. allowUnclaimed leaves out state that no operator wants; otherwise it is refused.
func Make(m *manifest.Manifest, ops []Operator, allowUnclaimed bool) (*Plan, error) {
	p := &Plan{Operators: map[string]*Operation{}}
	stored := map[string]*manifest.Operator{}
	for i := range m.Operators {
		stored[m.Operators[i].ID] = &m.Operators[i]
	}
	for _, op := range ops {
		from := stored[op.ID]
		if from == nil {
			continue
		}
		delete(stored, op.ID)
		o, err := operation(op, from)
		if err != nil {
			return nil, fmt.Errorf("operator %q (%s): %w", op.Name, op.ID, err)
		}
		p.Operators[op.ID] = o
	}
	for _, from := range stored {
		if hasState(from) {
			name := fmt.Sprintf("%q", from.Name)
			if from.UID != "" {
				name += " (UID " + from.UID + ")"
			}
			p.Unclaimed = append(p.Unclaimed, name)
		}
	}
	slices.Sort(p.Unclaimed)
	if len(p.Unclaimed) > 0 && !allowUnclaimed {
		return nil, fmt.Errorf("%s %d has state of operators that the job does not have: %s; give operators UIDs so that they are found again, "+
			"or start with --allowNonRestoredState to leave it out", m.Kind, m.ID, strings.Join(p.Unclaimed, ", "))
	}
	return p, nil
}

func hasState(o *manifest.Operator) bool {
	for i := range o.Subtasks {
		if len(o.Subtasks[i].Keyed) > 0 || len(o.Subtasks[i].Lists) > 0 {
			return true
		}
	}
	return o.Coordinator != nil
}

// MaxParallelism is what an operator must have to read its key groups: where the job sets none of its own it takes this. 0: any.
func MaxParallelism(m *manifest.Manifest, id string) int {
	for i := range m.Operators {
		if o := &m.Operators[i]; o.ID == id && keyed(o) {
			return o.MaxParallelism
		}
	}
	return 0
}

func keyed(o *manifest.Operator) bool {
	return slices.ContainsFunc(o.Subtasks, func(s manifest.Subtask) bool { return len(s.Keyed) > 0 })
}

func operation(op Operator, from *manifest.Operator) (*Operation, error) {
	if op.Parallelism < 1 || op.Parallelism > op.MaxParallelism {
		return nil, fmt.Errorf("parallelism %d: expected 1 to its max parallelism, %d", op.Parallelism, op.MaxParallelism)
	}
	if keyed(from) && from.MaxParallelism != op.MaxParallelism {
		return nil, fmt.Errorf("its state has %d key groups and the job's max parallelism is %d: keys would not be found; set it to %d",
			from.MaxParallelism, op.MaxParallelism, from.MaxParallelism)
	}
	o := &Operation{States: from.States, Coordinator: from.Coordinator, Subtasks: make([]Subtask, op.Parallelism)}
	if err := finished(op, from, o); err != nil {
		return nil, err
	}
	for i := range o.Subtasks {
		if keyed(from) {
			o.Subtasks[i].Keyed = ranges(from, First(i, op.Parallelism, op.MaxParallelism), First(i+1, op.Parallelism, op.MaxParallelism))
		}
	}
	for _, s := range from.States {
		switch s.Kind {
		case manifest.Split, manifest.Union, manifest.Broadcast:
			deal(o, s, from)
		}
	}
	return o, nil
}

// finished says which subtasks have ended. With another parallelism nobody knows, unless all have: then those that run find nothing to
// do in what they are dealt.
func finished(op Operator, from *manifest.Operator, o *Operation) error {
	ended := map[int]bool{}
	for i := range from.Subtasks {
		if from.Subtasks[i].Finished {
			ended[from.Subtasks[i].Index] = true
		}
	}
	all := len(ended) == from.Parallelism
	if len(ended) > 0 && !all && op.Parallelism != from.Parallelism {
		for _, s := range from.States {
			if s.Kind == manifest.Union {
				return fmt.Errorf("%d of its %d subtasks have ended, and its state %q is a union: it cannot be dealt to %d subtasks",
					len(ended), from.Parallelism, s.Name, op.Parallelism)
			}
		}
	}
	for i := range o.Subtasks {
		o.Subtasks[i].Finished = all || op.Parallelism == from.Parallelism && ended[i]
	}
	return nil
}

// First is the first key group of a subtask; that of the next one is behind its last (docs/formats/keys.md).
func First(subtask, parallelism, maxParallelism int) int {
	return (subtask*maxParallelism + parallelism - 1) / parallelism
}

// ranges cuts key groups first ≤ g < end out of what is stored.
func ranges(from *manifest.Operator, first, end int) []Range {
	var out []Range
	for i := range from.Subtasks {
		for _, g := range from.Subtasks[i].Keyed {
			a, b := max(first, g.First), min(end, g.First+len(g.Pieces))
			if a >= b {
				continue
			}
			r := Range{First: a, Pieces: g.Pieces[a-g.First : b-g.First], Data: g.Data}
			for _, p := range g.Pieces[:a-g.First] {
				r.Offset += p.Length
			}
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(x, y Range) int { return x.First - y.First })
	return out
}

// deal gives the elements of an operator state to the subtasks.
func deal(o *Operation, s manifest.State, from *manifest.Operator) {
	var old []manifest.List // by subtask
	indexes := []int{}
	subtasks := slices.SortedFunc(slices.Values(from.Subtasks), func(a, b manifest.Subtask) int { return a.Index - b.Index })
	total := 0
	for _, sub := range subtasks {
		for _, l := range sub.Lists {
			if l.Name == s.Name {
				old = append(old, l)
				indexes = append(indexes, sub.Index)
				total += len(l.Lengths)
			}
		}
	}
	if len(old) == 0 {
		return
	}
	n := len(o.Subtasks)
	for i := range o.Subtasks {
		list := List{Name: s.Name, Kind: s.Kind}
		switch {
		case s.Kind == manifest.Broadcast:
			l := old[i%len(old)]
			list.Parts = []Part{{l, 0, len(l.Lengths)}}
		case s.Kind == manifest.Union:
			for _, l := range old {
				list.Parts = append(list.Parts, Part{l, 0, len(l.Lengths)})
			}
		case n == from.Parallelism: // each its own
			for k, l := range old {
				if indexes[k] == i {
					list.Parts = append(list.Parts, Part{l, 0, len(l.Lengths)})
				}
			}
		default:
			list.Parts = share(old, i*total/n, (i+1)*total/n)
		}
		if len(list.Parts) > 0 {
			o.Subtasks[i].Lists = append(o.Subtasks[i].Lists, list)
		}
	}
}

// share cuts elements from ≤ i < end out of lists behind each other.
func share(lists []manifest.List, from, end int) []Part {
	var out []Part
	at := 0
	for _, l := range lists {
		a, b := max(from-at, 0), min(end-at, len(l.Lengths))
		if a < b {
			out = append(out, Part{l, a, b})
		}
		at += len(l.Lengths)
	}
	return out
}
