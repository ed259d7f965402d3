//go:build realhadoop && long

package acceptance

import (
	"strings"
	"testing"
	"time"

	"github.com/weft-project/weft/internal/devcluster"
	"github.com/weft-project/weft/internal/hadoop/krb"
	"github.com/weft-project/weft/security/identity"
)

// A job outlives several delegation tokens and tickets, and loses no record. make test-all runs this test: it takes minutes,
// whatever the machine.
func TestTokensOutlived(t *testing.T) {
	c := devcluster.Private(t, devcluster.Options{NodeManagers: 1, Kerberos: &devcluster.Kerberos{
		TicketLife: time.Minute, TicketRenew: 2 * time.Minute, TokenRenew: 40 * time.Second, TokenLife: 80 * time.Second}})
	u, acting := newSecured(t, c, devcluster.Owner), newSecured(t, c, devcluster.Other)
	jobs := []*heldJob{
		u.heldAlone(u.with(krb.EnvKeytab+"="+c.Keytab(devcluster.Owner)), inAM, "outlived"),
		// Somebody with a key table of his own acts for another.
		acting.heldAlone(acting.with(krb.EnvKeytab+"="+c.Keytab(devcluster.Gateway), krb.EnvPrincipal+"="+c.Principal(devcluster.Gateway),
			identity.EnvProxyUser+"="+devcluster.Other), inAM, "outlived"),
	}
	look := time.NewTicker(time.Second)
	defer look.Stop()
	deadline := time.After(outlived)
	for _, j := range jobs {
		for strings.Count(j.file("jobmanager.log"), "new delegation tokens were got") < 4 {
			select {
			case <-look.C:
			case <-deadline:
				t.Fatalf("waited in vain for new tokens:\n%s", j.file("jobmanager.log"))
			}
		}
	}
	for _, j := range jobs {
		j.release()
	}
	for _, j := range jobs {
		j.finished()
	}
}

// A cluster of its own for each of the lower levels of protection, which takes no other: what was agreed on, and a job.
func TestLowerProtection(t *testing.T) {
	for level, agreed := range agreedLevels {
		t.Run(level, func(t *testing.T) {
			c := devcluster.Private(t, devcluster.Options{NodeManagers: 1, Kerberos: &devcluster.Kerberos{Protection: level}})
			u := newSecured(t, c, devcluster.Owner)
			u.kinit()
			if looked := u.ok("weft", "doctor"); strings.Count(looked.stdout, agreed.said) < 2 {
				t.Errorf("%q is not there for each server: %s", agreed.said, looked)
			}
			restore := u.withConf(">"+level+"<", ">privacy<")
			u.fails(2, []string{"problem  ResourceManager", "problem  NameNode", "no common level of protection", "hadoop.rpc.protection"}, "weft", "doctor")
			restore()
			in := text(300, 1)
			u.ok("weft", "run", "-m", "yarn-cluster", "-yjm", "512", "-ytm", "1024", u.example("wordcount"), "-input", u.put("in.txt", in), "-output", u.out("counts"))
			u.same("counts", u.lines(u.out("counts")), count(in))
		})
	}
}
