package security

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// DefaultPending is the number of handshakes that a listener has in hand at most; servers add the number of peers that
// they expect (SetLimit).
const DefaultPending = 64

// Conn is a connection whose handshake is done.
type Conn struct {
	net.Conn
	// PeerHello is what the peer said about itself, proven by the handshake.
	PeerHello []byte
}

// Listener accepts connections, runs their handshakes concurrently and gives out only those that passed. A connection
// that has not passed after HandshakeTimeout is closed. When more than the limit are pending, the oldest is closed:
// an honest handshake takes milliseconds, so a crowd of silent connections keeps nobody out.
type Listener struct {
	inner     net.Listener
	handshake func(ctx context.Context, conn net.Conn) ([]byte, error)
	log       *slog.Logger
	ctx       context.Context
	cancel    context.CancelFunc
	limit     atomic.Int64
	ready     chan *Conn
	failed    chan struct{} // closed after err is set, when the inner listener ended
	err       error
	done      sync.WaitGroup

	mu      sync.Mutex
	pending []*pendingConn // oldest first
	// refusals counts those since period began.
	refusals int
	period   time.Time
}

// pendingConn is one handshake in hand.
type pendingConn struct {
	conn net.Conn
}

// errCrowded ends the oldest pending handshake when there are too many.
var errCrowded = errors.New("too many connections are waiting for their handshake")

// NewListener wraps inner. limit bounds pending handshakes (0: DefaultPending). Which secret a client must know is
// said by secretFor, from the client's unproven hello; hello is what we say about ourselves. A refused client costs one
// line in log, as long as there are not many. The listener owns inner.
func NewListener(inner net.Listener, limit int, secretFor func(hello []byte) (Secret, error), hello []byte, log *slog.Logger) *Listener {
	ctx, cancel := context.WithCancel(context.Background())
	l := &Listener{
		inner: inner, log: log, ctx: ctx, cancel: cancel,
		ready: make(chan *Conn), failed: make(chan struct{}),
	}
	l.handshake = func(ctx context.Context, conn net.Conn) ([]byte, error) {
		return ServerHandshake(ctx, conn, secretFor, hello)
	}
	l.SetLimit(limit)
	l.done.Add(1)
	go l.acceptAll()
	return l
}

// FixedSecret is a secretFor that expects the same secret of everybody.
func FixedSecret(s Secret) func([]byte) (Secret, error) {
	return func([]byte) (Secret, error) { return s, nil }
}

// SetLimit changes the bound on pending handshakes.
func (l *Listener) SetLimit(n int) {
	if n <= 0 {
		n = DefaultPending
	}
	l.limit.Store(int64(n))
}

// Limit is the bound on pending handshakes.
func (l *Listener) Limit() int { return int(l.limit.Load()) }

// acceptAll takes connections from the inner listener until it ends.
func (l *Listener) acceptAll() {
	defer l.done.Done()
	for {
		conn, err := l.inner.Accept()
		if err != nil {
			if l.transient(err) {
				continue
			}
			l.err = err
			close(l.failed)
			return
		}
		p := l.add(conn)
		l.done.Add(1)
		go l.run(p)
	}
}

// transient tells an error that the next Accept may not have, such as no free file descriptor, and waits a little.
func (l *Listener) transient(err error) bool {
	var ne interface{ Temporary() bool }
	if l.ctx.Err() != nil || !errors.As(err, &ne) || !ne.Temporary() {
		return false
	}
	l.log.Warn("cannot accept a connection; trying again", "listen", l.inner.Addr().String(), "error", err)
	select {
	case <-l.ctx.Done():
	case <-time.After(50 * time.Millisecond):
	}
	return true
}

// add registers a pending connection, ending the oldest one when there are too many.
func (l *Listener) add(conn net.Conn) *pendingConn {
	p := &pendingConn{conn: conn}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pending = append(l.pending, p)
	for int64(len(l.pending)) > l.limit.Load() {
		oldest := l.pending[0]
		l.pending = l.pending[1:]
		_ = oldest.conn.Close()
	}
	return p
}

// remove takes p off the pending ones; false when it was pushed out.
func (l *Listener) remove(p *pendingConn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, q := range l.pending {
		if q == p {
			l.pending = append(l.pending[:i], l.pending[i+1:]...)
			return true
		}
	}
	return false
}

// A stranger must not fill the disk with our lines about it: refusals beyond refusalLines in a refusalPeriod are only counted.
const (
	refusalLines  = 20
	refusalPeriod = time.Minute
)

// refused writes one line about a refused client, unless there were too many lately.
func (l *Listener) refused(err error) {
	l.mu.Lock()
	now := time.Now()
	unsaid := 0
	if now.Sub(l.period) > refusalPeriod {
		unsaid, l.period, l.refusals = l.refusals-refusalLines, now, 0
	}
	l.refusals++
	say, last := l.refusals <= refusalLines, l.refusals == refusalLines
	l.mu.Unlock()
	if unsaid > 0 {
		l.log.Warn("connections were refused without a line for each", "listen", l.inner.Addr().String(), "count", unsaid)
	}
	if say {
		l.log.Warn("connection refused", "listen", l.inner.Addr().String(), "error", err)
	}
	if last {
		l.log.Warn("more connections are refused; they are only counted for a while", "listen", l.inner.Addr().String(), "while", refusalPeriod)
	}
}

// run does one handshake and hands the connection to Accept.
func (l *Listener) run(p *pendingConn) {
	defer l.done.Done()
	hello, err := l.handshake(l.ctx, p.conn)
	if !l.remove(p) {
		err = fmt.Errorf("handshake with %v: %w", p.conn.RemoteAddr(), errCrowded)
	}
	if err != nil {
		_ = p.conn.Close()
		if l.ctx.Err() == nil {
			l.refused(err)
		}
		return
	}
	select {
	case l.ready <- &Conn{Conn: p.conn, PeerHello: hello}:
	case <-l.ctx.Done():
		_ = p.conn.Close()
	case <-l.failed:
		_ = p.conn.Close()
	}
}

// Accept gives the next connection that passed its handshake, always a *Conn.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.ready:
		return c, nil
	case <-l.failed:
		return nil, l.err
	}
}

// Close ends listening and the handshakes in hand, and waits for them. Connections given out stay.
func (l *Listener) Close() error {
	l.cancel()
	err := l.inner.Close()
	l.done.Wait()
	return err
}

// Addr is the inner listener's address.
func (l *Listener) Addr() net.Addr { return l.inner.Addr() }
