package network

import (
	"errors"
	"fmt"
	"io"

	"github.com/weft-project/weft/network/frame"
)

// readLoop reads frames until the connection fails. It never waits for a task.
func (c *conn) readLoop() {
	for {
		h, err := c.readHeader()
		if err == nil {
			err = c.dispatch(h)
		}
		if err != nil {
			c.fail(err)
			return
		}
	}
}

// readHeader reads the next header.
func (c *conn) readHeader() (frame.Header, error) {
	if _, err := io.ReadFull(c.br, c.header[:]); err != nil {
		return frame.Header{}, err
	}
	return frame.ParseHeader(c.header[:], c.m.pool.size)
}

// dispatch reads the rest of a frame and does what it says.
func (c *conn) dispatch(h frame.Header) error {
	if c.dialed {
		return c.dispatchDown(h)
	}
	return c.dispatchUp(h)
}

// dispatchDown handles what a producing worker sends.
func (c *conn) dispatchDown(h frame.Header) error {
	switch h.Type {
	case frame.Reply:
		return c.readReply(h)
	case frame.Attached, frame.Data, frame.Event, frame.Failed:
	default:
		return fmt.Errorf("a producing worker sent a frame of type %d", h.Type)
	}
	c.mu.Lock()
	ch, known := c.in[h.Channel], h.Channel <= c.lastIn
	c.mu.Unlock()
	if !known {
		return fmt.Errorf("a frame came for channel %d, which was never requested", h.Channel)
	}
	if ch == nil { // closed by us while this was under way
		_, err := c.br.Discard(int(h.Length))
		return err
	}
	switch h.Type {
	case frame.Attached:
		ch.gate.mu.Lock()
		ch.attachedLocked()
		ch.gate.mu.Unlock()
		return nil
	case frame.Data:
		return c.readData(ch, h)
	case frame.Event:
		return c.readEvent(ch, h)
	default:
		return c.readFailure(ch, h)
	}
}

// readData reads a buffer, or a fragment of a large record into its place.
func (c *conn) readData(ch *inChannel, h frame.Header) error {
	if h.Flags&frame.FlagFragment != 0 {
		dst, err := ch.fragment(h)
		if err != nil {
			return err
		}
		if _, err := io.ReadFull(c.br, dst); err != nil {
			return err
		}
		return ch.fragmentArrived(h)
	}
	b := c.m.pool.get()
	if _, err := io.ReadFull(c.br, b.payload()[:h.Length]); err != nil {
		c.m.pool.put(b)
		return err
	}
	return ch.arrived(b, h)
}

// readEvent reads an event.
func (c *conn) readEvent(ch *inChannel, h frame.Header) error {
	e := Event{Kind: EventKind(h.Flags)}
	if e.Kind == 0 || e.Kind > lastEventKind {
		return fmt.Errorf("event of unknown kind %d", h.Flags)
	}
	var head [8]byte
	body := c.header[:8] // the header has been parsed: its memory is free
	if h.Length < uint32(len(head)) {
		return fmt.Errorf("event of %d bytes: expected at least 8", h.Length)
	}
	if _, err := io.ReadFull(c.br, body); err != nil {
		return err
	}
	var err error
	if e.Watermark, _, err = frame.ParseEvent(body); err != nil {
		return err
	}
	if n := h.Length - uint32(len(head)); n > 0 {
		e.Payload = make([]byte, n)
		if _, err := io.ReadFull(c.br, e.Payload); err != nil {
			return err
		}
	}
	if ch.eventArrived(e) {
		c.mu.Lock()
		delete(c.in, h.Channel)
		c.mu.Unlock()
	}
	return nil
}

// readFailure ends a channel as its producer says.
func (c *conn) readFailure(ch *inChannel, h frame.Header) error {
	body, err := c.readBody(h)
	if err != nil {
		return err
	}
	f, err := frame.ParseFailure(body)
	if err != nil {
		return err
	}
	c.mu.Lock()
	delete(c.in, h.Channel)
	c.mu.Unlock()
	kind := ErrRefused
	switch f.Code {
	case frame.FailedProducer:
		kind = ErrPeerFailed
	case frame.FailedStale:
		kind = ErrStale
	}
	ch.fail(&remoteError{kind: kind, text: f.Text})
	return nil
}

// remoteError is an error that the other side described.
type remoteError struct {
	kind error
	text string
}

func (e *remoteError) Error() string { return e.text }
func (e *remoteError) Unwrap() error { return e.kind }

// readBody reads a payload into memory of its own.
func (c *conn) readBody(h frame.Header) ([]byte, error) {
	body := make([]byte, h.Length)
	_, err := io.ReadFull(c.br, body)
	return body, err
}

// dispatchUp handles what a consuming worker sends.
func (c *conn) dispatchUp(h frame.Header) error {
	switch h.Type {
	case frame.Request:
		return c.readRequest(h)
	case frame.Credit:
		c.mu.Lock()
		s := c.out[h.Channel]
		c.mu.Unlock()
		if s != nil { // else its end has been sent
			s.addCredit(int(h.Count))
		}
		return nil
	case frame.Close:
		c.readClose(h)
		return nil
	case frame.Call:
		return c.readCall(h)
	case frame.Cancel:
		c.cancelServing(h.Channel)
		return nil
	default:
		return fmt.Errorf("a consuming worker sent a frame of type %d", h.Type)
	}
}

// readRequest connects a channel, now or when its partition appears.
func (c *conn) readRequest(h frame.Header) error {
	body, err := c.readBody(h)
	if err != nil {
		return err
	}
	r, err := frame.ParseChannelRequest(body)
	if err != nil {
		return err
	}
	c.mu.Lock()
	fresh := h.Channel > c.lastIn
	c.lastIn = max(c.lastIn, h.Channel)
	c.mu.Unlock()
	if !fresh {
		return fmt.Errorf("channel number %d was used twice", h.Channel)
	}
	c.m.request(request{conn: c, wireID: h.Channel, ChannelRequest: r})
	return nil
}

// readClose ends a channel whose consumer reads no more.
func (c *conn) readClose(h frame.Header) {
	c.mu.Lock()
	s := c.out[h.Channel]
	delete(c.out, h.Channel)
	c.mu.Unlock()
	if s != nil {
		s.consumerGone(c.addr, fmt.Errorf("%w: it closed its input", ErrPeerGone))
		return
	}
	c.m.withdraw(func(r request) bool { return r.conn == c && r.wireID == h.Channel })
}

// failureOf turns the error of a refused request into what the consumer is told.
func failureOf(err error) frame.Failure {
	code := frame.FailedRefused
	switch {
	case errors.Is(err, ErrStale):
		code = frame.FailedStale
	case errors.Is(err, ErrPeerFailed):
		code = frame.FailedProducer
	}
	return frame.Failure{Code: code, Text: err.Error()}
}
