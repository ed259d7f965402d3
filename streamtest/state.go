package streamtest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sort"
	"strings"

	"github.com/weft-project/weft/codec"
	"github.com/weft-project/weft/operator"
	"github.com/weft-project/weft/state"
)

// Values gives a value state, or a reducing or aggregating one (its accumulators), of an operator by key. Entries that have
// expired and were not met since may be among them.
func Values[K comparable, V any](h *Harness, operator, state string) map[K]V {
	h.t.Helper()
	c, err := codec.Of[V]()
	if err != nil {
		h.t.Fatalf("streamtest: state %q: %v", state, err)
	}
	return keyedState[K](h, operator, state, c.Decoder())
}

// Lists gives a list state of an operator by key.
func Lists[K comparable, V any](h *Harness, operator, state string) map[K][]V {
	h.t.Helper()
	return Values[K, []V](h, operator, state)
}

// Maps gives a map state of an operator by key.
func Maps[K, U comparable, V any](h *Harness, operator, state string) map[K]map[U]V {
	h.t.Helper()
	u, err := codec.Of[U]()
	v, err2 := codec.Of[V]()
	if err = errors.Join(err, err2); err != nil {
		h.t.Fatalf("streamtest: state %q: %v", state, err)
	}
	keyOf, valueOf := u.Decoder(), v.Decoder()
	return keyedState[K](h, operator, state, func(src string, pos int, m *map[U]V) (int, error) {
		n, used := binary.Uvarint([]byte(src[pos:min(len(src), pos+binary.MaxVarintLen64)]))
		if used <= 0 {
			return pos, errShape
		}
		pos += used
		*m = map[U]V{}
		var err error
		for range n {
			var key U
			var value V
			if pos, err = keyOf(src, pos, &key); err != nil {
				return pos, err
			}
			if pos, err = valueOf(src, pos, &value); err != nil {
				return pos, err
			}
			(*m)[key] = value
		}
		return pos, nil
	})
}

// Timer is one that is set in a Harness.
type Timer[K comparable] struct {
	Key K
	// At is when it is due, in milliseconds; Processing: by the clock.
	At         int64
	Processing bool
}

// Timers gives the timers of a keyed process function, the earliest first.
func Timers[K comparable](h *Harness, operator string) []Timer[K] {
	h.t.Helper()
	var all []Timer[K]
	for _, processing := range []bool{false, true} {
		part := "event-timers"
		if processing {
			part = "processing-timers"
		}
		timers, err := timersOf[K](h, operator, part)
		if err != nil {
			h.t.Fatalf("streamtest: %v", err)
		}
		for _, t := range timers {
			all = append(all, Timer[K]{t.Key, t.At, processing})
		}
	}
	sort.SliceStable(all, func(i, j int) bool { return all[i].At < all[j].At })
	return all
}

func timersOf[K comparable](h *Harness, op, part string) (all []state.Timer[K, operator.None], err error) {
	c, err := codec.Of[state.Timer[K, operator.None]]()
	if err != nil {
		return nil, err
	}
	dec := c.Decoder()
	err = h.eachGroup(op, part, func(n uint64, src string) (err error) {
		pos := 0
		for range n {
			var t state.Timer[K, operator.None]
			if pos, err = dec(src, pos, &t); err != nil {
				return err
			}
			all = append(all, t)
		}
		return whole(src, pos)
	})
	return all, err
}

// OperatorList gives a list state that belongs to no key: the values of all subtasks.
func OperatorList[V any](h *Harness, op, name string) []V {
	h.t.Helper()
	c, err := codec.Of[V]()
	if err != nil {
		h.t.Fatalf("streamtest: state %q: %v", name, err)
	}
	dec := c.Decoder()
	var all []V
	found := false
	for _, s := range h.stateful(op) {
		p := s.op.OperatorState()[name]
		if p == nil {
			continue
		}
		found = true
		for _, e := range p.Snapshot() {
			var v V
			if n, err := dec(string(e), 0, &v); err != nil || n != len(e) {
				h.t.Fatalf("streamtest: state %q of operator %q does not hold values of %T", name, op, v)
			}
			all = append(all, v)
		}
	}
	if !found {
		h.t.Fatalf("streamtest: operator %q has no state %q that belongs to no key", op, name)
	}
	return all
}

// errShape: the bytes are those of other types.
var errShape = errors.New("it holds other types than were asked for")

func whole(src string, pos int) error {
	if pos != len(src) {
		return errShape
	}
	return nil
}

// keyedState reads a part of an operator's keyed state.
func keyedState[K comparable, V any](h *Harness, operator, name string, value func(src string, pos int, v *V) (int, error)) map[K]V {
	h.t.Helper()
	out := map[K]V{}
	c, err := codec.Of[K]()
	if err == nil {
		key := c.Decoder()
		err = h.eachGroup(operator, name, func(n uint64, src string) (err error) {
			pos := 0
			for range n {
				var k K
				var v V
				if pos, err = key(src, pos, &k); err != nil {
					return err
				}
				if pos, err = value(src, pos, &v); err != nil {
					return err
				}
				out[k] = v
			}
			return whole(src, pos)
		})
	}
	if err != nil {
		h.t.Fatalf("streamtest: state %q of operator %q: %v", name, operator, err)
	}
	return out
}

// eachGroup gives the entries of every key group of a part of an operator's keyed state.
func (h *Harness) eachGroup(op, name string, f func(n uint64, entries string) error) error {
	found := false
	var names []string
	for _, s := range h.stateful(op) {
		for _, p := range s.op.KeyedState() {
			if names = append(names, p.Name()); p.Name() != name {
				continue
			}
			found = true
			groups := s.groups()
			for g := groups.First; g < groups.End; g++ {
				// A version byte, and how many entries follow.
				b := string(p.Snapshot(g, nil))
				n, used := binary.Uvarint([]byte(b[1:min(len(b), 1+binary.MaxVarintLen64)]))
				if used <= 0 {
					return errShape
				}
				if err := f(n, b[1+used:]); err != nil {
					return err
				}
			}
		}
	}
	if !found {
		return fmt.Errorf("there is no such keyed state; there is %q", strings.Join(names, ", "))
	}
	return nil
}

// keeper is an operator of a subtask that has state.
type keeper struct {
	task *subtask
	id   string
	op   operator.Stateful
}

func (k keeper) groups() state.Groups {
	c := k.task.ctx
	return state.GroupsOf(max(1, c.MaxParallelism), max(1, c.Parallelism), c.Subtask())
}

// stateful gives the subtasks of the operators of a name, or of all for "".
func (h *Harness) stateful(name string) []keeper {
	h.t.Helper()
	var all []keeper
	known := false
	for _, v := range h.order {
		for _, o := range v.GetOperators() {
			if name != "" && o.GetName() != name {
				continue
			}
			known = true
			for _, s := range h.tasks[v.GetId()] {
				if op := s.chain.Stateful()[o.GetId()]; op != nil {
					all = append(all, keeper{s, o.GetId(), op})
				}
			}
		}
	}
	if !known {
		h.t.Fatalf("streamtest: there is no operator %q", name)
	}
	return all
}

// Snapshot is the state of all operators at one moment.
type Snapshot struct {
	maxParallelism map[string]int
	// keyed is by operator, part and key group; lists are by operator and part, of each subtask.
	keyed map[string]map[string]map[int][]byte
	lists map[string]map[string]*list
}

type list struct {
	how      state.Redistribution
	elements [][][]byte
}

// Snapshot takes the state and the timers of all operators. The harness can be used further.
func (h *Harness) Snapshot() *Snapshot {
	h.t.Helper()
	out := &Snapshot{map[string]int{}, map[string]map[string]map[int][]byte{}, map[string]map[string]*list{}}
	h.do(func() error {
		for _, k := range h.stateful("") {
			out.maxParallelism[k.id] = k.task.ctx.MaxParallelism
			out.take(k)
		}
		return nil
	})
	return out
}

func (s *Snapshot) take(k keeper) {
	if s.keyed[k.id] == nil {
		s.keyed[k.id], s.lists[k.id] = map[string]map[int][]byte{}, map[string]*list{}
	}
	groups := k.groups()
	for _, p := range k.op.KeyedState() {
		if s.keyed[k.id][p.Name()] == nil {
			s.keyed[k.id][p.Name()] = map[int][]byte{}
		}
		for g := groups.First; g < groups.End; g++ {
			s.keyed[k.id][p.Name()][g] = p.Snapshot(g, nil)
		}
	}
	for name, p := range k.op.OperatorState() {
		if s.lists[k.id][name] == nil {
			s.lists[k.id][name] = &list{how: p.Redistribution()}
		}
		l := s.lists[k.id][name]
		l.elements = append(l.elements, p.Snapshot())
	}
}

// restore gives the operators of a harness what the snapshot has of them.
func (s *Snapshot) restore(h *Harness) error {
	if s == nil {
		return nil
	}
	used := map[string]bool{}
	for _, k := range h.stateful("") {
		h.running, k.task.ctx.Op = k.task, -1
		if s.maxParallelism[k.id] == 0 {
			continue // an operator that is new
		}
		used[k.id] = true
		if had := s.maxParallelism[k.id]; had != k.task.ctx.MaxParallelism {
			return fmt.Errorf("the snapshot was taken with a max parallelism of %d, and it is %d now: state can not be dealt out", had, k.task.ctx.MaxParallelism)
		}
		if err := s.give(k); err != nil {
			return err
		}
	}
	h.running = nil
	for op := range s.maxParallelism {
		if !used[op] {
			return errors.New("the snapshot has state of an operator that the graph does not have: operators are found by their UID, or by place and name")
		}
	}
	return nil
}

func (s *Snapshot) give(k keeper) error {
	groups := k.groups()
	for _, p := range k.op.KeyedState() {
		for g := groups.First; g < groups.End; g++ {
			if b := s.keyed[k.id][p.Name()][g]; b != nil {
				if err := p.Restore(g, string(b)); err != nil {
					return fmt.Errorf("state %q: %w", p.Name(), err)
				}
			}
		}
	}
	for name, p := range k.op.OperatorState() {
		if l := s.lists[k.id][name]; l != nil {
			if err := p.Restore(state.Redistribute(l.how, l.elements, k.task.ctx.Subtask(), k.task.ctx.Parallelism)); err != nil {
				return err
			}
		}
	}
	if r, ok := k.op.(interface{ Restored() error }); ok {
		return r.Restored()
	}
	return nil
}
