package window

import (
	"errors"

	"github.com/weft-project/weft/codec"
	"github.com/weft-project/weft/eventtime"
	"github.com/weft-project/weft/operator"
)

// Window is a span of time.
type Window = eventtime.Window

// Assigner says which windows a record falls into.
type Assigner struct {
	// Size and Slide of tumbling (equal) and sliding windows, which begin at Offset; in milliseconds.
	Size, Slide, Offset int64
	// Gap ends a session.
	Gap int64
	// Global: one window for everything.
	Global bool
	// Processing: by the clock instead of the records' timestamps.
	Processing bool
}

// Spec describes a windowed operator: A is what a window keeps for a key.
type Spec[K comparable, A any] struct {
	Assigner
	Key *codec.Key[K]
	// Acc is A's codec, for snapshots and copies.
	Acc *codec.Codec[A]
	// Merge joins other into acc; nil where that can not be done, then every window has accumulators of its own and there
	// are no sessions.
	Merge func(acc, other *A)
	// Trigger is nil for the assigner's own: once, when the window ends.
	Trigger Trigger
	// Lateness is how many milliseconds a window waits for late records.
	Lateness int64
	// Apart: every window keeps what is its own, although windows could share panes.
	Apart bool
	// Emitter gives the function that emits a window's result.
	Emitter func(c *operator.Context, op int, out any) (func(f *Fired[K], acc *A), error)
}

// Fired is what the emitting function knows besides the accumulator.
type Fired[K comparable] struct {
	Key    K
	Window Window
	// Watermark and Now are how far event time and processing time have come.
	Watermark, Now int64
}

// Input is how the records of one input go into the windows.
type Input[K comparable, T, A any] struct {
	Of func(T) K
	// Add makes, for one subtask, the function that puts a record into an accumulator, which is a zero value when fresh. It
	// copies what it keeps.
	Add func() func(acc *A, v *T, fresh bool)
	// AddAt, in the place of Add, is given the record's timestamp too; its windows are Apart.
	AddAt func() func(acc *A, v *T, at int64)
	// GapOf, where it is set, is the gap of sessions after each record, in milliseconds.
	GapOf func(v *T) int64
	// OnElement is the trigger's, or nil.
	OnElement func(v *T, at int64, w Window, c *TriggerContext) Result
	// Late receives records that came too late; nil drops them.
	Late string
}

// AnyInput is an Input of any T.
type AnyInput[K comparable, A any] interface {
	aligned(a *aligned[K, A]) (any, error)
	general(g *general[K, A]) (any, error)
	sorted(key *codec.Key[K]) operator.SortedInput
}

func (in Input[K, T, A]) sorted(key *codec.Key[K]) operator.SortedInput {
	return operator.ByKey(key, in.Of)
}

// errNoTime is the failure of windows of event time over records that have none.
var errNoTime = errors.New("the record has no timestamp: event-time windows need one; use stream.AssignTimestamps before the window")

// errGap is the failure of sessions that end before they begin.
var errGap = errors.New("the gap of a session after a record is not positive: expected 1 ms or more")

// Factory makes the operator.
func Factory[K comparable, A any](s Spec[K, A], inputs ...AnyInput[K, A]) operator.Factory {
	var keyed []operator.SortedInput
	for _, in := range inputs {
		keyed = append(keyed, in.sorted(s.Key))
	}
	return operator.Sorted(unsorted(s, inputs...), keyed...)
}

// unsorted is Factory without sorting in BATCH mode.
func unsorted[K comparable, A any](s Spec[K, A], inputs ...AnyInput[K, A]) operator.Factory {
	return func(c *operator.Context, op int, out any) (operator.Instance, error) {
		fire, err := s.Emitter(c, op, out)
		if err != nil {
			return operator.Instance{}, err
		}
		c.WantsNow = true
		if s.panes() {
			a, err := newAligned(s, c, op, fire)
			if err != nil {
				return operator.Instance{}, err
			}
			inst := operator.Instance{Operator: a}
			for _, in := range inputs {
				emit, err := in.aligned(a)
				if err != nil {
					return inst, err
				}
				inst.Inputs = append(inst.Inputs, emit)
			}
			return inst, nil
		}
		g, err := newGeneral(s, c, op, fire)
		if err != nil {
			return operator.Instance{}, err
		}
		inst := operator.Instance{Operator: g}
		for _, in := range inputs {
			emit, err := in.general(g)
			if err != nil {
				return inst, err
			}
			inst.Inputs = append(inst.Inputs, emit)
		}
		return inst, nil
	}
}

// panes tells whether windows can share panes and fire all keys at once.
func (s *Spec[K, A]) panes() bool {
	return s.Size > 0 && s.Trigger == nil && !s.Apart && (s.Slide >= s.Size || s.Merge != nil)
}

// copier gives the function that makes *dst a copy of *src that shares nothing with it.
func (s *Spec[K, A]) copier() func(dst, src *A) {
	clone := s.Acc.Cloner()
	if clone == nil {
		return func(dst, src *A) { *dst = *src }
	}
	return func(dst, src *A) {
		*dst = *src
		clone(dst)
	}
}
