package am

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weft-project/weft/internal/await"
	hadoopconf "github.com/weft-project/weft/internal/hadoop/conf"
	"github.com/weft-project/weft/yarnrpc"
)

// fakeMaster is a ResourceManager and a NodeManager: it gives what is asked for at the next heartbeat.
type fakeMaster struct {
	mu       sync.Mutex
	asks     *yarnrpc.Asks
	next     int64
	excess   int
	hold     bool
	complete []yarnrpc.ContainerStatus
	released []yarnrpc.ContainerID
	started  []yarnrpc.ContainerID
	beats    []time.Time
	startErr error
	// startNode fails containers on one node only.
	startNode string
	// places are where containers go, in turn; nodes that are avoided are left out.
	places  []string
	avoided map[string]bool
	nodes   int
	head    yarnrpc.Resource
	updates []yarnrpc.NodeReport
	preempt []yarnrpc.ContainerID
	err     error
}

func newFakeMaster() *fakeMaster {
	return &fakeMaster{asks: yarnrpc.NewAsks(), avoided: map[string]bool{}, places: []string{"h"}, nodes: 1}
}

func (f *fakeMaster) Blacklist(add, remove []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, n := range add {
		f.avoided[n] = true
	}
	for _, n := range remove {
		delete(f.avoided, n)
	}
}

func (f *fakeMaster) Request(r yarnrpc.Request, n int) yarnrpc.RequestID {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asks.Add(r, n)
}

func (f *fakeMaster) CancelRequest(id yarnrpc.RequestID, n int) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asks.Cancel(id, n)
}

func (f *fakeMaster) Release(ids ...yarnrpc.ContainerID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, id := range ids {
		f.released = append(f.released, id)
		f.complete = append(f.complete, yarnrpc.ContainerStatus{ID: id, State: yarnrpc.ContainerComplete, ExitStatus: -100})
	}
}

func (f *fakeMaster) Allocate(context.Context, float32) (*yarnrpc.Allocation, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.beats = append(f.beats, time.Now())
	if err := f.err; err != nil {
		f.err = nil
		return nil, err
	}
	var given []yarnrpc.Container
	for _, a := range f.asks.Next().Asks {
		for range a.Count {
			if f.hold {
				continue
			}
			given = append(given, f.container(a.ID, a.Priority, a.Resource))
		}
	}
	for ; f.excess > 0; f.excess-- {
		given = append(given, f.container(1, 1, yarnrpc.Resource{MemoryMB: 1024, VCores: 1}))
	}
	a := &yarnrpc.Allocation{Completed: f.complete, UpdatedNodes: f.updates, ToPreempt: f.preempt, ClusterNodes: f.nodes, Headroom: f.head}
	f.complete, f.updates, f.preempt = nil, nil, nil
	a.Allocated, a.Excess = f.asks.Answered(given)
	return a, nil
}

func (f *fakeMaster) container(id yarnrpc.RequestID, priority int32, r yarnrpc.Resource) yarnrpc.Container {
	f.next++
	host := f.places[int(f.next)%len(f.places)]
	for i := range f.places {
		if h := f.places[(int(f.next)+i)%len(f.places)]; !f.avoided[h] {
			host = h
			break
		}
	}
	attempt := yarnrpc.AttemptID{Application: yarnrpc.ApplicationID{ClusterTimestamp: 1, Number: 1}, Number: 1}
	return yarnrpc.Container{ID: yarnrpc.ContainerID{Attempt: attempt, Number: f.next}, Node: yarnrpc.NodeID{Host: host, Port: 1}, HTTPAddress: host + ":8042", Resource: r, Priority: priority, Request: id}
}

func (f *fakeMaster) StartContainer(_ context.Context, c yarnrpc.Container, _ yarnrpc.Launch) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.started = append(f.started, c.ID)
	if f.startNode != "" && c.Node.Host != f.startNode {
		return nil
	}
	return f.startErr
}

// fakeEvents records what the JobManager is told.
type fakeEvents struct {
	mu      sync.Mutex
	started []string
	lost    []string
	failed  []string
	notes   []string
	drained []string
	fatal   error
}

func (e *fakeEvents) TaskManagerDraining(id, reason string) {
	e.note(func() { e.drained = append(e.drained, id+" "+reason) })
}
func (e *fakeEvents) Note(text string) { e.note(func() { e.notes = append(e.notes, text) }) }
func (e *fakeEvents) TaskManagerStarted(id, _ string) {
	e.note(func() { e.started = append(e.started, id) })
}
func (e *fakeEvents) TaskManagerLost(id, reason string) {
	e.note(func() { e.lost = append(e.lost, id+" "+reason) })
}
func (e *fakeEvents) RequestFailed(reason string) {
	e.note(func() { e.failed = append(e.failed, reason) })
}
func (e *fakeEvents) Fatal(err error) { e.note(func() { e.fatal = err }) }
func (e *fakeEvents) note(f func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	f()
}

func startDriver(t *testing.T, change func(*driverOptions, *fakeMaster)) (*driver, *fakeMaster, *fakeEvents) {
	t.Helper()
	f, e := newFakeMaster(), &fakeEvents{}
	o := driverOptions{
		master: f, starter: f, launch: func(yarnrpc.Container) yarnrpc.Launch { return yarnrpc.Launch{} },
		request: yarnrpc.Request{Resource: yarnrpc.Resource{MemoryMB: 1024, VCores: 1}, Priority: 1},
		busy:    time.Millisecond, idle: time.Hour, log: slog.New(slog.DiscardHandler),
		failures: failureLimits{max: -1, pause: 3 * time.Second, nodeMax: 3, nodeTime: time.Hour},
		earlier:  newEarlier(&fakeNodes{}, yarnrpc.AttemptID{Number: 2}, slog.New(slog.DiscardHandler)),
		nodeName: func(n yarnrpc.NodeID) string { return n.Host }, logURL: logURLs(hadoopconf.New(nil), "ada"),
	}
	if change != nil {
		change(&o, f)
	}
	d := newDriver(o)
	if err := d.Start(t.Context(), 1, e); err != nil {
		t.Fatal(err)
	}
	return d, f, e
}

// told is what the JobManager was told so far.
type told struct {
	started, lost, failed []string
	fatal                 error
}

func (e *fakeEvents) copy() (c told) {
	e.note(func() {
		c = told{slices.Clone(e.started), slices.Clone(e.lost), slices.Clone(e.failed), e.fatal}
	})
	return c
}

// until waits for a condition that holds the events' lock.
func (e *fakeEvents) until(t *testing.T, what string, condition func() bool) {
	t.Helper()
	await.Until(t, what, func() (ok bool) {
		e.note(func() { ok = condition() })
		return ok
	})
}

func TestDriverAsksForExactlyWhatIsRequired(t *testing.T) {
	// The idle pause is an hour: Require must wake the heartbeat.
	d, f, e := startDriver(t, func(_ *driverOptions, f *fakeMaster) { f.excess = 1 })
	d.Require(3)
	e.until(t, "three TaskManagers", func() bool { return len(e.started) == 3 })
	d.Require(3)
	d.Require(4)
	e.until(t, "a fourth", func() bool { return len(e.started) == 4 })
	// The JobManager hears of a container before the NodeManager is asked.
	e.until(t, "four containers", func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return len(f.started) == 4
	})

	d.Require(3)
	d.Release(e.copy().started[0])
	e.until(t, "the released one to end", func() bool { return len(e.lost) == 1 && strings.HasSuffix(e.lost[0], "was released") })
	if got := e.copy(); len(got.started) != 4 || len(got.failed) != 0 {
		t.Errorf("started %v, failed %v", got.started, got.failed)
	}
}

func TestDriverReplacesLostContainers(t *testing.T) {
	d, f, e := startDriver(t, nil)
	d.Require(1)
	e.until(t, "a TaskManager", func() bool { return len(e.started) == 1 })
	id, err := yarnrpc.ParseContainerID(e.copy().started[0])
	if err != nil {
		t.Fatal(err)
	}
	f.mu.Lock()
	f.complete = []yarnrpc.ContainerStatus{{ID: id, State: yarnrpc.ContainerComplete, ExitStatus: 137, Diagnostics: "killed"}}
	f.mu.Unlock()
	d.poke()
	e.until(t, "another one", func() bool { return len(e.started) == 2 })
	if lost := e.copy().lost; len(lost) != 1 || !strings.Contains(lost[0], "SIGKILL") || !strings.Contains(lost[0], "killed") {
		t.Errorf("lost: %q", lost)
	}
}

func TestDriverGivesUpAfterFailuresInARow(t *testing.T) {
	d, _, e := startDriver(t, func(_ *driverOptions, f *fakeMaster) { f.startErr = errors.New("no disk") })
	d.Require(2)
	e.until(t, "a reason", func() bool { return len(e.failed) > 0 })
	got := e.copy()
	if !strings.Contains(got.failed[0], "in a row") || !strings.Contains(got.failed[0], "no disk") {
		t.Errorf("failed: %q", got.failed)
	}
	if len(got.lost) < maxFailures {
		t.Errorf("lost: %q", got.lost)
	}
}

func TestDriverMaximumFailedContainers(t *testing.T) {
	d, _, e := startDriver(t, func(o *driverOptions, f *fakeMaster) { f.startErr, o.failures.max = errors.New("no disk"), 1 })
	d.Require(2)
	e.until(t, "the end", func() bool { return e.fatal != nil })
}

func TestDriverTooLarge(t *testing.T) {
	d, f, e := startDriver(t, func(o *driverOptions, _ *fakeMaster) { o.most = yarnrpc.Resource{MemoryMB: 512, VCores: 4} })
	d.Require(1)
	e.until(t, "a reason", func() bool { return len(e.failed) == 1 })
	if failed := e.copy().failed; !strings.Contains(failed[0], "the largest container that YARN gives has 512 MB") {
		t.Errorf("failed: %q", failed)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.next != 0 {
		t.Error("a container was asked for")
	}
}

func TestDriverRefusedRequest(t *testing.T) {
	d, f, e := startDriver(t, func(_ *driverOptions, f *fakeMaster) { f.hold = true })
	d.Require(1)
	f.mu.Lock()
	f.err = fmt.Errorf("heartbeat: %w", yarnrpc.ErrInvalidResource)
	f.mu.Unlock()
	e.until(t, "a reason", func() bool { return len(e.failed) == 1 })
	if fatal := e.copy().fatal; fatal != nil {
		t.Error(fatal)
	}
}

func TestDriverEndsWithTheAttempt(t *testing.T) {
	_, _, e := startDriver(t, func(_ *driverOptions, f *fakeMaster) { f.err = yarnrpc.ErrAttemptNotFound })
	e.until(t, "the end", func() bool { return errors.Is(e.fatal, yarnrpc.ErrAttemptNotFound) })
}

func TestDriverTakesRequestsBack(t *testing.T) {
	d, f, e := startDriver(t, func(_ *driverOptions, f *fakeMaster) { f.hold = true })
	d.Require(3)
	e.until(t, "three requests", func() bool { return d.Overview().PendingTaskManagers == 3 })
	d.Require(1)
	e.until(t, "one request", func() bool { return d.Overview().PendingTaskManagers == 1 })
	f.mu.Lock()
	defer f.mu.Unlock()
	if got := f.asks.Outstanding(); got != 1 {
		t.Errorf("%d requests are outstanding", got)
	}
}
