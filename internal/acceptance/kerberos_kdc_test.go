//go:build realhadoop

package acceptance

import (
	"github.com/weft-project/weft/internal/devcluster"
	"github.com/weft-project/weft/internal/hadoop/krb"
)

// withoutKDC has the KDC go down in the middle of a job, which goes on to its end: its processes have tokens. Commands that need a
// ticket say so once, and end.
func (u *secured) withoutKDC(j *heldJob) {
	t := u.t
	t.Helper()
	late := newSecured(t, u.c, devcluster.Owner)
	late.kinit()
	if err := u.c.StopDaemon("kdc"); err != nil {
		t.Fatal(err)
	}
	for _, as := range []*user{late.user, late.with(krb.EnvKeytab + "=" + u.c.Keytab(devcluster.Owner))} {
		for _, words := range [][]string{{"weft", "list", "-yid", j.app}, {"weft", "cancel", "-yid", j.app, j.id}, {"weft", "logs", j.app}} {
			late.one(as, 3, "no KDC answers: realm WEFT.TEST, for owner@WEFT.TEST ("+u.c.KDC(), "check [realms]", words...)
		}
	}
	j.release()
	u.until("the application ends", func() bool { return len(u.processes(j.app, "jobmanager")) == 0 })
	if err := u.c.StartDaemon(t.Context(), "kdc"); err != nil {
		t.Fatal(err)
	}
}
