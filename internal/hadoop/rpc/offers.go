package rpc

import (
	"context"
	"fmt"
	"net"
	"time"

	commonpb "github.com/weft-project/weft/internal/hadoop/proto/common"
)

// Offers asks a server how it wants to be spoken to, and no more: it says hello, reads the answer and leaves. A server that
// believes everybody offers SIMPLE alone. nc is closed.
func Offers(ctx context.Context, nc net.Conn) ([]Offer, error) {
	defer nc.Close()
	stop := context.AfterFunc(ctx, func() { _ = nc.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	list, err := ask(nc)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return list, err
}

func ask(nc net.Conn) ([]Offer, error) {
	c := &Conn{Conn: nc}
	if err := writeAll(nc, []byte{'h', 'r', 'p', 'c', 9, 0, 0xDF}); err != nil {
		return nil, err
	}
	msg, err := c.saslRound(&commonpb.RpcSasl{State: commonpb.RpcSasl_NEGOTIATE.Enum()})
	if err != nil {
		return nil, err
	}
	switch msg.GetState() {
	case commonpb.RpcSasl_SUCCESS:
		return []Offer{{Method: MethodSimple}}, nil
	case commonpb.RpcSasl_NEGOTIATE:
		return offers(msg), nil
	}
	return nil, fmt.Errorf("%w: server answered %v to the negotiation", ErrHandshake, msg.GetState())
}
