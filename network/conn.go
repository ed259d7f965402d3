package network

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	"github.com/weft-project/weft/network/frame"
	"github.com/weft-project/weft/security"
)

// readBuffer is the size of a connection's read buffer in bytes. Payloads that are longer than what is left in it are
// read directly into their place, so a small one is best: it saves system calls for small frames and copies little of
// large ones.
const readBuffer = 8 << 10

// conn is a connection to another worker. The worker that dialed consumes: requests, credits and calls go up; data,
// events and replies come down. It lives until either side fails or closes it; its reader and writer are its only
// goroutines, besides one for each call that it serves.
type conn struct {
	m      *Manager
	tcp    net.Conn
	addr   string // the peer's data address, for people
	dialed bool
	br     *bufio.Reader
	header [frame.HeaderSize]byte // the reader's
	w      writer
	wake   chan struct{}
	dead   chan struct{} // closed when err is set
	ctx    context.Context
	cancel context.CancelCauseFunc

	mu       sync.Mutex
	err      error
	control  []byte                // frames to be written before any data
	ready    queue[*Subpartition]  // with something to send
	in       map[uint32]*inChannel // of a connection that we dialed
	lastIn   uint32                // the last channel number given
	out      map[uint32]*Subpartition
	calls    map[uint32]chan reply // of a connection that we dialed
	lastCall uint32
	serving  map[uint32]context.CancelFunc
}

// newConn starts a connection whose handshake is done. False when the manager is closed: then tcp is, too.
func newConn(m *Manager, tcp net.Conn, peer frame.Hello, dialed bool) (*conn, bool) {
	if s, ok := tcp.(*security.Conn); ok {
		tcp = s.Conn // the writer wants the TCP connection itself, for vectored writes
	}
	c := &conn{
		m: m, tcp: tcp, addr: peer.Addr, dialed: dialed, br: bufio.NewReaderSize(tcp, readBuffer),
		wake: make(chan struct{}, 1), dead: make(chan struct{}),
		in: map[uint32]*inChannel{}, out: map[uint32]*Subpartition{}, calls: map[uint32]chan reply{}, serving: map[uint32]context.CancelFunc{},
	}
	c.ctx, c.cancel = context.WithCancelCause(m.ctx)
	if !m.addConn(c) {
		_ = tcp.Close()
		return nil, false
	}
	if !m.spawn(c.readLoop) || !m.spawn(c.writeLoop) {
		c.fail(ErrClosed)
		return nil, false
	}
	return c, true
}

// fail ends the connection and everything it carries. err is nil or io.EOF when the peer closed it.
func (c *conn) fail(err error) {
	switch {
	case err == nil || errors.Is(err, io.EOF):
		err = fmt.Errorf("%w: it closed the connection", ErrPeerGone)
	case !errors.Is(err, ErrClosed):
		err = fmt.Errorf("%w: %w", ErrPeerGone, err)
	}
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return
	}
	c.err = err
	in, out := c.in, c.out
	c.in, c.out, c.calls = nil, nil, nil
	close(c.dead)
	c.mu.Unlock()
	c.cancel(err)
	_ = c.tcp.Close()
	c.m.dropConn(c)
	for _, ch := range in {
		ch.fail(err)
	}
	for _, s := range out {
		s.consumerGone(c.addr, err)
	}
	c.m.withdraw(func(r request) bool { return r.conn == c })
}

// failure is why the connection ended.
func (c *conn) failure() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// control appends a frame to be written before any data. Under c.mu.
func (c *conn) appendControl(h frame.Header, payload []byte) {
	if c.err != nil {
		return
	}
	c.control = h.Append(c.control, payload)
	c.wakeWriter()
}

// sendControl is appendControl with the lock.
func (c *conn) sendControl(h frame.Header, payload []byte) {
	c.mu.Lock()
	c.appendControl(h, payload)
	c.mu.Unlock()
}

func (c *conn) wakeWriter() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// sendCredit lets the producer of a channel send n more buffers.
func (c *conn) sendCredit(wireID uint32, n int) {
	c.sendControl(frame.Header{Type: frame.Credit, Channel: wireID, Count: uint32(n)}, nil)
}

// schedule has the writer visit a subpartition.
func (c *conn) schedule(s *Subpartition) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.ready.push(s)
		c.wakeWriter()
	}
}

// openChannels requests channels of the peer.
func (c *conn) openChannels(channels []*inChannel) error {
	for _, ch := range channels {
		g := ch.gate
		g.mu.Lock()
		if g.closed {
			g.mu.Unlock()
			return nil
		}
		c.mu.Lock()
		if c.err != nil {
			c.mu.Unlock()
			g.mu.Unlock()
			return c.err
		}
		c.lastIn++
		ch.conn, ch.wireID = c, c.lastIn
		c.in[ch.wireID] = ch
		c.appendControl(frame.Header{Type: frame.Request, Channel: ch.wireID}, ch.request().Append(nil))
		c.mu.Unlock()
		g.mu.Unlock()
	}
	return nil
}

// closeIn tells the producer of a channel that nobody reads it any more.
func (c *conn) closeIn(wireID uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.in, wireID)
	c.appendControl(frame.Header{Type: frame.Close, Channel: wireID}, nil)
}

// addOut connects a subpartition to a channel number; false when the connection is gone. The caller holds s.p.mu.
func (c *conn) addOut(wireID uint32, s *Subpartition) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return false
	}
	c.out[wireID] = s
	c.appendControl(frame.Header{Type: frame.Attached, Channel: wireID}, nil)
	return true
}

// failOut ends a subpartition's channel with a failure. The caller holds s.p.mu.
func (c *conn) failOut(s *Subpartition, f frame.Failure) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		delete(c.out, s.wireID)
		c.appendControl(frame.Header{Type: frame.Failed, Channel: s.wireID}, f.Append(nil))
	}
}
