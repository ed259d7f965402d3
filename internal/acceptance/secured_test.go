//go:build realhadoop && long

package acceptance

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/weft-project/weft/internal/devcluster"
	"github.com/weft-project/weft/internal/hadoop/krb"
	"github.com/weft-project/weft/internal/hadoop/token"
	"github.com/weft-project/weft/security/identity"
)

// TestSecured is what users of a secured cluster do beside their own sessions: submit to somebody else's, go on while the KDC is away,
// run a cluster without YARN.
func TestSecured(t *testing.T) {
	t.Parallel()
	c := devcluster.Private(t, devcluster.Options{NodeManagers: 1, Kerberos: &devcluster.Kerberos{}})
	for _, part := range []struct {
		name string
		test func(t *testing.T, c *devcluster.Cluster)
	}{
		{"another's session", anothersSession}, {"tickets without a KDC", ticketsWithoutKDC}, {"standalone", standaloneSecured},
		{"tokens of a file", tokensOfFile},
	} {
		t.Run(part.name, func(t *testing.T) { part.test(t, c) })
	}
}

// Who is in the session's yarn.modify.acls submits to it, though HDFS lets him read neither its directories nor its owner his; who is
// not, does not.
func anothersSession(t *testing.T, c *devcluster.Cluster) {
	u, other, stranger := newSecured(t, c, devcluster.Owner), newSecured(t, c, devcluster.Other), newSecured(t, c, devcluster.Gateway)
	u.kinit()
	other.kinit()
	stranger.kinit()
	started := u.ok("yarn-session.sh", "-d", "-jm", "512", "-tm", "1024", "-s", "1", "-Dyarn.modify.acls=other",
		"-Dsecurity.rest.auth=kerberos", "-Dsecurity.rest.auth.kerberos.keytab="+c.Keytab("services"))
	app := applicationID.FindString(started.stdout)
	t.Cleanup(func() { u.kill(app) })
	in := text(300, 1)
	words := []string{"run", "-yid", app, other.example("wordcount"), "-input", u.put("others.txt", in), "-output", u.out("of-another")}
	stranger.fails(3, []string{"only its owner can use it"}, "weft", words...)
	r := other.ok("weft", words...)
	if !strings.Contains(r.stderr, "running as its owner: this job runs as owner,") || !strings.Contains(r.stderr, "to the JobManager") {
		t.Errorf("%s", r)
	}
	u.same("counts", u.lines(u.out("of-another")), count(in))
	if !audited(t, c, "cmd=create", "/user/owner/", "ugi=owner@WEFT.TEST (auth:TOKEN)") || audited(t, c, "cmd=create", "src=/user/other/") {
		t.Error("the job did not write as the session's owner")
	}
	// A second time nothing is uploaded, and by the address alone it goes as well.
	words = []string{"run", "-m", u.recalled(app, "rest"), other.example("wordcount"), "-input", u.out("others.txt"), "-output", u.out("by-address")}
	if r := other.ok("weft", words...); strings.Contains(r.stderr, "Uploaded") {
		t.Errorf("%s", r)
	}
	if listed := other.ok("weft", "list", "-yid", app, "-a"); strings.Count(listed.stdout, "(FINISHED)") != 2 {
		t.Errorf("%s", listed)
	}
	if !strings.Contains(daemonLog(t, c, "resourcemanager"), "Renewed delegation-token= [Kind: HDFS_DELEGATION_TOKEN") {
		t.Error("the ResourceManager has not renewed the session's token")
	}
	// The JobManager could not: a NameNode lets nobody renew who comes with a token.
	creds, err := token.ReadFile(filepath.Join(u.container(app, "jobmanager"), "container_tokens"))
	if err != nil {
		t.Fatal(err)
	}
	store := u.storeAs(devcluster.Owner)
	defer store.Close()
	for _, tok := range creds.OfKind(token.KindHDFSDelegation) {
		if until, err := store.RenewDelegationToken(t.Context(), tok); err == nil {
			t.Errorf("its owner renews the token until %v, who is not its renewer", until)
		}
	}
	// A store that has come to use tokens still gets new ones with its ticket.
	if !store.SetCredentials(creds) {
		t.Fatal("the store does not take the token")
	}
	if _, err := store.DelegationToken(t.Context(), "yarn"); err != nil {
		t.Errorf("a new token: %v", err)
	}
}

// Tickets for NameNode and ResourceManager that are in the cache already do without a KDC: a job runs from its start to its end.
func ticketsWithoutKDC(t *testing.T, c *devcluster.Cluster) {
	u := newSecured(t, c, devcluster.Owner)
	u.kinit()
	kvno := exec.CommandContext(t.Context(), "kvno", "nn/localhost", "rm/localhost")
	kvno.Env = u.env
	if out, err := kvno.CombinedOutput(); err != nil {
		t.Fatalf("kvno: %v: %s", err, out)
	}
	in := text(300, 2)
	u.put("before.txt", in)
	if err := c.StopDaemon("kdc"); err != nil {
		t.Fatal(err)
	}
	u.ok("weft", "run", "-m", "yarn-cluster", "-yjm", "512", "-ytm", "1024", u.example("wordcount"), "-input", u.out("before.txt"), "-output", u.out("without-kdc"))
	if err := c.StartDaemon(t.Context(), "kdc"); err != nil {
		t.Fatal(err)
	}
	u.same("counts", u.lines(u.out("without-kdc")), count(in))
}

// A cluster without YARN on secured HDFS: the JobManager has a key table or a ticket, TaskManagers and workers its tokens.
func standaloneSecured(t *testing.T, c *devcluster.Cluster) {
	u := newSecured(t, c, devcluster.Owner)
	address := u.standalone()
	t.Cleanup(func() { _ = u.command("stop-cluster.sh").Run() })
	u.fails(1, []string{"no kerberos ticket of owner@WEFT.TEST", "run kinit owner@WEFT.TEST"}, "jobmanager.sh", "start")
	keys, err := os.ReadFile(c.Keytab(devcluster.Owner))
	if err != nil {
		t.Fatal(err)
	}
	keytab := filepath.Join(u.home, "owner.keytab")
	if err := os.WriteFile(keytab, keys, 0o600); err != nil {
		t.Fatal(err)
	}
	in := text(300, 3)
	input := u.put("standalone.txt", in)
	for i, login := range []string{"key table", "ticket"} {
		as := u.user
		if login == "key table" {
			as = u.with(krb.EnvKeytab + "=" + keytab)
		} else {
			u.kinit()
		}
		as.ok("jobmanager.sh", "start")
		if login == "ticket" {
			u.destroy() // the JobManager has it in memory, and nobody else needs one
		}
		u.ok("taskmanager.sh", "start")
		u.kinit()
		out := u.out(fmt.Sprintf("standalone-%d", i))
		u.ok("weft", "run", "-t", "remote", u.example("wordcount"), "-input", input, "-output", out)
		u.destroy()
		u.same("counts", u.lines(out), count(in))
		if !audited(t, c, "cmd=open", "standalone.txt", "ugi=owner@WEFT.TEST (auth:TOKEN)") {
			t.Error("no worker has read by a token")
		}
		metrics := tokensLeft(t, u, address)
		if !regexp.MustCompile(`SecondsLeft","value":"8\d{4}"`).MatchString(metrics) {
			t.Errorf("metrics %s", metrics)
		}
		u.ok("stop-cluster.sh")
		u.until("nothing runs", func() bool { return len(u.standaloneProcesses()) == 0 })
	}
}

// tokensLeft reads for how long the tokens of a cluster without YARN are good.
func tokensLeft(t *testing.T, u *secured, address string) string {
	t.Helper()
	token := strings.TrimSpace(u.ok("jobmanager.sh", "token").stdout)
	_, body := newCaller(t, "127.0.0.1").ask("GET", "http://"+address+"/jobmanager/metrics?get=Status.Weft.DelegationTokens.SecondsLeft", "Authorization", "Bearer "+token)
	return body
}

// A file with tokens does for one job after the other: they are not those of the first job alone.
func tokensOfFile(t *testing.T, c *devcluster.Cluster) {
	u := newSecured(t, c, devcluster.Owner)
	store, rm := u.storeAs(devcluster.Owner), u.resourceManagerAs(devcluster.Owner)
	defer store.Close()
	defer rm.Close()
	creds := &token.Credentials{}
	for _, issuer := range []identity.Issuer{store, rm} {
		tok, err := issuer.DelegationToken(t.Context(), "yarn")
		if err != nil {
			t.Fatal(err)
		}
		creds.Add(tok.Service, tok)
	}
	file := filepath.Join(u.home, "tokens")
	if err := os.WriteFile(file, creds.Marshal(), 0o600); err != nil {
		t.Fatal(err)
	}
	as := u.with(token.EnvFile + "=" + file)
	in := text(300, 4)
	input := u.put("by-tokens.txt", in)
	for i := range 2 {
		out := u.out(fmt.Sprintf("by-tokens-%d", i))
		r := as.ok("weft", "run", "-m", "yarn-cluster", "-yjm", "512", "-ytm", "1024", u.example("wordcount"), "-input", input, "-output", out)
		u.same("counts", u.lines(out), count(in))
		u.endsAs(applicationID.FindString(r.stderr+r.stdout), "SUCCEEDED", "has finished")
	}
}
