package access

import (
	"errors"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jcmturner/gokrb5/v8/keytab"

	"github.com/weft-project/weft/config"
	hadoopconf "github.com/weft-project/weft/internal/hadoop/conf"
	"github.com/weft-project/weft/internal/hadoop/krb"
)

func TestIdentifier(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	krb5 := write("krb5.conf", []byte("[libdefaults]\ndefault_realm = WEFT.TEST\n"))
	keys := func(name, principal string) string {
		k := keytab.New()
		if err := k.AddEntry(principal, "WEFT.TEST", "x", time.Unix(1, 0), 1, 18); err != nil {
			t.Fatal(err)
		}
		b, err := k.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		return write(name, b)
	}
	web, own := keys("web.keytab", "HTTP/node7"), keys("own.keytab", "owner")
	getenv := func(name string) string { return map[string]string{krb.EnvConfig: krb5}[name] }
	for _, c := range []struct {
		what, auth, principal, keytab, want string
	}{
		{"tokens alone", "token", "", web, "none"},
		{"no key table", "kerberos", "", "", "security.rest.auth.kerberos.keytab"},
		{"one of the login alone", "kerberos", "", own, "no key of a principal HTTP/host"},
		{"one of another host", "kerberos", "HTTP/_HOST@WEFT.TEST", web, "no key of HTTP/node8@WEFT.TEST"},
		{"no file", "kerberos", "", filepath.Join(dir, "none"), "no such file"},
		{"any host", "kerberos", "", web, ""},
		{"a principal", "kerberos", "HTTP/node7@WEFT.TEST", web, ""},
	} {
		conf := config.New()
		conf.Set(config.CommandLine, config.RESTAuth.Key, c.auth, "-D")
		conf.Set(config.CommandLine, config.RESTPrincipal.Key, c.principal, "-D")
		id, err := Identifier(conf, hadoopconf.New(nil), c.keytab, "Node8", getenv)
		switch {
		case c.want == "none" && (id != nil || err != nil), c.want == "" && (id == nil || err != nil):
			t.Errorf("%s: %v, %v", c.what, id, err)
		case c.want != "" && c.want != "none" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v, expected %q", c.what, err, c.want)
		}
		if id == nil {
			continue
		}
		for _, header := range []string{"", "Negotiate", "Negotiate !", "Negotiate AAAA", "Negotiate " + strings.Repeat("A", 1<<20)} {
			r := httptest.NewRequest("GET", "/", nil)
			r.Header.Set("Authorization", header)
			if user, err := id.Identify(httptest.NewRecorder(), r); err == nil || errors.Is(err, os.ErrPermission) {
				t.Errorf("%s: %.40q is %q, %v", c.what, header, user, err)
			}
		}
	}
}

// On a cluster that shows all to all, who may show a ticket is held to the lists.
func TestTicketsCloseWhatIsOpen(t *testing.T) {
	r := rightsOf(t, nil, nil, config.RESTAuth.Key, config.RESTAuthKerberos)
	if got, err := r.Rights(t.Context(), "other"); err != nil || got.View {
		t.Errorf("%+v, %v", got, err)
	}
}
