package checkpoint

import (
	"errors"
	"fmt"
	"time"
)

// Request asks for a checkpoint by hand, a savepoint, or a stop.
type Request struct {
	// ID comes back in the Answer.
	ID   string
	Kind Kind
	// Drain: see Barrier. Stop only.
	Drain bool
	// Target is the URI of the directory that the savepoint gets: the caller has chosen and reserved it. Empty for checkpoints.
	Target string
}

type request = Request

// maxRequests bounds what waits; each is a person or a script.
const maxRequests = 1000

// ErrNotRunning: the request came while the job does not run.
var ErrNotRunning = errors.New("the job is not running: its tasks are being started, or have ended")

// Request asks for a checkpoint, savepoint or stop. It begins when fewer than the allowed number are on their way, before
// periodic ones and whatever min-pause says; its end is told by an Answer with its ID.
func (c *Coordinator) Request(r Request, now time.Time) ([]Action, error) {
	switch {
	case r.ID == "":
		return nil, errors.New("a request without an id")
	case (r.Kind == Periodic) != (r.Target == ""):
		return nil, fmt.Errorf("%s with target directory %q: a savepoint needs one and a checkpoint has none", r.Kind, r.Target)
	case r.Drain && r.Kind != Stop:
		return nil, fmt.Errorf("%s with drain: only a stop drains the job", r.Kind)
	case c.stopped != nil:
		return nil, fmt.Errorf("%s: the job was stopped with savepoint %s", r.Kind, c.stopped.Path)
	case !c.running:
		return nil, ErrNotRunning
	case len(c.requests) >= maxRequests:
		return nil, fmt.Errorf("%s: %d requests wait already", r.Kind, maxRequests)
	}
	for _, p := range c.pending {
		if p.Kind == Stop {
			return nil, fmt.Errorf("%s: the job is being stopped with a savepoint", r.Kind)
		}
	}
	for t, m := range c.members {
		if m.Finished && !c.s.AfterTasksFinish {
			return nil, fmt.Errorf("%s: %s has ended, and execution.checkpointing.checkpoints-after-tasks-finish is off", r.Kind, c.graph.name(t))
		}
	}
	if len(c.working()) == 0 {
		return nil, ErrNotRunning
	}
	c.requests = append(c.requests, r)
	return c.step(now), nil
}

// ended makes the record of a checkpoint's end.
func (c *Coordinator) ended(p *pending, now time.Time, err error) []Action {
	r := Record{Ref: p.Ref, Kind: p.Kind, Triggered: p.triggered, Ended: now, LastAck: p.lastAck,
		Tasks: len(p.expected), Acknowledged: len(p.acks), Path: p.path, Err: err,
		Acks: map[Task]TaskStats{}}
	for t, a := range p.acks {
		r.Acks[t] = a.Stats
		r.StateSize += a.Stats.StateSize
	}
	c.record(r)
	return []Action{Ended{r}}
}

// Record is what is known of a checkpoint that has ended or is on its way.
type Record struct {
	Ref
	Kind      Kind
	Triggered time.Time
	// Ended is zero while it is on its way. LastAck is when the last task acknowledged.
	Ended, LastAck      time.Time
	Tasks, Acknowledged int
	StateSize           int64
	Path                string
	// Err is why it failed.
	Err  error
	Acks map[Task]TaskStats
}

// Counts are the numbers of checkpoints since this leader began.
type Counts struct{ Triggered, Completed, Failed int }

// record keeps a record among the newest.
func (c *Coordinator) record(r Record) {
	limit := c.s.History
	if limit <= 0 {
		return
	}
	c.history = append(c.history, r)
	if len(c.history) > limit {
		c.history = append(c.history[:0:0], c.history[len(c.history)-limit:]...)
	}
}

// History gives the counts, the checkpoints on their way, and the newest that have ended, oldest first.
func (c *Coordinator) History() (counts Counts, pending, ended []Record) {
	for _, p := range c.pending {
		r := Record{Ref: p.Ref, Kind: p.Kind, Triggered: p.triggered, LastAck: p.lastAck, Tasks: len(p.expected), Acknowledged: len(p.acks), Acks: map[Task]TaskStats{}}
		for t, a := range p.acks {
			r.Acks[t] = a.Stats
			r.StateSize += a.Stats.StateSize
		}
		pending = append(pending, r)
	}
	return c.counts, pending, append([]Record(nil), c.history...)
}
