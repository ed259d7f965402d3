package rpc

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/weft-project/weft/internal/delay"
)

// Protocol is the Java interface that a server implements.
type Protocol struct {
	// Name is the class name with its package.
	Name    string
	Version uint64
}

// Retry is when a call is tried again. The zero value tries once on each address.
type Retry struct {
	// MaxWait bounds the time from the first attempt to the last; 0 tries each address once.
	MaxWait time.Duration
	// Interval is the pause before the first retry; it doubles up to MaxInterval.
	Interval, MaxInterval time.Duration
	// OnRetry, when not nil, hears of each failed attempt that will be followed by another after wait.
	OnRetry func(err error, wait time.Duration)
}

// Target is one remote service.
type Target struct {
	// Name is what people call it ("ResourceManager"), for messages.
	Name string
	// Addresses are host:port of the service; several stand for a pair of which one is active.
	Addresses []string
	Protocol  Protocol
	Security  *Security
	Retry     Retry
}

// Proxy calls one remote service. It is safe for use by several goroutines.
type Proxy struct {
	client *Client
	target Target

	mu sync.Mutex
	// active is the index of the address that answered last.
	active int
	sec    *Security
}

// Proxy makes a proxy for a service; nothing is connected yet.
func (c *Client) Proxy(t Target) *Proxy {
	if t.Security == nil {
		t.Security = &Security{}
	}
	return &Proxy{client: c, target: t, sec: t.Security}
}

// SetSecurity makes later calls authenticate in another way, on new connections; calls in flight end as they began.
func (p *Proxy) SetSecurity(sec *Security) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sec = sec
}

// Security gives what calls authenticate with.
func (p *Proxy) Security() *Security {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sec
}

// Info tells how a call went.
type Info struct {
	// Attempts counts how often the call was tried; Addr is the address that answered.
	Attempts int
	Addr     string
	// MaybeRepeated tells that an attempt before the last may have reached the server.
	MaybeRepeated bool
}

// action is what follows a failed attempt.
type action int

const (
	fail action = iota
	retrySame
	failover
)

// classify follows Hadoop's RetryPolicies.FailoverOnNetworkExceptionRetry and RMProxy's table.
func classify(err error) action {
	var remote *RemoteError
	var permanent *permanentError
	switch {
	case errors.As(err, &permanent), errors.Is(err, ErrClosed):
		return fail
	case errors.Is(err, ErrStandby):
		return failover
	case errors.Is(err, ErrRetriable), errors.Is(err, errNotReady):
		return retrySame
	case errors.As(err, &remote):
		return fail
	case errors.Is(err, ErrHandshake):
		return fail
	case errors.Is(err, ErrConnect), errors.Is(err, ErrBroken), errors.Is(err, ErrTimeout):
		return failover
	}
	return fail
}

// errNotReady is a NodeManager that has just started.
var errNotReady = Class("the NodeManager is not ready yet", "org.apache.hadoop.yarn.exceptions.NMNotYetReadyException")

// Call calls a method: req is its argument, resp receives the result. It returns when there is an answer, when ctx ends or when
// the policy gives up. Every error is a *CallError around the cause.
func (p *Proxy) Call(ctx context.Context, method string, req, resp proto.Message) error {
	_, err := p.CallInfo(ctx, method, req, resp)
	return err
}

// CallInfo is Call with an account of the attempts.
func (p *Proxy) CallInfo(ctx context.Context, method string, req, resp proto.Message) (Info, error) {
	var info Info
	if len(p.target.Addresses) == 0 {
		return info, &CallError{Addr: p.target.Name, Protocol: shortName(p.target.Protocol.Name), Method: method, Err: errors.New("no address is configured")}
	}
	id := p.client.newCallID()
	began := time.Now()
	wait := max(p.target.Retry.Interval, time.Millisecond)
	tried := map[string]error{}
	for {
		index, addr, sec := p.current()
		info.Addr = addr
		key := connKey{address: addr, protocol: p.target.Protocol.Name, security: sec}
		sent, err := p.client.once(ctx, key, p.target.Protocol, method, id, int32(info.Attempts), req, resp)
		info.Attempts++
		if err == nil {
			return info, nil
		}
		next := classify(err)
		if sent && next != fail && !isRemote(err) {
			info.MaybeRepeated = true
		}
		if ctx.Err() != nil || next == fail {
			return info, p.failed(info, method, err, tried)
		}
		tried[addr] = err
		if next == failover {
			p.move(index)
		}
		// A first look at the other address costs nothing; after all have failed there is a pause.
		pause := time.Duration(0)
		if next == retrySame || len(tried) >= len(p.target.Addresses) {
			if time.Since(began)+wait > p.target.Retry.MaxWait {
				return info, p.failed(info, method, err, tried)
			}
			pause = wait/2 + rand.N(wait/2+1)
			wait = min(2*wait, max(p.target.Retry.MaxInterval, wait))
		}
		if p.target.Retry.OnRetry != nil {
			p.target.Retry.OnRetry(p.failed(info, method, err, tried), pause)
		}
		p.client.opts.Log.Debug("hadoop rpc retry", "address", addr, "method", method, "attempt", info.Attempts, "pause", pause, "error", err)
		if err := delay.For(ctx, pause); err != nil {
			return info, p.failed(info, method, fmt.Errorf("%w, last: %w", err, tried[addr]), tried)
		}
	}
}

// current gives the address to ask.
func (p *Proxy) current() (index int, addr string, sec *Security) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.active, p.target.Addresses[p.active], p.sec
}

// move goes on to the next address, unless another call has done so already.
func (p *Proxy) move(from int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.active == from {
		p.active = (from + 1) % len(p.target.Addresses)
	}
}

// failed makes the sentence for a call that failed; with several addresses it says what each of the others answered.
func (p *Proxy) failed(info Info, method string, err error, tried map[string]error) error {
	var others []string
	for _, addr := range p.target.Addresses {
		if other := tried[addr]; other != nil && addr != info.Addr {
			others = append(others, addr+": "+other.Error())
		}
	}
	if len(others) > 0 {
		err = fmt.Errorf("%w; %s", err, strings.Join(others, "; "))
	}
	addr := info.Addr
	if p.target.Name != "" {
		addr = p.target.Name + " at " + addr
	}
	return &CallError{Addr: addr, Protocol: shortName(p.target.Protocol.Name), Method: method, Attempts: info.Attempts, Err: err}
}
