//go:build realhadoop

package acceptance

import (
	"strings"
	"testing"
)

// storedLogs waits until the nodes have stored all of these texts in the logs of an application that has ended; each stores its own
// in its own time.
func (u *user) storedLogs(texts []string, args ...string) string {
	u.t.Helper()
	var r result
	u.until("the nodes have stored the logs", func() bool {
		r = u.do("weft", append([]string{"logs"}, args...)...)
		all := r.code == 0
		for _, text := range texts {
			all = all && strings.Contains(r.stdout, text)
		}
		return all
	})
	return r.stdout
}

// The logs of a session's containers and those of one job among them, while it runs and when it has ended.
func TestLogs(t *testing.T) {
	u := newUser(t)
	app := u.session("-jm", "512", "-tm", "1024", "-D", "resourcemanager.taskmanager-timeout=10 min")
	input := u.put("in.txt", "a b a\n")
	job := u.submitted(u.ok("weft", "run", u.example("wordcount"), "-input", input).stdout)

	names := u.ok("weft", "logs", "--names", app)
	for _, want := range []string{"jobmanager.log", "taskmanager.log", "worker-" + job[:8]} {
		if !strings.Contains(names.stdout, want) {
			t.Errorf("%s is not in %s", want, names)
		}
	}
	all := u.ok("weft", "logs")
	for _, want := range []string{`msg="starting the JobManager"`, `msg="starting the TaskManager"`, "\n{a 2}\n"} {
		if !strings.Contains(all.stdout, want) {
			t.Errorf("%q is not in %d bytes", want, len(all.stdout))
		}
	}
	own := u.ok("weft", "logs", job)
	if !strings.Contains(own.stdout, ": worker-"+job[:8]) || strings.Contains(own.stdout, ": jobmanager.log") || !strings.Contains(own.stdout, "{b 1}") {
		t.Errorf("the job's logs: %s", own)
	}
	u.fails(1, []string{"logs of job"}, "weft", "logs", strings.Repeat("1", 32))

	// A container that is lost leaves its logs, for who asks for its job.
	u.kill9(u.processes(app, "taskmanager")[0])
	u.until("the TaskManager is gone", func() bool { return len(u.processes(app, "taskmanager")) == 0 })
	if lost := u.ok("weft", "logs", job); !strings.Contains(lost.stdout, "{b 1}") {
		t.Errorf("the job's logs when its container has ended: %s", lost)
	}
	if r := u.doWith("stop\n", "yarn-session.sh", "-id", app); r.code != 0 {
		t.Errorf("stop: %s", r)
	}
	u.storedLogs([]string{`msg="starting the JobManager"`, `msg="starting the TaskManager"`, "\n{a 2}\n"}, app)
	if own := u.storedLogs([]string{"{b 1}"}, "-yid", app, job); strings.Contains(own, ": jobmanager.log") {
		t.Errorf("the job's logs afterwards: %s", own)
	}
	u.fails(3, []string{"ResourceManager", "stored none"}, "weft", "logs", "application_1700000000000_0001")
}

// An example says which container its main runs in, here the JobManager's, and goes on when its client is killed.
func TestContainerOfMain(t *testing.T) {
	u := newUser(t)
	in := text(100, 7)
	p := u.start("", "weft", inAM.with("-d", u.example("wordcount"), "-container", "-input", u.put("in.txt", in), "-output", u.out("out"))...)
	app := p.application()
	p.says("Application id: " + app)
	_ = p.cmd.Process.Kill() // it may have ended
	u.until("it has ended", func() bool {
		a, err := u.c.App(t.Context(), app)
		return err == nil && a.FinalStatus == "SUCCEEDED"
	})
	u.same("counts", u.lines(u.out("out")), count(in))
	container := strings.Replace(app, "application", "container", 1) + "_01_000001"
	u.storedLogs([]string{"main runs in " + container + "\n"}, "--file", "main.out", app)
}
