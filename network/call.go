package network

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/network/frame"
)

// MaxMessage is the longest payload or answer of a call, in bytes.
const MaxMessage = 16 << 20

// maxServing is how many calls of one connection are served at the same time.
const maxServing = 1024

// Handler answers a call of another worker. payload is its own. It may take long; ctx ends when nobody waits any more.
type Handler func(ctx context.Context, from id.Attempt, payload []byte) ([]byte, error)

// reply is an answer on its way to the caller.
type reply struct {
	payload []byte
	failed  bool
}

// Handle serves calls of a service, replacing whoever did; nil ends it. Calls that came before wait.
func (m *Manager) Handle(service string, h Handler) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if h == nil {
		delete(m.handlers, service)
		return
	}
	m.handlers[service] = h
	close(m.handlerAdded)
	m.handlerAdded = make(chan struct{})
}

// Call asks a service of the worker at addr, which may be this one, and waits for its answer as long as ctx allows. An
// answer that is an error comes as *CallError; a worker that cannot be reached or is lost, as *PeerError.
func (m *Manager) Call(ctx context.Context, addr, service string, from id.Attempt, payload []byte) ([]byte, error) {
	if len(payload) > MaxMessage || len(service) > math.MaxUint8 {
		return nil, fmt.Errorf("%w: call of %s with %d bytes; the limit is %d", ErrTooLarge, service, len(payload), MaxMessage)
	}
	var answer reply
	var err error
	if addr == m.addr {
		answer, err = m.callHere(ctx, service, from, append([]byte(nil), payload...))
	} else {
		var c *conn
		if c, err = m.connect(ctx, addr); err == nil {
			answer, err = c.call(ctx, frame.ServiceCall{Service: service, From: from, Payload: payload})
		}
	}
	if err != nil {
		return nil, err
	}
	if answer.failed {
		return nil, &CallError{Addr: addr, Service: service, Text: string(answer.payload)}
	}
	return answer.payload, nil
}

// callHere serves a call of this worker itself.
func (m *Manager) callHere(ctx context.Context, service string, from id.Attempt, payload []byte) (reply, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(m.ctx, cancel)
	defer stop()
	done := make(chan reply, 1)
	go func() { done <- m.serve(ctx, service, from, payload) }()
	select {
	case r := <-done:
		if !r.failed || ctx.Err() == nil {
			return r, nil
		}
	case <-ctx.Done():
	}
	// A handler that was told of the end may have failed for it at once: the call's own end is what counts.
	if m.ctx.Err() != nil {
		return reply{}, ErrClosed
	}
	return reply{}, context.Cause(ctx)
}

// serve runs the handler of a service, waiting for it to appear when it is not there yet.
func (m *Manager) serve(ctx context.Context, service string, from id.Attempt, payload []byte) reply {
	h, err := m.handler(ctx, service)
	var answer []byte
	if err == nil {
		answer, err = h(ctx, from, payload)
	}
	if err == nil && len(answer) > MaxMessage {
		err = fmt.Errorf("%w: an answer of %d bytes; the limit is %d", ErrTooLarge, len(answer), MaxMessage)
	}
	if err != nil {
		return reply{payload: []byte(err.Error()), failed: true}
	}
	return reply{payload: answer}
}

// handler finds who serves a service.
func (m *Manager) handler(ctx context.Context, service string) (Handler, error) {
	var timeout <-chan time.Time
	for {
		m.mu.Lock()
		h, added := m.handlers[service], m.handlerAdded
		m.mu.Unlock()
		if h != nil {
			return h, nil
		}
		if timeout == nil {
			t := time.NewTimer(m.cfg.RequestTimeout)
			defer t.Stop()
			timeout = t.C
		}
		select {
		case <-added:
		case <-timeout:
			return nil, fmt.Errorf("nobody serves %q on this worker", service)
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// call sends a call and waits for the reply.
func (c *conn) call(ctx context.Context, s frame.ServiceCall) (reply, error) {
	answer := make(chan reply, 1)
	payload := s.Append(nil)
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return reply{}, c.callLost()
	}
	c.lastCall++
	number := c.lastCall
	c.calls[number] = answer
	c.appendControl(frame.Header{Type: frame.Call, Channel: number}, payload)
	c.mu.Unlock()
	select {
	case r := <-answer:
		return r, nil
	case <-c.dead:
		return reply{}, c.callLost()
	case <-ctx.Done():
		c.mu.Lock()
		delete(c.calls, number)
		c.appendControl(frame.Header{Type: frame.Cancel, Channel: number}, nil)
		c.mu.Unlock()
		return reply{}, context.Cause(ctx)
	}
}

// callLost is the error of a call whose connection ended.
func (c *conn) callLost() error {
	err := c.failure()
	if errors.Is(err, ErrClosed) {
		return err
	}
	return &PeerError{Side: "worker", Addr: c.addr, Err: err}
}

// readReply hands an answer to its caller, if that still waits.
func (c *conn) readReply(h frame.Header) error {
	body, err := c.readBody(h)
	if err != nil {
		return err
	}
	c.mu.Lock()
	answer := c.calls[h.Channel]
	delete(c.calls, h.Channel)
	c.mu.Unlock()
	if answer != nil {
		answer <- reply{payload: body, failed: h.Flags&frame.FlagError != 0}
	}
	return nil
}

// readCall starts serving a call.
func (c *conn) readCall(h frame.Header) error {
	body, err := c.readBody(h)
	if err != nil {
		return err
	}
	s, err := frame.ParseServiceCall(body)
	if err != nil {
		return err
	}
	c.mu.Lock()
	_, twice := c.serving[h.Channel]
	busy := len(c.serving) >= maxServing
	c.mu.Unlock()
	if twice {
		return fmt.Errorf("call number %d was used twice", h.Channel)
	}
	if busy {
		c.reply(h.Channel, reply{payload: fmt.Appendf(nil, "more than %d calls at once", maxServing), failed: true})
		return nil
	}
	ctx, cancel := context.WithCancel(c.ctx)
	c.mu.Lock() // only this goroutine, the reader, adds
	c.serving[h.Channel] = cancel
	c.mu.Unlock()
	go func() {
		r := c.m.serve(ctx, s.Service, s.From, s.Payload)
		c.cancelServing(h.Channel)
		c.reply(h.Channel, r)
	}()
	return nil
}

// reply sends an answer.
func (c *conn) reply(number uint32, r reply) {
	h := frame.Header{Type: frame.Reply, Channel: number}
	if r.failed {
		h.Flags = frame.FlagError
	}
	c.sendControl(h, r.payload)
}

// cancelServing ends the context of a call that is served.
func (c *conn) cancelServing(number uint32) {
	c.mu.Lock()
	cancel := c.serving[number]
	delete(c.serving, number)
	c.mu.Unlock()
	if cancel != nil {
		cancel()
	}
}
