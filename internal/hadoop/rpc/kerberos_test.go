package rpc_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/weft-project/weft/internal/hadoop/rpc"
	"github.com/weft-project/weft/internal/hadoop/rpc/rpctest"
	"github.com/weft-project/weft/internal/hadoop/token"
)

func TestProxyUser(t *testing.T) {
	s := start(t, rpctest.Config{Handle: echoHandler(nil)})
	p := client(t, rpc.Options{}).Proxy(rpc.Target{Addresses: []string{s.Addr()}, Protocol: echo, Security: &rpc.Security{User: "ann", ProxyUser: "bob"}})
	if got, err := call(within(t), p, "x"); err != nil || got != "bob:x" {
		t.Errorf("%q %v", got, err)
	}
}

// TestRefusedToken: the error says whose token it is and what to do.
func TestRefusedToken(t *testing.T) {
	s := start(t, rpctest.Config{Tokens: goodTokens, Handle: echoHandler(nil)})
	id := []byte{0, 3, 'a', 'n', 'n', 2, 'r', 'm', 0, 1, 2, 3, 4}
	old := token.Token{Kind: token.KindHDFSDelegation, Identifier: id, Password: []byte("p")}
	p := client(t, rpc.Options{}).Proxy(rpc.Target{Addresses: []string{s.Addr()}, Protocol: echo, Security: &rpc.Security{Token: &old}})
	_, err := call(within(t), p, "x")
	if !errors.Is(err, rpc.ErrInvalidToken) || !strings.Contains(err.Error(), "delegation token of ann") || !strings.Contains(err.Error(), "longest life ended") {
		t.Error(err)
	}
}
