//go:build realhadoop

package acceptance

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/weft-project/weft/internal/devcluster"
)

// without is the user's environment less some variables.
func (u *user) without(names ...string) {
	var env []string
	for _, kv := range u.env {
		keep := true
		for _, n := range names {
			keep = keep && !strings.HasPrefix(kv, n+"=")
		}
		if keep {
			env = append(env, kv)
		}
	}
	u.env = env
}

// nothingLeft checks that a start that did not come about has left no application, no files in HDFS, none at home.
func (u *user) nothingLeft() {
	u.t.Helper()
	apps, err := u.c.Apps(u.t.Context())
	if err != nil {
		u.t.Fatal(err)
	}
	for _, a := range apps {
		if a.User == filepath.Base(u.hdfs) && a.FinalStatus == "UNDEFINED" {
			u.t.Errorf("an application is left: %+v", a)
		}
	}
	for _, dir := range []string{"/.weft/staging", "/.weft/refs"} {
		if left, err := u.c.List(u.t.Context(), u.hdfs+dir); err == nil && len(left) > 0 {
			u.t.Errorf("left in HDFS below %s: %v", dir, left)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(u.home, ".weft", "application_*")); len(left) > 0 {
		u.t.Errorf("left at home: %v", left)
	}
	if left, err := os.ReadDir(u.tmp); err != nil || len(left) > 0 {
		u.t.Errorf("left among the temporary files: %v, %v", left, err)
	}
}

// sentence checks that a command has ended with one error, and without a stack.
func sentence(t *testing.T, r result) {
	t.Helper()
	if n := strings.Count(strings.TrimSpace(r.stderr), "Error:"); n != 1 {
		t.Errorf("%d errors, expected one: %s", n, r)
	}
	for _, bad := range []string{"goroutine ", "\tat ", "panic:"} {
		if strings.Contains(r.stderr, bad) {
			t.Errorf("%q is no part of a sentence: %s", bad, r)
		}
	}
}

// No Hadoop configuration is one sentence that says where it was looked for.
func TestNoHadoopConfiguration(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	u.without("HADOOP_CONF_DIR", "YARN_CONF_DIR", "HADOOP_HOME", "HADOOP_COMMON_HOME", "HADOOP_YARN_HOME", "HADOOP_PREFIX")
	for _, args := range [][]string{{"-d"}, {"-q"}, {"-id", "application_1700000000000_0001"}} {
		sentence(t, u.fails(2, []string{"HADOOP_CONF_DIR"}, "yarn-session.sh", args...))
	}
	sentence(t, u.fails(2, []string{"HADOOP_CONF_DIR"}, "weft", "run", "-yid", "application_1700000000000_0001", u.example("wordcount"), "-input", "/in", "-output", "/out"))
	u.env = append(u.env, "HADOOP_CONF_DIR="+filepath.Join(u.home, "nosuch"))
	sentence(t, u.fails(2, []string{"nosuch"}, "yarn-session.sh", "-d"))
}

// What cannot be had is refused before anything is submitted, with figures.
func TestContainersRefused(t *testing.T) {
	u := newUser(t)
	most := strconv.Itoa(u.c.NodeMemoryMB())
	for _, c := range []struct {
		code  int
		texts []string
		args  []string
	}{
		{2, []string{"a TaskManager needs 100000 MB", "largest container", most, "-tm"}, []string{"-tm", "100000"}},
		{2, []string{"the JobManager needs 100000 MB", "largest container", most, "-jm"}, []string{"-jm", "100000"}},
		{2, []string{"a TaskManager needs 99 vcores", "largest container"}, []string{"-s", "99", "-tm", "8000"}},
		{2, []string{"128 MiB", "3 slots", "160 MiB"}, []string{"-tm", "128", "-s", "3"}},
		{2, []string{"64 MiB", "jobmanager.memory.process.size", "-jm"}, []string{"-jm", "10"}},
		{2, []string{`queue "nosuch"`, "unknown queue"}, []string{"-qu", "nosuch"}},
	} {
		sentence(t, u.fails(c.code, c.texts, "yarn-session.sh", append([]string{"-d"}, c.args...)...))
	}
	u.nothingLeft()
	// What is just not refused works.
	u.session("-jm", "256", "-tm", "160", "-s", "3")
	words := text(100, 9)
	u.ok("weft", "run", "-p", "3", u.example("wordcount"), "-input", u.put("in.txt", words), "-output", u.out("counts"))
	u.same("counts", u.lines(u.out("counts")), count(words))
}

// A queue without room: the ResourceManager's own words, a time limit, Ctrl-C and a client that is killed.
func TestFullQueue(t *testing.T) {
	t.Parallel()
	c := devcluster.Private(t, devcluster.Options{NodeManagers: 1, NodeMemoryMB: 2048,
		Conf: map[string]map[string]string{"yarn-site.xml": {"yarn.scheduler.maximum-allocation-mb": "8192",
			// For this long after its start the ResourceManager answers its configured maximum, later that of its largest node.
			"yarn.resourcemanager.work-preserving-recovery.scheduling-wait-ms": "3600000"}}})
	u := newUserOf(t, c)
	sentence(t, u.fails(2, []string{"no node is large enough", "a TaskManager", "4096 MB", "2048 MB", "-tm"}, "yarn-session.sh", "-d", "-tm", "4096"))
	sentence(t, u.fails(2, []string{"no node is large enough", "the JobManager", "4096 MB", "2048 MB", "-jm"}, "yarn-session.sh", "-d", "-jm", "4096"))
	full, err := c.Submit(t.Context(), devcluster.Command{Name: "full", MemoryMB: 1792, Shell: "exec sleep 600"})
	if err != nil {
		t.Fatal(err)
	}
	u.until("the queue is full", func() bool {
		a, err := c.App(t.Context(), full)
		return err == nil && a.State != "NEW" && a.AllocatedMB == 1792
	})
	t.Run("time limit", func(t *testing.T) {
		u := newUserOf(t, c)
		r := u.fails(3, []string{"waits in queue", "did not run after 4s (--submit-timeout)", "was withdrawn", "YARN says"}, "yarn-session.sh", "-d", "-jm", "1024", "-tm", "1024", "--submit-timeout", "4s")
		sentence(t, r)
		u.withdrawn(r.stderr)
		u.nothingLeft()
	})
	t.Run("interrupted", func(t *testing.T) {
		u := newUserOf(t, c)
		p := u.start("", "yarn-session.sh", "-d", "-jm", "1024", "-tm", "1024")
		p.says("current state ACCEPTED")
		if err := p.cmd.Process.Signal(syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		if r := p.wait(); r.code != 130 || !strings.Contains(r.stderr, "Interrupted.") {
			t.Errorf("Ctrl-C: %s", r)
		}
		u.withdrawn(p.stderr.String())
		u.nothingLeft()
	})
	for _, next := range [][]string{{"list"}, {"run", "JOB", "-input", "/in", "-output", "/out"}} {
		t.Run("killed, then "+next[0], func(t *testing.T) {
			u := newUserOf(t, c)
			p := u.start("", "yarn-session.sh", "-d", "-jm", "1024", "-tm", "1024")
			p.says("current state ACCEPTED")
			if err := p.cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			p.wait()
			for i, a := range next {
				if a == "JOB" {
					next[i] = u.example("wordcount")
				}
			}
			u.fails(3, []string{"there is no session", "whose client died while it started it"}, "weft", next...)
			u.withdrawn(p.stderr.String())
			u.nothingLeft()
		})
	}
}

// withdrawn checks that the application that a command has named while it started it is killed.
func (u *user) withdrawn(said string) {
	u.t.Helper()
	app := applicationID.FindString(said)
	u.until("application "+app+" is withdrawn", func() bool {
		a, err := u.c.App(u.t.Context(), app)
		return err == nil && a.State == "KILLED"
	})
}

// Daemons that are down, come back, or take no writes.
func TestDaemonsDown(t *testing.T) {
	t.Parallel()
	c := devcluster.Private(t, devcluster.Options{NodeManagers: 1, NodeMemoryMB: 4096,
		Conf: map[string]map[string]string{"hdfs-site.xml": {"dfs.blocksize": "4m", "dfs.datanode.du.reserved": reservedFor(t, 300<<20),
			// Otherwise a DataNode refuses blocks when it has less than another GiB.
			"dfs.datanode.round-robin-volume-choosing-policy.additional-available-space": "0"}}})
	t.Run("HDFS full", func(t *testing.T) { hdfsFull(newUserOf(t, c)) })
	t.Run("NameNode under a job", func(t *testing.T) { nameNodeRestarts(newUserOf(t, c)) })
	t.Run("ResourceManager", func(t *testing.T) { resourceManagerDown(newUserOf(t, c)) })
	t.Run("NameNode in safe mode", func(t *testing.T) { safeMode(newUserOf(t, c)) })
	t.Run("NameNode", func(t *testing.T) {
		u := newUserOf(t, c)
		stop(t, c, "namenode")
		sentence(t, u.fails(3, []string{c.NameNode()}, "yarn-session.sh", "-d"))
		startAgain(t, c, "namenode")
		u.nothingLeft()
		app := u.session("-jm", "512", "-tm", "512")
		if r := u.doWith("stop\n", "yarn-session.sh", "-id", app); r.code != 0 {
			t.Errorf("stop: %s", r)
		}
	})
}

func stop(t *testing.T, c *devcluster.Cluster, daemon string) {
	t.Helper()
	if err := c.StopDaemon(daemon); err != nil {
		t.Fatal(err)
	}
}

func startAgain(t *testing.T, c *devcluster.Cluster, daemon string) {
	t.Helper()
	if err := c.StartDaemon(t.Context(), daemon); err != nil {
		t.Fatal(err)
	}
}

// resourceManagerDown starts a session while the ResourceManager is away, and restarts the ResourceManager below it.
func resourceManagerDown(u *user) {
	t, c := u.t, u.c
	stop(t, c, "resourcemanager")
	p := u.start("", "yarn-session.sh", "-d")
	p.says("The ResourceManager does not answer, trying again")
	began := time.Now()
	if err := p.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if r := p.wait(); r.code != 130 || time.Since(began) > 5*time.Second {
		t.Errorf("Ctrl-C, %s ago: %s", time.Since(began), r)
	}
	p = u.start("", "yarn-session.sh", "-d", "-jm", "512", "-tm", "512")
	p.says("The ResourceManager does not answer, trying again")
	startAgain(t, c, "resourcemanager")
	r := p.wait()
	app := applicationID.FindString(r.stdout)
	if r.code != 0 || app == "" {
		t.Fatalf("the start did not go through: %s", r)
	}
	t.Cleanup(func() { u.kill(app) })

	before := u.processes(app, "jobmanager")
	if len(before) != 1 {
		t.Fatalf("JobManagers: %+v", before)
	}
	stop(t, c, "resourcemanager")
	if r := u.ok("weft", "list"); strings.Contains(r.stderr, "ResourceManager") {
		t.Errorf("the ResourceManager is not needed: %s", r)
	}
	words := text(200, 3)
	input := u.put("in.txt", words)
	job := u.start("", "weft", "run", u.example("wordcount"), "-input", input, "-output", u.out("counts"))
	job.says("Job has been submitted")
	startAgain(t, c, "resourcemanager")
	if r := job.wait(); r.code != 0 {
		t.Fatalf("a job that needs a new TaskManager after the restart: %s", r)
	}
	u.same("counts", u.lines(u.out("counts")), count(words))
	if after := u.processes(app, "jobmanager"); len(after) != 1 || after[0].PID != before[0].PID {
		t.Errorf("JobManagers before %+v, after %+v", before, after)
	}
	if r := u.doWith("stop\n", "yarn-session.sh", "-id", app); r.code != 0 {
		t.Errorf("stop: %s", r)
	}
	if a, err := c.App(t.Context(), app); err != nil || a.FinalStatus != "SUCCEEDED" {
		t.Errorf("%+v, %v", a, err)
	}
}

// safeMode starts a session while the NameNode takes no writes, and runs a job whose binary is not there yet.
func safeMode(u *user) {
	t, c := u.t, u.c
	app := u.session("-jm", "512", "-tm", "512")
	input := u.put("in.txt", text(10, 1))
	if err := c.SafeMode(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	other := newUserInSafeMode(u)
	sentence(t, other.fails(3, []string{"is in safe mode and takes no writes", "hdfs://" + c.NameNode(), "try again"}, "yarn-session.sh", "-d"))
	sentence(t, u.fails(3, []string{"is in safe mode and takes no writes"}, "weft", "run", u.example("wordcount"), "-input", input, "-output", u.out("counts")))
	if err := c.SafeMode(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	other.nothingLeft()
	u.ok("weft", "run", u.example("wordcount"), "-input", input, "-output", u.out("counts"))
	u.kill(app)
}

// newUserInSafeMode is the same person in HDFS with a home of its own here.
func newUserInSafeMode(u *user) *user {
	other := *u
	other.home, other.tmp = u.t.TempDir(), u.t.TempDir()
	other.without("HOME", "TMPDIR", "HADOOP_USER_NAME")
	other.hdfs = "/user/stranger"
	other.env = append(other.env, "HOME="+other.home, "TMPDIR="+other.tmp, "HADOOP_USER_NAME=stranger")
	return &other
}

// mapEnv makes this test binary, in a container, a process that maps so many MiB and touches none.
const mapEnv = "WEFT_TEST_MAP_MB"

// TestMapper is the process in the container of TestVirtualMemory; by itself it does nothing.
func TestMapper(t *testing.T) {
	mb, err := strconv.Atoi(os.Getenv(mapEnv))
	if err != nil {
		return
	}
	if _, err := syscall.Mmap(-1, 0, mb<<20, syscall.PROT_READ, syscall.MAP_ANON|syscall.MAP_PRIVATE|syscall.MAP_NORESERVE); err != nil {
		t.Fatal(err)
	}
	// YARN must kill it long before.
	<-time.After(patience)
}

// doctorOnVirtualMemory: doctor tells what the check makes of the sizes asked for, and finds a configuration that does not say that nodes check.
func (u *user) doctorOnVirtualMemory() {
	u.t.Helper()
	words := []string{"doctor", "-jm", "768", "-tm", "1024", "-s", "2"}
	if r := u.ok("weft", words...); !strings.Contains(r.stdout, "ok       virtual memory") || !strings.Contains(r.stdout, "YARN checks virtual memory") {
		u.t.Errorf("%s", r)
	}
	restore := u.withConf(">2.1<", ">9<") // the ratio that nodes allow
	defer restore()
	u.fails(2, []string{"problem  virtual memory", "checks virtual memory, which this configuration does not say", "yarn.nodemanager.vmem-check-enabled"}, "weft", words...)
}

// With Hadoop's own check of virtual memory in force (which is proven first), a session and its jobs live.
func TestVirtualMemory(t *testing.T) {
	t.Parallel()
	c := devcluster.Private(t, devcluster.Options{Profile: devcluster.ProfileVMem, NodeManagers: 1})
	u := newUserOf(t, c)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	mapper, err := c.Submit(t.Context(), devcluster.Command{Name: "map", MemoryMB: 1024, Env: map[string]string{mapEnv: "3072"},
		Shell: fmt.Sprintf("exec '%s' -test.run '^TestMapper$'", exe)})
	if err != nil {
		t.Fatal(err)
	}
	r := u.ok("yarn-session.sh", "-d", "-jm", "768", "-tm", "1024", "-s", "2")
	app := applicationID.FindString(r.stdout)
	t.Cleanup(func() { u.kill(app) })
	const raised = "YARN checks virtual memory (2.1 times the container): asking for a JobManager of "
	if n := strings.Count(r.stderr+r.stdout, raised); n != 1 {
		t.Errorf("%d lines about virtual memory, expected one: %s", n, r)
	}
	u.doctorOnVirtualMemory()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	a, err := c.WaitApp(ctx, mapper, "FAILED")
	if err != nil || !strings.Contains(a.Diagnostics, "beyond the 'VIRTUAL' memory limit") {
		t.Fatalf("a process that maps 3 GiB in a container of 1 GiB lives: %+v, %v", a, err)
	}
	// Two jobs that the NodeManager, which looks every three seconds, sees more than once.
	words := text(1400, 2)
	input := u.put("in.txt", words)
	var jobs []*process
	for i := range 2 {
		jobs = append(jobs, u.start("", "weft", "run", testJob(t), "-mode", "slow", "-pause", "5ms", "-input", input, "-output", u.out(fmt.Sprint("out", i))))
	}
	u.until("both jobs have a worker", func() bool { return len(u.workers(app)) == 2 })
	if tms := u.processes(app, "taskmanager"); len(tms) != 1 {
		t.Errorf("TaskManagers: %+v, expected one with two slots", tms)
	}
	for i, p := range jobs {
		if r := p.wait(); r.code != 0 || strings.Contains(r.stdout+r.stderr, "RESTARTING") || r.took < 6*time.Second {
			t.Errorf("job: %s", r)
		}
		u.same("counts", u.lines(u.out(fmt.Sprint("out", i))), count(words))
	}
	log, err := os.ReadFile(c.DaemonLog("nodemanager-0"))
	if err != nil || strings.Count(string(log), "beyond the 'VIRTUAL' memory limit") == 0 {
		t.Fatalf("the NodeManager's log does not tell of the one kill: %v", err)
	}
	for l := range strings.Lines(string(log)) {
		if strings.Contains(l, "beyond the 'VIRTUAL' memory limit") && strings.Contains(l, strings.TrimPrefix(app, "application_")) {
			t.Errorf("killed: %s", l)
		}
	}
}
