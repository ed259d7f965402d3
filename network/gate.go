package network

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/network/credit"
)

// ChannelConfig names one producer of a gate.
type ChannelConfig struct {
	Producer id.Attempt
	Edge     uint32
	// Address is the producing worker's data address (Manager.Addr).
	Address      string
	Subpartition int
}

// GateConfig describes an input of a task.
type GateConfig struct {
	Consumer id.Attempt
	Channels []ChannelConfig
}

// Gate is an input of a task. One goroutine, the task's, calls Poll and Close; the other methods may be called by any.
type Gate struct {
	m        *Manager
	cfg      GateConfig
	channels []*inChannel
	ready    chan struct{}
	ctx      context.Context // until Close
	cancel   context.CancelFunc

	// Of the task's goroutine: what Poll hands out, taken from queue all at once.
	batch []Item
	next  int

	mu       sync.Mutex
	queue    []Item
	swaps    uint64 // how often queue became batch
	credit   *credit.Gate
	err      error
	closed   bool
	toAttach int
	timer    *time.Timer
	share    int // buffers reserved for remote channels
}

// newGate makes a gate whose channels are not connected yet.
func newGate(m *Manager, cfg GateConfig) *Gate {
	g := &Gate{
		m: m, cfg: cfg, ready: make(chan struct{}, 1), toAttach: len(cfg.Channels),
		credit: credit.NewGate(len(cfg.Channels), m.cfg.ExclusivePerChannel, m.cfg.FloatingPerGate),
	}
	g.ctx, g.cancel = context.WithCancel(m.ctx)
	for i, c := range cfg.Channels {
		g.channels = append(g.channels, &inChannel{gate: g, index: i, cfg: c, local: c.Address == m.addr})
		if c.Address != m.addr {
			g.share += m.cfg.ExclusivePerChannel
		}
	}
	if g.share > 0 {
		g.share += m.cfg.FloatingPerGate
	}
	return g
}

// connect asks all producers for their subpartitions.
func (g *Gate) connect() {
	g.mu.Lock()
	g.timer = time.AfterFunc(g.m.cfg.RequestTimeout, g.checkAttached)
	g.mu.Unlock()
	remote := map[string][]*inChannel{}
	for _, ch := range g.channels {
		if ch.local {
			g.m.request(request{ch: ch, ChannelRequest: ch.request()})
		} else {
			remote[ch.cfg.Address] = append(remote[ch.cfg.Address], ch)
		}
	}
	for addr, channels := range remote {
		if !g.m.spawn(func() { g.connectRemote(addr, channels) }) {
			g.fail(ErrClosed)
		}
	}
}

// connectRemote requests the channels of one worker.
func (g *Gate) connectRemote(addr string, channels []*inChannel) {
	c, err := g.m.connect(g.ctx, addr)
	if err == nil {
		err = c.openChannels(channels)
	}
	if err != nil && g.ctx.Err() == nil {
		channels[0].fail(err)
	}
}

// checkAttached fails the gate when a producer has not appeared in time.
func (g *Gate) checkAttached() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, ch := range g.channels {
		if !ch.attached && !ch.ended {
			g.failLocked(ch.peerError(fmt.Errorf("%w: no output %d within %v", ErrNotFound, ch.cfg.Edge, g.m.cfg.RequestTimeout)))
			return
		}
	}
}

// Ready is signalled when Poll may have something, and when the gate fails.
func (g *Gate) Ready() <-chan struct{} { return g.ready }

// Err says why the gate failed; nil while it works.
func (g *Gate) Err() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.err
}

// Poll gives the next item, if there is one. A gate that failed gives none: after false, ask Err.
func (g *Gate) Poll() (Item, bool) {
	if g.next == len(g.batch) && !g.swap() {
		return Item{}, false
	}
	it := g.batch[g.next]
	g.batch[g.next] = Item{}
	g.next++
	return it, true
}

// swap takes all that has arrived.
func (g *Gate) swap() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.err != nil || len(g.queue) == 0 {
		return false
	}
	g.batch, g.queue, g.next = g.queue, g.batch[:0], 0
	g.swaps++
	return true
}

// Release gives back what an item occupies: a buffer lets its producer send another one. Every Buffer and Batch item is
// released once; events need not be. After it the task does not touch Data or Batch any more. A task that keeps an item
// keeps its producer short of buffers: one that waits for the next record of a channel has released a large record before.
func (g *Gate) Release(it Item) {
	ch := g.channels[it.Channel]
	switch it.hold {
	case holdCredit:
		g.m.pool.put(it.buf)
		g.releaseCredits(ch, false)
	case holdLargeCredit:
		g.releaseCredits(ch, true)
	case holdBuffer:
		it.buf.sub.p.giveBack(it.buf)
	case holdLocal:
		if it.release != nil {
			it.release(it.Batch)
		}
		s := ch.sub
		s.underWay.Add(-1)
		s.p.signal()
	}
}

// releaseCredits frees the credit of one buffer, or those that a large record kept back.
func (g *Gate) releaseCredits(ch *inChannel, large bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := 1
	if large {
		n += ch.heldBack
		ch.heldBack, ch.largeOut = 0, false
	}
	for range n {
		if err := g.credit.Released(ch.index); err != nil {
			g.failLocked(err)
			return
		}
	}
	g.sendCredits()
}

// sendCredits hands the credits that are due to the connections. Under g.mu.
func (g *Gate) sendCredits() {
	for _, d := range g.credit.TakeDue() {
		if ch := g.channels[d.Channel]; ch.conn != nil && !ch.ended {
			ch.conn.sendCredit(ch.wireID, d.Credits)
		}
	}
}

// wake signals Ready.
func (g *Gate) wake() {
	select {
	case g.ready <- struct{}{}:
	default:
	}
}

// fail ends the gate.
func (g *Gate) fail(err error) {
	g.mu.Lock()
	g.failLocked(err)
	g.mu.Unlock()
}

func (g *Gate) failLocked(err error) {
	if g.err == nil {
		g.err = err
		g.wake()
	}
}

// Close ends reading: producers that are not at their end learn that their consumer is gone. Items that were not polled
// are released; those that were may still be.
func (g *Gate) Close() {
	g.mu.Lock()
	if g.closed {
		g.mu.Unlock()
		return
	}
	g.closed = true
	g.failLocked(ErrClosed)
	items := append(g.batch[g.next:], g.queue...)
	g.queue, g.batch, g.next = nil, nil, 0
	g.timer.Stop()
	g.mu.Unlock()
	g.cancel()
	for _, it := range items {
		g.Release(it)
	}
	for _, ch := range g.channels {
		ch.close()
	}
	g.m.forgetGate(g)
}

// InStats counts what came in through one channel. A batch handed over in the process counts no bytes.
type InStats struct {
	Remote, Attached        bool
	Bytes, Records, Buffers int64
}

// Capacity is how many buffers, or batches inside the process, may wait to be polled.
func (g *Gate) Capacity() int {
	n := g.share
	for _, ch := range g.channels {
		if ch.local {
			n += g.m.cfg.LocalBatches
		}
	}
	return n
}

// Stats gives the counts by channel, and the number of items that wait to be polled.
func (g *Gate) Stats() (channels []InStats, queued int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, ch := range g.channels {
		channels = append(channels, InStats{Remote: !ch.local, Attached: ch.attached, Bytes: ch.bytes, Records: ch.records, Buffers: ch.buffers})
	}
	return channels, len(g.queue)
}

// stop fails the gate because its manager closes; the task still closes it.
func (g *Gate) stop() {
	g.mu.Lock()
	g.failLocked(ErrClosed)
	if g.timer != nil {
		g.timer.Stop()
	}
	g.mu.Unlock()
}
