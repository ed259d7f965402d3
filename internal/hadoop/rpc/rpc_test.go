package rpc_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/weft-project/weft/internal/await"
	commonpb "github.com/weft-project/weft/internal/hadoop/proto/common"
	"github.com/weft-project/weft/internal/hadoop/rpc"
	"github.com/weft-project/weft/internal/hadoop/rpc/rpctest"
	"github.com/weft-project/weft/internal/hadoop/sasl"
	"github.com/weft-project/weft/internal/hadoop/token"
)

var echo = rpc.Protocol{Name: "org.example.EchoProtocolPB", Version: 1}

// The messages of the fake protocol are borrowed: a text in, a text out.
func ask(text string) *commonpb.GetDelegationTokenRequest {
	return &commonpb.GetDelegationTokenRequest{Renewer: &text}
}

func call(ctx context.Context, p *rpc.Proxy, text string) (string, error) {
	var out commonpb.GetDelegationTokenRequest
	err := p.Call(ctx, "echo", ask(text), &out)
	return out.GetRenewer(), err
}

// echoHandler answers "user:text"; a text "slow" waits for release.
func echoHandler(release <-chan struct{}) rpctest.Handler {
	return func(c rpctest.Call) (proto.Message, error) {
		var in commonpb.GetDelegationTokenRequest
		if err := c.Decode(&in); err != nil {
			return nil, err
		}
		if in.GetRenewer() == "slow" {
			<-release
		}
		return ask(c.User + ":" + in.GetRenewer()), nil
	}
}

func start(t *testing.T, cfg rpctest.Config) *rpctest.Server {
	t.Helper()
	s, err := rpctest.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func client(t *testing.T, o rpc.Options) *rpc.Client {
	t.Helper()
	c := rpc.NewClient(o)
	t.Cleanup(c.Close)
	return c
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

var goodToken = token.Token{Identifier: []byte("attempt_1"), Password: []byte("secret"), Kind: token.KindAMRM}

func goodTokens() []token.Token { return []token.Token{goodToken} }

func TestManyCallsInFlight(t *testing.T) {
	release := make(chan struct{})
	s := start(t, rpctest.Config{Handle: echoHandler(release)})
	p := client(t, rpc.Options{}).Proxy(rpc.Target{Addresses: []string{s.Addr()}, Protocol: echo, Security: &rpc.Security{User: "ann"}})
	ctx := within(t)
	slow := make(chan error, 1)
	go func() {
		got, err := call(ctx, p, "slow")
		if got != "ann:slow" && err == nil {
			err = errors.New(got)
		}
		slow <- err
	}()
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			text := fmt.Sprint(i)
			if got, err := call(ctx, p, text); err != nil || got != "ann:"+text {
				t.Errorf("%q %v", got, err)
			}
		})
	}
	wg.Wait()
	close(release)
	if err := <-slow; err != nil {
		t.Error(err)
	}
	if n := s.Connections(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
}

func TestTokenAtEachProtection(t *testing.T) {
	for _, c := range []struct {
		qop    sasl.QOP
		cipher string
	}{{sasl.Auth, ""}, {sasl.AuthInt, ""}, {sasl.AuthConf, "rc4"}, {sasl.AuthConf, "3des"}} {
		t.Run(c.qop.String()+c.cipher, func(t *testing.T) {
			s := start(t, rpctest.Config{Tokens: goodTokens, Protection: []sasl.QOP{c.qop}, Ciphers: []string{c.cipher}, Handle: echoHandler(nil)})
			sec := &rpc.Security{User: "ignored", Token: &goodToken, Protection: []sasl.QOP{sasl.AuthConf, sasl.AuthInt, sasl.Auth}}
			p := client(t, rpc.Options{}).Proxy(rpc.Target{Addresses: []string{s.Addr()}, Protocol: echo, Security: sec})
			ctx := within(t)
			var wg sync.WaitGroup
			for i := range 20 {
				wg.Go(func() {
					text := strings.Repeat("x", i*5000)
					if got, err := call(ctx, p, text); err != nil || got != "attempt_1:"+text {
						t.Errorf("%d bytes: %d bytes, %v", len(text), len(got), err)
					}
				})
			}
			wg.Wait()
		})
	}
}

func TestRefusedAuthentication(t *testing.T) {
	tokens := start(t, rpctest.Config{Tokens: goodTokens, Handle: echoHandler(nil)})
	simple := start(t, rpctest.Config{Handle: echoHandler(nil)})
	wrong := goodToken
	wrong.Password = []byte("wrong")
	for name, c := range map[string]struct {
		addr string
		sec  rpc.Security
		is   []error
		text string
	}{
		"no token":    {tokens.Addr(), rpc.Security{User: "ann"}, []error{rpc.ErrAccessControl}, "SIMPLE authentication is not enabled"},
		"wrong token": {tokens.Addr(), rpc.Security{Token: &wrong}, []error{rpc.ErrHandshake, rpc.ErrInvalidToken}, "token not found"},
		"secured":     {tokens.Addr(), rpc.Security{RefuseSimple: true}, []error{rpc.ErrHandshake}, "accepts TOKEN DIGEST-MD5, this client has neither"},
		"downgrade":   {simple.Addr(), rpc.Security{Token: &goodToken, RefuseSimple: true}, []error{rpc.ErrHandshake}, "asks for no authentication"},
		"protection":  {tokens.Addr(), rpc.Security{Token: &goodToken, Protection: []sasl.QOP{sasl.AuthConf}}, []error{rpc.ErrHandshake, sasl.ErrQOP}, "hadoop.rpc.protection"},
	} {
		p := client(t, rpc.Options{}).Proxy(rpc.Target{Name: "Echo", Addresses: []string{c.addr}, Protocol: echo, Security: &c.sec,
			Retry: rpc.Retry{MaxWait: time.Minute, Interval: time.Second}})
		_, err := call(within(t), p, "x")
		for _, want := range c.is {
			if !errors.Is(err, want) {
				t.Errorf("%s: %v is not %v", name, err, want)
			}
		}
		if err == nil || !strings.Contains(err.Error(), c.text) || !strings.Contains(err.Error(), "Echo at "+c.addr+" EchoProtocol.echo: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	p := client(t, rpc.Options{}).Proxy(rpc.Target{Addresses: []string{simple.Addr()}, Protocol: echo, Security: &rpc.Security{User: "ann", Token: &goodToken}})
	if got, err := call(within(t), p, "x"); err != nil || got != "ann:x" {
		t.Errorf("a server without security: %q %v", got, err)
	}
	both := start(t, rpctest.Config{Tokens: goodTokens, Simple: true, Handle: echoHandler(nil)})
	noToken := func(context.Context, string, rpc.Offer) (sasl.Mechanism, error) { return nil, errors.New("no ticket") }
	p = client(t, rpc.Options{}).Proxy(rpc.Target{Addresses: []string{both.Addr()}, Protocol: echo, Security: &rpc.Security{User: "ann", Kerberos: noToken}})
	if got, err := call(within(t), p, "x"); err != nil || got != "ann:x" {
		t.Errorf("a server that offers SIMPLE: %q %v", got, err)
	}
}

func TestRetryKeepsIdentity(t *testing.T) {
	var mu sync.Mutex
	var seen []rpctest.Call
	s := start(t, rpctest.Config{Handle: func(c rpctest.Call) (proto.Message, error) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, c)
		switch len(seen) {
		case 1:
			return nil, rpctest.ErrDrop
		case 2:
			return nil, &rpc.RemoteError{Class: "org.apache.hadoop.ipc.RetriableException", Message: "not yet"}
		}
		return ask("done"), nil
	}})
	var retries int
	p := client(t, rpc.Options{}).Proxy(rpc.Target{Addresses: []string{s.Addr()}, Protocol: echo, Retry: rpc.Retry{MaxWait: 10 * time.Second, Interval: time.Millisecond,
		MaxInterval: 5 * time.Millisecond, OnRetry: func(error, time.Duration) { retries++ }}})
	var out commonpb.GetDelegationTokenRequest
	info, err := p.CallInfo(within(t), "echo", ask("x"), &out)
	if err != nil || out.GetRenewer() != "done" || info.Attempts != 3 || !info.MaybeRepeated || retries != 2 {
		t.Fatalf("%v %+v %d", err, info, retries)
	}
	for i, c := range seen {
		if c.ID != seen[0].ID || c.ClientID != seen[0].ClientID || len(c.ClientID) != 16 || int(c.Retry) != i {
			t.Errorf("attempt %d: id %d client %x retry %d", i, c.ID, c.ClientID, c.Retry)
		}
	}
}

func TestFailover(t *testing.T) {
	standby := start(t, rpctest.Config{Handle: func(rpctest.Call) (proto.Message, error) {
		return nil, &rpc.RemoteError{Class: "org.apache.hadoop.ipc.StandbyException", Message: "standby"}
	}})
	active := start(t, rpctest.Config{Handle: echoHandler(nil)})
	gone := start(t, rpctest.Config{Handle: echoHandler(nil)})
	gone.Close()
	c := client(t, rpc.Options{})
	p := c.Proxy(rpc.Target{Addresses: []string{gone.Addr(), standby.Addr(), active.Addr()}, Protocol: echo})
	for range 3 {
		if got, err := call(within(t), p, "x"); err != nil || got != ":x" {
			t.Fatal(got, err)
		}
	}
	if n := standby.Connections(); n != 1 {
		t.Errorf("the standby was asked %d times, want once", n)
	}
	p = c.Proxy(rpc.Target{Addresses: []string{gone.Addr(), standby.Addr()}, Protocol: echo})
	_, err := call(within(t), p, "x")
	if err == nil || !strings.Contains(err.Error(), gone.Addr()+": no connection: connect: connection refused") || !strings.Contains(err.Error(), "StandbyException: standby") {
		t.Error(err)
	}
}

func TestServerComesBack(t *testing.T) {
	s := start(t, rpctest.Config{Handle: echoHandler(nil)})
	p := client(t, rpc.Options{}).Proxy(rpc.Target{Addresses: []string{s.Addr()}, Protocol: echo, Retry: rpc.Retry{MaxWait: 15 * time.Second, Interval: 5 * time.Millisecond, MaxInterval: 20 * time.Millisecond}})
	if _, err := call(within(t), p, "x"); err != nil {
		t.Fatal(err)
	}
	s.Close()
	result := make(chan error, 1)
	go func() {
		_, err := call(within(t), p, "y")
		result <- err
	}()
	back := start(t, rpctest.Config{Address: s.Addr(), Handle: echoHandler(nil)})
	if err := <-result; err != nil {
		t.Error(err)
	}
	_ = back
}

func TestNeverHangs(t *testing.T) {
	silent := start(t, rpctest.Config{Handle: func(rpctest.Call) (proto.Message, error) { return nil, rpctest.ErrSilence }})
	p := client(t, rpc.Options{CallTimeout: 50 * time.Millisecond}).Proxy(rpc.Target{Addresses: []string{silent.Addr()}, Protocol: echo})
	if _, err := call(within(t), p, "x"); !errors.Is(err, rpc.ErrTimeout) || !strings.Contains(err.Error(), "EchoProtocol.echo: no answer in time (50ms)") {
		t.Error(err)
	}
	p = client(t, rpc.Options{}).Proxy(rpc.Target{Addresses: []string{silent.Addr()}, Protocol: echo, Retry: rpc.Retry{MaxWait: time.Minute}})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := call(ctx, p, "x"); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}

	// A listener that accepts and says nothing stops the handshake.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	p = client(t, rpc.Options{ConnectTimeout: 50 * time.Millisecond}).Proxy(rpc.Target{Addresses: []string{l.Addr().String()}, Protocol: echo, Security: &rpc.Security{Token: &goodToken}})
	if _, err := call(within(t), p, "x"); !errors.Is(err, rpc.ErrConnect) || !strings.Contains(err.Error(), "timed out after 50ms") {
		t.Error(err)
	}

	// A server that stops reading blocks the writer; neither it nor who waits behind it is kept longer than its context.
	stuck := make(chan net.Conn, 1)
	go func() {
		if nc, err := l.Accept(); err == nil {
			stuck <- nc
		}
	}()
	p = client(t, rpc.Options{}).Proxy(rpc.Target{Addresses: []string{l.Addr().String()}, Protocol: echo})
	ctx, cancel = context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			if _, err := call(ctx, p, strings.Repeat("x", 16<<20)); !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if nc := <-stuck; nc != nil {
		_ = nc.Close()
	}

	web := httptest.NewServer(http.NotFoundHandler())
	defer web.Close()
	p = client(t, rpc.Options{}).Proxy(rpc.Target{Addresses: []string{web.Listener.Addr().String()}, Protocol: echo, Security: &rpc.Security{Token: &goodToken}})
	if _, err := call(within(t), p, "x"); err == nil || !strings.Contains(err.Error(), "web port") {
		t.Error(err)
	}
}

func TestCloseEndsCalls(t *testing.T) {
	arrived := make(chan struct{})
	silent := start(t, rpctest.Config{Handle: func(rpctest.Call) (proto.Message, error) {
		close(arrived)
		return nil, rpctest.ErrSilence
	}})
	c := rpc.NewClient(rpc.Options{})
	p := c.Proxy(rpc.Target{Addresses: []string{silent.Addr()}, Protocol: echo, Retry: rpc.Retry{MaxWait: time.Minute}})
	result := make(chan error, 1)
	go func() {
		_, err := call(within(t), p, "x")
		result <- err
	}()
	<-arrived
	c.Close()
	if err := <-result; !errors.Is(err, rpc.ErrClosed) {
		t.Error(err)
	}
	if _, err := call(within(t), p, "x"); !errors.Is(err, rpc.ErrClosed) {
		t.Error(err)
	}
}

func TestPingAndIdle(t *testing.T) {
	release := make(chan struct{})
	s := start(t, rpctest.Config{Tokens: goodTokens, Protection: []sasl.QOP{sasl.AuthInt}, Handle: echoHandler(release)})
	var mu sync.Mutex
	open := 0
	c := client(t, rpc.Options{PingInterval: 5 * time.Millisecond, IdleTimeout: 10 * time.Millisecond,
		Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			nc, err := (&net.Dialer{}).DialContext(ctx, network, addr)
			mu.Lock()
			defer mu.Unlock()
			open++
			return &countedConn{Conn: nc, closed: func() { mu.Lock(); open--; mu.Unlock() }}, err
		}})
	p := c.Proxy(rpc.Target{Addresses: []string{s.Addr()}, Protocol: echo, Security: &rpc.Security{Token: &goodToken, Protection: []sasl.QOP{sasl.AuthInt}}})
	result := make(chan error, 1)
	go func() {
		_, err := call(within(t), p, "slow")
		result <- err
	}()
	await.Until(t, "three pings", func() bool { return s.Pings() >= 3 })
	close(release)
	if err := <-result; err != nil {
		t.Error(err)
	}
	await.Until(t, "the idle connection is closed", func() bool { mu.Lock(); defer mu.Unlock(); return open == 0 })
	if _, err := call(within(t), p, "again"); err != nil {
		t.Error(err)
	}
}

type countedConn struct {
	net.Conn
	once   sync.Once
	closed func()
}

func (c *countedConn) Close() error {
	c.once.Do(c.closed)
	return c.Conn.Close()
}

func TestSetSecurityReconnects(t *testing.T) {
	second := token.Token{Identifier: []byte("attempt_2"), Password: []byte("other"), Kind: token.KindAMRM}
	s := start(t, rpctest.Config{Tokens: func() []token.Token { return []token.Token{goodToken, second} }, Handle: echoHandler(nil)})
	p := client(t, rpc.Options{}).Proxy(rpc.Target{Addresses: []string{s.Addr()}, Protocol: echo, Security: &rpc.Security{Token: &goodToken}})
	if got, err := call(within(t), p, "x"); err != nil || got != "attempt_1:x" {
		t.Error(got, err)
	}
	p.SetSecurity(&rpc.Security{Token: &second})
	if got, err := call(within(t), p, "x"); err != nil || got != "attempt_2:x" {
		t.Error(got, err)
	}
}

// TestOpen uses the connection the way the HDFS client does: it writes frames itself.
func TestOpen(t *testing.T) {
	s := start(t, rpctest.Config{Tokens: goodTokens, Protection: []sasl.QOP{sasl.AuthConf}, Handle: echoHandler(nil)})
	nc, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := rpc.Open(within(t), nc, s.Addr(), echo.Name, &rpc.Security{Token: &goodToken, Protection: []sasl.QOP{sasl.AuthConf}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if got := conn.Session(); got != (rpc.Session{Method: "TOKEN", Mechanism: "DIGEST-MD5", QOP: sasl.AuthConf}) {
		t.Errorf("%+v", got)
	}
}
