package krb

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jcmturner/gokrb5/v8/messages"

	"github.com/weft-project/weft/internal/hadoop/rpc"
)

func write(t *testing.T, name, text string) string {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestConfig reads a krb5.conf with all that such files have, in three files.
func TestConfig(t *testing.T) {
	dir := t.TempDir()
	more := filepath.Join(dir, "more.d")
	if err := os.Mkdir(more, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(more, "realms.conf"), "[realms]\n B.EXAMPLE = {\n  kdc = kdc.b\n }\n")
	write(t, filepath.Join(more, "skipped.rpmsave"), "nonsense")
	write(t, filepath.Join(dir, "one"), "[capaths]\n A.EXAMPLE = {\n  C.EXAMPLE = B.EXAMPLE\n  B.EXAMPLE = .\n }\n")
	main := write(t, filepath.Join(dir, "krb5.conf"), `# comment
includedir `+more+`
includedir `+dir+`/none
include `+dir+`/one
module /usr/lib/x.so:y
[libdefaults]
	default_realm = A.EXAMPLE
	default_realm = SECOND
	ticket_lifetime = 1d 2h
	renew_lifetime = 10:30:00
	forwardable = yes
	dns_lookup_kdc = false
	default_ccache_name = "DIR:/run/user/%{uid}/krb5cc"
	unknown = what
[realms]
A.EXAMPLE = {
	kdc = kdc1.a kdc2.a:1088
	kdc = tcp/[::1]:89
	auth_to_local_names = {
		x = y
	}
	admin_server = adm
}
[domain_realm]
	.a.example = A.EXAMPLE
	host.a.example = H.EXAMPLE
	b.example = B.EXAMPLE
[logging]
	kdc = FILE:/var/log/kdc
`)
	c, err := LoadConfig(func(k string) string { return map[string]string{EnvConfig: main}[k] })
	if err != nil {
		t.Fatal(err)
	}
	if c.DefaultRealm != "A.EXAMPLE" || c.TicketLife != 26*time.Hour || c.RenewLife != 10*time.Hour+30*time.Minute || !c.Forwardable || c.LookupKDC {
		t.Errorf("%+v", c)
	}
	if len(c.Files) != 3 || c.Cache != "DIR:/run/user/%{uid}/krb5cc" {
		t.Errorf("files %v, cache %q", c.Files, c.Cache)
	}
	kdcs, err := c.kdcsOf(t.Context(), "A.EXAMPLE")
	if err != nil || strings.Join(kdcs, " ") != "kdc1.a:88 kdc2.a:1088 [::1]:89" {
		t.Error(kdcs, err)
	}
	if kdcs, _ := c.kdcsOf(t.Context(), "B.EXAMPLE"); len(kdcs) != 1 {
		t.Error(kdcs)
	}
	for host, realm := range map[string]string{"x.A.example": "A.EXAMPLE", "host.a.example": "H.EXAMPLE", "a.example": "", "b.example": "B.EXAMPLE",
		"deep.x.a.example": "A.EXAMPLE", "other": ""} {
		if got := c.RealmOf(host); got != realm {
			t.Errorf("realm of %s: %q, expected %q", host, got, realm)
		}
	}
	if way := c.paths["A.EXAMPLE"]["C.EXAMPLE"]; len(way) != 1 || way[0] != "B.EXAMPLE" {
		t.Error(way)
	}
	if strings.Contains(cacheName(c, func(string) string { return "" }), "%") {
		t.Error("variables in the name of the cache")
	}
}

func TestBadConfigs(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "krb5.conf")
	for text, want := range map[string]string{
		"[libdefaults\n": "without ]", "x = y\n": "no section", "[a]\nx\n": "key = value", "[a]\n}\n": "without its {",
		"[libdefaults]\nticket_lifetime = soon\n": "soon", "[libdefaults]\nforwardable = maybe\n": "maybe", "include " + name + "\n": "levels deep",
		"include " + dir + "/none\n": "none",
	} {
		write(t, name, text)
		_, err := loadConfig([]string{name}, true)
		if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, expected %q", text, err, want)
		}
	}
	_, err := loadConfig([]string{"/none/krb5.conf"}, false)
	if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), EnvConfig) {
		t.Error(err)
	}
}

func TestNames(t *testing.T) {
	for text, want := range map[string]string{"a": "a@D", "a/b@R": "a/b@R", `a\/b@R`: `a\/b@R`, "a@R/S": "a@R/S"} {
		p, err := ParsePrincipal(text, "D")
		if err != nil || p.String() != want {
			t.Errorf("%q: %v, %v, expected %s", text, p, err, want)
		}
	}
	for _, bad := range []string{"", "@R", "a//b@R", "a@"} {
		if p, err := ParsePrincipal(bad, "D"); err == nil {
			t.Errorf("%q: %v", bad, p)
		}
	}
}

// TestRules has the examples of Hadoop's documentation, and its refusals.
func TestRules(t *testing.T) {
	for _, c := range []struct{ rules, mechanism, principal, want string }{
		{"", "", "ann@HOME", "ann"},
		{"", "", "ann/host@HOME", "ann"},
		{"", "", "ann@ELSEWHERE", "no rule"},
		{"RULE:[1:$1@$0](.*@ELSEWHERE)s/@.*//\nDEFAULT", "", "ann@ELSEWHERE", "ann"},
		{"RULE:[2:$1@$0](nn@HOME)s/.*/hdfs/ RULE:[2:$1@$0](rm@HOME)s/.*/yarn/ DEFAULT", "", "rm/h@HOME", "yarn"},
		{"RULE:[2:$1;$2](^.*;admin$)s/;admin$//", "", "ann/admin@X", "ann"},
		{"RULE:[1:$1]", "", "Ann@X", "Ann"},
		{"RULE:[1:$1]/L", "", "Ann@X", "ann"},
		{"RULE:[1:$1](.*)s/n/m/g", "", "anna@X", "amma"},
		{"RULE:[1:$1](.*)s/n/m/", "", "anna@X", "amna"},
		{"RULE:[1:$1@$0]", "", "ann@X", "without / and @"},
		{"RULE:[1:$1@$0]", "MIT", "ann@X", "ann@X"},
		{"RULE:[2:$1]", "mit", "ann@X", "ann@X"},
		{"RULE:[x]", "", "ann@X", "expected DEFAULT or RULE"},
		{"RULE:[1:$1](a[)", "", "ann@X", "missing closing"},
	} {
		p, err := ParsePrincipal(c.principal, "")
		if err != nil {
			t.Fatal(err)
		}
		r, err := ParseRules(c.rules, c.mechanism, "HOME")
		got := ""
		if err == nil {
			got, err = r.Name(p)
		}
		if err != nil {
			got = err.Error()
			if !errors.Is(err, ErrConfig) {
				t.Error(err)
			}
		}
		if got != c.want && (err == nil || !strings.Contains(got, c.want)) {
			t.Errorf("%q makes %q of %s, expected %q", c.rules, got, c.principal, c.want)
		}
	}
}

// TestServerNames checks which servers are believed to be the ones of the configuration.
func TestServerNames(t *testing.T) {
	l := &Login{config: &Config{DefaultRealm: "HOME", realms: map[string]string{".far": "AWAY"}}}
	key := "dfs.namenode.kerberos.principal"
	for _, c := range []struct{ principal, pattern, address, service, host, want string }{
		{"nn/_HOST@HOME", "", "Node1.near:8020", "nn", "node1.near", "nn/node1.near@HOME"},
		{"nn/_HOST@HOME", "", "127.0.0.1:8020", "nn", "localhost", "nn/localhost@HOME"},
		{"nn/_HOST", "", "node1:8020", "nn", "node1", "nn/node1@HOME"},
		{"nn/fixed@HOME", "", "node1:8020", "nn", "fixed", "nn/fixed@HOME"},
		{"nn/_HOST@HOME", "", "127.0.0.1:8020", "nn", "evil", ""},
		{"nn/_HOST@HOME", "", "node1:8020", "dn", "node1", ""},
		{"nn/fixed@HOME", "", "node1:8020", "nn", "node1", ""},
		{"nn@HOME", "", "node1:8020", "nn", "node1", ""},
		{"", "", "node1:8020", "nn", "node1", ""},
		{"", "nn/*.far@AWAY", "node1:8020", "nn", "a.far", "nn/a.far@AWAY"},
		{"nn/_HOST@HOME", "*", "node1:8020", "nn", "a.far", "nn/a.far@AWAY"},
		{"nn/_HOST@HOME", "nn/*@AWAY", "node1:8020", "nn", "near", ""},
		{"nn/_HOST@HOME", "[", "node1:8020", "nn", "near", ""},
	} {
		s := Service{Key: key, Principal: c.principal, Pattern: c.pattern}
		p, err := l.server(t.Context(), s, c.address, rpc.Offer{Protocol: c.service, ServerID: c.host})
		switch {
		case c.want == "" && !errors.Is(err, ErrServer) || c.want != "" && (err != nil || p.String() != c.want):
			t.Errorf("%+v: %v, %v", c, p, err)
		case err != nil && !strings.Contains(err.Error(), key):
			t.Errorf("%v does not name the key", err)
		}
	}
}

// TestCacheOfKinit reads a cache that MIT's kinit and kvno wrote.
func TestCacheOfKinit(t *testing.T) {
	b := sample(t, "owner.cache")
	c, err := parseCache(b)
	if err != nil || c.client.String() != "owner@WEFT.TEST" || len(c.tickets) != 2 {
		t.Fatalf("%+v, %v", c, err)
	}
	tgt := c.tickets[0]
	if tgt.Server.String() != "krbtgt/WEFT.TEST@WEFT.TEST" || !tgt.renewable() || tgt.End.Sub(tgt.Start) != 10*time.Hour || len(tgt.key.KeyValue) != 32 {
		t.Errorf("%v until %v", tgt.Server, tgt.End)
	}
	for i := range b {
		if c, err := parseCache(b[:i]); err == nil && len(c.tickets) > 1 {
			t.Errorf("cut at %d: %d tickets", i, len(c.tickets))
		}
	}
	// A plain copy of the file is found by any name for it.
	dir := t.TempDir()
	write(t, filepath.Join(dir, "tktA"), string(b))
	write(t, filepath.Join(dir, "primary"), "tktA\n")
	for _, name := range []string{filepath.Join(dir, "tktA"), "FILE:" + filepath.Join(dir, "tktA"), "DIR:" + dir, "DIR::" + filepath.Join(dir, "tktA")} {
		if _, err := readCache(name, Principal{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	write(t, filepath.Join(dir, "primary"), "../tktA")
	if _, err := readCache("DIR:"+dir, Principal{}); err == nil {
		t.Error("a primary outside of the directory")
	}
}

func TestKeytabOfMIT(t *testing.T) {
	p, keys, err := parseKeytab(sample(t, "owner.keytab"), "k", "", "")
	if err != nil || p.String() != "owner@WEFT.TEST" || len(keys.types()) != 2 {
		t.Errorf("%v %v, %v", p, keys.types(), err)
	}
	if _, _, err := parseKeytab([]byte("nonsense"), "k", "ann", "R"); !errors.Is(err, ErrKeytab) {
		t.Error(err)
	}
}

func TestSettings(t *testing.T) {
	get := func(m map[string]string) func(string) string { return func(k string) string { return m[k] } }
	o, err := FromSettings(get(map[string]string{KeyKeytab: "a", KeyPrincipal: "p"}), get(map[string]string{EnvKeytab: "b", EnvPrincipal: "q"}))
	if err != nil || o.Keytab != "a" || o.Principal != "p" {
		t.Errorf("%+v, %v", o, err)
	}
	o, err = FromSettings(get(map[string]string{KeyUseCache: "false"}), get(map[string]string{EnvKeytab: "b", EnvPrincipal: "q"}))
	if err != nil || o.Keytab != "b" || o.Principal != "q" || !o.NoCache {
		t.Errorf("%+v, %v", o, err)
	}
	for _, bad := range []map[string]string{{KeyKeytab: "a"}, {KeyUseCache: "perhaps"}} {
		if _, err := FromSettings(get(bad), get(nil)); !errors.Is(err, ErrConfig) {
			t.Errorf("%v: %v", bad, err)
		}
	}
}

func sample(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// decodeAny decodes an answer of a KDC as either of those that are asked for.
func decodeAny(b []byte) {
	var as messages.ASRep
	var tgs messages.TGSRep
	_ = decodeReply("R", b, as.Unmarshal)
	_ = decodeReply("R", b, tgs.Unmarshal)
}

func FuzzReply(f *testing.F) {
	var list []string
	if err := json.Unmarshal(sample(f, "kdc.json"), &list); err != nil {
		f.Fatal(err)
	}
	l := &Login{o: Options{Now: time.Now}, keys: keyring{18: {}}}
	for _, text := range list {
		b, err := hex.DecodeString(text)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(_ *testing.T, b []byte) {
		decodeAny(b)
		var refused *kdcError
		if errors.As(decodeReply("R", b, func([]byte) error { return nil }), &refused) {
			_, _ = l.preAuthenticate(refused)
			_ = l.explain(Principal{}, Principal{}, refused)
		}
	})
}

func FuzzCache(f *testing.F) {
	f.Add(sample(f, "owner.cache"))
	f.Fuzz(func(_ *testing.T, b []byte) { _, _ = parseCache(b) })
}

func FuzzKeytab(f *testing.F) {
	f.Add(sample(f, "owner.keytab"))
	f.Fuzz(func(_ *testing.T, b []byte) { _, _, _ = parseKeytab(b, "k", "owner@WEFT.TEST", "") })
}

func FuzzConfig(f *testing.F) {
	f.Add("[libdefaults]\ndefault_realm = A\n[realms]\nA = {\n kdc = b\n}\n")
	f.Fuzz(func(_ *testing.T, text string) {
		if strings.Contains(text, "include") {
			return
		}
		p := &profile{}
		if p.parse("f", []byte(text), 0) == nil {
			_, _ = p.config()
		}
	})
}

func FuzzRules(f *testing.F) {
	f.Add("RULE:[2:$1@$0](nn@HOME)s/.*/hdfs/gL DEFAULT", "nn/h@HOME")
	f.Fuzz(func(_ *testing.T, rules, name string) {
		r, err := ParseRules(rules, "", "HOME")
		p, perr := ParsePrincipal(name, "HOME")
		if err == nil && perr == nil {
			_, _ = r.Name(p)
		}
	})
}
