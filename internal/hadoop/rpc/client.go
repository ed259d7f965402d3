package rpc

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	commonpb "github.com/weft-project/weft/internal/hadoop/proto/common"
)

const defaultMaxFrame = 128 << 20

// Options are the limits of a Client. The zero value of each field stands for Hadoop's default.
type Options struct {
	// Dial opens TCP connections; nil takes a net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// ConnectTimeout bounds dialling and opening of one connection (20 s, ipc.client.connect.timeout).
	ConnectTimeout time.Duration
	// CallTimeout bounds one attempt of a call (120 s, ipc.client.rpc-timeout.ms).
	CallTimeout time.Duration
	// PingInterval is how long a waiting connection is silent before it is pinged (60 s, ipc.ping.interval); negative is never.
	PingInterval time.Duration
	// IdleTimeout is how long a connection without calls is kept (10 s, ipc.client.connection.maxidletime).
	IdleTimeout time.Duration
	// MaxFrame bounds an answer, in bytes (128 MiB, ipc.maximum.response.length).
	MaxFrame int
	// Log gets connections and retries at debug level; nil logs nothing.
	Log *slog.Logger
}

func (o Options) withDefaults() Options {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	def(&o.ConnectTimeout, 20*time.Second)
	def(&o.CallTimeout, 120*time.Second)
	def(&o.PingInterval, 60*time.Second)
	def(&o.IdleTimeout, 10*time.Second)
	if o.MaxFrame == 0 {
		o.MaxFrame = defaultMaxFrame
	}
	if o.Dial == nil {
		o.Dial = (&net.Dialer{KeepAlive: 30 * time.Second}).DialContext
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// Client holds connections and shares them among the proxies made from it. It is safe for use by several goroutines.
type Client struct {
	opts   Options
	id     []byte
	nextID atomic.Int32

	mu     sync.Mutex
	closed bool
	// slots hold the connection of each key, or the one being opened.
	slots map[connKey]*slot
	// live are all open connections, also those that a slot no longer names.
	live map[*connection]struct{}
}

// connKey tells which calls can share a connection.
type connKey struct {
	address, protocol string
	security          *Security
}

// slot is one place for a connection. opening is closed when the opening has ended; then either conn or err is set.
type slot struct {
	conn    *connection
	err     error
	opening chan struct{}
}

// NewClient makes a client; Close it.
func NewClient(o Options) *Client {
	c := &Client{opts: o.withDefaults(), id: make([]byte, 16), slots: map[connKey]*slot{}, live: map[*connection]struct{}{}}
	// crypto/rand.Read never fails on the supported platforms.
	_, _ = rand.Read(c.id)
	return c
}

// Close ends all connections; calls in flight fail with ErrClosed.
func (c *Client) Close() {
	c.mu.Lock()
	c.closed = true
	var all []*connection
	for n := range c.live {
		all = append(all, n)
	}
	c.mu.Unlock()
	for _, n := range all {
		n.end(ErrClosed)
	}
}

// connection gives the connection for a key, opening it when there is none. Concurrent callers share one opening.
func (c *Client) connection(ctx context.Context, key connKey) (*connection, error) {
	for {
		c.mu.Lock()
		if c.closed {
			c.mu.Unlock()
			return nil, ErrClosed
		}
		s := c.slots[key]
		if s == nil {
			s = &slot{opening: make(chan struct{})}
			c.slots[key] = s
			c.mu.Unlock()
			return c.openSlot(ctx, key, s)
		}
		if s.conn != nil {
			defer c.mu.Unlock()
			return s.conn, nil
		}
		c.mu.Unlock()
		select {
		case <-s.opening:
			// Who waited shares the failure, unless it was only that the opener gave up; then the next one tries.
			c.mu.Lock()
			err := s.err
			c.mu.Unlock()
			if err != nil && !errors.Is(err, errOpenerGone) {
				return nil, err
			}
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// errOpenerGone marks an opening that ended because its caller's context did.
var errOpenerGone = errors.New("the caller gave up")

func (c *Client) openSlot(ctx context.Context, key connKey, s *slot) (*connection, error) {
	conn, err := c.dial(ctx, key)
	c.mu.Lock()
	defer c.mu.Unlock()
	defer close(s.opening)
	if err == nil && c.closed {
		_ = conn.Close()
		err = ErrClosed
	}
	if err != nil {
		s.err = err
		if ctx.Err() != nil {
			s.err = errOpenerGone
		}
		if c.slots[key] == s {
			delete(c.slots, key)
		}
		return nil, err
	}
	n := newConnection(conn, c.opts, func(n *connection) {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.live, n)
		if c.slots[key] == s {
			delete(c.slots, key)
		}
	})
	s.conn = n
	c.live[n] = struct{}{}
	return n, nil
}

// dial opens one connection within the connect timeout.
func (c *Client) dial(ctx context.Context, key connKey) (*Conn, error) {
	began := time.Now()
	dialCtx, cancel := context.WithTimeoutCause(ctx, c.opts.ConnectTimeout, fmt.Errorf("%w: timed out after %v", ErrConnect, c.opts.ConnectTimeout))
	defer cancel()
	nc, err := c.opts.Dial(dialCtx, "tcp", key.address)
	if err != nil {
		if dialCtx.Err() != nil {
			return nil, context.Cause(dialCtx)
		}
		return nil, connectError(err)
	}
	conn, err := Open(dialCtx, nc, key.address, key.protocol, key.security)
	if err != nil {
		var call *CallError
		if errors.As(err, &call) {
			err = call.Err
		}
		return nil, err
	}
	c.opts.Log.Debug("hadoop rpc connection open", "address", key.address, "protocol", shortName(key.protocol),
		"method", conn.session.Method, "qop", conn.session.QOP.String(), "took", time.Since(began))
	return conn, nil
}

// once does one attempt of a call. sent tells whether the server may have seen it.
func (c *Client) once(ctx context.Context, key connKey, p Protocol, method string, id, retry int32, req, resp proto.Message) (sent bool, err error) {
	request, err := frame(requestHeader(id, c.id, retry), &commonpb.RequestHeader{
		MethodName: &method, DeclaringClassProtocolName: &p.Name, ClientProtocolVersion: &p.Version}, req)
	if err != nil {
		return false, &permanentError{err}
	}
	for {
		n, err := c.connection(ctx, key)
		if err != nil {
			return false, err
		}
		body, sent, err := n.call(ctx, id, request, c.opts.CallTimeout)
		if errors.Is(err, errEnded) && !sent {
			// It became idle between finding and using it.
			continue
		}
		if errors.Is(err, errEnded) {
			err = fmt.Errorf("%w: it was closed while a call was sent", ErrBroken)
		}
		if err != nil {
			return sent, err
		}
		if _, err := takeDelimited(body, resp); err != nil {
			return true, &permanentError{fmt.Errorf("answer: %w", err)}
		}
		return true, nil
	}
}

// permanentError is one that no retry mends.
type permanentError struct{ err error }

func (e *permanentError) Error() string { return e.err.Error() }
func (e *permanentError) Unwrap() error { return e.err }

// newCallID gives ids from 0 up to the largest 31-bit number, and around.
func (c *Client) newCallID() int32 { return (c.nextID.Add(1) - 1) & 0x7fffffff }
