package hatest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weft-project/weft/ha"
	"github.com/weft-project/weft/id"
)

// Harness is the store under test.
type Harness struct {
	// New begins an empty store for one test.
	New func(t *testing.T) Site
	// Bubble runs each test with its own time, under testing/synctest.
	Bubble bool
	// Short and Long are leases: the first for tests in which one ends, the second where none must, however slow the machine is.
	Short, Long time.Duration
}

// Site is one empty store.
type Site struct {
	// Open connects a process to a cluster, over a link. The process asks for a lease of that length.
	Open func(t *testing.T, cluster string, lease time.Duration, link *Link) ha.Store
	// Admin looks after all clusters.
	Admin func(t *testing.T) ha.Admin
}

// patience bounds what ought to come soon.
const patience = 2 * time.Minute

type suite struct {
	Site
	h Harness
}

// Run proves a store.
func Run(t *testing.T, h Harness) {
	for _, c := range []struct {
		name string
		test func(t *testing.T, s *suite)
	}{
		{"Values", testValues},
		{"StandBy", testStandBy},
		{"EpochsAmongMany", testEpochsAmongMany},
		{"EpochsAfterPurge", testEpochsAfterPurge},
		{"Watch", testWatch},
		{"Cut", testCut},
		{"CutAndBack", testCutAndBack},
		{"LatePut", testLatePut},
		{"Supersede", testSupersede},
		{"Depose", testDepose},
		{"GivenUp", testGivenUp},
		{"Admin", testAdmin},
		{"Journal", testJournal},
		{"JournalAcrossTerms", testJournalAcrossTerms},
	} {
		t.Run(c.name, func(t *testing.T) {
			run := func(t *testing.T) { c.test(t, &suite{h.New(t), h}) }
			if h.Bubble {
				synctest.Test(t, run)
			} else {
				run(t)
			}
		})
	}
}

// process is one candidate's view.
type process struct {
	ha.Store
	link *Link
	name string
}

func (s *suite) open(t *testing.T, name string, lease time.Duration) *process {
	t.Helper()
	link := &Link{}
	p := &process{s.Open(t, "tests/one", lease, link), link, name}
	t.Cleanup(func() {
		link.Heal()
		if err := p.Close(); err != nil {
			t.Errorf("close %s: %v", name, err)
		}
	})
	return p
}

// soon is a context for what ought to come.
func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// lead campaigns until it leads.
func (p *process) lead(t *testing.T) ha.Term {
	t.Helper()
	term, err := p.Campaign(soon(t), ha.Candidate{Identity: p.name})
	if err != nil {
		t.Fatalf("%s campaigns: %v", p.name, err)
	}
	return term
}

// leadWith leads with a short lease and writes. On a slow machine the lease may end in between: then it is another term.
func (p *process) leadWith(t *testing.T, k ha.Key, value string) ha.Term {
	t.Helper()
	for ctx := soon(t); ; wait(ctx, 20*time.Millisecond) {
		term := p.lead(t)
		for term.Cause() == nil {
			if term.Put(ctx, k, []byte(value)) == nil {
				return term
			}
			if ctx.Err() != nil {
				t.Fatalf("%s writes: not within %s", p.name, patience)
			}
			wait(ctx, 20*time.Millisecond)
		}
	}
}

// campaign is lead in the background.
func (p *process) campaign(t *testing.T, c ha.Candidate) <-chan ha.Term {
	ctx, won := soon(t), make(chan ha.Term, 1)
	c.Identity = p.name
	var done sync.WaitGroup
	done.Go(func() {
		defer close(won)
		if term, err := p.Campaign(ctx, c); err == nil {
			won <- term
		} else if t.Context().Err() == nil {
			t.Errorf("%s campaigns: %v", p.name, err)
		}
	})
	return won
}

// put writes, as often as a machine that is slow makes it necessary.
func put(t *testing.T, term ha.Term, k ha.Key, value string) {
	t.Helper()
	ctx := soon(t)
	for {
		err := term.Put(ctx, k, []byte(value))
		if err == nil {
			return
		}
		if !errors.Is(err, ha.ErrLease) || ctx.Err() != nil {
			t.Fatalf("put %s: %v", k, err)
		}
		wait(ctx, 20*time.Millisecond)
	}
}

// wait lets some time pass.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// until waits for a condition.
func until(t *testing.T, what string, ask func() bool) {
	t.Helper()
	for ctx := soon(t); !ask(); wait(ctx, 20*time.Millisecond) {
		if ctx.Err() != nil {
			t.Fatalf("%s: not within %s", what, patience)
		}
	}
}

func lost(t *testing.T, term ha.Term, want error) {
	t.Helper()
	select {
	case <-term.Lost():
	case <-soon(t).Done():
		t.Fatalf("epoch %d is not lost", term.Epoch())
	}
	if err := term.Cause(); !errors.Is(err, want) {
		t.Errorf("epoch %d was lost because of %v, expected %v", term.Epoch(), err, want)
	}
	if err := term.Check(); err == nil {
		t.Errorf("epoch %d is lost and may act", term.Epoch())
	}
}

func expect(t *testing.T, s ha.Store, k ha.Key, want string) {
	t.Helper()
	got, err := s.Get(soon(t), k)
	if want == "" && errors.Is(err, ha.ErrNotFound) {
		return
	}
	if err != nil || string(got) != want {
		t.Errorf("%s is %.40q, %v; expected %.40q", k, got, err, want)
	}
}

func key(kind ha.Kind) ha.Key { return ha.Key{Kind: kind, Job: id.NewJob()} }

func testValues(t *testing.T, s *suite) {
	p, other := s.open(t, "a", s.h.Long), s.open(t, "b", s.h.Long)
	k := key(ha.Checkpoint)
	expect(t, p, k, "")
	term := p.lead(t)
	large := string(bytes.Repeat([]byte("weft"), 400_000))
	for _, value := range []string{"one", "two", "", large, "three", large + "!"} {
		put(t, term, k, value)
		expect(t, p, k, value)
		if value != "" {
			expect(t, other, k, value)
		}
	}
	second := key(ha.Checkpoint)
	put(t, term, second, "x")
	put(t, term, key(ha.Graph), "y")
	jobs, err := other.Jobs(soon(t), ha.Checkpoint)
	if err != nil || len(jobs) != 2 || !slices.Contains(jobs, k.Job) || !slices.Contains(jobs, second.Job) {
		t.Errorf("jobs with checkpoints: %v, %v; expected %v and %v", jobs, err, k.Job, second.Job)
	}
	if err := term.Tidy(soon(t)); err != nil {
		t.Error(err)
	}
	expect(t, other, k, large+"!")
	for range 2 {
		if err := term.Delete(soon(t), k); err != nil {
			t.Error(err)
		}
	}
	expect(t, other, k, "")
	expect(t, p, second, "x")
}

func testStandBy(t *testing.T, s *suite) {
	a, b := s.open(t, "a", s.h.Long), s.open(t, "b", s.h.Long)
	first := a.lead(t)
	if err := first.Check(); err != nil {
		t.Error(err)
	}
	k := key(ha.Graph)
	put(t, first, k, "graph")
	won := b.campaign(t, ha.Candidate{})
	if err := first.Resign(soon(t)); err != nil {
		t.Error(err)
	}
	lost(t, first, ha.ErrResigned)
	second := <-won
	if second.Epoch() <= first.Epoch() {
		t.Errorf("epoch %d after %d", second.Epoch(), first.Epoch())
	}
	if err := first.Put(soon(t), k, []byte("late")); err == nil {
		t.Error("a leader that has resigned has written")
	}
	expect(t, b, k, "graph")
	put(t, second, k, "new graph")
	expect(t, a, k, "new graph")
}

func testEpochsAmongMany(t *testing.T, s *suite) {
	var mu sync.Mutex
	var epochs []ha.Epoch
	var all sync.WaitGroup
	for i := range 4 {
		p := s.open(t, fmt.Sprint(i), s.h.Long)
		all.Go(func() {
			for range 3 {
				term, err := p.Campaign(soon(t), ha.Candidate{Identity: p.name})
				if err != nil {
					t.Errorf("%s campaigns: %v", p.name, err)
					return
				}
				mu.Lock()
				epochs = append(epochs, term.Epoch())
				mu.Unlock()
				if err := term.Resign(soon(t)); err != nil {
					t.Errorf("%s resigns: %v", p.name, err)
				}
			}
		})
	}
	all.Wait()
	if !slices.IsSorted(epochs) || len(slices.Compact(epochs)) != 12 {
		t.Errorf("epochs %v; expected 12 that grow", epochs)
	}
}

func testEpochsAfterPurge(t *testing.T, s *suite) {
	a := s.open(t, "a", s.h.Long)
	last := ha.Epoch(0)
	for range 3 {
		term := a.lead(t)
		if term.Epoch() <= last {
			t.Errorf("epoch %d after %d", term.Epoch(), last)
		}
		last = term.Epoch()
		put(t, term, key(ha.Graph), "graph")
		put(t, term, key(ha.Result), "result")
		if err := term.Announce(soon(t), ha.Leader{Control: "x:1"}); err != nil {
			t.Error(err)
		}
		if err := term.Purge(soon(t)); err != nil {
			t.Error(err)
		}
		lost(t, term, ha.ErrResigned)
		list, err := s.Admin(t).Clusters(soon(t))
		if err != nil || len(list) != 0 {
			t.Errorf("after the purge there are %v, %v", list, err)
		}
		// A clock in milliseconds, and no two clusters within one.
		wait(t.Context(), 5*time.Millisecond)
	}
}

func testWatch(t *testing.T, s *suite) {
	a, b, tm := s.open(t, "a", s.h.Long), s.open(t, "b", s.h.Long), s.open(t, "tm", s.h.Long)
	if l, err := tm.Leader(soon(t)); !errors.Is(err, ha.ErrNoLeader) {
		t.Errorf("leader %v, %v; expected none", l, err)
	}
	watch := func(seen ha.Leader) <-chan ha.Leader {
		ctx, c := soon(t), make(chan ha.Leader, 1)
		go func() {
			l, err := tm.Watch(ctx, seen)
			if err != nil && t.Context().Err() == nil {
				t.Errorf("watch: %v", err)
			}
			c <- l
		}()
		return c
	}
	seen := ha.Leader{}
	for i, p := range []*process{a, b} {
		term := p.lead(t)
		for _, control := range []string{"host:1", "host:2"} {
			found := watch(seen)
			if err := term.Announce(soon(t), ha.Leader{Control: control, REST: "http://host"}); err != nil {
				t.Fatal(err)
			}
			seen = <-found
			if want := (ha.Leader{Epoch: term.Epoch(), Identity: p.name, Control: control, REST: "http://host"}); seen != want {
				t.Errorf("leader %+v, expected %+v", seen, want)
			}
		}
		if l, err := tm.Leader(soon(t)); err != nil || l != seen {
			t.Errorf("leader %+v, %v; expected %+v", l, err, seen)
		}
		if i == 0 {
			if err := term.Resign(soon(t)); err != nil {
				t.Error(err)
			}
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := tm.Watch(ctx, seen); !errors.Is(err, context.Canceled) {
		t.Errorf("a watch that was given up: %v", err)
	}
}

// testCut has leaders on two sides of a cut (HA2, HA4).
func testCut(t *testing.T, s *suite) {
	a, b := s.open(t, "a", s.h.Short), s.open(t, "b", s.h.Long)
	k := key(ha.Checkpoint)
	old := a.leadWith(t, k, "1")
	a.link.Cut()
	term := b.lead(t)
	if err := old.Check(); err == nil {
		t.Errorf("epoch %d may act, and epoch %d leads", old.Epoch(), term.Epoch())
	}
	expect(t, b, k, "1")
	put(t, term, k, "2")
	a.link.Heal()
	if err := old.Put(soon(t), k, []byte("late")); err == nil {
		t.Error("the old leader has published")
	}
	lost(t, old, ha.ErrFenced)
	if err := old.Put(soon(t), k, []byte("late")); !errors.Is(err, ha.ErrFenced) {
		t.Errorf("the old leader publishes: %v, expected %v", err, ha.ErrFenced)
	}
	expect(t, b, k, "2")
	expect(t, a, k, "2")
}

// testCutAndBack cuts the leader off for less than its lease, where nobody stands by.
func testCutAndBack(t *testing.T, s *suite) {
	a := s.open(t, "a", s.h.Long)
	term := a.lead(t)
	a.link.Cut()
	wait(t.Context(), 50*time.Millisecond)
	a.link.Heal()
	a.link.Break()
	k := key(ha.Graph)
	put(t, term, k, "graph")
	expect(t, a, k, "graph")
	until(t, "the leader may act again", func() bool { return term.Check() == nil })
}

// testLatePut has a write under way while the leader is cut off, which arrives when another leads (HA2).
func testLatePut(t *testing.T, s *suite) {
	a, b := s.open(t, "a", s.h.Short), s.open(t, "b", s.h.Long)
	k := key(ha.Checkpoint)
	old := a.leadWith(t, k, "1")
	a.link.Cut()
	ctx, cancel := context.WithCancel(soon(t))
	defer cancel()
	late := make(chan error, 1)
	go func() { late <- old.Put(ctx, k, []byte("late")) }()
	term := b.lead(t)
	put(t, term, k, "2")
	a.link.Heal()
	if err := <-late; err == nil {
		t.Error("a late write was taken")
	}
	lost(t, old, ha.ErrFenced)
	expect(t, b, k, "2")
}

func testSupersede(t *testing.T, s *suite) {
	a, b := s.open(t, "a", s.h.Long), s.open(t, "b", s.h.Long)
	lead := func(p *process, attempt int) (ha.Term, error) {
		return p.Campaign(soon(t), ha.Candidate{Identity: p.name, Group: "application_1_1", Attempt: attempt, Supersedes: true, Lease: s.h.Long})
	}
	old, err := lead(a, 1)
	if err != nil {
		t.Fatal(err)
	}
	k := key(ha.Checkpoint)
	put(t, old, k, "1")
	// The first attempt lives and was not heard of.
	a.link.Cut()
	term, err := lead(b, 2)
	if err != nil {
		t.Fatal(err)
	}
	if term.Epoch() <= old.Epoch() {
		t.Errorf("epoch %d after %d", term.Epoch(), old.Epoch())
	}
	put(t, term, k, "2")
	a.link.Heal()
	if err := old.Put(soon(t), k, []byte("late")); !errors.Is(err, ha.ErrFenced) {
		t.Errorf("the first attempt publishes: %v, expected %v", err, ha.ErrFenced)
	}
	lost(t, old, ha.ErrFenced)
	if _, err := lead(a, 1); !errors.Is(err, ha.ErrSuperseded) {
		t.Errorf("the first attempt campaigns again: %v, expected %v", err, ha.ErrSuperseded)
	}
	expect(t, b, k, "2")
	term.Answered(time.Now())
	put(t, term, k, "3")
}

func testDepose(t *testing.T, s *suite) {
	a, b := s.open(t, "a", s.h.Long), s.open(t, "b", s.h.Long)
	old := a.lead(t)
	if err := old.Announce(soon(t), ha.Leader{Control: "a:1"}); err != nil {
		t.Fatal(err)
	}
	won := b.campaign(t, ha.Candidate{})
	l, err := b.Leader(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Depose(soon(t), ha.Leader{Epoch: l.Epoch - 1}); err != nil {
		t.Error(err)
	}
	if err := old.Check(); err != nil {
		t.Errorf("deposed by somebody who means another: %v", err)
	}
	if err := b.Depose(soon(t), l); err != nil {
		t.Fatal(err)
	}
	if term := <-won; term != nil && term.Epoch() <= old.Epoch() {
		t.Errorf("epoch %d after %d", term.Epoch(), old.Epoch())
	}
	if err := old.Put(soon(t), key(ha.Graph), []byte("late")); !errors.Is(err, ha.ErrFenced) {
		t.Errorf("the deposed leader publishes: %v, expected %v", err, ha.ErrFenced)
	}
	lost(t, old, ha.ErrFenced)
}

// testGivenUp ends a campaign; it stands in nobody's way.
func testGivenUp(t *testing.T, s *suite) {
	a, b, c := s.open(t, "a", s.h.Long), s.open(t, "b", s.h.Long), s.open(t, "c", s.h.Long)
	term := a.lead(t)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := b.Campaign(ctx, ha.Candidate{Identity: "b"}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a campaign that was given up: %v", err)
	}
	won := c.campaign(t, ha.Candidate{})
	if err := term.Resign(soon(t)); err != nil {
		t.Error(err)
	}
	if next := <-won; next != nil && next.Epoch() <= term.Epoch() {
		t.Errorf("epoch %d after %d", next.Epoch(), term.Epoch())
	}
}
