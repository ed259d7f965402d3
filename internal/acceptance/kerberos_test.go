//go:build realhadoop

package acceptance

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weft-project/weft/internal/devcluster"
	"github.com/weft-project/weft/internal/hadoop/krb"
	"github.com/weft-project/weft/internal/hadoop/token"
	"github.com/weft-project/weft/security"
)

// secured is a user of a cluster with Kerberos, who has no ticket at first.
type secured struct {
	*user
	name, cache string
}

func newSecured(t *testing.T, c *devcluster.Cluster, name string) *secured {
	t.Helper()
	u := &secured{&user{t: t, c: c, dist: distribution(t), home: t.TempDir(), tmp: t.TempDir(), hdfs: "/user/" + name}, name, ""}
	u.cache = filepath.Join(u.home, "tickets")
	for _, kv := range append(os.Environ(), c.Env()...) {
		switch k, _, _ := strings.Cut(kv, "="); k {
		case "HOME", "TMPDIR", "HADOOP_USER_NAME", "WEFT_CONF_DIR", "FLINK_CONF_DIR", krb.EnvCache, krb.EnvKeytab, krb.EnvPrincipal, token.EnvFile:
		default:
			u.env = append(u.env, kv)
		}
	}
	u.env = append(u.env, "HOME="+u.home, "TMPDIR="+u.tmp, krb.EnvCache+"="+u.cache, krb.EnvPrincipal+"="+c.Principal(name))
	return u
}

// with is the same user with further variables.
func (u *secured) with(variables ...string) *user {
	other := *u.user
	other.env = append(slices.Clone(u.env), variables...)
	return &other
}

func (u *secured) kinit(args ...string) {
	u.t.Helper()
	if err := u.c.Login(u.t.Context(), u.name, u.cache, args...); err != nil {
		u.t.Fatal(err)
	}
}

// destroy removes the ticket cache, as kdestroy does.
func (u *secured) destroy() {
	u.t.Helper()
	if err := os.Remove(u.cache); err != nil {
		u.t.Fatal(err)
	}
}

// TestKerberos is everything on a secured cluster at the highest protection; its servers take the lower ones, too, from who asks for
// them. The tokens of one life are enough for a day there: that new ones are really used is seen by making the old ones useless.
// Meanwhile, on a cluster beside it, a job outlives tokens of seconds.
func TestKerberos(t *testing.T) {
	t.Parallel()
	day, began := 24*time.Hour, time.Now()
	c := devcluster.Private(t, devcluster.Options{NodeManagers: 1, Kerberos: &devcluster.Kerberos{AnyProtection: true, SecondRealm: true,
		TokenRenew: day, TokenLife: day}})
	l := startShortLives(t, time.Since(began))
	for _, part := range []struct {
		name string
		test func(t *testing.T, c *devcluster.Cluster)
	}{
		{"nobody", nobody}, {"doctor", doctorSecured}, {"session", securedSession}, {"per-job", tokensOnly}, {"application", tokensReplaced},
		{"lower", lowerProtection},
	} {
		t.Run(part.name, func(t *testing.T) { part.test(t, c) })
	}
	l.outlive()
}

// one checks that a command ends with one sentence that says two things.
func (u *secured) one(as *user, code int, what, next string, words ...string) {
	u.t.Helper()
	r := as.do(words[0], words[1:]...)
	if r.code != code || !strings.HasPrefix(r.stderr, "Error: ") || strings.Count(r.stderr, "\n") != 1 || r.stdout != "" ||
		!strings.Contains(r.stderr, what) || !strings.Contains(r.stderr, next) {
		u.t.Errorf("%v: expected exit code %d and one sentence with %q and %q: %s", words, code, what, next, r)
	}
}

// A session started by a ticket; what it does for somebody else, and for a command that has tokens only.
func securedSession(t *testing.T, c *devcluster.Cluster) {
	u := newSecured(t, c, devcluster.Owner)
	u.kinit()
	u.env = append(u.env, "HADOOP_USER_NAME=somebody")
	started := u.ok("yarn-session.sh", "-d", "-jm", "512", "-tm", "1024", "-s", "1",
		"-Dsecurity.rest.auth=kerberos", "-Dsecurity.rest.auth.kerberos.keytab="+c.Keytab("services"), "-Dmy.service.password="+planted,
		"-Dyarn.view.acls= visitors") // of whom guest is, as the NameNode says
	if !strings.Contains(started.stderr, "HADOOP_USER_NAME=somebody is ignored") {
		t.Errorf("%s", started)
	}
	u.env = u.env[:len(u.env)-1]
	app := applicationID.FindString(started.stdout)
	t.Cleanup(func() { u.kill(app) })
	in := text(300, 1)
	u.ok("weft", "run", u.example("wordcount"), "-input", u.put("in.txt", in), "-output", u.out("counts"))
	u.same("counts", u.lines(u.out("counts")), count(in))

	u.ok("weft", "run", "-t", "local", u.example("wordcount"), "-input", u.out("in.txt"), "-output", u.out("local"))
	u.same("counts of a local run", u.lines(u.out("local")), count(in))

	j := u.held(app, 1, "held")
	u.rights(app, j.id)
	u.strangersAt(t, app, j.id)
	secret := u.secrets(app, j.id)
	u.lookIntoProcesses(app, secret)
	u.lookIntoContainers(app, secret)
	u.lookIntoDocuments(app, secret, j.id)
	j.release()
	j.ended()

	if logs := u.ok("weft", "logs", app); !strings.Contains(logs.stdout, "starting the JobManager") {
		t.Errorf("%s", logs)
	}

	// Nothing in this home: application and access are found by the tokens that YARN gave the JobManager's container.
	tokens := filepath.Join(u.container(app, "jobmanager"), "container_tokens")
	u.destroy()
	u.one(u.user, 2, "no kerberos ticket of owner@WEFT.TEST", "run kinit", "weft", "list")
	bare := newSecured(t, c, devcluster.Owner)
	listed := bare.with(token.EnvFile+"="+tokens).ok("weft", "list", "-yid", app, "-a")
	if !strings.Contains(listed.stdout, "FINISHED") {
		t.Errorf("%s", listed)
	}
	if !strings.Contains(daemonLog(t, c, "resourcemanager"), "Auth successful for owner@WEFT.TEST (auth:TOKEN)") {
		t.Error("the ResourceManager's log knows of no token")
	}

	// Who has got the session's token from its owner is told what that means; others do not come so far.
	other := newSecured(t, c, devcluster.Other)
	other.kinit()
	if err := os.CopyFS(filepath.Join(other.home, ".weft"), os.DirFS(filepath.Join(u.home, ".weft"))); err != nil {
		t.Fatal(err)
	}
	r := other.do("weft", "run", "-d", "-yid", app, other.example("wordcount"), "-input", u.out("in.txt"), "-output", u.out("more"))
	if !strings.Contains(r.stderr, "submitting to a session means running as its owner: this job runs as owner,") {
		t.Errorf("%s", r)
	}
}

// container is the working directory of the process that plays a role.
func (u *user) container(app, role string) string {
	u.t.Helper()
	var found string
	u.until("there is a "+role, func() bool {
		for _, p := range u.processes(app, role) {
			found = p.Cwd
		}
		return found != ""
	})
	return found
}

func daemonLog(t *testing.T, c *devcluster.Cluster, name string) string {
	t.Helper()
	b, err := os.ReadFile(c.DaemonLog(name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// audited tells whether the NameNode's log has a line with all the words.
func audited(t *testing.T, c *devcluster.Cluster, words ...string) bool {
	t.Helper()
	for line := range strings.Lines(daemonLog(t, c, "namenode")) {
		if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(line, w) }) {
			return true
		}
	}
	return false
}

// heldAlone starts a detached job in a cluster of its own that waits in the middle.
func (u *secured) heldAlone(as *user, m mode, name string, options ...string) *heldJob {
	u.t.Helper()
	j := &heldJob{&slowJob{u: u.user, out: u.out(name + "/out")}, filepath.Join(u.t.TempDir(), "open")}
	for i := range 3 {
		part := text(100, i) + "hold\n" + text(50, i+1)
		u.put(fmt.Sprintf("%s-in/%d.txt", name, i), part)
		j.in += part
	}
	u.mkdir(name)
	words := append(append([]string{"-d", "-p", "1"}, options...), testJob(u.t), "-mode", "gate", "-gate", j.gate, "-input", u.out(name+"-in"), "-output", j.out)
	r := as.ok("weft", m.with(words...)...)
	j.app = applicationID.FindString(r.stderr + r.stdout)
	u.t.Cleanup(func() { u.kill(j.app) })
	u.until("the job has got to the line that holds it", func() bool {
		_, err := os.Stat(j.gate + ".held")
		return err == nil
	})
	return j
}

// A job that outlives its client's ticket: with tokens alone it reads and writes HDFS, and says when that will end.
func tokensOnly(t *testing.T, c *devcluster.Cluster) {
	u := newSecured(t, c, devcluster.Owner)
	u.kinit()
	j := u.heldAlone(u.user, perJob, "alone")
	j.api = u.api(j.app)
	u.destroy()
	log := j.file("jobmanager.log")
	if want := "the delegation tokens of this application end on "; !strings.Contains(log, want) {
		t.Errorf("%q is not in the log of the JobManager:\n%s", want, log)
	}
	if cluster, err := j.api.Cluster(t.Context()); err != nil || !strings.Contains(cluster.Warning, "start it again with security.kerberos.login.keytab") {
		t.Errorf("cluster %+v, %v", cluster, err)
	}
	if page := j.get("/"); !strings.Contains(page, "the delegation tokens of this application end on ") {
		t.Errorf("the page does not say that the tokens end: %s", page)
	}
	if metrics := fmt.Sprint(j.get("/jobmanager/metrics?get=Status.Weft.DelegationTokens.SecondsLeft")); !regexp.MustCompile(`value":"8\d{4}"`).MatchString(metrics) {
		t.Errorf("metrics %s", metrics)
	}
	jobs, err := j.api.Jobs(t.Context())
	if err != nil || len(jobs) != 1 {
		t.Fatalf("jobs %v, %v", jobs, err)
	}
	j.id = jobs[0].ID
	j.passwordsAbsent(nil)
	u.withoutKDC(j)
	j.finished()
	// The JobManager at the ResourceManager; worker and JobManager at the NameNode.
	if want := "successful for appattempt_" + strings.TrimPrefix(j.app, "application_") + "_000001 (auth:TOKEN) for protocol=interface org.apache.hadoop.yarn.api.ApplicationMasterProtocolPB"; !strings.Contains(daemonLog(t, c, "resourcemanager"), want) {
		t.Errorf("%q is not in the ResourceManager's log", want)
	}
	u.byTokens("alone", []string{"cmd=delete", "src=/user/owner/.weft/staging/" + j.app})
	u.kinit()
	u.until("YARN has stored the logs", func() bool {
		r := u.do("weft", "logs", j.app)
		return r.code == 0 && strings.Contains(r.stdout, "starting the JobManager")
	})
}

// passwordsAbsent checks that those of the tokens, and more secrets, are in no log, launch script or page.
func (j *heldJob) passwordsAbsent(more needles) {
	j.u.t.Helper()
	passwords := needles{}
	maps.Copy(passwords, more)
	texts := map[string]string{"page": j.get("/"), "configuration": j.get("/jobmanager/config")}
	for _, role := range []string{"jobmanager", "taskmanager"} {
		dir := j.u.container(j.app, role)
		creds, err := token.ReadFile(filepath.Join(dir, "container_tokens"))
		if err != nil {
			j.u.t.Fatal(err)
		}
		for _, alias := range creds.Aliases() {
			t, _ := creds.Token(alias)
			passwords.add("password of the "+t.Kind+" of the "+role, security.Secret(t.Password))
			if role == "taskmanager" && t.Kind != token.KindHDFSDelegation {
				j.u.t.Errorf("the TaskManager has a %s", t.Kind)
			}
		}
		script, err := os.ReadFile(filepath.Join(dir, "launch_container.sh"))
		if err != nil {
			j.u.t.Fatal(err)
		}
		texts["launch script of the "+role] = string(script)
	}
	logs, err := j.u.c.ContainerLogs(j.app)
	if err != nil || len(logs) == 0 || len(passwords) == 0 {
		j.u.t.Fatalf("%d logs, %d passwords, %v", len(logs), len(passwords), err)
	}
	for where, text := range logs {
		texts[where] = text
	}
	for where, text := range texts {
		passwords.absent(j.u.t, where, []byte(text))
	}
}

// finished waits for the application's end and checks the result.
func (j *heldJob) finished() {
	j.u.t.Helper()
	j.u.endsAs(j.app, "SUCCEEDED", "has finished")
	j.u.same("result", j.u.lines(j.out), count(j.in))
}

// byTokens checks in the NameNode's audit log that a job has read and written by token alone, and that the JobManager has done more so.
func (u *secured) byTokens(name string, more []string) {
	u.t.Helper()
	for _, words := range [][]string{{"cmd=create", "src=/user/owner/" + name + "/"}, {"cmd=open", "src=/user/owner/" + name + "-in/"}, more} {
		if !audited(u.t, u.c, append(words, "ugi=owner@WEFT.TEST (auth:TOKEN)")...) {
			u.t.Errorf("the NameNode's log has no line for a token with %q", words)
		}
		if audited(u.t, u.c, append(words, "(auth:KERBEROS)")...) {
			u.t.Errorf("the NameNode's log has a line for a ticket with %q", words)
		}
	}
}

// file is a log of the application while it runs.
func (j *heldJob) file(name string) string {
	j.u.t.Helper()
	logs, err := j.u.c.ContainerLogs(j.app)
	if err != nil {
		j.u.t.Fatal(err)
	}
	for path, text := range logs {
		if strings.HasSuffix(path, "/"+name) {
			return text
		}
	}
	return ""
}

// get reads a document with the owner's token.
func (j *heldJob) get(path string) string {
	j.u.t.Helper()
	_, body := newCaller(j.u.t, "127.0.0.1").ask("GET", "http://"+j.u.recalled(j.app, "rest")+path, "Authorization", "Bearer "+j.u.recalled(j.app, "token"))
	return body
}

// recalled is what the user's home knows of an application.
func (u *user) recalled(app, name string) string {
	u.t.Helper()
	b, err := os.ReadFile(filepath.Join(u.home, ".weft", app, name))
	if err != nil {
		u.t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

// With a key table the application gets new tokens and hands them to the processes that run: those before them are made useless,
// and no record is lost.
func tokensReplaced(t *testing.T, c *devcluster.Cluster) {
	u := newSecured(t, c, devcluster.Owner)
	keys, err := os.ReadFile(c.Keytab(devcluster.Owner))
	if err != nil {
		t.Fatal(err)
	}
	keytab := filepath.Join(u.home, "owner.keytab")
	if err := os.WriteFile(keytab, keys, 0o600); err != nil {
		t.Fatal(err)
	}
	// New tokens every few seconds; the krb5.conf is what the configuration names.
	j := u.heldAlone(u.with(krb.EnvKeytab+"="+keytab, krb.EnvConfig+"="+filepath.Join(u.home, "none")), inAM, "months",
		"-Dsecurity.delegation.tokens.renewal.time-ratio=0.00005", "-Dsecurity.kerberos.krb5-conf.path="+c.Krb5Conf())
	if err := os.Remove(keytab); err != nil {
		t.Fatal(err)
	}
	master, worker := u.container(j.app, "jobmanager"), u.container(j.app, "taskmanager")
	newer := filepath.Join(worker, "work", "hadoop-tokens")
	for range 2 {
		var before []byte
		if before, err = os.ReadFile(newer); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		u.until("newer tokens have come", func() bool {
			now, err := os.ReadFile(newer)
			return err == nil && string(now) != string(before)
		})
	}
	j.passwordsAbsent(u.keysOf(c.Keytab(devcluster.Owner)))
	old := filepath.Join(master, "container_tokens")
	u.useless(old, filepath.Join(worker, "container_tokens"))
	bare := newSecured(t, c, devcluster.Owner)
	bare.one(bare.with(token.EnvFile+"="+old), 2, "HADOOP_TOKEN_FILE_LOCATION names tokens that are of no use any more", "run kinit", "weft", "list", "-yid", j.app)
	j.release()
	j.finished()
	u.byTokens("months", []string{"cmd=create", "src=/user/owner/months/"})
	if _, err := os.Stat(filepath.Join(worker, "krb5.keytab")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the key table is in the TaskManager's container: %v", err)
	}
}

// useless cancels the tokens in files.
func (u *secured) useless(files ...string) {
	u.t.Helper()
	ctx, cancel := context.WithTimeout(u.t.Context(), patience)
	defer cancel()
	store := u.storeAs(u.name)
	defer store.Close()
	var done []token.Token
	for _, file := range files {
		creds, err := token.ReadFile(file)
		if err != nil {
			u.t.Fatal(err)
		}
		for _, tok := range creds.OfKind(token.KindHDFSDelegation) {
			if slices.ContainsFunc(done, tok.Equal) {
				continue
			}
			done = append(done, tok)
			if err := store.CancelDelegationToken(ctx, tok); err != nil {
				u.t.Fatalf("cancel %v: %v", tok, err)
			}
		}
	}
	if len(done) == 0 {
		u.t.Fatal("no token was there")
	}
}
