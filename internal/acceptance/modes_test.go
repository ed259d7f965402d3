//go:build realhadoop

package acceptance

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// mode is a way to run a job in a cluster of its own.
type mode struct {
	name string
	// command starts a cluster of small TaskManagers with one slot each.
	command []string
}

var (
	perJob = mode{"per-job", []string{"run", "-m", "yarn-cluster", "-yjm", "512", "-ytm", "1024", "-ys", "1"}}
	inAM   = mode{"application", []string{"run-application", "-t", "yarn-application", "-Djobmanager.memory.process.size=512m", "-Dtaskmanager.memory.process.size=1g"}}
	modes  = []mode{perJob, inAM}
)

// with is the command line of a job.
func (m mode) with(words ...string) []string {
	return append(append([]string(nil), m.command...), words...)
}

// application waits for the id of the application that a command starts; it is ended with the test.
func (p *process) application() string {
	p.u.t.Helper()
	p.says("Submitting application master")
	app := applicationID.FindString(p.stderr.String())
	p.u.t.Cleanup(func() { p.u.kill(app) })
	return app
}

// endsAs waits for the end of an application that ends by itself and checks that nothing is left of it.
func (u *user) endsAs(app, status string, diagnostics ...string) {
	u.t.Helper()
	u.until(app+" has ended", func() bool {
		a, err := u.c.App(u.t.Context(), app)
		return err == nil && (a.State == "FINISHED" || a.State == "FAILED" || a.State == "KILLED")
	})
	a, err := u.c.App(u.t.Context(), app)
	if err != nil || a.State != "FINISHED" || a.FinalStatus != status {
		u.t.Errorf("%s: %+v, %v; expected %s", app, a, err, status)
	}
	for _, want := range diagnostics {
		if !strings.Contains(a.Diagnostics, want) {
			u.t.Errorf("%s: %q is not in its diagnostics %q", app, want, a.Diagnostics)
		}
	}
	u.until("nothing of "+app+" runs", func() bool { return len(u.c.Processes(app)) == 0 })
	for _, dir := range []string{"/.weft/staging/", "/.weft/refs/"} {
		u.until(dir+app+" is gone", func() bool {
			left, err := u.c.List(u.t.Context(), u.hdfs+dir+app)
			return err != nil || len(left) == 0
		})
	}
	if left, err := os.ReadDir(u.tmp); err != nil || len(left) > 0 {
		u.t.Errorf("left in the directory for temporary files: %v, %v", left, err)
	}
}

// A job in a cluster of its own gives the right result, and the cluster is gone with it.
func TestOwnCluster(t *testing.T) {
	t.Parallel()
	for _, m := range modes {
		t.Run(m.name, func(t *testing.T) {
			u := newUser(t)
			in := text(500, 3)
			input := u.put("in.txt", in)
			p := u.start("", "weft", m.with("-ynm", "nightly", "-yqu", "default", "-p", "2", u.example("wordcount"), "-input", input, "-output", u.out("out"))...)
			app := p.application()
			r := p.wait()
			if r.code != 0 {
				t.Fatalf("%s", r)
			}
			t.Logf("%s mode: %v from Enter to the result", m.name, r.took)
			for _, want := range []string{"JobManager Web Interface: http://", "Application id: " + app, "Job has been submitted with JobID", "Program execution finished", "Job Runtime:"} {
				if !strings.Contains(r.stdout, want) {
					t.Errorf("%q is not in %s", want, r)
				}
			}
			u.same("counts", u.lines(u.out("out")), count(in))
			u.endsAs(app, "SUCCEEDED", "has finished")
			if a, err := u.c.App(t.Context(), app); err != nil || a.Name != "nightly" || a.Type != "Weft" {
				t.Errorf("%+v, %v", a, err)
			}
			if _, err := os.Stat(filepath.Join(u.home, ".weft", app)); err == nil {
				t.Error("the token is still there")
			}
			u.fails(3, []string{"there is no session"}, "weft", "list")
		})
	}
}

// slowIn starts a slow job in a cluster of its own.
func (u *user) slowIn(m mode, options ...string) *slowJob {
	u.t.Helper()
	j := &slowJob{u: u, out: u.out("results/out")}
	for i := range 6 {
		part := text(500, 11+i)
		u.put(fmt.Sprintf("input/%d.txt", i), part)
		j.in += part
	}
	u.mkdir("results")
	words := append(append([]string{"-p", "2"}, options...), testJob(u.t), "-mode", "slow", "-pause", "2ms", "-input", u.out("input"), "-output", j.out)
	j.p = u.start("", "weft", m.with(words...)...)
	j.app = j.p.application()
	return j
}

// submitted waits until the job has been submitted.
func (j *slowJob) submitted() {
	j.u.t.Helper()
	j.p.says("Job has been submitted with JobID")
	j.id = j.u.submitted(j.p.stdout.String())
	j.api = j.u.api(j.app)
}

// A TaskManager that is killed costs time, not results.
func TestOwnClusterLosesTaskManager(t *testing.T) {
	t.Parallel()
	for _, m := range modes {
		t.Run(m.name, func(t *testing.T) {
			u := newUser(t)
			j := u.slowIn(m)
			j.submitted()
			j.spread()
			u.kill9(u.processes(j.app, "taskmanager")[0])
			r := j.p.wait()
			if r.code != 0 || !strings.Contains(r.stderr, "switched to RESTARTING") {
				t.Errorf("%s", r)
			}
			u.same("counts", u.lines(j.out), count(j.in))
			u.endsAs(j.app, "SUCCEEDED")
		})
	}
}

// A job that fails is a FAILED application, whose diagnostics say why.
func TestOwnClusterJobFails(t *testing.T) {
	t.Parallel()
	for _, m := range modes {
		t.Run(m.name, func(t *testing.T) {
			u := newUser(t)
			p := u.start("", "weft", m.with(testJob(t), "-mode", "error", "-input", u.put("in.txt", text(20, 1)), "-output", u.out("out"))...)
			app := p.application()
			if r := p.wait(); r.code != 1 || !strings.Contains(r.stderr, "Caused by: ") || !strings.Contains(r.stderr, "bad line") {
				t.Errorf("%s", r)
			}
			u.endsAs(app, "FAILED", "bad line", "subtask 1")
			u.absent(u.out("out"))
		})
	}
}

// Ctrl-C leaves the job running, or cancels it where that is asked for.
func TestOwnClusterInterrupted(t *testing.T) {
	t.Parallel()
	for _, m := range modes {
		t.Run(m.name, func(t *testing.T) {
			u := newUser(t)
			j := u.slowIn(m, "-sae")
			j.submitted()
			if err := j.p.cmd.Process.Signal(syscall.SIGINT); err != nil {
				t.Fatal(err)
			}
			if r := j.p.wait(); r.code != 130 {
				t.Errorf("%s", r)
			}
			u.endsAs(j.app, "KILLED")
			u.absent(j.out)
		})
		t.Run(m.name+" goes on", func(t *testing.T) {
			u := newUser(t)
			j := u.slowIn(m)
			j.submitted()
			if err := j.p.cmd.Process.Signal(syscall.SIGINT); err != nil {
				t.Fatal(err)
			}
			if r := j.p.wait(); r.code != 130 || !strings.Contains(r.stderr, "goes on") {
				t.Errorf("%s", r)
			}
			list := u.ok("weft", "list", "-yid", j.app)
			if !strings.Contains(list.stdout, j.id) {
				t.Errorf("%s", list)
			}
			cancel := u.ok("weft", "cancel", "-m", "yarn-cluster", "-yid", j.app, j.id)
			if !strings.Contains(cancel.stdout, "Cancelled job "+j.id) {
				t.Errorf("%s", cancel)
			}
			u.endsAs(j.app, "KILLED", j.id)
		})
	}
}

// Detached, the client's process group may be killed at once: the job goes on and the cluster ends with it.
func TestOwnClusterDetached(t *testing.T) {
	t.Parallel()
	for _, m := range modes {
		t.Run(m.name, func(t *testing.T) {
			u := newUser(t)
			j := u.slowIn(m, "-d")
			if r := j.p.wait(); r.code != 0 || !strings.Contains(r.stdout, "Application id: "+j.app) {
				t.Fatalf("%s", r)
			}
			u.until("the job is listed", func() bool {
				return strings.Contains(u.ok("weft", "list", "-yid", j.app).stdout, "test job slow")
			})
			u.endsAs(j.app, "SUCCEEDED")
			u.same("counts", u.lines(j.out), count(j.in))
		})
	}
}

// A cluster for one job takes no other, and what its client may do wrong starts none.
func TestPerJobRefusals(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	u.fails(2, []string{"does not exist"}, "weft", perJob.with(u.example("wordcount"), "-input", u.out("missing"), "-output", u.out("out"))...)
	u.fails(2, []string{"no licence found"}, "weft", perJob.with(testJob(t), "-mode", "exit-plan")...)
	u.nothingLeft()
	j := u.slowIn(perJob)
	j.submitted()
	u.fails(1, []string{"for one job"}, "weft", "run", "-yid", j.app, u.example("wordcount"), "-input", u.put("in.txt", "a"), "-output", u.out("out"))
	u.ok("weft", "cancel", "-yid", j.app, j.id)
	if r := j.p.wait(); r.code != 1 || !strings.Contains(r.stderr, "CANCELED") {
		t.Errorf("%s", r)
	}
	u.endsAs(j.app, "KILLED")
}

// Main runs in the JobManager's container; its Execute calls run one after the other in the one cluster.
func TestApplicationMain(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	in := text(300, 5)
	args := []string{"-mode", "twice", "-input", u.put("in.txt", in), "-output", u.out("out")}
	u.mkdir("jobs")
	if err := u.c.Put(t.Context(), testJob(t), u.hdfs+"/jobs/testjob"); err != nil {
		t.Fatal(err)
	}
	p := u.start("", "weft", inAM.with(append([]string{u.out("jobs/testjob")}, args...)...)...)
	app := p.application()
	r := p.wait()
	if r.code != 0 || strings.Count(r.stdout, "Job has been submitted with JobID") != 2 || strings.Count(r.stdout, "Program execution finished") != 2 {
		t.Errorf("%s", r)
	}
	u.endsAs(app, "SUCCEEDED", "2 jobs have finished")
	u.same("first", u.lines(u.out("out")), count(in))
	u.same("second", u.lines(u.out("out-again")), count(in))
	logs, err := u.c.ContainerLogs(app)
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for name, text := range logs {
		if strings.Contains(name, "main.out") || strings.Contains(text, "LogType:main.out") {
			found = found || strings.Contains(text, "main runs in container_") && strings.Contains(text, "second result is there too")
		}
	}
	if !found {
		t.Errorf("main's output is in none of the logs")
	}
}

// A main that ends before its first Execute is a failed application that shows what it wrote.
func TestApplicationMainFails(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	for mode, want := range map[string]string{"exit-plan": "no licence found", "panic-plan": "the plan went wrong", "none": "nothing to do today"} {
		p := u.start("", "weft", inAM.with(testJob(t), "-mode", mode)...)
		app := p.application()
		if r := p.wait(); r.code != 1 || !strings.Contains(r.stderr, want) {
			t.Errorf("%s: %s", mode, r)
		}
		u.endsAs(app, "FAILED", want)
	}
	u.fails(2, []string{"there is no job"}, "weft", inAM.with(u.out("jobs/missing"))...)
	u.fails(2, []string{"weft run takes the other targets"}, "weft", "run-application", "-t", "yarn-session", testJob(t))
}

// A main dies with its JobManager, and the application has failed.
func TestApplicationJobManagerKilled(t *testing.T) {
	u := newUser(t)
	j := u.slowIn(inAM)
	j.submitted()
	u.kill9(u.processes(j.app, "jobmanager")[0])
	if r := j.p.wait(); r.code != 1 {
		t.Errorf("%s", r)
	}
	u.until("nothing of it runs", func() bool { return len(u.c.Processes(j.app)) == 0 })
}
