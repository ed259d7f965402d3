package memory

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/weft-project/weft/ha"
	"github.com/weft-project/weft/id"
)

// Hub is the store that all processes share.
type Hub struct {
	lease time.Duration

	mu       sync.Mutex
	clusters map[string]*cluster
	// changed is closed and replaced whenever something changes.
	changed chan struct{}
}

type cluster struct {
	epoch  ha.Epoch
	owner  *term
	heard  time.Time // when the hub heard of the owner
	queue  []*ticket
	latest ha.Candidate // of those that have led
	leader ha.Leader
	values map[ha.Key][]byte
}

// ticket is a candidate's place in the queue.
type ticket struct{ ha.Candidate }

// NewHub makes an empty store whose leaders have leases of that length.
func NewHub(lease time.Duration) *Hub {
	return &Hub{lease: lease, clusters: map[string]*cluster{}, changed: make(chan struct{})}
}

// change wakes all who wait. The lock is held.
func (h *Hub) change() {
	close(h.changed)
	h.changed = make(chan struct{})
}

// Store is one process's connection to a hub.
type Store struct {
	hub  *Hub
	name string

	mu    sync.Mutex
	cut   chan struct{} // closed when the connection is healed; nil while it is not cut
	terms []*term
}

var _ ha.Store = (*Store)(nil)

// Open connects a process to a cluster's store.
func (h *Hub) Open(clusterID string) (*Store, error) {
	name, err := ha.CleanClusterID(clusterID)
	if err != nil {
		return nil, err
	}
	return &Store{hub: h, name: name}, nil
}

// Cut keeps this process's calls from the hub until Heal.
func (s *Store) Cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cut == nil {
		s.cut = make(chan struct{})
	}
}

// Heal undoes Cut.
func (s *Store) Heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cut != nil {
		close(s.cut)
		s.cut = nil
	}
}

// reach waits until the connection is not cut and takes the hub's lock.
func (s *Store) reach(ctx context.Context) (*cluster, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("high-availability store: %w", err)
		}
		s.mu.Lock()
		cut := s.cut
		s.mu.Unlock()
		if cut == nil {
			break
		}
		select {
		case <-cut:
		case <-ctx.Done():
		}
	}
	s.hub.mu.Lock()
	c := s.hub.clusters[s.name]
	if c == nil {
		c = &cluster{values: map[ha.Key][]byte{}}
		s.hub.clusters[s.name] = c
	}
	return c, nil
}

// Campaign is Store's.
func (s *Store) Campaign(ctx context.Context, c ha.Candidate) (ha.Term, error) {
	cl, err := s.reach(ctx)
	if err != nil {
		return nil, err
	}
	me := &ticket{c}
	cl.queue = append(cl.queue, me)
	s.hub.mu.Unlock()
	for {
		cl, err := s.reach(ctx)
		if err != nil {
			s.hub.leave(s.name, me)
			return nil, err
		}
		sent := time.Now()
		if cl.latest.Outranks(c) {
			s.hub.mu.Unlock()
			s.hub.leave(s.name, me)
			return nil, fmt.Errorf("attempt %d of %s: %w", c.Attempt, c.Group, ha.ErrSuperseded)
		}
		wait := s.hub.wait(cl, me)
		if wait <= 0 {
			t := s.begin(cl, me, sent)
			s.hub.mu.Unlock()
			return t, nil
		}
		changed := s.hub.changed
		s.hub.mu.Unlock()
		timer := time.NewTimer(wait)
		select {
		case <-changed:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// wait is the time after which a candidate should look again; none when it leads. The lock is held.
func (h *Hub) wait(c *cluster, me *ticket) time.Duration {
	if c.owner != nil {
		if me.Supersedes && me.Outranks(c.latest) {
			return 0
		}
		if left := time.Until(c.heard.Add(c.owner.length)); left > 0 {
			return left
		}
	}
	if i := slices.Index(c.queue, me); i > 0 {
		// Those before it look first, but one whose connection is cut is not waited for.
		return time.Duration(i) * h.lease / 10
	}
	return 0
}

func (h *Hub) leave(name string, me *ticket) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if c := h.clusters[name]; c != nil {
		c.queue = slices.DeleteFunc(c.queue, func(t *ticket) bool { return t == me })
		h.change()
	}
}

// begin makes a candidate the leader. The lock is held.
func (s *Store) begin(c *cluster, me *ticket, sent time.Time) *term {
	c.epoch = ha.NextEpoch(c.epoch, time.Now())
	c.queue = slices.DeleteFunc(c.queue, func(t *ticket) bool { return t == me })
	length := s.hub.lease
	if me.Lease > 0 {
		length = me.Lease
	}
	t := &term{State: ha.NewState(c.epoch, ha.NewLease(length, sent)), store: s, candidate: me.Candidate, length: length}
	c.owner, c.heard, c.latest = t, time.Now(), me.Candidate
	s.mu.Lock()
	s.terms = append(s.terms, t)
	s.mu.Unlock()
	s.hub.change()
	go t.beat()
	return t
}

// Leader is Store's.
func (s *Store) Leader(ctx context.Context) (ha.Leader, error) {
	c, err := s.reach(ctx)
	if err != nil {
		return ha.Leader{}, err
	}
	defer s.hub.mu.Unlock()
	if c.leader.Epoch == 0 {
		return ha.Leader{}, ha.ErrNoLeader
	}
	return c.leader, nil
}

// Watch is Store's.
func (s *Store) Watch(ctx context.Context, seen ha.Leader) (ha.Leader, error) {
	for {
		c, err := s.reach(ctx)
		if err != nil {
			return ha.Leader{}, err
		}
		l, changed := c.leader, s.hub.changed
		s.hub.mu.Unlock()
		if l.Epoch != 0 && l != seen {
			return l, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// Depose is Store's.
func (s *Store) Depose(ctx context.Context, l ha.Leader) error {
	c, err := s.reach(ctx)
	if err != nil {
		return err
	}
	defer s.hub.mu.Unlock()
	if c.owner != nil && c.epoch == l.Epoch {
		c.owner = nil
		s.hub.change()
	}
	return nil
}

// Get is Store's.
func (s *Store) Get(ctx context.Context, k ha.Key) ([]byte, error) {
	c, err := s.reach(ctx)
	if err != nil {
		return nil, err
	}
	defer s.hub.mu.Unlock()
	v, ok := c.values[k]
	if !ok {
		return nil, fmt.Errorf("%s: %w", k, ha.ErrNotFound)
	}
	return slices.Clone(v), nil
}

// Jobs is Store's.
func (s *Store) Jobs(ctx context.Context, kind ha.Kind) ([]id.Job, error) {
	c, err := s.reach(ctx)
	if err != nil {
		return nil, err
	}
	defer s.hub.mu.Unlock()
	var out []id.Job
	for k := range c.values {
		if k.Kind == kind {
			out = append(out, k.Job)
		}
	}
	slices.SortFunc(out, func(a, b id.Job) int { return strings.Compare(a.String(), b.String()) })
	return out, nil
}

// Close is Store's.
func (s *Store) Close() error {
	s.mu.Lock()
	terms := s.terms
	s.mu.Unlock()
	for _, t := range terms {
		t.leave(ha.ErrResigned)
	}
	return nil
}

type term struct {
	*ha.State
	store     *Store
	candidate ha.Candidate
	length    time.Duration
}

var _ ha.Term = (*term)(nil)

// Epoch is Term's.
func (t *term) Epoch() ha.Epoch { return t.State.Epoch }

// Check is Term's.
func (t *term) Check() error { return t.State.Check(time.Now()) }

// Answered is Term's.
func (t *term) Answered(sent time.Time) {
	if t.candidate.Lease > 0 {
		t.State.Answered(sent)
	}
}

// beat tells the hub that the leader lives.
func (t *term) beat() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		<-t.Lost()
		cancel()
	}()
	for {
		timer := time.NewTimer(ha.Beat(t.length, rand.Float64()))
		select {
		case <-timer.C:
		case <-t.Lost():
			timer.Stop()
			return
		}
		sent := time.Now()
		if err := t.write(ctx, func(c *cluster) { c.heard = time.Now() }); err == nil && t.candidate.Lease == 0 {
			t.State.Answered(sent)
		}
	}
}

// write changes the cluster's entries if the term still holds.
func (t *term) write(ctx context.Context, change func(c *cluster)) error {
	if err := t.Cause(); err != nil {
		return err
	}
	c, err := t.store.reach(ctx)
	if err != nil {
		return err
	}
	defer t.store.hub.mu.Unlock()
	if c.owner != t {
		return t.Result(fmt.Errorf("epoch %d holds: %w", c.epoch, ha.ErrFenced))
	}
	change(c)
	return nil
}

// Announce is Term's.
func (t *term) Announce(ctx context.Context, l ha.Leader) error {
	l.Epoch, l.Identity = t.Epoch(), t.candidate.Identity
	return t.write(ctx, func(c *cluster) {
		c.leader = l
		t.store.hub.change()
	})
}

// Put is Term's.
func (t *term) Put(ctx context.Context, k ha.Key, value []byte) error {
	if err := t.Check(); err != nil {
		return err
	}
	return t.write(ctx, func(c *cluster) { c.values[k] = slices.Clone(value) })
}

// Delete is Term's.
func (t *term) Delete(ctx context.Context, k ha.Key) error {
	return t.write(ctx, func(c *cluster) { delete(c.values, k) })
}

// Tidy is Term's.
func (t *term) Tidy(context.Context) error { return nil }

// Resign is Term's.
func (t *term) Resign(context.Context) error {
	t.leave(ha.ErrResigned)
	return nil
}

// Purge is Term's.
func (t *term) Purge(ctx context.Context) error {
	err := t.write(ctx, func(*cluster) { delete(t.store.hub.clusters, t.store.name) })
	if err == nil {
		t.leave(ha.ErrResigned)
	}
	return err
}

// leave ends the term. A process that ends is not kept by a cut link.
func (t *term) leave(cause error) {
	t.Lose(cause)
	h := t.store.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	if c := h.clusters[t.store.name]; c != nil && c.owner == t {
		c.owner, c.leader = nil, ha.Leader{}
		h.change()
	}
}

// Clusters is ha.Admin's.
func (h *Hub) Clusters(context.Context) ([]ha.Cluster, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []ha.Cluster
	for name, c := range h.clusters {
		info := ha.Cluster{ID: name, Leader: c.leader, Live: len(c.queue) > 0 || c.owner != nil && time.Since(c.heard) < c.owner.length}
		for k := range c.values {
			info.Count(k.Kind)
		}
		out = append(out, info)
	}
	slices.SortFunc(out, func(a, b ha.Cluster) int { return strings.Compare(a.ID, b.ID) })
	return out, nil
}

// Close is ha.Admin's.
func (h *Hub) Close() error { return nil }

var _ ha.Admin = (*Hub)(nil)

// Remove is ha.Admin's.
func (h *Hub) Remove(ctx context.Context, name string, force bool) error {
	all, err := h.Clusters(ctx)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(all, func(c ha.Cluster) bool { return c.ID == strings.Trim(name, "/") })
	switch {
	case i < 0:
		return fmt.Errorf("cluster %s: %w", name, ha.ErrNotFound)
	case all[i].Live && !force:
		return fmt.Errorf("cluster %s: %w", name, ha.ErrLed)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.clusters, all[i].ID)
	h.change()
	return nil
}
