package manifest

import (
	"slices"

	"github.com/cespare/xxhash/v2"
)

// Kind tells what a manifest describes.
type Kind uint8

// The kinds; the values are part of the format.
const (
	// Checkpoint belongs to its job, which deletes it in time.
	Checkpoint Kind = 1
	// Savepoint belongs to who asked for it.
	Savepoint Kind = 2
)

// String is the word for people.
func (k Kind) String() string {
	if k == Savepoint {
		return "savepoint"
	}
	return "checkpoint"
}

// Manifest describes one checkpoint or savepoint.
type Manifest struct {
	Kind Kind
	// Job is the job's id, 32 hex digits; JobName its name.
	Job, JobName string
	// ID is the checkpoint's number, Epoch the epoch of the leader that published it (F1).
	ID    int64
	Epoch uint64
	// Triggered is when it was begun, in milliseconds since 1970.
	Triggered int64
	// Writer is the release that wrote it.
	Writer string
	// Base is the directory that names of files are relative to, where that is not the manifest's own surroundings: a
	// checkpoint that a stop made, whose state lies in the savepoint. Savepoints have none.
	Base      string
	Operators []Operator
}

// Operator is the state of all subtasks of one operator.
type Operator struct {
	// ID is the operator's, 32 hex digits: from its UID, or from its place in the graph.
	ID, UID, Name string
	// Vertex is the id of the vertex that it was part of.
	Vertex                      string
	Parallelism, MaxParallelism int
	States                      []State
	Subtasks                    []Subtask
	// Coordinator is the state of the operator's part of the coordinator task; nil for none.
	Coordinator *Handle
}

// StateKind tells what is stored under a state's name.
type StateKind uint8

// The kinds of states; the values are part of the format.
const (
	// Keyed: for each key one value; lists and maps are values too.
	Keyed StateKind = 1
	// Timers: values without keys, in key groups.
	Timers StateKind = 2
	// Split: elements of operator state that are dealt out evenly.
	Split StateKind = 3
	// Union: elements of operator state that every subtask gets all of.
	Union StateKind = 4
	// Broadcast: operator state that is the same everywhere.
	Broadcast StateKind = 5
)

// String is the word for people.
func (k StateKind) String() string {
	words := [...]string{"unknown", "keyed", "timers", "split", "union", "broadcast"}
	if int(k) < len(words) {
		return words[k]
	}
	return words[0]
}

// State describes one named state of an operator.
type State struct {
	Name string
	Kind StateKind
	// Key and Value are types as package schema writes them; empty where the writer did not know. Keyed state has both, others Value
	// only: timers that of a whole timer, broadcast state a table's.
	Key, Value string
}

// Subtask is what one subtask has stored.
type Subtask struct {
	Index int
	// Finished: the subtask had come to its end, or does at this checkpoint; it is not run again.
	Finished bool
	Keyed    []Groups
	Lists    []List
}

// Groups are consecutive key groups in one piece.
type Groups struct {
	// First is the first key group; Pieces has one entry for each from there on.
	First  int
	Pieces []Piece
	Data   Handle
}

// Piece is a part of a Handle's bytes, behind the one before it.
type Piece struct {
	Length int64
	// Sum is the checksum of these bytes alone, so that a part can be read and checked without the rest.
	Sum uint64
}

// List is one named operator state: its elements behind each other.
type List struct {
	Name    string
	Lengths []int64
	Data    Handle
}

// Handle says where a piece of state lies: in a file, or here.
type Handle struct {
	// File is relative to the job's directory, or for a savepoint to its own; empty for Inline.
	File           string
	Offset, Length int64
	// Sum is xxHash64 of the bytes.
	Sum    uint64
	Inline []byte
}

// InlineHandle holds bytes themselves.
func InlineHandle(b []byte) Handle { return Handle{Length: int64(len(b)), Sum: Sum(b), Inline: b} }

// Sum is the checksum of stored bytes: xxHash64, seed 0.
func Sum(b []byte) uint64 { return xxhash.Sum64(b) }

// Handles calls f for every handle.
func (m *Manifest) Handles(f func(op *Operator, h *Handle)) {
	for i := range m.Operators {
		op := &m.Operators[i]
		op.handles(func(h *Handle) { f(op, h) })
	}
}

func (op *Operator) handles(f func(h *Handle)) {
	for i := range op.Subtasks {
		s := &op.Subtasks[i]
		for k := range s.Keyed {
			f(&s.Keyed[k].Data)
		}
		for k := range s.Lists {
			f(&s.Lists[k].Data)
		}
	}
	if op.Coordinator != nil {
		f(op.Coordinator)
	}
}

// Files are the names of all files that it needs, sorted.
func (m *Manifest) Files() []string {
	seen := map[string]bool{}
	m.Handles(func(_ *Operator, h *Handle) {
		if h.File != "" {
			seen[h.File] = true
		}
	})
	return sorted(seen)
}

// Size is how many bytes of state it describes.
func (m *Manifest) Size() int64 {
	var n int64
	m.Handles(func(_ *Operator, h *Handle) { n += h.Length })
	return n
}

// Relocate changes the names of all files.
func (m *Manifest) Relocate(rename func(string) string) {
	m.Handles(func(_ *Operator, h *Handle) {
		if h.File != "" {
			h.File = rename(h.File)
		}
	})
}

// WithoutUID names the operators that have state and no UID of their own: after a change of the graph they may not be found again.
func (m *Manifest) WithoutUID() []string {
	var names []string
	for i := range m.Operators {
		if op := &m.Operators[i]; op.UID == "" && op.stateful() {
			names = append(names, op.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (op *Operator) stateful() bool {
	has := len(op.States) > 0
	op.handles(func(h *Handle) { has = has || h.Length > 0 })
	return has
}

func sorted(set map[string]bool) []string {
	out := make([]string, 0, len(set))
	for s := range set {
		out = append(out, s)
	}
	slices.Sort(out)
	return out
}
