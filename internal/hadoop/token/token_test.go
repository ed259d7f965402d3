package token

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// sample is what the Java program that wrote testdata stored.
func sample() *Credentials {
	big := make([]byte, 300)
	for i := range big {
		big[i] = byte(i)
	}
	c := &Credentials{}
	c.Add("alias1", Token{Identifier: []byte("id"), Password: big, Kind: KindAMRM})
	c.Add("ha-hdfs:ns", Token{Identifier: []byte{1, 2}, Password: []byte{3}, Kind: KindHDFSDelegation, Service: "ha-hdfs:ns"})
	c.AddSecret("weft", []byte("geheim"))
	return c
}

func same(t *testing.T, got, want *Credentials) {
	t.Helper()
	if got.Len() != want.Len() {
		t.Fatalf("%d entries, want %d", got.Len(), want.Len())
	}
	for _, a := range want.Aliases() {
		if g, _ := got.Token(a); !g.Equal(want.tokens[a]) {
			t.Errorf("token %s: %v", a, g)
		}
	}
	for _, a := range want.SecretAliases() {
		if g, _ := got.Secret(a); !bytes.Equal(g, want.secrets[a]) {
			t.Errorf("secret %s differs", a)
		}
	}
}

// TestFilesOfHadoop reads files that Hadoop 3.4.2 wrote.
func TestFilesOfHadoop(t *testing.T) {
	for _, name := range []string{"writable", "protobuf"} {
		c, err := ReadFile(filepath.Join("testdata", name+".hdts"))
		if err != nil {
			t.Fatal(err)
		}
		same(t, c, sample())
	}
}

func TestRoundTrip(t *testing.T) {
	c, err := Unmarshal(sample().Marshal())
	if err != nil {
		t.Fatal(err)
	}
	same(t, c, sample())
	pb, err := sample().MarshalProtobuf()
	if err != nil {
		t.Fatal(err)
	}
	if c, err = Unmarshal(pb); err != nil {
		t.Fatal(err)
	}
	same(t, c, sample())
	if c, err = Unmarshal((&Credentials{}).Marshal()); err != nil || c.Len() != 0 {
		t.Error(c, err)
	}
}

func TestFindAndWithout(t *testing.T) {
	c := sample()
	if tok, ok := c.Find(KindAMRM, ""); !ok || string(tok.Identifier) != "id" {
		t.Error("AMRM token not found by kind")
	}
	if _, ok := c.Find(KindHDFSDelegation, "ha-hdfs:other"); ok {
		t.Error("token of another service found")
	}
	w := c.Without(KindAMRM)
	if _, ok := w.Find(KindAMRM, ""); ok || w.Len() != 2 || c.Len() != 3 {
		t.Error("Without does not strip, or changes the original")
	}
}

func TestNoPasswordInText(t *testing.T) {
	tok := Token{Identifier: []byte("i"), Password: []byte("verysecret"), Kind: "K", Service: "s"}
	for _, f := range []string{"%v", "%+v", "%#v", "%s"} {
		if s := fmt.Sprintf(f, tok); strings.Contains(s, "verysecret") || strings.Contains(s, "118") {
			t.Errorf("%s shows the password: %s", f, s)
		}
	}
}

func TestVInt(t *testing.T) {
	for _, v := range []int64{0, 1, 127, 128, -112, -113, 255, 256, 65535, 1 << 30, -1 << 40, math.MaxInt64, math.MinInt64} {
		r := &reader{b: AppendVInt(nil, v)}
		if got := r.vint(); got != v || r.err != nil || len(r.b) != 0 {
			t.Errorf("%d read as %d, %v", v, got, r.err)
		}
	}
	if got := AppendVInt(nil, 300); !bytes.Equal(got, []byte{0x8e, 1, 44}) {
		t.Errorf("300 is % x", got)
	}
}

func TestBadFiles(t *testing.T) {
	good := sample().Marshal()
	for i := range good {
		if _, err := Unmarshal(good[:i]); err == nil {
			t.Fatalf("cut at %d accepted", i)
		}
	}
	for _, b := range [][]byte{nil, []byte("HDTS\x07"), []byte("nope....."), []byte("HDTS\x00\x7f"), []byte("HDTS\x00\x88\x7f\xff\xff\xff\xff\xff\xff\xff")} {
		if _, err := Unmarshal(b); err == nil {
			t.Errorf("%q accepted", b)
		}
	}
	if _, err := ReadFile("testdata/none"); err == nil {
		t.Error("missing file accepted")
	}
	if c, err := FromEnv(func(string) string { return "" }); err != nil || c.Len() != 0 {
		t.Error(c, err)
	}
}

func FuzzUnmarshal(f *testing.F) {
	for _, name := range []string{"writable", "protobuf"} {
		b, err := os.ReadFile(filepath.Join("testdata", name+".hdts"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := Unmarshal(b)
		if err != nil {
			return
		}
		back, err := Unmarshal(c.Marshal())
		if err != nil {
			t.Fatal(err)
		}
		same(t, back, c)
	})
}

// TestDelegation reads identifiers that a NameNode and a ResourceManager of Hadoop 3.4.2 made.
func TestDelegation(t *testing.T) {
	for _, kind := range []string{KindHDFSDelegation, KindRMDelegation} {
		d, err := Token{Kind: kind, Identifier: recorded(t, kind)}.Delegation()
		if err != nil || d.Owner != "owner@WEFT.TEST" && d.Owner != "owner" || d.Renewer != "yarn" || d.RealUser != "" || d.Sequence < 1 ||
			d.Max.Sub(d.Issued) != 7*24*time.Hour || d.Issued.Year() != 2026 {
			t.Errorf("%s: %+v, %v", kind, d, err)
		}
	}
	for _, bad := range []Token{{Kind: KindAMRM}, {Kind: KindHDFSDelegation}, {Kind: KindHDFSDelegation, Identifier: []byte{1}},
		{Kind: KindHDFSDelegation, Identifier: []byte{0, 2}}, {Kind: KindRMDelegation, Identifier: []byte{0xff}}} {
		if d, err := bad.Delegation(); err == nil {
			t.Errorf("%v: %+v", bad, d)
		}
	}
}

func recorded(t testing.TB, kind string) []byte {
	t.Helper()
	c, err := ReadFile(filepath.Join("testdata", "delegation.hdts"))
	if err != nil {
		t.Fatal(err)
	}
	list := c.OfKind(kind)
	if len(list) != 1 {
		t.Fatalf("%d tokens of kind %s", len(list), kind)
	}
	return list[0].Identifier
}

func TestWriteFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens")
	for range 2 {
		if err := sample().WriteFile(path); err != nil {
			t.Fatal(err)
		}
	}
	got, err := ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, sample())
	st, err := os.Stat(path)
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", st.Mode(), err)
	}
	if err := sample().WriteFile(filepath.Join(path, "below")); err == nil {
		t.Error("written below a file")
	}
}

func FuzzDelegation(f *testing.F) {
	for _, kind := range []string{KindHDFSDelegation, KindRMDelegation} {
		f.Add(kind, recorded(f, kind))
	}
	f.Fuzz(func(_ *testing.T, kind string, id []byte) { _, _ = Token{Kind: kind, Identifier: id}.Delegation() })
}
