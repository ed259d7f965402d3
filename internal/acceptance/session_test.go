//go:build realhadoop

package acceptance

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// The life of a detached session: start, find, run, list, stop, gone.
func TestDetachedSession(t *testing.T) {
	u := newUser(t)
	r := u.ok("yarn-session.sh", "-jm", "1024", "-tm", "2048", "-d", "-nm", "nightly counts")
	app := applicationID.FindString(r.stdout)
	t.Cleanup(func() { u.kill(app) })
	for _, want := range []string{"JobManager Web Interface: http://", "Application id: " + app, `echo "stop" | ./bin/yarn-session.sh -id ` + app, "yarn application -kill " + app} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("%q is not in %s", want, r)
		}
	}
	entries, err := os.ReadDir(u.tmp)
	if err != nil || len(entries) != 1 || !strings.HasPrefix(entries[0].Name(), ".yarn-properties-") {
		t.Fatalf("properties file: %v, %v", entries, err)
	}
	name := filepath.Join(u.tmp, entries[0].Name())
	st, err := os.Stat(name)
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("properties file: %v, %v", st.Mode(), err)
	}
	b, err := os.ReadFile(name)
	if err != nil || !strings.Contains(string(b), app) {
		t.Errorf("properties file: %q, %v", b, err)
	}
	token, err := os.ReadFile(filepath.Join(u.home, ".weft", app, "token"))
	if err != nil || strings.Contains(string(b), strings.TrimSpace(string(token))) {
		t.Errorf("the token: %v, or it is in the properties file", err)
	}
	a, err := u.c.App(t.Context(), app)
	if err != nil || a.Name != "nightly counts" || a.State != "RUNNING" {
		t.Errorf("application: %+v, %v", a, err)
	}

	in := text(500, 1)
	input := u.put("in.txt", in)
	run := u.ok("weft", "run", u.example("wordcount"), "-input", input, "-output", "hdfs://"+u.hdfs+"/out")
	for _, want := range []string{"Job has been submitted with JobID", "Program execution finished", "Job Runtime:"} {
		if !strings.Contains(run.stdout, want) {
			t.Errorf("%q is not in %s", want, run)
		}
	}
	u.same("one file", u.lines("hdfs://"+u.hdfs+"/out"), count(in))
	u.put("many/a.txt", in)
	u.put("many/b.txt.gz", zipped(t, in))
	u.ok("weft", "run", "-p", "2", u.example("wordcount"), "-input", "hdfs://"+u.hdfs+"/many", "-output", "hdfs://"+u.hdfs+"/out2")
	u.same("directory with a packed file", u.lines("hdfs://"+u.hdfs+"/out2"), count(in+in))
	if files, err := u.c.List(t.Context(), u.hdfs+"/out2"); err != nil || len(files) != 2 {
		t.Errorf("part files: %v, %v", files, err)
	}

	list := u.ok("weft", "list", "-a")
	if strings.Count(list.stdout, "WordCount (FINISHED)") != 2 {
		t.Errorf("list: %s", list)
	}
	stop := u.doWith("stop\n", "yarn-session.sh", "-id", app)
	if stop.code != 0 {
		t.Errorf("stop: %s", stop)
	}
	u.until("the application has ended", func() bool {
		a, err := u.c.App(t.Context(), app)
		return err == nil && a.State == "FINISHED"
	})
	if a, err := u.c.App(t.Context(), app); err != nil || a.FinalStatus != "SUCCEEDED" {
		t.Errorf("application: %+v, %v", a, err)
	}
	u.until("nothing of it runs", func() bool { return len(u.c.Processes(app)) == 0 })
	for _, dir := range []string{"/.weft/staging/", "/.weft/refs/"} {
		if left, err := u.c.List(t.Context(), u.hdfs+dir+app); err == nil {
			t.Errorf("%s%s is still there: %v", dir, app, left)
		}
	}
	u.fails(3, []string{"there is no session"}, "weft", "list")
	if _, err := os.Stat(filepath.Join(u.home, ".weft", app)); err == nil {
		t.Error("the token is still there")
	}
}

// A session that is gone without this user's doing is told plainly.
func TestSessionGone(t *testing.T) {
	u := newUser(t)
	app := u.session()
	if err := u.c.KillApp(t.Context(), app); err != nil {
		t.Fatal(err)
	}
	u.until("nothing of it runs", func() bool { return len(u.c.Processes(app)) == 0 })
	u.fails(3, []string{"the session is gone", app, "KILLED", "yarn-session.sh"}, "weft", "list")
	u.fails(3, []string{"there is no session"}, "weft", "list")
	if left, err := u.c.List(t.Context(), u.hdfs+"/.weft/staging"); err == nil && len(left) > 0 {
		// The next command that starts something cleans up.
		u.session()
		u.until("the killed session's files are gone", func() bool {
			left, err := u.c.List(t.Context(), u.hdfs+"/.weft/staging/"+app)
			return err != nil || len(left) == 0
		})
	}
}

// Attached: the prompt knows help and stop; Ctrl-C and the end of input shut down too.
func TestAttachedSession(t *testing.T) {
	u := newUser(t)
	p := u.start("-", "yarn-session.sh", "-jm", "768", "-tm", "1024")
	p.says("JobManager Web Interface")
	app := applicationID.FindString(p.stdout.String())
	if _, err := p.in.Write([]byte("help\n")); err != nil {
		t.Fatal(err)
	}
	p.says("stop")
	if _, err := p.in.Write([]byte("stop\n")); err != nil {
		t.Fatal(err)
	}
	if r := p.wait(); r.code != 0 {
		t.Errorf("stop at the prompt: %s", r)
	}
	u.until("nothing of it runs", func() bool { return len(u.c.Processes(app)) == 0 })

	p = u.start("-", "yarn-session.sh", "-n", "2", "-st")
	p.says("JobManager Web Interface")
	p.says("-n")
	app = applicationID.FindString(p.stdout.String())
	if err := p.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if r := p.wait(); r.code != 0 && r.code != 130 {
		t.Errorf("Ctrl-C: %s", r)
	}
	u.until("the application has ended", func() bool {
		a, err := u.c.App(t.Context(), app)
		return err == nil && a.State == "FINISHED" && a.FinalStatus == "SUCCEEDED"
	})
	u.until("nothing of it runs", func() bool { return len(u.c.Processes(app)) == 0 })
}
