//go:build realhadoop

package acceptance

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/weft-project/weft/internal/devcluster"
	"github.com/weft-project/weft/internal/hadoop/krb"
)

// nobody is who cannot log in: without a ticket, with a wrong key table, with a clock that is wrong, without a KDC or with an expired
// ticket every command says so in one sentence, before anything else.
func nobody(t *testing.T, c *devcluster.Cluster) {
	u := newSecured(t, c, devcluster.Owner)
	job := u.example("wordcount")
	const app, id = "application_1_0001", "00000000000000000000000000000001"
	list := []string{"weft", "list", "-yid", app}
	commands := [][]string{
		{"yarn-session.sh", "-d"}, {"yarn-session.sh", "-id", app}, {"yarn-session.sh", "-q"},
		{"weft", "run", "-m", "yarn-cluster", job}, {"weft", "run", "-yid", app, job}, {"weft", "run-application", "-t", "yarn-application", job},
		list, {"weft", "cancel", "-yid", app, id}, {"weft", "logs", app}, {"weft", "state", "ls", "hdfs:///none"},
	}
	each := func(as *user, code int, what, next string) {
		t.Helper()
		for _, words := range commands {
			u.one(as, code, what, next, words...)
		}
	}
	owner := krb.EnvKeytab + "=" + c.Keytab(devcluster.Owner)
	each(u.user, 2, "no kerberos ticket of owner@WEFT.TEST: ", "run kinit owner@WEFT.TEST")
	each(u.with(krb.EnvKeytab+"="+c.Keytab(devcluster.Other)), 2, "key table "+c.Keytab(devcluster.Other), "owner@WEFT.TEST")
	none := filepath.Join(u.home, "none")
	u.one(u.with(krb.EnvKeytab+"="+none), 2, "key table "+none, "no such file", commands[0]...)
	// Its key was changed at the KDC since.
	if err := c.Kadmin(t.Context(), devcluster.Realm, "cpw", "-randkey", devcluster.Gateway); err != nil {
		t.Fatal(err)
	}
	gateway := u.with(krb.EnvKeytab+"="+c.Keytab(devcluster.Gateway), krb.EnvPrincipal+"="+c.Principal(devcluster.Gateway))
	u.one(gateway, 2, "gateway@WEFT.TEST", "make the key table anew", commands[0]...)
	if err := c.Kadmin(t.Context(), devcluster.Realm, "ktadd", "-norandkey", "-k", c.Keytab(devcluster.Gateway), devcluster.Gateway); err != nil {
		t.Fatal(err)
	}

	// This machine's clock is ten minutes behind that of the KDC, for who comes with a key and for who comes with a ticket.
	if err := c.StartDaemon(t.Context(), devcluster.KDCAhead); err != nil {
		t.Fatal(err)
	}
	behind := krb.EnvConfig + "=" + c.Krb5ConfAhead()
	const skew, next = "clock skew: this machine's clock is 10.0 minutes behind that of the KDC of WEFT.TEST", "for owner@WEFT.TEST: set the clock (NTP)"
	each(u.with(owner, behind), 2, skew, next)
	u.kinit()
	u.one(u.with(behind), 2, skew, next, list...)
	u.with(owner, behind).fails(2, []string{"clock skew", "10.0 minutes behind", "owner@WEFT.TEST"}, "weft", "doctor")
	if err := c.StopDaemon(devcluster.KDCAhead); err != nil {
		t.Fatal(err)
	}

	if err := c.StopDaemon("kdc"); err != nil {
		t.Fatal(err)
	}
	away := "no KDC answers: realm WEFT.TEST, for owner@WEFT.TEST (" + c.KDC()
	each(u.with(owner), 3, away, "check [realms]")
	u.one(u.user, 3, away, "check [realms]", list...) // with a ticket, but none for a server
	u.destroy()
	if err := c.StartDaemon(t.Context(), "kdc"); err != nil {
		t.Fatal(err)
	}
	u.kinit("-l", "1s")
	u.until("the ticket is over", func() bool {
		return strings.Contains(u.do(list[0], list[1:]...).stderr, "kerberos ticket expired")
	})
	each(u.user, 2, "kerberos ticket expired: that of owner@WEFT.TEST", "run kinit owner@WEFT.TEST")
}
