package sasl

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/jcmturner/gokrb5/v8/crypto"
	"github.com/jcmturner/gokrb5/v8/types"
)

// gssRecord is a handshake with a real NameNode (Hadoop 3.4.2 on Java 17): what the client had made up, what the server sent.
type gssRecord struct {
	Level           string
	Session, Subkey string
	Etype           int32
	Seq             int64
	Ctime           time.Time
	Cusec           int
	Challenges      []string
	Messages        [][2]string // wrapped and plain
}

func gssRecords(t testing.TB) []gssRecord {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "gss-jdk17.json"))
	if err != nil {
		t.Fatal(err)
	}
	var out []gssRecord
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func fromHex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		return nil
	}
	return b
}

// client is the client of the handshake after its request.
func (r gssRecord) client(allowed ...QOP) *GSSAPI {
	key := func(s string) types.EncryptionKey { return types.EncryptionKey{KeyType: r.Etype, KeyValue: fromHex(s)} }
	g := NewGSSAPI(GSSConfig{SessionKey: key(r.Session), Allowed: allowed})
	g.auth = types.Authenticator{CTime: r.Ctime, Cusec: r.Cusec, SeqNumber: r.Seq}
	g.wrapping = wrapping{active: true, key: key(r.Subkey), sendSeq: uint64(r.Seq)}
	g.stage = gssAsked
	return g
}

// ready is the client after the handshake.
func (r gssRecord) ready(t testing.TB) *GSSAPI {
	t.Helper()
	g := r.client(map[string]QOP{"integrity": AuthInt, "privacy": AuthConf}[r.Level])
	for _, c := range r.Challenges {
		if _, err := g.Step(fromHex(c)); err != nil {
			t.Fatal(err)
		}
	}
	if err := g.Finish(nil); err != nil {
		t.Fatal(err)
	}
	return g
}

func TestGSSRecorded(t *testing.T) {
	for _, r := range gssRecords(t) {
		g := r.ready(t)
		for i, m := range r.Messages {
			// A message that was changed anywhere, or comes again, is refused and changes nothing.
			for at := range fromHex(m[0]) {
				bad := fromHex(m[0])
				bad[at] ^= 1
				if _, err := g.Unwrap(bad); !errors.Is(err, ErrIntegrity) {
					t.Fatalf("%s: byte %d changed: %v", r.Level, at, err)
				}
			}
			plain, err := g.Unwrap(fromHex(m[0]))
			if err != nil || !bytes.Equal(plain, fromHex(m[1])) {
				t.Fatalf("%s, message %d: %x, %v", r.Level, i, plain, err)
			}
			if _, err := g.Unwrap(fromHex(m[0])); !errors.Is(err, ErrIntegrity) {
				t.Errorf("%s: repeated: %v", r.Level, err)
			}
		}
	}
}

// TestGSSServer has the client's messages opened, and makes a server's own with another key, filling and rotation.
func TestGSSServer(t *testing.T) {
	for _, r := range gssRecords(t) {
		g := r.ready(t)
		kind, err := crypto.GetEtype(r.Etype)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{"", "x", "a message of some length"} {
			w, err := g.Wrap([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			if g.QOP() == AuthInt {
				if !bytes.Equal(w[wrapHeader:wrapHeader+len(text)], []byte(text)) {
					t.Errorf("signed message %x", w)
				}
				continue
			}
			plain, err := kind.DecryptMessage(g.key.KeyValue, w[wrapHeader:], usageClient)
			if err != nil || string(plain[:len(plain)-wrapHeader]) != text || !bytes.Equal(plain[len(plain)-wrapHeader:], w[:wrapHeader]) {
				t.Errorf("sealed message %q, %v", plain, err)
			}
		}
		if g.QOP() != AuthConf {
			continue
		}
		g.acceptorKey = true
		filling := 5
		h := g.header(flagAcceptor|flagSealed|flagSubkey, uint16(filling), 0, g.recvSeq)
		inner := append(append([]byte("hello"), make([]byte, filling)...), h...)
		_, sealed, err := kind.EncryptMessage(g.key.KeyValue, inner, usageAcceptor)
		if err != nil {
			t.Fatal(err)
		}
		h[7] = 28 // rotated to the right
		token := append(h, append(append([]byte(nil), sealed[len(sealed)-28:]...), sealed[:len(sealed)-28]...)...)
		if plain, err := g.Unwrap(token); err != nil || string(plain) != "hello" {
			t.Errorf("rotated message %q, %v", plain, err)
		}
	}
}

func TestGSSRefusals(t *testing.T) {
	records := gssRecords(t)
	r := records[0]
	if _, err := r.client(AuthConf).Step(fromHex(records[1].Challenges[0])); !errors.Is(err, ErrMutual) {
		t.Errorf("proof for another ticket: %v", err)
	}
	g := r.client(AuthConf)
	g.auth.Cusec++
	if _, err := g.Step(fromHex(r.Challenges[0])); !errors.Is(err, ErrMutual) {
		t.Errorf("proof of another request: %v", err)
	}
	if err := g.Finish(nil); !errors.Is(err, ErrMutual) {
		t.Errorf("success before the proof: %v", err)
	}
	g = r.client(AuthConf)
	if _, err := g.Step(fromHex(r.Challenges[0])); err != nil {
		t.Fatal(err)
	}
	if _, err := g.Step(fromHex(r.Challenges[1])); !errors.Is(err, ErrQOP) {
		t.Errorf("the server offers integrity only: %v", err)
	}
	if _, err := g.Wrap(nil); err == nil {
		t.Error("wrapped before the end")
	}
	// What integrity agreed on may be sealed; what privacy agreed on may not be open.
	p := records[1].ready(t)
	h := p.header(flagAcceptor, 12, 0, p.recvSeq)
	if _, err := p.Unwrap(append(h, make([]byte, 20)...)); !errors.Is(err, ErrIntegrity) {
		t.Errorf("open message: %v", err)
	}
}

func FuzzGSSHandshake(f *testing.F) {
	records := gssRecords(f)
	for _, r := range records {
		f.Add(fromHex(r.Challenges[0]), fromHex(r.Challenges[1]))
	}
	f.Fuzz(func(t *testing.T, first, second []byte) {
		for _, r := range records {
			g := r.client(AuthConf, AuthInt, Auth)
			if _, err := g.Step(first); err == nil {
				_, _ = g.Step(second)
			}
			g = r.client(AuthConf, AuthInt, Auth)
			if _, err := g.Step(fromHex(r.Challenges[0])); err != nil {
				t.Fatal(err)
			}
			if _, err := g.Step(second); err == nil {
				// The count of rotation is not protected, and a full turn is none.
				want := fromHex(r.Challenges[1])
				copy(want[6:8], second[6:8])
				if !bytes.Equal(second, want) {
					t.Errorf("a list of layers was made up: %x", second)
				}
			}
		}
	})
}

func FuzzGSSUnwrap(f *testing.F) {
	records := gssRecords(f)
	for _, r := range records {
		for _, m := range r.Messages {
			f.Add(fromHex(m[0]))
		}
	}
	f.Fuzz(func(t *testing.T, wrapped []byte) {
		for _, r := range records {
			_, _ = r.ready(t).Unwrap(wrapped)
		}
	})
}
