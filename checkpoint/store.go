package checkpoint

import (
	"fmt"
	"slices"
	"time"
)

// Outcome is what became of a publication.
type Outcome uint8

// The outcomes.
const (
	// Published: it is in the store for good.
	Published Outcome = iota
	// NotPublished: it is not, and nothing that is still on its way can put it there.
	NotPublished
	// Unknown: an answer is missing. The store is fenced and read again before anything else is decided.
	Unknown
	// Fenced: another leader has the store. This one does nothing more.
	Fenced
)

// Published tells what became of a Publish. path is where it lies; err says why not.
func (c *Coordinator) Published(ref Ref, o Outcome, path string, err error, now time.Time) []Action {
	p := c.find(ref)
	if p == nil || !p.publishing {
		return nil
	}
	p.path = path
	switch o {
	case Published:
		return append(c.complete(p, now), c.more(now)...)
	case NotPublished:
		return append(c.abort(p, fmt.Errorf("it could not be published: %w", err), true, now), c.more(now)...)
	case Unknown:
		c.inDoubt = true
		return []Action{Reopen{}}
	default:
		c.inDoubt = true // for good: nothing is published, restored or deleted by this leader any more
		return nil
	}
}

// Reopened answers Reopen: the store has been fenced and read again, by the same leader. completed are the published
// checkpoints, oldest first, as New takes them.
func (c *Coordinator) Reopened(completed []*Completed, now time.Time) []Action {
	if !c.inDoubt {
		return nil
	}
	c.inDoubt = false
	p := c.publishes
	if p == nil {
		return c.more(now)
	}
	for _, found := range completed {
		if found.Ref == p.Ref {
			p.path = found.Path
			return append(c.complete(p, now), c.more(now)...)
		}
	}
	return append(c.abort(p, errUnknown, true, now), c.more(now)...)
}

// more publishes the next one and begins what may be begun.
func (c *Coordinator) more(now time.Time) []Action {
	return append(c.publish(now), c.step(now)...)
}

// complete makes a published checkpoint count.
func (c *Coordinator) complete(p *pending, now time.Time) []Action {
	m := c.assemble(p)
	c.remove(p)
	c.lastEnd, c.failures = now, 0
	if p.Kind != Savepoint {
		for _, t := range p.last {
			delete(c.waiting, t) // it ends when it hears of this one
		}
	}
	c.counts.Completed++
	out := c.ended(p, now, nil)
	answer := Answer{Request: p.request, Ref: p.Ref, Path: p.path}
	if p.Kind != Periodic {
		answer.WithoutUID = m.WithoutUID()
	}
	if p.Kind == Savepoint {
		// It commits nothing and is nobody's restore point: its owner may remove it at any time.
		return append(out, answer)
	}
	done := &Completed{Ref: p.Ref, Kind: p.Kind, Manifest: m, Path: p.path}
	c.completed = append(c.completed, done)
	if p.Kind == Stop {
		c.stopped = done
	}
	out = append(out, Notify{Ref: p.Ref, Tasks: c.live(), Stop: p.Kind == Stop})
	out = append(out, c.subsume()...)
	if p.request != "" {
		out = append(out, answer)
	}
	if p.Kind == Stop {
		for _, r := range c.requests {
			out = append(out, Answer{Request: r.ID, Err: fmt.Errorf("%s was not begun: the job was stopped with savepoint %s", r.Kind, p.path)})
		}
		c.requests = nil
	}
	return out
}

// subsume deletes completed checkpoints beyond those that are retained. A foreign one is forgotten as soon as there is one of the job's own.
func (c *Coordinator) subsume() []Action {
	var gone []*Completed
	for len(c.completed) > c.s.NumRetained || len(c.completed) > 1 && c.completed[0].Foreign {
		gone = append(gone, c.completed[0])
		c.completed = slices.Delete(c.completed, 0, 1)
	}
	return c.deletions(gone)
}

// deletions deletes checkpoints and the files that no other one needs.
func (c *Coordinator) deletions(gone []*Completed) []Action {
	needed := c.needed()
	var out []Action
	for _, g := range gone {
		if g.Foreign {
			if g.Claimed {
				out = append(out, Discard{Ref: g.Ref, Claimed: g.Path})
			}
			continue
		}
		d := Delete{Ref: g.Ref}
		if g.Kind != Stop { // a stop's files are in the savepoint, which is somebody's
			for _, f := range g.Manifest.Files() {
				if !needed[f] {
					needed[f] = true // deleted once
					d.Files = append(d.Files, f)
				}
			}
		}
		out = append(out, d)
	}
	return out
}

// needed are the files of completed checkpoints, and of the one that is being published.
func (c *Coordinator) needed() map[string]bool {
	files := map[string]bool{}
	for _, done := range c.completed {
		for _, f := range done.Manifest.Files() {
			files[f] = true
		}
	}
	for _, p := range c.pending {
		for _, a := range p.acks {
			if p.publishing {
				for _, f := range a.Files() {
					files[f] = true
				}
			}
		}
	}
	return files
}

// Damaged says that a completed checkpoint cannot be restored from, as its reader has found. The next RestorePoint is the one before it;
// false where it is not known any more. Its files stay for whoever wants to look.
func (c *Coordinator) Damaged(ref Ref) bool {
	n := len(c.completed)
	c.completed = slices.DeleteFunc(c.completed, func(d *Completed) bool { return d.Ref == ref })
	return len(c.completed) < n
}

// Completed are the checkpoints retained, oldest first.
func (c *Coordinator) Completed() []*Completed { return slices.Clone(c.completed) }

// Ending is how a job has ended for good. A leader that steps down is no ending: everything stays.
type Ending uint8

// The endings.
const (
	// JobFinished: all its tasks came to their end.
	JobFinished Ending = iota
	// JobCanceled: somebody wanted it so.
	JobCanceled
	// JobFailed: it failed and is not restarted.
	JobFailed
)

// End says that the job has ended for good, and deletes the checkpoints that are not to be kept.
func (c *Coordinator) End(how Ending, now time.Time) []Action {
	out := c.Halt("the job has ended", now)
	if c.publishes != nil || c.inDoubt {
		return out // the caller calls again when RestorePoint is ready
	}
	keep := c.stopped != nil && how != JobFinished
	switch c.s.Retention {
	case RetainOnCancellation:
		keep = keep || how != JobFinished
	case DeleteOnCancellation:
		keep = keep || how == JobFailed
	}
	if keep {
		return out
	}
	gone := c.completed
	c.completed = nil
	return append(out, c.deletions(gone)...)
}
