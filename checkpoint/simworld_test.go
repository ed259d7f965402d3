package checkpoint_test

import (
	"container/heap"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/weft-project/weft/checkpoint"
	"github.com/weft-project/weft/checkpoint/align"
	"github.com/weft-project/weft/checkpoint/manifest"
)

// sabotage takes a check away, so that the simulation can show that it would notice.
type sabotage int

const (
	honest                sabotage = iota
	acceptOldEpochs                // F1: tasks obey a leader that was replaced
	noFence                        // F4: a successor leaves its predecessor's folder where it is
	notifyEarly                    // C5: tasks commit when publication begins
	noAlignment                    // A1: barriers hold nothing back
	unknownIsFailure               // a lost answer is taken for a no
	deleteFirst                    // C3: the old checkpoint goes before the new one is there
	oneAckLess                     // C6: one task is not waited for
	restoreEarly                   // C2: nobody waits for the publication under way
	sweepAll                       // C3: a clean-up takes what is being written for garbage
	refsWithoutEpoch               // barriers are told apart by number alone
	commitAlone                    // F5: a restored task does not commit what its checkpoint holds
	forgetFinishedBarrier          // ends of channels are not counted as barriers
)

// world is everything that exists: processes, messages on their way, storage.
type world struct {
	rng    *rand.Rand
	sab    sabotage
	now    int64
	seq    int
	events events
	faults bool

	graph   checkpoint.Graph
	regions *checkpoint.Regions
	slots   map[checkpoint.Task]*slot
	leader  *leader
	old     []*leader
	store   *storage
	fifo    map[string]int64

	committed map[output]bool
	txns      map[string]bool
	stopping  bool
	problem   error
	commits   int
	restores  int
	changes   int
}

type event struct {
	at  int64
	seq int
	f   func()
}

type events []event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	return e[i].at < e[j].at || e[i].at == e[j].at && e[i].seq < e[j].seq
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(event)) }
func (e *events) Pop() any     { o := *e; x := o[len(o)-1]; *e = o[:len(o)-1]; return x }

func (w *world) after(d int64, f func()) {
	w.seq++
	heap.Push(&w.events, event{w.now + d, w.seq, f})
}

// send delivers in order for each name.
func (w *world) send(name string, f func()) {
	at := max(w.now+1+int64(w.rng.IntN(8)), w.fifo[name])
	w.fifo[name] = at
	w.after(at-w.now, f)
}

func (w *world) fail(format string, args ...any) {
	if w.problem == nil {
		w.problem = fmt.Errorf("at %d ms: "+format, append([]any{w.now}, args...)...)
	}
}

// ref is how tasks tell checkpoints apart.
func (w *world) ref(r checkpoint.Ref) checkpoint.Ref {
	if w.sab == refsWithoutEpoch {
		r.Epoch = 0
	}
	return r
}

func (w *world) time() time.Time { return time.UnixMilli(w.now) }

// chance is a fault's, while there are faults.
func (w *world) chance(n int) bool { return w.faults && w.rng.IntN(n) == 0 }

// The job: two pipelines of sources and counters with transactional sinks, and a coordinator task.
const (
	keys    = 5
	records = 60
)

var simGraph = checkpoint.Graph{
	Vertices: []checkpoint.Vertex{
		{ID: "coord", Parallelism: 1, MaxParallelism: 1, Coordinator: true, Operators: []checkpoint.Operator{{ID: "o0"}}},
		{ID: "srcA", Parallelism: 2, MaxParallelism: 4, Operators: []checkpoint.Operator{{ID: "o1"}}},
		{ID: "cntA", Parallelism: 2, MaxParallelism: 4, Operators: []checkpoint.Operator{{ID: "o2"}}},
		{ID: "srcB", Parallelism: 1, MaxParallelism: 4, Operators: []checkpoint.Operator{{ID: "o3"}}},
		{ID: "cntB", Parallelism: 2, MaxParallelism: 4, Operators: []checkpoint.Operator{{ID: "o4"}}},
	},
	Edges: []checkpoint.Edge{{From: 1, To: 2}, {From: 3, To: 4}},
}

// output is what a pipeline gives: the n-th record of a key.
type output struct{ vertex, key, n int }

// txn is a sink's transaction, prepared for a checkpoint.
type txn struct {
	id  string
	ref checkpoint.Ref
	out []output
}

// snapshot is what a task stores.
type snapshot struct {
	offset   int
	counts   map[int]int
	prepared []txn
}

// slot is the place of a task; what it knows of epochs outlives its attempts (F1).
type slot struct {
	task  checkpoint.Task
	epoch uint64
	run   *run
}

// run is an attempt of a task.
type run struct {
	w       *world
	slot    *slot
	attempt int
	alive   bool
	ended   bool // finished
	drained bool // no data any more
	stopped bool // a source that waits for its stop's savepoint

	al     *align.Aligner
	in     []*channel
	out    []*channel
	state  snapshot
	open   []output
	nextTx int
}

type item struct {
	key     int // a record, unless another field is set
	barrier *checkpoint.Barrier
	data    bool // end of data
	end     bool
}

type channel struct {
	to    *run
	index int
	items []item
	data  bool
	gone  bool
}

func (r *run) name() string {
	return fmt.Sprintf("%d-%d-%d", r.slot.task.Vertex, r.slot.task.Subtask, r.attempt)
}

func (r *run) isSource() bool      { return r.slot.task.Vertex == 1 || r.slot.task.Vertex == 3 }
func (r *run) isCoordinator() bool { return r.slot.task.Vertex == 0 }

// work is what a task does when it is its turn.
func (r *run) work() {
	if !r.alive || r.ended {
		return
	}
	r.w.after(4+int64(r.w.rng.IntN(12)), r.work)
	switch {
	case r.isSource():
		r.emitRecords()
	case !r.isCoordinator():
		for range 1 + r.w.rng.IntN(3) {
			r.consume()
		}
	}
}

func (r *run) emitRecords() {
	if r.stopped || r.drained {
		return
	}
	for _, c := range r.out {
		if len(c.items) > 6 {
			return
		}
	}
	if r.state.offset == records {
		r.drained = true
		for _, c := range r.out {
			c.items = append(c.items, item{data: true})
		}
		r.tellWaiting()
		return
	}
	key := (r.state.offset*7 + r.slot.task.Subtask*3 + r.state.offset/4) % keys
	r.state.offset++
	to := r.out[key%len(r.out)]
	to.items = append(to.items, item{key: key})
}

// consume takes one item from a channel that is not held back.
func (r *run) consume() {
	first := r.w.rng.IntN(len(r.in))
	for i := range r.in {
		c := r.in[(first+i)%len(r.in)]
		if len(c.items) == 0 || r.al.Blocked(c.index) {
			continue
		}
		it := c.items[0]
		c.items = c.items[1:]
		switch {
		case it.barrier != nil:
			b := *it.barrier
			b.Ref = r.w.ref(b.Ref)
			r.follow(r.al.Barrier(c.index, b), it.barrier)
		case it.data:
			c.data = true
			r.drained = !slices.ContainsFunc(r.in, func(c *channel) bool { return !c.data })
			if r.drained {
				r.tellWaiting()
			}
		case it.end:
			c.data, c.gone = true, true
			if r.w.sab != forgetFinishedBarrier {
				r.follow(r.al.End(c.index), nil)
			}
		default:
			r.state.counts[it.key]++
			r.open = append(r.open, output{r.slot.task.Vertex, it.key, r.state.counts[it.key]})
		}
		return
	}
}

// follow does what the aligner says.
func (r *run) follow(s align.Step, came *checkpoint.Barrier) {
	for _, ref := range s.Passed {
		r.tell(func(l *leader) {
			l.do(l.coord.Decline(ref, r.slot.task, r.attempt, fmt.Errorf("passed over"), r.w.time()))
		})
	}
	if s.Snapshot == nil {
		return
	}
	b := *s.Snapshot
	if came != nil {
		b = *came
	}
	if b.Kind == checkpoint.Stop && r.isSource() {
		r.stopped = true
	}
	if len(r.open) > 0 {
		r.nextTx++
		r.state.prepared = append(r.state.prepared, txn{fmt.Sprintf("%s/%v/%d", r.name(), b.Ref, r.nextTx), b.Ref, r.open})
		r.open = nil
	}
	for _, c := range r.out {
		c.items = append(c.items, item{barrier: &b})
	}
	snap := snapshot{r.state.offset, maps.Clone(r.state.counts), slices.Clone(r.state.prepared)}
	file := fmt.Sprintf("state/%d-%d/%s", b.Epoch, b.ID, r.name())
	if b.Target != "" {
		file = b.Target + "/" + r.name()
	}
	r.w.after(1+int64(r.w.rng.IntN(20)), func() { // the asynchronous part
		r.w.store.files[file] = snap
		op := manifest.Operator{ID: fmt.Sprint("o", r.slot.task.Vertex), Subtasks: []manifest.Subtask{{Index: r.slot.task.Subtask,
			Lists: []manifest.List{{Name: "s", Data: manifest.Handle{File: file}}}}}}
		a := checkpoint.Ack{Ref: b.Ref, Task: r.slot.task, Attempt: r.attempt, Operators: []manifest.Operator{op}}
		// What an attempt has sent may arrive after its end.
		r.send(func(l *leader) { l.acknowledge(a) })
		if r.w.chance(6) {
			r.w.after(int64(r.w.rng.IntN(100)), func() { r.send(func(l *leader) { l.acknowledge(a) }) })
		}
	})
}

// tell sends something to the leader while the attempt lives.
func (r *run) tell(f func(*leader)) {
	if r.alive {
		r.send(f)
	}
}

func (r *run) send(f func(*leader)) {
	for _, l := range append(slices.Clone(r.w.old), r.w.leader) {
		if l.epoch == r.slot.epoch || r.w.rng.IntN(4) == 0 { // what was sent before the change
			r.w.send(fmt.Sprint(r.slot.task, "→", l.epoch), func() {
				if l.alive && l.coord != nil {
					f(l)
				}
			})
		}
	}
}

func (r *run) tellWaiting() {
	r.tell(func(l *leader) { l.do(l.coord.Waiting(r.slot.task, r.attempt, r.w.time())) })
}

// told runs what a leader tells an attempt, unless a newer leader is known (F1).
func (w *world) told(l *leader, m checkpoint.Member, f func(r *run)) {
	w.send(fmt.Sprint(l.epoch, "→", m.Task), func() {
		s := w.slots[m.Task]
		if l.epoch < s.epoch && w.sab != acceptOldEpochs || s.run == nil || !s.run.alive || s.run.attempt != m.Attempt {
			return
		}
		f(s.run)
	})
}

func (r *run) trigger(b checkpoint.Barrier) {
	if !r.ended {
		told := b
		told.Ref = r.w.ref(b.Ref)
		r.follow(r.al.Trigger(told), &b)
	}
}

func (r *run) notify(ref checkpoint.Ref, stop bool) {
	if r.w.store.history[ref] == nil {
		r.w.fail("C5: %s hears of %v, which was never published", r.name(), ref)
	}
	final := r.drained
	for _, t := range r.state.prepared {
		final = final && t.ref.Compare(ref) <= 0
	}
	r.commit(ref)
	// Its last output is committed, or it is told to stop.
	if stop || final && len(r.open) == 0 {
		r.finish()
	}
}

func (r *run) finish() {
	if r.ended || r.isCoordinator() && !r.w.stopping {
		return
	}
	r.ended = true
	for _, c := range r.out {
		c.items = append(c.items, item{end: true})
	}
	r.tell(func(l *leader) {
		if m := l.members[r.slot.task]; m.Attempt == r.attempt {
			m.Finished = true
			l.members[r.slot.task] = m
		}
		l.do(l.coord.Finished(r.slot.task, r.attempt, r.w.time()))
	})
}

// commit makes what was prepared for ref and before visible, once (C1).
func (r *run) commit(ref checkpoint.Ref) {
	r.state.prepared = slices.DeleteFunc(slices.Clone(r.state.prepared), func(t txn) bool {
		if t.ref.Compare(ref) > 0 {
			return false
		}
		if !r.w.txns[t.id] {
			r.w.txns[t.id] = true
			for _, o := range t.out {
				if r.w.committed[o] {
					r.w.fail("C1: %v was committed twice, by transaction %s with %v", o, t.id, ref)
				}
				r.w.committed[o] = true
				r.w.commits++
			}
		}
		return true
	})
}
