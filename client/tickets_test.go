package client

import (
	"errors"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/internal/hadoop/krb"
	"github.com/weft-project/weft/rest"
	"github.com/weft-project/weft/rest/resttest"
)

// A JobManager that asks for a ticket gets one, also where Hadoop is not secured; without one the command says what to do.
func TestJobManagerAsksForTicket(t *testing.T) {
	server, err := rest.NewServer(rest.Options{Backend: resttest.Sample(), Token: strings.Repeat("0", 64), Identifier: asking{}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	at := httptest.NewServer(server.Handler())
	defer at.Close()
	for _, secured := range []string{"kerberos", "simple"} {
		c, _ := securedClient(t)
		site := filepath.Join(c.Getenv("HADOOP_CONF_DIR"), "core-site.xml")
		text, err := os.ReadFile(site)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(site, []byte(strings.Replace(string(text), "kerberos", secured, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := c.atAddress(t.Context(), strings.TrimPrefix(at.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.rest.Overview(t.Context())
		var failure *Failure
		if !errors.As(err, &failure) || failure.Code != ExitUsage || !errors.Is(err, krb.ErrNoTicket) ||
			!strings.Contains(err.Error(), "asks for a Kerberos ticket") || !strings.Contains(err.Error(), "run kinit ann@WEFT.TEST") {
			t.Errorf("%s: %v", secured, err)
		}
	}
}

// asking wants tickets, and takes none.
type asking struct{ rest.Identifier }

func (asking) Scheme() string { return krb.Negotiate }

// What a JobManager could not know its callers with is said before it is started.
func TestKeyTableForTickets(t *testing.T) {
	for want, keys := range map[string][]string{
		"name a key table with the keys of HTTP/host": {},
		"no such file":                    {config.RESTKeytab.Key, filepath.Join(t.TempDir(), "none")},
		"no key of a principal HTTP/host": {config.KerberosKeytab.Key, "../internal/hadoop/krb/testdata/owner.keytab"},
		"":                                {config.RESTKeytab.Key, "/on/all/nodes", config.ShipKeytab.Key, "false"},
	} {
		c, _ := securedClient(t)
		c.Config.Set(config.CommandLine, config.RESTAuth.Key, config.RESTAuthKerberos, "-D")
		for i := 0; i+1 < len(keys); i += 2 {
			c.Config.Set(config.CommandLine, keys[i], keys[i+1], "-D")
		}
		d := &deployment{client: c}
		err := d.prepareTickets()
		var failure *Failure
		if want == "" && (err != nil || len(d.login) > 0) || want != "" && (!errors.As(err, &failure) || failure.Code != ExitUsage || !strings.Contains(err.Error(), want)) {
			t.Errorf("%v: %v, %v, expected %q", keys, err, d.login, want)
		}
	}
}
