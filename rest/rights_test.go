package rest_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/weft-project/weft/rest"
	"github.com/weft-project/weft/rest/resttest"
)

// rights are those of a few users; "unknown" is one whose rights cannot be found out.
type rights map[string]rest.Rights

func (r rights) Rights(_ context.Context, user string) (rest.Rights, error) {
	if user == "unknown" {
		return rest.Rights{View: true, Modify: true}, errors.New("the NameNode is away")
	}
	return r[user], nil
}

// badge stands in for SPNEGO: it believes a name with a stamp.
type badge struct{}

func (badge) Scheme() string { return "Negotiate" }

func (badge) Identify(_ http.ResponseWriter, r *http.Request) (string, error) {
	_, value, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	user, ok := strings.CutSuffix(value, "-stamped")
	if !ok || user == "" {
		return "", errors.New("the ticket is not for this service")
	}
	return user, nil
}

// Rights are looked up for each user that proxy or identifier names: who may not view sees nothing, who may not modify changes
// nothing, and through the proxy nobody changes anything.
func TestRights(t *testing.T) {
	job := resttest.RunningJob.String()
	reads := [][2]string{{"GET", "/overview"}, {"GET", "/v1/jobs/overview"}, {"GET", "/"}, {"GET", "/jobs/" + job + "/exceptions"}, {"GET", "/jobmanager/config"}, {"GET", "/nosuch"}}
	changes := [][2]string{{"PATCH", "/jobs/" + job}, {"DELETE", "/cluster"}, {"POST", "/v1/weft/jobs"}, {"POST", "/jobs/" + job + "/savepoints"}, {"POST", "/jobs/" + job + "/stop"},
		{"POST", "/savepoint-disposal"}, {"GET", "/jobs/" + job + "/yarn-cancel"}, {"GET", "/weft/jobs/" + job + "/watch"}}
	table := rights{"viewer": {View: true}, `dom\viewer`: {View: true}, "modifier": {Modify: true}, "both": {View: true, Modify: true}}
	for _, s := range []struct {
		name, peer, auth, cookie string
		read, change             int // the status of refusals; 0 where it is allowed
		says                     string
	}{
		{name: "owner", peer: "10.0.0.9:1", auth: "Bearer " + token},
		{name: "viewer through the proxy", peer: "10.0.0.1:1", cookie: "proxy-user=viewer", change: 401},
		{name: "viewer whose name is written as in a URL", peer: "10.0.0.1:1", cookie: "proxy-user=dom%5Cviewer", change: 401},
		{name: "modifier through the proxy", peer: "10.0.0.1:1", cookie: "proxy-user=both", change: 401},
		{name: "other through the proxy", peer: "10.0.0.1:1", cookie: "proxy-user=other", read: 403, change: 401, says: `user "other" may not see this application`},
		{name: "unknown through the proxy", peer: "10.0.0.1:1", cookie: "proxy-user=unknown", read: 503, change: 401, says: "the NameNode is away"},
		{name: "viewer with the proxy's cookie from elsewhere", peer: "10.0.0.9:1", cookie: "proxy-user=viewer", read: 401, change: 401},
		{name: "viewer", peer: "10.0.0.9:1", auth: "Negotiate viewer-stamped", change: 403, says: "yarn.modify.acls"},
		{name: "modifier", peer: "10.0.0.9:1", auth: "negotiate modifier-stamped"},
		{name: "other", peer: "10.0.0.9:1", auth: "Negotiate other-stamped", read: 403, change: 403, says: "yarn.view.acls"},
		{name: "unknown", peer: "10.0.0.9:1", auth: "Negotiate unknown-stamped", read: 503, change: 503},
		{name: "a forged ticket", peer: "10.0.0.9:1", auth: "Negotiate both", read: 401, change: 401, says: "not for this service"},
		{name: "a ticket beside a cookie", peer: "10.0.0.1:1", auth: "Negotiate other-stamped", cookie: "proxy-user=both", read: 403, change: 403},
	} {
		for _, change := range []bool{false, true} {
			b := resttest.Sample()
			h := newHandler(t, b, func(o *rest.Options) {
				o.ProxyHosts, o.Authoriser, o.Identifier = []string{"10.0.0.1"}, table, badge{}
			})
			paths, want := reads, s.read
			if change {
				paths, want = changes, s.change
			}
			for _, p := range paths {
				r := httptest.NewRequest(p[0], p[1], nil)
				r.RemoteAddr = s.peer
				r.Header.Set("X-Forwarded-For", "10.0.0.1")
				if s.auth != "" {
					r.Header.Set("Authorization", s.auth)
				}
				if s.cookie != "" {
					r.Header.Set("Cookie", s.cookie)
				}
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				if change && want == 0 && strings.HasSuffix(p[1], "/yarn-cancel") && strings.HasPrefix(s.auth, "negotiate") {
					// A browser could have been made to send it, ticket and all.
					if says := firstError(t, w.Body.Bytes()); w.Code != 403 || !strings.Contains(says, "send PATCH /jobs/"+job) {
						t.Errorf("%s: %s: status %d: %s", s.name, p[1], w.Code, says)
					}
					continue
				}
				refused := w.Code == 401 || w.Code == 403 || w.Code == 503
				// What could be read by nobody is refused before it is known that it would change something.
				ok := w.Code == want || change && p[0] == "GET" && s.read != 0 && w.Code == s.read
				if want == 0 && refused || want != 0 && !ok {
					t.Errorf("%s: %s %s: status %d, expected %d: %s", s.name, p[0], p[1], w.Code, want, w.Body)
				}
				if w.Code == want && want != 0 && change == (s.read == 0) && !strings.Contains(firstError(t, w.Body.Bytes()), s.says) {
					t.Errorf("%s: %s %s: %q is not in %s", s.name, p[0], p[1], s.says, w.Body)
				}
				if w.Code == 401 && s.cookie == "" && !strings.Contains(strings.Join(w.Header().Values("WWW-Authenticate"), " "), "Negotiate") {
					t.Errorf("%s: %s %s: no offer to negotiate: %v", s.name, p[0], p[1], w.Header())
				}
			}
			if changed := len(b.Canceled()) > 0 || b.ShutdownAsked(); changed != (change && s.change == 0) {
				t.Errorf("%s: changed %v", s.name, changed)
			}
		}
	}
}
