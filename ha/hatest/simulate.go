package hatest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weft-project/weft/ha"
	"github.com/weft-project/weft/ha/journal"
	"github.com/weft-project/weft/id"
)

// Simulate runs the store, which must live in a bubble (Harness.Bubble), through days of trouble, one for each seed from first on: four processes
// campaign, publish checkpoints, commit and finish jobs, while links are cut and healed, processes stand still, and leaders
// resign or are deposed. Every step is checked by the rules of package ha, the first violation is an error with its seed.
func Simulate(t *testing.T, h Harness, first, seeds int) {
	for seed := first; seed < first+seeds && !t.Failed(); seed++ {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &world{t: t, h: h, site: h.New(t), draw: rand.New(rand.NewPCG(uint64(seed), 8)), seed: seed,
					epochs: map[ha.Epoch]bool{}, deposed: map[ha.Epoch]bool{}}
				w.run()
			})
		})
	}
}

// SeedsEnv names the variable with the number of seeds of each simulation.
const SeedsEnv = "WEFT_HA_SEEDS"

// Seeds is the number of seeds to run: that of the environment, else def.
func Seeds(t *testing.T, def int) int {
	t.Helper()
	text := os.Getenv(SeedsEnv)
	if text == "" {
		return def
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s=%s: expected a number of seeds", SeedsEnv, text)
	}
	return n
}

// events is how many troubles a day has.
const events = 24

// world is one day.
type world struct {
	t    *testing.T
	h    Harness
	site Site
	seed int

	mu   sync.Mutex
	draw *rand.Rand
	log  []string
	// epochs are those that campaigns have returned, newest the highest; deposed were ended by somebody who knew better.
	epochs  map[ha.Epoch]bool
	newest  ha.Epoch
	deposed map[ha.Epoch]bool
	// published is the newest checkpoint of the job of which Publish has returned nil; by whom.
	published int64
	publisher ha.Epoch
	// finished are jobs whose Finish has returned nil, or which were seen finished.
	finished map[id.Job]bool
	job      id.Job
	jobs     int // grows with each job, so that peace sees progress
}

// simProcess is a JobManager of the world.
type simProcess struct {
	*process
	still *Link // its own standing still: nothing of it runs
	term  ha.Term
	mu    sync.Mutex
}

func (w *world) number(n int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.draw.IntN(n)
}

// delay is a message's time: most are quick, some are not.
func (w *world) delay() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	d := time.Duration(w.draw.Int64N(int64(w.h.Short / 200)))
	if w.draw.IntN(50) == 0 {
		d *= 20
	}
	return d
}

// note writes one line of the day's log. The lock is held.
func (w *world) note(format string, args ...any) {
	w.log = append(w.log, fmt.Sprintf("%s ", time.Now().Format("15:04:05.000"))+fmt.Sprintf(format, args...))
}

// violated reports a broken rule with the end of the log. The lock is held.
func (w *world) violated(rule, format string, args ...any) {
	tail := w.log[max(0, len(w.log)-40):]
	w.t.Errorf("seed %d: %s is broken: %s\n%s", w.seed, rule, fmt.Sprintf(format, args...), strings.Join(tail, "\n"))
}

// run is the day: trouble until the evening, then peace.
func (w *world) run() {
	ctx, cancel := context.WithCancel(w.t.Context())
	w.job, w.finished = id.NewJob(), map[id.Job]bool{}
	var processes []*simProcess
	var all sync.WaitGroup
	for i := range 4 {
		link := &Link{Delay: w.delay}
		p := &simProcess{process: &process{w.site.Open(w.t, "day", w.h.Short, link), link, fmt.Sprint("p", i)}, still: &Link{}}
		processes = append(processes, p)
		all.Go(func() { w.live(ctx, p) })
	}
	for range events {
		wait(ctx, time.Duration(w.number(int(w.h.Short))))
		w.trouble(ctx, processes[w.number(len(processes))])
	}
	for _, p := range processes {
		p.still.Heal()
		p.link.Heal()
	}
	w.peace(ctx, processes)
	cancel()
	all.Wait()
	for _, p := range processes {
		if err := p.Close(); err != nil {
			w.t.Errorf("seed %d: close %s: %v", w.seed, p.name, err)
		}
		p.link.Drain()
	}
}

// trouble is one event.
func (w *world) trouble(ctx context.Context, p *simProcess) {
	w.mu.Lock()
	n := w.draw.IntN(10)
	w.mu.Unlock()
	do := func(what string, f func()) {
		w.mu.Lock()
		w.note("%s: %s", p.name, what)
		w.mu.Unlock()
		f()
	}
	switch n {
	case 0, 1, 2:
		do("its link is cut", p.link.Cut)
	case 3, 4, 5:
		do("its link is healed", p.link.Heal)
	case 6:
		do("it stands still", func() {
			p.still.Cut()
			p.link.Cut()
		})
	case 7, 8:
		do("it goes on", func() {
			p.link.Heal()
			p.still.Heal()
		})
	case 9:
		p.mu.Lock()
		term := p.term
		p.mu.Unlock()
		if term == nil {
			return
		}
		w.mu.Lock()
		w.deposed[term.Epoch()] = true
		w.note("epoch %d is to be deposed", term.Epoch())
		w.mu.Unlock()
		one, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		// It may be refused by a cut link: then it is not deposed.
		_ = p.Depose(one, ha.Leader{Epoch: term.Epoch()})
	}
}

// peace waits for somebody to lead and publish (HA7).
func (w *world) peace(ctx context.Context, processes []*simProcess) {
	ctx, cancel := context.WithTimeout(ctx, 10*w.h.Short+time.Minute)
	defer cancel()
	w.mu.Lock()
	before := w.published + int64(w.jobs)
	w.note("peace")
	w.mu.Unlock()
	for {
		w.mu.Lock()
		after := w.published + int64(w.jobs)
		w.mu.Unlock()
		if after > before+1 {
			return
		}
		if ctx.Err() != nil {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.violated("HA7", "nobody leads and publishes although all is well again")
			return
		}
		wait(ctx, w.h.Short/10)
	}
}

// live is a JobManager's life: campaign, recover, publish, until it has lost, and again.
func (w *world) live(ctx context.Context, p *simProcess) {
	for ctx.Err() == nil {
		if p.still.Pass(ctx) != nil {
			return
		}
		term, err := p.Campaign(ctx, ha.Candidate{Identity: p.name})
		if err != nil {
			if ctx.Err() == nil {
				w.t.Errorf("seed %d: %s campaigns: %v", w.seed, p.name, err)
			}
			return
		}
		p.mu.Lock()
		p.term = term
		p.mu.Unlock()
		w.begun(p, term)
		w.lead(ctx, p, term)
		p.mu.Lock()
		p.term = nil
		p.mu.Unlock()
	}
}

// begun checks a new epoch (HA1, HA4).
func (w *world) begun(p *simProcess, term ha.Term) {
	w.mu.Lock()
	defer w.mu.Unlock()
	e := term.Epoch()
	w.note("%s leads with epoch %d", p.name, e)
	if w.epochs[e] {
		w.violated("HA1", "epoch %d was handed out twice", e)
	}
	// Word of an epoch may come when it is over; then it is not believed.
	if e < w.newest && term.Check() == nil && !w.deposed[e] {
		w.violated("HA4", "epoch %d may act and epoch %d leads", e, w.newest)
	}
	w.epochs[e], w.newest = true, max(w.newest, e)
}

// act runs f if the term may act, as a commit to another system does, and checks that nobody else may (HA4).
func (w *world) act(term ha.Term) {
	if term.Check() != nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	e := term.Epoch()
	if w.newest > e && !w.deposed[e] {
		w.violated("HA4", "epoch %d may act and epoch %d leads", e, w.newest)
	}
}

// lead is one term.
func (w *world) lead(ctx context.Context, p *simProcess, term ha.Term) {
	j := journal.New(p, term)
	next, ok := w.recover(ctx, p, j, term)
	for ; ok && ctx.Err() == nil && term.Cause() == nil; next++ {
		if p.still.Pass(ctx) != nil {
			return
		}
		w.act(term)
		switch w.number(20) {
		case 0:
			if w.finish(ctx, p, j, term) {
				next = -1
			}
			continue
		case 1:
			one, cancel := context.WithTimeout(ctx, w.h.Short)
			err := term.Resign(one)
			cancel()
			w.mu.Lock()
			w.note("%s resigns epoch %d: %v", p.name, term.Epoch(), err)
			w.mu.Unlock()
			return
		}
		w.publish(ctx, p, j, term, next)
		wait(ctx, w.h.Short/20)
	}
}

// recover reads what there is, and checks that nothing is lost and nothing that has ended comes back (HA3, HA5).
func (w *world) recover(ctx context.Context, p *simProcess, j *journal.Journal, term ha.Term) (next int64, ok bool) {
	for ctx.Err() == nil && term.Cause() == nil {
		w.mu.Lock()
		job, published, publisher, finished := w.job, w.published, w.publisher, maps.Clone(w.finished)
		w.mu.Unlock()
		one, cancel := context.WithTimeout(ctx, w.h.Short)
		running, ended, err := j.Recover(one)
		cancel()
		if err != nil || term.Check() != nil {
			wait(ctx, w.h.Short/20)
			continue
		}
		w.mu.Lock()
		newest := int64(0)
		for _, r := range running {
			if finished[r.ID] {
				w.violated("HA5", "%s with epoch %d recovers job %s, which has ended", p.name, term.Epoch(), r.ID)
			}
			if n := r.Checkpoints.Newest(); n != nil && r.ID == job {
				newest = n.ID
			}
		}
		w.note("%s with epoch %d recovers checkpoint %d", p.name, term.Epoch(), newest)
		if w.job == job && slices.Contains(ended, job) {
			w.nextJob() // the end was written, and the answer lost
		} else if newest < published && publisher < term.Epoch() && w.job == job {
			w.violated("HA3", "%s with epoch %d recovers checkpoint %d, and %d was published by %d", p.name, term.Epoch(), newest, published, publisher)
		}
		w.mu.Unlock()
		return newest, true
	}
	return 0, false
}

// publish writes a checkpoint and checks that no other epoch leads when it is taken (HA2).
func (w *world) publish(ctx context.Context, p *simProcess, j *journal.Journal, term ha.Term, next int64) {
	w.mu.Lock()
	job := w.job
	leads := w.newest
	w.mu.Unlock()
	one, cancel := context.WithTimeout(ctx, w.h.Short)
	defer cancel()
	if _, err := p.Get(one, ha.Key{Kind: ha.Graph, Job: job}); errors.Is(err, ha.ErrNotFound) {
		if err := j.Submit(one, job, []byte("graph")); err != nil {
			w.mu.Lock()
			defer w.mu.Unlock()
			if errors.Is(err, journal.ErrFinished) && w.job == job {
				w.nextJob()
			}
			return
		}
	}
	c := journal.Checkpoints{Completed: []journal.Checkpoint{{ID: next + 1, Path: fmt.Sprintf("/%s/%d", p.name, term.Epoch())}}, Next: next + 2}
	err := j.Publish(one, job, c)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		w.note("%s with epoch %d does not publish %d: %v", p.name, term.Epoch(), next+1, err)
		return
	}
	w.note("%s with epoch %d publishes %d", p.name, term.Epoch(), next+1)
	if leads > term.Epoch() {
		w.violated("HA2", "epoch %d has published checkpoint %d, and epoch %d leads", term.Epoch(), next+1, leads)
	}
	if w.job == job && next+1 > w.published {
		w.published, w.publisher = next+1, term.Epoch()
	}
}

// finish ends the job; the next one begins.
func (w *world) finish(ctx context.Context, p *simProcess, j *journal.Journal, term ha.Term) bool {
	w.mu.Lock()
	job := w.job
	w.mu.Unlock()
	one, cancel := context.WithTimeout(ctx, w.h.Short)
	defer cancel()
	err := j.Finish(one, job, []byte("done"))
	w.mu.Lock()
	defer w.mu.Unlock()
	w.note("%s with epoch %d finishes job %s: %v", p.name, term.Epoch(), job, err)
	if err == nil && w.job == job {
		w.nextJob()
	}
	return err == nil
}

// nextJob goes on with another job: this one has ended. The lock is held.
func (w *world) nextJob() {
	w.finished[w.job] = true
	w.job, w.published, w.publisher = id.NewJob(), 0, 0
	w.jobs += 1000
}
