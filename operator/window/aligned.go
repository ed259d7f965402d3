package window

import (
	"math/bits"
	"slices"
	"sort"

	"github.com/weft-project/weft/codec"
	"github.com/weft-project/weft/eventtime"
	"github.com/weft-project/weft/operator"
	"github.com/weft-project/weft/state"
)

// aligned is the operator of tumbling and sliding windows that fire when they end, and again for each late record.
type aligned[K comparable, A any] struct {
	operator.Base
	Spec[K, A]
	c       *operator.Context
	op      int
	pane    int64 // length of a pane
	fire    func(*Fired[K], *A)
	hash    func(K) uint64
	keepKey func(*K)
	copy    func(dst, src *A)
	f       *Fired[K]

	// time is the watermark, or processing time as far as windows have fired.
	time  int64
	panes []*pane[K, A] // by start
	last  *pane[K, A]   // used last
	spare []*pane[K, A]
	// joined are tables of 2^level neighbouring panes that the windows have in common.
	joined  map[joinedKey]*state.Table[K, A]
	scratch *state.Table[K, A]
	acc     *A
	stop    func()
	armed   int64
	// ahead is what is shown the records of each input before they come.
	ahead []any
	part  *state.TablePart[K, A]
}

type pane[K comparable, A any] struct {
	start, end int64
	// behind: a window that it belongs to has ended.
	behind bool
	table  *state.Table[K, A]
}

type joinedKey struct {
	level int
	index int64
}

func newAligned[K comparable, A any](s Spec[K, A], c *operator.Context, op int, fire func(*Fired[K], *A)) (*aligned[K, A], error) {
	kc, err := codec.Of[K]()
	if err != nil {
		return nil, operator.User(err)
	}
	a := &aligned[K, A]{Spec: s, c: c, op: op, pane: eventtime.GCD(s.Size, s.Slide), fire: fire, hash: s.Key.Hasher(), keepKey: kc.Keeper(),
		copy: s.copier(), f: &Fired[K]{}, time: eventtime.None, joined: map[joinedKey]*state.Table[K, A]{}, acc: new(A)}
	if s.Size < s.Slide {
		a.pane = s.Slide // what is in the gap between two windows is in no pane
	}
	if s.Processing {
		a.Lateness = 0
	}
	a.scratch = state.NewSlabTable[K, A](nil)
	if a.part, err = state.NewTablePart("panes", a.scratch, c.MaxParallelism, a.hash); err != nil {
		return nil, operator.User(err)
	}
	return a, nil
}

func (in Input[K, T, A]) aligned(a *aligned[K, A]) (any, error) {
	late, err := lateOf[T](a.c, a.op, in.Late)
	if err != nil {
		return nil, err
	}
	c, of, add, hash := a.c, in.Of, in.Add(), a.hash
	a.ahead = append(a.ahead, operator.AheadIn(c, a.op, hash, of, a.current))
	return operator.Emit[T](func(v *T) {
		c.Op = a.op
		ts := c.Time
		if a.Processing {
			ts = c.Now
		}
		p := a.last
		if p == nil || ts < p.start || ts >= p.end {
			if p = a.paneOf(ts); p == nil {
				if ts < eventtime.Max-a.Lateness && ts+a.Lateness <= a.time {
					late(v)
				}
				return
			}
		}
		k := of(*v)
		h := hash(k)
		acc, fresh := p.table.At(k, h)
		add(acc, v, fresh)
		if p.behind {
			a.again(p, k, h)
		}
	}), nil
}

// current is the table of the pane that was used last: most of the records that come next fall into it.
func (a *aligned[K, A]) current() *state.Table[K, A] {
	if a.last == nil {
		return nil
	}
	return a.last.table
}

// LookAhead is operator.Foresighted's.
func (a *aligned[K, A]) LookAhead(input int) any { return a.ahead[input] }

// lateOf is what becomes of records that came too late: they are counted, and given to the side output if there is one.
func lateOf[T any](c *operator.Context, op int, side string) (operator.Emit[T], error) {
	if side != "" {
		return operator.SideOutput[T](c, op, side)
	}
	late := operator.NewLate(c, op)
	return func(*T) { late.Count() }, nil
}

// lastEnd is the end of the last window that the pane from start belongs to.
func (a *aligned[K, A]) lastEnd(start int64) int64 {
	return eventtime.After(eventtime.Slot(start, a.Slide, a.Offset), a.Size)
}

// firstEnd is the end of the first one.
func (a *aligned[K, A]) firstEnd(start int64) int64 {
	if a.Size <= a.Slide {
		return a.lastEnd(start)
	}
	return a.endFrom(eventtime.After(start, a.pane))
}

// endFrom is the first end of a window at or after t.
func (a *aligned[K, A]) endFrom(t int64) int64 {
	e := eventtime.Slot(t, a.Slide, a.Offset+a.Size)
	if e < t {
		e = eventtime.After(e, a.Slide)
	}
	return e
}

// paneOf finds or makes the pane of a time; nil where no window waits for it any more.
func (a *aligned[K, A]) paneOf(ts int64) *pane[K, A] {
	if ts == eventtime.None {
		operator.Abort(operator.User(errNoTime))
	}
	start := eventtime.Slot(ts, a.pane, a.Offset)
	end := eventtime.After(start, min(a.pane, a.Size))
	if ts >= end && end != eventtime.Max {
		return nil // between two windows
	}
	i := a.place(start)
	if i < len(a.panes) && a.panes[i].start == start {
		a.last = a.panes[i]
		return a.last
	}
	if (Window{End: a.lastEnd(start)}).CleanupTime(a.Lateness) <= a.time {
		return nil
	}
	p := a.newPane()
	p.start, p.end, p.behind = start, end, Window{End: a.firstEnd(start)}.MaxTimestamp() <= a.time
	a.panes = slices.Insert(a.panes, i, p)
	a.last = p
	if a.Processing {
		a.arm()
	}
	return p
}

// place is that of the first pane that starts at or after start.
func (a *aligned[K, A]) place(start int64) int {
	return sort.Search(len(a.panes), func(i int) bool { return a.panes[i].start >= start })
}

func (a *aligned[K, A]) newPane() *pane[K, A] {
	if n := len(a.spare); n > 0 {
		p := a.spare[n-1]
		a.spare = a.spare[:n-1]
		return p
	}
	return &pane[K, A]{table: state.NewSlabTable[K, A](a.keepKey)}
}

// again fires, for one key, the windows that have ended and still wait for late records.
func (a *aligned[K, A]) again(p *pane[K, A], k K, h uint64) {
	a.forget(p.start)
	first, last := a.firstEnd(p.start), a.lastEnd(p.start)
	before := a.c.Time
	for end := first; end <= last; end += a.Slide {
		w := Window{Start: end - a.Size, End: end}
		if w.MaxTimestamp() > a.time {
			break
		}
		if w.CleanupTime(a.Lateness) <= a.time {
			continue
		}
		a.c.Time = w.MaxTimestamp()
		a.emit(w, k, a.collect(w, k, h))
	}
	a.c.Time = before
}

// collect joins what the panes of a window have for one key.
func (a *aligned[K, A]) collect(w Window, k K, h uint64) *A {
	lo, hi := a.between(w)
	var sum *A
	for _, p := range a.panes[lo:hi] {
		v := p.table.Get(k, h)
		switch {
		case v == nil:
		case hi-lo == 1:
			return v
		case sum == nil:
			sum = a.acc
			a.copy(sum, v)
		default:
			a.Merge(sum, v)
		}
	}
	return sum
}

// between are the places of the panes of a window.
func (a *aligned[K, A]) between(w Window) (lo, hi int) {
	return a.place(w.Start), a.place(w.End)
}

func (a *aligned[K, A]) emit(w Window, k K, acc *A) {
	*a.f = Fired[K]{k, w, a.time, a.c.Now}
	if a.Processing {
		a.f.Watermark = eventtime.None
	}
	a.c.Op = a.op
	a.fire(a.f, acc)
}

// Advance is EventTime's.
func (a *aligned[K, A]) Advance(wm int64) bool {
	if !a.Processing {
		a.advance(wm)
	} else if a.c.Batch && wm == eventtime.Max {
		a.advance(wm)
	}
	return true
}

// advance fires the windows that end by now, in order of their ends, and lets go of panes that no window needs.
func (a *aligned[K, A]) advance(now int64) {
	old := a.time
	a.time = now
	before := a.c.Time
	for end := a.next(old); end-1 <= now; {
		w := Window{Start: end - a.Size, End: end}
		lo, hi := a.between(w)
		if lo == len(a.panes) {
			break
		}
		if lo == hi { // a gap without records
			end = a.firstEnd(a.panes[lo].start)
			continue
		}
		a.c.Time = w.MaxTimestamp()
		a.fireAll(w, a.panes[lo:hi])
		e := eventtime.After(end, a.Slide)
		if e == end || e == eventtime.Max {
			break
		}
		end = e
	}
	a.c.Time = before
	a.expire()
}

// next is the end of the first window that has not fired at time old and has a pane.
func (a *aligned[K, A]) next(old int64) int64 {
	if len(a.panes) == 0 {
		return eventtime.Max
	}
	first := a.firstEnd(a.panes[0].start)
	if old == eventtime.None || first-1 > old {
		return first
	}
	return a.endFrom(old + 2) // ends of which the last millisecond has not been passed
}

// expire lets go of panes.
func (a *aligned[K, A]) expire() {
	n := 0
	for n < len(a.panes) && (Window{End: a.lastEnd(a.panes[n].start)}).CleanupTime(a.Lateness) <= a.time {
		p := a.panes[n]
		a.forget(p.start)
		if len(a.spare) < 2 {
			p.table.Clear()
			a.spare = append(a.spare, p)
		}
		n++
	}
	if n > 0 {
		clear(a.panes[:n])
		a.panes = append(a.panes[:0], a.panes[n:]...)
		a.last = nil
	}
	for _, p := range a.panes {
		if p.behind {
			continue
		}
		if (Window{End: a.firstEnd(p.start)}).MaxTimestamp() > a.time {
			break
		}
		p.behind = true
	}
}

// fireAll emits a window's result for every key.
func (a *aligned[K, A]) fireAll(w Window, panes []*pane[K, A]) {
	table := panes[0].table
	if len(panes) > 1 {
		table = a.join(w, panes)
	}
	for n := 0; n < table.Len(); n++ {
		k, acc := table.Nth(n)
		a.emit(w, *k, acc)
	}
	if table == a.scratch {
		table.Clear()
	}
}

// joinFrom is the number of panes of a window from which on joined tables pay.
const joinFrom = 5

// join makes one table of those of a window's panes.
func (a *aligned[K, A]) join(w Window, panes []*pane[K, A]) *state.Table[K, A] {
	if a.Size/a.pane < joinFrom {
		for _, p := range panes {
			a.into(a.scratch, p.table)
		}
		return a.scratch
	}
	// Windows have most of their panes in common. A window is put together of a few tables, each of 2^n panes, which serve
	// all the windows that hold these panes.
	lo, hi := a.index(w.Start), a.index(w.End)
	var parts []*state.Table[K, A]
	for lo < hi {
		level := min(bits.TrailingZeros64(uint64(lo)), bits.Len64(uint64(hi-lo))-1)
		if t := a.node(level, lo>>level); t != nil {
			parts = append(parts, t)
		}
		lo += 1 << level
	}
	if len(parts) == 1 {
		return parts[0]
	}
	for _, t := range parts {
		a.into(a.scratch, t)
	}
	return a.scratch
}

// index is the number of the pane from start.
func (a *aligned[K, A]) index(start int64) int64 { return (start - a.first()) / a.pane }

// first is where panes are counted from: so far back that numbers are not negative.
func (a *aligned[K, A]) first() int64 {
	return eventtime.Slot(-1<<61, a.pane, a.Offset)
}

// node is the joined table of 2^level panes; nil where they are empty.
func (a *aligned[K, A]) node(level int, index int64) *state.Table[K, A] {
	if level == 0 {
		start := a.first() + index*a.pane
		if lo, hi := a.between(Window{Start: start, End: start + 1}); lo < hi {
			return a.panes[lo].table
		}
		return nil
	}
	key := joinedKey{level, index}
	if t := a.joined[key]; t != nil {
		return t
	}
	left, right := a.node(level-1, 2*index), a.node(level-1, 2*index+1)
	if left == nil {
		return right
	}
	if right == nil {
		return left
	}
	t := state.NewSlabTable[K, A](nil) // keys are those of panes, which are kept already
	a.into(t, left)
	a.into(t, right)
	a.joined[key] = t
	return t
}

// into joins the entries of from into table.
func (a *aligned[K, A]) into(table, from *state.Table[K, A]) {
	for n := 0; n < from.Len(); n++ {
		k, v := from.Nth(n)
		acc, fresh := table.At(*k, a.hash(*k))
		if fresh {
			a.copy(acc, v)
		} else {
			a.Merge(acc, v)
		}
	}
}

// forget drops the joined tables that hold the pane from start, which has changed or gone.
func (a *aligned[K, A]) forget(start int64) {
	if len(a.joined) == 0 {
		return
	}
	index := a.index(start)
	for level := 1; int64(1)<<level <= a.Size/a.pane; level++ {
		delete(a.joined, joinedKey{level, index >> level})
	}
}

// arm has the clock call when the first window ends.
func (a *aligned[K, A]) arm() {
	if a.c.Batch || len(a.panes) == 0 {
		return
	}
	due := Window{End: a.next(a.time)}.MaxTimestamp()
	if a.stop != nil && a.armed <= due {
		return
	}
	if a.stop != nil {
		a.stop()
	}
	a.armed = due
	a.stop = a.c.Schedule(eventtime.After(due, 1), func() {
		a.stop = nil
		a.advance(max(a.time, a.c.Now-1)) // this millisecond may bring more
		a.arm()
	})
}

// Close is Operator's.
func (a *aligned[K, A]) Close(error) error {
	if a.stop != nil {
		a.stop()
	}
	return nil
}
