//go:build realhadoop && long

package yarntest_test

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weft-project/weft/internal/devcluster"
	"github.com/weft-project/weft/internal/fs"
	"github.com/weft-project/weft/internal/fs/hdfs"
	hadoopconf "github.com/weft-project/weft/internal/hadoop/conf"
	"github.com/weft-project/weft/internal/hadoop/krb"
	"github.com/weft-project/weft/internal/hadoop/rpc"
	"github.com/weft-project/weft/internal/hadoop/token"
	"github.com/weft-project/weft/yarnrpc"
	"github.com/weft-project/weft/yarnrpc/yarntest"
)

// loginFrom is a login from a ticket cache that kinit made.
func loginFrom(t *testing.T, c *devcluster.Cluster, user string) (login *krb.Login, cache string) {
	t.Helper()
	cache = filepath.Join(t.TempDir(), "cache")
	if err := c.Login(t.Context(), user, cache); err != nil {
		t.Fatal(err)
	}
	vars := map[string]string{krb.EnvConfig: c.Krb5Conf(), krb.EnvCache: cache}
	login, err := krb.Open(krb.Options{Getenv: func(k string) string { return vars[k] }})
	if err != nil {
		t.Fatal(err)
	}
	return login, cache
}

// TestKerberos runs an application on a secured cluster: its owner comes with a ticket, everything after the submission happens
// by tokens, and another user may neither see nor end it.
func TestKerberos(t *testing.T) {
	c := devcluster.Private(t, devcluster.Options{NodeManagers: 1, Kerberos: &devcluster.Kerberos{}, Conf: map[string]map[string]string{
		"hdfs-site.xml": {"dfs.encrypt.data.transfer": "true", "dfs.encrypt.data.transfer.cipher.suites": "AES/CTR/NoPadding"}}})
	conf := load(t, c)
	ctx := within(t, 6*time.Minute)
	login, cache := loginFrom(t, c, devcluster.Owner)
	rm := newRM(t, conf, yarnrpc.Options{User: devcluster.Owner, Kerberos: login})

	renewer, err := yarnrpc.Renewer(conf)
	if err != nil || renewer != "rm/localhost@WEFT.TEST" {
		t.Fatal(renewer, err)
	}
	store, err := hdfs.New(conf, "", hdfs.Options{Kerberos: login})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	creds := &token.Credentials{}
	forHDFS, err := store.(*hdfs.FS).DelegationToken(ctx, renewer)
	if err != nil {
		t.Fatal(err)
	}
	creds.Add(forHDFS.Service, forHDFS)
	forRM, err := rm.DelegationToken(ctx, renewer)
	if err != nil {
		t.Fatal(err)
	}
	if d, err := forRM.Delegation(); err != nil || !strings.HasPrefix(d.Owner, devcluster.Owner) || time.Until(d.Max) < 24*time.Hour || forRM.Service == "" {
		t.Errorf("%v: %+v, %v", forRM, d, err)
	}
	creds.Add(forRM.Service, forRM)

	a := app(t, conf, "-containers", "1", "-command", "echo here")
	a.Credentials = creds
	r, err := yarntest.Submit(ctx, rm, a)
	if err != nil {
		t.Fatal(err)
	}
	logs(t, c, r.ID)
	webKnows(t, c, login)
	// From here on there is no ticket.
	if err := os.Remove(cache); err != nil {
		t.Fatal(err)
	}
	byToken := newRM(t, conf, yarnrpc.Options{User: "nobody", Credentials: creds})
	r, err = yarntest.Wait(ctx, byToken, r.ID, 50*time.Millisecond, state(yarnrpc.StateFinished))
	if err != nil {
		t.Fatal(err)
	}
	if r.Final != yarnrpc.FinalSucceeded || r.User != devcluster.Owner {
		t.Errorf("%+v", r)
	}
	tokenWasUsed(t, c)
	encrypted(t, conf, creds)
	page := seen(t)
	idle := app(t, conf, "-tracking", page)
	idle.Credentials = creds
	if r, err = yarntest.Submit(ctx, byToken, idle); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = byToken.Kill(ctx, r.ID, "") }()
	if _, err := yarntest.Wait(ctx, byToken, r.ID, 50*time.Millisecond, state(yarnrpc.StateRunning)); err != nil {
		t.Fatal(err)
	}
	// YARN's proxy names the user and comes from an address of its own.
	var got []string
	if err := c.RMGet(ctx, "/proxy/"+r.ID.String()+"/", &got); err != nil || len(got) != 2 || got[0] != "127.0.0.2" || got[1] != "hdfs" {
		t.Errorf("the page was asked from %v, %v; expected 127.0.0.2 and hdfs", got, err)
	}
	strangers(t, c, r.ID)
	if err := byToken.Kill(ctx, r.ID, "by its owner"); err != nil {
		t.Error(err)
	}
	if _, err := byToken.DelegationToken(ctx, renewer); err == nil {
		t.Error("a token was given for a token")
	}
}

// webKnows asks the ResourceManager's web server as a user, and as nobody.
func webKnows(t *testing.T, c *devcluster.Cluster, login *krb.Login) {
	t.Helper()
	header, err := login.Authorization(t.Context(), "127.0.0.2")
	if err != nil {
		t.Fatal(err)
	}
	for h, want := range map[string]int{header: http.StatusOK, "": http.StatusUnauthorized} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+c.RMWeb()+"/ws/v1/cluster/info", nil)
		if err != nil {
			t.Fatal(err)
		}
		if h != "" {
			req.Header.Set("Authorization", h)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("the ResourceManager's web server answers %s, expected %d", resp.Status, want)
		}
	}
}

// tokenWasUsed looks into the ResourceManager's log.
func tokenWasUsed(t *testing.T, c *devcluster.Cluster) {
	t.Helper()
	log, err := os.ReadFile(c.DaemonLog("resourcemanager"))
	if err != nil {
		t.Fatal(err)
	}
	if want := "Auth successful for owner@WEFT.TEST (auth:TOKEN)"; !strings.Contains(string(log), want) {
		t.Errorf("the ResourceManager's log has no %q", want)
	}
}

// encrypted writes and reads a file whose blocks travel with the NameNode's key, by token.
func encrypted(t *testing.T, conf *hadoopconf.Conf, creds *token.Credentials) {
	t.Helper()
	store, err := hdfs.New(conf, "", hdfs.Options{User: devcluster.Owner, Credentials: creds})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	want := strings.Repeat("some words ", 100_000)
	w, err := store.Create(t.Context(), "/user/owner/encrypted", fs.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.WriteString(w, want)
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	r, err := store.Open(t.Context(), "/user/owner/encrypted")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got, err := io.ReadAll(r); err != nil || string(got) != want {
		t.Errorf("read %d bytes, %v", len(got), err)
	}
}

// seen is a page that says from where, and for whom, it was asked.
func seen(t *testing.T) string {
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, err := r.Cookie("proxy-user")
		if err != nil {
			user = &http.Cookie{}
		}
		host, _, _ := net.SplitHostPort(r.RemoteAddr) // an address of another form fails the test
		_ = json.NewEncoder(w).Encode([]string{host, user.Value})
	}))
	t.Cleanup(page.Close)
	return page.URL
}

// strangers are another user, one who has only somebody else's name, and a token that was cancelled.
func strangers(t *testing.T, c *devcluster.Cluster, id yarnrpc.ApplicationID) {
	ctx, conf := within(t, 3*time.Minute), load(t, c)
	login, _ := loginFrom(t, c, devcluster.Other)
	other := newRM(t, conf, yarnrpc.Options{User: devcluster.Other, Kerberos: login})
	if err := other.Kill(ctx, id, ""); !errors.Is(err, rpc.ErrAccessControl) {
		t.Errorf("kill by another user: %v", err)
	}
	if r, err := other.Report(ctx, id); err != nil || r.OriginalTrackingURL != "" && r.OriginalTrackingURL != "N/A" {
		t.Errorf("another user sees %+v, %v", r, err)
	}
	none := newRM(t, conf, yarnrpc.Options{User: devcluster.Owner, Retry: &rpc.Retry{}})
	if _, err := none.Report(ctx, id); !errors.Is(err, rpc.ErrHandshake) {
		t.Errorf("without a ticket: %v", err)
	}
	tok, err := other.DelegationToken(ctx, devcluster.Other)
	if err != nil {
		t.Fatal(err)
	}
	if until, err := other.RenewDelegationToken(ctx, tok); err != nil || time.Until(until) < time.Hour {
		t.Errorf("renewed until %v, %v", until, err)
	}
	if err := other.CancelDelegationToken(ctx, tok); err != nil {
		t.Fatal(err)
	}
	creds := &token.Credentials{}
	creds.Add(tok.Service, tok)
	late := newRM(t, conf, yarnrpc.Options{User: devcluster.Other, Credentials: creds, Retry: &rpc.Retry{}})
	if _, err := late.Report(ctx, id); !errors.Is(err, rpc.ErrInvalidToken) {
		t.Errorf("with a cancelled token: %v", err)
	}
}
