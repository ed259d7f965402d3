package yarnrpc

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	hadoopconf "github.com/weft-project/weft/internal/hadoop/conf"
	yarnpb "github.com/weft-project/weft/internal/hadoop/proto/yarn"
	"github.com/weft-project/weft/internal/hadoop/rpc"
	"github.com/weft-project/weft/internal/hadoop/rpc/rpctest"
	"github.com/weft-project/weft/internal/hadoop/token"
)

// fakeRM is the scheduler service of a ResourceManager, scripted: answers are taken from the functions below, which a test
// replaces.
type fakeRM struct {
	*rpctest.Server
	mu       sync.Mutex
	tokens   []token.Token
	register func() (*yarnpb.RegisterApplicationMasterResponse, error)
	allocate func(*yarnpb.AllocateRequest) (*yarnpb.AllocateResponse, error)
	finish   func() (*yarnpb.FinishApplicationMasterResponse, error)
}

func amrmToken(t *testing.T, key int32) token.Token {
	t.Helper()
	id, err := proto.Marshal(&yarnpb.AMRMTokenIdentifier{AppAttemptId: AttemptID{ApplicationID{1, 2}, 3}.proto(), KeyId: &key})
	if err != nil {
		t.Fatal(err)
	}
	return token.Token{Identifier: id, Password: []byte{byte(key)}, Kind: token.KindAMRM}
}

func exception(class, message string) error {
	return &rpc.RemoteError{Class: exceptions + class, Message: message}
}

func (f *fakeRM) handle(c rpctest.Call) (proto.Message, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch c.Method {
	case "registerApplicationMaster":
		return f.register()
	case "allocate":
		var req yarnpb.AllocateRequest
		if err := c.Decode(&req); err != nil {
			return nil, err
		}
		return f.allocate(&req)
	case "finishApplicationMaster":
		return f.finish()
	}
	return nil, errors.New("unknown method " + c.Method)
}

func startRM(t *testing.T) (*fakeRM, *ApplicationMaster) {
	t.Helper()
	f := &fakeRM{tokens: []token.Token{amrmToken(t, 1)}}
	f.register = func() (*yarnpb.RegisterApplicationMasterResponse, error) {
		return &yarnpb.RegisterApplicationMasterResponse{MaximumCapability: Resource{4096, 4}.proto(), Queue: proto.String("q")}, nil
	}
	f.allocate = func(r *yarnpb.AllocateRequest) (*yarnpb.AllocateResponse, error) {
		return &yarnpb.AllocateResponse{ResponseId: proto.Int32(r.GetResponseId() + 1)}, nil
	}
	f.finish = func() (*yarnpb.FinishApplicationMasterResponse, error) {
		return &yarnpb.FinishApplicationMasterResponse{IsUnregistered: proto.Bool(true)}, nil
	}
	var err error
	f.Server, err = rpctest.Start(rpctest.Config{Handle: f.handle, Tokens: func() []token.Token {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.tokens
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return f, f.master(t)
}

func (f *fakeRM) master(t *testing.T) *ApplicationMaster {
	t.Helper()
	conf := hadoopconf.New(nil)
	conf.Set("yarn.resourcemanager.scheduler.address", f.Addr())
	creds := &token.Credentials{}
	creds.Add("any alias", amrmToken(t, 1))
	am, err := NewApplicationMaster(conf, Options{Credentials: creds, Retry: &rpc.Retry{MaxWait: 5 * time.Second, Interval: time.Millisecond, MaxInterval: 10 * time.Millisecond}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(am.Close)
	if am.Attempt() != (AttemptID{ApplicationID{1, 2}, 3}) {
		t.Errorf("attempt %v", am.Attempt())
	}
	return am
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func register(t *testing.T, am *ApplicationMaster) *Registration {
	t.Helper()
	reg, err := am.Register(within(t), RegisterRequest{Host: "h", Port: -1})
	if err != nil {
		t.Fatal(err)
	}
	return reg
}

func TestResponseIDs(t *testing.T) {
	f, am := startRM(t)
	if reg := register(t, am); reg.Max != (Resource{4096, 4}) || reg.Queue != "q" {
		t.Errorf("%+v", reg)
	}
	var seen []int32
	drop := true
	f.allocate = func(r *yarnpb.AllocateRequest) (*yarnpb.AllocateResponse, error) {
		seen = append(seen, r.GetResponseId())
		if drop = !drop; !drop {
			return nil, rpctest.ErrDrop
		}
		return &yarnpb.AllocateResponse{ResponseId: proto.Int32(r.GetResponseId() + 1)}, nil
	}
	for range 3 {
		if _, err := am.Allocate(within(t), 0); err != nil {
			t.Fatal(err)
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	want := []int32{0, 0, 1, 1, 2, 2}
	for i, id := range want {
		if len(seen) != len(want) || seen[i] != id {
			t.Fatalf("response ids %v, want %v", seen, want)
		}
	}
}

func TestResyncAfterRestart(t *testing.T) {
	for name, forget := range map[string]func() (*yarnpb.AllocateResponse, error){
		"exception": func() (*yarnpb.AllocateResponse, error) {
			return nil, exception("ApplicationMasterNotRegisteredException", "not registered")
		},
		"command": func() (*yarnpb.AllocateResponse, error) {
			return &yarnpb.AllocateResponse{AmCommand: yarnpb.AMCommand_AM_RESYNC.Enum(), ResponseId: proto.Int32(9)}, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			f, am := startRM(t)
			register(t, am)
			am.Request(small, 4)
			if _, err := am.Allocate(within(t), 0); err != nil {
				t.Fatal(err)
			}
			forgotten := false
			var last *yarnpb.AllocateRequest
			f.mu.Lock()
			f.allocate = func(r *yarnpb.AllocateRequest) (*yarnpb.AllocateResponse, error) {
				if !forgotten {
					forgotten = true
					return forget()
				}
				last = r
				return &yarnpb.AllocateResponse{ResponseId: proto.Int32(1)}, nil
			}
			f.mu.Unlock()
			a, err := am.Allocate(within(t), 0)
			if err != nil || !a.Resynced {
				t.Fatal(a, err)
			}
			f.mu.Lock()
			defer f.mu.Unlock()
			if last.GetResponseId() != 0 || len(last.GetAsk()) != 1 || last.GetAsk()[0].GetNumContainers() != 4 {
				t.Errorf("after the restart: %v", last)
			}
		})
	}
}

func TestEndOrders(t *testing.T) {
	f, am := startRM(t)
	register(t, am)
	f.mu.Lock()
	f.allocate = func(*yarnpb.AllocateRequest) (*yarnpb.AllocateResponse, error) {
		return nil, exception("ApplicationAttemptNotFoundException", "gone")
	}
	f.mu.Unlock()
	if _, err := am.Allocate(within(t), 0); !errors.Is(err, ErrAttemptNotFound) || !strings.Contains(err.Error(), "ResourceManager at "+f.Addr()+" ApplicationMasterProtocol.allocate") {
		t.Error(err)
	}
	f.mu.Lock()
	f.allocate = func(*yarnpb.AllocateRequest) (*yarnpb.AllocateResponse, error) {
		return &yarnpb.AllocateResponse{AmCommand: yarnpb.AMCommand_AM_SHUTDOWN.Enum()}, nil
	}
	f.mu.Unlock()
	if _, err := am.Allocate(within(t), 0); !errors.Is(err, ErrShutdown) {
		t.Error(err)
	}
	f.mu.Lock()
	f.allocate = func(*yarnpb.AllocateRequest) (*yarnpb.AllocateResponse, error) {
		return nil, exception("ApplicationMasterNotRegisteredException", "always")
	}
	f.mu.Unlock()
	if _, err := am.Allocate(within(t), 0); !errors.Is(err, ErrNotRegistered) {
		t.Error("a ResourceManager that always asks to register:", err)
	}
}

func TestRegisterAnswerLost(t *testing.T) {
	f, am := startRM(t)
	calls := 0
	f.register = func() (*yarnpb.RegisterApplicationMasterResponse, error) {
		if calls++; calls == 1 {
			return nil, rpctest.ErrDrop
		}
		return nil, exception("InvalidApplicationMasterRequestException", "Application Master is already registered : application_1_0002")
	}
	if reg := register(t, am); reg.Max != (Resource{}) {
		t.Errorf("%+v", reg)
	}
	if _, err := am.Register(within(t), RegisterRequest{}); !errors.Is(err, ErrInvalidAMRequest) {
		t.Error("a real second registration:", err)
	}
}

func TestTokenRollOver(t *testing.T) {
	f, am := startRM(t)
	register(t, am)
	second := amrmToken(t, 2)
	f.mu.Lock()
	f.tokens = append(f.tokens, second)
	plain := f.allocate
	f.allocate = func(r *yarnpb.AllocateRequest) (*yarnpb.AllocateResponse, error) {
		out, err := plain(r)
		out.AmRmToken = second.Proto()
		return out, err
	}
	f.mu.Unlock()
	beat := func() {
		t.Helper()
		if _, err := am.Allocate(within(t), 0); err != nil {
			t.Fatal(err)
		}
	}
	before := f.Connections()
	beat() // receives the token
	beat() // uses it
	beat() // sees it again: nothing to do
	if n := f.Connections() - before; n != 1 {
		t.Errorf("%d new connections, want 1", n)
	}
	// The old key ends, and its connections: the new token is what counts.
	f.mu.Lock()
	f.tokens = []token.Token{second}
	f.allocate = plain
	f.mu.Unlock()
	f.DropConnections()
	beat()

	// A new token that is not taken gives way to the one before.
	third := amrmToken(t, 3)
	f.mu.Lock()
	f.allocate = func(r *yarnpb.AllocateRequest) (*yarnpb.AllocateResponse, error) {
		out, err := plain(r)
		out.AmRmToken = third.Proto()
		return out, err
	}
	f.mu.Unlock()
	beat()
	beat()
	beat()
}

func TestFinish(t *testing.T) {
	f, am := startRM(t)
	register(t, am)
	calls := 0
	f.mu.Lock()
	f.finish = func() (*yarnpb.FinishApplicationMasterResponse, error) {
		calls++
		switch calls {
		case 1:
			return nil, exception("ApplicationMasterNotRegisteredException", "restarted")
		case 2, 3:
			return &yarnpb.FinishApplicationMasterResponse{}, nil
		}
		return &yarnpb.FinishApplicationMasterResponse{IsUnregistered: proto.Bool(true)}, nil
	}
	f.mu.Unlock()
	if err := am.Finish(within(t), FinalSucceeded, "", ""); err != nil || calls != 4 {
		t.Error(calls, err)
	}
	if am.LastAnswer().IsZero() {
		t.Error("no last answer")
	}
}

func TestNodeManagers(t *testing.T) {
	nmToken := token.Token{Identifier: []byte("nm"), Password: []byte("secret"), Kind: token.KindNM}
	calls := 0
	s, err := rpctest.Start(rpctest.Config{Tokens: func() []token.Token { return []token.Token{nmToken} }, Handle: func(c rpctest.Call) (proto.Message, error) {
		var req yarnpb.StartContainersRequest
		if err := c.Decode(&req); err != nil {
			return nil, err
		}
		if calls++; calls == 1 {
			return nil, rpctest.ErrDrop
		}
		return &yarnpb.StartContainersResponse{FailedRequests: []*yarnpb.ContainerExceptionMap{{ContainerId: ContainerID{Number: 7}.proto(), Exception: &yarnpb.SerializedException{
			ClassName: proto.String(exceptions + "YarnException"), Message: proto.String("Unauthorized request to start container. \nAttempt to relaunch the same container with id container_7.")}}}}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	n, err := NewNodeManagers(hadoopconf.New(nil), Options{Retry: &rpc.Retry{MaxWait: 5 * time.Second, Interval: time.Millisecond}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
	addr, err := net.ResolveTCPAddr("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	c := Container{ID: ContainerID{Number: 7}, Node: NodeID{addr.IP.String(), int32(addr.Port)}, Token: token.Token{Identifier: []byte("c")}}
	if err := n.StartContainer(within(t), c, Launch{}); err == nil || !strings.Contains(err.Error(), "no token for it") {
		t.Error(err)
	}
	n.SetToken(c.Node, nmToken)
	if err := n.StartContainer(within(t), c, Launch{Commands: []string{"x"}}); err != nil {
		t.Error("a start whose answer was lost is a success:", err)
	}
	if err := n.StartContainer(within(t), c, Launch{Commands: []string{"x"}}); err == nil || !strings.Contains(err.Error(), "relaunch the same container") {
		t.Error("a second start is none:", err)
	}
}

func TestCredentialsAreNeeded(t *testing.T) {
	if _, err := NewApplicationMaster(hadoopconf.New(nil), Options{}); err == nil || !strings.Contains(err.Error(), token.KindAMRM) {
		t.Error(err)
	}
}
