//go:build realhadoop

package acceptance

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/weft-project/weft/internal/devcluster"
	"github.com/weft-project/weft/rest"
)

// slowJob is an attached run of a bounded job at parallelism 2, with one slot on each TaskManager.
type slowJob struct {
	u   *user
	p   *process
	id  string
	app string
	api *rest.Client
	// in is the text whose words it counts, out where the counts go.
	in, out string
}

// slow starts a job that reads some thousand lines at a pace that leaves time to disturb it.
func (u *user) slow(app string) *slowJob {
	u.t.Helper()
	j := &slowJob{u: u, app: app, api: u.api(app), out: u.out("results/out")}
	for i := range 6 {
		// A reader fetches one split ahead; of more than two each reader gets some.
		part := text(500, 11+i)
		u.put(fmt.Sprintf("input/%d.txt", i), part)
		j.in += part
	}
	u.mkdir("results")
	j.p = u.start("", "weft", "run", "-p", "2", testJob(u.t), "-mode", "slow", "-pause", "2ms", "-input", u.out("input"), "-output", j.out)
	j.p.says("Job has been submitted with JobID")
	j.id = u.submitted(j.p.stdout.String())
	return j
}

// spread waits until two TaskManagers have taken records in and bytes over TCP, as REST has it.
func (j *slowJob) spread() {
	j.u.t.Helper()
	j.u.until("both TaskManagers have records in and bytes over TCP", func() bool {
		d := j.u.details(j.api, j.id)
		for _, v := range d.Vertices {
			if !strings.HasPrefix(v.Name, "carry") {
				continue
			}
			var doc rest.VertexDetails
			j.get("/jobs/"+j.id+"/vertices/"+v.ID, &doc)
			taskManagers := map[string]bool{}
			for _, s := range doc.Subtasks {
				if s.Status == "RUNNING" && s.Metrics.ReadRecords > 0 && j.metric(v.ID, s.Subtask, "numBytesInRemote") > 0 {
					taskManagers[s.TaskManagerID] = true
				}
			}
			return len(taskManagers) == 2
		}
		return false
	})
}

// metric is a task's metric, 0 while there is none.
func (j *slowJob) metric(vertex string, subtask int, name string) int64 {
	j.u.t.Helper()
	var list []rest.Metric
	j.get(fmt.Sprintf("/jobs/%s/vertices/%s/subtasks/%d/metrics?get=%s", j.id, vertex, subtask, name), &list)
	if len(list) != 1 {
		return 0
	}
	n, err := strconv.ParseInt(list[0].Value, 10, 64)
	if err != nil {
		j.u.t.Fatal(err)
	}
	return n
}

// get reads a document of REST with the owner's token.
func (j *slowJob) get(path string, doc any) {
	t := j.u.t
	t.Helper()
	token, err := os.ReadFile(filepath.Join(j.u.home, ".weft", j.app, "token"))
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+j.api.Address()+"/v1"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK || json.Unmarshal(b, doc) != nil {
		t.Fatalf("GET %s: %s, %v: %s", path, answer.Status, err, b)
	}
}

// right checks that the job ends well, with the counts of its text and nothing else beside them.
func (j *slowJob) right() result {
	u := j.u
	u.t.Helper()
	r := j.p.wait()
	if r.code != 0 {
		u.t.Fatalf("the job: %s", r)
	}
	u.same("result", u.lines(j.out), count(j.in))
	left, err := u.c.List(u.t.Context(), u.hdfs+"/results")
	if err != nil || len(left) != 1 {
		u.t.Errorf("beside the output: %v, %v", left, err)
	}
	u.until("no worker is left", func() bool { return len(u.workers(j.app)) == 0 })
	return r
}

func (u *user) kill9(p devcluster.Proc) {
	u.t.Helper()
	if err := syscall.Kill(p.PID, syscall.SIGKILL); err != nil {
		u.t.Fatalf("kill %v: %v", p.Args, err)
	}
}

// The job is really distributed, and either process of it may be killed: it starts again and gives the right result.
func TestKilled(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		victim func(u *user, app string) []devcluster.Proc
	}{
		{"worker", func(u *user, app string) []devcluster.Proc { return u.workers(app) }},
		{"TaskManager", func(u *user, app string) []devcluster.Proc { return u.processes(app, "taskmanager") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			u := newUser(t)
			app := u.session("-tm", "1024", "-s", "1")
			j := u.slow(app)
			j.spread()
			for _, p := range u.c.Processes(app) {
				if filepath.Base(p.Exe) != "weft" && !strings.HasPrefix(filepath.Base(p.Args[0]), "testjob") {
					continue
				}
				if !strings.HasPrefix(p.Exe, filepath.Join(u.c.Dir(), "nodemanager-")) {
					t.Errorf("%v runs %s, which is not below a NodeManager's directories", p.Args, p.Exe)
				}
			}
			victims := c.victim(u, app)
			if len(victims) != 2 {
				t.Fatalf("processes: %v, expected 2", victims)
			}
			u.kill9(victims[0])
			r := j.right()
			for _, want := range []string{"switched to RESTARTING", "restart 1, from the beginning"} {
				if !strings.Contains(r.stderr, want) {
					t.Errorf("%q is not in %s", want, r)
				}
			}
			if n := u.details(j.api, j.id).Vertices[0].Tasks["FINISHED"]; n != 2 {
				t.Errorf("%d tasks finished, expected 2", n)
			}
		})
	}
}

// The JobManager killed: the application has failed, its workers are gone, the attached client says so, and nothing is left of it
// after the user's next command.
func TestJobManagerKilled(t *testing.T) {
	u := newUser(t)
	app := u.session()
	input := u.put("in.txt", text(50, 13))
	p := u.start("", "weft", "run", testJob(t), "-mode", "slow", "-pause", "1h", "-input", input, "-output", u.out("out"))
	p.says("Job has been submitted with JobID")
	job := u.submitted(p.stdout.String())
	scratch := u.out(".weft-" + job)
	u.until("there is unfinished output", func() bool {
		left, err := u.c.List(t.Context(), strings.TrimPrefix(scratch, "hdfs://"))
		return err == nil && len(left) > 0
	})
	masters := u.processes(app, "jobmanager")
	if len(masters) != 1 {
		t.Fatalf("JobManagers: %v", masters)
	}
	u.kill9(masters[0])
	r := p.wait()
	if r.code != 1 || !strings.Contains(r.stderr, "job "+job+" is lost") || !strings.Contains(r.stderr, app) {
		t.Errorf("the attached client: %s", r)
	}
	if strings.Count(strings.TrimSpace(r.stderr), "\n") > 8 {
		t.Errorf("the attached client says too much: %s", r)
	}
	a, err := u.c.App(t.Context(), app)
	if err != nil || a.FinalStatus != "FAILED" {
		t.Errorf("application: %+v, %v", a, err)
	}
	u.until("nothing of it runs", func() bool { return len(u.c.Processes(app)) == 0 })
	u.fails(3, []string{"session", "yarn-session.sh"}, "weft", "list")
	for _, dir := range []string{"/.weft/staging/", "/.weft/refs/"} {
		u.absent(u.out(dir[1:] + app))
	}
	u.absent(scratch)
	if _, err := os.Stat(filepath.Join(u.home, ".weft", app)); err == nil {
		t.Error("the token is still there")
	}
}

// A job that takes all memory fails with that reason; the session and its other job go on.
func TestMemoryRunAway(t *testing.T) {
	u := newUser(t)
	app := u.session("-tm", "1024", "-s", "3")
	j := u.slow(app)
	u.until("the other job runs", func() bool { return u.state(j.api, j.id) == "RUNNING" && len(u.workers(app)) == 1 })
	before := u.processes(app, "taskmanager")
	input := u.put("many.txt", text(100_000, 14))
	r := u.fails(1, []string{"used too much memory", "taskmanager.memory.process.size", "container_", "ended as FAILED"},
		"weft", "run", testJob(t), "-mode", "eat", "-input", input, "-output", u.out("eaten"))
	if strings.Contains(r.stderr, "RESTARTING") {
		t.Errorf("the job was started again: %s", r)
	}
	u.absent(u.out("eaten"))
	if r := j.right(); strings.Contains(r.stderr, "RESTARTING") {
		t.Errorf("the other job was disturbed: %s", r)
	}
	after := u.processes(app, "taskmanager")
	if len(before) != 1 || len(after) != 1 || before[0].PID != after[0].PID {
		t.Errorf("TaskManagers before %v, after %v", before, after)
	}
}

// Ctrl-C leaves the job running and says how to end it; with -sae it ends the job.
func TestCtrlC(t *testing.T) {
	u := newUser(t)
	app := u.session()
	api := u.api(app)
	input := u.put("in.txt", text(50, 15))
	interrupt := func(output string, options ...string) (string, result) {
		args := append(append([]string{"run"}, options...), testJob(t), "-mode", "slow", "-pause", "1h", "-input", input, "-output", u.out(output))
		p := u.start("", "weft", args...)
		p.says("switched to RUNNING")
		job := u.submitted(p.stdout.String())
		if err := p.cmd.Process.Signal(syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		r := p.wait()
		if r.code != 130 {
			t.Errorf("Ctrl-C: %s", r)
		}
		return job, r
	}
	job, r := interrupt("one")
	if !strings.Contains(r.stderr, "goes on") || !strings.Contains(r.stderr, "weft cancel "+job) {
		t.Errorf("it is not said how to cancel the job: %s", r)
	}
	if s := u.state(api, job); s != "RUNNING" {
		t.Errorf("the job is %s", s)
	}
	u.ok("weft", "cancel", job)

	job, r = interrupt("two", "-sae")
	if !strings.Contains(r.stderr, "Cancelled job "+job) {
		t.Errorf("-sae: %s", r)
	}
	u.until("the job is cancelled", func() bool { return u.state(api, job) == "CANCELED" })
	u.until("no worker is left", func() bool { return len(u.workers(app)) == 0 })
	u.absent(u.out("two"))
}
