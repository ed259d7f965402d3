package security

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"
)

// HandshakeTimeout is how long a handshake may take, whatever the context allows.
const HandshakeTimeout = 5 * time.Second

// ErrUnauthenticated is wrapped by the errors of both handshakes when the other side does not know the secret, or says
// that we do not. The connection grants nothing and must be closed.
var ErrUnauthenticated = errors.New("not authenticated")

// role names who made a proof, so that a proof sent back to its maker proves nothing.
type role string

const (
	roleClient role = "client"
	roleServer role = "server"
)

// transcript is what both proofs cover.
type transcript struct {
	clientNonce, serverNonce []byte
	clientHello, serverHello []byte
	// binding names the TLS session underneath; empty without TLS.
	binding []byte
}

// proof gives HMAC-SHA256 under secret over the protocol's name and version, the role and the transcript, every part
// with its length before it.
func (t *transcript) proof(secret Secret, by role) []byte {
	b := append([]byte("weft handshake"), version)
	b = appendSized(b, string(by))
	for _, part := range [][]byte{t.clientNonce, t.serverNonce, t.clientHello, t.serverHello, t.binding} {
		b = appendSized(b, part)
	}
	mac := hmac.New(sha256.New, secret)
	mac.Write(b)
	return mac.Sum(nil)
}

// ClientHandshake proves to the server on conn that we know secret and has the server prove the same. hello (at most
// MaxHello bytes) is shown to the server before it has proven anything: it says who we are and holds nothing secret.
// The peer's hello is returned once it is proven. It reads nothing beyond the handshake, and leaves conn without a
// deadline. On an error, which wraps ErrUnauthenticated for a wrong secret, the caller closes conn.
func ClientHandshake(ctx context.Context, conn net.Conn, secret Secret, hello []byte) (peerHello []byte, err error) {
	if err := checkArguments(secret, hello); err != nil {
		return nil, err
	}
	err = withDeadline(ctx, conn, func() error {
		var t transcript
		t.clientNonce, t.clientHello = newNonce(), hello
		if t.binding, err = channelBinding(conn); err != nil {
			return err
		}
		if err := write(conn, typeHello, t.clientNonce, hello); err != nil {
			return err
		}
		body, err := expect(conn, typeHello)
		if err != nil {
			return err
		}
		t.serverNonce, t.serverHello = body[:nonceSize], body[nonceSize:]
		if err := write(conn, typeProof, t.proof(secret, roleClient)); err != nil {
			return err
		}
		proof, err := expect(conn, typeProof)
		if err != nil {
			return err
		}
		if !hmac.Equal(proof, t.proof(secret, roleServer)) {
			return fmt.Errorf("%w: the server does not know the secret of this connection", ErrUnauthenticated)
		}
		peerHello = t.serverHello
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("handshake with %v: %w", conn.RemoteAddr(), err)
	}
	return peerHello, nil
}

// ServerHandshake is the other side of ClientHandshake. secretFor chooses the secret by the client's hello, which is
// not proven yet when it is asked; its error refuses the client, who is not told the reason. The server proves itself
// only to a client that has proven itself.
func ServerHandshake(ctx context.Context, conn net.Conn, secretFor func(hello []byte) (Secret, error), hello []byte) (peerHello []byte, err error) {
	err = withDeadline(ctx, conn, func() error {
		peerHello, err = serve(conn, secretFor, hello)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("handshake with %v: %w", conn.RemoteAddr(), err)
	}
	return peerHello, nil
}

// serve runs the server's side.
func serve(conn net.Conn, secretFor func([]byte) (Secret, error), hello []byte) ([]byte, error) {
	body, err := expect(conn, typeHello)
	if err != nil {
		return nil, refuse(conn, err)
	}
	t := transcript{clientNonce: body[:nonceSize], clientHello: body[nonceSize:], serverNonce: newNonce(), serverHello: hello}
	secret, err := secretFor(t.clientHello)
	if err != nil {
		return nil, refuse(conn, fmt.Errorf("%w: %w", ErrUnauthenticated, err))
	}
	if err := checkArguments(secret, hello); err != nil {
		return nil, refuse(conn, err)
	}
	if t.binding, err = channelBinding(conn); err != nil {
		return nil, err
	}
	if err := write(conn, typeHello, t.serverNonce, hello); err != nil {
		return nil, err
	}
	proof, err := expect(conn, typeProof)
	if err != nil {
		return nil, refuse(conn, err)
	}
	if !hmac.Equal(proof, t.proof(secret, roleClient)) {
		return nil, refuse(conn, fmt.Errorf("%w: the client does not know the secret of this connection", ErrUnauthenticated))
	}
	if err := write(conn, typeProof, t.proof(secret, roleServer)); err != nil {
		return nil, err
	}
	return t.clientHello, nil
}

// checkArguments refuses what our own caller got wrong.
func checkArguments(secret Secret, hello []byte) error {
	if !secret.Valid() {
		return fmt.Errorf("%w: %w", ErrUnauthenticated, errNoSecret)
	}
	if len(hello) > MaxHello {
		return fmt.Errorf("handshake hello of %d bytes: the limit is %d", len(hello), MaxHello)
	}
	return nil
}

// newNonce draws a nonce.
func newNonce() []byte {
	n := make([]byte, nonceSize)
	_, _ = rand.Read(n) // never fails: crypto/rand ends the process instead
	return n
}

// channelBinding names the TLS session that conn is (RFC 9266, tls-exporter), nil for any other connection. With it in
// both proofs, a man in the middle who ends TLS on both sides cannot pass the handshake on.
func channelBinding(conn net.Conn) ([]byte, error) {
	c, ok := conn.(*tls.Conn)
	if !ok {
		return nil, nil
	}
	if err := c.Handshake(); err != nil {
		return nil, err
	}
	state := c.ConnectionState()
	return state.ExportKeyingMaterial("EXPORTER-Channel-Binding", nil, 32)
}

// write sends one message.
func write(w io.Writer, t messageType, parts ...[]byte) error {
	_, err := w.Write(appendMessage(nil, t, parts...))
	return err
}

// expect reads one message that must be of type t.
func expect(r io.Reader, t messageType) ([]byte, error) {
	got, body, err := readMessage(r)
	switch {
	case errors.Is(err, io.EOF):
		return nil, errors.New("the other side closed the connection")
	case err != nil:
		return nil, err
	case got == typeReject:
		return nil, rejection(body)
	case got != t:
		return nil, fmt.Errorf("handshake message of type %d: expected type %d", got, t)
	}
	return body, nil
}

// refuse tells the other side, as far as it may know, why the handshake ends, and gives err back. Who does not speak
// our protocol at all is told nothing.
func refuse(w io.Writer, err error) error {
	code, text := byte(rejectMalformed), "malformed handshake"
	var v versionError
	switch {
	case errors.Is(err, errNotWeft) || isTimeout(err):
		return err
	case errors.As(err, &v):
		code, text = rejectVersion, fmt.Sprintf("handshake version %d is not served here, only version %d", v.got, version)
	case errors.Is(err, ErrUnauthenticated):
		code, text = rejectUnauthenticated, "unknown identity or wrong secret"
	}
	// Best effort: the connection may be gone, and err is what counts.
	_ = write(w, typeReject, []byte{code}, []byte(text))
	return err
}

// isTimeout tells a deadline that passed.
func isTimeout(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }

// withDeadline runs f with conn under a deadline of HandshakeTimeout, or the context's if that is nearer, and ends f's
// reads and writes when the context is cancelled.
func withDeadline(ctx context.Context, conn net.Conn, f func() error) error {
	deadline := time.Now().Add(HandshakeTimeout)
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}
	// A deadline in the past ends whatever the handshake waits for.
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	err := f()
	if !stop() && ctx.Err() != nil {
		return fmt.Errorf("given up: %w", context.Cause(ctx))
	}
	if err != nil {
		if isTimeout(err) {
			return fmt.Errorf("not completed within %v: %w", HandshakeTimeout, err)
		}
		return err
	}
	return conn.SetDeadline(time.Time{})
}
