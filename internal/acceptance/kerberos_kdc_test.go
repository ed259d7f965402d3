//go:build realhadoop && long

package acceptance

// withoutKDC has a job go on to its end while no KDC answers: its processes have tokens.
func (u *secured) withoutKDC(j *heldJob) {
	t := u.t
	t.Helper()
	if err := u.c.StopDaemon("kdc"); err != nil {
		t.Fatal(err)
	}
	j.release()
	u.until("the application ends", func() bool { return len(u.processes(j.app, "jobmanager")) == 0 })
	if err := u.c.StartDaemon(t.Context(), "kdc"); err != nil {
		t.Fatal(err)
	}
}
