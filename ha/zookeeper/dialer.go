package zookeeper

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"
)

// connectReal begins a session by the library.
func connectReal(o Options, granted func(time.Duration), changed func(zk.State)) (client, error) {
	servers := strings.Split(o.Quorum, ",")
	for i, s := range servers {
		servers[i] = strings.TrimSpace(s)
	}
	c, _, err := zk.Connect(servers, o.SessionTimeout,
		zk.WithHostProvider(&hosts{}),
		zk.WithDialer(dialer(o, len(servers), granted)),
		zk.WithLogger(logger{o.Log}), zk.WithLogInfo(false),
		zk.WithEventCallback(func(e zk.Event) {
			if e.Type == zk.EventSession {
				changed(e.State)
			}
		}))
	if err != nil {
		return nil, err
	}
	return c, nil
}

type logger struct{ log *slog.Logger }

// Printf is the library's way to log.
func (l logger) Printf(format string, args ...any) {
	l.log.Debug("zookeeper: " + fmt.Sprintf(format, args...))
}

// hosts hands out the servers by name, in an order of its own; names are looked up at each connection, so that a server may
// move, and TLS knows whom it speaks to.
type hosts struct {
	servers []string
	next    int
	tried   int
}

// Init is zk.HostProvider's.
func (h *hosts) Init(servers []string) error {
	if len(servers) == 0 {
		return errors.New("no server was named")
	}
	h.servers = append([]string(nil), servers...)
	rand.Shuffle(len(h.servers), func(i, j int) { h.servers[i], h.servers[j] = h.servers[j], h.servers[i] })
	return nil
}

// Len is zk.HostProvider's.
func (h *hosts) Len() int { return len(h.servers) }

// Next is zk.HostProvider's.
func (h *hosts) Next() (server string, retryStart bool) {
	server = h.servers[h.next]
	h.next = (h.next + 1) % len(h.servers)
	retryStart = h.tried == len(h.servers)
	if retryStart {
		h.tried = 0
	}
	h.tried++
	return server, retryStart
}

// Connected is zk.HostProvider's.
func (h *hosts) Connected() { h.tried = 0 }

// dialer makes connections whose reads and writes end in time. The library's own bound of a connection, a second, is not kept: TLS over a
// wide network may take longer.
func dialer(o Options, servers int, granted func(time.Duration)) zk.Dialer {
	// All servers can be tried within the time for which a leader trusts an answer.
	patience := min(o.ConnectionTimeout, max(o.SessionTimeout/3/time.Duration(servers), 500*time.Millisecond))
	return func(network, address string, _ time.Duration) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		c, err := o.Dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		if o.TLS != nil {
			if c, err = startTLS(ctx, o.TLS, c, address); err != nil {
				return nil, err
			}
		}
		return &boundedConn{Conn: c, bound: o.SessionTimeout * 2 / 3, granted: granted}, nil
	}
}

func startTLS(ctx context.Context, conf *tls.Config, c net.Conn, address string) (net.Conn, error) {
	conf = conf.Clone()
	if conf.ServerName == "" {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			host = address
		}
		conf.ServerName = host
	}
	t := tls.Client(c, conf)
	if err := t.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("TLS with ZooKeeper at %s: %w", address, err), c.Close())
	}
	return t, nil
}

// boundedConn bounds every read and write: the library waits ten times too long for a hanging server's greeting, or for ever. It
// also reads the session's timeout out of the greeting, which the library keeps to itself.
type boundedConn struct {
	net.Conn
	bound   time.Duration
	granted func(time.Duration)
	head    []byte // the greeting's first bytes
}

// greeting is the length of what is read of a connect response: length, protocol version, timeout, session id.
const greeting = 4 + 4 + 4 + 8

// Read is net.Conn's.
func (c *boundedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if len(c.head) < greeting {
		c.head = append(c.head, p[:min(n, greeting-len(c.head))]...)
		if len(c.head) == greeting && binary.BigEndian.Uint64(c.head[12:]) != 0 {
			c.granted(time.Duration(binary.BigEndian.Uint32(c.head[8:])) * time.Millisecond)
		}
	}
	return n, err
}

// SetReadDeadline is net.Conn's.
func (c *boundedConn) SetReadDeadline(t time.Time) error { return c.Conn.SetReadDeadline(c.clamp(t)) }

// SetWriteDeadline is net.Conn's.
func (c *boundedConn) SetWriteDeadline(t time.Time) error { return c.Conn.SetWriteDeadline(c.clamp(t)) }

// clamp brings a deadline, or none, down to the bound.
func (c *boundedConn) clamp(t time.Time) time.Time {
	latest := time.Now().Add(c.bound)
	if t.IsZero() || t.After(latest) {
		return latest
	}
	return t
}
