package checkpoint_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/weft-project/weft/checkpoint"
	"github.com/weft-project/weft/checkpoint/align"
	"github.com/weft-project/weft/checkpoint/manifest"
)

// storage is the job's directory. Each call is one atomic step, as a NameNode's transactions are.
type storage struct {
	folders   map[uint64]map[int64]*manifest.Manifest // publishing-<epoch>
	published map[int64]*manifest.Manifest            // chk-N
	files     map[string]snapshot
	history   map[checkpoint.Ref]*manifest.Manifest // all that were ever published
	saved     []*manifest.Manifest                  // savepoints
	next      int64
}

func (s *storage) ref(id int64) checkpoint.Ref {
	return checkpoint.Ref{Epoch: s.published[id].Epoch, ID: id}
}

// newest is the newest checkpoint that is published.
func (s *storage) newest() (newest checkpoint.Ref, ok bool) {
	for id := range s.published {
		if id > newest.ID {
			newest, ok = s.ref(id), true
		}
	}
	return newest, ok
}

// leader is a JobManager's part. A zombie goes on without knowing that there is another.
type leader struct {
	w     *world
	epoch uint64
	coord *checkpoint.Coordinator
	alive bool
	// attempts as the leader knows them; down are tasks that must start again.
	members    map[checkpoint.Task]checkpoint.Member
	down       map[checkpoint.Task]bool
	restarting bool
	ticking    bool
	settings   checkpoint.Settings
	requests   int
}

// fence makes the epoch's folder, and takes those of lower epochs away; false where a higher one is there.
func (l *leader) fence() bool {
	s := l.w.store
	delete(s.folders, l.epoch) // renamed away, where there was one
	s.folders[l.epoch] = map[int64]*manifest.Manifest{}
	for _, e := range slices.Sorted(maps.Keys(s.folders)) {
		if e > l.epoch {
			return false
		}
		if e < l.epoch && l.w.sab != noFence {
			delete(s.folders, e)
		}
	}
	return true
}

// read gives the newest published checkpoints, oldest first.
func (l *leader) read() []*checkpoint.Completed {
	var out []*checkpoint.Completed
	s := l.w.store
	for _, id := range slices.Sorted(maps.Keys(s.published)) {
		m := s.published[id]
		kind := checkpoint.Periodic
		if m.Kind == manifest.Savepoint {
			kind = checkpoint.Stop
		}
		out = append(out, &checkpoint.Completed{Ref: s.ref(id), Kind: kind, Manifest: m, Path: fmt.Sprint("chk-", id)})
	}
	return out
}

// elect makes a new leader, while the one before may go on for a while.
func (w *world) elect() {
	epoch := uint64(1)
	if w.leader != nil {
		epoch = w.leader.epoch + 1
		w.old = append(w.old, w.leader)
		if w.rng.IntN(2) == 0 {
			w.leader.alive = false
		}
		w.changes++
	}
	l := &leader{w: w, epoch: epoch, alive: true, members: map[checkpoint.Task]checkpoint.Member{}, down: map[checkpoint.Task]bool{}}
	w.leader = l
	l.settings = checkpoint.Settings{Interval: 60e6, Timeout: 400e6, MaxConcurrent: 1 + w.rng.IntN(2), TolerableFailures: 2, NumRetained: 1 + w.rng.IntN(2),
		AfterTasksFinish: true, History: 3}
	if w.rng.IntN(3) == 0 {
		l.settings.MinPause = 20e6
	}
	w.after(1+int64(w.rng.IntN(30)), func() {
		if !l.fence() {
			l.alive = false
			return
		}
		w.after(1+int64(w.rng.IntN(10)), func() { l.start() })
	})
}

// start reads the store and makes itself known to the tasks; it goes on when all have answered (F5).
func (l *leader) start() {
	if !l.alive {
		return
	}
	w := l.w
	next := w.store.next + 1 // no number of anything in the store
	for id := range w.store.published {
		next = max(next, id+1)
	}
	l.coord = checkpoint.New(l.settings, checkpoint.Job{}, w.graph, l.epoch, next, l.read())
	left := len(w.slots)
	for _, t := range w.graph.Tasks() {
		w.send(fmt.Sprint(l.epoch, "→", t), func() {
			s := w.slots[t]
			s.epoch = max(s.epoch, l.epoch)
			m := checkpoint.Member{Task: t, Attempt: -1}
			running := s.run != nil && s.run.alive
			if s.run != nil {
				m.Attempt, m.Finished = s.run.attempt, s.run.ended
			}
			w.send(fmt.Sprint(t, "→", l.epoch), func() {
				if !l.alive {
					return
				}
				l.members[t] = m
				if running && w.slots[t].run.attempt == m.Attempt && !w.slots[t].run.alive {
					running = false // its failure was told to nobody
				}
				if !running {
					l.down[t] = true
				}
				if left--; left == 0 {
					l.begin()
				}
			})
		})
	}
}

func (l *leader) begin() {
	if !l.ticking {
		l.ticking = true
		l.tick()
	}
	if len(l.down) > 0 {
		l.restart()
		return
	}
	l.do(l.coord.Run(slices.Collect(maps.Values(l.members)), l.w.time()))
}

func (l *leader) tick() {
	if !l.alive {
		return
	}
	l.do(l.coord.Tick(l.w.time()))
	if l.w.rng.IntN(60) == 0 && l.w.now < 3000 {
		l.requests++
		target := fmt.Sprintf("sp/%d-%d", l.epoch, l.requests)
		if acts, err := l.coord.Request(checkpoint.Request{ID: target, Kind: checkpoint.Savepoint, Target: target}, l.w.time()); err == nil {
			l.do(acts)
		}
	}
	if l.w.stopping && l.coord.Stopped() == nil {
		l.requests++
		target := fmt.Sprintf("stop/%d-%d", l.epoch, l.requests)
		if acts, err := l.coord.Request(checkpoint.Request{ID: target, Kind: checkpoint.Stop, Target: target}, l.w.time()); err == nil {
			l.do(acts)
		}
	}
	if l.w.rng.IntN(8) == 0 {
		l.sweep()
	}
	l.w.after(10, l.tick)
}

// sweep removes garbage.
func (l *leader) sweep() {
	s := l.w.store
	found := checkpoint.Found{Checkpoints: map[int64]bool{}, State: map[checkpoint.Ref][]string{}}
	for id := range s.published {
		found.Checkpoints[id] = true
	}
	for f := range s.files {
		var ref checkpoint.Ref
		if n, _ := fmt.Sscanf(f, "state/%d-%d/", &ref.Epoch, &ref.ID); n == 2 {
			found.State[ref] = append(found.State[ref], f)
		}
	}
	ids, files := l.coord.Garbage(found)
	if l.w.sab == sweepAll {
		for _, names := range found.State {
			for _, n := range names {
				if !slices.ContainsFunc(l.coord.Completed(), func(c *checkpoint.Completed) bool { return slices.Contains(c.Manifest.Files(), n) }) {
					files = append(files, n)
				}
			}
		}
	}
	l.w.after(1+int64(l.w.rng.IntN(20)), func() {
		for _, id := range ids {
			l.w.deleteCheckpoint(id)
		}
		for _, f := range files {
			l.w.deleteFile(f)
		}
	})
}

func (w *world) deleteCheckpoint(id int64) {
	delete(w.store.published, id)
	if _, any := w.store.newest(); !any && len(w.store.history) > 0 {
		w.fail("C3: checkpoint %d was the last one, and was deleted", id)
	}
}

// deleteFile checks that no published checkpoint needs the file (C3).
func (w *world) deleteFile(name string) {
	if _, there := w.store.files[name]; !there {
		return
	}
	delete(w.store.files, name)
	for id, m := range w.store.published {
		if slices.Contains(m.Files(), name) {
			w.fail("C3: %s was deleted, and checkpoint %d needs it", name, id)
		}
	}
	if strings.HasPrefix(name, "sp/") || strings.HasPrefix(name, "stop/") {
		for _, m := range w.store.saved {
			if slices.Contains(m.Files(), name) {
				w.fail("C3: %s was deleted, and savepoint %d needs it", name, m.ID)
			}
		}
	}
}

func (l *leader) acknowledge(a checkpoint.Ack) {
	l.do(l.coord.Acknowledge(a, l.w.time()))
}

// do performs actions.
func (l *leader) do(actions []checkpoint.Action) {
	w := l.w
	for _, a := range actions {
		if !l.alive {
			return
		}
		switch a := a.(type) {
		case checkpoint.Trigger:
			w.store.next = max(w.store.next, a.ID-int64(w.rng.IntN(4))) // a successor may not see all numbers
			for _, m := range a.Tasks {
				w.told(l, m, func(r *run) { r.trigger(a.Barrier) })
			}
			if w.sab == oneAckLess {
				t := checkpoint.Task{Vertex: 2, Subtask: 1}
				w.after(0, func() { l.acknowledge(checkpoint.Ack{Ref: a.Ref, Task: t, Attempt: l.members[t].Attempt}) })
			}
		case checkpoint.Publish:
			if w.sab == notifyEarly {
				for _, t := range w.graph.Tasks() {
					w.told(l, l.members[t], func(r *run) { r.commit(a.Ref) })
				}
			}
			if w.sab == deleteFirst {
				for _, c := range l.coord.Completed() {
					for _, f := range c.Manifest.Files() {
						w.deleteFile(f)
					}
				}
			}
			l.checkManifest(a.Manifest)
			l.publish(a)
		case checkpoint.Notify:
			for _, m := range a.Tasks {
				w.told(l, m, func(r *run) { r.notify(a.Ref, a.Stop) })
			}
		case checkpoint.NotifyAborted:
			for _, m := range a.Tasks {
				w.told(l, m, func(r *run) {
					r.follow(r.al.Cancel(w.ref(a.Ref)), nil)
					if a.Continue {
						r.stopped = false
					}
				})
			}
		case checkpoint.Abandon:
			for _, m := range a.Tasks {
				w.told(l, m, func(r *run) {
					r.follow(r.al.Abandon(w.ref(a.Before)), nil)
					r.stopped = false
				})
			}
		case checkpoint.Discard:
			w.after(1+int64(w.rng.IntN(20)), func() {
				for _, f := range a.Files {
					w.deleteFile(f)
				}
			})
		case checkpoint.Delete:
			w.after(1+int64(w.rng.IntN(20)), func() {
				w.deleteCheckpoint(a.ID)
				if w.chance(3) {
					return // crashed in between
				}
				for _, f := range a.Files {
					w.deleteFile(f)
				}
			})
		case checkpoint.Reopen:
			w.after(1+int64(w.rng.IntN(20)), func() {
				if l.alive = l.alive && l.fence(); l.alive {
					l.do(l.coord.Reopened(l.read(), w.time()))
					l.retry()
				}
			})
		case checkpoint.Fail:
			l.lost(checkpoint.Task{Vertex: 1})
		case checkpoint.Answer, checkpoint.Ended, checkpoint.Resume:
		}
	}
}

// checkManifest: all tasks of a region are of one attempt (C6).
func (l *leader) checkManifest(m *manifest.Manifest) {
	of := map[int]string{}
	for _, op := range m.Operators {
		for _, s := range op.Subtasks {
			for _, list := range s.Lists {
				var t checkpoint.Task
				name := list.Data.File[strings.LastIndexByte(list.Data.File, '/')+1:]
				var attempt int
				if _, err := fmt.Sscanf(name, "%d-%d-%d", &t.Vertex, &t.Subtask, &attempt); err != nil {
					l.w.fail("a file %q", list.Data.File)
				}
				k := l.w.regions.Of(t)
				if was, ok := of[k]; ok && was != fmt.Sprint(attempt) {
					l.w.fail("C6: checkpoint %d has attempts %s and %d of one region", m.ID, was, attempt)
				}
				of[k] = fmt.Sprint(attempt)
			}
		}
	}
}

// publish is F4, in the steps of the store: create in the epoch's own folder, then rename. An answer may be lost, and the rename that it
// was about may happen later, unless its source is gone.
func (l *leader) publish(a checkpoint.Publish) {
	w, s := l.w, l.w.store
	done := func(o checkpoint.Outcome, err error) {
		w.after(1+int64(w.rng.IntN(15)), func() {
			if l.alive {
				l.do(l.coord.Published(a.Ref, o, fmt.Sprint("chk-", a.ID), err, w.time()))
				l.retry()
			}
		})
	}
	if a.Kind == checkpoint.Savepoint {
		s.saved = append(s.saved, a.Manifest)
		done(checkpoint.Published, nil)
		return
	}
	rename := func() checkpoint.Outcome {
		folder := s.folders[l.epoch]
		if folder == nil || folder[a.ID] == nil {
			return checkpoint.Fenced
		}
		if s.published[a.ID] != nil {
			return checkpoint.Fenced
		}
		s.published[a.ID] = folder[a.ID]
		delete(folder, a.ID)
		s.history[a.Ref] = a.Manifest
		if a.Kind == checkpoint.Stop {
			s.saved = append(s.saved, a.Manifest)
		}
		return checkpoint.Published
	}
	w.after(1+int64(w.rng.IntN(15)), func() {
		if w.chance(12) {
			done(checkpoint.NotPublished, errors.New("no space"))
			return
		}
		if s.folders[l.epoch] == nil {
			done(checkpoint.Fenced, nil)
			return
		}
		s.folders[l.epoch][a.ID] = a.Manifest
		w.after(1+int64(w.rng.IntN(15)), func() {
			switch {
			case w.chance(8): // the answer is lost, and the rename may come late
				w.after(int64(w.rng.IntN(60)), func() { rename() })
				if w.sab == unknownIsFailure {
					done(checkpoint.NotPublished, errors.New("timeout"))
				} else {
					done(checkpoint.Unknown, nil)
				}
			default:
				done(rename(), nil)
			}
		})
	})
}

// lost: a task's failure has come to the leader.
func (l *leader) lost(t checkpoint.Task) {
	if !l.alive || l.coord == nil || len(l.members) < len(l.w.slots) {
		return
	}
	l.down[t] = true
	l.do(l.coord.Halt("a task failed", l.w.time()))
	l.restart()
}

// retry goes on with a restart that waited for a publication.
func (l *leader) retry() {
	if l.restarting {
		l.restarting = false
		l.restart()
	}
}

// restart starts the failed regions again, from the restore point.
func (l *leader) restart() {
	if l.restarting {
		return
	}
	point, ready := l.coord.RestorePoint()
	if l.w.sab == restoreEarly {
		if all := l.coord.Completed(); len(all) > 0 {
			point = all[len(all)-1]
		}
		ready = true
	}
	if l.restarting = !ready; !ready {
		return
	}
	if stopped := l.coord.Stopped(); stopped != nil {
		// It has ended; what was prepared is committed by who starts from it.
		for _, t := range l.w.graph.Tasks() {
			l.w.told(l, l.members[t], func(r *run) { r.alive = false })
		}
		return
	}
	tasks := l.w.regions.Restart(slices.Collect(maps.Keys(l.down)), nil)
	clear(l.down)
	attempt := 0
	for _, t := range tasks {
		attempt = max(attempt, l.members[t].Attempt+1)
	}
	left := len(tasks)
	runs := map[checkpoint.Task]*run{}
	for _, t := range tasks {
		l.members[t] = checkpoint.Member{Task: t, Attempt: attempt, Finished: point != nil && finishedIn(point.Manifest, t)}
	}
	for _, t := range tasks {
		l.w.send(fmt.Sprint(l.epoch, "→", t), func() {
			s := l.w.slots[t]
			if l.epoch < s.epoch && l.w.sab != acceptOldEpochs || s.run != nil && s.run.attempt >= attempt {
				return
			}
			if s.run != nil {
				s.run.alive = false
			}
			s.epoch = max(s.epoch, l.epoch)
			r := l.w.deploy(s, attempt, point)
			r.ended = l.members[t].Finished
			runs[t] = r
			if left--; left == 0 {
				l.w.link(runs)
				l.w.send(fmt.Sprint("deployed", l.epoch), func() {
					if l.alive && len(l.down) == 0 {
						l.begin()
					}
				})
			}
		})
	}
}

func finishedIn(m *manifest.Manifest, t checkpoint.Task) bool {
	for _, op := range m.Operators {
		if op.ID == fmt.Sprint("o", t.Vertex) {
			for _, s := range op.Subtasks {
				if s.Index == t.Subtask {
					return s.Finished
				}
			}
		}
	}
	return false
}

// deploy makes an attempt, with its state.
func (w *world) deploy(s *slot, attempt int, point *checkpoint.Completed) *run {
	mode := checkpoint.ExactlyOnce
	if w.sab == noAlignment {
		mode = checkpoint.AtLeastOnce
	}
	inputs := 0
	for _, e := range w.graph.Edges {
		if e.To == s.task.Vertex {
			inputs += w.graph.Vertices[e.From].Parallelism
		}
	}
	r := &run{w: w, slot: s, attempt: attempt, alive: true, al: align.New(inputs, mode), state: snapshot{counts: map[int]int{}}}
	r.in = make([]*channel, inputs)
	s.run = r
	if point == nil {
		if newest, any := w.store.newest(); any {
			w.fail("C2: %v restores from nothing while %v is published", s.task, newest)
		}
		return r
	}
	w.restores++
	if !point.Foreign {
		if newest, _ := w.store.newest(); w.store.history[point.Ref] == nil || newest != point.Ref && w.leader.epoch == s.epoch {
			w.fail("C2: %v restores from %v while %v is the newest published", s.task, point.Ref, newest)
		}
	}
	for _, op := range point.Manifest.Operators {
		for _, sub := range op.Subtasks {
			if op.ID != fmt.Sprint("o", s.task.Vertex) || sub.Index != s.task.Subtask || len(sub.Lists) == 0 {
				continue
			}
			snap, ok := w.store.files[sub.Lists[0].Data.File]
			if !ok {
				w.fail("C3: %s is needed by %v and is gone", sub.Lists[0].Data.File, point.Ref)
			}
			r.state = snapshot{snap.offset, maps.Clone(snap.counts), slices.Clone(snap.prepared)}
			if r.state.counts == nil {
				r.state.counts = map[int]int{}
			}
			if w.sab != commitAlone {
				r.commit(point.Ref)
			} else {
				r.state.prepared = nil
			}
		}
	}
	return r
}

// link connects new attempts and lets them work.
func (w *world) link(runs map[checkpoint.Task]*run) {
	for _, e := range w.graph.Edges {
		for u := range w.graph.Vertices[e.From].Parallelism {
			for d := range w.graph.Vertices[e.To].Parallelism {
				from, to := runs[checkpoint.Task{Vertex: e.From, Subtask: u}], runs[checkpoint.Task{Vertex: e.To, Subtask: d}]
				if from == nil || to == nil {
					continue
				}
				c := &channel{to: to, index: u}
				to.in[u] = c
				from.out = append(from.out, c)
				if from.ended {
					c.items = append(c.items, item{data: true}, item{end: true})
				}
			}
		}
	}
	for _, t := range w.graph.Tasks() {
		if r := runs[t]; r != nil {
			r.drained = r.ended
			r.work()
		}
	}
}
