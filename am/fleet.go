package am

import (
	"fmt"
	"slices"
	"time"

	"github.com/weft-project/weft/yarnrpc"
)

// fleet is the core of the driver: the TaskManagers' containers and how many more are to be asked for. It is pure: no I/O, no
// clock, no locks.
//
// Invariants: asked + alive (starting or running, not being released) never exceeds required by more than what was asked before
// required fell and cannot be taken back; a container is lost exactly once.
type fleet struct {
	required int
	// asked are requests that have not been answered, by request.
	asked map[yarnrpc.RequestID]int
	tms   map[yarnrpc.ContainerID]*taskManager
	// failures counts containers in a row that ended before they had run for steadyAfter.
	failures int
	// retryAt is before when nothing new is asked for, after failures; pause is the longest pause.
	retryAt time.Time
	pause   time.Duration
}

type taskManager struct {
	container yarnrpc.Container
	since     time.Time
	releasing bool
	// leaving tells that the JobManager was told to give it no more work.
	leaving bool
}

const (
	// steadyAfter is how long a TaskManager runs before its end is no longer held against new ones.
	steadyAfter = 20 * time.Second
	// maxFailures in a row fail what waits for slots.
	maxFailures = 5
	firstRetry  = 100 * time.Millisecond
)

func newFleet(pause time.Duration) *fleet {
	return &fleet{pause: pause, asked: map[yarnrpc.RequestID]int{}, tms: map[yarnrpc.ContainerID]*taskManager{}}
}

// alive counts containers that are not being released.
func (f *fleet) alive() int {
	n := 0
	for _, t := range f.tms {
		if !t.releasing {
			n++
		}
	}
	return n
}

// outstanding counts what was asked for and has not come.
func (f *fleet) outstanding() int {
	n := 0
	for _, k := range f.asked {
		n += k
	}
	return n
}

// missing is how many containers to ask for now; negative, how many requests to take back.
func (f *fleet) missing(now time.Time) int {
	n := f.required - f.alive() - f.outstanding()
	if n > 0 && now.Before(f.retryAt) {
		return 0
	}
	return n
}

// requested notes a new request.
func (f *fleet) requested(id yarnrpc.RequestID, n int) { f.asked[id] += n }

// toCancel chooses requests to take n back of, the newest first.
func (f *fleet) toCancel(n int) map[yarnrpc.RequestID]int {
	ids := make([]yarnrpc.RequestID, 0, len(f.asked))
	for id := range f.asked {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	slices.Reverse(ids)
	out := map[yarnrpc.RequestID]int{}
	for _, id := range ids {
		if k := min(n, f.asked[id]); k > 0 {
			out[id] = k
			n -= k
		}
	}
	return out
}

// cancelled notes that n of a request have been taken back.
func (f *fleet) cancelled(id yarnrpc.RequestID, n int) {
	if f.asked[id] -= n; f.asked[id] <= 0 {
		delete(f.asked, id)
	}
}

// allocated notes a container that has come.
func (f *fleet) allocated(c yarnrpc.Container, now time.Time) {
	id := c.Request
	if _, ok := f.asked[id]; !ok {
		// A scheduler that does not say which request it answers: the oldest one.
		for k := range f.asked {
			if _, known := f.asked[id]; !known || k < id {
				id = k
			}
		}
	}
	f.cancelled(id, 1)
	f.tms[c.ID] = &taskManager{container: c, since: now}
}

// release notes that a container is given back; false when it is not known.
func (f *fleet) release(id yarnrpc.ContainerID) bool {
	t := f.tms[id]
	if t == nil || t.releasing {
		return false
	}
	t.releasing = true
	return true
}

// ending is what the end of a container means.
type ending struct {
	container yarnrpc.Container
	// released: it was given back; early: it ended soon after its start.
	released, early bool
	// giveUp is a sentence when so many have failed in a row that asking for more makes no sense for now.
	giveUp string
}

// ended notes that a container has ended; nil for one that was never ours or has ended before. An end that is nobody's fault
// does not count as a failure.
func (f *fleet) ended(id yarnrpc.ContainerID, now time.Time, fault bool, reason string) *ending {
	t := f.tms[id]
	if t == nil {
		return nil
	}
	delete(f.tms, id)
	e := &ending{container: t.container, released: t.releasing, early: now.Sub(t.since) < steadyAfter}
	switch {
	case t.releasing || !fault:
	case !e.early:
		f.failures, f.retryAt = 0, time.Time{}
	default:
		f.failures++
		f.retryAt = now.Add(min(f.pause, firstRetry<<min(f.failures-1, 10)))
		if f.failures >= maxFailures {
			e.giveUp = fmt.Sprintf("%d TaskManagers in a row ended soon after their start, the last because %s", f.failures, reason)
			f.failures = 0
		}
	}
	return e
}

// steady notes that TaskManagers work, so that earlier failures no longer count. It gives the containers that work.
func (f *fleet) steady(now time.Time) (well []yarnrpc.Container) {
	for _, t := range f.tms {
		if now.Sub(t.since) >= steadyAfter {
			f.failures = 0
			well = append(well, t.container)
		}
	}
	return well
}

// leaving gives the containers that are to get no more work, or are to get some again, and were not told so yet.
func (f *fleet) leaving(leave func(yarnrpc.Container) bool) (gone, back []yarnrpc.ContainerID) {
	for id, t := range f.tms {
		if t.releasing {
			continue
		}
		switch is := leave(t.container); {
		case is && !t.leaving:
			gone = append(gone, id)
		case !is && t.leaving:
			back = append(back, id)
		default:
			continue
		}
		t.leaving = !t.leaving
	}
	return gone, back
}
