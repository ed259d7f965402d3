package rest_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/weft-project/weft/rest"
	"github.com/weft-project/weft/rest/resttest"
)

// TestAuthMatrix: who may do what.
func TestAuthMatrix(t *testing.T) {
	job := resttest.RunningJob.String()
	paths := []struct{ method, path string }{
		{"GET", "/overview"}, {"HEAD", "/v1/jobs/overview"}, {"GET", "/"}, {"GET", "/nosuch"},
		{"PATCH", "/jobs/" + job}, {"DELETE", "/cluster"}, {"POST", "/v1/weft/jobs"}, {"GET", "/jobs/" + job + "/yarn-cancel"}, {"GET", "/v1/weft/jobs/" + job + "/watch"}, {"OPTIONS", "/overview"},
	}
	const reads = 4 // the first paths are for reading
	senders := []struct {
		name, peer, auth, cookie string
		mayRead, mayChange       bool
	}{
		{name: "nobody", peer: "10.0.0.9:1"},
		{name: "owner", peer: "10.0.0.9:1", auth: "Bearer " + token, mayRead: true, mayChange: true},
		{name: "owner, scheme in lower case", peer: "10.0.0.9:1", auth: "bearer " + token, mayRead: true, mayChange: true},
		{name: "token for reading", peer: "10.0.0.9:1", auth: "Bearer " + rest.ReadToken(token), mayRead: true},
		{name: "token for reading as password", peer: "10.0.0.9:1", auth: "Basic " + base64.StdEncoding.EncodeToString([]byte("any:"+rest.ReadToken(token)))},
		{name: "token for reading of another cluster", peer: "10.0.0.9:1", auth: "Bearer " + rest.ReadToken(strings.Repeat("0", 64))},
		{name: "wrong token", peer: "10.0.0.9:1", auth: "Bearer " + strings.Repeat("0", 64)},
		{name: "prefix of the token", peer: "10.0.0.9:1", auth: "Bearer " + token[:63]},
		{name: "empty token", peer: "10.0.0.9:1", auth: "Bearer "},
		{name: "browser with the token as password", peer: "10.0.0.9:1", auth: "Basic " + base64.StdEncoding.EncodeToString([]byte("any:"+token)), mayRead: true},
		{name: "browser with another password", peer: "10.0.0.9:1", auth: "Basic YW55OmJvZGdl"},
		{name: "another scheme", peer: "10.0.0.9:1", auth: "Negotiate abc"},
		{name: "proxy", peer: "10.0.0.1:4711", cookie: "proxy-user=dr.who", mayRead: true},
		{name: "proxy by name", peer: "10.0.0.2:4711", cookie: "proxy-user=dr.who", mayRead: true},
		{name: "proxy as IPv4 in IPv6", peer: "[::ffff:10.0.0.1]:4711", cookie: "proxy-user=dr.who", mayRead: true},
		{name: "proxy over IPv6", peer: "[fd00::2]:4711", cookie: "proxy-user=dr.who", mayRead: true},
		{name: "another user of the proxy's machine", peer: "10.0.0.1:4711"},
		{name: "an empty user at the proxy", peer: "10.0.0.1:4711", cookie: "proxy-user="},
		{name: "a user at the proxy whose name is cut", peer: "10.0.0.1:4711", cookie: "proxy-user=a%2"},
		{name: "the proxy's cookie from elsewhere", peer: "10.0.0.9:1", cookie: "proxy-user=dr.who"},
		{name: "proxy with a wrong token", peer: "10.0.0.1:4711", cookie: "proxy-user=dr.who", auth: "Bearer nonsense"},
		{name: "unreadable peer", peer: "pipe", cookie: "proxy-user=dr.who"},
	}
	lookup := func(_ context.Context, host string) ([]netip.Addr, error) {
		if host == "rm2" {
			return []netip.Addr{netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("fd00::2")}, nil
		}
		return nil, errors.New("no such host")
	}
	for _, s := range senders {
		b := resttest.Sample()
		h := newHandler(t, b, func(o *rest.Options) {
			o.ProxyHosts = []string{"10.0.0.1:8088", "rm2", "gone:8088", ""}
			o.Lookup = lookup
		})
		for i, p := range paths {
			r := httptest.NewRequest(p.method, p.path, nil)
			r.RemoteAddr = s.peer
			// What is not the peer's address is not believed.
			r.Header.Set("X-Forwarded-For", "10.0.0.1")
			if s.auth != "" {
				r.Header.Set("Authorization", s.auth)
			}
			if s.cookie != "" {
				r.Header.Set("Cookie", s.cookie)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			allowed := s.mayChange || (s.mayRead && i < reads)
			if refused := w.Code == 401; refused == allowed {
				t.Errorf("%s: %s %s: status %d: %s", s.name, p.method, p.path, w.Code, w.Body)
			}
			if w.Code == 401 && p.method != "HEAD" {
				if says := firstError(t, w.Body.Bytes()); !strings.Contains(says, "Authorization: Bearer") || strings.Contains(says, token) {
					t.Errorf("%s: %q", s.name, says)
				}
			}
		}
		if changed := len(b.Canceled()) > 0 || b.ShutdownAsked(); changed != s.mayChange {
			t.Errorf("%s: changed %v", s.name, changed)
		}
	}
}

func TestNoAuth(t *testing.T) {
	b := resttest.Sample()
	h := newHandler(t, b, func(o *rest.Options) { o.Token, o.NoAuth = "", true })
	cancel := placed("/jobs/:jobid")
	foreign := []map[string]string{
		{"Authorization": "", "Origin": "http://evil.example"},
		{"Authorization": "", "Sec-Fetch-Site": "cross-site"},
		{"Authorization": "", "Sec-Fetch-Site": "same-site"},
	}
	for _, header := range foreign {
		if a := ask(h, "PATCH", cancel, "", header); a.Code != 403 {
			t.Errorf("PATCH with %v: %d", header, a.Code)
		}
	}
	for _, header := range foreign[1:] {
		if a := ask(h, "GET", cancel+"/yarn-cancel", "", header); a.Code != 403 {
			t.Errorf("yarn-cancel with %v: %d", header, a.Code)
		}
	}
	if len(b.Canceled()) != 0 {
		t.Error("another site's page cancelled a job")
	}
	if a := ask(h, "PATCH", cancel, "", map[string]string{"Authorization": ""}); a.Code != 202 {
		t.Errorf("PATCH of a program: %d", a.Code)
	}
	if a := ask(h, "GET", "/overview", "", map[string]string{"Authorization": "", "Sec-Fetch-Site": "cross-site"}); a.Code != 200 {
		t.Errorf("reading: %d", a.Code)
	}
}

func TestTokenIsRequired(t *testing.T) {
	for _, short := range []string{"", "abc", strings.Repeat("a", 31)} {
		_, err := rest.NewServer(rest.Options{Backend: resttest.Sample(), Token: short, Log: quiet()})
		if err == nil || !strings.Contains(err.Error(), "security.rest.auth") {
			t.Errorf("token of %d characters: %v", len(short), err)
		}
	}
}

// TestProxyLookups: a stranger cannot make the server ask the resolver again and again.
func TestProxyLookups(t *testing.T) {
	asked := 0
	h := newHandler(t, resttest.Sample(), func(o *rest.Options) {
		o.ProxyHosts = []string{"rm"}
		o.Lookup = func(context.Context, string) ([]netip.Addr, error) {
			asked++
			return []netip.Addr{netip.MustParseAddr("10.0.0.1")}, nil
		}
	})
	for i := range 100 {
		r := httptest.NewRequest("GET", "/overview", nil)
		r.RemoteAddr = fmt.Sprintf("10.1.0.%d:99", i)
		r.Header.Set("Cookie", "proxy-user=x")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != 401 {
			t.Fatalf("stranger: %d", w.Code)
		}
	}
	if asked != 1 {
		t.Errorf("the resolver was asked %d times", asked)
	}
}
