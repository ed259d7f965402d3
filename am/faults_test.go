package am

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weft-project/weft/yarnrpc"
)

// end has the ResourceManager say that a TaskManager's container has ended.
func (f *fakeMaster) end(t *testing.T, taskManager string, exit int, diagnostics string) {
	t.Helper()
	id, err := yarnrpc.ParseContainerID(taskManager)
	if err != nil {
		t.Fatal(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.complete = append(f.complete, yarnrpc.ContainerStatus{ID: id, State: yarnrpc.ContainerComplete, ExitStatus: exit, Diagnostics: diagnostics})
}

// Whatever YARN takes a container away for, another one is asked for, and none of these ends counts as a failure.
func TestDriverReplacesWhatYARNTakes(t *testing.T) {
	d, f, e := startDriver(t, func(o *driverOptions, _ *fakeMaster) { o.failures.max = 0 })
	d.Require(1)
	for i, exit := range []int{yarnrpc.ExitPreempted, yarnrpc.ExitAborted, yarnrpc.ExitDisksFailed, yarnrpc.ExitKilledByRM, yarnrpc.ExitPreempted, yarnrpc.ExitAborted} {
		e.until(t, "a TaskManager", func() bool { return len(e.started) == i+1 })
		f.end(t, e.copy().started[i], exit, "")
		d.poke()
	}
	e.until(t, "the last one", func() bool { return len(e.started) == 7 })
	got := e.copy()
	if got.fatal != nil || len(got.failed) > 0 || len(got.lost) != 6 {
		t.Errorf("told: %+v", got)
	}
	if !strings.Contains(got.lost[0], "preempted") || !strings.Contains(got.lost[0], "its logs: http://h:8042/node/containerlogs/container_") || !strings.HasSuffix(got.lost[0], "/ada") {
		t.Errorf("preempted: %s", got.lost[0])
	}
	if strings.Contains(got.lost[1], "http://") {
		t.Errorf("a lost node shows no logs: %s", got.lost[1])
	}
}

// A node on which nothing starts is left out, and taken again after a while.
func TestDriverExcludesNodes(t *testing.T) {
	d, f, e := startDriver(t, func(o *driverOptions, f *fakeMaster) {
		f.startErr, f.startNode, f.places, f.nodes = errors.New("no disk"), "bad", []string{"bad"}, 3
		o.failures.nodeMax, o.failures.nodeTime = 2, time.Hour
	})
	d.Require(1)
	e.until(t, "a note", func() bool { return len(e.notes) == 1 })
	f.mu.Lock()
	f.places = []string{"bad", "good"}
	f.mu.Unlock()
	e.until(t, "a TaskManager that is not lost", func() bool { return len(e.started) > len(e.lost) })
	e.note(func() {
		if !strings.Contains(e.notes[0], "node bad:1 is left out for 1h0m0s: 2 TaskManagers in a row did not start there") || len(e.failed) > 0 {
			t.Errorf("notes %q, failed %q", e.notes, e.failed)
		}
	})
	d.forgive(time.Now().Add(2 * time.Hour))
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.avoided) != 0 {
		t.Errorf("still avoided: %v", f.avoided)
	}
}

func TestFailures(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	f := newFailures(failureLimits{max: 2, window: time.Hour, rate: 2, nodeMax: 1, nodeTime: time.Minute})
	for i := range 2 {
		if n, over := f.failed(now); n != i+1 || over {
			t.Errorf("failure %d: %d, %v", i, n, over)
		}
	}
	if f.tooFast(now) {
		t.Error("two in a minute are not too fast")
	}
	if _, over := f.failed(now.Add(2 * time.Hour)); over {
		t.Error("old failures count")
	}
	f.failed(now.Add(2 * time.Hour))
	if n, over := f.failed(now.Add(2 * time.Hour)); n != 3 || !over || !f.tooFast(now.Add(2*time.Hour)) {
		t.Errorf("three at once: %d, %v", n, over)
	}
	// At most half of the nodes.
	if f.launchFailed("only", 1, now) || !f.launchFailed("a", 3, now) || f.launchFailed("b", 3, now) || f.launchFailed("a", 3, now) {
		t.Errorf("excluded: %v", f.excluded)
	}
	if got := f.forgiven(now.Add(30 * time.Second)); got != nil {
		t.Errorf("forgiven too early: %v", got)
	}
	if got := f.forgiven(now.Add(time.Minute)); !slices.Equal(got, []string{"a"}) {
		t.Errorf("forgiven: %v", got)
	}
	if !f.launchFailed("a", 3, now) {
		t.Error("one more failure must exclude again")
	}
	none := newFailures(failureLimits{max: -1})
	if none.launchFailed("a", 9, now) || none.tooFast(now) {
		t.Error("bounds that are not set hold")
	}
}

// TaskManagers of a node that is being decommissioned, and those whose containers the scheduler wants back, get no more jobs.
func TestDriverDrains(t *testing.T) {
	d, f, e := startDriver(t, nil)
	d.Require(1)
	e.until(t, "a TaskManager", func() bool { return len(e.started) == 1 })
	first := e.copy().started[0]
	node := yarnrpc.NodeID{Host: "h", Port: 1}
	update := func(state yarnrpc.NodeState) {
		f.mu.Lock()
		f.updates = []yarnrpc.NodeReport{{ID: node, State: state}}
		f.mu.Unlock()
		d.poke()
	}
	update(yarnrpc.NodeDecommissioning)
	e.until(t, "the word", func() bool { return len(e.drained) == 1 })
	// What comes there all the same is given back, unused.
	d.Require(2)
	e.until(t, "a container given back", func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return len(f.released) > 0
	})
	update(yarnrpc.NodeRunning)
	e.until(t, "the word that it stays, and another TaskManager", func() bool { return len(e.drained) == 2 && len(e.started) == 2 })
	id, err := yarnrpc.ParseContainerID(first)
	if err != nil {
		t.Fatal(err)
	}
	f.mu.Lock()
	f.preempt = []yarnrpc.ContainerID{id}
	f.mu.Unlock()
	d.poke()
	e.until(t, "the word about preemption", func() bool { return len(e.drained) == 3 })
	want := []string{first + " its node h:1 is being decommissioned", first + " ", first + " the scheduler wants its container back"}
	e.note(func() {
		if !slices.Equal(e.drained, want) {
			t.Errorf("told %q, expected %q", e.drained, want)
		}
	})
}

func TestShortage(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	want := yarnrpc.Resource{MemoryMB: 2048, VCores: 2}
	for expected, a := range map[string]yarnrpc.Allocation{
		"YARN has no running node": {},
		"a TaskManager needs 2048 MB, 2 vcores, and the limits of queue q and of its user leave this application 512 MB, 0 vcores": {
			ClusterNodes: 2, Headroom: yarnrpc.Resource{MemoryMB: 512, VCores: -1}},
		"a TaskManager needs 2048 MB, 2 vcores, and none of the 2 nodes has that much free, although queue q would still give 4096 MB, 4 vcores": {
			ClusterNodes: 2, Headroom: yarnrpc.Resource{MemoryMB: 4096, VCores: 4}},
	} {
		var s shortage
		s.heartbeat(&a, 1, now)
		if got := s.explain(want, "q", now.Add(time.Second)); got != "" {
			t.Errorf("too early: %s", got)
		}
		if got := s.explain(want, "q", now.Add(shortageAfter)); got != expected {
			t.Errorf("got %q, expected %q", got, expected)
		}
		s.heartbeat(&a, 0, now.Add(shortageAfter))
		if got := s.explain(want, "q", now.Add(time.Hour)); got != "" {
			t.Errorf("nothing is outstanding: %s", got)
		}
	}
}
