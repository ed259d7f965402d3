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

// outlived bounds the time in which several lives of tokens pass.
const outlived = 20 * time.Minute

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
