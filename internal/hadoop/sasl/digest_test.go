package sasl

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
)

var _ Mechanism = (*Digest)(nil)

// recorded is a conversation with the DIGEST-MD5 server of JDK 17, the client's nonce being 24 bytes of 7.
type recorded struct {
	QOP, Cipher, Challenge, Response, RSPAuth string
	ToServer, ToClient                        [][2]string
}

func readRecorded(t testing.TB) []recorded {
	t.Helper()
	data, err := os.ReadFile("testdata/jdk17.json")
	if err != nil {
		t.Fatal(err)
	}
	var out []recorded
	if err := json.Unmarshal(data, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func testDigest() *Digest {
	cfg := TokenDigest([]byte("identifier"), []byte("password"), "", "default", []QOP{AuthConf, AuthInt, Auth})
	cfg.Random = bytes.NewReader(bytes.Repeat([]byte{7}, 24))
	return NewDigest(cfg)
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestJDKConversations replays what the JDK's server accepted and sent.
func TestJDKConversations(t *testing.T) {
	for _, r := range readRecorded(t) {
		t.Run(r.QOP+r.Cipher, func(t *testing.T) {
			d := testDigest()
			got, err := d.Start([]byte(r.Challenge))
			if err != nil || string(got) != r.Response {
				t.Fatalf("response %s, %v; want %s", got, err, r.Response)
			}
			if err := d.Finish([]byte(r.RSPAuth)); err != nil || d.QOP().String() != r.QOP {
				t.Fatal(d.QOP(), err)
			}
			for _, pair := range r.ToServer {
				if w, err := d.Wrap(unhex(t, pair[0])); err != nil || hex.EncodeToString(w) != pair[1] {
					t.Fatalf("wrap %s: %x, %v; want %s", pair[0], w, err, pair[1])
				}
			}
			for _, pair := range r.ToClient {
				if m, err := d.Unwrap(unhex(t, pair[1])); err != nil || hex.EncodeToString(m) != pair[0] {
					t.Fatalf("unwrap %s: %x, %v", pair[1], m, err)
				}
			}
		})
	}
}

// TestRFC2831 is the example of the RFC's section 4.
func TestRFC2831(t *testing.T) {
	x := exchange{user: "chris", password: "secret", realm: "elwood.innosoft.com", nonce: "OA6MG9tEQGm2hh", cnonce: "OA6MHXh6VqTrRk", uri: "imap/elwood.innosoft.com"}
	ha1 := x.ha1()
	if got := x.response(ha1, "AUTHENTICATE"); got != "d388dad90d4bbd760a152321f2143af7" {
		t.Error("response", got)
	}
	if got := x.response(ha1, ""); got != "ea40f60335c427b5527b84dbabcdfffd" {
		t.Error("rspauth", got)
	}
}

func TestServerMustProveItself(t *testing.T) {
	r := readRecorded(t)[0]
	for _, token := range []string{"", "rspauth=00", "rspauth=" + strings.Repeat("0", 32), `rspauth="`} {
		d := testDigest()
		if _, err := d.Start([]byte(r.Challenge)); err != nil {
			t.Fatal(err)
		}
		if err := d.Finish([]byte(token)); err == nil {
			t.Errorf("%q accepted", token)
		}
	}
	if err := testDigest().Finish([]byte(r.RSPAuth)); !errors.Is(err, ErrServer) {
		t.Error("success before a challenge:", err)
	}
}

func TestTamperedMessages(t *testing.T) {
	for _, r := range readRecorded(t)[1:] {
		wrapped := unhex(t, r.ToClient[0][1])
		for i := range wrapped {
			d := testDigest()
			if _, err := d.Start([]byte(r.Challenge)); err != nil {
				t.Fatal(err)
			}
			bad := bytes.Clone(wrapped)
			bad[i] ^= 1
			if _, err := d.Unwrap(bad); !errors.Is(err, ErrIntegrity) {
				t.Errorf("%s %s: byte %d changed: %v", r.QOP, r.Cipher, i, err)
			}
		}
		d := testDigest()
		_, _ = d.Start([]byte(r.Challenge))
		if _, err := d.Unwrap(wrapped); err != nil {
			t.Error(err)
		}
		if _, err := d.Unwrap(wrapped); !errors.Is(err, ErrIntegrity) {
			t.Error("a repeated message is accepted:", err)
		}
	}
}

func TestLevelsAndBadChallenges(t *testing.T) {
	const good = `realm="default",nonce="n",qop="auth",algorithm=md5-sess`
	cfg := DigestConfig{Allowed: []QOP{AuthConf}}
	if _, err := NewDigest(cfg).Start([]byte(good)); !errors.Is(err, ErrQOP) {
		t.Error(err)
	}
	for _, bad := range []string{"", `nonce="n"`, `nonce="n,algorithm=md5-sess`, good + `,nonce="m"`, good + ",maxbuf=1", "=x", strings.Repeat("a", 3000)} {
		if _, err := NewDigest(DigestConfig{}).Start([]byte(bad)); !errors.Is(err, ErrProtocol) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if _, err := NewDigest(cfg).Start([]byte(`nonce="n",qop="auth-conf",cipher="rc4-40,des",algorithm=md5-sess`)); !errors.Is(err, ErrQOP) {
		t.Error("weak ciphers taken:", err)
	}
	d := NewDigest(DigestConfig{User: `a"b\`})
	got, err := d.Start([]byte(`nonce="a\"b\\",algorithm=MD5-sess`))
	if err != nil || !bytes.Contains(got, []byte(`username="a\"b\\"`)) || !bytes.Contains(got, []byte(`nonce="a\"b\\"`)) {
		t.Errorf("%s %v", got, err)
	}
	if _, err := d.Wrap(nil); err == nil {
		t.Error("wrap without protection")
	}
}

// TestOwnServer proves the server side that fakes use, at each level and cipher, both ways.
func TestOwnServer(t *testing.T) {
	for _, c := range []struct {
		qop    QOP
		cipher string
	}{{Auth, ""}, {AuthInt, ""}, {AuthConf, "rc4"}, {AuthConf, "3des"}} {
		s := NewDigestServer("", "default", []QOP{c.qop}, c.cipher)
		d := NewDigest(TokenDigest([]byte("id"), []byte("pw"), "", "default", []QOP{AuthInt, AuthConf, Auth}))
		resp, err := d.Start(s.Challenge())
		if err != nil {
			t.Fatal(err)
		}
		pw := func(user string) (string, bool) {
			return base64.StdEncoding.EncodeToString([]byte("pw")), user == base64.StdEncoding.EncodeToString([]byte("id"))
		}
		tok, err := s.Accept(resp, pw)
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Finish(tok); err != nil {
			t.Fatal(err)
		}
		if c.qop == Auth {
			continue
		}
		for n := range 20 {
			msg := bytes.Repeat([]byte{byte(n)}, n)
			w, _ := d.Wrap(msg)
			if m, err := s.Unwrap(w); err != nil || !bytes.Equal(m, msg) {
				t.Fatal(c, n, err)
			}
			w, _ = s.Wrap(msg)
			if m, err := d.Unwrap(w); err != nil || !bytes.Equal(m, msg) {
				t.Fatal(c, n, err)
			}
		}
	}
}

func TestParseProtection(t *testing.T) {
	if q, err := ParseProtection("privacy, Authentication"); err != nil || len(q) != 2 || q[0] != AuthConf {
		t.Error(q, err)
	}
	if q, err := ParseProtection(""); err != nil || len(q) != 1 || q[0] != Auth {
		t.Error(q, err)
	}
	if _, err := ParseProtection("strong"); err == nil {
		t.Error("accepted")
	}
}

// readHadoop gives challenges and final answers of the servers of a secured Hadoop 3.4.2.
func readHadoop(t testing.TB) []recorded {
	t.Helper()
	data, err := os.ReadFile("testdata/hadoop-digest.json")
	if err != nil {
		t.Fatal(err)
	}
	var out []recorded
	if err := json.Unmarshal(data, &out); err != nil || len(out) == 0 {
		t.Fatalf("%d challenges, %v", len(out), err)
	}
	return out
}

// TestChallengesOfHadoop: what each kind of server offers is understood, and a final answer to somebody else proves nothing to us.
func TestChallengesOfHadoop(t *testing.T) {
	for _, r := range readHadoop(t) {
		for _, q := range []QOP{Auth, AuthInt, AuthConf} {
			d := NewDigest(TokenDigest([]byte("identifier"), []byte("password"), "", "default", []QOP{q}))
			if _, err := d.Start([]byte(r.Challenge)); err != nil || d.QOP() != q {
				t.Errorf("%s: %v, %v", r.Challenge, d.QOP(), err)
			}
			if err := d.Finish([]byte(r.RSPAuth)); !errors.Is(err, ErrServer) {
				t.Errorf("%s: %v", r.RSPAuth, err)
			}
		}
	}
}

func FuzzStart(f *testing.F) {
	for _, r := range append(readRecorded(f), readHadoop(f)...) {
		f.Add([]byte(r.Challenge), []byte(r.RSPAuth))
	}
	f.Fuzz(func(t *testing.T, challenge, final []byte) {
		d := testDigest()
		if _, err := d.Start(challenge); err == nil {
			_ = d.Finish(final)
		}
	})
}

func FuzzUnwrap(f *testing.F) {
	rec := readRecorded(f)
	for i, r := range rec {
		for _, pair := range r.ToClient[:min(2, len(r.ToClient))] {
			b, _ := hex.DecodeString(pair[1])
			f.Add(i, b)
		}
	}
	f.Fuzz(func(t *testing.T, i int, wrapped []byte) {
		d := testDigest()
		if _, err := d.Start([]byte(rec[uint(i)%uint(len(rec))].Challenge)); err != nil {
			t.Fatal(err)
		}
		_, _ = d.Unwrap(wrapped)
	})
}
