//go:build realhadoop

package access_test

import (
	"errors"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/internal/devcluster"
	hadoopconf "github.com/weft-project/weft/internal/hadoop/conf"
	"github.com/weft-project/weft/internal/hadoop/krb"
	"github.com/weft-project/weft/rest"
	"github.com/weft-project/weft/rest/access"
	"github.com/weft-project/weft/rest/resttest"
)

// Tickets of a real KDC, and of one of another realm: the owner may do all, who is named what the lists say, and nobody else
// anything.
func TestRealTickets(t *testing.T) {
	c := devcluster.Private(t, devcluster.Options{KDCOnly: true, Kerberos: &devcluster.Kerberos{SecondRealm: true}})
	getenv := func(name string) string { return map[string]string{krb.EnvConfig: c.Krb5Conf()}[name] }
	// as cancels a job with somebody's ticket, and gives the statuses of reading and of that.
	as := func(name, views, rules string) (read, cancelled int) {
		t.Helper()
		conf, hadoop := config.New(), hadoopconf.New(nil)
		conf.Set(config.CommandLine, config.RESTAuth.Key, config.RESTAuthKerberos, "-D")
		conf.Set(config.CommandLine, config.RESTPrincipal.Key, "HTTP/_HOST@"+devcluster.Realm, "-D")
		conf.Set(config.CommandLine, config.ViewACLs.Key, views, "-D")
		hadoop.Set("hadoop.security.auth_to_local", rules)
		identifier, err := access.Identifier(conf, hadoop, c.Keytab("services"), "localhost", getenv)
		if err != nil {
			t.Fatal(err)
		}
		rights, err := access.New(conf, hadoop, devcluster.Owner, nil)
		if err != nil {
			t.Fatal(err)
		}
		b := resttest.Sample()
		s, err := rest.NewServer(rest.Options{Backend: b, Token: strings.Repeat("0", 64), Authoriser: rights, Identifier: identifier, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewServer(s.Handler())
		defer server.Close()
		login, err := krb.Open(krb.Options{Keytab: c.Keytab(name), Principal: c.Principal(name), Getenv: getenv})
		if err != nil {
			t.Fatal(err)
		}
		caller, err := rest.NewClient(rest.ClientOptions{Address: strings.Replace(server.URL, "127.0.0.1", "localhost", 1), Negotiate: login.Authorization})
		if err != nil {
			t.Fatal(err)
		}
		defer caller.Close()
		status := func(err error) int {
			var answer *rest.Error
			if err != nil && !errors.As(err, &answer) {
				t.Fatal(err)
			}
			if err == nil {
				return 200
			}
			return answer.Status
		}
		_, err = caller.Overview(t.Context())
		read = status(err)
		cancelled = status(caller.Cancel(t.Context(), resttest.RunningJob))
		if (len(b.Canceled()) > 0) != (cancelled == 200) {
			t.Errorf("%s: status %d, cancelled %v", name, cancelled, b.Canceled())
		}
		return read, cancelled
	}
	const partners = `RULE:[1:$1@$0](.*@PARTNER\.TEST)s/@.*// DEFAULT`
	for _, w := range []struct {
		name, views, rules string
		read, cancel       int
	}{
		{devcluster.Owner, "", "", 200, 200}, {devcluster.Other, "", "", 403, 403}, {devcluster.Other, "ada,other", "", 200, 403},
		{devcluster.Guest, "", partners, 403, 403}, {devcluster.Guest, "guest", partners, 200, 403}, {devcluster.Guest, "*", "", 403, 403},
	} {
		if read, cancel := as(w.name, w.views, w.rules); read != w.read || cancel != w.cancel {
			t.Errorf("%v: reading %d, cancelling %d", w, read, cancel)
		}
	}
}
