package operator

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/weft-project/weft/eventtime"
)

// SplitSource describes a source whose input is dealt out in splits: files or parts of them, partitions of a log.
type SplitSource[T, S any] struct {
	// Plan lists the splits, once, in the coordinator task. They travel as JSON.
	Plan func(ctx context.Context, subtasks int) ([]S, error)
	// Open begins to read a split. wake may be called by any goroutine when a reader that was Idle has records again.
	Open func(ctx context.Context, split S, wake func()) (SplitReader[T], error)
	// AtOnce is how many splits a subtask reads side by side; 0 means one.
	AtOnce int
	// Time is how records get timestamps; watermarks are made for each split, so that one that is behind is waited for. Nil
	// leaves them without.
	Time *Strategy[T]
}

// SplitReader reads one split.
type SplitReader[T any] interface {
	// Read emits a few records, some thousand at most. The task calls it again after More, after a wake when it was Idle,
	// never after End.
	Read(emit func(v *T)) (Status, error)
	Close() error
}

// splitReply is the answer to a subtask that asks for a split.
type splitReply[S any] struct {
	Split S
	// Number of the split, from 0; None means that there are no more.
	Number int
	None   bool
}

// Factories give the source and the coordinator that deals its splits.
func (s SplitSource[T, S]) Factories() (Factory, CoordinatorFactory) {
	return func(c *Context, op int, out any) (Instance, error) {
			next, err := emitOf[T](out)
			if err != nil {
				return Instance{}, err
			}
			x := &splitSource[T, S]{spec: s, c: c, op: op, next: next, splits: eventtime.NewSplits()}
			x.spec.AtOnce = max(1, s.AtOnce)
			return Instance{Operator: x}, nil
		}, func(c *CoordinatorContext) (Coordinator, error) {
			return &splitDealer[S]{plan: s.Plan, c: c, done: NewDoneSet(c.Subtasks), dealing: NewDealing(c.Subtasks)}, nil
		}
}

type splitSource[T, S any] struct {
	Base
	spec   SplitSource[T, S]
	c      *Context
	op     int
	next   Emit[T]
	splits *eventtime.Splits
	open   []*openSplit[T]
	asking bool
	none   bool // there are no more splits
	err    error
	idle   bool // as it was said
	stop   func()
}

// openSplit is a split that is being read.
type openSplit[T any] struct {
	name     string
	reader   SplitReader[T]
	emit     func(v *T)
	quiet    bool // it was Idle and nobody has woken it
	progress eventtime.Progress
	gen      Generator[T]
	idle     eventtime.Idleness
	records  int64
}

// Open is Operator's.
func (x *splitSource[T, S]) Open() error {
	x.ask()
	if x.spec.Time != nil && x.c.WatermarkInterval > 0 && !x.c.Batch {
		x.arm()
	}
	return nil
}

func (x *splitSource[T, S]) arm() {
	x.stop = x.c.Schedule(x.c.Clock.Now()+x.c.WatermarkInterval, x.tick)
}

// ask asks for the next split, in a goroutine of its own.
func (x *splitSource[T, S]) ask() {
	if x.asking || x.none || len(x.open) >= x.spec.AtOnce {
		return
	}
	x.asking = true
	id := x.c.OpIDs[x.op]
	go func() {
		r, err := Ask[struct{}, splitReply[S]](x.c, id, struct{}{})
		x.c.Post(func() { x.answered(r, err) })
	}()
}

func (x *splitSource[T, S]) answered(r splitReply[S], err error) {
	x.asking = false
	switch {
	case err != nil:
		x.err = err
	case r.None:
		x.none = true
	default:
		x.begin(r)
		x.ask()
	}
}

// begin opens a split.
func (x *splitSource[T, S]) begin(r splitReply[S]) {
	s := &openSplit[T]{name: fmt.Sprint(r.Number)}
	x.c.Op, x.c.Time = x.op, eventtime.None
	reader, err := x.spec.Open(x.c.Ctx, r.Split, func() { x.c.Post(func() { s.quiet = false }) })
	if err != nil {
		x.err = ReturnedBy(x.spec.Open, err)
		return
	}
	s.reader, s.emit = reader, x.next
	if x.spec.Time != nil {
		x.timed(s)
	}
	x.open = append(x.open, s)
}

// timed gives the records of a split timestamps.
func (x *splitSource[T, S]) timed(s *openSplit[T]) {
	t := x.spec.Time
	s.progress, s.idle = eventtime.NewProgress(t.Delay), eventtime.NewIdleness(t.IdleAfter)
	if t.Generator != nil {
		s.gen = t.Generator()
	}
	x.splits.Add(s.name)
	x.status()
	say := func(wm int64) { x.say(s, wm) }
	s.emit = func(v *T) {
		x.c.Op = x.op // the functions of the strategy run in the source's name
		ts := x.c.Time
		if t.Timestamp != nil {
			ts = t.Timestamp(v)
		}
		s.records++
		if s.idle.Idle() {
			s.idle.Active()
			x.splits.Status(s.name, false)
			x.status()
		}
		s.progress.See(ts)
		if s.gen != nil {
			s.gen.OnEvent(v, ts, say) // before what follows may change the record; a record never makes itself late
		}
		x.c.Time = ts
		x.next(v)
		x.c.Time = eventtime.None
	}
}

// say takes a split's watermark and hands on what it allows.
func (x *splitSource[T, S]) say(s *openSplit[T], wm int64) {
	if x.splits.Watermark(s.name, wm) {
		x.advance()
	}
}

// advance says the watermark of all splits. While a split is on its way it waits: nobody knows how far behind that is.
func (x *splitSource[T, S]) advance() {
	if !x.asking && !x.c.Batch {
		x.c.Forward(x.op, x.splits.Last())
	}
}

// status hands the status on when it has changed.
func (x *splitSource[T, S]) status() {
	if idle := len(x.open) > 0 && x.splits.Idle(); idle != x.idle {
		x.idle = idle
		x.c.ForwardIdle(x.op, idle)
	}
}

// tick makes the watermark of each split.
func (x *splitSource[T, S]) tick() {
	x.c.Op = x.op
	for _, s := range x.open {
		if s.gen != nil {
			s.gen.OnPeriodic(func(wm int64) { x.say(s, wm) })
		} else {
			x.splits.Watermark(s.name, s.progress.Watermark())
		}
		if s.idle.Look(s.records, x.c.Now) {
			x.splits.Status(s.name, s.idle.Idle())
		}
	}
	x.advance()
	x.status()
	x.arm()
}

// Poll is Source's: it reads a little of each split.
func (x *splitSource[T, S]) Poll() (Status, error) {
	read := false
	for i := 0; i < len(x.open) && x.err == nil; i++ {
		s := x.open[i]
		if s.quiet {
			continue
		}
		read = true
		x.c.Op, x.c.Time = x.op, eventtime.None
		s.quiet = true // a wake while it reads counts
		before := s.records
		status, err := s.reader.Read(s.emit)
		if x.spec.Time != nil && s.records > before {
			x.c.EmitLag = x.c.Clock.Now() - s.progress.Highest() // the clock is read once a batch
		}
		switch {
		case err != nil:
			return End, ReturnedByMethod(s.reader, "Read", err)
		case status == More:
			s.quiet = false
		case status == End:
			x.open = append(x.open[:i], x.open[i+1:]...)
			i--
			if err := x.ended(s); err != nil {
				return End, err
			}
		}
	}
	switch {
	case x.err != nil:
		return End, x.err
	case read:
		return More, nil
	case x.none && len(x.open) == 0:
		return End, nil
	}
	return Idle, nil
}

// ended closes a split and asks for another one.
func (x *splitSource[T, S]) ended(s *openSplit[T]) error {
	if x.spec.Time != nil {
		x.splits.Remove(s.name)
		x.status()
	}
	x.ask()
	x.c.Op = x.op
	return ReturnedByMethod(s.reader, "Close", s.reader.Close())
}

// Wake is Source's: what wakes this source comes to the task's mailbox.
func (x *splitSource[T, S]) Wake() <-chan struct{} { return nil }

// Close is Operator's.
func (x *splitSource[T, S]) Close(error) error {
	if x.stop != nil {
		x.stop()
	}
	var errs []error
	for _, s := range x.open {
		errs = append(errs, s.reader.Close())
	}
	return errors.Join(errs...)
}

// splitDealer deals splits to subtasks as they ask.
type splitDealer[S any] struct {
	plan func(ctx context.Context, subtasks int) ([]S, error)
	c    *CoordinatorContext
	done *DoneSet

	mu      sync.Mutex
	dealing *Dealing
	splits  []S
	next    int
}

// Start is Coordinator's.
func (d *splitDealer[S]) Start(ctx context.Context) (err error) {
	d.splits, err = d.plan(ctx, d.c.Subtasks)
	return ReturnedBy(d.plan, err)
}

// Handle is Coordinator's.
func (d *splitDealer[S]) Handle(_ context.Context, subtask int, payload []byte) ([]byte, error) {
	return Answer(payload, func(struct{}) (splitReply[S], error) {
		d.mu.Lock()
		defer d.mu.Unlock()
		if !d.dealing.Next(subtask, len(d.splits)-d.next) {
			d.done.End(subtask)
			return splitReply[S]{None: true}, nil
		}
		d.next++
		return splitReply[S]{Split: d.splits[d.next-1], Number: d.next - 1}, nil
	})
}

// Done is Coordinator's.
func (d *splitDealer[S]) Done() <-chan struct{} { return d.done.Done() }

// Close is Coordinator's.
func (d *splitDealer[S]) Close() error { return nil }
