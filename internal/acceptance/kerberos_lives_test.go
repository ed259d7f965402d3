//go:build realhadoop

package acceptance

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weft-project/weft/internal/devcluster"
	"github.com/weft-project/weft/internal/hadoop/krb"
	"github.com/weft-project/weft/internal/hadoop/token"
	"github.com/weft-project/weft/security/identity"
)

// shortLives is a job on a cluster where tickets and tokens live for seconds.
type shortLives struct {
	u   *secured
	job *heldJob
	old string
}

// outlived bounds the time in which several lives of tokens pass.
const outlived = 20 * time.Minute

// outlivedSets is how many sets of tokens a job must have seen, one after the other.
const outlivedSets = 3

// startShortLives starts the cluster and the job: somebody with a key table of his own acts for another. A life lasts as long as an application needs to start, and longer: on a slow
// machine, where the other cluster took started, more.
func startShortLives(t *testing.T, started time.Duration) *shortLives {
	t.Helper()
	life := max(20*time.Second, started*5/4).Round(2 * time.Second)
	t.Logf("tickets and tokens live for %v", life)
	// So do, for a minute, the keys by which blocks are encrypted there and the tokens for blocks.
	c := devcluster.Private(t, devcluster.Options{NodeManagers: 1, Kerberos: &devcluster.Kerberos{
		TicketLife: life, TicketRenew: 2 * life, TokenRenew: life / 2, TokenLife: life}, Conf: map[string]map[string]string{"hdfs-site.xml": {
		"dfs.encrypt.data.transfer": "true", "dfs.encrypt.data.transfer.cipher.suites": "AES/CTR/NoPadding",
		"dfs.block.access.token.lifetime": "1", "dfs.block.access.key.update.interval": "1"}}})
	l := &shortLives{u: newSecured(t, c, devcluster.Other)}
	l.job = l.u.heldAlone(l.u.with(krb.EnvKeytab+"="+c.Keytab(devcluster.Gateway), krb.EnvPrincipal+"="+c.Principal(devcluster.Gateway),
		identity.EnvProxyUser+"="+devcluster.Other), inAM, "outlived")
	l.old = filepath.Join(l.u.container(l.job.app, "jobmanager"), "container_tokens")
	return l
}

// outlive waits for the end of several lives, then for that of the job: no record is lost. With the first tokens alone a command is
// told that they are over.
func (l *shortLives) outlive() {
	t := l.u.t
	t.Helper()
	look := time.NewTicker(200 * time.Millisecond)
	defer look.Stop()
	deadline := time.After(outlived)
	for strings.Count(l.job.file("jobmanager.log"), "new delegation tokens were got") < outlivedSets {
		select {
		case <-look.C:
		case <-deadline:
			t.Fatalf("waited in vain for new tokens:\n%s", l.job.file("jobmanager.log"))
		}
	}
	creds, err := token.ReadFile(l.old)
	if err != nil {
		t.Fatal(err)
	}
	for _, tok := range creds.OfKind(token.KindHDFSDelegation) {
		if d, err := tok.Delegation(); err != nil || time.Now().Before(d.Max) {
			t.Errorf("the first token lives still: %+v, %v", d, err)
		}
	}
	bare := newSecured(t, l.u.c, devcluster.Other)
	bare.one(bare.with(token.EnvFile+"="+l.old), 2, "the delegation token of other (", "run kinit", "weft", "list", "-yid", l.job.app)
	l.job.release()
	l.job.finished()
	l.renewed()
	t.Logf("%d sets of tokens were got", strings.Count(l.job.file("jobmanager.log"), "new delegation tokens were got"))
}

// renewed checks that NameNode and ResourceManager have let the JobManager renew the tokens that it got.
func (l *shortLives) renewed() {
	t := l.u.t
	t.Helper()
	for _, server := range []string{"namenode", "resourcemanager"} {
		found := false
		for line := range strings.Lines(daemonLog(t, l.u.c, server)) {
			found = found || strings.Contains(line, "Token renewal for identifier") && strings.Contains(line, "renewer="+devcluster.Other+",")
		}
		if !found {
			t.Errorf("the log of the %s knows of no token that its renewer %s has renewed", server, devcluster.Other)
		}
	}
}
