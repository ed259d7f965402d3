package operator

import (
	"encoding/binary"
	"errors"

	"github.com/weft-project/weft/codec"
	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/eventtime"
	"github.com/weft-project/weft/internal/spill"
)

// KeyEnder is a keyed operator whose records may come key by key: EndKey tells that all records of the current key have come. For
// that key it is the end of event time; the next key begins before all time.
type KeyEnder interface {
	EndKey()
}

// SortedInput says what becomes of one input of an operator whose records come key by key.
type SortedInput interface {
	bind(s *sorted, index int, inner any) (outer any, err error)
}

type byKey[K comparable, T any] struct {
	key *codec.Key[K]
	of  func(T) K
}

// ByKey is an input that is sorted.
func ByKey[K comparable, T any](key *codec.Key[K], of func(T) K) SortedInput {
	return byKey[K, T]{key, of}
}

type asItComes struct{}

// AsItComes is an input whose records are handed on at once, before those that are sorted.
func AsItComes() SortedInput { return asItComes{} }

// Sorted has the operator of f, in BATCH mode, get its records key by key, those of a key by their timestamps, so that it holds
// the state of one key at a time. They are sorted within the operator's share of managed memory, beyond it on local disks.
// The operator is a KeyEnder; any other is left as it is.
func Sorted(f Factory, inputs ...SortedInput) Factory {
	return func(c *Context, op int, out any) (Instance, error) {
		inst, err := f(c, op, out)
		if err != nil || !c.Batch || c.Spill == nil || !config.Get(config.FromMap(c.Config), config.SortedInputs) {
			return inst, err
		}
		ender, ok := inst.Operator.(KeyEnder)
		if !ok {
			return inst, nil
		}
		if len(inputs) != len(inst.Inputs) {
			return inst, errors.New("an operator is sorted by another number of inputs than it has")
		}
		s := &sorted{c: c, op: op, inner: inst.Operator, ender: ender, sorter: spill.NewSorter(c.Spill, c.Managed)}
		s.timed, _ = inst.Operator.(EventTime)
		s.feeds = make([]func([]byte), len(inputs))
		for i, in := range inputs {
			outer, err := in.bind(s, i, inst.Inputs[i])
			if err != nil {
				return inst, err
			}
			inst.Inputs[i] = outer
		}
		inst.Operator = s
		return inst, nil
	}
}

// sorted stands before a keyed operator.
type sorted struct {
	c      *Context
	op     int
	inner  Operator
	ender  KeyEnder
	timed  EventTime
	sorter *spill.Sorter
	feeds  []func(payload []byte) // by input
	key    []byte
	value  []byte
}

// A record's key in the sorter: the length of the canonical key in 4 bytes, that key, the timestamp in 8 bytes, the input in one.
const (
	keyHead = 4
	keyTail = 9
)

func (in byKey[K, T]) bind(s *sorted, index int, inner any) (any, error) {
	next, err := emitOf[T](inner)
	if err != nil {
		return nil, err
	}
	typ, err := codec.Of[T]()
	if err != nil {
		return nil, User(err)
	}
	stored, slot := newUnstored(typ), new(T)
	s.feeds[index] = func(payload []byte) {
		stored.decode(payload, slot)
		next(slot)
	}
	hash, encode, of, c := in.key.Hasher(), typ.Encoder(), in.of, s.c
	return Emit[T](func(v *T) {
		c.Op = s.op
		k := of(*v)
		s.key = in.key.Append(append(s.key[:0], 0, 0, 0, 0), &k)
		binary.BigEndian.PutUint32(s.key, uint32(len(s.key)-keyHead))
		s.key = binary.BigEndian.AppendUint64(s.key, uint64(c.Time)^1<<63)
		s.key = append(s.key, byte(index))
		s.value = encode(s.value[:0], v)
		if err := s.sorter.Add(hash(k), s.key, s.value); err != nil {
			Abort(External(err))
		}
	}), nil
}

func (asItComes) bind(_ *sorted, _ int, inner any) (any, error) { return inner, nil }

// Open is Operator's.
func (s *sorted) Open() error { return s.inner.Open() }

// EndInput is Operator's.
func (s *sorted) EndInput() error { return s.inner.EndInput() }

// Close is Operator's.
func (s *sorted) Close(err error) error { return errors.Join(s.inner.Close(err), s.sorter.Close()) }

// Advance is EventTime's: results come at the end only.
func (s *sorted) Advance(wm int64) bool {
	if wm != eventtime.Max {
		return false
	}
	s.drain()
	if s.timed != nil {
		s.c.Op = s.op
		s.timed.Advance(wm)
	}
	return true
}

// drain hands the records on.
func (s *sorted) drain() {
	it, err := s.sorter.Sorted()
	if err != nil {
		Abort(External(err))
	}
	look := stepper{c: s.c}
	prefix, open := uint64(0), false
	for {
		r, ok, err := it.Next()
		if err != nil {
			Abort(External(err))
		}
		if !ok {
			break
		}
		look.step()
		n := len(r.Key) - keyTail
		if !open || r.Prefix != prefix || string(r.Key[:n]) != string(s.key) {
			if open {
				s.ender.EndKey()
			}
			prefix, open = r.Prefix, true
			s.key = append(s.key[:0], r.Key[:n]...)
		}
		s.c.Time = int64(binary.BigEndian.Uint64(r.Key[n:]) ^ 1<<63)
		s.feeds[r.Key[len(r.Key)-1]](r.Payload)
	}
	if open {
		s.ender.EndKey()
	}
	s.c.Time = eventtime.None
}

// EndKey is KeyEnder's: all timers fire, of processing time too, and the key's state goes.
func (t *Timing[K, N]) EndKey() {
	t.Watermark = eventtime.Max
	t.due(t.events, eventtime.Max, false)
	t.due(t.procs, eventtime.Max, true)
	t.due(t.events, eventtime.Max, false)
	t.Keyed.Forget()
	t.Watermark = eventtime.None
}
