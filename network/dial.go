package network

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/weft-project/weft/network/frame"
	"github.com/weft-project/weft/security"
)

// firstRetry and lastRetry bound the pause between attempts to dial.
const (
	firstRetry = 20 * time.Millisecond
	lastRetry  = 500 * time.Millisecond
)

// keepAlive notices a peer whose machine is gone without a word. A process that hangs is the control plane's to notice.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 10 * time.Second, Interval: 5 * time.Second, Count: 4}

// dial is a connection being made, or made, to an address.
type dial struct {
	done chan struct{} // closed when conn or err is set
	conn *conn
	err  error
}

// ended tells that the connection was made and has ended. Under Manager.mu.
func (d *dial) ended() bool {
	if d.conn == nil {
		return false
	}
	select {
	case <-d.conn.dead:
		return true
	default:
		return false
	}
}

// connect gives the connection to the worker at addr, dialing when there is none. Several callers share one attempt.
func (m *Manager) connect(ctx context.Context, addr string) (*conn, error) {
	m.mu.Lock()
	d, known := m.dials[addr]
	if known && d.ended() {
		known = false // who noticed has not come to dropping it yet
	}
	if !known {
		d = &dial{done: make(chan struct{})}
		m.dials[addr] = d
	}
	m.mu.Unlock()
	if !known && !m.spawn(func() { m.dial(addr, d) }) {
		return nil, ErrClosed
	}
	select {
	case <-d.done:
		return d.conn, d.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-m.ctx.Done():
		return nil, ErrClosed
	}
}

// dial tries to connect for a little less than RequestTimeout, so that the reason is known when consumers give up.
func (m *Manager) dial(addr string, d *dial) {
	ctx, cancel := context.WithTimeout(m.ctx, m.cfg.RequestTimeout-m.cfg.RequestTimeout/10)
	defer cancel()
	pause := firstRetry
	var c *conn
	var err error
	for {
		if c, err = m.dialOnce(ctx, addr); err == nil || final(err) || ctx.Err() != nil {
			break
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
		pause = min(2*pause, lastRetry)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err == nil {
		d.conn = c
	} else {
		d.err = &PeerError{Side: "worker", Addr: addr, Err: unreachable(err)}
	}
	if m.dials[addr] == d && (err != nil || d.ended()) {
		delete(m.dials, addr)
	}
	close(d.done)
}

// final tells an error that another attempt would only repeat.
func final(err error) bool {
	return errors.Is(err, security.ErrUnauthenticated) || errors.Is(err, ErrClosed) || errors.Is(err, errPeerRefused)
}

// errPeerRefused marks a peer that checkPeer refused.
var errPeerRefused = errors.New("connection refused")

// unreachable gives a network error its kind.
func unreachable(err error) error {
	if final(err) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrNotFound, err)
}

// dialOnce makes one attempt.
func (m *Manager) dialOnce(ctx context.Context, addr string) (*conn, error) {
	dialer := net.Dialer{KeepAliveConfig: keepAlive}
	tcp, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	hello, err := security.ClientHandshake(ctx, tcp, m.secret, m.cfg.hello(m.addr).Append(nil))
	if err != nil {
		return nil, errors.Join(err, tcp.Close())
	}
	peer, err := frame.ParseHello(hello)
	if err == nil {
		err = m.cfg.checkPeer(peer)
	}
	if err != nil {
		_ = tcp.Close()
		return nil, fmt.Errorf("%w: %w", errPeerRefused, err)
	}
	peer.Addr = addr
	c, ok := newConn(m, tcp, peer, true)
	if !ok {
		return nil, ErrClosed
	}
	return c, nil
}
