package standalone_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/weft-project/weft/rest"
)

var jobID = regexp.MustCompile(`JobID ([0-9a-f]{32})`)

// The life of a cluster: two TaskManagers on this machine, a job, one of them killed while a job runs and another one added,
// and nothing left at the end.
func TestCluster(t *testing.T) {
	s := newSite(t, "localhost # the first\nlocalhost")
	out := s.start()
	for _, want := range []string{"Starting cluster.", "Starting standalonesession daemon on host ", "Starting taskexecutor daemon on host ",
		"[INFO] 1 instance(s) of taskexecutor are already running on "} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in %s", want, out)
		}
	}
	if st, err := os.Stat(filepath.Join(s.conf, "secret")); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("conf/secret: %v, %v", st, err)
	}
	c := s.client()
	s.slots(c, 2)
	in, counts := s.input()
	results := t.TempDir()
	out = s.ok("weft", "run", "-p", "2", s.job, "-input", in, "-output", "file://"+results+"/one")
	if !strings.Contains(out, "to the JobManager") || !jobID.MatchString(out) {
		t.Errorf("run: %s", out)
	}
	s.compare(results+"/one", counts)
	out = s.ok("weft", "run", "-m", "localhost:"+strconv.Itoa(s.restPort), s.job, "-input", in, "-output", "file://"+results+"/two")
	if strings.Contains(out, "Uploaded") {
		t.Errorf("the binary was sent again: %s", out)
	}
	if out = s.ok("weft", "list", "-a"); strings.Count(out, "(FINISHED)") != 2 {
		t.Errorf("list: %s", out)
	}

	t.Run("killed", func(t *testing.T) { s.killed(c, in, counts, results+"/three") })
	t.Run("cancel", func(t *testing.T) {
		out := s.ok("weft", "run", "-t", "remote", "-d", s.job, "-gate", s.gate(), "-input", in, "-output", "file://"+results+"/four")
		s.ok("weft", "cancel", jobID.FindStringSubmatch(out)[1])
		if out := s.ok("weft", "list", "-a"); strings.Count(out, "(CANCELED)") != 1 {
			t.Errorf("list: %s", out)
		}
	})
	t.Run("stranger", func(t *testing.T) { s.stranger(t, c) })

	// One that runs is cancelled with the cluster.
	s.ok("weft", "run", "-d", s.job, "-gate", s.gate(), "-input", in, "-output", "file://"+results+"/five")
	out = s.ok("stop-cluster.sh")
	if !strings.Contains(out, "Stopping standalonesession daemon (pid: ") {
		t.Errorf("stop-cluster.sh: %s", out)
	}
	s.empty()
	if out, code := s.do("weft", "list"); code != 3 || !strings.Contains(out, "no JobManager answers at localhost:") {
		t.Errorf("list without a cluster: exit code %d, %s", code, out)
	}
}

// killed kills a TaskManager in the middle of a job, when another one has been added, and removes one in an orderly way.
func (s *site) killed(c *rest.Client, in string, counts []string, output string) {
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	gate := s.gate()
	run, out := s.command(ctx, "weft", "run", "-p", "2", s.job, "-gate", gate, "-input", in, "-output", "file://"+output)
	if err := run.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.ok("taskmanager.sh", "start", "-D", "taskmanager.numberOfTaskSlots=2")
	s.slots(c, 4)
	s.reached(gate)
	victim := 0
	tms, err := c.TaskManagers(ctx)
	for _, tm := range tms {
		if tm.Slots == 1 && tm.FreeSlots == 0 {
			_, pid, _ := net.SplitHostPort(tm.Path)
			victim, _ = strconv.Atoi(pid)
		}
	}
	if err != nil || victim < 2 {
		s.t.Fatalf("no TaskManager is busy: %+v, %v", tms, err)
	}
	if err := syscall.Kill(victim, syscall.SIGKILL); err != nil {
		s.t.Fatal(err)
	}
	s.slots(c, 3)
	s.open(gate)
	if err := run.Wait(); err != nil {
		s.t.Fatalf("the job: %v\n%s", err, out)
	}
	if !strings.Contains(out.String(), "RESTARTING") {
		s.t.Errorf("the job did not notice: %s", out)
	}
	s.compare(output, counts)
	if text := s.ok("taskmanager.sh", "stop"); strings.Count(text, "Stopping taskexecutor daemon") != 1 {
		s.t.Errorf("taskmanager.sh stop: %s", text)
	}
	s.slots(c, 1)
	s.ok("taskmanager.sh", "start")
	s.slots(c, 2)
}

// stranger is a user without the cluster's secret.
func (s *site) stranger(t *testing.T, c *rest.Client) {
	other := *s
	other.conf = t.TempDir()
	config, err := os.ReadFile(filepath.Join(s.conf, "config.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	other.write("config.yaml", string(config))
	other.env = append(slices.Clone(s.env), "WEFT_CONF_DIR="+other.conf)
	address := "localhost:" + strconv.Itoa(s.restPort)
	if out, code := other.do("weft", "list", "-m", address); code == 0 || !strings.Contains(out, "wants the token of the cluster's owner") {
		t.Errorf("list without a token: exit code %d, %s", code, out)
	}
	if out, code := other.do("taskmanager.sh", "start"); code == 0 || !strings.Contains(out, "secret does not exist") {
		t.Errorf("a TaskManager without the secret: exit code %d, %s", code, out)
	}
	other.write("secret", strings.Repeat("5e", 32))
	if out, code := other.do("weft", "run", "-m", address, s.job, "-input", "file:///etc/hostname"); code == 0 ||
		!strings.Contains(out, "does not accept the token in "+other.conf) {
		t.Errorf("run with another cluster's token: exit code %d, %s", code, out)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tm, _ := other.command(ctx, "taskmanager.sh", "start-foreground")
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	tm.Stdout, tm.Stderr = log, log
	if err := tm.Start(); err != nil {
		t.Fatal(err)
	}
	s.until("the stranger is refused", func() bool {
		b, err := os.ReadFile(log.Name())
		return err == nil && bytes.Contains(b, []byte("no connection to the JobManager"))
	})
	if o, err := c.Overview(ctx); err != nil || o.TaskManagers != 2 {
		t.Errorf("with a stranger: %+v, %v", o, err)
	}
	if err := errors.Join(tm.Process.Signal(syscall.SIGTERM), tm.Wait()); err != nil {
		t.Error(err)
	}
}

// Hosts that are not this machine are reached by ssh, with the script of the same directory.
func TestOtherHosts(t *testing.T) {
	s := newSite(t, "", "env.ssh.opts: -p 2222", "taskmanager.host: localhost")
	if err := os.Remove(filepath.Join(s.conf, "workers")); err != nil {
		t.Fatal(err)
	}
	s.write("slaves", "worker-1.invalid\nlocalhost")
	bin := t.TempDir()
	ssh := "#!/bin/sh\nprintf '%s\\n' \"$*\" >> " + bin + "/asked\nfor last; do :; done\nexec sh -c \"$last\"\n"
	if err := os.WriteFile(filepath.Join(bin, "ssh"), []byte(ssh), 0o700); err != nil {
		t.Fatal(err)
	}
	s.env = append(s.env, "PATH="+bin+":"+os.Getenv("PATH"))
	s.start()
	c := s.client()
	s.slots(c, 2)
	s.ok("stop-cluster.sh")
	s.empty()
	asked, err := os.ReadFile(filepath.Join(bin, "asked"))
	want := fmt.Sprintf("-n -p 2222 -- worker-1.invalid WEFT_CONF_DIR='%s' '%s/bin/taskmanager.sh' ", s.conf, s.dist)
	if err != nil || string(asked) != want+"'start'\n"+want+"'stop-all'\n" {
		t.Errorf("ssh was asked: %s, %v; expected %s", asked, err, want)
	}
}

// What the scripts say, and what they refuse.
func TestScripts(t *testing.T) {
	s := newSite(t, "localhost")
	for _, name := range []string{"start-cluster.sh", "stop-cluster.sh", "jobmanager.sh", "taskmanager.sh", "standalone-job.sh", "zookeeper.sh"} {
		if out := s.ok(name, "--help"); !strings.HasPrefix(out, "Usage: "+name) {
			t.Errorf("%s --help: %s", name, out)
		}
	}
	for want, line := range map[string][]string{
		"no job: name a job binary":  {"standalone-job.sh", "start"},
		"there is no job counts":     {"standalone-job.sh", "start", "-j", "counts"},
		"is the weft command itself": {"standalone-job.sh", "start-foreground", "/proc/self/exe"},
		"zkServer.sh":                {"zookeeper.sh", "start"},
		`taskmanager.sh: unexpected "restart"` + "\nUsage: taskmanager": {"taskmanager.sh", "restart"},
		"jobmanager.sh: expected an action":                             {"jobmanager.sh"},
		`jobmanager.sh: unexpected argument "x"`:                        {"jobmanager.sh", "start-foreground", "localhost", "1", "x"},
		"taskmanager.numberOfTaskSlots":                                 {"taskmanager.sh", "start", "-D", "taskmanager.numberOfTaskSlots=none"},
		"the taskexecutor did not start":                                {"taskmanager.sh", "start"}, // there is no secret yet
		"conf/masters names 2 hosts (one, two:8081)":                    {"start-cluster.sh"},
		"Usage: stop-cluster.sh":                                        {"stop-cluster.sh", "now"},
		"make a new secret and chmod 600 the file":                      {"jobmanager.sh", "token"},
		"expected start [HOST] [WEBUI-PORT] [OPTIONS]":                  {"jobmanager.sh", "start", "a", "1", "c"},
		"is not a file of this user alone: remove it":                   {"taskmanager.sh", "stop-all"},
		"the standalonesession did not start (" + s.log + "/weft-":      {"jobmanager.sh", "start", "192.0.2.1"},
	} {
		switch {
		case strings.HasPrefix(want, "conf/masters"):
			s.write("masters", "one\ntwo:8081")
		case strings.HasPrefix(want, "make a new secret"):
			s.write("secret", strings.Repeat("5e", 32))
			if err := os.Chmod(filepath.Join(s.conf, "secret"), 0o640); err != nil {
				t.Fatal(err)
			}
		case strings.HasPrefix(want, "is not a file"):
			s.do("taskmanager.sh", "stop") // tells where it is
			s.foreign()
		}
		if out, code := s.do(line[0], line[1:]...); code == 0 || !strings.Contains(out, want) {
			t.Errorf("%v: exit code %d, %q is not in %s", line, code, want, out)
		}
		for _, name := range []string{"masters", "secret"} {
			if err := os.Remove(filepath.Join(s.conf, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Fatal(err)
			}
		}
		pids, err := filepath.Glob(s.tmp + "/*.pid")
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range pids {
			if err := os.Remove(p); err != nil {
				t.Fatal(err)
			}
		}
	}
	if out := s.ok("taskmanager.sh", "stop"); !strings.Contains(out, "No taskexecutor daemon to stop on host ") {
		t.Errorf("stop: %s", out)
	}
	s.empty()
}

// foreign writes a file of processes as others could write it.
func (s *site) foreign() {
	s.t.Helper()
	s.ok("jobmanager.sh", "start")
	pids, err := filepath.Glob(s.tmp + "/*-jobmanager-*.pid")
	if err != nil || len(pids) != 1 {
		s.t.Fatalf("%v, %v", pids, err)
	}
	s.ok("jobmanager.sh", "stop")
	path := strings.Replace(pids[0], "-jobmanager-", "-taskmanager-", 1)
	if err := errors.Join(os.WriteFile(path, []byte("2 0 0\n"), 0o600), os.Chmod(path, 0o666)); err != nil {
		s.t.Fatal(err)
	}
}

// The REST server's documents name the cluster.
func TestClusterDocument(t *testing.T) {
	s := newSite(t, "localhost", "security.rest.auth: none", "high-availability.cluster-id: tests")
	s.start()
	c := s.client()
	s.slots(c, 1)
	cluster, err := c.Cluster(t.Context())
	if err != nil || cluster.ClusterID != "tests" || cluster.Target != "standalone" || cluster.TaskManagerSlots != 1 {
		t.Errorf("cluster: %+v, %v", cluster, err)
	}
	tms, err := c.TaskManagers(t.Context())
	if err != nil || len(tms) != 1 || !strings.HasPrefix(tms[0].ID, "localhost-") {
		t.Errorf("TaskManagers: %+v, %v", tms, err)
	}
}
