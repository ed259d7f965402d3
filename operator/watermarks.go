package operator

import "github.com/weft-project/weft/eventtime"

// Generator makes watermarks of timestamps, for strategies that are not built in. One subtask's goroutine calls it.
type Generator[T any] interface {
	// OnEvent sees each record; it may say a watermark at once.
	OnEvent(v *T, ts int64, say func(wm int64))
	// OnPeriodic is called every pipeline.auto-watermark-interval.
	OnPeriodic(say func(wm int64))
}

// Strategy is how records get timestamps, and watermarks are made of these.
type Strategy[T any] struct {
	// Timestamp of a record in milliseconds; nil keeps the one it has.
	Timestamp func(v *T) int64
	// Delay is how many milliseconds records come out of order at most.
	Delay int64
	// Generator, where it is set, makes the watermarks.
	Generator func() Generator[T]
	// IdleAfter is how many milliseconds without a record make a subtask idle; 0 for never.
	IdleAfter int64
}

// AssignFactory gives records timestamps and says watermarks. Those of its input go no further, but for the end.
func AssignFactory[T any](s Strategy[T]) Factory {
	return func(c *Context, op int, out any) (Instance, error) {
		next, err := emitOf[T](out)
		if err != nil {
			return Instance{}, err
		}
		a := &assigner[T]{Strategy: s, c: c, op: op, next: next, progress: eventtime.NewProgress(s.Delay), idle: eventtime.NewIdleness(s.IdleAfter)}
		return Instance{a, []any{a.input()}}, nil
	}
}

type assigner[T any] struct {
	Base
	Strategy[T]
	c        *Context
	op       int
	next     Emit[T]
	progress eventtime.Progress
	idle     eventtime.Idleness
	gen      Generator[T]
	records  int64
	last     int64 // timestamp
	upIdle   bool  // the input is idle
	stop     func()
}

func (a *assigner[T]) input() Emit[T] {
	stamp, c := a.Timestamp, a.c
	if stamp == nil {
		stamp = func(*T) int64 { return c.Time }
	}
	each := func(v *T) {
		before := c.Time
		c.Op = a.op
		ts := stamp(v)
		a.last = ts
		a.records++
		if a.idle.Idle() {
			a.idle.Active()
			a.tellIdle()
		}
		a.progress.See(ts)
		c.Time = ts
		a.next(v)
		c.Time = before
	}
	if a.Generator == nil {
		return each
	}
	seen := new(T)
	return func(v *T) {
		*seen = *v // what follows may change the record in place
		each(v)
		c.Op = a.op
		before := c.Time
		a.gen.OnEvent(seen, a.last, a.say)
		c.Time = before
	}
}

// Open is Operator's.
func (a *assigner[T]) Open() error {
	if a.Generator != nil {
		a.gen = a.Generator()
	}
	if a.c.WatermarkInterval > 0 && !a.c.Batch {
		a.arm()
	}
	return nil
}

func (a *assigner[T]) arm() {
	a.stop = a.c.Schedule(a.c.Clock.Now()+a.c.WatermarkInterval, a.tick)
}

// tick says the watermark that the records since the last one allow.
func (a *assigner[T]) tick() {
	a.c.Op = a.op
	if a.gen != nil {
		a.gen.OnPeriodic(a.say)
	} else {
		a.say(a.progress.Watermark())
	}
	if a.idle.Look(a.records, a.c.Now) {
		a.tellIdle()
	}
	a.arm()
}

// say hands a watermark on; in BATCH mode everything has come before anything is due.
func (a *assigner[T]) say(wm int64) {
	if !a.c.Batch {
		a.c.Forward(a.op, wm)
	}
}

func (a *assigner[T]) tellIdle() { a.c.ForwardIdle(a.op, a.idle.Idle() || a.upIdle) }

// Advance is EventTime's.
func (a *assigner[T]) Advance(int64) bool { return false }

// Idle is IdleTaker's: an input that is idle brings nothing for this operator to make watermarks of.
func (a *assigner[T]) Idle(idle bool) bool {
	a.upIdle = idle
	a.tellIdle()
	return false
}

// Close is Operator's.
func (a *assigner[T]) Close(error) error {
	if a.stop != nil {
		a.stop()
	}
	return nil
}
