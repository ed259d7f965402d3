package zookeeper

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-zookeeper/zk"
)

// client is what is used of the library's connection; simulations have another one.
type client interface {
	AddAuth(scheme string, auth []byte) error
	Children(path string) ([]string, *zk.Stat, error)
	Create(path string, data []byte, flags int32, acl []zk.ACL) (string, error)
	Delete(path string, version int32) error
	ExistsW(path string) (bool, *zk.Stat, <-chan zk.Event, error)
	Get(path string) ([]byte, *zk.Stat, error)
	GetW(path string) ([]byte, *zk.Stat, <-chan zk.Event, error)
	Multi(ops ...any) ([]zk.MultiResponse, error)
	Sync(path string) (string, error)
	Close()
}

// connector begins a session. granted is told the session's timeout at each connection, and changed the session's state.
type connector func(o Options, granted func(time.Duration), changed func(zk.State)) (client, error)

// session is one ZooKeeper session and never another: when it has ended, it has ended.
type session struct {
	c       client
	timeout atomic.Int64
	// ended is closed at the end; cause is set before.
	ended chan struct{}
	mu    sync.Mutex
	cause error
}

// errAuth: the servers do not take the client for who it says it is.
var errAuth = errors.New("ZooKeeper refuses the client's authentication (high-availability.zookeeper.client.authorization)")

// openSession begins a session in the background; calls wait for it.
func openSession(o Options) (*session, error) {
	s := &session{ended: make(chan struct{})}
	s.timeout.Store(int64(o.SessionTimeout))
	changed := func(state zk.State) {
		switch state {
		case zk.StateExpired:
			// The library goes on with another session under the same handle: nobody may use it.
			go s.close(zk.ErrSessionExpired)
		case zk.StateAuthFailed:
			go s.close(errAuth)
		}
	}
	c, err := o.connect(o, func(d time.Duration) { s.timeout.Store(int64(d)) }, changed)
	if err != nil {
		return nil, fmt.Errorf("connect to ZooKeeper at %s: %w", o.Quorum, err)
	}
	s.mu.Lock()
	s.c = c
	over := s.cause != nil
	s.mu.Unlock()
	if over {
		c.Close()
	}
	for _, a := range o.Auth {
		// It is queued before all other calls, and sent again by the library at each connection once it was taken.
		go s.authenticate(o, a)
	}
	return s, nil
}

func (s *session) authenticate(o Options, a Auth) {
	for {
		err := s.c.AddAuth(a.Scheme, []byte(a.Secret))
		switch {
		case err == nil:
			return
		case errors.Is(err, zk.ErrAuthFailed):
			s.close(errAuth)
			return
		}
		timer := time.NewTimer(o.RetryWait)
		select {
		case <-timer.C:
		case <-s.ended:
			timer.Stop()
			return
		}
	}
}

// lease is the session's timeout as the servers have granted it.
func (s *session) lease() time.Duration { return time.Duration(s.timeout.Load()) }

func (s *session) over() bool {
	select {
	case <-s.ended:
		return true
	default:
		return false
	}
}

// close ends the session, for the first cause that comes; its ephemeral nodes go when a server hears of it.
func (s *session) close(cause error) {
	s.mu.Lock()
	first := s.cause == nil
	if first {
		s.cause = cause
		close(s.ended)
	}
	c := s.c
	s.mu.Unlock()
	if first && c != nil {
		c.Close()
	}
}

// err says why the session has ended.
func (s *session) err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cause
}

// call makes one call of the library, which knows no contexts, and stops waiting for it when the context or the session ends.
func call[T any](ctx context.Context, s *session, f func(c client) (T, error)) (T, error) {
	type answer struct {
		v   T
		err error
	}
	var none T
	if err := ctx.Err(); err != nil {
		return none, err
	}
	if s.over() {
		return none, s.err()
	}
	got := make(chan answer, 1)
	go func() {
		v, err := f(s.c)
		got <- answer{v, err}
	}()
	select {
	case a := <-got:
		return a.v, a.err
	case <-ctx.Done():
		return none, ctx.Err()
	case <-s.ended:
		return none, s.err()
	}
}

// passing tells errors that another try may not meet.
func passing(err error) bool {
	for _, e := range []error{zk.ErrConnectionClosed, zk.ErrNoServer, zk.ErrSessionExpired, zk.ErrSessionMoved, zk.ErrClosing,
		context.DeadlineExceeded, io.EOF, io.ErrClosedPipe} {
		if errors.Is(err, e) {
			return true
		}
	}
	// What a connection says that breaks while a request is sent.
	var broken net.Error
	return errors.As(err, &broken)
}

// retried makes a call as often as the options say. Each try has a time of its own, so that a server which hangs is not
// waited for all the time that the caller has.
func retried[T any](ctx context.Context, o Options, f func(ctx context.Context) (T, error)) (T, error) {
	for try := 0; ; try++ {
		one, cancel := context.WithTimeout(ctx, o.ConnectionTimeout)
		v, err := f(one)
		cancel()
		if err == nil || ctx.Err() != nil || !passing(err) || try >= o.Retries {
			return v, err
		}
		wait := o.RetryWait
		if try == 0 {
			// Most often it was one server's end, and the library is at the next one already.
			wait = min(wait, time.Duration(rand.Int64N(int64(200*time.Millisecond))))
		}
		pause(ctx, wait)
	}
}
