package checkpoint

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/weft-project/weft/checkpoint/manifest"
)

// pending is a checkpoint on its way.
type pending struct {
	Barrier
	request   string // Request.ID; empty for periodic ones
	triggered time.Time
	deadline  time.Time
	lastAck   time.Time
	// expected are the tasks that acknowledge; ended those that had finished before.
	expected map[Task]Member
	ended    map[Task]Member
	acks     map[Task]Ack
	told     map[Task]bool // roots that were triggered
	last     []Task        // tasks that waited for it as their last one
	phase    phase
	// publishing: the storage is being asked; nothing aborts it any more.
	publishing bool
	path       string
}

// phase is how far the trigger has come.
type phase uint8

const (
	coordinators phase = iota // coordinator tasks take their snapshots
	sources                   // the barrier is at the sources
	flowing                   // the sources have acknowledged, coordinators go on
)

// mayTrigger: tasks run, the job is not being stopped, nothing is in doubt.
func (c *Coordinator) mayTrigger() bool {
	if !c.running || c.inDoubt || c.stopped != nil {
		return false
	}
	for _, m := range c.members {
		if m.Finished && !c.s.AfterTasksFinish {
			return false
		}
	}
	for _, p := range c.pending {
		if p.Kind == Stop {
			return false
		}
	}
	return len(c.working()) > 0
}

// periodicAt is when the next periodic checkpoint may be begun.
func (c *Coordinator) periodicAt() time.Time {
	if earliest := c.lastEnd.Add(c.s.MinPause); c.s.MinPause > 0 && !c.lastEnd.IsZero() && earliest.After(c.due) {
		return earliest
	}
	return c.due
}

// allWait: every task that works waits for its last checkpoint.
func (c *Coordinator) allWait() bool {
	if len(c.waiting) == 0 || len(c.pending) > 0 {
		return false
	}
	return !slices.ContainsFunc(c.working(), func(m Member) bool { return !c.waiting[m.Task] })
}

// step begins what can be begun: requests first.
func (c *Coordinator) step(now time.Time) []Action {
	var out []Action
	for c.mayTrigger() && len(c.pending) < c.s.concurrent() {
		switch {
		case len(c.requests) > 0:
			r := c.requests[0]
			c.requests = c.requests[1:]
			out = append(out, c.begin(r, now)...)
		case c.s.Interval > 0 && (c.allWait() || !now.Before(c.periodicAt())):
			c.due = now.Add(c.s.Interval)
			out = append(out, c.begin(request{}, now)...)
		default:
			return out
		}
	}
	return out
}

// begin starts a checkpoint.
func (c *Coordinator) begin(r request, now time.Time) []Action {
	p := &pending{Barrier: Barrier{Ref: Ref{c.epoch, c.next}, Kind: r.Kind, Drain: r.Drain, Canonical: r.Kind != Periodic, Target: r.Target},
		request: r.ID, triggered: now, deadline: now.Add(c.s.Timeout), expected: map[Task]Member{}, ended: map[Task]Member{}, acks: map[Task]Ack{}, told: map[Task]bool{}}
	c.next++
	for t := range c.waiting {
		p.last = append(p.last, t)
	}
	for t, m := range c.members {
		if m.Finished {
			p.ended[t] = m
		} else {
			p.expected[t] = m
		}
	}
	c.pending = append(c.pending, p)
	c.counts.Triggered++
	first := c.selected(func(m Member) bool { return c.graph.Vertices[m.Vertex].Coordinator })
	if len(first) > 0 {
		return []Action{Trigger{p.Barrier, first}}
	}
	return c.advance(p, now)
}

// selected are the tasks that run and of which f is true.
func (c *Coordinator) selected(f func(Member) bool) []Member {
	return slices.DeleteFunc(c.live(), func(m Member) bool { return !f(m) })
}

// roots are the tasks that are told of a barrier, since none comes by their inputs: sources, and tasks whose producers have all ended.
func (c *Coordinator) roots() []Member {
	return c.selected(func(m Member) bool {
		if c.graph.Vertices[m.Vertex].Coordinator {
			return false
		}
		for _, e := range c.graph.Edges {
			if e.To != m.Vertex {
				continue
			}
			from, end := c.graph.producers(e, m.Subtask)
			for s := from; s < end; s++ {
				if p := (Task{e.From, s}); !c.members[p].Finished && !c.over[p] {
					return false
				}
			}
		}
		return true
	})
}

// triggerRoots tells the roots: those at the beginning, and tasks that have become roots since. Theirs may have a barrier already; a task
// that hears of a checkpoint twice takes no notice.
func (c *Coordinator) triggerRoots(p *pending) []Action {
	roots := slices.DeleteFunc(c.roots(), func(m Member) bool {
		_, acked := p.acks[m.Task]
		return acked || p.told[m.Task]
	})
	if len(roots) == 0 {
		return nil
	}
	for _, m := range roots {
		p.told[m.Task] = true
	}
	return []Action{Trigger{p.Barrier, roots}}
}

// advance takes a checkpoint as far as its acknowledgements allow.
func (c *Coordinator) advance(p *pending, now time.Time) []Action {
	var out []Action
	acked := func(group []Member) bool {
		for _, m := range group {
			if _, ok := p.acks[m.Task]; !ok {
				return false
			}
		}
		return true
	}
	first := c.selected(func(m Member) bool { return c.graph.Vertices[m.Vertex].Coordinator })
	if p.phase == coordinators && acked(first) {
		p.phase = sources
		out = append(out, c.triggerRoots(p)...)
	}
	if p.phase == sources && acked(c.roots()) {
		p.phase = flowing
		if len(first) > 0 {
			out = append(out, Resume{p.Ref, first})
		}
	}
	return append(out, c.publish(now)...)
}

// publish publishes the oldest complete checkpoint, unless one is being published.
func (c *Coordinator) publish(now time.Time) []Action {
	if c.publishes != nil || c.inDoubt {
		return nil
	}
	for i, p := range c.pending {
		if len(p.acks) != len(p.expected) {
			continue
		}
		var out []Action
		// Older ones would be of no use any more. Savepoints are somebody's, and wait.
		for _, older := range slices.Clone(c.pending[:i]) {
			if older.Kind == Periodic && p.Kind != Savepoint {
				out = append(out, c.abort(older, fmt.Errorf("checkpoint %d is complete", p.ID), false, now)...)
			}
		}
		p.publishing, c.publishes = true, p
		return append(out, Publish{Ref: p.Ref, Kind: p.Kind, Manifest: c.assemble(p), Target: p.Target})
	}
	return nil
}

// assemble makes the manifest of what was acknowledged.
func (c *Coordinator) assemble(p *pending) *manifest.Manifest {
	m := &manifest.Manifest{Kind: manifest.Checkpoint, Job: c.job.ID, JobName: c.job.Name, Writer: c.job.Writer, ID: p.ID, Epoch: p.Epoch,
		Triggered: p.triggered.UnixMilli()}
	if p.Kind != Periodic {
		m.Kind = manifest.Savepoint
	}
	if p.Kind == Stop {
		m.Base = p.Target // the checkpoint refers to the savepoint's files
	}
	for v := range c.graph.Vertices {
		vertex := &c.graph.Vertices[v]
		for _, o := range vertex.Operators {
			op := manifest.Operator{ID: o.ID, UID: o.UID, Name: o.Name, Vertex: vertex.ID, Parallelism: vertex.Parallelism, MaxParallelism: vertex.MaxParallelism}
			for s := range vertex.Parallelism {
				c.contribute(&op, p, Task{v, s})
			}
			m.Operators = append(m.Operators, op)
		}
		if vertex.Coordinator {
			// The coordinator task stores parts of other vertices' operators.
			for s := range vertex.Parallelism {
				ack := p.acks[Task{v, s}]
				m.Operators = append(m.Operators, foreign(vertex, ack.Operators)...)
			}
		}
	}
	m.Operators = merge(m.Operators)
	return m
}

// contribute adds what one subtask has stored for an operator.
func (c *Coordinator) contribute(op *manifest.Operator, p *pending, t Task) {
	ack, ok := p.acks[t]
	if !ok {
		op.Subtasks = append(op.Subtasks, manifest.Subtask{Index: t.Subtask, Finished: true})
		return
	}
	sub := manifest.Subtask{Index: t.Subtask}
	for i := range ack.Operators {
		if have := &ack.Operators[i]; have.ID == op.ID {
			for _, s := range have.Subtasks {
				sub.Keyed, sub.Lists = append(sub.Keyed, s.Keyed...), append(sub.Lists, s.Lists...)
			}
			if len(op.States) < len(have.States) {
				op.States = have.States
			}
			if have.Coordinator != nil {
				op.Coordinator = have.Coordinator
			}
		}
	}
	op.Subtasks = append(op.Subtasks, sub)
}

// foreign are the operators in an acknowledgement of the coordinator task that are not its vertex's own.
func foreign(vertex *Vertex, ops []manifest.Operator) []manifest.Operator {
	var out []manifest.Operator
	for _, o := range ops {
		if !slices.ContainsFunc(vertex.Operators, func(own Operator) bool { return own.ID == o.ID }) && o.Coordinator != nil {
			out = append(out, o)
		}
	}
	return out
}

// merge gives each operator the coordinator's part that was stored under its id elsewhere.
func merge(ops []manifest.Operator) []manifest.Operator {
	at := map[string]int{}
	var out []manifest.Operator
	for _, o := range ops {
		i, ok := at[o.ID]
		switch {
		case !ok:
			at[o.ID] = len(out)
			out = append(out, o)
		case o.Coordinator != nil:
			out[i].Coordinator = o.Coordinator
			if len(out[i].Subtasks) == 0 { // the coordinator's part came first
				o.Coordinator, out[i] = out[i].Coordinator, o
			}
		case out[i].Coordinator != nil && len(out[i].Subtasks) == 0:
			o.Coordinator = out[i].Coordinator
			out[i] = o
		}
	}
	return out
}

// abort gives a checkpoint up. counts: it is one of the failures that are tolerated only so often.
func (c *Coordinator) abort(p *pending, reason error, counts bool, now time.Time) []Action {
	c.remove(p)
	if c.lastEnd = now; p.Kind == Periodic {
		c.aborted = append(c.aborted[max(0, len(c.aborted)-maxAborted+1):], p.Ref)
	}
	c.counts.Failed++
	out := []Action{NotifyAborted{Ref: p.Ref, Tasks: c.live(), Continue: p.Kind == Stop && !p.Drain}}
	if p.phase != flowing {
		if first := c.selected(func(m Member) bool { return c.graph.Vertices[m.Vertex].Coordinator }); len(first) > 0 {
			out = append(out, Resume{p.Ref, first})
		}
	}
	if files := c.discardable(p); len(files) > 0 || p.Target != "" {
		out = append(out, Discard{Ref: p.Ref, Target: p.Target, Files: files})
	}
	out = append(out, c.ended(p, now, reason)...)
	if p.request != "" {
		out = append(out, Answer{Request: p.request, Ref: p.Ref, Err: fmt.Errorf("%s %d failed: %w", p.Kind, p.ID, reason)})
	}
	switch {
	case p.Kind == Stop && p.Drain && c.running:
		// Event time has ended in the sources: there is no way on but from the checkpoint before.
		c.running = false
		out = append(out, Fail{Reason: fmt.Sprintf("the job was being drained, and its savepoint failed: %v", reason)})
	case counts && p.Kind == Periodic:
		if c.failures++; c.failures > c.s.TolerableFailures && c.running {
			c.failures, c.running = 0, false
			out = append(out, Fail{Reason: fmt.Sprintf("checkpoint %d failed (%s %d in a row): %v", p.ID, TolerableKey, c.s.TolerableFailures, reason)})
		}
	}
	return out
}

// maxAborted is how many aborted checkpoints are remembered: more than may be on their way at a time.
const maxAborted = 64

// TolerableKey names the option that bounds failures, for people.
const TolerableKey = "execution.checkpointing.tolerable-failed-checkpoints allows"

// discardable are the files of a checkpoint's acknowledgements that nothing else needs.
func (c *Coordinator) discardable(p *pending) []string {
	needed := c.needed()
	var files []string
	for _, a := range p.acks {
		for _, f := range a.Files() {
			if !needed[f] {
				files = append(files, f)
			}
		}
	}
	slices.Sort(files)
	return slices.Compact(files)
}

func (c *Coordinator) find(ref Ref) *pending {
	for _, p := range c.pending {
		if p.Ref == ref {
			return p
		}
	}
	return nil
}

func (c *Coordinator) remove(p *pending) {
	c.pending = slices.DeleteFunc(c.pending, func(q *pending) bool { return q == p })
	if c.publishes == p {
		c.publishes = nil
	}
}

// missing says who has not acknowledged.
func (p *pending) missing(g *Graph) string {
	var names []string
	n := 0
	for _, t := range g.Tasks() {
		if _, expected := p.expected[t]; !expected {
			continue
		}
		if _, ok := p.acks[t]; !ok {
			if n++; n <= 3 {
				names = append(names, g.name(t))
			}
		}
	}
	text := fmt.Sprintf("%d of %d tasks have not acknowledged it: %s", n, len(p.expected), strings.Join(names, ", "))
	if n > len(names) {
		text += ", …"
	}
	return text
}

var errUnknown = errors.New("nobody knows whether it was published")
