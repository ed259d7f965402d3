//go:build realhadoop

package acceptance

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// relocated makes the user's distribution a copy of its own, with a configuration directory beside.
func (u *user) relocated(dir string) {
	u.t.Helper()
	u.dist = filepath.Join(dir, "dist")
	if err := os.CopyFS(u.dist, os.DirFS(distribution(u.t))); err != nil {
		u.t.Fatal(err)
	}
	conf := filepath.Join(dir, "conf")
	if err := os.CopyFS(conf, os.DirFS(filepath.Join(u.dist, "conf"))); err != nil {
		u.t.Fatal(err)
	}
	u.without("WEFT_CONF_DIR")
	u.env = append(u.env, "WEFT_CONF_DIR="+conf)
}

// A session needs nothing of what its client had on disk: distribution, configuration and home go away, and everything goes on.
func TestMovedAway(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	root := t.TempDir()
	u.relocated(filepath.Join(root, "first"))
	u.home = filepath.Join(root, "home")
	if err := os.Mkdir(u.home, 0o700); err != nil {
		t.Fatal(err)
	}
	u.without("HOME")
	u.env = append(u.env, "HOME="+u.home)
	r := u.ok("yarn-session.sh", "-d", "-jm", "768", "-tm", "1024", "-s", "2")
	app := applicationID.FindString(r.stdout)
	t.Cleanup(func() { u.kill(app) })
	words := text(300, 8)
	input := u.put("in.txt", words)
	u.ok("weft", "run", u.example("wordcount"), "-input", input, "-output", u.out("before"))
	run := u.start("", "weft", "run", testJob(t), "-mode", "slow", "-pause", "25ms", "-input", input, "-output", u.out("during"))
	run.says("Job has been submitted")
	u.until("the job has a worker", func() bool { return len(u.workers(app)) == 1 })
	u.fromLocalDirs(app)

	for _, name := range []string{"first", "home"} {
		if err := os.Rename(filepath.Join(root, name), filepath.Join(root, name+"-moved")); err != nil {
			t.Fatal(err)
		}
	}
	// Somebody with nothing but another distribution and the same name in HDFS finds the session and uses it.
	other := *u
	other.home, other.tmp = t.TempDir(), t.TempDir()
	other.without("HOME", "TMPDIR")
	other.env = append(other.env, "HOME="+other.home, "TMPDIR="+other.tmp)
	other.relocated(filepath.Join(root, "second"))
	if r := other.ok("weft", "list", "-yid", app); !strings.Contains(r.stdout, "test job slow (RUNNING)") {
		t.Errorf("list: %s", r)
	}
	other.ok("weft", "run", "-yid", app, other.example("wordcount"), "-input", input, "-output", u.out("beside"))
	u.same("a job of the other distribution", u.lines(u.out("beside")), count(words))
	// A TaskManager more is started from what lies in HDFS.
	other.ok("weft", "run", "-yid", app, "-p", "3", other.example("wordcount"), "-input", input, "-output", u.out("more"))
	u.same("a job that needs another TaskManager", u.lines(u.out("more")), count(words))
	if n := len(u.processes(app, "taskmanager")); n < 2 {
		t.Errorf("%d TaskManagers, expected 2", n)
	}
	u.fromLocalDirs(app)
	if r := run.wait(); r.code != 0 || strings.Contains(r.stderr, "RESTARTING") {
		t.Errorf("the job that ran: %s", r)
	}
	u.same("the job that ran", u.lines(u.out("during")), count(words))
	if r := other.doWith("stop\n", "yarn-session.sh", "-id", app); r.code != 0 {
		t.Errorf("stop: %s", r)
	}
	u.until("nothing of it runs", func() bool { return len(u.c.Processes(app)) == 0 })
}

// fromLocalDirs checks what the processes of an application are, as ps shows them, and where their executables lie.
func (u *user) fromLocalDirs(app string) {
	t := u.t
	t.Helper()
	below := filepath.Join(u.c.Dir(), "nodemanager-")
	seen := map[string]int{}
	for _, p := range u.c.Processes(app) {
		if strings.HasSuffix(p.Exe, "/bash") || strings.HasSuffix(p.Exe, "/dash") || strings.HasSuffix(p.Exe, "/sh") {
			continue
		}
		if !strings.HasPrefix(p.Exe, below) || !strings.Contains(p.Exe, "/local/") {
			t.Errorf("%v: its executable %s does not lie below %s*/local", p.Args, p.Exe, below)
		}
		line, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(p.PID), "cmdline"))
		if err != nil {
			continue // it has just ended
		}
		text := strings.ReplaceAll(string(line), "\x00", " ")
		for _, role := range []string{"weft jobmanager ", "weft taskmanager ", "testjob "} {
			if strings.HasPrefix(text, role) || strings.HasPrefix(text, "./"+role) {
				seen[role]++
			}
		}
	}
	if seen["weft jobmanager "] != 1 || seen["weft taskmanager "] < 1 || seen["testjob "] != 1 {
		t.Errorf("processes: %v", seen)
	}
}
