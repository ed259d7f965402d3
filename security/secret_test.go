package security

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fixed is a secret that tests can name.
func fixed(b byte) Secret { return Secret(bytes.Repeat([]byte{b}, SecretSize)) }

func TestSecretTextRoundTrip(t *testing.T) {
	s := NewSecret()
	got, err := ParseSecret(s.Hex())
	if err != nil || !bytes.Equal(got, s) {
		t.Fatalf("ParseSecret(Hex) = %v, %v", got, err)
	}
	for _, bad := range []string{"", "00", strings.Repeat("g", 64), s.Hex() + "00"} {
		if _, err := ParseSecret(bad); err == nil {
			t.Errorf("ParseSecret(%q) accepted", bad)
		} else if bad != "" && strings.Contains(err.Error(), bad) {
			t.Errorf("the error repeats the text: %v", err)
		}
	}
	if _, err := SecretFromBytes(s[:31]); err == nil {
		t.Error("SecretFromBytes accepted 31 bytes")
	}
}

// The derivation is part of the protocol between versions: these values must not change.
func TestDeriveIsStableAndSeparates(t *testing.T) {
	s := fixed(7)
	if got, want := s.Derive(LabelJob, "j1").Hex(), goldenDerived; got != want {
		t.Errorf("Derive changed: %s, want %s", got, want)
	}
	seen := map[string]string{}
	for _, args := range [][]string{{"job"}, {"job", ""}, {"job", "a", "b"}, {"job", "ab"}, {"job", "a\x00b"}, {"joba", "b"}, {"data"}} {
		h := s.Derive(args[0], args[1:]...).Hex()
		if other, dup := seen[h]; dup {
			t.Errorf("%q and %s derive the same secret", args, other)
		}
		seen[h] = fmt.Sprintf("%q", args)
	}
	if d := Secret(nil).Derive("job"); d.Valid() {
		t.Error("a secret was derived from none")
	}
}

const goldenDerived = "d1f8b5419ce6cf0736819349460d7ba24daa2e6b90ce65b92c60289cf7755931"

func TestSecretNeverPrints(t *testing.T) {
	s := fixed(0xab)
	var out bytes.Buffer
	type holder struct {
		Name string
		Key  Secret
	}
	h := holder{"x", s}
	// Not %p of a struct: fmt then prints fields without asking them, and go vet refuses it.
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%c", "%U", "%o", "%b"} {
		fmt.Fprintf(&out, verb, s)
		fmt.Fprintf(&out, verb, h)
		fmt.Fprintf(&out, verb, []Secret{s})
		fmt.Fprintf(&out, verb, map[string]Secret{"k": s})
	}
	fmt.Fprint(&out, s, h)
	for _, handler := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(handler).Info("m", "key", s, "holder", h, "list", []Secret{s})
	}
	if err := json.NewEncoder(&out).Encode(h); err != nil {
		t.Fatal(err)
	}
	text := strings.ToLower(out.String())
	for _, leak := range []string{"abab", "171", "ab ab", "q6ur", "253", "10101011", "\xab"} {
		if i := strings.Index(text, leak); i >= 0 {
			t.Errorf("output holds %q: …%s", leak, text[max(0, i-60):min(len(text), i+60)])
		}
	}
}

func TestSecretFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	s := NewSecret()
	for range 2 { // the second time replaces
		if err := WriteSecretFile(path, s); err != nil {
			t.Fatal(err)
		}
	}
	got, err := ReadSecretFile(path)
	if err != nil || !bytes.Equal(got, s) {
		t.Fatalf("ReadSecretFile = %v, %v", got, err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, %v: want 0600", info.Mode(), err)
	}
	entries, _ := os.ReadDir(filepath.Dir(path))
	if len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
	for _, mode := range []os.FileMode{0o640, 0o604, 0o620, 0o610, 0o644} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadSecretFile(path); err == nil || !strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("mode %04o: %v, want a refusal that says chmod 600", mode, err)
		}
	}
	if err := os.Chmod(path, 0o400); err != nil { // what YARN makes of a private file
		t.Fatal(err)
	}
	if _, err := ReadSecretFile(path); err != nil {
		t.Errorf("mode 0400: %v", err)
	}
	if err := os.WriteFile(path+"2", []byte("not a secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadSecretFile(path + "2"); err == nil {
		t.Error("a file without a secret was accepted")
	}
	if _, err := ReadSecretFile(filepath.Dir(path)); err == nil {
		t.Error("a directory was accepted")
	}
	if err := WriteSecretFile(path, nil); err == nil {
		t.Error("no secret was written")
	}
}
