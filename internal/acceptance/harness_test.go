//go:build realhadoop

package acceptance

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/weft-project/weft/internal/devcluster"
)

// patience bounds everything a test waits for.
const patience = 2 * time.Minute

// user is somebody who uses the distribution on a cluster.
type user struct {
	t    *testing.T
	c    *devcluster.Cluster
	dist string
	// home and tmp are directories of this user alone; hdfs is the home in HDFS.
	home, tmp, hdfs string
	env             []string
}

// users numbers the HDFS users of this process, so that tests never see each other's files.
var users struct {
	sync.Mutex
	n int
}

// distribution is the directory with bin/weft.
func distribution(t *testing.T) string {
	t.Helper()
	dist := os.Getenv("WEFT_TEST_DIST")
	if dist == "" {
		dist = "../../build/dist"
	}
	dist, err := filepath.Abs(dist)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dist, "bin", "weft")); err != nil {
		t.Fatalf("this test needs the distribution: run make build (%v)", err)
	}
	return dist
}

// newUser is a user with an empty home on the shared cluster.
func newUser(t *testing.T) *user {
	t.Helper()
	return newUserOf(t, devcluster.Shared(t))
}

// newUserOf is a user with an empty home.
func newUserOf(t *testing.T, c *devcluster.Cluster) *user {
	t.Helper()
	users.Lock()
	users.n++
	name := fmt.Sprintf("tester%d-%d", os.Getpid(), users.n)
	users.Unlock()
	u := &user{t: t, c: c, dist: distribution(t), home: t.TempDir(), tmp: t.TempDir(), hdfs: "/user/" + name}
	if err := c.Mkdir(t.Context(), u.hdfs, "700", name); err != nil {
		t.Fatal(err)
	}
	for _, kv := range append(os.Environ(), c.Env()...) {
		switch k, _, _ := strings.Cut(kv, "="); k {
		case "HOME", "TMPDIR", "HADOOP_USER_NAME", "WEFT_CONF_DIR", "FLINK_CONF_DIR":
		default:
			u.env = append(u.env, kv)
		}
	}
	u.env = append(u.env, "HOME="+u.home, "TMPDIR="+u.tmp, "HADOOP_USER_NAME="+name, "GOFLAGS=-mod=mod", "GOCACHE="+goEnv(t, "GOCACHE"), "GOMODCACHE="+goEnv(t, "GOMODCACHE"))
	return u
}

func goEnv(t *testing.T, name string) string {
	t.Helper()
	out, err := exec.Command("go", "env", name).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// result is how a command ended.
type result struct {
	stdout, stderr string
	code           int
	took           time.Duration
}

func (r result) String() string {
	return fmt.Sprintf("exit code %d after %s\n--- stdout\n%s\n--- stderr\n%s", r.code, r.took.Round(time.Millisecond), r.stdout, r.stderr)
}

// command makes a command of the distribution: "weft" or "yarn-session.sh", or a path.
func (u *user) command(name string, args ...string) *exec.Cmd {
	if !strings.Contains(name, "/") {
		name = filepath.Join(u.dist, "bin", name)
	}
	cmd := exec.Command(name, args...)
	cmd.Env = u.env
	cmd.Dir = u.home
	return cmd
}

// do runs a command to its end.
func (u *user) do(name string, args ...string) result {
	u.t.Helper()
	return u.doWith("", name, args...)
}

// doWith runs a command with text on its standard input.
func (u *user) doWith(stdin, name string, args ...string) result {
	u.t.Helper()
	p := u.start(stdin, name, args...)
	return p.wait()
}

// ok runs a command that must succeed.
func (u *user) ok(name string, args ...string) result {
	u.t.Helper()
	r := u.do(name, args...)
	if r.code != 0 {
		u.t.Fatalf("%s %s: %s", name, strings.Join(args, " "), r)
	}
	return r
}

// fails runs a command that must end with an exit code and say all of texts.
func (u *user) fails(code int, texts []string, name string, args ...string) result {
	u.t.Helper()
	r := u.do(name, args...)
	if r.code != code {
		u.t.Errorf("%s %s: exit code %d, expected %d: %s", name, strings.Join(args, " "), r.code, code, r)
	}
	for _, text := range texts {
		if !strings.Contains(r.stdout+r.stderr, text) {
			u.t.Errorf("%s %s: %q is not in %s", name, strings.Join(args, " "), text, r)
		}
	}
	return r
}

// process is a command that runs.
type process struct {
	u              *user
	cmd            *exec.Cmd
	in             io.WriteCloser
	stdout, stderr *buffer
	began          time.Time
	done           chan error
}

// buffer collects output that is read while it is written.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write is io.Writer's.
func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

// String is what has come so far.
func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// start starts a command; stdin is written at once, and closed unless it is "-": then the test writes to in.
func (u *user) start(stdin, name string, args ...string) *process {
	u.t.Helper()
	p := &process{u: u, cmd: u.command(name, args...), stdout: &buffer{}, stderr: &buffer{}, began: time.Now(), done: make(chan error, 1)}
	p.cmd.Stdout, p.cmd.Stderr = p.stdout, p.stderr
	if stdin == "-" {
		in, err := p.cmd.StdinPipe()
		if err != nil {
			u.t.Fatal(err)
		}
		p.in = in
	} else {
		p.cmd.Stdin = strings.NewReader(stdin)
	}
	if err := p.cmd.Start(); err != nil {
		u.t.Fatal(err)
	}
	go func() { p.done <- p.cmd.Wait() }()
	u.t.Cleanup(func() {
		// It has ended, except when the test failed.
		_ = p.cmd.Process.Kill()
	})
	return p
}

// wait waits for the end.
func (p *process) wait() result {
	p.u.t.Helper()
	select {
	case err := <-p.done:
		p.done <- err
		r := result{stdout: p.stdout.String(), stderr: p.stderr.String(), took: time.Since(p.began)}
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			r.code = exit.ExitCode()
		} else if err != nil {
			p.u.t.Fatal(err)
		}
		return r
	case <-time.After(patience):
		_ = p.cmd.Process.Signal(syscall.SIGKILL)
		p.u.t.Fatalf("%v does not end; so far:\n%s\n%s", p.cmd.Args, p.stdout, p.stderr)
		return result{}
	}
}

// says waits until the process has printed a text.
func (p *process) says(text string) {
	p.u.t.Helper()
	p.u.until(fmt.Sprintf("%v says %q", p.cmd.Args[1:], text), func() bool {
		return strings.Contains(p.stdout.String()+p.stderr.String(), text)
	})
}

// until waits for a condition.
func (u *user) until(what string, condition func() bool) {
	u.t.Helper()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	deadline := time.After(patience)
	for !condition() {
		select {
		case <-look.C:
		case <-deadline:
			u.t.Fatalf("waited in vain until %s", what)
		}
	}
}

var applicationID = regexp.MustCompile(`application_\d+_\d+`)

// session starts a detached session and gives its application id. It is ended with the test.
func (u *user) session(args ...string) string {
	u.t.Helper()
	r := u.ok("yarn-session.sh", append([]string{"-d"}, args...)...)
	app := applicationID.FindString(r.stdout)
	if app == "" {
		u.t.Fatalf("no application id: %s", r)
	}
	u.t.Cleanup(func() { u.kill(app) })
	return app
}

// kill ends an application and waits until nothing of it runs.
func (u *user) kill(app string) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if a, err := u.c.App(ctx, app); err == nil && a.FinalStatus == "UNDEFINED" {
		if err := u.c.KillApp(ctx, app); err != nil {
			u.t.Errorf("kill %s: %v", app, err)
		}
	}
	u.until("nothing of "+app+" runs", func() bool { return len(u.c.Processes(app)) == 0 })
}

// put writes a file to the user's home in HDFS and gives its URI.
func (u *user) put(name, content string) string {
	u.t.Helper()
	local := filepath.Join(u.t.TempDir(), "file")
	if err := os.WriteFile(local, []byte(content), 0o644); err != nil {
		u.t.Fatal(err)
	}
	if dir := filepath.Dir(name); dir != "." {
		u.mkdir(dir)
	}
	if err := u.c.Put(u.t.Context(), local, u.hdfs+"/"+name); err != nil {
		u.t.Fatal(err)
	}
	return "hdfs://" + u.hdfs + "/" + name
}

// mkdir makes a directory in the user's home in HDFS.
func (u *user) mkdir(name string) {
	u.t.Helper()
	if err := u.c.Mkdir(u.t.Context(), u.hdfs+"/"+name, "755", filepath.Base(u.hdfs)); err != nil {
		u.t.Fatal(err)
	}
}

// lines reads a file of HDFS, or all files of a directory, sorted by line.
func (u *user) lines(uri string) []string {
	u.t.Helper()
	entries, err := u.c.List(u.t.Context(), strings.TrimPrefix(uri, "hdfs://"))
	if err != nil {
		u.t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		r, err := u.c.Open(u.t.Context(), e.Path)
		if err != nil {
			u.t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err = errors.Join(err, r.Close()); err != nil {
			u.t.Fatal(err)
		}
		for l := range strings.Lines(string(b)) {
			out = append(out, strings.TrimSuffix(l, "\n"))
		}
	}
	sort.Strings(out)
	return out
}

// text makes a text of n lines; every test reads others.
func text(n, seed int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "The %s fox, %s, and Word%d\n", []string{"quick", "brown", "lazy"}[(i+seed)%3], []string{"a", "bb"}[i%2], (i*7+seed)%100)
	}
	return b.String()
}

var wordPattern = regexp.MustCompile(`[A-Za-z]+`)

// count is what wordcount must give for a text.
func count(text string) []string {
	n := map[string]int{}
	for _, w := range wordPattern.FindAllString(text, -1) {
		n[strings.ToLower(w)]++
	}
	var out []string
	for w, k := range n {
		out = append(out, fmt.Sprintf("%s %d", w, k))
	}
	sort.Strings(out)
	return out
}

// zipped packs a text.
func zipped(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := io.WriteString(z, text); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// same compares sorted lines.
func (u *user) same(what string, got, want []string) {
	u.t.Helper()
	if len(got) != len(want) {
		u.t.Errorf("%s: %d lines, expected %d", what, len(got), len(want))
		return
	}
	for i := range got {
		if got[i] != want[i] {
			u.t.Errorf("%s: line %d is %q, expected %q", what, i, got[i], want[i])
			return
		}
	}
}

// example is the path of an example's binary.
func (u *user) example(name string) string { return filepath.Join(u.dist, "examples", name) }

// testJob builds the job that misbehaves, once for a test process.
func testJob(t *testing.T) string {
	t.Helper()
	built.Do(func() {
		dir, err := os.MkdirTemp("", "weft-testjob-")
		if err != nil {
			built.err = err
			return
		}
		built.path = filepath.Join(dir, "testjob")
		cmd := exec.Command("go", "build", "-o", built.path, "./testjob")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			built.err = fmt.Errorf("%w: %s", err, out)
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return built.path
}

var built struct {
	sync.Once
	path string
	err  error
}

// TestMain removes what testJob built.
func TestMain(m *testing.M) {
	code := m.Run()
	if built.path != "" {
		_ = os.RemoveAll(filepath.Dir(built.path))
	}
	os.Exit(code)
}
