package operator

import (
	"github.com/weft-project/weft/codec"
	"github.com/weft-project/weft/eventtime"
	"github.com/weft-project/weft/state"
)

// None is the namespace of timers that need none.
type None struct{}

// Process is what the functions of one subtask of a process operator know and set.
type Process struct {
	C  *Context
	Op int
	// Watermark is how far event time has come.
	Watermark int64
	// State is the operator's that belongs to no key.
	State state.Operator
	// AtWatermark and AtEnd, where they are set, are called when event time advances and after the last record.
	AtWatermark func(wm int64)
	AtEnd       func()
}

// emitter makes the author's emit function.
func emitter[O any](c *Context, op int, next Emit[O]) func(O) {
	slot := new(O)
	return func(v O) {
		*slot = v
		next(slot)
		c.Op = op // back in this operator's function
	}
}

// Emitter makes the author's emit function of what follows an operator.
func Emitter[O any](c *Context, op int, out any) (func(O), error) {
	next, err := emitOf[O](out)
	if err != nil {
		return nil, err
	}
	return emitter(c, op, next), nil
}

// process is the operator around a Process.
type process struct {
	Base
	*Process
	open func()
}

// Open is Operator's.
func (p *process) Open() error {
	p.open()
	return nil
}

// Advance is EventTime's.
func (p *process) Advance(wm int64) bool {
	p.Watermark = wm
	if p.AtWatermark != nil {
		p.AtWatermark(wm)
	}
	return true
}

// EndInput is Operator's.
func (p *process) EndInput() error {
	if p.AtEnd != nil {
		p.AtEnd()
	}
	return nil
}

// ProcessFactory is an operator of one input without keys.
func ProcessFactory[A, O any](open func(p *Process, emit func(O)) func(A)) Factory {
	return func(c *Context, op int, out any) (Instance, error) {
		next, err := emitOf[O](out)
		if err != nil {
			return Instance{}, err
		}
		c.WantsNow = true
		p := &process{Process: &Process{C: c, Op: op, Watermark: eventtime.None}}
		var fn func(A)
		p.open = func() { fn = open(p.Process, emitter(c, op, next)) }
		return Instance{p, []any{Emit[A](func(v *A) {
			c.Op = op
			fn(*v)
		})}}, nil
	}
}

// CoProcessFactory is an operator of two inputs without keys.
func CoProcessFactory[A, B, O any](open func(p *Process, emit func(O)) (func(A), func(B))) Factory {
	return func(c *Context, op int, out any) (Instance, error) {
		next, err := emitOf[O](out)
		if err != nil {
			return Instance{}, err
		}
		c.WantsNow = true
		p := &process{Process: &Process{C: c, Op: op, Watermark: eventtime.None}}
		var first func(A)
		var second func(B)
		p.open = func() { first, second = open(p.Process, emitter(c, op, next)) }
		return Instance{p, []any{
			Emit[A](func(v *A) { c.Op = op; first(*v) }),
			Emit[B](func(v *B) { c.Op = op; second(*v) }),
		}}, nil
	}
}

// Keyed is what runs in one subtask of a keyed process operator.
type Keyed[K comparable] struct {
	*Timing[K, None]
	// OnTimer, where it is set, is called for each timer that is due; AtEnd after the last record, without a key.
	OnTimer func(at int64, processing bool)
	AtEnd   func()
	// State is the operator's that belongs to no key.
	State state.Operator
}

// keyedProcess is the operator around a Keyed.
type keyedProcess[K comparable] struct {
	*Keyed[K]
	open func()
}

// Open is Operator's.
func (p *keyedProcess[K]) Open() error {
	p.open()
	return nil
}

// EndInput is Operator's.
func (p *keyedProcess[K]) EndInput() error {
	if p.AtEnd != nil {
		p.AtEnd()
	}
	return nil
}

func newKeyed[K comparable](c *Context, op int, key *codec.Key[K]) (*keyedProcess[K], error) {
	timing, err := NewTiming[None](c, op, key)
	if err != nil {
		return nil, err
	}
	c.WantsNow = true
	k := &Keyed[K]{Timing: timing}
	timing.Fire = func(t state.Timer[K, None], processing bool) {
		if k.OnTimer != nil {
			k.OnTimer(t.At, processing)
		}
	}
	return &keyedProcess[K]{Keyed: k}, nil
}

// keyedInput calls fn with the record's key as the current one.
func keyedInput[K comparable, A any](k *Keyed[K], key *codec.Key[K], of func(A) K, fn *func(A)) Emit[A] {
	c, op, hash, keyed := k.C, k.Op, key.Hasher(), k.Timing.Keyed
	return func(v *A) {
		c.Op = op
		x := of(*v)
		keyed.SetKey(x, hash(x))
		(*fn)(*v)
	}
}

// KeyedProcessFactory is an operator of one input with keys.
func KeyedProcessFactory[K comparable, A, O any](key *codec.Key[K], of func(A) K, open func(k *Keyed[K], emit func(O)) func(A)) Factory {
	return Sorted(func(c *Context, op int, out any) (Instance, error) {
		next, err := emitOf[O](out)
		if err != nil {
			return Instance{}, err
		}
		p, err := newKeyed(c, op, key)
		if err != nil {
			return Instance{}, err
		}
		var fn func(A)
		p.open = func() { fn = open(p.Keyed, emitter(c, op, next)) }
		return Instance{p, []any{keyedInput(p.Keyed, key, of, &fn)}}, nil
	}, ByKey(key, of))
}

// keyedPair is an operator of a keyed input and of a second one that second makes.
func keyedPair[K comparable, A, B, O any](key *codec.Key[K], ofA func(A) K, open func(k *Keyed[K], emit func(O)) (func(A), func(B)),
	second func(k *Keyed[K], fn *func(B)) Emit[B]) Factory {
	return func(c *Context, op int, out any) (Instance, error) {
		next, err := emitOf[O](out)
		if err != nil {
			return Instance{}, err
		}
		p, err := newKeyed(c, op, key)
		if err != nil {
			return Instance{}, err
		}
		var a func(A)
		var b func(B)
		p.open = func() { a, b = open(p.Keyed, emitter(c, op, next)) }
		return Instance{p, []any{keyedInput(p.Keyed, key, ofA, &a), second(p.Keyed, &b)}}, nil
	}
}

// KeyedCoProcessFactory is an operator of two inputs with equal keys.
func KeyedCoProcessFactory[K comparable, A, B, O any](key *codec.Key[K], ofA func(A) K, ofB func(B) K,
	open func(k *Keyed[K], emit func(O)) (func(A), func(B))) Factory {
	pair := keyedPair(key, ofA, open, func(k *Keyed[K], fn *func(B)) Emit[B] { return keyedInput(k, key, ofB, fn) })
	return Sorted(pair, ByKey(key, ofA), ByKey(key, ofB))
}

// KeyedBroadcastFactory is an operator of a keyed input and one of which all subtasks get every record.
func KeyedBroadcastFactory[K comparable, A, B, O any](key *codec.Key[K], of func(A) K, open func(k *Keyed[K], emit func(O)) (func(A), func(B))) Factory {
	pair := keyedPair(key, of, open, func(k *Keyed[K], fn *func(B)) Emit[B] {
		c, op := k.C, k.Op
		return func(v *B) { c.Op = op; (*fn)(*v) }
	})
	return Sorted(pair, ByKey(key, of), AsItComes())
}
