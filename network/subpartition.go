package network

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/network/frame"
)

// Subpartition is the output of a task for one consumer. Only the task's goroutine calls its methods.
//
// Before the consumer has attached, what is sent is kept, up to the partition's share of buffers.
type Subpartition struct {
	p        *Partition
	index    int
	consumer id.Attempt

	// Of the task's goroutine.
	cur   *buffer // given out by Get
	ended bool    // EndOfPartition was sent

	// local is the consumer's channel, once a consumer of this Manager has attached.
	local atomic.Pointer[inChannel]

	// Under p.mu.
	queue     queue[out]
	data      int // entries of queue that need a credit
	credit    int
	conn      *conn
	wireID    uint32
	scheduled bool // the connection's writer knows that there is something to send
	attached  bool
	done      bool // the end was handed over

	bytes, records, buffers atomic.Int64
	_                       [64]byte // underWay changes hands between two cores
	underWay                atomic.Int32
	_                       [60]byte
}

// out is something to be sent: a buffer or an event.
type out struct {
	buf     *buffer
	n       int // bytes in buf
	count   int // records, or what a fragment's header says
	records int
	flags   uint8
	event   Event
}

// Local tells whether the consumer is a task of this Manager: then SendBatch may be used. It is known once the consumer
// has attached and does not change afterwards.
func (s *Subpartition) Local() bool { return s.local.Load() != nil }

// Get gives an empty buffer to append to, its capacity the buffer size. It waits while receivers are slow, until ctx is
// cancelled or the partition fails. One buffer of a subpartition can be out at a time: it comes back by Send.
func (s *Subpartition) Get(ctx context.Context) ([]byte, error) {
	for {
		buf, ok, err := s.TryGet()
		if ok || err != nil {
			return buf, err
		}
		if err := s.p.wait(ctx); err != nil {
			return nil, err
		}
	}
}

// TryGet is Get that does not wait: ok is false while there is no buffer.
func (s *Subpartition) TryGet() (buf []byte, ok bool, err error) {
	if s.cur != nil {
		return nil, false, errors.New("network: a second buffer was asked for before the first was sent")
	}
	p := s.p
	p.mu.Lock()
	if p.err != nil {
		p.mu.Unlock()
		return nil, false, p.err
	}
	if !p.limit.Take(s.index) {
		p.waiting.Store(true)
		p.mu.Unlock()
		return nil, false, nil
	}
	p.mu.Unlock()
	s.cur = p.m.pool.get()
	s.cur.sub = s
	return s.cur.payload()[:0], true, nil
}

// Available tells whether Get and SendBatch would not wait. After false, Wake is signalled when it may be true.
func (s *Subpartition) Available() bool {
	p := s.p
	if s.available() {
		return true
	}
	// Whoever frees something from here on signals; what was freed before is seen now.
	p.waiting.Store(true)
	return s.available()
}

func (s *Subpartition) available() bool {
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	return (s.cur != nil || s.p.limit.May(s.index)) && int(s.underWay.Load()) < s.p.m.cfg.LocalBatches
}

// Send hands the buffer of the last Get over, with the number of records in it; it never waits. An empty buf gives the
// buffer back. A buf that was moved because appending outgrew its capacity is copied when it fits, and refused otherwise.
func (s *Subpartition) Send(buf []byte, records int) error {
	b := s.cur
	if b == nil {
		return errors.New("network: a buffer was sent that Get did not give")
	}
	if len(buf) > s.p.m.pool.size {
		return fmt.Errorf("%w: %d bytes do not fit a network buffer of %d", ErrTooLarge, len(buf), s.p.m.pool.size)
	}
	s.cur = nil
	if len(buf) == 0 {
		s.p.giveBack(b)
		return s.p.Err()
	}
	if &buf[0] != &b.payload()[0] {
		copy(b.payload(), buf)
	}
	return s.enqueue(out{buf: b, n: len(buf), count: records, records: records})
}

// SendLarge sends a payload of any length up to Config.MaxRecord; the consumer gets it in one piece, as one Buffer item.
// It waits as Get does. The caller keeps payload.
func (s *Subpartition) SendLarge(ctx context.Context, payload []byte, records int) error {
	size := s.p.m.pool.size
	switch {
	case len(payload) > s.p.m.cfg.MaxRecord:
		return fmt.Errorf("%w: a record of %d bytes; the limit is %d", ErrTooLarge, len(payload), s.p.m.cfg.MaxRecord)
	case s.cur != nil:
		return errors.New("network: a large record was sent while a buffer is out")
	case s.Local():
		return s.sendLocal(ctx, Item{Kind: Buffer, Records: records, Bytes: len(payload), Data: append([]byte(nil), payload...)})
	}
	for off := 0; off < len(payload); off += size {
		if _, err := s.Get(ctx); err != nil {
			return err
		}
		b := s.cur
		s.cur = nil
		o := out{buf: b, n: copy(b.payload(), payload[off:])}
		last := off+o.n == len(payload)
		switch {
		case off == 0 && last:
			o.count, o.records = records, records
		case off == 0:
			o.flags, o.count = frame.FlagFragment|frame.FlagFirst, len(payload)
		case last:
			o.flags, o.count, o.records = frame.FlagFragment|frame.FlagLast, records, records
		default:
			o.flags = frame.FlagFragment
		}
		if err := s.enqueue(o); err != nil {
			return err
		}
	}
	return nil
}

// SendBatch hands a batch of values to a local consumer (Local is true). It waits while the channel has
// Config.LocalBatches under way. release is called with the batch when the consumer is done with it, by the consumer's
// goroutine, or when the channel ends before. batch should be a pointer: then nothing is allocated.
func (s *Subpartition) SendBatch(ctx context.Context, batch any, records int, release func(any)) error {
	return s.sendLocal(ctx, Item{Kind: Batch, Records: records, Batch: batch, release: release})
}

// TrySendBatch is SendBatch that does not wait: ok is false while the channel has enough under way.
func (s *Subpartition) TrySendBatch(batch any, records int, release func(any)) (ok bool, err error) {
	return s.trySendLocal(Item{Kind: Batch, Records: records, Batch: batch, release: release})
}

func (s *Subpartition) sendLocal(ctx context.Context, it Item) error {
	for {
		ok, err := s.trySendLocal(it)
		if ok || err != nil {
			return err
		}
		if err := s.p.wait(ctx); err != nil {
			return err
		}
	}
}

// trySendLocal hands an item to the local consumer without taking the partition's lock.
func (s *Subpartition) trySendLocal(it Item) (bool, error) {
	ch := s.local.Load()
	switch {
	case ch == nil:
		return false, errors.New("network: a batch was sent to a consumer that is not local")
	case s.p.dead.Load():
		return false, s.p.Err()
	case s.ended:
		return false, errEnded
	}
	if limit := int32(s.p.m.cfg.LocalBatches); s.underWay.Load() >= limit {
		s.p.waiting.Store(true)
		if s.underWay.Load() >= limit {
			return false, nil
		}
	}
	s.underWay.Add(1)
	it.hold = holdLocal
	s.count(it.Bytes, it.Records)
	if !ch.push(it) {
		s.underWay.Add(-1)
		if it.release != nil {
			it.release(it.Batch)
		}
		return false, s.consumerClosed()
	}
	return true, nil
}

// consumerClosed is the error of sending to a local gate that reads no more.
func (s *Subpartition) consumerClosed() error {
	s.p.fail(s.peerError(s.p.m.addr, fmt.Errorf("%w: it closed its input", ErrPeerGone)))
	return s.p.Err()
}

// errEnded is given for anything that follows the end.
var errEnded = errors.New("network: something was sent after the end of the partition")

// SendEvent sends an event, after all that was sent before; it never waits and takes no buffer. Of watermarks that follow
// each other while they cannot be sent, the last one remains, so events cannot pile up.
func (s *Subpartition) SendEvent(e Event) error {
	if e.Kind == 0 || e.Kind > lastEventKind {
		return fmt.Errorf("network: event of unknown kind %d", e.Kind)
	}
	if len(e.Payload) > frame.MaxEvent-8 {
		return fmt.Errorf("%w: an event of %d bytes; the limit is %d", ErrTooLarge, len(e.Payload), frame.MaxEvent-8)
	}
	if s.ended {
		return errEnded
	}
	err := s.enqueue(out{event: e})
	s.ended = e.Kind == EndOfPartition
	return err
}

// count adds to the statistics.
func (s *Subpartition) count(bytes, records int) {
	s.bytes.Add(int64(bytes))
	s.records.Add(int64(records))
	s.buffers.Add(1)
}

// enqueue hands o to the local consumer or to the queue of the connection.
func (s *Subpartition) enqueue(o out) error {
	p := s.p
	p.mu.Lock()
	if p.err != nil || s.ended {
		err := p.err
		p.mu.Unlock()
		if o.buf != nil {
			p.giveBack(o.buf)
		}
		if err == nil {
			err = errEnded
		}
		return err
	}
	if o.buf != nil {
		s.count(o.n, o.records)
	}
	if p.store != nil {
		p.mu.Unlock()
		return p.store.put(s, o)
	}
	if ch := s.local.Load(); ch != nil {
		p.mu.Unlock()
		return s.deliver(ch, o)
	}
	if o.event.Kind == Watermark && s.queue.len() > 0 && s.queue.back().event.Kind == Watermark {
		s.queue.back().event.Watermark = o.event.Watermark
	} else {
		s.queue.push(o)
	}
	if o.buf != nil {
		s.data++
	}
	s.schedule()
	p.mu.Unlock()
	return nil
}

// schedule tells the connection's writer when there is something to send that it does not know of. Under p.mu.
func (s *Subpartition) schedule() {
	if s.conn != nil && !s.scheduled && s.sendable() {
		s.scheduled = true
		s.conn.schedule(s)
	}
}

// sendable tells whether the first entry may go. Under p.mu.
func (s *Subpartition) sendable() bool {
	return s.queue.len() > 0 && (s.queue.front().buf == nil || s.credit > 0)
}

// deliver gives o to the local consumer.
func (s *Subpartition) deliver(ch *inChannel, o out) error {
	var ok bool
	if o.buf == nil {
		ok = ch.push(Item{Kind: EventItem, Event: o.event})
		if ok && o.event.Kind == EndOfPartition {
			s.p.handedOver(s)
		}
	} else if o.flags == 0 {
		ok = ch.push(Item{Kind: Buffer, Records: o.records, Bytes: o.n, Data: o.buf.payload()[:o.n:o.n], buf: o.buf, hold: holdBuffer})
		if !ok {
			s.p.giveBack(o.buf)
		}
	} else {
		ok = ch.localFragment(o)
		s.p.giveBack(o.buf)
	}
	if !ok {
		return s.consumerClosed()
	}
	return nil
}

// attachRemote connects the subpartition to a consumer on c.
func (s *Subpartition) attachRemote(c *conn, wireID uint32, r frame.ChannelRequest) error {
	p := s.p
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := s.attachable(r.Consumer); err != nil {
		return err
	}
	if !c.addOut(wireID, s) {
		return nil // the connection is gone, and with it whoever could be told
	}
	s.conn, s.wireID, s.credit = c, wireID, r.Credit
	s.nowAttached()
	s.schedule()
	return nil
}

// attachLocal connects the subpartition to a channel of the same Manager and gives it what has been sent before.
func (s *Subpartition) attachLocal(ch *inChannel) error {
	p := s.p
	p.mu.Lock()
	if err := s.attachable(ch.gate.cfg.Consumer); err != nil {
		p.mu.Unlock()
		return err
	}
	if !ch.attachedLocally(s) {
		p.mu.Unlock()
		return nil // the gate is closed already
	}
	s.nowAttached()
	var last bool
	var copied []*buffer
	for s.queue.len() > 0 {
		o := s.queue.pop()
		switch {
		case o.buf == nil:
			ch.push(Item{Kind: EventItem, Event: o.event})
			if o.event.Kind == EndOfPartition {
				last = p.handedOverLocked(s)
			}
		case o.flags == 0:
			if !ch.push(Item{Kind: Buffer, Records: o.records, Bytes: o.n, Data: o.buf.payload()[:o.n:o.n], buf: o.buf, hold: holdBuffer}) {
				copied = append(copied, o.buf)
			}
		default:
			ch.localFragment(o)
			copied = append(copied, o.buf)
		}
	}
	s.data = 0
	s.local.Store(ch)
	p.mu.Unlock()
	p.giveBack(copied...)
	if last {
		p.m.forget(p)
	}
	return nil
}

// attachable refuses a consumer that may not attach. Under p.mu.
func (s *Subpartition) attachable(consumer id.Attempt) error {
	switch {
	case s.p.closed:
		return fmt.Errorf("%w: the producer has closed its output", ErrPeerFailed)
	case consumer.Vertex != s.consumer.Vertex || consumer.Subtask != s.consumer.Subtask || consumer.Job != s.consumer.Job:
		return fmt.Errorf("%w: subpartition %d is for %v, not for %v", ErrRefused, s.index, s.consumer, consumer)
	case consumer.Number < s.consumer.Number:
		return fmt.Errorf("%w: subpartition %d is for %v, not for %v", ErrStale, s.index, s.consumer, consumer)
	case consumer.Number > s.consumer.Number:
		return fmt.Errorf("%w: this producer was deployed for consumer %v, not for %v", ErrStale, s.consumer, consumer)
	case s.attached:
		return fmt.Errorf("%w: subpartition %d has its consumer %v already", ErrRefused, s.index, s.consumer)
	}
	return nil
}

// nowAttached notes that the consumer is there. Under p.mu.
func (s *Subpartition) nowAttached() {
	s.attached = true
	s.p.toAttach--
	if s.p.toAttach == 0 {
		close(s.p.attached)
	}
}

// addCredit lets the connection send more.
func (s *Subpartition) addCredit(n int) {
	s.p.mu.Lock()
	s.credit += n
	s.schedule()
	s.p.mu.Unlock()
}

// peerError wraps err as one about the consumer.
func (s *Subpartition) peerError(addr string, err error) error {
	return &PeerError{Side: sideConsumer, Peer: s.consumer, Addr: addr, Err: err}
}

// consumerGone fails the partition, unless this subpartition is done.
func (s *Subpartition) consumerGone(addr string, err error) {
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	if !s.done && !s.p.closed {
		s.p.failLocked(s.peerError(addr, err))
	}
}
