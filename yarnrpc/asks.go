package yarnrpc

import (
	"maps"
	"slices"
)

// RequestID names one call of Asks.Add; it is YARN's allocationRequestId.
type RequestID int64

// Request is the kind of container asked for.
type Request struct {
	Resource Resource
	// Priority: lower numbers are served first.
	Priority int32
	// NodeLabel restricts to nodes with that label; empty takes the application's or queue's default.
	NodeLabel string
}

// Asks is what an ApplicationMaster wants from the ResourceManager: outstanding requests, containers to release, nodes
// to avoid. It is pure: no I/O, no clock, no locks. ApplicationMaster drives it.
//
// The protocol's counts are absolute and race with the scheduler: a count that is changed while the scheduler allocates makes
// it allocate too much. So every Add gets an id of its own and its count only ever falls; what is allocated in excess is
// recognised and released. The invariants:
//
//   - A1. Outstanding(id) = added − cancelled − allocated, and never below zero.
//   - A2. A heartbeat that was sent and not answered is sent again unchanged: the ResourceManager answers a repeated
//     response id from memory, without reading the request, so a change in it would be lost.
//   - A3. A count that the ResourceManager may know wrongly (containers came in the answer to the heartbeat that carried it)
//     is sent again.
//   - A4. A release is remembered until the container is reported as completed, for a restarted ResourceManager.
type Asks struct {
	requests map[RequestID]*outstanding
	last     RequestID
	// releases maps to whether it has been sent.
	releases    map[ContainerID]bool
	blacklist   map[string]bool
	blackAdd    map[string]bool
	blackRemove map[string]bool
	inFlight    *Heartbeat
}

type outstanding struct {
	Request
	count int
	// unsent: the ResourceManager has not been told the count.
	unsent bool
}

// Ask is one line of a heartbeat: the absolute count for a request.
type Ask struct {
	ID RequestID
	Request
	Count int
}

// Heartbeat is what one allocate call says. It must not be changed.
type Heartbeat struct {
	Asks            []Ask
	Release         []ContainerID
	BlacklistAdd    []string
	BlacklistRemove []string
}

// NewAsks gives an empty table.
func NewAsks() *Asks {
	return &Asks{requests: map[RequestID]*outstanding{}, releases: map[ContainerID]bool{}, blacklist: map[string]bool{},
		blackAdd: map[string]bool{}, blackRemove: map[string]bool{}}
}

// Add asks for n more containers.
func (a *Asks) Add(r Request, n int) RequestID {
	a.last++
	if n > 0 {
		a.requests[a.last] = &outstanding{Request: r, count: n, unsent: true}
	}
	return a.last
}

// Cancel takes back up to n containers of a request that have not come yet, and tells how many.
func (a *Asks) Cancel(id RequestID, n int) int {
	o := a.requests[id]
	if o == nil || n <= 0 {
		return 0
	}
	n = min(n, o.count)
	o.count -= n
	o.unsent = true
	return n
}

// Outstanding counts the containers asked for that have not come, of all requests.
func (a *Asks) Outstanding() int {
	n := 0
	for _, o := range a.requests {
		n += o.count
	}
	return n
}

// OutstandingOf counts those of one request.
func (a *Asks) OutstandingOf(id RequestID) int {
	if o := a.requests[id]; o != nil {
		return o.count
	}
	return 0
}

// Release gives a container back.
func (a *Asks) Release(id ContainerID) {
	if _, ok := a.releases[id]; !ok {
		a.releases[id] = false
	}
}

// Blacklist avoids nodes (by host name) and no longer avoids others.
func (a *Asks) Blacklist(add, remove []string) {
	for _, h := range add {
		if !a.blacklist[h] {
			a.blacklist[h], a.blackAdd[h] = true, true
		}
		delete(a.blackRemove, h)
	}
	for _, h := range remove {
		if a.blacklist[h] {
			delete(a.blacklist, h)
			a.blackRemove[h] = true
		}
		delete(a.blackAdd, h)
	}
}

// Next gives the heartbeat to send (A2).
func (a *Asks) Next() Heartbeat {
	if a.inFlight != nil {
		return *a.inFlight
	}
	var h Heartbeat
	for _, id := range slices.Sorted(maps.Keys(a.requests)) {
		if o := a.requests[id]; o.unsent {
			h.Asks = append(h.Asks, Ask{ID: id, Request: o.Request, Count: o.count})
			o.unsent = false
		}
	}
	for id, sent := range a.releases {
		if !sent {
			h.Release = append(h.Release, id)
			a.releases[id] = true
		}
	}
	slices.SortFunc(h.Release, func(x, y ContainerID) int { return int(max(-1, min(1, x.Number-y.Number))) })
	h.BlacklistAdd = slices.Sorted(maps.Keys(a.blackAdd))
	h.BlacklistRemove = slices.Sorted(maps.Keys(a.blackRemove))
	a.blackAdd, a.blackRemove = map[string]bool{}, map[string]bool{}
	a.inFlight = &h
	return h
}

// Answered ends the heartbeat given by Next: its answer has arrived, with these containers. It gives those that are wanted
// and those in excess, which it releases.
func (a *Asks) Answered(allocated []Container) (wanted, excess []Container) {
	sent := map[RequestID]bool{}
	if a.inFlight != nil {
		for _, ask := range a.inFlight.Asks {
			sent[ask.ID] = true
		}
	}
	a.inFlight = nil
	for _, c := range allocated {
		id := a.match(c)
		o := a.requests[id]
		if o == nil || o.count == 0 {
			excess = append(excess, c)
			a.Release(c.ID)
		} else {
			o.count--
			wanted = append(wanted, c)
		}
		if o != nil && sent[id] {
			o.unsent = true // A3
		}
	}
	for id, o := range a.requests {
		if o.count == 0 && !o.unsent {
			delete(a.requests, id)
		}
	}
	return wanted, excess
}

// match finds the request that a container answers: by its id, else, for schedulers that do not give one, the oldest
// request of its priority that it satisfies.
func (a *Asks) match(c Container) RequestID {
	if _, ok := a.requests[c.Request]; ok || c.Request > 0 {
		return c.Request
	}
	for _, id := range slices.Sorted(maps.Keys(a.requests)) {
		if o := a.requests[id]; o.count > 0 && o.Priority == c.Priority && o.Resource.Fits(c.Resource) {
			return id
		}
	}
	return c.Request
}

// Completed forgets the release of a container that has ended (A4).
func (a *Asks) Completed(id ContainerID) { delete(a.releases, id) }

// Resync makes the next heartbeat tell everything, for a ResourceManager that has forgotten.
func (a *Asks) Resync() {
	a.inFlight = nil
	for id, o := range a.requests {
		if o.count == 0 {
			delete(a.requests, id)
		}
		o.unsent = true
	}
	for id := range a.releases {
		a.releases[id] = false
	}
	a.blackRemove = map[string]bool{}
	a.blackAdd = maps.Clone(a.blacklist)
}
