//go:build realhadoop

package acceptance

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/jcmturner/gokrb5/v8/client"
	"github.com/jcmturner/gokrb5/v8/config"
	"github.com/jcmturner/gokrb5/v8/keytab"
	"github.com/jcmturner/gokrb5/v8/spnego"

	"github.com/weft-project/weft/internal/devcluster"
	"github.com/weft-project/weft/internal/fs/hdfs"
	hadoopconf "github.com/weft-project/weft/internal/hadoop/conf"
	"github.com/weft-project/weft/internal/hadoop/krb"
	"github.com/weft-project/weft/internal/hadoop/rpc"
	"github.com/weft-project/weft/security"
	"github.com/weft-project/weft/yarnrpc"
)

// rights checks that somebody else neither sees nor ends the application and its job: through YARN's proxy, which asks who comes for a
// ticket, directly, through the ResourceManager, by commands, and with what lies in HDFS.
func (u *secured) rights(app, job string) {
	t := u.t
	t.Helper()
	a, err := u.c.App(t.Context(), app)
	if err != nil {
		t.Fatal(err)
	}
	page := strings.TrimSuffix(a.TrackingURL, "/") + "/jobs/overview"
	for _, who := range []string{devcluster.Owner, devcluster.Guest} {
		if status, body := u.through(who, "GET", page); status != 200 || !strings.Contains(body, job) {
			t.Errorf("%s through the proxy: status %d: %.500s", who, status, body)
		}
	}
	// Who may view is all that the proxy's word is good for, whoever comes by it.
	for who, changes := range map[string][][2]string{
		devcluster.Other: {{"GET", "/jobs/overview"}, {"GET", "/jobs/" + job}, {"GET", "/"}, {"GET", "/jobmanager/log"}, {"GET", "/jobs/" + job + "/yarn-cancel"}, {"DELETE", "/cluster"}},
		devcluster.Owner: {{"GET", "/jobs/" + job + "/yarn-cancel"}, {"PUT", "/jobs/" + job + "/yarn-cancel"}},
		devcluster.Guest: {{"GET", "/jobs/" + job + "/yarn-cancel"}, {"DELETE", "/cluster"}},
	} {
		for _, r := range changes {
			if status, body := u.through(who, r[0], strings.TrimSuffix(page, "/jobs/overview")+r[1]); status < 400 || strings.Contains(body, job) && who == devcluster.Other {
				t.Errorf("%s through the proxy: %s %s: status %d: %.500s", who, r[0], r[1], status, body)
			}
		}
	}
	// Who is near the proxy but is not it, and who calls as it does from another address.
	for from, header := range map[string][]string{"127.0.0.2": nil, "127.0.0.3": {"Cookie", "proxy-user=owner"}} {
		if status, body := newCaller(t, from).ask("GET", "http://"+u.address(app)+"/jobs/overview", header...); status != 401 {
			t.Errorf("from %s with %v: status %d: %.300s", from, header, status, body)
		}
	}
	u.direct("http://"+u.address(app), job)
	u.atResourceManager(app)
	other := newSecured(t, u.c, devcluster.Other)
	other.kinit()
	for _, words := range [][]string{{"list"}, {"cancel", job}} {
		other.fails(3, []string{"only its owner can use it"}, "weft", slices.Concat(words[:1], []string{"-yid", app}, words[1:])...)
		other.fails(1, []string{`user "other" may not`}, "weft", slices.Concat(words[:1], []string{"-m", u.recalled(app, "rest")}, words[1:])...)
	}
	other.fails(3, []string{"only its owner can use it"}, "yarn-session.sh", "-id", app)
	other.fails(3, []string{"only its owner can use it"}, "weft", "logs", app)
	u.closedTo(devcluster.Other, "/user/owner/.weft/staging/"+app+"/secret", "/user/owner/.weft/staging/"+app, "/user/owner/.weft")
	if state := u.state(u.api(app), job); state != "RUNNING" {
		t.Errorf("the job is %s after all that", state)
	}
}

// atResourceManager is what somebody else gets there.
func (u *secured) atResourceManager(app string) {
	t := u.t
	t.Helper()
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

// closedTo checks that somebody cannot read files, nor look into directories.
func (u *secured) closedTo(name string, paths ...string) {
	t := u.t
	t.Helper()
	store := u.storeAs(name)
	defer store.Close()
	for _, path := range paths {
		if r, err := store.Open(t.Context(), path); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("%s opens %s: %v", name, path, err)
			if err == nil {
				_ = r.Close()
			}
		}
		if list, err := store.List(t.Context(), path); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("%s lists %s: %v, %v", name, path, list, err)
		}
	}
}

// direct checks who may do what by tickets, at the JobManager itself. The guest comes from another realm, and is in a group that may view.
func (u *secured) direct(base, job string) {
	t := u.t
	t.Helper()
	for _, c := range []struct {
		name, method, path string
		want               int
	}{
		{devcluster.Owner, "GET", "/jobs/overview", 200}, {devcluster.Other, "GET", "/jobs/overview", 403}, {devcluster.Other, "GET", "/jobs/" + job, 403},
		{devcluster.Other, "PATCH", "/jobs/" + job + "?mode=cancel", 403}, {devcluster.Other, "DELETE", "/cluster", 403},
		{devcluster.Guest, "GET", "/jobs/" + job, 200}, {devcluster.Guest, "PATCH", "/jobs/" + job + "?mode=cancel", 403}, {devcluster.Guest, "DELETE", "/cluster", 403},
	} {
		if status, body := u.through(c.name, c.method, base+c.path); status != c.want {
			t.Errorf("%s with a ticket: %s %s: status %d, expected %d: %.500s", c.name, c.method, c.path, status, c.want, body)
		}
	}
}

// kerberos is somebody's login by his key table, in a library that is not ours.
func (u *secured) kerberos(name string) *client.Client {
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
	t.Cleanup(who.Destroy)
	return who
}

// keysOf are the keys of a key table.
func (u *secured) keysOf(file string) needles {
	u.t.Helper()
	kt, err := keytab.Load(file)
	if err != nil || len(kt.Entries) == 0 {
		u.t.Fatalf("%s: %v", file, err)
	}
	out := needles{}
	for _, e := range kt.Entries {
		out.add(fmt.Sprintf("the key of type %d", e.Key.KeyType), security.Secret(e.Key.KeyValue))
	}
	return out
}

// ticketFor is what somebody would show a service in HTTP, in base64.
func (u *secured) ticketFor(name, service string) string {
	t := u.t
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), "GET", "http://localhost/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := spnego.SetSPNEGOHeader(u.kerberos(name), request, service); err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(request.Header.Get("Authorization"), "Negotiate ")
}

// through asks a server that wants a ticket.
func (u *secured) through(name, method, page string) (int, string) {
	t := u.t
	t.Helper()
	at, err := url.Parse(page)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), method, page, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := spnego.NewClient(u.kerberos(name), &http.Client{Timeout: patience}, "HTTP/"+at.Hostname()).Do(request)
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

// loginAs is our own login by somebody's key table, and Hadoop's configuration.
func (u *secured) loginAs(name string) (*krb.Login, *hadoopconf.Conf) {
	t := u.t
	t.Helper()
	conf, err := hadoopconf.LoadDirs(nil, u.c.ConfDir())
	if err != nil {
		t.Fatal(err)
	}
	login, err := krb.Open(krb.Options{Keytab: u.c.Keytab(name), Principal: u.c.Principal(name), Getenv: func(variable string) string {
		return map[string]string{krb.EnvConfig: u.c.Krb5Conf()}[variable]
	}})
	if err != nil {
		t.Fatal(err)
	}
	return login, conf
}

// storeAs is HDFS with somebody's key table.
func (u *secured) storeAs(name string) *hdfs.FS {
	t := u.t
	t.Helper()
	login, conf := u.loginAs(name)
	store, err := hdfs.New(conf, "", hdfs.Options{User: name, Kerberos: login})
	if err != nil {
		t.Fatal(err)
	}
	return store.(*hdfs.FS)
}

// resourceManagerAs speaks to the ResourceManager with somebody's key table.
func (u *secured) resourceManagerAs(name string) *yarnrpc.ClientRM {
	t := u.t
	t.Helper()
	login, conf := u.loginAs(name)
	rm, err := yarnrpc.NewClientRM(conf, yarnrpc.Options{Kerberos: login})
	if err != nil {
		t.Fatal(err)
	}
	return rm
}
