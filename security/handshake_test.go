package security

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"
)

// tcpPair gives two ends of a loopback connection.
func tcpPair(t testing.TB) (client, server net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if client, err = net.Dial("tcp", ln.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if server, err = ln.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close(); server.Close() })
	return client, server
}

type result struct {
	hello []byte
	err   error
}

// shake runs both sides on a pair.
func shake(client, server net.Conn, cs, ss Secret, ch, sh string) (c, s result) {
	done := make(chan result)
	go func() {
		hello, err := ServerHandshake(context.Background(), server, FixedSecret(ss), []byte(sh))
		if err != nil {
			server.Close()
		}
		done <- result{hello, err}
	}()
	c.hello, c.err = ClientHandshake(context.Background(), client, cs, []byte(ch))
	if c.err != nil {
		client.Close()
	}
	return c, <-done
}

func TestHandshakeMutual(t *testing.T) {
	client, server := tcpPair(t)
	c, s := shake(client, server, fixed(1), fixed(1), "I am a worker", "I am a JobManager")
	if c.err != nil || s.err != nil {
		t.Fatal(c.err, s.err)
	}
	if string(c.hello) != "I am a JobManager" || string(s.hello) != "I am a worker" {
		t.Fatalf("hellos %q, %q", c.hello, s.hello)
	}
	// Nothing of the next protocol was read, and no deadline is left.
	go client.Write([]byte("next"))
	b := make([]byte, 4)
	if _, err := io.ReadFull(server, b); err != nil || string(b) != "next" {
		t.Fatal(string(b), err)
	}
}

func TestHandshakeWrongSecret(t *testing.T) {
	for name, secrets := range map[string][2]Secret{
		"different":  {fixed(1), fixed(2)},
		"client has": {fixed(1), nil},
		"server has": {nil, fixed(1)},
		"truncated":  {fixed(1)[:31], fixed(1)[:31]},
	} {
		t.Run(name, func(t *testing.T) {
			client, server := tcpPair(t)
			c, s := shake(client, server, secrets[0], secrets[1], "c", "s")
			if !errors.Is(c.err, ErrUnauthenticated) && secrets[0].Valid() {
				t.Errorf("client: %v", c.err)
			}
			if s.err == nil || c.err == nil {
				t.Errorf("accepted: client %v, server %v", c.err, s.err)
			}
			if c.hello != nil || s.hello != nil {
				t.Error("a hello was given out without proof")
			}
		})
	}
}

func TestHandshakeRefusalHidesReason(t *testing.T) {
	client, server := tcpPair(t)
	done := make(chan error)
	go func() {
		_, err := ServerHandshake(context.Background(), server, func(hello []byte) (Secret, error) {
			return nil, errors.New("no job of this id: " + string(hello))
		}, nil)
		server.Close()
		done <- err
	}()
	_, err := ClientHandshake(context.Background(), client, fixed(1), []byte("j9"))
	if !errors.Is(err, ErrUnauthenticated) || strings.Contains(err.Error(), "no job") {
		t.Errorf("client: %v", err)
	}
	if err := <-done; !errors.Is(err, ErrUnauthenticated) || !strings.Contains(err.Error(), "no job of this id: j9") {
		t.Errorf("server: %v", err)
	}
}

// An end that is sent its own messages back must not believe them.
func TestHandshakeReflection(t *testing.T) {
	client, server := tcpPair(t)
	go func() { io.Copy(server, server); server.Close() }()
	if _, err := ClientHandshake(context.Background(), client, fixed(1), []byte("x")); !errors.Is(err, ErrUnauthenticated) {
		t.Fatal(err)
	}
}

// A changed byte anywhere in either hello message spoils the proofs.
func TestHandshakeCoversTranscript(t *testing.T) {
	base := transcript{newNonce(), newNonce(), []byte("ab"), []byte("c"), nil}
	proof := base.proof(fixed(1), roleClient)
	moved := base
	moved.clientHello, moved.serverHello = []byte("a"), []byte("bc")
	swapped := base
	swapped.clientNonce, swapped.serverNonce = base.serverNonce, base.clientNonce
	bound := base
	bound.binding = []byte("tls")
	for name, p := range map[string][]byte{
		"moved border": moved.proof(fixed(1), roleClient), "swapped nonces": swapped.proof(fixed(1), roleClient),
		"binding": bound.proof(fixed(1), roleClient), "role": base.proof(fixed(1), roleServer), "secret": base.proof(fixed(2), roleClient),
	} {
		if bytes.Equal(p, proof) {
			t.Errorf("%s: same proof", name)
		}
	}
}

func TestHandshakeGarbage(t *testing.T) {
	big := appendMessage(nil, typeHello, make([]byte, 60000))
	for name, sent := range map[string][]byte{
		"http":           []byte("GET / HTTP/1.1\r\n\r\n"),
		"tls":            {0x16, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3},
		"version":        append([]byte("WEFT\x09\x01\x00\x20"), make([]byte, 32)...),
		"too long":       big[:headerSize+100],
		"short hello":    appendMessage(nil, typeHello, make([]byte, 31)),
		"proof first":    appendMessage(nil, typeProof, make([]byte, 32)),
		"unknown type":   appendMessage(nil, 77, make([]byte, 32)),
		"half a header":  []byte("WEFT\x01"),
		"half a message": appendMessage(nil, typeHello, make([]byte, 64))[:50],
		"nothing":        nil,
	} {
		t.Run(name, func(t *testing.T) {
			client, server := tcpPair(t)
			go func() {
				client.Write(sent)
				client.(*net.TCPConn).CloseWrite()
			}()
			_, err := ServerHandshake(context.Background(), server, FixedSecret(fixed(1)), nil)
			if err == nil {
				t.Fatal("accepted")
			}
			server.Close()
			reply, _ := io.ReadAll(io.LimitReader(client, MaxMessage))
			if len(reply) > headerSize+1+maxReason {
				t.Errorf("%d bytes told to a stranger", len(reply))
			}
		})
	}
}

// A rejection's text is bounded and cannot write to a terminal.
func TestRejectionIsCleaned(t *testing.T) {
	err := rejection(append([]byte{rejectMalformed}, []byte("\x1b[2Jbad\n"+strings.Repeat("x", 4000))...))
	if strings.ContainsAny(err.Error(), "\x1b\n") || len(err.Error()) > 300 {
		t.Errorf("%q", err)
	}
}

func TestHandshakeCancelled(t *testing.T) {
	_, server := tcpPair(t)
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(20*time.Millisecond, cancel)
	if _, err := ServerHandshake(ctx, server, FixedSecret(fixed(1)), nil); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestHandshakeDeadline(t *testing.T) {
	client, _ := tcpPair(t)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
	defer cancel()
	if _, err := ClientHandshake(ctx, client, fixed(1), nil); err == nil {
		t.Error("a silent server was accepted")
	}
}

func TestHandshakeHelloTooLong(t *testing.T) {
	client, _ := tcpPair(t)
	if _, err := ClientHandshake(context.Background(), client, fixed(1), make([]byte, MaxHello+1)); err == nil {
		t.Error("accepted")
	}
	client, server := tcpPair(t)
	c, s := shake(client, server, fixed(1), fixed(1), strings.Repeat("x", MaxHello), "")
	if c.err != nil || s.err != nil || len(s.hello) != MaxHello {
		t.Error("the longest hello was refused: ", c.err, s.err)
	}
}

// Over TLS the proofs hold only inside one session: a man in the middle with two sessions cannot pass them on.
func TestHandshakeBindsToTLS(t *testing.T) {
	config := selfSigned(t)
	insecure := &tls.Config{InsecureSkipVerify: true}
	client, server := tcpPair(t)
	c, s := shake(tls.Client(client, insecure), tls.Server(server, config), fixed(1), fixed(1), "c", "s")
	if c.err != nil || s.err != nil {
		t.Fatal(c.err, s.err)
	}

	client, middleIn := tcpPair(t)
	middleOut, server := tcpPair(t)
	in, out := tls.Server(middleIn, config), tls.Client(middleOut, insecure)
	go func() { io.Copy(out, in); out.Close() }()
	go func() { io.Copy(in, out); in.Close() }()
	c, s = shake(tls.Client(client, insecure), tls.Server(server, config), fixed(1), fixed(1), "c", "s")
	if c.err == nil || !errors.Is(s.err, ErrUnauthenticated) {
		t.Errorf("through a man in the middle: client %v, server %v", c.err, s.err)
	}
}

// selfSigned makes a TLS server configuration.
func selfSigned(t *testing.T) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}

// scripted is a peer that has sent all it ever will; what it is told is thrown away.
type scripted struct {
	net.Conn
	in *bytes.Reader
}

func (s scripted) Read(b []byte) (int, error)  { return s.in.Read(b) }
func (s scripted) Write(b []byte) (int, error) { return len(b), nil }
func (s scripted) SetDeadline(time.Time) error { return nil }
func (s scripted) RemoteAddr() net.Addr        { return &net.TCPAddr{} }

func FuzzHandshakeDecoders(f *testing.F) {
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	f.Add(appendMessage(appendMessage(nil, typeHello, make([]byte, 40)), typeProof, make([]byte, 32)))
	f.Add(appendMessage(nil, typeReject, []byte{1, 'x'}))
	f.Add(append([]byte("WEFT\x02\x01\xff\xff"), make([]byte, 32)...))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := bytes.NewReader(data)
		typ, body, err := readMessage(r)
		if err == nil {
			if again := appendMessage(nil, typ, body); !bytes.Equal(again, data[:len(data)-r.Len()]) || len(again) > MaxMessage {
				t.Fatalf("message of %d bytes does not encode as it was read", len(again))
			}
			if typ == typeReject {
				_ = rejection(body).Error()
			}
		}
		ctx := context.Background()
		if _, err := ServerHandshake(ctx, scripted{in: bytes.NewReader(data)}, FixedSecret(fixed(1)), nil); err == nil {
			t.Fatal("a stranger got through the server's handshake")
		}
		if _, err := ClientHandshake(ctx, scripted{in: bytes.NewReader(data)}, fixed(1), nil); err == nil {
			t.Fatal("a stranger got through the client's handshake")
		}
	})
}
