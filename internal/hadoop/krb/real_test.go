//go:build realhadoop

package krb_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weft-project/weft/internal/delay"
	"github.com/weft-project/weft/internal/devcluster"
	"github.com/weft-project/weft/internal/hadoop/krb"
)

func principal(t *testing.T, name string) krb.Principal {
	t.Helper()
	p, err := krb.ParsePrincipal(name, "")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// env is an environment of its own for each login.
func env(c *devcluster.Cluster, pairs ...string) func(string) string {
	m := map[string]string{"KRB5_CONFIG": c.Krb5Conf()}
	for i := 0; i+1 < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	return func(k string) string { return m[k] }
}

// fails checks that an error is of a kind and is one sentence with all the given words.
func fails(t *testing.T, err, kind error, words ...string) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Fatalf("error %v, expected %v", err, kind)
	}
	t.Log(err)
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%q lacks %q", err, w)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("%q is more than a line", err)
	}
}

// login opens a login and gets a ticket for the NameNode.
func login(ctx context.Context, t *testing.T, o krb.Options) (*krb.Login, error) {
	t.Helper()
	l, err := krb.Open(o)
	if err != nil {
		return nil, err
	}
	_, err = l.Ticket(ctx, principal(t, "nn/localhost@"+devcluster.Realm))
	return l, err
}

// TestRealKDC logs in at MIT's KDC in every way, right and wrong.
func TestRealKDC(t *testing.T) {
	c := devcluster.Private(t, devcluster.Options{KDCOnly: true, Kerberos: &devcluster.Kerberos{SecondRealm: true}})
	ctx, stop := context.WithTimeout(t.Context(), 3*time.Minute)
	defer stop()
	owner := c.Principal(devcluster.Owner)
	keytab := krb.Options{Keytab: c.Keytab(devcluster.Owner), Principal: owner, Getenv: env(c)}

	t.Run("key table", func(t *testing.T) {
		l, err := login(ctx, t, keytab)
		if err != nil {
			t.Fatal(err)
		}
		until, err := l.Check(ctx)
		if err != nil || time.Until(until) < time.Hour || l.Principal().String() != owner || !l.FromKeytab() {
			t.Errorf("%v until %v, %v", l.Principal(), until, err)
		}
		if user, err := l.User(func(string) string { return "" }); err != nil || user != devcluster.Owner {
			t.Errorf("user %q, %v", user, err)
		}
	})
	t.Run("ticket caches", func(t *testing.T) {
		dir := t.TempDir()
		for _, cache := range []string{"FILE:" + filepath.Join(dir, "cc"), "DIR:" + filepath.Join(dir, "ccs")} {
			if err := os.MkdirAll(filepath.Join(dir, "ccs"), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := c.Login(ctx, devcluster.Owner, cache); err != nil {
				t.Fatal(err)
			}
			l, err := login(ctx, t, krb.Options{Getenv: env(c, krb.EnvCache, cache)})
			if err != nil || l.Principal().String() != owner || l.FromKeytab() {
				t.Fatalf("%s: %v", cache, err)
			}
		}
		// Two caches in one directory; the one that is asked for counts.
		if err := c.Login(ctx, devcluster.Other, "DIR::"+filepath.Join(dir, "ccs", "tktother")); err != nil {
			t.Fatal(err)
		}
		l, err := login(ctx, t, krb.Options{Principal: "other", Getenv: env(c, krb.EnvCache, "DIR:"+filepath.Join(dir, "ccs"))})
		if err != nil || l.Principal().String() != c.Principal(devcluster.Other) {
			t.Error(err)
		}
		_, err = krb.Open(krb.Options{Principal: "other", Getenv: env(c, krb.EnvCache, filepath.Join(dir, "cc"))})
		fails(t, err, krb.ErrNoTicket, "other@WEFT.TEST", "that of owner@WEFT.TEST", "kinit")
	})
	t.Run("renewal", func(t *testing.T) { renewal(ctx, t, c) })
	t.Run("another realm", func(t *testing.T) {
		l, err := login(ctx, t, krb.Options{Keytab: c.Keytab(devcluster.Guest), Principal: c.Principal(devcluster.Guest), Getenv: env(c)})
		if err != nil {
			t.Fatal(err)
		}
		_, err = l.Ticket(ctx, principal(t, "nn/localhost@NOWHERE.TEST"))
		fails(t, err, krb.ErrRefused, "krbtgt/NOWHERE.TEST", "guest@PARTNER.TEST")
	})
	t.Run("HTTP", func(t *testing.T) { overHTTP(ctx, t, c, keytab) })
	t.Run("errors", func(t *testing.T) { refusals(ctx, t, c, keytab) })
	t.Run("KDC down", func(t *testing.T) {
		l, err := login(ctx, t, keytab)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.KillDaemon("kdc"); err != nil {
			t.Fatal(err)
		}
		_, err = login(ctx, t, keytab)
		fails(t, err, krb.ErrUnreachable, c.KDC(), owner, devcluster.Realm)
		if _, err := l.Ticket(ctx, principal(t, "nn/localhost@"+devcluster.Realm)); err != nil {
			t.Errorf("a ticket in memory: %v", err)
		}
		_, err = l.Ticket(ctx, principal(t, "rm/localhost@"+devcluster.Realm))
		fails(t, err, krb.ErrUnreachable, c.KDC(), owner)
		if err := c.StartDaemon(ctx, "kdc"); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Ticket(ctx, principal(t, "rm/localhost@"+devcluster.Realm)); err != nil {
			t.Errorf("after the KDC's return: %v", err)
		}
	})
}

// renewal lets the clock of the login run ahead: the KDC's own is real, so steps stay below the skew that it allows.
func renewal(ctx context.Context, t *testing.T, c *devcluster.Cluster) {
	cache := filepath.Join(t.TempDir(), "cc")
	if err := c.Login(ctx, devcluster.Owner, cache, "-l", "290s", "-r", "30m"); err != nil {
		t.Fatal(err)
	}
	ahead := time.Duration(0)
	clock := func() time.Time { return time.Now().Add(ahead) }
	l, err := login(ctx, t, krb.Options{Getenv: env(c, krb.EnvCache, cache), Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	before, err := l.Check(ctx)
	if err != nil {
		t.Fatal(err)
	}
	// The KDC's clock has moved on by less, so that at first it renews for no more time than was left.
	ahead = 4 * time.Minute
	after := before
	for ; err == nil && !after.After(before); err = firstError(err, delay.For(ctx, 100*time.Millisecond)) {
		after, err = l.Check(ctx)
	}
	if err != nil {
		t.Errorf("the ticket lasts until %v, after renewal until %v, %v", before, after, err)
	}
	// Neither renewable nor in time: kinit's next ticket is found.
	ahead = time.Hour
	_, err = l.Check(ctx)
	fails(t, err, krb.ErrExpired, "owner@WEFT.TEST", cache, "kinit")
	if err := c.Login(ctx, devcluster.Owner, cache); err != nil {
		t.Fatal(err)
	}
	if again, err := l.Check(ctx); err != nil || !again.After(after) {
		t.Errorf("until %v, %v", again, err)
	}
}

func firstError(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// overHTTP is who by a server's HTTP principal: its own realm's user, one of another realm, and none twice.
func overHTTP(ctx context.Context, t *testing.T, c *devcluster.Cluster, owner krb.Options) {
	rules, err := krb.ParseRules("RULE:[1:$1@$0](.*@PARTNER.TEST)s/@.*/-partner/ DEFAULT", "", devcluster.Realm)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := krb.NewAcceptor(c.Keytab(devcluster.Owner), "", rules); !errors.Is(err, krb.ErrKeytab) {
		t.Errorf("a key table without an HTTP principal: %v", err)
	}
	acceptor, err := krb.NewAcceptor(c.Keytab("services"), "", rules)
	if err != nil {
		t.Fatal(err)
	}
	header := func(o krb.Options, host string) string {
		l, err := krb.Open(o)
		if err != nil {
			t.Fatal(err)
		}
		h, err := l.Authorization(ctx, host)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	identify := func(h string) (string, string, error) {
		r, w := httptest.NewRequest(http.MethodGet, "/", nil), httptest.NewRecorder()
		r.Header.Set("Authorization", h)
		user, err := acceptor.Identify(w, r)
		return user, w.Header().Get("WWW-Authenticate"), err
	}
	guest := krb.Options{Keytab: c.Keytab(devcluster.Guest), Principal: c.Principal(devcluster.Guest), Getenv: env(c)}
	for want, o := range map[string]krb.Options{"owner": owner, "guest-partner": guest} {
		h := header(o, "localhost")
		if user, answer, err := identify(h); err != nil || user != want || !strings.HasPrefix(answer, "Negotiate ") {
			t.Errorf("%q, %q, %v, expected %s", user, answer, err, want)
		}
		if user, _, err := identify(h); err == nil || !strings.Contains(err.Error(), "came before") {
			t.Errorf("the same request again: %q, %v", user, err)
		}
	}
	good := header(owner, "localhost")
	raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(good, "Negotiate "))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(raw); i += 7 {
		bad := bytes.Clone(raw)
		bad[i] ^= 0x41
		if who, err := acceptor.Accept(bad); err == nil && who.String() != c.Principal(devcluster.Owner) {
			t.Errorf("byte %d changed: %v", i, who)
		}
		if who, err := acceptor.Accept(raw[:i]); err == nil {
			t.Errorf("cut at %d: %v", i, who)
		}
	}
	for _, bad := range []string{"", "Basic abc", "Negotiate", "Negotiate !", "Negotiate " + base64.StdEncoding.EncodeToString([]byte("NTLMSSP\x00x"))} {
		if user, _, err := identify(bad); err == nil {
			t.Errorf("%q: %s", bad, user)
		}
	}
}

// refusals are the errors that users meet.
func refusals(ctx context.Context, t *testing.T, c *devcluster.Cluster, keytab krb.Options) {
	none := filepath.Join(t.TempDir(), "none")
	_, err := krb.Open(krb.Options{Getenv: env(c, krb.EnvCache, none)})
	fails(t, err, krb.ErrNoTicket, none, "@WEFT.TEST", "kinit")
	for _, kind := range []string{"KEYRING:persistent:0", "KCM:0", "API:x", "MEMORY:x"} {
		_, err = krb.Open(krb.Options{Principal: "owner", Getenv: env(c, krb.EnvCache, kind)})
		fails(t, err, krb.ErrNoTicket, kind, "export KRB5CCNAME=FILE:/tmp/krb5cc_$(id -u)", "kinit", "owner@WEFT.TEST")
	}
	wrong := keytab
	wrong.Keytab = c.Keytab(devcluster.Other)
	_, err = krb.Open(wrong)
	fails(t, err, krb.ErrKeytab, "owner@WEFT.TEST", wrong.Keytab, "other@WEFT.TEST", krb.KeyKeytab)
	wrong.Keytab = none
	_, err = krb.Open(wrong)
	fails(t, err, krb.ErrKeytab, "owner@WEFT.TEST", none)
	ahead := keytab
	ahead.Now = func() time.Time { return time.Now().Add(10 * time.Minute) }
	_, err = login(ctx, t, ahead)
	fails(t, err, krb.ErrSkew, "10.0 minutes ahead", "owner@WEFT.TEST")
	l, err := login(ctx, t, keytab)
	if err != nil {
		t.Fatal(err)
	}
	_, err = l.Ticket(ctx, principal(t, "nn/elsewhere@"+devcluster.Realm))
	fails(t, err, krb.ErrRefused, "nn/elsewhere", "owner@WEFT.TEST")
	// A key that was changed at the KDC, last: the key table is of no more use.
	if err := c.Kadmin(ctx, devcluster.Realm, "cpw", "-randkey", devcluster.Other); err != nil {
		t.Fatal(err)
	}
	_, err = login(ctx, t, krb.Options{Keytab: c.Keytab(devcluster.Other), Principal: "other", Getenv: env(c)})
	fails(t, err, krb.ErrKeytab, "other@WEFT.TEST", "make the key table anew")
	if err := c.Kadmin(ctx, devcluster.Realm, "delprinc", "-force", devcluster.Gateway); err != nil {
		t.Fatal(err)
	}
	_, err = login(ctx, t, krb.Options{Keytab: c.Keytab(devcluster.Gateway), Principal: "gateway", Getenv: env(c)})
	fails(t, err, krb.ErrRefused, "gateway@WEFT.TEST", "does not know")
}
