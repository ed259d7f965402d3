package network

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/internal/await"
)

func TestCalls(t *testing.T) {
	both(t, func(t *testing.T, server, client *Manager) {
		ctx := testContext(t)
		me := attempt("reader", 3, 1)
		server.Handle("echo", func(_ context.Context, from id.Attempt, payload []byte) ([]byte, error) {
			return append([]byte(from.String()+" "), payload...), nil
		})
		server.Handle("fails", func(context.Context, id.Attempt, []byte) ([]byte, error) {
			return nil, errors.New("no such split: part-7")
		})
		server.Handle("huge", func(context.Context, id.Attempt, []byte) ([]byte, error) {
			return make([]byte, MaxMessage+1), nil
		})
		var all sync.WaitGroup
		for i := range 50 {
			all.Go(func() {
				payload := bytes.Repeat([]byte{byte(i)}, i*1000)
				answer, err := client.Call(ctx, server.Addr(), "echo", me, payload)
				if want := append([]byte(me.String()+" "), payload...); err != nil || !bytes.Equal(answer, want) {
					t.Errorf("call %d: %d bytes, %v", i, len(answer), err)
				}
			})
		}
		all.Wait()
		var ce *CallError
		if _, err := client.Call(ctx, server.Addr(), "fails", me, nil); !errors.As(err, &ce) || ce.Text != "no such split: part-7" || ce.Addr != server.Addr() {
			t.Errorf("fails: %v", err)
		}
		if _, err := client.Call(ctx, server.Addr(), "huge", me, nil); !errors.As(err, &ce) {
			t.Errorf("huge answer: %v", err)
		}
		if _, err := client.Call(ctx, server.Addr(), "echo", me, make([]byte, MaxMessage+1)); !errors.Is(err, ErrTooLarge) {
			t.Errorf("huge call: %v", err)
		}
		if answer, err := client.Call(ctx, server.Addr(), "echo", me, make([]byte, MaxMessage-100)); err != nil || len(answer) < MaxMessage-100 {
			t.Errorf("largest call: %d, %v", len(answer), err)
		}
	})
}

// A call may last; who gives up ends the handler's context; a service may appear after the call.
func TestLongCalls(t *testing.T) {
	both(t, func(t *testing.T, server, client *Manager) {
		ctx := testContext(t)
		entered, left := make(chan bool, 1), make(chan error, 1)
		late := make(chan error, 1)
		go func() {
			_, err := client.Call(ctx, server.Addr(), "long", id.Attempt{}, []byte("answer at once"))
			late <- err
		}()
		if server != client {
			await.Until(t, "the call is there", func() bool { server.mu.Lock(); defer server.mu.Unlock(); return len(server.conns) > 0 })
		}
		server.Handle("long", func(ctx context.Context, _ id.Attempt, payload []byte) ([]byte, error) {
			if len(payload) > 0 {
				return nil, nil
			}
			entered <- true
			<-ctx.Done()
			left <- context.Cause(ctx)
			return nil, ctx.Err()
		})
		must(t, <-late)
		short, cancel := context.WithCancelCause(ctx)
		go func() {
			<-entered
			cancel(errors.New("enough"))
		}()
		if _, err := client.Call(short, server.Addr(), "long", id.Attempt{}, nil); err == nil || err.Error() != "enough" {
			t.Errorf("a call that was given up: %v", err)
		}
		select {
		case <-left:
		case <-ctx.Done():
			t.Error("the handler was not told")
		}
	})
}

func TestCallsAndLostWorkers(t *testing.T) {
	ctx := testContext(t)
	quick := func(c *Config) { c.RequestTimeout = 200 * time.Millisecond }
	server, client := startManager(t, nil), startManager(t, quick)
	entered := make(chan bool)
	server.Handle("long", func(ctx context.Context, _ id.Attempt, _ []byte) ([]byte, error) {
		entered <- true
		<-ctx.Done()
		return nil, ctx.Err()
	})
	closed := make(chan error, 1)
	go func() {
		<-entered
		closed <- server.Close()
	}()
	_, err := client.Call(ctx, server.Addr(), "long", id.Attempt{}, nil)
	var pe *PeerError
	if !errors.Is(err, ErrPeerGone) || !errors.As(err, &pe) || pe.Addr != server.Addr() {
		t.Errorf("the worker died during the call: %v", err)
	}
	// Its address is free only when all of it has ended.
	must(t, <-closed)
	if _, err = client.Call(ctx, server.Addr(), "long", id.Attempt{}, nil); !errors.Is(err, ErrNotFound) {
		t.Errorf("the worker is not there: %v", err)
	}
	// A new worker at the address is dialed anew.
	again := startManager(t, func(c *Config) { c.Listen = server.Addr(); quick(c) })
	again.Handle("long", func(context.Context, id.Attempt, []byte) ([]byte, error) { return []byte("new"), nil })
	if answer, err := client.Call(ctx, again.Addr(), "long", id.Attempt{}, nil); err != nil || string(answer) != "new" {
		t.Errorf("%q, %v", answer, err)
	}
	again.Handle("long", nil)
	if _, err := client.Call(ctx, again.Addr(), "long", id.Attempt{}, nil); err == nil || !strings.Contains(err.Error(), `nobody serves "long"`) {
		t.Errorf("no service: %v", err)
	}
	must(t, client.Close())
	if _, err := client.Call(ctx, again.Addr(), "long", id.Attempt{}, nil); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	if _, err := client.Call(ctx, client.Addr(), "x", id.Attempt{}, nil); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close, to itself: %v", err)
	}
}
