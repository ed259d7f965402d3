package hatest

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"
)

// Link is a process's way to its store. While it is cut nothing gets through and nothing is refused, as when a switch fails: what was
// sent arrives when it is healed, unless somebody has given up. The zero value is whole.
type Link struct {
	// OnChange, when set, is told of cuts and repairs.
	OnChange func(cut bool)
	// Delay, when set, is how long the next message is under way.
	Delay func() time.Duration

	mu     sync.Mutex
	healed chan struct{} // nil while whole
	conns  map[net.Conn]bool
	// calls are those under way, those that were given up among them.
	calls sync.WaitGroup
}

// Drain waits for the calls that were given up; the link is whole.
func (l *Link) Drain() { l.calls.Wait() }

// Cut lets nothing through.
func (l *Link) Cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.healed != nil {
		return
	}
	l.healed = make(chan struct{})
	if l.OnChange != nil {
		l.OnChange(true)
	}
}

// Heal undoes Cut.
func (l *Link) Heal() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.healed == nil {
		return
	}
	close(l.healed)
	l.healed = nil
	if l.OnChange != nil {
		l.OnChange(false)
	}
}

// Break closes the connections that there are; new ones may be made.
func (l *Link) Break() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.conns {
		_ = c.Close() // it is to break
	}
}

// Pass is one message's way: it waits until the link is whole.
func (l *Link) Pass(ctx context.Context) error {
	if l.Delay != nil {
		wait(ctx, l.Delay())
	}
	for {
		l.mu.Lock()
		healed := l.healed
		l.mu.Unlock()
		if healed == nil {
			return ctx.Err()
		}
		select {
		case <-healed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Dial makes connections through the link.
func (l *Link) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	if err := l.Pass(ctx); err != nil {
		return nil, err
	}
	far, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	near, middle := net.Pipe()
	l.mu.Lock()
	if l.conns == nil {
		l.conns = map[net.Conn]bool{}
	}
	l.conns[middle] = true
	l.mu.Unlock()
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var both sync.WaitGroup
	both.Go(func() { l.pump(ctx, cancel, far, middle) })
	both.Go(func() { l.pump(ctx, cancel, middle, far) })
	go func() {
		both.Wait()
		l.mu.Lock()
		delete(l.conns, middle)
		l.mu.Unlock()
	}()
	return near, nil
}

// pump copies one direction, holding what it has while the link is cut.
func (l *Link) pump(ctx context.Context, cancel func(), to, from net.Conn) {
	defer func() {
		cancel()
		_ = errors.Join(to.Close(), from.Close()) // both ends hear of it
	}()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if errPass := l.Pass(ctx); errPass != nil {
			return
		}
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
