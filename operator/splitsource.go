package operator

import (
	"context"
	"errors"
	"fmt"

	"github.com/weft-project/weft/checkpoint"
	"github.com/weft-project/weft/eventtime"
)

// SplitSource describes a source whose input is dealt out in splits: files or parts of them, partitions of a log. S names a
// split; it is small and travels as JSON. T are the records.
type SplitSource[T, S any] struct {
	// Plan lists the splits, once, in the job's coordinator task.
	Plan func(ctx context.Context, subtasks int) ([]S, error)
	// Discover, in the place of Plan, looks for splits as long as the job runs: it says what it finds, and returns when there will
	// be no more, or when ctx ends. It has a goroutine of its own in the coordinator task.
	Discover func(ctx context.Context, e *Enumeration[S]) error
	// Open begins to read a split. wake may be called by any goroutine when a reader that was idle has records again.
	Open func(ctx context.Context, split S, wake func()) (SplitReader[T], error)
	// AtOnce is how many splits a subtask reads side by side; 0 means one, one after the other.
	AtOnce int
	// Unbounded: the splits do not end, or there will always be more.
	Unbounded bool
	// Owner, where it is set, says which of so many subtasks reads a split that nobody has read yet; without it the one that asks first.
	Owner func(split S, subtasks int) int
	// Committed, where it is set, is called in each subtask when a checkpoint is complete, with what was left of the splits that it was
	// reading. It must not wait.
	Committed func(ctx context.Context, splits []S)
	// Reads are the URIs of files that must be there when the job is submitted.
	Reads []string
	// Invalid, where it is set, is why there can be no such source; it is reported with the author's line.
	Invalid error
	// Time is how records get timestamps. stream.FromTimedSource sets it.
	Time *Strategy[T]
}

// SplitReader reads one split.
type SplitReader[T any] interface {
	// Read emits a few records, some thousand at most. The task calls it again after More, after a wake when it was Idle,
	// never after End.
	Read(emit func(v *T)) (Status, error)
	Close() error
}

// Resumable is a SplitReader that can say what is left of its split; a source that goes on from a checkpoint opens that. Of others it reads
// the split again and drops as many records as it had read.
type Resumable[S any] interface{ Remaining() S }

// splitRequest asks for a split, or tells that the subtask has come to its end.
type splitRequest struct {
	Ended bool `json:",omitempty"`
}

// splitReply is the answer to a subtask that asks for a split.
type splitReply[S any] struct {
	Split S
	// Number of the split, from 0; None means that there are no more, Later to ask again: a checkpoint is on its way, or, where
	// After is set, splits are still looked for; it is how many milliseconds to wait.
	Number int
	None   bool  `json:",omitempty"`
	Later  bool  `json:",omitempty"`
	After  int64 `json:",omitempty"`
	// Skip is how many records were read of it when a checkpoint was taken.
	Skip int64 `json:",omitempty"`
}

// Factories give the source and the coordinator that deals its splits.
func (s SplitSource[T, S]) Factories() (Factory, CoordinatorFactory) {
	return func(c *Context, op int, out any) (Instance, error) {
			next, err := emitOf[T](out)
			if err != nil {
				return Instance{}, err
			}
			x := &splitSource[T, S]{spec: s, c: c, op: op, next: next, splits: eventtime.NewSplits(), seen: eventtime.None}
			x.spec.AtOnce = max(1, s.AtOnce)
			return Instance{Operator: x}, nil
		}, func(c *CoordinatorContext) (Coordinator, error) {
			return &splitDealer[S]{plan: s.Plan, discover: s.Discover, owner: s.Owner, c: c, done: NewDoneSet(c.Subtasks), dealing: NewDealing(c.Subtasks)}, nil
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
	// restored are splits that wait for their turn: of a checkpoint, or asked for in good time.
	restored []splitReply[S]
	asking   bool
	asked    bool // for the first time
	later    func()
	none     bool // there are no more splits
	waits    bool // there is none now
	// seen is the highest watermark of splits that have ended. It is said when there is nothing else to read: until then the
	// next one may be behind.
	seen int64
	err  error
	idle bool // as it was said
	stop func()
	// prepared are, for Committed, the splits at checkpoints that are not complete.
	prepared map[checkpoint.Ref][]S
}

// openSplit is a split that is being read.
type openSplit[T any] struct {
	name     string
	number   int
	split    any // an S
	skip     int64
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
	for len(x.restored) > 0 && len(x.open) < x.spec.AtOnce && x.err == nil {
		r := x.restored[0]
		x.restored = x.restored[1:]
		x.begin(r)
	}
	if x.asking || x.none || x.later != nil || len(x.open)+len(x.restored) >= x.spec.AtOnce+x.ahead() {
		return
	}
	x.asking = true
	id := x.c.OpIDs[x.op]
	go func() {
		r, err := Ask[splitRequest, splitReply[S]](x.c, id, splitRequest{})
		x.c.Post(func() { x.answered(r, err) })
	}()
}

// ahead is how many splits are asked for before their turn. With watermarks of splits it is none: one that waits is behind
// nobody knows how far.
func (x *splitSource[T, S]) ahead() int {
	if x.spec.Time != nil {
		return 0
	}
	return 1
}

func (x *splitSource[T, S]) answered(r splitReply[S], err error) {
	x.asking = false
	switch {
	case err != nil:
		x.err = err
	case r.None:
		x.none = true
	case r.Later:
		x.later = x.c.Schedule(x.c.Clock.Now()+max(askAgain, r.After), func() {
			x.later = nil
			x.ask()
		})
		if x.waits = r.After > 0; x.waits {
			x.pause()
		}
	default:
		x.waits = false
		x.restored = append(x.restored, r)
		x.ask()
	}
}

// pause says how far the splits have come that were there, and that nothing comes for now.
func (x *splitSource[T, S]) pause() {
	if len(x.open) == 0 && !x.c.Batch {
		x.c.Forward(x.op, x.seen)
	}
	x.status()
}

// begin opens a split.
func (x *splitSource[T, S]) begin(r splitReply[S]) {
	s := &openSplit[T]{name: fmt.Sprint(r.Number), number: r.Number, split: r.Split, skip: r.Skip}
	x.c.Op, x.c.Time = x.op, eventtime.None
	reader, err := x.spec.Open(WithContext(x.c.Ctx, x.c), r.Split, func() { x.c.Post(func() { s.quiet = false }) })
	if err != nil {
		x.err = ReturnedBy(x.spec.Open, err)
		return
	}
	s.reader, s.emit = reader, x.next
	_, resumable := reader.(Resumable[S])
	switch {
	case x.spec.Time != nil:
		x.timed(s)
	case !resumable:
		s.emit = func(v *T) {
			s.records++
			x.next(v)
		}
	}
	if s.skip > 0 {
		s.emit = skipping(s)
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

// skipping drops the records of a split that were read before a checkpoint.
func skipping[T any](s *openSplit[T]) func(v *T) {
	left, next := s.skip, s.emit
	return func(v *T) {
		if left > 0 {
			left--
			return
		}
		next(v)
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
	if (!x.asking || x.waits) && !x.c.Batch {
		x.c.Forward(x.op, x.splits.Last())
	}
}

// status hands the status on when it has changed: a subtask is idle when all its splits are, or none is to be had.
func (x *splitSource[T, S]) status() {
	if x.spec.Time == nil {
		return
	}
	if idle := (len(x.open) > 0 || x.waits) && x.splits.Idle(); idle != x.idle {
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
	if !x.asked {
		x.asked = true
		x.ask()
	}
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
	case x.none && len(x.open) == 0 && len(x.restored) == 0:
		return End, nil
	}
	return Idle, nil
}

// ended closes a split and asks for another one.
func (x *splitSource[T, S]) ended(s *openSplit[T]) error {
	if x.spec.Time != nil {
		if s.gen != nil {
			s.gen.OnPeriodic(func(wm int64) { x.say(s, wm) })
		} else {
			x.seen = max(x.seen, s.progress.Watermark())
		}
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
	if x.later != nil {
		x.later()
	}
	var errs []error
	for _, s := range x.open {
		errs = append(errs, s.reader.Close())
	}
	return errors.Join(errs...)
}
