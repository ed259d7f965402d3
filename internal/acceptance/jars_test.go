//go:build realhadoop

package acceptance

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/weft-project/weft/rest"
)

// cluster is a JobManager that programs are uploaded to.
type cluster struct {
	u           *user
	base, token string
}

// send sends a request as the owner and decodes the answer into doc, if there is one.
func (c *cluster) send(method, target, contentType string, body io.Reader, doc any) (int, string) {
	c.u.t.Helper()
	r, err := http.NewRequestWithContext(c.u.t.Context(), method, c.base+target, body)
	if err != nil {
		c.u.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+c.token)
	r.Header.Set("Content-Type", contentType)
	answer, err := (&http.Client{Timeout: 2 * patience}).Do(r)
	if err != nil {
		c.u.t.Fatal(err)
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err == nil && doc != nil && answer.StatusCode < 300 {
		err = json.Unmarshal(b, doc)
	}
	if err != nil {
		c.u.t.Fatalf("%s %s: %v: %s", method, target, err, b)
	}
	return answer.StatusCode, string(b)
}

// must is send for what has to succeed.
func (c *cluster) must(method, target, body string, doc any) string {
	c.u.t.Helper()
	status, text := c.send(method, target, "application/json", strings.NewReader(body), doc)
	if status >= 300 {
		c.u.t.Fatalf("%s %s: %d %s", method, target, status, text)
	}
	return text
}

// refuses is send for what has to be refused with all of texts.
func (c *cluster) refuses(status int, method, target, body string, texts ...string) {
	c.u.t.Helper()
	got, text := c.send(method, target, "application/json", strings.NewReader(body), nil)
	for _, want := range texts {
		if got != status || !strings.Contains(text, want) {
			c.u.t.Errorf("%s %s: %d %s; expected %d and %q", method, target, got, text, status, want)
		}
	}
}

// upload uploads a program and gives its id.
func (c *cluster) upload(program string) string {
	c.u.t.Helper()
	content, err := os.ReadFile(program)
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	part, partErr := w.CreateFormFile("jarfile", filepath.Base(program))
	if err = errors.Join(err, partErr); err == nil {
		_, err = part.Write(content)
	}
	if err = errors.Join(err, w.Close()); err != nil {
		c.u.t.Fatal(err)
	}
	var up rest.JarUpload
	if status, text := c.send("POST", "/jars/upload", w.FormDataContentType(), &b, &up); status != 200 || up.Status != "success" {
		c.u.t.Fatalf("upload %s: %d %s", program, status, text)
	}
	return path.Base(up.FileName)
}

// becomes waits until a job has a status.
func (c *cluster) becomes(job, status string) {
	c.u.t.Helper()
	var d rest.JobDetails
	c.u.until("job "+job+" is "+status, func() bool {
		c.must("GET", "/jobs/"+job, "", &d)
		if d.State != status && (d.State == "FAILED" || d.State == "FINISHED") {
			c.u.t.Fatalf("job %s: %s: %s", job, d.State, c.must("GET", "/jobs/"+job+"/exceptions", "", nil))
		}
		return d.State == status
	})
}

// runBody is the body of a run with these arguments.
func runBody(t *testing.T, parallelism int, args ...string) string {
	t.Helper()
	b, err := json.Marshal(rest.JarRunBody{Parallelism: &parallelism, ProgramArgsList: args})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// uploads uploads programs, plans and runs them, and deletes them.
func (c *cluster) uploads() {
	u, t := c.u, c.u.t
	t.Helper()
	words := text(400, 9)
	input := u.put("in.txt", words)
	jar := c.upload(u.example("wordcount"))
	var list rest.JarList
	if c.must("GET", "/jars", "", &list); len(list.Files) != 1 || list.Files[0].ID != jar || list.Files[0].Entries[0].Name != "github.com/weft-project/weft/examples/wordcount" {
		t.Errorf("%+v", list)
	}
	var plan rest.JobPlan
	c.must("GET", "/jars/"+jar+"/plan?parallelism=2&programArg=-input,"+input, "", &plan)
	if len(plan.Plan.Nodes) < 2 || plan.Plan.Nodes[0].Parallelism != 2 {
		t.Errorf("%+v", plan)
	}
	// Nothing of a program that goes wrong is left, and what it wrote is in the answer.
	c.refuses(400, "POST", "/jars/"+jar+"/run", runBody(t, 1, "-nonsense"), "flag provided but not defined: -nonsense", "exit status 2")
	c.refuses(400, "POST", "/jars/"+jar+"/run", runBody(t, 1, "-input", input+".none"), "in.txt.none does not exist")
	c.refuses(400, "POST", "/jars/"+jar+"/run?savepointPath=hdfs:///s", "", "a job in BATCH mode starts from no checkpoint or savepoint")

	var run rest.JarRun
	c.must("POST", "/jars/"+jar+"/run", runBody(t, 2, "-input", input, "-output", u.out("counts")), &run)
	c.becomes(run.JobID, "FINISHED")
	u.same("counts", u.lines(u.out("counts")), count(words))
	c.taskManagerFiles(run.JobID)

	// One that goes on until it is cancelled, its program deleted meanwhile.
	lines, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer lines.Close()
	streaming := c.upload(u.example("streaming-wordcount"))
	_, port, err := net.SplitHostPort(lines.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c.must("POST", "/jars/"+streaming+"/run", fmt.Sprintf(`{"programArgs":"-hostname 127.0.0.1 '-port' %s"}`, port), &run)
	c.becomes(run.JobID, "RUNNING")
	// Its source has come when it asks for lines, of which it gets none.
	err = lines.(*net.TCPListener).SetDeadline(time.Now().Add(patience))
	source, acceptErr := lines.Accept()
	if err = errors.Join(err, acceptErr); err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	c.workerShows(run.JobID)
	for _, id := range []string{jar, streaming} {
		c.must("DELETE", "/jars/"+id, "", nil)
		c.refuses(404, "POST", "/jars/"+id+"/run", "", "no program was uploaded")
	}
	c.must("PATCH", "/jobs/"+run.JobID+"?mode=cancel", "", nil)
	c.becomes(run.JobID, "CANCELED")
	u.until("all slots are free", func() bool {
		var o rest.Overview
		c.must("GET", "/overview", "", &o)
		return o.SlotsTotal > 0 && o.SlotsAvailable == o.SlotsTotal
	})
}

// taskManagerFiles looks at what REST shows of a TaskManager that a job has run on.
func (c *cluster) taskManagerFiles(job string) {
	t := c.u.t
	t.Helper()
	var tms rest.TaskManagers
	if c.must("GET", "/taskmanagers", "", &tms); len(tms.TaskManagers) != 1 {
		t.Fatalf("%+v", tms)
	}
	at := "/taskmanagers/" + tms.TaskManagers[0].ID
	var list rest.LogList
	c.must("GET", at+"/logs", "", &list)
	logs := map[string]int64{}
	for _, f := range list.Logs {
		logs[f.Name] = f.Size
		if len(c.must("GET", at+"/logs/"+f.Name, "", nil)) < int(f.Size) {
			t.Errorf("%s is shorter than %d bytes", f.Name, f.Size)
		}
	}
	if _, ok := logs["worker-"+job[:8]+"-0.log"]; !ok {
		t.Errorf("no log of the job's worker: %v", logs)
	}
	if text := c.must("GET", at+"/log", "", nil); !strings.Contains(text, "registered with the JobManager") || !strings.Contains(text, "running the main of an uploaded program") {
		t.Errorf("log: %s", text)
	}
	c.must("GET", at+"/stdout", "", nil)
	c.refuses(404, "GET", at+"/logs/..%2Fsecret", "", "no such log file")
	var dump rest.ThreadDump
	if c.must("GET", at+"/thread-dump", "", &dump); len(dump.Threads) < 3 || !strings.HasPrefix(dump.Threads[0].Name, "goroutine ") {
		t.Errorf("%+v", dump)
	}
}

// workerShows checks that the goroutines of a running job are shown.
func (c *cluster) workerShows(job string) {
	t := c.u.t
	t.Helper()
	var tms rest.TaskManagers
	c.must("GET", "/taskmanagers", "", &tms)
	if text := c.must("GET", "/taskmanagers/"+tms.TaskManagers[0].ID+"/thread-dump", "", nil); !strings.Contains(text, `"threadName":"worker `+job[:8]+`-0: goroutine `) {
		t.Errorf("no goroutines of the job's worker: %.2000s", text)
	}
}

// Programs are uploaded to a session, planned, run, cancelled and deleted.
func TestUploadedPrograms(t *testing.T) {
	u := newUser(t)
	app := u.session("-jm", "768", "-tm", "1024", "-s", "2", "-D", "resourcemanager.taskmanager-timeout=10 min")
	c := &cluster{u, "http://" + u.address(app), u.token(app)}
	c.uploads()
	if w := u.workers(app); len(w) != 0 {
		t.Errorf("workers are left: %v", w)
	}
}

// The same without YARN, with the JobManager's disk in the place of the shared file system.
func TestUploadedProgramsStandalone(t *testing.T) {
	u := newUser(t)
	conf, logs := t.TempDir(), t.TempDir()
	port := func() string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	}
	pages := port()
	settings := []string{"rest.port: " + pages, "jobmanager.rpc.port: " + port(), "env.log.dir: " + logs, "env.pid.dir: " + t.TempDir(), "taskmanager.memory.process.size: 768m",
		"taskmanager.numberOfTaskSlots: 2"}
	err := os.WriteFile(filepath.Join(conf, "config.yaml"), []byte(strings.Join(settings, "\n")+"\n"), 0o600)
	if err = errors.Join(err, os.WriteFile(filepath.Join(conf, "workers"), []byte("localhost\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	u.env = append(u.env, "WEFT_CONF_DIR="+conf)
	t.Cleanup(func() { u.do("stop-cluster.sh") })
	u.ok("start-cluster.sh")
	c := &cluster{u, "http://127.0.0.1:" + pages, strings.TrimSpace(u.ok("jobmanager.sh", "token").stdout)}
	c.uploads()
	u.ok("stop-cluster.sh")
	if left, err := os.ReadDir(u.tmp); err != nil || len(left) != 0 {
		t.Errorf("temporary files are left: %v, %v", left, err)
	}
}
