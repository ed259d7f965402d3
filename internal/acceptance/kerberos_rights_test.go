//go:build realhadoop && long

package acceptance

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/jcmturner/gokrb5/v8/client"
	"github.com/jcmturner/gokrb5/v8/config"
	"github.com/jcmturner/gokrb5/v8/keytab"
	"github.com/jcmturner/gokrb5/v8/spnego"

	"github.com/weft-project/weft/internal/devcluster"
	hadoopconf "github.com/weft-project/weft/internal/hadoop/conf"
	"github.com/weft-project/weft/internal/hadoop/krb"
	"github.com/weft-project/weft/internal/hadoop/rpc"
	"github.com/weft-project/weft/yarnrpc"
)

// rights checks that somebody else neither sees nor ends the application: through YARN's proxy, which asks who comes for a
// ticket, directly, and through the ResourceManager.
func (u *secured) rights(app string) {
	t := u.t
	t.Helper()
	a, err := u.c.App(t.Context(), app)
	if err != nil {
		t.Fatal(err)
	}
	page := strings.TrimSuffix(a.TrackingURL, "/") + "/jobs/overview"
	if status, body := u.through(devcluster.Owner, "GET", page); status != 200 || !strings.Contains(body, `"jobs"`) {
		t.Errorf("the owner through the proxy: status %d: %.500s", status, body)
	}
	if status, body := u.through(devcluster.Other, "GET", page); status == 200 || strings.Contains(body, `"jobs"`) {
		t.Errorf("somebody else through the proxy: status %d: %.500s", status, body)
	}
	// Who is near the proxy but is not it, and who calls as it does from another address.
	for from, header := range map[string][]string{"127.0.0.2": nil, "127.0.0.3": {"Cookie", "proxy-user=owner"}} {
		if status, body := newCaller(t, from).ask("GET", "http://"+u.address(app)+"/jobs/overview", header...); status != 401 {
			t.Errorf("from %s with %v: status %d: %.300s", from, header, status, body)
		}
	}
	u.direct("http://" + u.address(app))
	rm := u.resourceManagerAs(devcluster.Other)
	defer rm.Close()
	id, err := yarnrpc.ParseApplicationID(app)
	if err != nil {
		t.Fatal(err)
	}
	if err := rm.Kill(t.Context(), id, "by somebody else"); !errors.Is(err, rpc.ErrAccessControl) {
		t.Errorf("somebody else ends the application: %v", err)
	}
	if r, err := rm.Report(t.Context(), id); err != nil || r.Host != "" || r.OriginalTrackingURL != "" {
		t.Errorf("somebody else is told where the application is: %+v, %v", r, err)
	}
}

// direct checks who may do what by tickets, at the JobManager itself.
func (u *secured) direct(base string) {
	t := u.t
	t.Helper()
	for _, c := range []struct {
		name, method, path string
		want               int
	}{
		{devcluster.Owner, "GET", "/jobs/overview", 200}, {devcluster.Other, "GET", "/jobs/overview", 403}, {devcluster.Other, "DELETE", "/cluster", 403},
	} {
		if status, body := u.through(c.name, c.method, base+c.path); status != c.want {
			t.Errorf("%s with a ticket: %s %s: status %d, expected %d: %.500s", c.name, c.method, c.path, status, c.want, body)
		}
	}
	for _, header := range []string{"Negotiate", "Negotiate AAAA", "Negotiate " + strings.Repeat("YII", 4<<10)} {
		if status, body := newCaller(t, "127.0.0.2").ask("GET", base+"/jobs/overview", "Authorization", header); status != 401 {
			t.Errorf("%.20s: status %d: %.300s", header, status, body)
		}
	}
}

// through asks a server that wants a ticket.
func (u *secured) through(name, method, page string) (int, string) {
	t := u.t
	t.Helper()
	conf, err := config.Load(u.c.Krb5Conf())
	if err != nil {
		t.Fatal(err)
	}
	kt, err := keytab.Load(u.c.Keytab(name))
	if err != nil {
		t.Fatal(err)
	}
	user, realm, _ := strings.Cut(u.c.Principal(name), "@")
	who := client.NewWithKeytab(user, realm, kt, conf, client.DisablePAFXFAST(true))
	defer who.Destroy()
	at, err := url.Parse(page)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), method, page, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := spnego.NewClient(who, &http.Client{Timeout: patience}, "HTTP/"+at.Hostname()).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(b)
}

// resourceManagerAs speaks to the ResourceManager with somebody's key table.
func (u *secured) resourceManagerAs(name string) *yarnrpc.ClientRM {
	t := u.t
	t.Helper()
	conf, err := hadoopconf.LoadDirs(nil, u.c.ConfDir())
	if err != nil {
		t.Fatal(err)
	}
	login, err := krb.Open(krb.Options{Keytab: u.c.Keytab(name), Principal: u.c.Principal(name), Getenv: func(variable string) string {
		if variable == krb.EnvConfig {
			return u.c.Krb5Conf()
		}
		return ""
	}})
	if err != nil {
		t.Fatal(err)
	}
	rm, err := yarnrpc.NewClientRM(conf, yarnrpc.Options{Kerberos: login})
	if err != nil {
		t.Fatal(err)
	}
	return rm
}
