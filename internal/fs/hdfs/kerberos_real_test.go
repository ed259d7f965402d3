//go:build realhadoop && long

package hdfs_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
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
)

// TestKerberos writes and reads on secured clusters, one for each level of protection.
func TestKerberos(t *testing.T) {
	for _, level := range []string{devcluster.ProtectionAuthentication, devcluster.ProtectionIntegrity, devcluster.ProtectionPrivacy} {
		t.Run(level, func(t *testing.T) {
			c := devcluster.Private(t, devcluster.Options{HDFSOnly: true, Kerberos: &devcluster.Kerberos{Protection: level, SecondRealm: true}})
			ctx, stop := context.WithTimeout(t.Context(), 6*time.Minute)
			defer stop()
			owner := openStore(t, c, hdfs.Options{Kerberos: loginAs(t, c, devcluster.Owner)})
			if owner.Home() != "/user/owner" {
				t.Errorf("home %s", owner.Home())
			}
			roundTrip(ctx, t, owner, "/user/owner/file")
			byToken(ctx, t, c, owner.(*hdfs.FS))
			if level == devcluster.ProtectionPrivacy {
				whoMayWhat(ctx, t, c)
			}
		})
	}
}

// byToken does everything with nothing but a token file.
func byToken(ctx context.Context, t *testing.T, c *devcluster.Cluster, owner *hdfs.FS) {
	tok, err := owner.DelegationToken(ctx, devcluster.Owner)
	if err != nil {
		t.Fatal(err)
	}
	d, err := tok.Delegation()
	if err != nil || d.Owner != "owner@WEFT.TEST" || d.Renewer != devcluster.Owner || time.Until(d.Max) < 6*24*time.Hour {
		t.Fatalf("token %+v, %v", d, err)
	}
	creds := &token.Credentials{}
	creds.Add(tok.Service, tok)
	file := filepath.Join(t.TempDir(), "tokens")
	must(t, creds.WriteFile(file))
	read, err := token.FromEnv(func(k string) string { return map[string]string{token.EnvFile: file}[k] })
	if err != nil {
		t.Fatal(err)
	}
	store := openStore(t, c, hdfs.Options{User: devcluster.Owner, Credentials: read})
	roundTrip(ctx, t, store, "/user/owner/by-token")
	st, err := store.Stat(ctx, "/user/owner/by-token")
	if err != nil || st.Owner != devcluster.Owner {
		t.Errorf("owner %q, %v", st.Owner, err)
	}
	audited(t, c, "ugi=owner@WEFT.TEST (auth:TOKEN)", "cmd=create", "src=/user/owner/by-token")
	if _, err := store.(*hdfs.FS).DelegationToken(ctx, devcluster.Owner); err == nil {
		t.Error("a token was given for a token")
	}
	until, err := owner.RenewDelegationToken(ctx, tok)
	if err != nil || time.Until(until) < 23*time.Hour {
		t.Errorf("renewed until %v, %v", until, err)
	}
	must(t, owner.CancelDelegationToken(ctx, tok))
	// The connection that is open already lives on; a new store must not get in.
	_, err = openStore(t, c, hdfs.Options{User: devcluster.Owner, Credentials: read}).Stat(ctx, "/user/owner")
	if !errors.Is(err, rpc.ErrInvalidToken) {
		t.Errorf("with a cancelled token: %v", err)
	}
	t.Log(err)
	// A running process gets the next token without a restart.
	next, err := owner.DelegationToken(ctx, devcluster.Owner)
	if err != nil {
		t.Fatal(err)
	}
	creds.Add(next.Service, next)
	if !store.(*hdfs.FS).SetCredentials(creds) {
		t.Error("the next token was not taken")
	}
	if _, err := store.Stat(ctx, "/user/owner"); err != nil {
		t.Errorf("with the next token: %v", err)
	}
}

// audited checks the NameNode's log for a line with all the words.
func audited(t *testing.T, c *devcluster.Cluster, words ...string) {
	t.Helper()
	log, err := os.ReadFile(c.DaemonLog("namenode"))
	if err != nil {
		t.Fatal(err)
	}
lines:
	for line := range strings.SplitSeq(string(log), "\n") {
		for _, w := range words {
			if !strings.Contains(line, w) {
				continue lines
			}
		}
		return
	}
	t.Errorf("the audit log has no line with %q", words)
}

// whoMayWhat checks identities: other users, other realms, acting for others, and servers that are not the configured ones.
func whoMayWhat(ctx context.Context, t *testing.T, c *devcluster.Cluster) {
	other := openStore(t, c, hdfs.Options{Kerberos: loginAs(t, c, devcluster.Other)})
	if _, err := other.Stat(ctx, "/user/owner/file"); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("another user: %v", err)
	}
	guest := openStore(t, c, hdfs.Options{User: devcluster.Guest, Kerberos: loginAs(t, c, devcluster.Guest)})
	roundTrip(ctx, t, guest, "/user/guest/file")
	gateway := openStore(t, c, hdfs.Options{User: devcluster.Gateway, ProxyUser: devcluster.Other, Kerberos: loginAs(t, c, devcluster.Gateway)})
	roundTrip(ctx, t, gateway, gateway.Home()+"/file")
	audited(t, c, "ugi=other (auth:PROXY) via gateway@WEFT.TEST (auth:KERBEROS)", "cmd=create", "src=/user/other/file")
	tok, err := gateway.(*hdfs.FS).DelegationToken(ctx, devcluster.Gateway)
	if err != nil {
		t.Fatal(err)
	}
	if d, err := tok.Delegation(); err != nil || d.Owner != devcluster.Other || d.RealUser != "gateway@WEFT.TEST" {
		t.Errorf("token %+v, %v", d, err)
	}
	_, err = openStore(t, c, hdfs.Options{ProxyUser: devcluster.Other, Kerberos: loginAs(t, c, devcluster.Owner)}).Stat(ctx, "/")
	if !errors.Is(err, rpc.ErrAccessControl) {
		t.Errorf("acting for another without permission: %v", err)
	}
	t.Log(err)
	_, err = openStore(t, c, hdfs.Options{User: devcluster.Owner}).Stat(ctx, "/")
	if !errors.Is(err, rpc.ErrHandshake) {
		t.Errorf("without a ticket: %v", err)
	}
	t.Log(err)
	for key, value := range map[string]string{"dfs.namenode.kerberos.principal": "dn/_HOST@WEFT.TEST", "dfs.namenode.kerberos.principal.pattern": "nn/*.example.com@WEFT.TEST"} {
		conf := clusterConf(t, c)
		conf.Set(key, value)
		store, err := hdfs.New(conf, "", hdfs.Options{Kerberos: loginAs(t, c, devcluster.Owner)})
		if err != nil {
			t.Fatal(err)
		}
		if _, err = store.Stat(ctx, "/"); !errors.Is(err, krb.ErrServer) {
			t.Errorf("%s=%s: %v", key, value, err)
		}
		t.Log(err)
		must(t, store.Close())
	}
}

func clusterConf(t *testing.T, c *devcluster.Cluster) *hadoopconf.Conf {
	t.Helper()
	conf, err := hadoopconf.LoadDirs(nil, c.ConfDir())
	if err != nil {
		t.Fatal(err)
	}
	return conf
}

func loginAs(t *testing.T, c *devcluster.Cluster, user string) *krb.Login {
	t.Helper()
	l, err := krb.Open(krb.Options{Keytab: c.Keytab(user), Principal: c.Principal(user), Getenv: confOnly(c)})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// confOnly is an environment with nothing but the cluster's krb5.conf.
func confOnly(c *devcluster.Cluster) func(string) string {
	return func(k string) string {
		if k == krb.EnvConfig {
			return c.Krb5Conf()
		}
		return ""
	}
}

// roundTrip writes a file of several blocks and reads it back.
func roundTrip(ctx context.Context, t *testing.T, store fs.FileSystem, path string) {
	t.Helper()
	want := make([]byte, 3<<20)
	_, _ = rand.Read(want)
	w, err := store.Create(ctx, path, fs.CreateOptions{BlockSize: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.Write(want)
	must(t, err)
	must(t, w.Close())
	r, err := store.Open(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("read %d bytes, expected %d as written: %v", len(got), len(want), err)
	}
}
