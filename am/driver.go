package am

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/weft-project/weft/jobmanager"
	"github.com/weft-project/weft/security/identity"
	"github.com/weft-project/weft/yarnrpc"
)

// master is what the driver needs of yarnrpc.ApplicationMaster.
type master interface {
	Request(r yarnrpc.Request, n int) yarnrpc.RequestID
	CancelRequest(id yarnrpc.RequestID, n int) int
	Release(ids ...yarnrpc.ContainerID)
	Blacklist(add, remove []string)
	Allocate(ctx context.Context, progress float32) (*yarnrpc.Allocation, error)
}

// starter starts containers.
type starter interface {
	StartContainer(ctx context.Context, c yarnrpc.Container, l yarnrpc.Launch) error
}

// driverOptions are for newDriver.
type driverOptions struct {
	master  master
	starter starter
	// launch says what runs in a TaskManager's container.
	launch func(yarnrpc.Container) yarnrpc.Launch
	// request is the container to ask for; most is the largest that the cluster gives (zero when unknown).
	request yarnrpc.Request
	most    yarnrpc.Resource
	// busy and idle are the pauses between heartbeats while requests pend and otherwise.
	busy, idle time.Duration
	failures   failureLimits
	// nodeName is what the scheduler calls a node.
	nodeName func(yarnrpc.NodeID) string
	// earlier are containers of the attempt before.
	earlier *earlier
	// logURL is where a container's logs are shown.
	logURL   func(yarnrpc.Container) string
	overview jobmanager.ResourceOverview
	log      *slog.Logger
}

// doubtLimit is how long heartbeats are quick for a container whose TaskManager does not answer.
const doubtLimit = 30 * time.Second

// driver asks YARN for the containers of TaskManagers. It implements jobmanager.ResourceDriver.
//
// One goroutine makes the heartbeats and calls the JobManager's events; Require and Release only note what is wanted and wake
// it.
type driver struct {
	driverOptions
	wake chan struct{}

	mu     sync.Mutex
	fleet  *fleet
	failed *failures
	// retiring are nodes that are being decommissioned; wanted are containers that the scheduler wants back; nodes counts those
	// of the cluster.
	retiring map[yarnrpc.NodeID]bool
	wanted   map[yarnrpc.ContainerID]time.Time
	nodes    int
	// wait is about requests that are not answered.
	short shortage
	// doubts are TaskManagers that the JobManager has lost contact with, and since when.
	doubts map[string]time.Time
	// tokens are the application's; nil on a cluster without Kerberos.
	tokens *identity.Keeper
	// launches is done when no container is being started any more.
	launches sync.WaitGroup
	events   jobmanager.ResourceEvents
}

var _ jobmanager.ResourceDriver = (*driver)(nil)

func newDriver(o driverOptions) *driver {
	return &driver{driverOptions: o, wake: make(chan struct{}, 1), fleet: newFleet(o.failures.pause), failed: newFailures(o.failures),
		retiring: map[yarnrpc.NodeID]bool{}, wanted: map[yarnrpc.ContainerID]time.Time{}, doubts: map[string]time.Time{}}
}

// Start begins the heartbeats; they end with ctx.
func (d *driver) Start(ctx context.Context, _ uint64, events jobmanager.ResourceEvents) error {
	d.events = events
	go d.beat(ctx)
	return nil
}

// Require says how many TaskManagers there should be in all.
func (d *driver) Require(n int) {
	d.mu.Lock()
	changed := d.fleet.required != n
	d.fleet.required = n
	d.mu.Unlock()
	if changed {
		d.poke()
	}
}

// Release gives a TaskManager's container back.
func (d *driver) Release(taskManagerID string) {
	id, err := yarnrpc.ParseContainerID(taskManagerID)
	if err != nil {
		d.log.Warn("release of an unknown TaskManager", "taskmanager", taskManagerID)
		return
	}
	d.mu.Lock()
	known := d.fleet.release(id)
	d.mu.Unlock()
	if known {
		d.log.Info("releasing container", "container", taskManagerID)
		d.master.Release(id)
		d.poke()
	}
}

// Doubt makes heartbeats quick for a while: they bring the word that a container has ended.
func (d *driver) Doubt(taskManagerID string) {
	d.mu.Lock()
	d.doubts[taskManagerID] = time.Now()
	d.mu.Unlock()
	d.poke()
}

// Overview is what the page shows.
func (d *driver) Overview() jobmanager.ResourceOverview {
	d.mu.Lock()
	defer d.mu.Unlock()
	o := d.overview
	o.Warning, o.TokensEnd = d.tokens.Warning(), d.tokens.End()
	o.PendingTaskManagers = d.fleet.outstanding()
	o.Shortage = d.short.explain(d.request.Resource, o.Queue, time.Now())
	return o
}

// poke makes the next heartbeat happen at once.
func (d *driver) poke() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// beat is the heartbeat loop.
func (d *driver) beat(ctx context.Context) {
	defer d.launches.Wait()
	for {
		pending := d.ask()
		a, err := d.master.Allocate(ctx, 0)
		if ctx.Err() != nil {
			return
		}
		if err != nil && !d.survive(err) {
			return
		}
		if a != nil {
			d.take(ctx, a)
			pending = d.pending()
		}
		wait := d.idle
		if pending {
			wait = d.busy
		}
		if !d.wait(ctx, wait) {
			return
		}
	}
}

// wait waits for the next heartbeat: its time, or something to say.
func (d *driver) wait(ctx context.Context, limit time.Duration) bool {
	t := time.NewTimer(limit)
	defer t.Stop()
	select {
	case <-t.C:
	case <-d.wake:
	case <-ctx.Done():
		return false
	}
	return true
}

// survive handles an error of a heartbeat; false ends the driver.
func (d *driver) survive(err error) bool {
	if errors.Is(err, yarnrpc.ErrInvalidResource) {
		d.mu.Lock()
		d.fleet.required = 0
		for id, n := range d.fleet.toCancel(d.fleet.outstanding()) {
			d.fleet.cancelled(id, n)
			d.master.CancelRequest(id, n)
		}
		d.mu.Unlock()
		d.events.RequestFailed(fmt.Sprintf("YARN refuses containers of %s for TaskManagers: %v", d.request.Resource, err))
		return true
	}
	d.log.Error("heartbeat to the ResourceManager", "error", err)
	d.events.Fatal(fmt.Errorf("heartbeat to the ResourceManager: %w", err))
	return false
}

// pending tells whether something is awaited from the ResourceManager.
func (d *driver) pending() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fleet.outstanding() > 0 || d.fleet.required > d.fleet.alive() {
		return true
	}
	for id, since := range d.doubts {
		if time.Since(since) > doubtLimit {
			delete(d.doubts, id)
		}
	}
	for _, t := range d.fleet.tms {
		if t.releasing {
			return true
		}
	}
	return len(d.doubts) > 0
}

// ask brings the requests in line with what is required.
func (d *driver) ask() (pending bool) {
	d.mu.Lock()
	n := d.fleet.missing(time.Now())
	switch {
	case n > 0 && !d.fits():
		d.fleet.required = d.fleet.alive()
		d.mu.Unlock()
		d.events.RequestFailed(fmt.Sprintf("a TaskManager needs %s, but the largest container that YARN gives has %s; set %s, yarn.containers.vcores or taskmanager.numberOfTaskSlots",
			d.request.Resource, d.most, "taskmanager.memory.process.size"))
		return false
	case n > 0:
		id := d.master.Request(d.request, n)
		d.fleet.requested(id, n)
		d.log.Info("requesting containers for TaskManagers", "count", n, "resource", d.request.Resource.String(), "running", d.fleet.alive())
	case n < 0:
		for id, k := range d.fleet.toCancel(-n) {
			if back := d.master.CancelRequest(id, k); back > 0 {
				d.fleet.cancelled(id, back)
				d.log.Info("taking back requests for TaskManagers", "count", back)
			}
		}
	}
	d.mu.Unlock()
	return n != 0
}

// fits tells whether the cluster gives containers as large as the request.
func (d *driver) fits() bool {
	return d.most == yarnrpc.Resource{} || d.request.Resource.Fits(d.most)
}

// take handles the answer to a heartbeat.
func (d *driver) take(ctx context.Context, a *yarnrpc.Allocation) {
	now := time.Now()
	if a.Resynced {
		d.log.Info("the ResourceManager has restarted and was told everything again")
	}
	for _, c := range a.Excess {
		d.log.Info("giving back a container that was not asked for", "container", c.ID.String())
	}
	d.earlier.stop(ctx, a.Previous)
	d.nodesChanged(a)
	d.mu.Lock()
	d.short.heartbeat(a, d.fleet.outstanding(), now)
	d.short.excluded = len(d.failed.excluded)
	d.mu.Unlock()
	for _, c := range a.Allocated {
		d.allocated(ctx, c, now)
	}
	for _, s := range a.Completed {
		d.completed(s, now)
	}
	d.drain(a.ToPreempt, now)
	d.mu.Lock()
	for _, c := range d.fleet.steady(now) {
		d.failed.launched(d.nodeName(c.Node))
	}
	d.mu.Unlock()
	d.forgive(now)
}

// allocated starts a TaskManager in a container that has come, unless its node is about to go.
func (d *driver) allocated(ctx context.Context, c yarnrpc.Container, now time.Time) {
	d.mu.Lock()
	d.fleet.allocated(c, now)
	refused := d.retiring[c.Node]
	if refused {
		d.fleet.release(c.ID)
		d.fleet.retryAt = now.Add(firstRetry)
	}
	d.mu.Unlock()
	if refused {
		d.log.Info("giving back a container on a node that is being decommissioned", "container", c.ID.String(), "node", c.Node.String())
		d.master.Release(c.ID)
		d.poke()
		return
	}
	d.launches.Add(1)
	go d.startTaskManager(ctx, c)
}

// startTaskManager has a NodeManager start a container.
func (d *driver) startTaskManager(ctx context.Context, c yarnrpc.Container) {
	defer d.launches.Done()
	d.log.Info("starting a TaskManager", "container", c.ID.String(), "node", c.Node.String(), "resource", c.Resource.String())
	// Said first: the TaskManager may register before the NodeManager's answer is here.
	d.events.TaskManagerStarted(c.ID.String(), c.Node.Host)
	err := d.starter.StartContainer(ctx, c, d.launch(c))
	if err == nil || ctx.Err() != nil {
		return
	}
	d.log.Warn("a container did not start", "container", c.ID.String(), "node", c.Node.String(), "error", err)
	d.master.Release(c.ID)
	d.lost(c.ID, fmt.Sprintf("container %s on %s did not start: %v", c.ID, c.Node, err), true, time.Now())
	d.poke()
}

// completed handles a container that has ended.
func (d *driver) completed(s yarnrpc.ContainerStatus, now time.Time) {
	d.log.Info("a container has ended", "container", s.ID.String(), "exit", s.ExitStatus, "diagnostics", s.Diagnostics)
	d.earlier.completed(s)
	d.lost(s.ID, s.Explain()+d.logHint(s), !blameless(s.ExitStatus), now)
}

// logHint says where the logs of a container are that has ended; those of a lost node can not be read.
func (d *driver) logHint(s yarnrpc.ContainerStatus) string {
	d.mu.Lock()
	t := d.fleet.tms[s.ID]
	d.mu.Unlock()
	if t == nil || s.ExitStatus == yarnrpc.ExitAborted {
		return ""
	}
	url := d.logURL(t.container)
	if url == "" {
		return ""
	}
	return "; its logs: " + url
}

// lost tells the JobManager about an end, once. fault tells an end that the application or the node is to blame for.
func (d *driver) lost(id yarnrpc.ContainerID, reason string, fault bool, now time.Time) {
	d.mu.Lock()
	delete(d.doubts, id.String())
	delete(d.wanted, id)
	e := d.fleet.ended(id, now, fault, reason)
	if e == nil {
		d.mu.Unlock()
		return
	}
	n, over, exclude := 0, false, false
	node := d.nodeName(e.container.Node)
	if fault && !e.released {
		n, over = d.failed.failed(now)
		exclude = e.early && d.failed.launchFailed(node, d.nodes, now)
		if d.failed.tooFast(now) {
			d.fleet.retryAt = now.Add(d.failures.pause)
		}
	}
	d.mu.Unlock()
	if e.released {
		reason = fmt.Sprintf("container %s was released", id)
	}
	d.events.TaskManagerLost(id.String(), reason)
	if exclude {
		d.exclude(node, e.container.Node)
	}
	switch {
	case over:
		d.events.Fatal(fmt.Errorf("%d containers have failed, more than yarn.maximum-failed-containers allows; the last: %s", n, reason))
	case e.giveUp != "":
		d.events.RequestFailed(e.giveUp)
	}
}
