package rpc

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weft-project/weft/internal/hadoop/sasl"
	"github.com/weft-project/weft/internal/hadoop/token"
)

// handshake is what a server of a secured cluster (Hadoop 3.4.2, all levels offered) answered: a frame for each message, and the
// first answers to calls. Level is what a token's client asked for.
type handshake struct {
	Server, Method, Level string
	Answers               []string
}

func (h handshake) frames(t testing.TB) [][]byte {
	t.Helper()
	var out [][]byte
	for _, text := range h.Answers {
		b, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, b)
	}
	return out
}

func handshakes(t testing.TB) []handshake {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "handshakes.json"))
	if err != nil {
		t.Fatal(err)
	}
	var out []handshake
	if err := json.Unmarshal(b, &out); err != nil || len(out) == 0 {
		t.Fatalf("%d handshakes, %v", len(out), err)
	}
	return out
}

// TestRecordedHandshakes: the offers and the end of a handshake with each kind of server.
func TestRecordedHandshakes(t *testing.T) {
	for _, h := range handshakes(t) {
		frames := h.frames(t)
		var states []string
		for i, f := range frames {
			in, err := readFrame(bytes.NewReader(f), 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			msg, err := takeSASL(in)
			if err != nil {
				break
			}
			states = append(states, msg.GetState().String())
			if i > 0 {
				continue
			}
			var methods []string
			for _, o := range offers(msg) {
				methods = append(methods, o.Method+" "+o.Mechanism)
				if o.Method == MethodToken && !strings.Contains(string(o.challenge), `qop="auth-conf,auth-int,auth"`) {
					t.Errorf("%s: %s", h.Server, o.challenge)
				}
			}
			if all := strings.Join(methods, ", "); !strings.Contains(all, "TOKEN DIGEST-MD5") || h.Method == MethodKerberos && !strings.Contains(all, "KERBEROS GSSAPI") {
				t.Errorf("%s offers %s", h.Server, all)
			}
		}
		want := map[string]string{MethodToken: "NEGOTIATE SUCCESS", MethodKerberos: "NEGOTIATE CHALLENGE CHALLENGE SUCCESS"}[h.Method]
		if got := strings.Join(states, " "); !strings.HasPrefix(got, want) && got != "NEGOTIATE" {
			t.Errorf("%s, %s: %s, expected %s", h.Server, h.Method, got, want)
		}
	}
}

// played is a connection to a server that says what it says, whatever it is told.
type played struct{ *bytes.Reader }

func (played) Write(b []byte) (int, error)      { return len(b), nil }
func (played) Close() error                     { return nil }
func (played) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (played) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (played) SetDeadline(time.Time) error      { return nil }
func (played) SetReadDeadline(time.Time) error  { return nil }
func (played) SetWriteDeadline(time.Time) error { return nil }

// credulous is a mechanism that believes everything, so that what comes after a handshake is read, too.
type credulous struct{}

func (credulous) Name() string                  { return "GSSAPI" }
func (credulous) Start([]byte) ([]byte, error)  { return []byte{1}, nil }
func (credulous) Step([]byte) ([]byte, error)   { return []byte{2}, nil }
func (credulous) Finish([]byte) error           { return nil }
func (credulous) QOP() sasl.QOP                 { return sasl.AuthConf }
func (credulous) Wrap(b []byte) ([]byte, error) { return b, nil }
func (credulous) Unwrap(b []byte) ([]byte, error) {
	return b, nil
}

// FuzzOpen plays a server of any kind to a client with a token, and to one with a ticket. Nobody gets in who does not know the
// token's password.
func FuzzOpen(f *testing.F) {
	for _, h := range handshakes(f) {
		f.Add(bytes.Join(h.frames(f), nil))
	}
	all := []sasl.QOP{sasl.AuthConf, sasl.AuthInt, sasl.Auth}
	tok := &token.Token{Kind: token.KindHDFSDelegation, Identifier: []byte("identifier"), Password: []byte("password")}
	f.Fuzz(func(t *testing.T, server []byte) {
		byToken := &Security{Token: tok, Protection: all, RefuseSimple: true}
		if c, err := Open(t.Context(), played{bytes.NewReader(server)}, "nn:1", "p.Q", byToken); err == nil {
			t.Errorf("agreed with a server that does not know the password: %+v", c.Session())
		}
		byTicket := &Security{Protection: all, RefuseSimple: true, Kerberos: func(context.Context, string, Offer) (sasl.Mechanism, error) { return credulous{}, nil }}
		if c, err := Open(t.Context(), played{bytes.NewReader(server)}, "nn:1", "p.Q", byTicket); err == nil {
			_, _ = io.Copy(io.Discard, c)
		}
	})
}

// addFrames gives a fuzz test the frames of all recorded handshakes.
func addFrames(f *testing.F) {
	for _, h := range handshakes(f) {
		for _, b := range h.frames(f) {
			f.Add(b)
		}
	}
}
