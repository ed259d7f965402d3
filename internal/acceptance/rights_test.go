//go:build realhadoop

package acceptance

import (
	"path/filepath"
	"strings"
	"testing"
)

// Whom the owner names in yarn.view.acls may look at the page behind YARN's proxy, others may not, and nobody changes anything
// there. This test plays the proxy, which is at 127.0.0.1, and names users as it does.
func TestRightsThroughTheProxy(t *testing.T) {
	u := newUser(t)
	app := u.session("-jm", "768", "-tm", "1024", "-s", "1", "-D", "yarn.view.acls=viewer etl", "-D", "yarn.modify.acls=modifier")
	run, job := u.running(app, u.out("counts"), "-p", "1")
	direct, proxy := "http://"+u.address(app), newCaller(t, "127.0.0.1")
	for name, status := range map[string]int{filepath.Base(u.hdfs): 200, "viewer": 200, "modifier": 200, "other": 403, "viewer2": 403, "dr.who": 403} {
		cookie := []string{"Cookie", "proxy-user=" + name}
		for _, path := range []string{"/", "/jobs/overview", "/jobs/" + job, "/jobmanager/log", "/ui/config"} {
			got, body := proxy.ask("GET", direct+path, cookie...)
			if got != status {
				t.Errorf("GET %s for %s: status %d, expected %d: %.300s", path, name, got, status, body)
			}
			if status == 403 && (strings.Contains(body, job) || !strings.Contains(body, "yarn.view.acls")) {
				t.Errorf("GET %s for %s: %.300s", path, name, body)
			}
		}
		for _, change := range [][2]string{{"PATCH", "/jobs/" + job + "?mode=cancel"}, {"GET", "/jobs/" + job + "/yarn-cancel"}, {"DELETE", "/cluster"}, {"POST", "/weft/jobs"}} {
			if got, body := proxy.ask(change[0], direct+change[1], cookie...); got != 401 && got != 403 {
				t.Errorf("%s %s for %s: status %d: %.300s", change[0], change[1], name, got, body)
			}
		}
	}
	// The real proxy of a cluster without Kerberos knows everybody as dr.who, whom the owner has not named.
	a, err := u.c.App(t.Context(), app)
	if err != nil {
		t.Fatal(err)
	}
	if status, body := proxy.ask("GET", strings.TrimSuffix(a.TrackingURL, "/")+"/jobs/overview"); status != 403 || strings.Contains(body, job) {
		t.Errorf("through the ResourceManager: status %d: %.300s", status, body)
	}
	// Somebody else on the client's side has neither the token nor a way to it.
	other := newUser(t)
	other.fails(3, []string{"only its owner can use it"}, "weft", "list", "-yid", app)
	other.fails(3, []string{"only its owner can use it"}, "weft", "cancel", "-yid", app, job)
	if state := u.state(u.api(app), job); state != "RUNNING" {
		t.Errorf("the job is %s after all that", state)
	}
	u.ok("weft", "cancel", "-yid", app, job)
	run.wait()
}
