package network

import (
	"net"

	"github.com/weft-project/weft/network/frame"
)

const (
	// maxFrames is how many data frames go into one system call at most. Fewer than a channel has buffers, so that its
	// task fills some while others are written.
	maxFrames = 16
	// maxTurn is how many frames of one subpartition are written before it is the next one's turn.
	maxTurn = 4
	// maxScratch bounds the memory that a writer keeps for control frames, in bytes.
	maxScratch = 1 << 20
)

// writer is the state of a connection's writer goroutine.
type writer struct {
	all     net.Buffers // memory of vec: writing consumes vec itself
	vec     net.Buffers
	sent    []*buffer       // in vec
	ended   []*Subpartition // whose end is in vec
	control []byte          // swapped with conn.control
	events  []byte          // memory of event frames in vec
}

// writeLoop writes until the connection fails.
func (c *conn) writeLoop() {
	w := &c.w
	for {
		c.gather()
		if len(w.all) == 0 {
			select {
			case <-c.wake:
				continue
			case <-c.dead:
				return
			}
		}
		w.vec = w.all
		_, err := w.vec.WriteTo(c.tcp)
		w.recycle()
		if err != nil {
			c.fail(err)
			return
		}
		for i, s := range w.ended {
			c.mu.Lock()
			delete(c.out, s.wireID)
			c.mu.Unlock()
			s.p.handedOver(s)
			w.ended[i] = nil
		}
		w.ended = w.ended[:0]
	}
}

// recycle gives the buffers of a write back to their partitions, those of one partition together.
func (w *writer) recycle() {
	for from := 0; from < len(w.sent); {
		p, to := w.sent[from].sub.p, from+1
		for to < len(w.sent) && w.sent[to].sub.p == p {
			to++
		}
		p.giveBack(w.sent[from:to]...)
		from = to
	}
	clear(w.sent)
	w.sent = w.sent[:0]
	clear(w.all)
	w.all = w.all[:0]
	if cap(w.control) > maxScratch {
		w.control = nil
	}
	if cap(w.events) > maxScratch {
		w.events = nil
	}
}

// gather collects what one system call writes: all control frames, then data and events of the subpartitions that are
// ready, in turn.
func (c *conn) gather() {
	w := &c.w
	c.mu.Lock()
	w.control, c.control = c.control, w.control[:0]
	c.mu.Unlock()
	if len(w.control) > 0 {
		w.all = append(w.all, w.control)
	}
	w.events = w.events[:0]
	for len(w.sent) < maxFrames {
		c.mu.Lock()
		if c.ready.len() == 0 {
			c.mu.Unlock()
			return
		}
		s := c.ready.pop()
		c.mu.Unlock()
		if s.take(w) {
			c.mu.Lock()
			c.ready.push(s)
			c.mu.Unlock()
		}
	}
}

// take appends frames of s to a write; more tells that s has further ones to send.
func (s *Subpartition) take(w *writer) (more bool) {
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	if s.p.closed {
		s.scheduled = false
		return false
	}
	for turn := 0; turn < maxTurn && s.sendable(); turn++ {
		o := s.queue.pop()
		if o.buf == nil {
			w.appendEvent(s.wireID, o.event)
			if o.event.Kind == EndOfPartition {
				w.ended = append(w.ended, s)
			}
			continue
		}
		s.credit--
		s.data--
		h := frame.Header{
			Type: frame.Data, Flags: o.flags, Backlog: uint8(min(s.data, frame.MaxBacklog)),
			Channel: s.wireID, Length: uint32(o.n), Count: uint32(o.count),
		}
		h.Put(o.buf.mem)
		w.all = append(w.all, o.buf.mem[:frame.HeaderSize+o.n])
		w.sent = append(w.sent, o.buf)
	}
	s.scheduled = s.sendable()
	return s.scheduled
}

// appendEvent adds an event frame. When the memory moves, frames that were added before keep the old one.
func (w *writer) appendEvent(wireID uint32, e Event) {
	from := len(w.events)
	h := frame.Header{Type: frame.Event, Flags: uint8(e.Kind), Channel: wireID, Length: uint32(8 + len(e.Payload))}
	var head [frame.HeaderSize]byte
	h.Put(head[:])
	w.events = append(w.events, head[:]...)
	w.events = frame.AppendEvent(w.events, e.Watermark, e.Payload)
	w.all = append(w.all, w.events[from:len(w.events):len(w.events)])
}
