package checkpoint

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/weft-project/weft/checkpoint/manifest"
)

// Coordinator decides about the checkpoints of one job under one leader. It is used by one goroutine.
type Coordinator struct {
	s     Settings
	job   Job
	graph Graph
	epoch uint64
	next  int64

	members map[Task]Member
	running bool // all members run or have finished
	stopped *Completed

	pending   []*pending // by number
	completed []*Completed
	requests  []request

	due       time.Time // of the next periodic one
	lastEnd   time.Time
	failures  int // in a row
	inDoubt   bool
	publishes *pending
	waiting   map[Task]bool
	over      map[Task]bool // their output has ended: it carries no barrier any more
	aborted   []Ref         // the newest of those whose late acknowledgements bring garbage
	counts    Counts
	history   []Record
}

// Job is what manifests say of the job.
type Job struct{ ID, Name, Writer string }

// Completed is a checkpoint that is published.
type Completed struct {
	Ref
	Kind     Kind
	Manifest *manifest.Manifest
	// Foreign: it is what the job was started from, and lies elsewhere. It belongs to somebody else and is never deleted, unless it is
	// Claimed: then it goes when the job has a checkpoint of its own.
	Foreign, Claimed bool
	// Path is where it lies, for people.
	Path string
}

// New makes the coordinator of a leader's epoch. completed are the published checkpoints that were found, oldest first, after
// the store was fenced; next is a number that no checkpoint in the store has, published or not.
func New(s Settings, job Job, g Graph, epoch uint64, next int64, completed []*Completed) *Coordinator {
	c := &Coordinator{s: s, job: job, graph: g, epoch: epoch, next: next, completed: slices.Clone(completed), members: map[Task]Member{},
		waiting: map[Task]bool{}, over: map[Task]bool{}}
	if last := c.newest(); last != nil && last.Kind == Stop && !last.Foreign {
		c.stopped = last // the leader before has stopped the job
	}
	return c
}

// Run says that all tasks run, each in the attempt given, or have finished: at the start, after a restart of some, or when a new
// leader has adopted them. The caller keeps count of who has finished, also while the coordinator is halted. What was on its way
// before is void, and the newest published checkpoint is notified again: nobody knows who has heard of it (F5).
func (c *Coordinator) Run(members []Member, now time.Time) []Action {
	clear(c.members)
	clear(c.waiting)
	clear(c.over)
	for _, m := range members {
		c.members[m.Task] = m
	}
	c.running = len(c.members) == len(c.graph.Tasks())
	if c.s.Interval > 0 {
		c.due = now.Add(c.s.Interval)
	}
	out := []Action{Abandon{Before: Ref{c.epoch, c.next}, Tasks: c.live()}}
	if last := c.newest(); last != nil && !last.Foreign {
		out = append(out, Notify{Ref: last.Ref, Tasks: c.live(), Stop: c.stopped == last})
	}
	return append(out, c.step(now)...)
}

// Halt says that a task has failed or the job is being cancelled: everything on its way is aborted, but for a publication, whose
// outcome is waited for. Nothing is triggered until Run.
func (c *Coordinator) Halt(reason string, now time.Time) []Action {
	c.running = false
	var out []Action
	for _, p := range slices.Clone(c.pending) {
		if !p.publishing {
			out = append(out, c.abort(p, errors.New(reason), false, now)...)
		}
	}
	clear(c.members)
	clear(c.waiting)
	clear(c.over)
	for _, r := range c.requests {
		out = append(out, Answer{Request: r.ID, Err: fmt.Errorf("%s was not begun: %s", r.Kind, reason)})
	}
	c.requests = nil
	return out
}

// Tick says that time has passed.
func (c *Coordinator) Tick(now time.Time) []Action {
	var out []Action
	for _, p := range slices.Clone(c.pending) {
		if !p.publishing && !now.Before(p.deadline) {
			err := fmt.Errorf("it was not complete after %s: %s", c.s.Timeout, p.missing(&c.graph))
			out = append(out, c.abort(p, err, true, now)...)
		}
	}
	return append(out, c.step(now)...)
}

// Due is when Tick has something to do next, if nothing else happens.
func (c *Coordinator) Due() (time.Time, bool) {
	var at time.Time
	sooner := func(t time.Time) {
		if at.IsZero() || t.Before(at) {
			at = t
		}
	}
	for _, p := range c.pending {
		if !p.publishing {
			sooner(p.deadline)
		}
	}
	if c.mayTrigger() && c.s.Interval > 0 {
		sooner(c.periodicAt())
	}
	return at, !at.IsZero()
}

// Acknowledge takes a task's acknowledgement.
func (c *Coordinator) Acknowledge(a Ack, now time.Time) []Action {
	p := c.find(a.Ref)
	if p == nil || p.publishing {
		return c.late(a)
	}
	m, ok := p.expected[a.Task]
	if !ok || m.Attempt != a.Attempt { // F2
		return c.late(a)
	}
	if _, twice := p.acks[a.Task]; twice {
		return nil
	}
	p.acks[a.Task] = a
	p.lastAck = now
	return append(c.advance(p, now), c.step(now)...)
}

// late throws away what an acknowledgement brought that nobody waits for. It must be of a checkpoint that is known to have been aborted: one
// that comes twice is of a complete one, perhaps, and whatever else is left is found as garbage.
func (c *Coordinator) late(a Ack) []Action {
	if !slices.Contains(c.aborted, a.Ref) {
		return nil
	}
	needed := c.needed()
	files := slices.DeleteFunc(a.Files(), func(f string) bool { return needed[f] })
	if len(files) == 0 {
		return nil
	}
	return []Action{Discard{Ref: a.Ref, Files: files}}
}

// Decline takes a task's word that it cannot take part.
func (c *Coordinator) Decline(ref Ref, t Task, attempt int, reason error, now time.Time) []Action {
	p := c.find(ref)
	if p == nil || p.publishing || p.expected[t].Attempt != attempt {
		return nil
	}
	if _, expected := p.expected[t]; !expected {
		return nil
	}
	err := fmt.Errorf("%s declined it: %w", c.graph.name(t), reason)
	return append(c.abort(p, err, true, now), c.step(now)...)
}

// Finished says that a task has come to its end: it has committed what there was to commit, after its last snapshot.
func (c *Coordinator) Finished(t Task, attempt int, now time.Time) []Action {
	m, ok := c.members[t]
	if !ok || m.Attempt != attempt {
		return nil
	}
	m.Finished = true
	c.members[t] = m
	delete(c.waiting, t)
	var out []Action
	for _, p := range slices.Clone(c.pending) {
		if _, acked := p.acks[t]; acked || p.publishing {
			continue
		}
		if _, expected := p.expected[t]; expected {
			// The end of its channels counts as its barrier at its consumers, so the checkpoint holds all that it has sent.
			delete(p.expected, t)
			p.ended[t] = m
			if p.phase != coordinators {
				out = append(out, c.triggerRoots(p)...)
			}
			out = append(out, c.advance(p, now)...)
		}
	}
	if len(c.working()) == 0 {
		for _, p := range slices.Clone(c.pending) {
			if p.Kind == Periodic && !p.publishing {
				out = append(out, c.abort(p, errors.New("the job has come to its end"), false, now)...)
			}
		}
	}
	return append(out, c.step(now)...)
}

// Waiting says that a task has no input any more, has ended its output, and ends with the next checkpoint. When all that run do, it is
// triggered at once. Consumers that have no other producers hear of checkpoints from here now.
func (c *Coordinator) Waiting(t Task, attempt int, now time.Time) []Action {
	if m, ok := c.members[t]; !ok || m.Attempt != attempt || m.Finished {
		return nil
	}
	c.waiting[t], c.over[t] = true, true
	var out []Action
	for _, p := range c.pending {
		if p.phase != coordinators && !p.publishing {
			out = append(out, c.triggerRoots(p)...)
		}
	}
	return append(out, c.step(now)...)
}

// newest is the checkpoint that the job is restored from.
func (c *Coordinator) newest() *Completed {
	if len(c.completed) == 0 {
		return nil
	}
	return c.completed[len(c.completed)-1]
}

// RestorePoint is what a failed job starts again from; nil is its beginning. While a publication is under way, or its outcome is not
// known, ready is false: the caller waits for the next Published or Reopened.
func (c *Coordinator) RestorePoint() (point *Completed, ready bool) {
	if c.publishes != nil || c.inDoubt {
		return nil, false
	}
	return c.newest(), true
}

// Stopped is the savepoint of a stop that is complete. If tasks fail after that the job is not restarted: it has ended, and what was
// prepared is committed by whoever starts from the savepoint.
func (c *Coordinator) Stopped() *Completed { return c.stopped }

// live are the tasks that run, in order.
func (c *Coordinator) live() []Member {
	var out []Member
	for _, t := range c.graph.Tasks() {
		if m, ok := c.members[t]; ok && !m.Finished {
			out = append(out, m)
		}
	}
	return out
}

// working are the tasks that run, coordinator tasks left out: those go on until the others have ended.
func (c *Coordinator) working() []Member {
	return c.selected(func(m Member) bool { return !c.graph.Vertices[m.Vertex].Coordinator })
}

func (g *Graph) name(t Task) string {
	v := g.Vertices[t.Vertex]
	name := v.ID
	if len(v.Operators) > 0 {
		name = v.Operators[0].Name
	}
	return fmt.Sprintf("%s (%d/%d)", name, t.Subtask+1, v.Parallelism)
}
