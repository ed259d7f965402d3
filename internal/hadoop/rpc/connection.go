package rpc

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	commonpb "github.com/weft-project/weft/internal/hadoop/proto/common"
)

// connection is one opened connection with many calls in flight.
type connection struct {
	conn  *Conn
	limit int
	ping  time.Duration
	idle  time.Duration
	// gone is called once, when the connection takes no further call.
	gone func(*connection)

	// writing has room for one: it is held while a frame is written, for wrapped messages are numbered in order. A channel, so
	// that waiting for it ends with the caller's context.
	writing chan struct{}

	mu sync.Mutex
	// pending are the calls that wait for their answer.
	pending map[int32]*pendingCall
	// err is why the connection ended; nil while it lives.
	err error
	// lastRead is when the last frame arrived.
	lastRead time.Time
	// idleTimer closes the connection when it fires without a call pending.
	idleTimer *time.Timer
	done      chan struct{}
}

type pendingCall struct {
	// answer has room for one, so that the reader never waits.
	answer chan answer
}

type answer struct {
	body []byte
	err  error
}

// errEnded is what a caller gets that comes to a connection which has just ended; nothing was sent.
var errEnded = errors.New("connection has ended")

func newConnection(c *Conn, o Options, gone func(*connection)) *connection {
	n := &connection{
		conn: c, limit: o.MaxFrame, ping: o.PingInterval, idle: o.IdleTimeout, gone: gone,
		writing: make(chan struct{}, 1), pending: map[int32]*pendingCall{}, lastRead: time.Now(), done: make(chan struct{}),
	}
	// Under the lock: the timer may fire before its variable is set.
	n.mu.Lock()
	n.idleTimer = time.AfterFunc(n.idle, n.idleCheck)
	n.mu.Unlock()
	go n.readLoop()
	go n.pingLoop()
	return n
}

// call sends one request and waits for its answer. sent tells whether the server may have seen the request.
func (n *connection) call(ctx context.Context, id int32, request []byte, limit time.Duration) (body []byte, sent bool, err error) {
	p := &pendingCall{answer: make(chan answer, 1)}
	n.mu.Lock()
	if n.err != nil {
		n.mu.Unlock()
		return nil, false, errEnded
	}
	n.pending[id] = p
	n.idleTimer.Stop()
	n.mu.Unlock()
	defer n.forget(id)

	began := time.Now()
	if sent, err := n.write(ctx, request, limit); err != nil {
		if !sent {
			return nil, false, err
		}
		n.end(fmt.Errorf("%w: %w", ErrBroken, err))
		if ctx.Err() != nil {
			return nil, true, context.Cause(ctx)
		}
		return nil, true, n.reason()
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case a := <-p.answer:
		return a.body, true, a.err
	case <-ctx.Done():
		return nil, true, context.Cause(ctx)
	case <-timer.C:
		err := fmt.Errorf("%w (%v)", ErrTimeout, limit)
		// Without a sign of life since the request went out the connection itself is suspect.
		n.mu.Lock()
		dead := n.lastRead.Before(began)
		n.mu.Unlock()
		if dead {
			n.end(err)
		}
		return nil, true, err
	}
}

// write sends one frame. An error with sent means that a part of it may be on the way: the connection is of no more use.
func (n *connection) write(ctx context.Context, b []byte, limit time.Duration) (sent bool, err error) {
	select {
	case n.writing <- struct{}{}:
	case <-ctx.Done():
		return false, context.Cause(ctx)
	case <-n.done:
		return false, n.reason()
	}
	defer func() { <-n.writing }()
	if err := n.conn.SetWriteDeadline(time.Now().Add(limit)); err != nil {
		return true, err
	}
	// A server that does not read blocks the write; the end of ctx unblocks it, but must not touch a later caller's.
	var mu sync.Mutex
	over := false
	stop := context.AfterFunc(ctx, func() {
		mu.Lock()
		defer mu.Unlock()
		if !over {
			_ = n.conn.SetWriteDeadline(time.Unix(1, 0))
		}
	})
	_, err = n.conn.Write(b)
	mu.Lock()
	over = true
	mu.Unlock()
	stop()
	return true, err
}

// forget drops a call that has its answer or wants none any more.
func (n *connection) forget(id int32) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.pending, id)
	if len(n.pending) == 0 && n.err == nil {
		n.idleTimer.Reset(n.idle)
	}
}

// idleCheck runs when the idle timer fires.
func (n *connection) idleCheck() {
	n.mu.Lock()
	busy := len(n.pending) > 0
	n.mu.Unlock()
	if !busy {
		n.end(errEnded)
	}
}

// reason is why the connection ended.
func (n *connection) reason() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.err
}

// end closes the connection once; every pending call gets err.
func (n *connection) end(err error) {
	n.mu.Lock()
	if n.err != nil {
		n.mu.Unlock()
		return
	}
	n.err = err
	waiting := n.pending
	n.pending = map[int32]*pendingCall{}
	n.idleTimer.Stop()
	close(n.done)
	n.mu.Unlock()
	n.gone(n)
	_ = n.conn.Close()
	for _, p := range waiting {
		p.answer <- answer{err: err}
	}
}

// readLoop hands answers to their callers until the connection ends.
func (n *connection) readLoop() {
	r := bufio.NewReaderSize(n.conn, 16<<10)
	for {
		b, err := readFrame(r, n.limit)
		if err != nil {
			n.end(readError(err))
			return
		}
		h, rest, err := takeResponse(b)
		if err != nil {
			n.end(fmt.Errorf("%w: %w", ErrBroken, err))
			return
		}
		if !n.dispatch(h, rest) {
			return
		}
	}
}

// readError makes the sentence for a failed read.
func readError(err error) error {
	var remote *RemoteError
	switch {
	case errors.As(err, &remote):
		return err
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: the server closed it", ErrBroken)
	}
	return fmt.Errorf("%w: %w", ErrBroken, err)
}

// dispatch gives one answer to its call; false ends the connection.
func (n *connection) dispatch(h *commonpb.RpcResponseHeader, body []byte) bool {
	a := answer{body: body}
	if h.GetStatus() != commonpb.RpcResponseHeader_SUCCESS {
		remote := remoteError(h)
		if remote.Fatal || callID(h) < 0 {
			// The connection as a whole was refused or is given up: everybody who waits learns why.
			n.end(remote)
			return false
		}
		a = answer{err: remote}
	}
	n.mu.Lock()
	n.lastRead = time.Now()
	p := n.pending[callID(h)]
	delete(n.pending, callID(h))
	n.mu.Unlock()
	if p != nil {
		p.answer <- a
	}
	return true
}

// pingLoop keeps the server from closing a connection on which a slow call waits, and finds out when it is gone.
func (n *connection) pingLoop() {
	if n.ping <= 0 {
		return
	}
	ping, err := frame(requestHeader(callPing, nil, -1))
	if err != nil {
		n.end(err)
		return
	}
	tick := time.NewTicker(n.ping)
	defer tick.Stop()
	for {
		select {
		case <-n.done:
			return
		case <-tick.C:
		}
		n.mu.Lock()
		due := len(n.pending) > 0 && time.Since(n.lastRead) >= n.ping
		n.mu.Unlock()
		if !due {
			continue
		}
		if _, err := n.write(context.Background(), ping, n.ping); err != nil {
			n.end(fmt.Errorf("%w: %w", ErrBroken, err))
			return
		}
	}
}

// connectError makes the sentence for a failed dial.
func connectError(err error) error {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		err = op.Err
	}
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w: timed out", ErrConnect)
	}
	return fmt.Errorf("%w: %w", ErrConnect, err)
}
