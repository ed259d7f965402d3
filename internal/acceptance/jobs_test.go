//go:build realhadoop

package acceptance

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/internal/devcluster"
	"github.com/weft-project/weft/rest"
)

var jobPattern = regexp.MustCompile(`JobID ([0-9a-f]{32})`)

// api is the REST client of the user's session, with the owner's token as the commands find it.
func (u *user) api(app string) *rest.Client {
	u.t.Helper()
	token, err := os.ReadFile(filepath.Join(u.home, ".weft", app, "token"))
	if err != nil {
		u.t.Fatal(err)
	}
	c, err := rest.NewClient(rest.ClientOptions{Address: u.address(app), Token: strings.TrimSpace(string(token))})
	if err != nil {
		u.t.Fatal(err)
	}
	u.t.Cleanup(c.Close)
	return c
}

var webInterface = regexp.MustCompile(`JobManager Web Interface: http://(\S+)`)

// address is the host:port of a session's JobManager.
func (u *user) address(app string) string {
	u.t.Helper()
	r := u.ok("yarn-session.sh", "-id", app, "-d")
	m := webInterface.FindStringSubmatch(r.stdout)
	if m == nil {
		u.t.Fatalf("no address: %s", r)
	}
	return m[1]
}

// submitted is the id of the job that a command says it has submitted.
func (u *user) submitted(output string) string {
	u.t.Helper()
	m := jobPattern.FindStringSubmatch(output)
	if m == nil {
		u.t.Fatalf("no job id in %q", output)
	}
	return m[1]
}

// state is the state of a job as REST has it.
func (u *user) state(api *rest.Client, job string) string {
	u.t.Helper()
	return u.details(api, job).State
}

func (u *user) details(api *rest.Client, job string) rest.JobDetails {
	u.t.Helper()
	j, err := id.ParseJob(job)
	if err != nil {
		u.t.Fatal(err)
	}
	d, err := api.Job(u.t.Context(), j)
	if err != nil {
		u.t.Fatal(err)
	}
	return d
}

// workers are the processes of jobs in an application's containers: neither weft's own nor the shells that started those.
func (u *user) workers(app string) []devcluster.Proc {
	var out []devcluster.Proc
	for _, p := range u.c.Processes(app) {
		if len(p.Args) == 0 || strings.HasSuffix(p.Args[0], "bash") || strings.HasSuffix(p.Args[0], "sh") || filepath.Base(p.Args[0]) == "weft" {
			continue
		}
		out = append(out, p)
	}
	return out
}

// processes are weft's own of an application that play a role: jobmanager or taskmanager.
func (u *user) processes(app, role string) []devcluster.Proc {
	var out []devcluster.Proc
	for _, p := range u.c.Processes(app) {
		if len(p.Args) > 1 && filepath.Base(p.Args[0]) == "weft" && p.Args[1] == role {
			out = append(out, p)
		}
	}
	return out
}

// absent checks that nothing is at a path of HDFS.
func (u *user) absent(uri string) {
	u.t.Helper()
	if left, err := u.c.List(u.t.Context(), strings.TrimPrefix(uri, "hdfs://")); !errors.Is(err, fs.ErrNotExist) {
		u.t.Errorf("%s is there: %v, %v", uri, left, err)
	}
}

// out is a URI in the user's home.
func (u *user) out(name string) string { return "hdfs://" + u.hdfs + "/" + name }

// A job that fails in the cluster ends the command with 1, its root cause on the screen, and leaves no output.
func TestJobFails(t *testing.T) {
	u := newUser(t)
	app := u.session()
	input := u.put("in.txt", text(50, 2))
	local := filepath.Join(t.TempDir(), "missing.txt")
	for _, c := range []struct {
		name, mode, input string
		cause             string
		texts             []string
	}{
		{"panic", "panic", input, "cannot digest The lazy fox",
			[]string{"operator words", "subtask 1, attempt 1", "on localhost (container_", "main.misbehave", "testjob/main.go:"}},
		{"error", "error", input, "bad line The", []string{"operator words", "subtask 1", "on localhost (container_", "main.go:"}},
		{"index", "index", input, "index out of range", []string{"operator words", "main.misbehave", "main.go:"}},
		{"exit", "exit-task", input, "exit code 5", []string{"ended itself", "container_"}},
		{"local input", "count", "file://" + local, "input file://" + local, []string{"no such file", "Coordinator"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			u := *u
			u.t = t
			output := u.out("failed-" + c.mode)
			r := u.fails(1, append(c.texts, c.cause, "ended as FAILED"), "weft", "run", testJob(t), "-mode", c.mode, "-input", c.input, "-output", output)
			if n := strings.Count(r.stdout+r.stderr, c.cause); n > 2 {
				t.Errorf("the cause is said %d times: %s", n, r)
			}
			u.absent(output)
		})
	}
	u.until("no worker is left", func() bool { return len(u.workers(app)) == 0 })
	// The session goes on.
	u.ok("weft", "run", testJob(t), "-input", input, "-output", u.out("out"))
	u.same("after the failures", u.lines(u.out("out")), count(text(50, 2)))
}

// What can be refused before anything is submitted is: exit code 2, one sentence, no job.
func TestJobRefused(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	u.session()
	input := u.put("in.txt", text(5, 3))
	there := u.put("there.txt", "precious\n")
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	plain := write("plain.go", "package main\n\nfunc main() { println(\"hello\") }\n")
	build := func(name, src string, env ...string) string {
		out := filepath.Join(dir, name)
		cmd := exec.Command("go", "build", "-o", out, src)
		cmd.Env = append(append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off"), env...)
		if text, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		return out
	}
	stranger := build("stranger", plain)
	mac := build("mac", "./testjob", "GOOS=darwin", "GOARCH=arm64")
	wordcount := u.example("wordcount")
	for _, c := range []struct {
		name  string
		texts []string
		args  []string
	}{
		{"missing input", []string{"input " + u.out("nothing"), "does not exist"},
			[]string{wordcount, "-input", u.out("nothing"), "-output", u.out("out")}},
		{"output exists", []string{"output " + there, "exists already"}, []string{wordcount, "-input", input, "-output", there}},
		{"jar", []string{"is a .jar", "written in Go"}, []string{write("job.jar", "PK\x03\x04 a jar")}},
		{"jar by another name", []string{"an archive (a jar?)"}, []string{write("job", "PK\x03\x04 a jar")}},
		{"text", []string{"neither a program nor a directory"}, []string{write("notes.txt", "remember the milk\n")}},
		{"script", []string{"is a script"}, []string{write("job.sh", "#!/bin/sh\n")}},
		{"empty", []string{"only a few bytes"}, []string{write("empty", "")}},
		{"source file", []string{"is a source file", "directory"}, []string{plain}},
		{"nothing there", []string{"there is no job"}, []string{filepath.Join(dir, "nojob")}},
		{"not built with the SDK", []string{"is not built with Weft's SDK", "weft init"}, []string{stranger}},
		{"weft itself", []string{"is the weft command itself"}, []string{filepath.Join(u.dist, "bin", "weft")}},
		{"another platform", []string{"is built for darwin/arm64", "linux/amd64"}, []string{mac}},
		{"-c of a binary", []string{"-c other", "is a binary"}, []string{"-c", "other", wordcount}},
	} {
		t.Run(c.name, func(t *testing.T) {
			u := *u
			u.t = t
			r := u.fails(2, c.texts, "weft", append([]string{"run"}, c.args...)...)
			said := strings.Split(strings.TrimSpace(r.stderr), "\n")
			if strings.HasPrefix(said[0], "Uploaded ") {
				// The job's main runs while its binary is uploaded.
				said = said[1:]
			}
			if len(said) > 1 || r.stdout != "" {
				t.Errorf("expected one sentence on stderr alone: %s", r)
			}
		})
	}
	if got := u.lines(there); len(got) != 1 || got[0] != "precious" {
		t.Errorf("the output that existed: %q", got)
	}
	if r := u.ok("weft", "list", "-a"); !strings.Contains(r.stdout, "No terminated jobs.") || !strings.Contains(r.stdout, "No running jobs.") {
		t.Errorf("something was submitted: %s", r)
	}
}

// A main that never comes to Execute is the author's error, shown with what it wrote (W5).
func TestMainWithoutExecute(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	u.session()
	for _, c := range []struct {
		mode  string
		texts []string
	}{
		{"exit-plan", []string{"main ended before it called Execute", "exit status 4", "no licence found"}},
		{"panic-plan", []string{"main ended before it called Execute", "the plan went wrong", "main.go:"}},
		{"hang-plan", []string{"main has not called Execute within 3s", "client.plan.timeout", "waiting for the database"}},
		{"none", []string{"main ended without calling Execute", "nothing to do today"}},
	} {
		for _, command := range []string{"run", "info"} {
			t.Run(c.mode+" "+command, func(t *testing.T) {
				u := *u
				u.t = t
				u.fails(2, c.texts, "weft", command, "-D", "client.plan.timeout=3s", testJob(t), "-mode", c.mode)
			})
		}
	}
	if r := u.ok("weft", "list", "-a"); !strings.Contains(r.stdout, "No terminated jobs.") {
		t.Errorf("something was submitted: %s", r)
	}
}

// The same main runs in the plan and in each worker: rules W1, W3 and W4.
func TestMainIsRunAgain(t *testing.T) {
	u := newUser(t)
	app := u.session()
	in := text(60, 4)
	input := u.put("in.txt", in)
	run := func(mode string, more ...string) []string {
		return append(append([]string{"run"}, more...), testJob(t), "-mode", mode, "-input", input, "-output", u.out(mode+strings.Join(more, "")))
	}
	u.fails(1, []string{"main built another graph", "stream.Captured", "deployed:", "rebuilt:", "words1"}, "weft", run("differ")...)
	u.absent(u.out("differ"))

	u.ok("weft", run("captured", "-p", "2")...)
	u.same("captured", u.lines(u.out("captured-p2")), count(in))

	r := u.ok("weft", run("twice")...)
	for _, want := range []string{"first result after ", "second result is there too"} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("%q is not in %s", want, r)
		}
	}
	if n := strings.Count(r.stdout, "Program execution finished"); n != 2 {
		t.Errorf("%d jobs finished, expected 2: %s", n, r)
	}
	u.same("first", u.lines(u.out("twice")), count(in))
	u.same("second", u.lines(u.out("twice-again")), count(in))

	r = u.ok("weft", run("twice", "-d")...)
	ids := jobPattern.FindAllStringSubmatch(r.stdout, -1)
	if len(ids) != 2 {
		t.Fatalf("%d jobs submitted, expected 2: %s", len(ids), r)
	}
	api := u.api(app)
	for _, m := range ids {
		u.until("the detached job "+m[1]+" has finished", func() bool { return u.state(api, m[1]) == "FINISHED" })
	}
	u.same("first, detached", u.lines(u.out("twice-d")), count(in))
	u.same("second, detached", u.lines(u.out("twice-d-again")), count(in))
}

// Options before the job are ours, those after it are the job's; list and cancel work on what was submitted.
func TestRunListCancel(t *testing.T) {
	u := newUser(t)
	app := u.session("-s", "2")
	input := u.put("in.txt", text(200, 5))
	api := u.api(app)
	at := u.address(app)
	u.fails(2, []string{"cancel"}, "weft", "cancel", "nonsense")
	u.fails(1, []string{"0123456789abcdef0123456789abcdef"}, "weft", "cancel", "0123456789abcdef0123456789abcdef")

	r := u.ok("weft", "run", "-d", "-p", "2", testJob(t), "-mode", "slow", "-pause", "1h", "-input", input, "-output", u.out("out"))
	job := u.submitted(r.stdout)
	if strings.Contains(r.stdout, "Program execution finished") {
		t.Errorf("a detached run waited: %s", r)
	}
	u.until("the job runs", func() bool {
		d := u.details(api, job)
		return d.State == "RUNNING" && d.StatusCounts["RUNNING"] == len(d.Vertices)
	})
	for _, v := range u.details(api, job).Vertices {
		if v.Parallelism != 2 {
			t.Errorf("%s: parallelism %d, expected 2 of -p", v.Name, v.Parallelism)
		}
	}
	row := job + " : test job slow (RUNNING)"
	for _, c := range []struct {
		args      []string
		want, not []string
	}{
		{nil, []string{"Running/Restarting Jobs", row, "No scheduled jobs."}, []string{"erminated"}},
		{[]string{"-r"}, []string{row}, []string{"cheduled"}},
		{[]string{"-s"}, []string{"No scheduled jobs."}, []string{row}},
		{[]string{"-a"}, []string{row, "No scheduled jobs.", "No terminated jobs."}, nil},
		{[]string{"-r", "-m", at}, []string{row}, nil},
		{[]string{"-r", "-yid", app}, []string{row}, nil},
	} {
		r := u.ok("weft", append([]string{"list"}, c.args...)...)
		for _, want := range c.want {
			if !strings.Contains(r.stdout, want) {
				t.Errorf("list %q: %q is not in %s", c.args, want, r)
			}
		}
		for _, not := range c.not {
			if strings.Contains(r.stdout, not) {
				t.Errorf("list %q: %q is in %s", c.args, not, r)
			}
		}
	}
	r = u.ok("weft", "cancel", job)
	if !strings.Contains(r.stdout, "Cancelled job "+job) {
		t.Errorf("cancel: %s", r)
	}
	u.until("no worker is left", func() bool { return len(u.workers(app)) == 0 })
	u.absent(u.out("out"))
	if r := u.ok("weft", "list", "-a"); !strings.Contains(r.stdout, job+" : test job slow (CANCELED)") {
		t.Errorf("list: %s", r)
	}
	// -d after the job is not ours.
	u.fails(2, []string{"flag provided but not defined: -d"}, "weft", "run", testJob(t), "-d", "-input", input)
	r = u.ok("weft", "run", "-m", at, testJob(t), "-input", input, "-output", u.out("by-address"))
	finished := u.submitted(r.stdout)
	u.fails(1, []string{finished, "FINISHED"}, "weft", "cancel", finished)
	u.same("by address", u.lines(u.out("by-address")), count(text(200, 5)))
	u.fails(3, []string{"127.0.0.1:1"}, "weft", "list", "-m", "127.0.0.1:1")
}

// info makes the plan and shows it, with or without a session.
func TestInfo(t *testing.T) {
	u := newUser(t)
	r := u.ok("weft", "info", "-p", "3", u.example("wordcount"), "-input", u.put("in.txt", "to be\n"), "-output", u.out("out"))
	for _, want := range []string{"----------------------- Execution Plan -----------------------",
		`"name": "WordCount"`, "tokenize", `"parallelism": 3`, "No description provided."} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("%q is not in %s", want, r)
		}
	}
	u.absent(u.out("out"))
}

// More slots than there can ever be: the job fails by itself and says what it asked for.
func TestTooManySlots(t *testing.T) {
	u := newUser(t)
	u.session("-D", "slot.request.timeout=4s", "-tm", "4096")
	input := u.put("in.txt", text(5, 6))
	r := u.fails(1, []string{"64", "slot"}, "weft", "run", "-p", "64", u.example("wordcount"), "-input", input, "-output", u.out("out"))
	figures := regexp.MustCompile(`the job needs 64 slots and did not get them within 4s \(slot\.request\.timeout\): \d+ TaskManagers with \d+ slots are ` +
		`registered, \d+ slots are free, [1-9]\d* TaskManagers of \d+ slots are asked for, \d+ are starting`)
	if !figures.MatchString(r.stderr) {
		t.Errorf("the limit and the figures are not named: %s", r)
	}
	u.absent(u.out("out"))
	u.ok("weft", "run", u.example("wordcount"), "-input", input, "-output", u.out("out"))
}

// An attached run ends with run time and accumulators; the same binary is uploaded once.
func TestResultsAndUploads(t *testing.T) {
	u := newUser(t)
	first := u.session()
	in := text(300, 7)
	input := u.put("in.txt", in)
	bench := filepath.Join(u.dist, "bench", "weft-bench")
	run := func(output string) result {
		return u.ok("weft", "run", bench, "wordcount-batch", "--input", input, "--output", output)
	}
	r := run(u.out("one"))
	words := len(wordPattern.FindAllString(in, -1))
	for _, want := range []string{"Uploaded ", "Job Runtime: ", "Accumulator Results:",
		fmt.Sprintf("- records (LongCounter): %d", words), `"job":"wordcount-batch"`} {
		if !strings.Contains(r.stdout+r.stderr, want) {
			t.Errorf("%q is not in %s", want, r)
		}
	}
	u.same("wordcount", u.lines(u.out("one")), count(in))
	before := u.stored()
	r = run(u.out("two"))
	if strings.Contains(r.stdout+r.stderr, "Uploaded ") {
		t.Errorf("the same job was uploaded again: %s", r)
	}
	if n := u.added(before); n >= 64<<10 {
		t.Errorf("a second run of the same job stored %d bytes, expected less than 64 KiB", n)
	}
	u.doWith("stop\n", "yarn-session.sh", "-id", first)
	u.kill(first)
	before = u.stored()
	u.session()
	if n := u.added(before); n >= 64<<10 {
		t.Errorf("a second session stored %d bytes, expected less than 64 KiB", n)
	}
	run(u.out("three"))
	if n := u.added(before); n >= 64<<10 {
		t.Errorf("a second session with the same job stored %d bytes, expected less than 64 KiB", n)
	}
}

// stored are the files below ~/.weft in HDFS.
func (u *user) stored() map[string]devcluster.FileStatus {
	u.t.Helper()
	list, err := u.c.Walk(u.t.Context(), u.hdfs+"/.weft")
	if err != nil {
		u.t.Fatal(err)
	}
	out := map[string]devcluster.FileStatus{}
	for _, s := range list {
		out[s.Path] = s
	}
	return out
}

// added is the size of what is new or anew below ~/.weft in HDFS.
func (u *user) added(before map[string]devcluster.FileStatus) int64 {
	u.t.Helper()
	var n int64
	for path, s := range u.stored() {
		if old, ok := before[path]; !ok || old.Length != s.Length {
			n += s.Length
		}
	}
	return n
}

// A job without an end, that reads a socket: counts appear while it runs; cancelled from elsewhere, its attached client says so.
func TestStreamingJob(t *testing.T) {
	u := newUser(t)
	app := u.session()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	accepted := make(chan net.Conn, 1)
	go func() {
		conn, err := listener.Accept()
		if err == nil {
			accepted <- conn
		}
	}()
	port := fmt.Sprint(listener.Addr().(*net.TCPAddr).Port)
	p := u.start("", "weft", "run", u.example("streaming-wordcount"), "-hostname", "127.0.0.1", "-port", port)
	p.says("Job has been submitted with JobID")
	job := u.submitted(p.stdout.String())
	var conn net.Conn
	u.until("the job connects", func() bool {
		select {
		case conn = <-accepted:
			return true
		default:
			return false
		}
	})
	defer conn.Close()
	for i, line := range []string{"to be or not to be\n", "let it be\n"} {
		if _, err := conn.Write([]byte(line)); err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprintf("{be %d}", []int{2, 3}[i])
		u.until(want+" is printed", func() bool {
			logs, err := u.c.ContainerLogs(app)
			if err != nil {
				t.Fatal(err)
			}
			for name, content := range logs {
				if strings.Contains(name, "worker-") && strings.Contains(content, want) {
					return true
				}
			}
			return false
		})
	}
	if len(u.workers(app)) != 1 {
		t.Errorf("worker processes: %v", u.workers(app))
	}
	u.ok("weft", "cancel", job)
	r := p.wait()
	if r.code == 0 || !strings.Contains(r.stderr, "CANCELED") {
		t.Errorf("the attached client: %s", r)
	}
	u.until("no worker is left", func() bool { return len(u.workers(app)) == 0 })
}
