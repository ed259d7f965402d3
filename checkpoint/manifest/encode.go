package manifest

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/cespare/xxhash/v2"
)

// Version is the first version of the format and the newest.
const Version = 1

// magic begins every manifest, snapMagic every acknowledgement that travels by itself.
const (
	magic     = "WEFTCHKP"
	snapMagic = "WEFTSNAP"
	// overhead is magic, version and checksum.
	overhead = len(magic) + 1 + 8
)

// Encode gives the manifest's bytes, always the same for the same manifest.
func Encode(m *Manifest) []byte {
	w := &writer{b: append(make([]byte, 0, 1<<10), magic...)}
	w.b = append(w.b, Version, byte(m.Kind))
	w.text(m.Job)
	w.text(m.JobName)
	w.number(m.ID)
	w.b = binary.BigEndian.AppendUint64(w.b, m.Epoch)
	w.number(m.Triggered)
	w.text(m.Writer)
	w.text(m.Base)
	w.operators(m.Operators)
	return w.end()
}

// EncodeSnapshot gives the bytes of what one task has stored, for its acknowledgement: of each operator the part of its own.
func EncodeSnapshot(ops []Operator) []byte {
	w := &writer{b: append(make([]byte, 0, 1<<10), snapMagic...)}
	w.b = append(w.b, Version)
	w.operators(ops)
	return w.end()
}

type writer struct{ b []byte }

func (w *writer) end() []byte { return binary.BigEndian.AppendUint64(w.b, xxhash.Sum64(w.b)) }

func (w *writer) number(n int64) { w.b = binary.AppendVarint(w.b, n) }
func (w *writer) count(n int)    { w.b = binary.AppendUvarint(w.b, uint64(n)) }
func (w *writer) text(s string)  { w.count(len(s)); w.b = append(w.b, s...) }
func (w *writer) sum(s uint64)   { w.b = binary.BigEndian.AppendUint64(w.b, s) }

func (w *writer) flag(f bool) {
	if f {
		w.b = append(w.b, 1)
	} else {
		w.b = append(w.b, 0)
	}
}

func (w *writer) operators(ops []Operator) {
	w.count(len(ops))
	for i := range ops {
		w.operator(&ops[i])
	}
}

func (w *writer) operator(op *Operator) {
	w.text(op.ID)
	w.text(op.UID)
	w.text(op.Name)
	w.text(op.Vertex)
	w.count(op.Parallelism)
	w.count(op.MaxParallelism)
	w.count(len(op.States))
	for _, s := range op.States {
		w.text(s.Name)
		w.b = append(w.b, byte(s.Kind))
		w.text(s.Key)
		w.text(s.Value)
	}
	w.count(len(op.Subtasks))
	for i := range op.Subtasks {
		w.subtask(&op.Subtasks[i])
	}
	w.flag(op.Coordinator != nil)
	if op.Coordinator != nil {
		w.handle(op.Coordinator)
	}
}

func (w *writer) subtask(s *Subtask) {
	w.count(s.Index)
	w.flag(s.Finished)
	w.count(len(s.Keyed))
	for i := range s.Keyed {
		g := &s.Keyed[i]
		w.count(g.First)
		w.count(len(g.Pieces))
		for _, p := range g.Pieces {
			w.count(int(p.Length))
			if p.Length > 0 {
				w.sum(p.Sum)
			}
		}
		w.handle(&g.Data)
	}
	w.count(len(s.Lists))
	for i := range s.Lists {
		l := &s.Lists[i]
		w.text(l.Name)
		w.count(len(l.Lengths))
		for _, n := range l.Lengths {
			w.count(int(n))
		}
		w.handle(&l.Data)
	}
}

func (w *writer) handle(h *Handle) {
	w.text(h.File)
	if h.File == "" {
		w.count(len(h.Inline))
		w.b = append(w.b, h.Inline...)
		return
	}
	w.count(int(h.Offset))
	w.count(int(h.Length))
	w.sum(h.Sum)
}

// Check finds what no writer makes: pieces that do not fill their handle, subtasks and key groups out of bounds or stored twice.
func (m *Manifest) Check() error {
	if m.Kind != Checkpoint && m.Kind != Savepoint {
		return fmt.Errorf("kind %d: expected 1 or 2", m.Kind)
	}
	return checkOperators(m.Operators)
}

func checkOperators(ops []Operator) error {
	ids := map[string]bool{}
	for i := range ops {
		op := &ops[i]
		if ids[op.ID] {
			return fmt.Errorf("operator %s stands in it twice", op.ID)
		}
		ids[op.ID] = true
		if err := op.check(); err != nil {
			return fmt.Errorf("operator %q (%s): %w", op.Name, op.ID, err)
		}
	}
	return nil
}

func (op *Operator) check() error {
	if op.Parallelism < 1 || op.MaxParallelism < op.Parallelism || op.MaxParallelism > 1<<15 {
		return fmt.Errorf("parallelism %d of at most %d: expected 1 to 32768", op.Parallelism, op.MaxParallelism)
	}
	subtasks := map[int]bool{}
	groups := map[int]bool{}
	for i := range op.Subtasks {
		s := &op.Subtasks[i]
		if s.Index >= op.Parallelism || subtasks[s.Index] {
			return fmt.Errorf("subtask %d is stored twice, or there are only %d", s.Index, op.Parallelism)
		}
		subtasks[s.Index] = true
		for k := range s.Keyed {
			g := &s.Keyed[k]
			for n := range g.Pieces {
				if g.First+n >= op.MaxParallelism || groups[g.First+n] {
					return fmt.Errorf("key group %d is stored twice, or there are only %d", g.First+n, op.MaxParallelism)
				}
				groups[g.First+n] = true
			}
			if err := fills(g.total(), &g.Data); err != nil {
				return fmt.Errorf("subtask %d, key groups from %d: %w", s.Index, g.First, err)
			}
		}
		for k := range s.Lists {
			if err := fills(total(s.Lists[k].Lengths), &s.Lists[k].Data); err != nil {
				return fmt.Errorf("subtask %d, state %q: %w", s.Index, s.Lists[k].Name, err)
			}
		}
	}
	return nil
}

func fills(pieces int64, h *Handle) error {
	if pieces != h.Length {
		return fmt.Errorf("its pieces have %d bytes, and the whole %d", pieces, h.Length)
	}
	return nil
}

func (g *Groups) total() int64 {
	var n int64
	for _, p := range g.Pieces {
		n = add(n, p.Length)
	}
	return n
}

func total(lengths []int64) int64 {
	var n int64
	for _, l := range lengths {
		n = add(n, l)
	}
	return n
}

// add does not overflow: sums of foreign numbers stay large.
func add(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}
