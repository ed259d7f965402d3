//go:build realhadoop

package acceptance

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/rest"
)

// standalone makes a configuration of a standalone cluster for a user and gives a client of its JobManager's address.
func (u *user) standalone() (address string) {
	u.t.Helper()
	conf := u.t.TempDir()
	var ports []string
	for range 2 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			u.t.Fatal(err)
		}
		_, port, _ := net.SplitHostPort(l.Addr().String())
		ports = append(ports, port)
		defer l.Close()
	}
	text := fmt.Sprintf("rest.port: %s\njobmanager.rpc.port: %s\nenv.log.dir: %s\ntaskmanager.memory.process.size: 512m\n", ports[0], ports[1], u.t.TempDir())
	for name, content := range map[string]string{"config.yaml": text, "workers": "localhost\nlocalhost\n"} {
		if err := os.WriteFile(filepath.Join(conf, name), []byte(content), 0o600); err != nil {
			u.t.Fatal(err)
		}
	}
	u.env = append(u.env, "WEFT_CONF_DIR="+conf)
	return "localhost:" + ports[0]
}

// standaloneProcesses are those of this user's cluster without YARN.
func (u *user) standaloneProcesses() (out []string) {
	dirs, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, dir := range dirs {
		if env, err := os.ReadFile(dir); err == nil && bytes.Contains(env, []byte("TMPDIR="+u.tmp)) {
			line, _ := os.ReadFile(filepath.Join(filepath.Dir(dir), "cmdline"))
			out = append(out, strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return out
}

// From HDFS to HDFS on a standalone cluster: a TaskManager is killed in the middle, another one takes its place, the counts are right
// and nothing is left. A job's binary may lie in HDFS too.
func TestStandaloneOnHDFS(t *testing.T) {
	u := newUser(t)
	address := u.standalone()
	t.Cleanup(func() {
		for _, script := range []string{"stop-cluster.sh", "standalone-job.sh"} {
			_ = u.command(script, "stop-all").Run()
		}
	})
	u.ok("start-cluster.sh")
	token := strings.TrimSpace(u.ok("jobmanager.sh", "token").stdout)
	api, err := rest.NewClient(rest.ClientOptions{Address: address, Token: token})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(api.Close)
	j := &slowJob{u: u, api: api, out: u.out("results/out")}
	for i := range 4 {
		part := text(500, 31+i)
		u.put(fmt.Sprintf("input/%d.txt", i), part)
		j.in += part
	}
	u.mkdir("results")
	j.p = u.start("", "weft", "run", "-p", "2", testJob(t), "-mode", "slow", "-pause", "2ms", "-input", u.out("input"), "-output", j.out)
	j.p.says("Job has been submitted with JobID")
	j.id = u.submitted(j.p.stdout.String())
	u.until("both TaskManagers count", func() bool { return j.counting() == 2 })
	tms, err := api.TaskManagers(t.Context())
	if err != nil || len(tms) != 2 {
		t.Fatalf("TaskManagers: %+v, %v", tms, err)
	}
	_, pid, _ := net.SplitHostPort(tms[0].Path)
	if n, err := strconv.Atoi(pid); err != nil || n < 2 || syscall.Kill(n, syscall.SIGKILL) != nil {
		t.Fatalf("kill %+v: %v", tms[0], err)
	}
	u.ok("taskmanager.sh", "start")
	if r := j.p.wait(); r.code != 0 || !strings.Contains(r.stderr, "switched to RESTARTING") {
		t.Fatalf("the job: %s", r)
	}
	u.same("counts", u.lines(j.out), count(j.in))
	if left, err := u.c.List(t.Context(), u.hdfs+"/results"); err != nil || len(left) != 1 {
		t.Errorf("beside the output: %v, %v", left, err)
	}
	u.fails(2, []string{"exists already"}, "weft", "run", u.example("wordcount"), "-input", u.out("input"), "-output", j.out)
	u.ok("stop-cluster.sh")

	t.Run("job", func(t *testing.T) {
		u.mkdir("jobs")
		if err := u.c.Put(t.Context(), u.example("wordcount"), u.hdfs+"/jobs/wordcount"); err != nil {
			t.Fatal(err)
		}
		p := u.start("", "standalone-job.sh", "start-foreground", "-D", "parallelism.default=2", u.out("jobs/wordcount"), "-input", u.out("input"), "-output", u.out("again"))
		for range 2 {
			u.ok("taskmanager.sh", "start")
		}
		if r := p.wait(); r.code != 0 {
			t.Fatalf("%s", r)
		}
		u.same("counts", u.lines(u.out("again")), count(j.in))
		u.ok("taskmanager.sh", "stop-all")
	})
	u.until("nothing runs", func() bool { return len(u.standaloneProcesses()) == 0 })
	u.nothingLeft()
}

// counting is on how many TaskManagers tasks of a running job take records in.
func (j *slowJob) counting() int {
	t := j.u.t
	t.Helper()
	job, err := id.ParseJob(j.id)
	if err != nil {
		t.Fatal(err)
	}
	on := map[string]bool{}
	for _, v := range j.u.details(j.api, j.id).Vertices {
		if !strings.HasPrefix(v.Name, "carry") {
			continue
		}
		vertex, err := id.ParseVertex(v.ID)
		if err != nil {
			t.Fatal(err)
		}
		d, err := j.api.Vertex(t.Context(), job, vertex)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range d.Subtasks {
			if s.Status == "RUNNING" && s.Metrics.ReadRecords > 0 {
				on[s.TaskManagerID] = true
			}
		}
	}
	return len(on)
}
