package checkpoint_test

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"github.com/weft-project/weft/checkpoint"
	"github.com/weft-project/weft/checkpoint/manifest"
)

// simulate runs one seed to its end and gives the first violation of an invariant.
func simulate(seed uint64, sab sabotage) (*world, error) {
	w := &world{rng: rand.New(rand.NewPCG(seed, 7)), sab: sab, faults: true, graph: simGraph, slots: map[checkpoint.Task]*slot{}, fifo: map[string]int64{},
		committed: map[output]bool{}, txns: map[string]bool{}}
	w.regions = checkpoint.RegionsOf(&w.graph)
	w.store = &storage{folders: map[uint64]map[int64]*manifest.Manifest{}, published: map[int64]*manifest.Manifest{}, files: map[string]snapshot{},
		history: map[checkpoint.Ref]*manifest.Manifest{}}
	for _, t := range w.graph.Tasks() {
		w.slots[t] = &slot{task: t}
	}
	w.elect()
	w.after(50, w.trouble)
	const calm, limit = 2500, 20_000
	stop := w.rng.IntN(4) == 0
	w.after(calm, func() { w.faults = false })
	if stop {
		w.after(200+int64(w.rng.IntN(1500)), func() { w.stopping = true })
	}
	for len(w.events) > 0 && w.problem == nil {
		e := heap.Pop(&w.events).(event)
		if w.now = e.at; w.now > limit {
			return w, fmt.Errorf("C4: after %d ms the job has not ended: %d outputs committed", limit, w.commits)
		}
		e.f()
		if w.stopping && w.stoppedFor() {
			w.again()
		}
		if w.done() {
			break
		}
	}
	if w.problem != nil {
		return w, w.problem
	}
	return w, w.complete()
}

// trouble kills tasks and leaders.
func (w *world) trouble() {
	if !w.faults {
		// Nothing that was lost stays lost.
		for _, t := range w.graph.Tasks() {
			if r := w.slots[t].run; r != nil && !r.alive && w.leader.members[t].Attempt == r.attempt {
				w.leader.lost(t)
			}
		}
	}
	w.after(30+int64(w.rng.IntN(220)), w.trouble)
	if !w.faults {
		return
	}
	switch n := w.rng.IntN(10); {
	case n < 4:
		w.kill(w.graph.Tasks()[w.rng.IntN(len(w.graph.Tasks()))])
	case n < 6:
		w.elect()
	}
}

func (w *world) kill(t checkpoint.Task) {
	r := w.slots[t].run
	if r == nil || !r.alive || r.ended {
		return
	}
	r.alive = false
	for _, l := range append(w.old, w.leader) {
		w.send(fmt.Sprint(t, "→", l.epoch), func() {
			if l.members[t].Attempt == r.attempt {
				l.lost(t)
			}
		})
	}
}

// ended: all tasks but the coordinator's have come to their end.
func (w *world) ended() bool {
	for _, s := range w.slots {
		if s.run == nil || !s.run.alive || !s.run.ended && !s.run.isCoordinator() {
			return false
		}
	}
	return true
}

// done: the job has ended, perhaps before somebody came to stop it.
func (w *world) done() bool {
	return w.ended() && (!w.stopping || w.leader.coord != nil && w.leader.coord.Stopped() == nil)
}

// stoppedFor: the leader has stopped the job with a savepoint, and all tasks have ended or failed since.
func (w *world) stoppedFor() bool {
	if w.leader.coord == nil || w.leader.coord.Stopped() == nil {
		return false
	}
	for _, s := range w.slots {
		if s.run != nil && s.run.alive && !s.run.ended && !s.run.isCoordinator() {
			return false
		}
	}
	return true
}

// again starts a new job from the savepoint of the stop.
func (w *world) again() {
	point := *w.leader.coord.Stopped()
	point.Foreign = true
	w.stopping = false
	w.store.published = map[int64]*manifest.Manifest{}
	w.store.history = map[checkpoint.Ref]*manifest.Manifest{}
	w.store.folders = map[uint64]map[int64]*manifest.Manifest{}
	for _, l := range append(w.old, w.leader) {
		l.alive = false
	}
	old := w.leader
	w.old = nil
	l := &leader{w: w, epoch: old.epoch + 1, alive: true, members: map[checkpoint.Task]checkpoint.Member{}, down: map[checkpoint.Task]bool{}, settings: old.settings}
	w.leader = l
	l.fence()
	l.coord = checkpoint.New(l.settings, checkpoint.Job{}, w.graph, l.epoch, w.store.next+10, []*checkpoint.Completed{&point})
	w.faults = false // a change of leader before the first checkpoint starts from the savepoint again: the JobManager's part
	for t, s := range w.slots {
		l.down[t] = true
		l.members[t] = checkpoint.Member{Task: t, Attempt: 1000}
		s.run = nil
	}
	l.restart()
}

// complete compares what was committed with what was read (C1).
func (w *world) complete() error {
	for v, sources := range map[int]int{2: 2, 4: 1} {
		want := map[int]int{}
		for s := range sources {
			for o := range records {
				want[(o*7+s*3+o/4)%keys]++
			}
		}
		for key, n := range want {
			for i := 1; i <= n; i++ {
				if !w.committed[output{v, key, i}] {
					return fmt.Errorf("C1: record %d of key %d of vertex %d was lost: %d of %d committed", i, key, v, w.commits, 3*records)
				}
			}
		}
	}
	if w.commits != 3*records {
		return fmt.Errorf("C1: %d outputs committed, expected %d", w.commits, 3*records)
	}
	return nil
}

func TestSimulation(t *testing.T) {
	var restores, changes atomic.Int64
	t.Run("seeds", func(t *testing.T) {
		const shards = 4
		for shard := range uint64(shards) {
			t.Run(fmt.Sprint(shard), func(t *testing.T) {
				t.Parallel()
				for seed := shard; seed < seeds; seed += shards {
					w, err := simulate(seed, honest)
					if err != nil {
						t.Fatalf("seed %d: %v", seed, err)
					}
					restores.Add(int64(w.restores))
					changes.Add(int64(w.changes))
				}
			})
		}
	})
	t.Logf("%d seeds: %d tasks restored, %d changes of leader", seeds, restores.Load(), changes.Load())
	if restores.Load() < seeds || changes.Load() < seeds {
		t.Errorf("only %d restores and %d changes of leader in %d seeds: the simulation shows nothing", restores.Load(), changes.Load(), seeds)
	}
}

// A seed replays: the same happens at the same time.
func TestSeedsReplay(t *testing.T) {
	for seed := range uint64(50) {
		a, err1 := simulate(seed, honest)
		b, err2 := simulate(seed, honest)
		if err1 != nil || err2 != nil || a.now != b.now || a.seq != b.seq || a.restores != b.restores {
			t.Fatalf("seed %d: %d events in %d ms, and again %d in %d ms (%v, %v)", seed, a.seq, a.now, b.seq, b.now, err1, err2)
		}
	}
}

// sabotaged is how many seeds a check that was taken away may go unnoticed; most are missed within ten.
const sabotaged = 8000

// Each check that is taken away is missed.
func TestSimulationNoticesSabotage(t *testing.T) {
	for sab, name := range map[sabotage]string{acceptOldEpochs: "old epochs obeyed", noFence: "no fence", notifyEarly: "notified early",
		noAlignment: "no alignment", unknownIsFailure: "unknown taken for failed", deleteFirst: "deleted first",
		oneAckLess: "an acknowledgement less", restoreEarly: "restored early", sweepAll: "too much swept", refsWithoutEpoch: "refs without epochs",
		commitAlone: "no commit at restore", forgetFinishedBarrier: "ends are no barriers"} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(sabotaged) {
				if _, err := simulate(seed, sab); err != nil {
					t.Logf("seed %d: %v", seed, err)
					return
				}
			}
			t.Errorf("nobody noticed in %d seeds", sabotaged)
		})
	}
}
