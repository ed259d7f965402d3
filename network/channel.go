package network

import (
	"errors"
	"fmt"

	"github.com/weft-project/weft/network/frame"
)

// inChannel is one channel of a gate: the consumer's side.
type inChannel struct {
	gate  *Gate
	index int
	cfg   ChannelConfig
	local bool

	// The large record being put together; used by the connection's reader, or by the local producer.
	large       []byte
	largeLength int

	// Under gate.mu.
	conn     *conn
	wireID   uint32
	sub      *Subpartition // of a local producer; set once, before the first item
	attached bool
	ended    bool // the end has come, or the channel was closed
	largeOut bool // a large record waits or is with the task: credits of the next one are kept back
	heldBack int
	// lastWatermark-1 is the index in gate.queue of a watermark after which nothing has come on this channel, as long as
	// the queue has been swapped lastSwap times.
	lastWatermark int
	lastSwap      uint64

	bytes, records, buffers int64
}

// request is what the channel asks its producer.
func (ch *inChannel) request() frame.ChannelRequest {
	return frame.ChannelRequest{
		Producer: ch.cfg.Producer, Edge: ch.cfg.Edge, Subpartition: ch.cfg.Subpartition,
		Consumer: ch.gate.cfg.Consumer, Credit: ch.gate.m.cfg.ExclusivePerChannel,
	}
}

// peerError wraps err as one about the producer.
func (ch *inChannel) peerError(err error) error {
	var pe *PeerError
	if errors.As(err, &pe) && pe.Addr == ch.cfg.Address {
		err = pe.Err // says the same of the worker
	}
	return &PeerError{Side: sideProducer, Peer: ch.cfg.Producer, Addr: ch.cfg.Address, Err: err}
}

// fail ends the gate because of this channel's producer, unless the channel has come to its end.
func (ch *inChannel) fail(err error) {
	ch.gate.mu.Lock()
	defer ch.gate.mu.Unlock()
	if !ch.ended {
		ch.gate.failLocked(ch.peerError(err))
	}
}

// append adds an item to the gate's queue and wakes the task. Under gate.mu.
func (ch *inChannel) append(it Item) {
	g := ch.gate
	it.Channel, it.Remote = ch.index, !ch.local
	if it.Kind == EventItem {
		if it.Event.Kind == Watermark && ch.lastWatermark > 0 && ch.lastSwap == g.swaps {
			g.queue[ch.lastWatermark-1].Event.Watermark = it.Event.Watermark
			return
		}
	} else {
		ch.bytes += int64(it.Bytes)
		ch.records += int64(it.Records)
		ch.buffers++
	}
	g.queue = append(g.queue, it)
	ch.lastWatermark = 0
	if it.Event.Kind == Watermark {
		ch.lastWatermark, ch.lastSwap = len(g.queue), g.swaps
	}
	if len(g.queue) == 1 {
		g.wake()
	}
}

// push adds an item of a local producer; false when the gate takes no more.
func (ch *inChannel) push(it Item) bool {
	g := ch.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed || ch.ended {
		return false
	}
	ch.append(it)
	ch.ended = it.Event.Kind == EndOfPartition
	return true
}

// attachedLocally connects the channel to a local producer; false when the gate takes no more.
func (ch *inChannel) attachedLocally(s *Subpartition) bool {
	ch.gate.mu.Lock()
	defer ch.gate.mu.Unlock()
	if ch.gate.closed {
		return false
	}
	ch.sub = s
	ch.attachedLocked()
	return true
}

// attachedLocked notes that the producer is there; the last one stops the clock.
func (ch *inChannel) attachedLocked() {
	if ch.attached {
		return
	}
	ch.attached = true
	ch.gate.toAttach--
	if ch.gate.toAttach == 0 && ch.gate.timer != nil {
		ch.gate.timer.Stop()
	}
}

// localFragment takes a piece of a large record that a local producer sent before the channel was attached, or while it
// became so.
func (ch *inChannel) localFragment(o out) bool {
	dst, err := ch.fragment(frame.Header{Flags: o.flags, Length: uint32(o.n), Count: uint32(o.count)})
	if err != nil {
		return false
	}
	copy(dst, o.buf.payload()[:o.n])
	if o.flags&frame.FlagLast == 0 {
		return true
	}
	data := ch.large
	ch.large = nil
	return ch.push(Item{Kind: Buffer, Records: o.records, Bytes: len(data), Data: data})
}

// fragment gives the place where the payload of a fragment belongs.
func (ch *inChannel) fragment(h frame.Header) ([]byte, error) {
	n := int(h.Length)
	if h.Flags&frame.FlagFirst != 0 {
		if ch.large != nil {
			return nil, errors.New("a large record begins inside another one")
		}
		if int64(h.Count) > int64(ch.gate.m.cfg.MaxRecord) {
			return nil, fmt.Errorf("%w: a record of %d bytes; the limit is %d", ErrTooLarge, h.Count, ch.gate.m.cfg.MaxRecord)
		}
		ch.large, ch.largeLength = make([]byte, 0, h.Count), int(h.Count)
	}
	off := len(ch.large)
	last := h.Flags&frame.FlagLast != 0
	if ch.large == nil || off+n > ch.largeLength || last != (off+n == ch.largeLength) {
		return nil, fmt.Errorf("a piece of %d bytes at %d does not fit a large record of %d", n, off, ch.largeLength)
	}
	ch.large = ch.large[:off+n]
	return ch.large[off:], nil
}

// arrived takes a buffer that the connection's reader has filled. It owns b afterwards.
func (ch *inChannel) arrived(b *buffer, h frame.Header) error {
	g := ch.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed || ch.ended {
		g.m.pool.put(b)
		return nil
	}
	if err := g.credit.Arrived(ch.index, int(h.Backlog)); err != nil {
		g.m.pool.put(b)
		return err
	}
	n := int(h.Length)
	ch.append(Item{Kind: Buffer, Records: int(h.Count), Bytes: n, Data: b.payload()[:n:n], buf: b, hold: holdCredit})
	g.sendCredits()
	return nil
}

// fragmentArrived accounts for a fragment that fragment made room for. Its credit goes back at once, or, while an earlier
// large record has not been released, together with that one: so a channel holds at most two of them.
func (ch *inChannel) fragmentArrived(h frame.Header) error {
	g := ch.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed || ch.ended {
		ch.large = nil
		return nil
	}
	if err := g.credit.Arrived(ch.index, int(h.Backlog)); err != nil {
		return err
	}
	switch {
	case h.Flags&frame.FlagLast != 0:
		it := Item{Kind: Buffer, Records: int(h.Count), Bytes: len(ch.large), Data: ch.large}
		ch.large = nil
		if ch.largeOut {
			// The item before it is still out; its release frees this fragment's credit as well.
			ch.heldBack++
		} else {
			it.hold, ch.largeOut = holdLargeCredit, true
		}
		ch.append(it)
	case ch.largeOut:
		ch.heldBack++
	default:
		if err := g.credit.Released(ch.index); err != nil {
			return err
		}
	}
	g.sendCredits()
	return nil
}

// eventArrived takes an event from the connection's reader; it tells whether it was the end.
func (ch *inChannel) eventArrived(e Event) (ended bool) {
	g := ch.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed || ch.ended {
		return true
	}
	ch.append(Item{Kind: EventItem, Event: e})
	if e.Kind == EndOfPartition {
		ch.ended = true
		g.credit.Ended(ch.index)
		g.sendCredits()
	}
	return ch.ended
}

// close ends the channel from the consumer's side.
func (ch *inChannel) close() {
	g := ch.gate
	g.mu.Lock()
	if ch.ended {
		g.mu.Unlock()
		return
	}
	ch.ended = true
	g.credit.Ended(ch.index)
	sub, c, wireID := ch.sub, ch.conn, ch.wireID
	g.mu.Unlock()
	switch {
	case sub != nil:
		sub.consumerGone(g.m.addr, fmt.Errorf("%w: it closed its input", ErrPeerGone))
	case c != nil:
		c.closeIn(wireID)
	case ch.local:
		g.m.withdraw(func(r request) bool { return r.ch == ch })
	}
}
