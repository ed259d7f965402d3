package align

import (
	"github.com/weft-project/weft/checkpoint"
)

// Aligner is the state of one task's inputs. It is used by the task's goroutine alone.
type Aligner struct {
	mode checkpoint.Mode
	// ended and blocked by channel.
	ended, blocked []bool
	live           int
	// under are the checkpoints of which a barrier has come and no snapshot was taken yet, in order. With ExactlyOnce one at most.
	under []*alignment
	// done is the newest ref that was begun with a snapshot or passed over: nothing up to it is taken any more.
	done checkpoint.Ref
	// cancelled are refs beyond done that were given up.
	cancelled map[checkpoint.Ref]bool
	// wanted was triggered while ends of channels were still on their way.
	wanted *checkpoint.Barrier
}

type alignment struct {
	barrier checkpoint.Barrier
	arrived []bool
	n       int
}

// Step is what the task does next.
type Step struct {
	// Passed are checkpoints that this task will take no snapshot for: it tells the coordinator, and sends no barrier on.
	Passed []checkpoint.Ref
	// Snapshot is the barrier to take a snapshot for and to send on; nil for none.
	Snapshot *checkpoint.Barrier
	// Unblocked: channels that were held back may be read again.
	Unblocked bool
}

// New makes it for a task with so many input channels; 0 for a source, whose barriers come by Trigger.
func New(channels int, mode checkpoint.Mode) *Aligner {
	return &Aligner{mode: mode, ended: make([]bool, channels), blocked: make([]bool, channels), live: channels, cancelled: map[checkpoint.Ref]bool{}}
}

// Blocked tells that nothing is read from a channel for now.
func (a *Aligner) Blocked(channel int) bool { return a.blocked[channel] }

// Aligning tells that barriers of some checkpoint have come at some channels.
func (a *Aligner) Aligning() bool { return len(a.under) > 0 }

// Barrier takes a barrier that has come at a channel.
func (a *Aligner) Barrier(channel int, b checkpoint.Barrier) Step {
	if a.ended[channel] || a.late(b.Ref) {
		return Step{}
	}
	var s Step
	if a.mode == checkpoint.ExactlyOnce {
		// An older one cannot complete any more: this channel's barrier of it has been given up on the way.
		s = a.passBefore(b.Ref)
	}
	al := a.at(b)
	if al.arrived[channel] {
		return s
	}
	al.arrived[channel] = true
	al.n++
	if a.mode == checkpoint.ExactlyOnce {
		a.blocked[channel] = true
	}
	return a.try(s)
}

// Trigger takes the coordinator's own word: for a source, and for a task whose producers have all ended. Where their ends are still
// to come, the snapshot is taken after the last of them.
func (a *Aligner) Trigger(b checkpoint.Barrier) Step {
	if a.late(b.Ref) {
		return Step{}
	}
	if a.live > 0 {
		a.wanted = &b
		return Step{}
	}
	s := a.passBefore(b.Ref)
	a.take(b.Ref)
	s.Snapshot = &b
	return s
}

// End takes the end of a channel: no barrier comes by it any more, and none is waited for.
func (a *Aligner) End(channel int) Step {
	if a.ended[channel] {
		return Step{}
	}
	a.ended[channel] = true
	a.live--
	for _, al := range a.under {
		if al.arrived[channel] {
			al.arrived[channel] = false
			al.n--
		}
	}
	s := a.try(Step{})
	if w := a.wanted; w != nil && a.live == 0 && !a.late(w.Ref) {
		a.wanted = nil
		if s.Snapshot != nil { // one step, one snapshot: this one is given up
			s.Passed = append(s.Passed, w.Ref)
			return s
		}
		t := a.Trigger(*w)
		t.Passed, t.Unblocked = append(s.Passed, t.Passed...), s.Unblocked || t.Unblocked
		return t
	}
	return s
}

// Cancel takes the coordinator's word that a checkpoint was given up.
func (a *Aligner) Cancel(ref checkpoint.Ref) Step {
	if a.late(ref) {
		return Step{}
	}
	a.cancelled[ref] = true
	for i, al := range a.under {
		if al.barrier.Ref == ref {
			a.under = append(a.under[:i], a.under[i+1:]...)
			return a.unblock(Step{Passed: []checkpoint.Ref{ref}})
		}
	}
	return Step{}
}

// Abandon takes the coordinator's word that nothing before ref will complete.
func (a *Aligner) Abandon(before checkpoint.Ref) Step {
	before.ID--
	if a.late(before) {
		return Step{}
	}
	s := a.passBefore(checkpoint.Ref{Epoch: before.Epoch, ID: before.ID + 1})
	a.take(before)
	return s
}

func (a *Aligner) late(ref checkpoint.Ref) bool { return ref.Compare(a.done) <= 0 || a.cancelled[ref] }

// at finds or begins an alignment, in order of refs.
func (a *Aligner) at(b checkpoint.Barrier) *alignment {
	i := 0
	for ; i < len(a.under); i++ {
		switch c := a.under[i].barrier.Compare(b.Ref); {
		case c == 0:
			return a.under[i]
		case c > 0:
			return a.insert(i, b)
		}
	}
	return a.insert(i, b)
}

func (a *Aligner) insert(i int, b checkpoint.Barrier) *alignment {
	al := &alignment{barrier: b, arrived: make([]bool, len(a.ended))}
	a.under = append(a.under[:i], append([]*alignment{al}, a.under[i:]...)...)
	return al
}

// passBefore gives up what is older than ref.
func (a *Aligner) passBefore(ref checkpoint.Ref) Step {
	var s Step
	for len(a.under) > 0 && a.under[0].barrier.Compare(ref) < 0 {
		s.Passed = append(s.Passed, a.under[0].barrier.Ref)
		a.under = a.under[1:]
	}
	if len(s.Passed) > 0 {
		return a.unblock(s)
	}
	return s
}

// try takes the newest snapshot of which all barriers have come.
func (a *Aligner) try(s Step) Step {
	for i := len(a.under) - 1; i >= 0; i-- {
		al := a.under[i]
		if al.n < a.live || al.n == 0 && a.live > 0 {
			continue
		}
		for _, older := range a.under[:i] {
			s.Passed = append(s.Passed, older.barrier.Ref)
		}
		a.under = a.under[i+1:]
		a.take(al.barrier.Ref)
		s.Snapshot = &al.barrier
		return a.unblock(s)
	}
	return s
}

// take notes that nothing up to ref is taken any more.
func (a *Aligner) take(ref checkpoint.Ref) {
	a.done = ref
	for c := range a.cancelled {
		if c.Compare(ref) <= 0 {
			delete(a.cancelled, c)
		}
	}
}

// unblock lets all channels go on but those that another alignment holds back.
func (a *Aligner) unblock(s Step) Step {
	if a.mode != checkpoint.ExactlyOnce {
		return s
	}
	for ch := range a.blocked {
		hold := false
		for _, al := range a.under {
			hold = hold || al.arrived[ch]
		}
		if a.blocked[ch] && !hold {
			a.blocked[ch] = false
			s.Unblocked = true
		}
	}
	return s
}
