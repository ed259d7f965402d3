//go:build realhadoop

package acceptance

import (
	"encoding/json"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/weft-project/weft/rest/resttest"
)

// caller sends requests from an address of its own.
type caller struct {
	t    *testing.T
	http *http.Client
}

// newCaller calls from a loopback address; "" leaves the choice to the system.
func newCaller(t *testing.T, from string) *caller {
	t.Helper()
	d := &net.Dialer{Timeout: patience}
	if from != "" {
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(from)}
	}
	transport := &http.Transport{DialContext: d.DialContext}
	t.Cleanup(transport.CloseIdleConnections)
	return &caller{t, &http.Client{Transport: transport, Timeout: patience}}
}

// ask gives status and body; header holds names and values in turn.
func (c *caller) ask(method, url string, header ...string) (int, string) {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), method, url, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	answer, err := c.http.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return answer.StatusCode, string(b)
}

// token is the owner's token.
func (u *user) token(app string) string {
	u.t.Helper()
	b, err := os.ReadFile(filepath.Join(u.home, ".weft", app, "token"))
	if err != nil {
		u.t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

// running starts a job that runs for a while, and waits until its tasks run.
func (u *user) running(app, output string, args ...string) (*process, string) {
	u.t.Helper()
	input := u.put(filepath.Base(output)+".in", text(2000, 5))
	args = append(append([]string{"run", "-yid", app}, args...), testJob(u.t), "-mode", "slow", "-pause", "20ms", "-input", input, "-output", output)
	p := u.start("", "weft", args...)
	p.says("Job has been submitted")
	job := u.submitted(p.stdout.String())
	api := u.api(app)
	u.until("all tasks run", func() bool {
		d := u.details(api, job)
		return d.State == "RUNNING" && d.StatusCounts["RUNNING"] == len(d.Vertices) && len(d.Vertices) > 0
	})
	return p, job
}

// Through the ResourceManager's web proxy everybody may read and nobody may change; beside it the token is needed.
func TestWebProxy(t *testing.T) {
	u := newUser(t)
	app := u.session("-nm", "through the proxy", "-jm", "768", "-tm", "1024", "-s", "2")
	run, job := u.running(app, u.out("counts"), "-p", "2")
	a, err := u.c.App(t.Context(), app)
	if err != nil || !strings.Contains(a.TrackingURL, "/proxy/"+app) {
		t.Fatalf("tracking URL: %+v, %v", a, err)
	}
	page := strings.TrimSuffix(a.TrackingURL, "/")
	c := newCaller(t, "")
	for path, texts := range map[string][]string{
		"/":                    {"through the proxy", "test job slow", "ui/jobs/" + job, "container_"},
		"/ui/jobs/" + job:      {"test job slow", "running", "count"},
		"/ui/config":           {"taskmanager.numberOfTaskSlots"},
		"/jobs/overview":       {`"name":"test job slow"`, `"state":"RUNNING"`, job},
		"/v1/jobs/overview":    {job},
		"/taskmanagers":        {`"slotsNumber":2`},
		"/ui/static/style.css": {"body"},
	} {
		status, body := c.ask("GET", page+path)
		if status != 200 {
			t.Errorf("GET %s: status %d: %s", path, status, body)
		}
		for _, want := range texts {
			if !strings.Contains(body, want) {
				t.Errorf("GET %s: %q is not in %.3000s", path, want, body)
			}
		}
	}
	for _, change := range [][2]string{{"PUT", "/jobs/" + job}, {"PUT", "/cluster"}, {"GET", "/jobs/" + job + "/yarn-cancel"}, {"PATCH", "/jobs/" + job + "?mode=cancel"},
		{"DELETE", "/cluster"}, {"POST", "/weft/jobs"}, {"PUT", "/weft/jobs"}} {
		// What the proxy forwards is refused by us, what it does not by itself.
		if status, body := c.ask(change[0], page+change[1]); status != 401 && status != 405 && status != 501 {
			t.Errorf("%s %s through the proxy: status %d: %s", change[0], change[1], status, body)
		}
	}
	u.claimsToBeTheProxy(app, job)
	if state := u.state(u.api(app), job); state != "RUNNING" {
		t.Errorf("the job is %s after all that", state)
	}
	u.ok("weft", "cancel", "-yid", app, job)
	if r := run.wait(); r.code != 1 || !strings.Contains(r.stderr, "CANCELED") {
		t.Errorf("cancelled: %s", r)
	}
}

// claimsToBeTheProxy calls the JobManager as the proxy does, from where the proxy is not.
func (u *user) claimsToBeTheProxy(app, job string) {
	t := u.t
	direct := "http://" + u.address(app)
	// The proxy of this cluster is at 127.0.0.1, as is who calls from there: the cookie alone tells them apart. From another
	// machine, which 127.0.0.2 plays, it is worth nothing.
	near, far := newCaller(t, "127.0.0.1"), newCaller(t, "127.0.0.2")
	cookie := []string{"Cookie", "proxy-user=dr.who"}
	if status, body := near.ask("GET", direct+"/jobs/overview"); status != 401 {
		t.Errorf("no cookie: status %d: %s", status, body)
	}
	forged := append([]string{"X-Forwarded-For", "127.0.0.1", "Forwarded", "for=127.0.0.1", "X-Real-Ip", "127.0.0.1"}, cookie...)
	for _, header := range [][]string{nil, cookie, forged} {
		for _, path := range []string{"/", "/jobs/overview", "/ui/jobs/" + job} {
			if status, body := far.ask("GET", direct+path, header...); status != 401 {
				t.Errorf("GET %s from elsewhere with %v: status %d: %s", path, header, status, body)
			}
		}
	}
	for _, change := range [][2]string{{"PATCH", "/jobs/" + job + "?mode=cancel"}, {"GET", "/jobs/" + job + "/yarn-cancel"}, {"DELETE", "/cluster"}, {"POST", "/weft/jobs"}} {
		if status, body := near.ask(change[0], direct+change[1], cookie...); status != 401 {
			t.Errorf("%s %s as the proxy: status %d: %s", change[0], change[1], status, body)
		}
	}
	if status, body := far.ask("GET", direct+"/jobs/overview", "Authorization", "Bearer "+u.token(app)); status != 200 {
		t.Errorf("with the token: status %d: %s", status, body)
	}
}

// The documents of a live session have the fields that Flink's have, and no others.
func TestDocumentsLikeFlinks(t *testing.T) {
	u := newUser(t)
	app := u.session("-jm", "768", "-tm", "1024", "-s", "2")
	input := u.put("bad.txt", text(10, 1))
	failed := u.submitted(u.fails(1, []string{"bad line"}, "weft", "run", "-D", "restart-strategy.type=none", testJob(t), "-mode", "error", "-input", input, "-output", u.out("none")).stdout)
	run, job := u.running(app, u.out("counts"), "-p", "2")
	tms, err := u.api(app).TaskManagers(t.Context())
	if err != nil || len(tms) == 0 {
		t.Fatalf("TaskManagers: %v, %v", tms, err)
	}
	c, want := newCaller(t, ""), resttest.Shapes()
	for _, path := range []string{"/overview", "/config", "/jobs", "/jobs/overview", "/jobs/:jobid", "/jobs/:jobid/plan", "/jobs/:jobid/status", "/jobs/:jobid/exceptions",
		"/jobs/:jobid/config", "/jobs/:failed/exceptions", "/taskmanagers", "/taskmanagers/:taskmanagerid", "/nosuch"} {
		if len(want[path]) == 0 {
			t.Fatalf("no shape of %s", path)
		}
		place := strings.NewReplacer(":jobid", job, ":failed", failed, ":taskmanagerid", tms[0].ID)
		status, body := c.ask("GET", "http://"+u.address(app)+place.Replace(path), "Authorization", "Bearer "+u.token(app))
		var doc any
		if err := json.Unmarshal([]byte(body), &doc); err != nil || (status == 200) == (path == "/nosuch") {
			t.Errorf("GET %s: status %d, %v: %s", path, status, err, body)
			continue
		}
		got := resttest.Shape(doc)
		for _, f := range slices.Sorted(maps.Keys(want[path])) {
			if !got[f] && !ofEmptyList(f, got) && !authors(f) {
				t.Errorf("GET %s: %s is missing in %s", path, f, body)
			}
		}
		for _, f := range slices.Sorted(maps.Keys(got)) {
			if !want[path][f] && !authors(f) {
				t.Errorf("GET %s: %s is too much in %s", path, f, body)
			}
		}
	}
	u.ok("weft", "cancel", job)
	run.wait()
}

// authors tells fields whose names are an author's, or those of what a failure is labelled with.
func authors(field string) bool {
	return strings.HasPrefix(field, "execution-config.user-config.") || strings.Contains(field, "failureLabels.")
}

// ofEmptyList tells fields of the elements of a list that has none: a Go process has no garbage collectors to list, a failure
// none that came with it.
func ofEmptyList(field string, got map[string]bool) bool {
	path, _, _ := strings.Cut(field, " ")
	for i := strings.Index(path, "[]"); i >= 0; {
		list := path[:i]
		if got[list+" array"] && !slices.ContainsFunc(slices.Collect(maps.Keys(got)), func(f string) bool { return strings.HasPrefix(f, list+"[]") }) {
			return true
		}
		next := strings.Index(path[i+2:], "[]")
		if next < 0 {
			return false
		}
		i += 2 + next
	}
	return false
}
