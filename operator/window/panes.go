package window

import (
	"encoding/binary"
	"errors"

	"github.com/weft-project/weft/eventtime"
	"github.com/weft-project/weft/state"
)

// panesVersion is the first byte of a key group of panes.
const panesVersion = 1

var errPanes = errors.New("not a snapshot of panes of this version")

// KeyedState is operator.Stateful's.
func (a *aligned[K, A]) KeyedState() []state.Part { return []state.Part{(*panes[K, A])(a)} }

// OperatorState is operator.Stateful's.
func (a *aligned[K, A]) OperatorState() map[string]state.OperatorPart { return nil }

// panes is the part of state that an aligned operator has: the time up to which windows have fired, then each pane's start
// and its entries.
type panes[K comparable, A any] aligned[K, A]

// Name is state.Part's.
func (p *panes[K, A]) Name() string { return "panes" }

// Len is state.Part's.
func (p *panes[K, A]) Len() int {
	n := 0
	for _, x := range p.panes {
		n += x.table.Len()
	}
	return n
}

// Snapshot is state.Part's.
func (p *panes[K, A]) Snapshot(group int, dst []byte) []byte {
	dst = binary.AppendVarint(append(dst, panesVersion), p.time)
	dst = binary.AppendUvarint(dst, uint64(len(p.panes)))
	for _, x := range p.panes {
		dst = p.part.AppendGroup(binary.AppendVarint(dst, x.start), x.table, group)
	}
	return dst
}

// Freeze is state.Freezer's.
func (p *panes[K, A]) Freeze() state.Frozen {
	f := frozenPanes[K, A]{binary.AppendUvarint(binary.AppendVarint([]byte{panesVersion}, p.time), uint64(len(p.panes))), nil}
	for _, x := range p.panes {
		f.panes = append(f.panes, frozenPane[K, A]{x.start, p.part.FreezeTable(x.table)})
	}
	return f
}

// frozenPanes are panes at one moment.
type frozenPanes[K comparable, A any] struct {
	head  []byte
	panes []frozenPane[K, A]
}

type frozenPane[K comparable, A any] struct {
	start int64
	*state.FrozenTable[K, A]
}

// Group is state.Frozen's.
func (f frozenPanes[K, A]) Group(group int, dst []byte) []byte {
	dst = append(dst, f.head...)
	for _, p := range f.panes {
		dst = p.AppendGroup(binary.AppendVarint(dst, p.start), group)
	}
	return dst
}

// Release is state.Frozen's.
func (f frozenPanes[K, A]) Release() {
	for _, p := range f.panes {
		p.Release()
	}
}

// Restore is state.Part's.
func (p *panes[K, A]) Restore(_ int, src string) error {
	if src == "" || src[0] != panesVersion {
		return errPanes
	}
	a := (*aligned[K, A])(p)
	pos := 1
	time, used := binary.Varint([]byte(src[pos:min(len(src), pos+10)]))
	if used <= 0 {
		return errPanes
	}
	pos += used
	n, used := binary.Uvarint([]byte(src[pos:min(len(src), pos+10)]))
	if used <= 0 {
		return errPanes
	}
	pos += used
	// A pane outlives the first of its windows: what has fired must not fire again. Watermarks go to all subtasks, so at a
	// barrier all have had the same.
	a.time = max(a.time, time)
	for range n {
		start, used := binary.Varint([]byte(src[pos:min(len(src), pos+10)]))
		if used <= 0 {
			return errPanes
		}
		var err error
		if pos, err = a.part.ReadGroup(src, pos+used, a.restored(start).table); err != nil {
			return err
		}
	}
	if a.Processing {
		a.arm()
	}
	return nil
}

// restored finds or makes the pane from start.
func (a *aligned[K, A]) restored(start int64) *pane[K, A] {
	i := a.place(start)
	if i < len(a.panes) && a.panes[i].start == start {
		return a.panes[i]
	}
	x := a.newPane()
	x.start, x.end = start, eventtime.After(start, min(a.pane, a.Size))
	x.behind = Window{End: a.firstEnd(start)}.MaxTimestamp() <= a.time
	a.panes = append(a.panes, nil)
	copy(a.panes[i+1:], a.panes[i:])
	a.panes[i] = x
	return x
}
