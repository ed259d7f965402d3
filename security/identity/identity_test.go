package identity_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/weft-project/weft/internal/fs"
	"github.com/weft-project/weft/internal/fs/local"
	hadoopconf "github.com/weft-project/weft/internal/hadoop/conf"
	"github.com/weft-project/weft/internal/hadoop/krb"
	"github.com/weft-project/weft/internal/hadoop/token"
	"github.com/weft-project/weft/security/identity"
)

// delegation is an HDFS token as a NameNode makes them.
func delegation(owner, realUser, service string, end time.Time) token.Token {
	b := []byte{0}
	for _, text := range []string{owner, "rm", realUser} {
		b = append(token.AppendVInt(b, int64(len(text))), text...)
	}
	for _, n := range []int64{end.Add(-time.Hour).UnixMilli(), end.UnixMilli(), 1, 2} {
		b = token.AppendVInt(b, n)
	}
	return token.Token{Kind: token.KindHDFSDelegation, Identifier: b, Service: service}
}

func credentials(tokens ...token.Token) *token.Credentials {
	c := &token.Credentials{}
	for _, t := range tokens {
		c.Add(t.Service, t)
	}
	return c
}

// environment is a secured cluster's, or not, with a krb5.conf and no ticket.
func environment(t *testing.T, secure bool, tokens *token.Credentials, pairs ...string) (*identity.Identity, error) {
	t.Helper()
	dir := t.TempDir()
	krb5 := filepath.Join(dir, "krb5.conf")
	if err := os.WriteFile(krb5, []byte("[libdefaults]\n default_realm = WEFT.TEST\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{krb.EnvCache: filepath.Join(dir, "none")}
	if tokens != nil {
		env[token.EnvFile] = filepath.Join(dir, "tokens")
		if err := tokens.WriteFile(env[token.EnvFile]); err != nil {
			t.Fatal(err)
		}
	}
	for i := 0; i < len(pairs); i += 2 {
		env[pairs[i]] = pairs[i+1]
	}
	conf := hadoopconf.New(nil)
	if secure {
		conf.Set("hadoop.security.authentication", "kerberos")
	}
	return identity.FromEnvironment(conf, identity.Source{Setting: func(string) string { return "" }, Getenv: func(k string) string { return env[k] }, Krb5Conf: krb5})
}

func TestFromEnvironment(t *testing.T) {
	end := time.Now().Add(time.Hour)
	own := credentials(delegation("owner@WEFT.TEST", "", "1.2.3.4:8020", end))
	acting := credentials(delegation("other", "gateway@WEFT.TEST", "1.2.3.4:8020", end))
	for name, c := range map[string]struct {
		secure                         bool
		tokens                         *token.Credentials
		env                            []string
		user, proxy, effective, ignore string
	}{
		"a name":                    {env: []string{identity.EnvUser, "ann"}, user: "ann", effective: "ann"},
		"a name acting for another": {env: []string{identity.EnvUser, "ann", identity.EnvProxyUser, "bob"}, user: "ann", proxy: "bob", effective: "bob"},
		"tokens":                    {secure: true, tokens: own, env: []string{identity.EnvUser, "ann"}, user: "owner", effective: "owner", ignore: "ann"},
		"tokens for another":        {secure: true, tokens: acting, env: []string{identity.EnvProxyUser, "other"}, user: "other", effective: "other"},
	} {
		who, err := environment(t, c.secure, c.tokens, c.env...)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if who.User != c.user || who.ProxyUser != c.proxy || who.Effective() != c.effective || who.Ignored != c.ignore || who.Login != nil || (who.NoLogin != nil) != c.secure {
			t.Errorf("%s: %+v", name, who)
		}
		if err := who.Check(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := environment(t, true, nil, krb.EnvPrincipal, "owner@WEFT.TEST")
	if login, away := identity.IsLogin(err); !errors.Is(err, krb.ErrNoTicket) || !login || away {
		t.Errorf("without anything: %v", err)
	}
	if login, _ := identity.IsLogin(errors.New("something else")); login {
		t.Error("any error is one of the log-in")
	}
}

// Stores are found in URIs and in settings that are lists of them.
func TestStores(t *testing.T) {
	got := identity.Stores("hdfs://a:8020", "hdfs://a:8020/user/x/.weft", "hdfs://b/in, hdfs://c:1/x;'hdfs://d/y'", "file:///tmp", "", "nightly count", "/x")
	if want := []string{"hdfs://a:8020", "hdfs://b", "hdfs://c:1", "hdfs://d"}; !slices.Equal(got, want) {
		t.Errorf("got %v, expected %v", got, want)
	}
}

func TestUpdatesAreHandedOn(t *testing.T) {
	first, second := delegation("o", "", "s", time.UnixMilli(1000)), delegation("o", "", "s", time.UnixMilli(2000))
	other := delegation("o", "", "t", time.UnixMilli(1500))
	who := identity.New("o", credentials(first, other))
	var told []*token.Credentials
	who.Follow(func(c *token.Credentials) { told = append(told, c) })
	who.Update(credentials(second))
	if len(told) != 2 || told[1] != who.Credentials() {
		t.Fatalf("told %d times", len(told))
	}
	if got, ok := told[1].Find(token.KindHDFSDelegation, "s"); !ok || !got.Equal(second) || told[1].Len() != 2 {
		t.Errorf("after the update: %v", told[1])
	}
	if got, _ := told[0].Find(token.KindHDFSDelegation, "s"); !got.Equal(first) {
		t.Error("what was handed on before has been changed")
	}
	if end, err := identity.Ends(who.Credentials(), token.KindHDFSDelegation); err != nil || !end.Equal(time.UnixMilli(1500)) {
		t.Errorf("end %v, %v", end, err)
	}
	if end, err := identity.Ends(nil, token.KindHDFSDelegation); err != nil || !end.IsZero() {
		t.Errorf("end of none: %v, %v", end, err)
	}
}

// issuer is a store that gives tokens.
type issuer struct {
	*local.FS
	uri  string
	have string
	err  error
}

func (s *issuer) URI() string { return s.uri }

func (s *issuer) SetCredentials(c *token.Credentials) bool {
	_, ok := c.Find(token.KindHDFSDelegation, s.have)
	return ok && s.have != ""
}

func (s *issuer) DelegationToken(_ context.Context, renewer string) (token.Token, error) {
	return token.Token{Kind: token.KindHDFSDelegation, Service: s.uri, Identifier: []byte(renewer)}, s.err
}

func (s *issuer) RenewDelegationToken(context.Context, token.Token) (time.Time, error) {
	return time.Time{}, nil
}

func TestCollect(t *testing.T) {
	files := fs.NewRegistry()
	away := errors.New("away")
	files.Register("hdfs", func(authority string) (fs.FileSystem, error) {
		s := &issuer{FS: local.New(), uri: "hdfs://" + authority}
		switch authority {
		case "known":
			s.have = "known"
		case "away":
			s.err = away
		}
		return s, nil
	})
	have := credentials(delegation("o", "", "known", time.Now()))
	var skipped []error
	held, err := identity.CollectAll(t.Context(), files, []string{"hdfs://a", "hdfs://known"}, []string{"hdfs://a", "hdfs://away", "hdfs://b"}, "rm", have,
		func(err error) { skipped = append(skipped, err) })
	if err != nil || len(held) != 2 || held[0].Service != "hdfs://a" || held[1].Service != "hdfs://b" || string(held[0].Identifier) != "rm" {
		t.Errorf("collected %v, %v", held, err)
	}
	if len(skipped) != 1 || !errors.Is(skipped[0], away) {
		t.Errorf("skipped %v", skipped)
	}
	if _, err := identity.CollectAll(t.Context(), files, []string{"hdfs://away"}, nil, "rm", have, nil); !errors.Is(err, away) {
		t.Errorf("a store that must have a token: %v", err)
	}
}
