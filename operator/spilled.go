package operator

import (
	"context"
	"unsafe"

	"github.com/weft-project/weft/codec"
	"github.com/weft-project/weft/eventtime"
	"github.com/weft-project/weft/internal/spill"
)

// lookEvery is how many records that come from local disks are emitted before the task's end is looked for.
const lookEvery = 1024

// stepper looks for the end of the task now and then.
type stepper struct {
	c *Context
	n int
}

func (s *stepper) step() {
	if s.n++; s.n%lookEvery != 0 {
		return
	}
	if s.c.Ctx.Err() != nil {
		Abort(context.Cause(s.c.Ctx))
	}
	if s.c.WantsNow {
		s.c.Now = max(s.c.Now, s.c.Clock.Now())
	}
}

// arenaSize is how many bytes of stored records share an allocation.
const arenaSize = 32 << 10

// unstored decodes records whose bytes are overwritten later: values that refer to them get copies, many to an allocation.
type unstored[T any] struct {
	dec   func(string, int, *T) (int, error)
	flat  bool
	arena []byte
}

func newUnstored[T any](c *codec.Codec[T]) *unstored[T] {
	return &unstored[T]{dec: c.Decoder(), flat: c.Flat()}
}

func (u *unstored[T]) decode(b []byte, v *T) {
	pos := 0
	if !u.flat {
		if len(u.arena)+len(b) > cap(u.arena) {
			u.arena = make([]byte, 0, max(arenaSize, len(b)))
		}
		pos = len(u.arena)
		u.arena = append(u.arena, b...)
		b = u.arena
	}
	if _, err := u.dec(unsafe.String(unsafe.SliceData(b), len(b)), pos, v); err != nil {
		Abort(External(err))
	}
}

// boundedReducer is a finalReducer that keeps to a budget: when its table has outgrown that, the results so far go to a sorter
// and a new table begins; at the end those of equal keys are joined.
type boundedReducer[K comparable, T any] struct {
	*finalReducer[K, T]
	sorter *spill.Sorter
	budget int64 // of table and sorter, each
	hash   func(K) uint64
	encode func([]byte, *T) []byte
	key    []byte
	value  []byte
}

func newBounded[K comparable, T any](red *reducer[K, T]) *boundedReducer[K, T] {
	return &boundedReducer[K, T]{finalReducer: &finalReducer[K, T]{red}, budget: red.c.Managed / 2, hash: red.Key.Hasher(), encode: red.Type.Encoder()}
}

// input is the function for records.
func (b *boundedReducer[K, T]) input() Emit[T] { return b.within(b.budget, b.spill) }

// spill moves the table to the sorter.
func (b *boundedReducer[K, T]) spill() {
	if b.sorter == nil {
		b.sorter = spill.NewSorter(b.c.Spill, b.budget)
	}
	look := stepper{c: b.c}
	b.table.Each(func(k *K, v *T) {
		look.step()
		b.key = b.Key.Append(b.key[:0], k)
		b.value = b.encode(b.value[:0], v)
		if err := b.sorter.Add(b.hash(*k), b.key, b.value); err != nil {
			Abort(External(err))
		}
	})
	b.table.Reset()
}

// Advance is EventTime's.
func (b *boundedReducer[K, T]) Advance(wm int64) bool {
	if b.sorter == nil || wm != eventtime.Max {
		return b.finalReducer.Advance(wm)
	}
	b.spill()
	b.c.Time = eventtime.Max
	b.emitJoined()
	b.c.Time = eventtime.None
	return true
}

// emitJoined emits one result for each key.
func (b *boundedReducer[K, T]) emitJoined() {
	it, err := b.sorter.Sorted()
	if err != nil {
		Abort(External(err))
	}
	stored, look := newUnstored(b.Type), stepper{c: b.c}
	acc, next := new(T), new(T)
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
		if open && r.Prefix == prefix && string(r.Key) == string(b.key) {
			stored.decode(r.Payload, next)
			b.c.Op = b.op
			b.fold(acc, next)
			continue
		}
		if open {
			b.next(acc)
		}
		prefix, open = r.Prefix, true
		b.key = append(b.key[:0], r.Key...)
		stored.decode(r.Payload, acc)
	}
	if open {
		b.next(acc)
	}
}

// Close is Operator's.
func (b *boundedReducer[K, T]) Close(err error) error {
	b.table = nil
	if b.sorter == nil {
		return nil
	}
	return b.sorter.Close()
}
