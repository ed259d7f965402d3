package network

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/internal/spill"
	"github.com/weft-project/weft/network/credit"
	"github.com/weft-project/weft/network/frame"
)

// PartitionConfig describes the output of a task on one edge.
type PartitionConfig struct {
	Producer id.Attempt
	Edge     uint32
	// Consumers by subpartition.
	Consumers []id.Attempt
	// Spill makes the output that of a blocking exchange: it is kept there, and consumers get it when all of it has been sent.
	Spill *spill.Space
}

// Partition is the output of a task on one edge. One goroutine, the task's, uses it and its subpartitions; Close, Err,
// Failed, Drained, WaitAttached and Stats may be called by any.
type Partition struct {
	m    *Manager
	cfg  PartitionConfig
	subs []*Subpartition

	wake     chan struct{}
	failed   chan struct{} // closed when err is set
	drained  chan struct{}
	attached chan struct{} // closed when all consumers have attached
	dead     atomic.Bool   // err is set
	waiting  atomic.Bool   // the task waits for capacity, or will
	store    *store        // of a blocking exchange

	mu       sync.Mutex
	limit    *credit.Limit
	err      error
	closed   bool
	toAttach int // consumers that have not attached
	toDrain  int // subpartitions whose end has not been handed over
}

// key is the partition's place in the registry.
func (c PartitionConfig) key() partitionKey {
	return partitionKey{c.Producer.Vertex, c.Producer.Subtask, c.Edge}
}

// newPartition makes a partition that nobody knows yet.
func newPartition(m *Manager, cfg PartitionConfig) *Partition {
	n := len(cfg.Consumers)
	p := &Partition{
		m: m, cfg: cfg, wake: make(chan struct{}, 1), failed: make(chan struct{}), drained: make(chan struct{}), attached: make(chan struct{}),
		limit: credit.NewLimit(n, m.cfg.ExclusivePerChannel, m.cfg.FloatingPerGate), toAttach: n, toDrain: n,
	}
	for i, c := range cfg.Consumers {
		p.subs = append(p.subs, &Subpartition{p: p, index: i, consumer: c})
	}
	if cfg.Spill != nil {
		p.store = newStore(p, cfg.Spill)
	}
	return p
}

// share is how many buffers the partition may have.
func (p *Partition) share() int {
	return len(p.subs)*p.m.cfg.ExclusivePerChannel + p.m.cfg.FloatingPerGate
}

// Sub gives the i-th subpartition.
func (p *Partition) Sub(i int) *Subpartition { return p.subs[i] }

// Subs is the number of subpartitions.
func (p *Partition) Subs() int { return len(p.subs) }

// Wake is signalled when a subpartition that had no capacity (TryGet, TrySendBatch or Available gave false) may have
// some, and when the partition fails. For a select together with the task's mailbox.
func (p *Partition) Wake() <-chan struct{} { return p.wake }

// Failed is closed when a consumer is gone, or the partition is closed.
func (p *Partition) Failed() <-chan struct{} { return p.failed }

// Drained is closed when the end of every subpartition has been handed over. The partition is then released.
func (p *Partition) Drained() <-chan struct{} { return p.drained }

// Err says why the partition failed; nil while it works.
func (p *Partition) Err() error {
	if !p.dead.Load() {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// WaitAttached waits until every consumer has attached, so that Local of each subpartition says the last word.
func (p *Partition) WaitAttached(ctx context.Context) error {
	select {
	case <-p.attached:
		return nil
	case <-p.failed:
		return p.Err()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// wait waits for Wake; the caller tries again.
func (p *Partition) wait(ctx context.Context) error {
	select {
	case <-p.wake:
		return nil
	case <-p.failed:
		return p.Err()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// signal wakes the task when it waits.
func (p *Partition) signal() {
	if p.waiting.Load() {
		p.waiting.Store(false)
		select {
		case p.wake <- struct{}{}:
		default:
		}
	}
}

// giveBack returns buffers of this partition to its share and to the pool.
func (p *Partition) giveBack(bufs ...*buffer) {
	p.mu.Lock()
	for _, b := range bufs {
		p.limit.Give(b.sub.index)
	}
	p.mu.Unlock()
	for _, b := range bufs {
		p.m.pool.put(b)
	}
	p.signal()
}

// fail ends the partition because a consumer is gone.
func (p *Partition) fail(err error) {
	p.mu.Lock()
	p.failLocked(err)
	p.mu.Unlock()
}

func (p *Partition) failLocked(err error) {
	if p.err != nil || p.toDrain == 0 {
		return
	}
	p.err = err
	p.dead.Store(true)
	close(p.failed)
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// Close gives up the partition: what has not been handed over is dropped and consumers fail with ErrPeerFailed and the
// text of cause. After the end of every subpartition was handed over it does nothing.
func (p *Partition) Close(cause error) {
	if cause == nil {
		cause = errors.New("it closed its output before the end")
	}
	p.mu.Lock()
	if p.closed || p.toDrain == 0 {
		p.mu.Unlock()
		return
	}
	p.closed = true
	p.failLocked(fmt.Errorf("output %d of %v: %w", p.cfg.Edge, p.cfg.Producer, ErrClosed))
	var locals []*inChannel
	var dropped []*buffer
	for _, s := range p.subs {
		if s.done {
			continue
		}
		for s.queue.len() > 0 {
			if o := s.queue.pop(); o.buf != nil {
				dropped = append(dropped, o.buf)
			}
		}
		if s.conn != nil {
			s.conn.failOut(s, frame.Failure{Code: frame.FailedProducer, Text: cause.Error()})
		}
		if ch := s.local.Load(); ch != nil {
			locals = append(locals, ch)
		}
	}
	p.mu.Unlock()
	if p.store != nil {
		p.store.close()
	}
	p.giveBack(dropped...)
	for _, ch := range locals {
		ch.fail(fmt.Errorf("%w: %w", ErrPeerFailed, cause))
	}
	p.m.forget(p)
}

// handedOver notes that the end of a subpartition has reached its consumer's side.
func (p *Partition) handedOver(s *Subpartition) {
	p.mu.Lock()
	last := p.handedOverLocked(s)
	p.mu.Unlock()
	if last {
		p.m.forget(p)
	}
}

// handedOverLocked is handedOver under p.mu; last tells that the caller must have the manager forget the partition.
func (p *Partition) handedOverLocked(s *Subpartition) (last bool) {
	if s.done || p.closed {
		return false
	}
	s.done = true
	p.toDrain--
	if p.toDrain == 0 {
		close(p.drained)
	}
	return p.toDrain == 0
}

// OutStats counts what went out through one subpartition. A batch handed over in the process counts no bytes.
type OutStats struct {
	Remote, Attached        bool
	Bytes, Records, Buffers int64
	// Queued buffers, not on their way yet; Used buffers of the partition's share.
	Queued, Used int
}

// Capacity is how many buffers, or batches inside the process, the partition may have in use.
func (p *Partition) Capacity() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n, floating := 0, 0
	for _, s := range p.subs {
		if s.Local() {
			n += p.m.cfg.LocalBatches
		} else {
			n, floating = n+p.m.cfg.ExclusivePerChannel, p.m.cfg.FloatingPerGate
		}
	}
	return n + floating
}

// Stats gives the counts by subpartition.
func (p *Partition) Stats() []OutStats {
	stats := make([]OutStats, len(p.subs))
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, s := range p.subs {
		stats[i] = OutStats{
			Remote: s.conn != nil, Attached: s.attached, Bytes: s.bytes.Load(), Records: s.records.Load(), Buffers: s.buffers.Load(),
			Queued: s.data, Used: p.limit.Used(i) + int(s.underWay.Load()),
		}
	}
	return stats
}
