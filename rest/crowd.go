package rest

import (
	"context"
	"net"
	"net/http"
	"sync"
)

// maxPending connections may be without a request that was let in; it leaves the other half of maxConnections to those who are
// known, whatever a crowd of strangers does.
const maxPending = maxConnections / 2

// crowd knows the connections on which nobody has shown who they are yet. When there are too many, the oldest is closed: honest
// clients send their request at once. Those that send nothing, or half a request, are closed after readHeaderTimeout anyway, and
// those that were refused with their answer.
type crowd struct {
	limit int

	mu      sync.Mutex
	pending []net.Conn // oldest first
}

type connKey struct{}

// arrived is http.Server's ConnContext.
func (c *crowd) arrived(ctx context.Context, conn net.Conn) context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pending = append(c.pending, conn)
	for len(c.pending) > c.limit {
		_ = c.pending[0].Close() // its handler finds out by itself
		c.pending = c.pending[1:]
	}
	return context.WithValue(ctx, connKey{}, func() { c.leave(conn) })
}

// changed is http.Server's ConnState.
func (c *crowd) changed(conn net.Conn, state http.ConnState) {
	if state == http.StateClosed || state == http.StateHijacked {
		c.leave(conn)
	}
}

// leave takes a connection out, because it is known now, or gone.
func (c *crowd) leave(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, p := range c.pending {
		if p == conn {
			c.pending = append(c.pending[:i], c.pending[i+1:]...)
			return
		}
	}
}

// known takes the connection of a request that was let in out of the crowd.
func known(r *http.Request) {
	if leave, ok := r.Context().Value(connKey{}).(func()); ok {
		leave()
	}
}
