package window

import "github.com/weft-project/weft/eventtime"

// Result is what a trigger decides.
type Result int

// The results.
const (
	// Continue: nothing happens.
	Continue Result = 0
	// Fire emits the window's result and keeps its content.
	Fire Result = 1
	// Purge drops the content without emitting.
	Purge Result = 2
	// FireAndPurge does both.
	FireAndPurge = Fire | Purge
)

// Trigger decides when a window's result is emitted. Calls are about one key and window; what it has to remember is in the
// context's State.
type Trigger interface {
	OnElement(at int64, w Window, c *TriggerContext) Result
	OnEventTime(at int64, w Window, c *TriggerContext) Result
	OnProcessingTime(at int64, w Window, c *TriggerContext) Result
	// Merged is called after windows, and their states, were joined into w. It sets the timers of the new window.
	Merged(w Window, c *TriggerContext)
}

// TriggerState is what a trigger remembers of a window. When windows are joined, counts are added up, the earlier Next counts.
type TriggerState struct{ Count, Next int64 }

// TriggerContext is what a trigger may do.
type TriggerContext struct {
	// State of the window.
	State *TriggerState
	// Watermark and Now are how far event time and processing time have come.
	Watermark, Now int64
	set            func(at int64, processing, del bool)
}

// SetTimer asks for OnEventTime at a time.
func (c *TriggerContext) SetTimer(at int64) { c.set(at, false, false) }

// DeleteTimer takes it back.
func (c *TriggerContext) DeleteTimer(at int64) { c.set(at, false, true) }

// SetProcessingTimer asks for OnProcessingTime at a time.
func (c *TriggerContext) SetProcessingTimer(at int64) { c.set(at, true, false) }

// DeleteProcessingTimer takes it back.
func (c *TriggerContext) DeleteProcessingTimer(at int64) { c.set(at, true, true) }

// Quiet is a Trigger that does nothing; others embed it.
type Quiet struct{}

// OnElement is Trigger's.
func (Quiet) OnElement(int64, Window, *TriggerContext) Result { return Continue }

// OnEventTime is Trigger's.
func (Quiet) OnEventTime(int64, Window, *TriggerContext) Result { return Continue }

// OnProcessingTime is Trigger's.
func (Quiet) OnProcessingTime(int64, Window, *TriggerContext) Result { return Continue }

// Merged is Trigger's.
func (Quiet) Merged(Window, *TriggerContext) {}

// EventTimeTrigger fires when the watermark passes the end of the window, and then for each late record.
type EventTimeTrigger struct{ Quiet }

// OnElement is Trigger's.
func (EventTimeTrigger) OnElement(_ int64, w Window, c *TriggerContext) Result {
	if w.MaxTimestamp() <= c.Watermark {
		return Fire
	}
	c.SetTimer(w.MaxTimestamp())
	return Continue
}

// OnEventTime is Trigger's.
func (EventTimeTrigger) OnEventTime(at int64, w Window, _ *TriggerContext) Result {
	if at == w.MaxTimestamp() {
		return Fire
	}
	return Continue
}

// Merged is Trigger's.
func (EventTimeTrigger) Merged(w Window, c *TriggerContext) {
	if w.MaxTimestamp() > c.Watermark {
		c.SetTimer(w.MaxTimestamp())
	}
}

// ProcessingTimeTrigger fires when the clock passes the end of the window.
type ProcessingTimeTrigger struct{ Quiet }

// OnElement is Trigger's.
func (ProcessingTimeTrigger) OnElement(_ int64, w Window, c *TriggerContext) Result {
	c.SetProcessingTimer(w.MaxTimestamp())
	return Continue
}

// OnProcessingTime is Trigger's.
func (ProcessingTimeTrigger) OnProcessingTime(at int64, w Window, _ *TriggerContext) Result {
	if at == w.MaxTimestamp() {
		return Fire
	}
	return Continue
}

// Merged is Trigger's.
func (ProcessingTimeTrigger) Merged(w Window, c *TriggerContext) {
	c.SetProcessingTimer(w.MaxTimestamp())
}

// CountTrigger fires for every N records.
type CountTrigger struct {
	Quiet
	N int64
}

// OnElement is Trigger's.
func (t CountTrigger) OnElement(_ int64, _ Window, c *TriggerContext) Result {
	c.State.Count++
	return t.check(c)
}

func (t CountTrigger) check(c *TriggerContext) Result {
	if c.State.Count < t.N {
		return Continue
	}
	c.State.Count = 0
	return Fire
}

// ContinuousEventTimeTrigger fires whenever event time has gone on by Every milliseconds, and at the end of the window. Where
// event time jumps it fires once: nothing has come in between, and the end of a stream is as far as a jump can be.
type ContinuousEventTimeTrigger struct {
	Quiet
	Every int64
}

// OnElement is Trigger's.
func (t ContinuousEventTimeTrigger) OnElement(at int64, w Window, c *TriggerContext) Result {
	if w.MaxTimestamp() <= c.Watermark {
		return Fire
	}
	c.SetTimer(w.MaxTimestamp())
	if c.State.Next == 0 {
		t.next(eventtime.Slot(at, t.Every, 0), w, c)
	}
	return Continue
}

func (t ContinuousEventTimeTrigger) next(at int64, w Window, c *TriggerContext) {
	c.State.Next = min(eventtime.After(at, t.Every), w.MaxTimestamp())
	c.SetTimer(c.State.Next)
}

// OnEventTime is Trigger's.
func (t ContinuousEventTimeTrigger) OnEventTime(at int64, w Window, c *TriggerContext) Result {
	if at == w.MaxTimestamp() {
		return Fire
	}
	if at == c.State.Next {
		t.next(eventtime.Slot(max(at, c.Watermark), t.Every, 0), w, c)
		return Fire
	}
	return Continue
}

// Merged is Trigger's.
func (t ContinuousEventTimeTrigger) Merged(w Window, c *TriggerContext) {
	if w.MaxTimestamp() > c.Watermark {
		c.SetTimer(w.MaxTimestamp())
	}
	if c.State.Next != 0 {
		c.SetTimer(c.State.Next)
	}
}

// ContinuousProcessingTimeTrigger fires every so many milliseconds of the clock, once where the clock jumps.
type ContinuousProcessingTimeTrigger struct {
	Quiet
	Every int64
}

// OnElement is Trigger's.
func (t ContinuousProcessingTimeTrigger) OnElement(_ int64, w Window, c *TriggerContext) Result {
	if c.State.Next == 0 {
		t.next(eventtime.Slot(c.Now, t.Every, 0), w, c)
	}
	return Continue
}

func (t ContinuousProcessingTimeTrigger) next(at int64, w Window, c *TriggerContext) {
	c.State.Next = min(eventtime.After(at, t.Every), w.MaxTimestamp())
	c.SetProcessingTimer(c.State.Next)
}

// OnProcessingTime is Trigger's.
func (t ContinuousProcessingTimeTrigger) OnProcessingTime(at int64, w Window, c *TriggerContext) Result {
	if at != c.State.Next {
		return Continue
	}
	if at < w.MaxTimestamp() {
		t.next(eventtime.Slot(max(at, c.Now), t.Every, 0), w, c)
	}
	return Fire
}

// Merged is Trigger's.
func (t ContinuousProcessingTimeTrigger) Merged(_ Window, c *TriggerContext) {
	if c.State.Next != 0 {
		c.SetProcessingTimer(c.State.Next)
	}
}

// PurgingTrigger drops the content whenever Inner fires.
type PurgingTrigger struct{ Inner Trigger }

func purged(r Result) Result {
	if r&Fire != 0 {
		return FireAndPurge
	}
	return r
}

// OnElement is Trigger's.
func (t PurgingTrigger) OnElement(at int64, w Window, c *TriggerContext) Result {
	return purged(t.Inner.OnElement(at, w, c))
}

// OnEventTime is Trigger's.
func (t PurgingTrigger) OnEventTime(at int64, w Window, c *TriggerContext) Result {
	return purged(t.Inner.OnEventTime(at, w, c))
}

// OnProcessingTime is Trigger's.
func (t PurgingTrigger) OnProcessingTime(at int64, w Window, c *TriggerContext) Result {
	return purged(t.Inner.OnProcessingTime(at, w, c))
}

// Merged is Trigger's.
func (t PurgingTrigger) Merged(w Window, c *TriggerContext) { t.Inner.Merged(w, c) }
