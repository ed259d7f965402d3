package security

import (
	"context"
	"net"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
)

// protocolName is what gRPC shows for connections of this package.
const protocolName = "weft"

// AuthInfo is what a gRPC call carries about its connection (peer.Peer.AuthInfo).
type AuthInfo struct {
	credentials.CommonAuthInfo
	// PeerHello is what the peer said about itself, proven by the handshake.
	PeerHello []byte
}

// AuthType is "weft".
func (AuthInfo) AuthType() string { return protocolName }

// PeerHello gives the proven hello of the peer of the gRPC call that ctx belongs to.
func PeerHello(ctx context.Context) (hello []byte, ok bool) {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return nil, false
	}
	info, ok := p.AuthInfo.(AuthInfo)
	return info.PeerHello, ok
}

// CredentialOption changes GRPCCredentials.
type CredentialOption func(*grpcCredentials)

// WithHello sets what this side says about itself, at most MaxHello bytes.
func WithHello(hello []byte) CredentialOption {
	return func(c *grpcCredentials) { c.hello = hello }
}

// GRPCCredentials runs the handshake on every gRPC connection before its first HTTP/2 byte, on the client and on the
// server. A server that serves a Listener of this package passes it too: connections that come from it have done their
// handshake already and are taken as they are, which is how a server gets the bound on pending ones.
func GRPCCredentials(secret Secret, options ...CredentialOption) credentials.TransportCredentials {
	c := &grpcCredentials{secret: secret}
	for _, o := range options {
		o(c)
	}
	return c
}

// grpcCredentials implements credentials.TransportCredentials; it is immutable.
type grpcCredentials struct {
	secret Secret
	hello  []byte
}

// ClientHandshake implements credentials.TransportCredentials.
func (c *grpcCredentials) ClientHandshake(ctx context.Context, _ string, conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	hello, err := ClientHandshake(ctx, conn, c.secret, c.hello)
	if err != nil {
		return nil, nil, err
	}
	return conn, authInfo(hello), nil
}

// ServerHandshake implements credentials.TransportCredentials.
func (c *grpcCredentials) ServerHandshake(conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	if done, ok := conn.(*Conn); ok {
		return conn, authInfo(done.PeerHello), nil
	}
	hello, err := ServerHandshake(context.Background(), conn, FixedSecret(c.secret), c.hello)
	if err != nil {
		return nil, nil, err
	}
	return conn, authInfo(hello), nil
}

// authInfo says that the peer is known and that nothing is encrypted.
func authInfo(hello []byte) AuthInfo {
	return AuthInfo{CommonAuthInfo: credentials.CommonAuthInfo{SecurityLevel: credentials.NoSecurity}, PeerHello: hello}
}

// Info implements credentials.TransportCredentials.
func (c *grpcCredentials) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: protocolName}
}

// Clone implements credentials.TransportCredentials.
func (c *grpcCredentials) Clone() credentials.TransportCredentials {
	clone := *c
	return &clone
}

// OverrideServerName implements credentials.TransportCredentials; names play no part in the handshake.
func (c *grpcCredentials) OverrideServerName(string) error { return nil }
