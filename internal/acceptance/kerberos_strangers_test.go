//go:build realhadoop && long

package acceptance

import (
	"net"
	"strconv"
	"sync"
	"testing"
)

// strangersAt talks to all ports of a job's processes as those do who have no business there, and with secrets of others.
func (u *secured) strangersAt(t *testing.T, j *heldJob) {
	t.Helper()
	_, pages, err := net.SplitHostPort(u.recalled(j.app, "rest"))
	if err != nil {
		t.Fatal(err)
	}
	jobs, err := j.api.Jobs(t.Context())
	if err != nil || len(jobs) != 1 {
		t.Fatalf("jobs %v, %v", jobs, err)
	}
	ports := map[string]string{}
	for _, p := range u.processes(j.app, "jobmanager") {
		for _, n := range listening(t, p) {
			if strconv.Itoa(n) != pages {
				ports["127.0.0.1:"+strconv.Itoa(n)] = "jobmanager"
			}
		}
	}
	for _, p := range u.workers(j.app) {
		for _, n := range listening(t, p) {
			ports["127.0.0.1:"+strconv.Itoa(n)] = "worker"
		}
	}
	if len(ports) != 2 {
		t.Errorf("listening: %v, expected one port of the JobManager and one of a worker", ports)
	}
	secret := u.secret(j.app)
	var all sync.WaitGroup
	all.Go(func() { garbage(t, ports) })
	all.Go(func() { wrongSecrets(t, ports, secret, jobs[0].ID) })
	all.Wait()
}
