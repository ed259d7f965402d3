package standalone_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weft-project/weft/internal/await"
	"github.com/weft-project/weft/rest"
	"github.com/weft-project/weft/rpc/planpb"
)

// patience bounds everything a test waits for.
const patience = 2 * time.Minute

// built is a distribution's binaries, made once for a test process. The job is this process's own binary (job_test.go).
var built = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "weft-standalone-")
	if err != nil {
		return "", err
	}
	cmd := exec.Command("go", "build", "-buildvcs=false", "-ldflags=-s -w", "-o", filepath.Join(dir, "bin", "weft"), "../cmd/weft")
	if text, err := cmd.CombinedOutput(); err != nil {
		return dir, fmt.Errorf("build weft: %w: %s", err, text)
	}
	scripts, err := filepath.Glob("../scripts/*.sh")
	if err != nil {
		return dir, err
	}
	for _, s := range scripts {
		b, err := os.ReadFile(s)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, "bin", filepath.Base(s)), b, 0o755)
		}
		if err != nil {
			return dir, err
		}
	}
	return dir, nil
})

// TestMain removes what was built. In the processes that a cluster starts this binary is the job.
func TestMain(m *testing.M) {
	if os.Getenv(planpb.EnvRole) != "" || os.Getenv(planpb.EnvConfig) != "" {
		os.Exit(job(os.Args[1:]))
	}
	code := m.Run()
	if dir, _ := built(); dir != "" {
		_ = os.RemoveAll(dir) // also what a build that failed has left
	}
	os.Exit(code)
}

// site is a configuration and the directories of a user of it.
type site struct {
	t                         *testing.T
	dist, job, conf, tmp, log string
	restPort                  int
	env                       []string
}

// newSite makes a configuration with free ports; lines are added to it.
func newSite(t *testing.T, workers string, lines ...string) *site {
	t.Helper()
	dist, err := built()
	if err != nil {
		t.Fatal(err)
	}
	own, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, dist: dist, job: own, conf: t.TempDir(), tmp: t.TempDir(), log: t.TempDir(), restPort: freePort(t)}
	s.write("config.yaml", strings.Join(append(lines, "rest.port: "+strconv.Itoa(s.restPort), "jobmanager.rpc.port: "+strconv.Itoa(freePort(t)),
		"env.log.dir: "+s.log, "taskmanager.memory.process.size: 512m"), "\n"))
	s.write("workers", workers)
	for _, kv := range os.Environ() {
		switch k, _, _ := strings.Cut(kv, "="); k {
		case "HOME", "TMPDIR", "HADOOP_CONF_DIR", "YARN_CONF_DIR", "HADOOP_HOME", "WEFT_CONF_DIR", "FLINK_CONF_DIR":
		default:
			s.env = append(s.env, kv)
		}
	}
	s.env = append(s.env, "HOME="+t.TempDir(), "TMPDIR="+s.tmp, "WEFT_CONF_DIR="+s.conf)
	return s
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func (s *site) write(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.conf, name), []byte(text+"\n"), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// command makes a command of the distribution.
func (s *site) command(ctx context.Context, name string, args ...string) (*exec.Cmd, *bytes.Buffer) {
	cmd := exec.CommandContext(ctx, filepath.Join(s.dist, "bin", name), args...)
	out := &bytes.Buffer{}
	cmd.Stdout, cmd.Stderr, cmd.Env, cmd.Dir = out, out, s.env, s.tmp
	return cmd, out
}

// do runs a command to its end and gives its output and exit code.
func (s *site) do(name string, args ...string) (string, int) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd, out := s.command(ctx, name, args...)
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.t.Fatal(err)
	}
	return out.String(), cmd.ProcessState.ExitCode()
}

// ok runs a command that must succeed.
func (s *site) ok(name string, args ...string) string {
	s.t.Helper()
	out, code := s.do(name, args...)
	if code != 0 {
		s.t.Fatalf("%s %v: exit code %d\n%s", name, args, code, out)
	}
	return out
}

// start starts the cluster, which ends with the test.
func (s *site) start() string {
	s.t.Helper()
	s.t.Cleanup(func() { s.do("stop-cluster.sh") })
	return s.ok("start-cluster.sh")
}

// until waits for a condition.
func (s *site) until(what string, condition func() bool) {
	s.t.Helper()
	await.Until(s.t, what, condition)
}

// client talks to the JobManager as its owner.
func (s *site) client() *rest.Client {
	s.t.Helper()
	c, err := rest.NewClient(rest.ClientOptions{Address: "127.0.0.1:" + strconv.Itoa(s.restPort), Token: strings.TrimSpace(s.ok("jobmanager.sh", "token"))})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(c.Close)
	return c
}

// slots waits until the cluster has that many.
func (s *site) slots(c *rest.Client, n int) {
	s.t.Helper()
	s.until(fmt.Sprintf("there are %d slots", n), func() bool {
		o, err := c.Overview(context.Background())
		return err == nil && o.SlotsTotal == n
	})
}

// input writes a text and gives its URI and what its words count to.
func (s *site) input() (uri string, counts []string) {
	const lines = 3000
	s.t.Helper()
	var text strings.Builder
	n := map[string]int{}
	for i := range lines {
		words := []string{"weft", []string{"warp", "yarn", "loom"}[i%3], string(rune('a' + i%26))}
		for _, w := range words {
			n[w]++
		}
		text.WriteString(strings.Join(words, ", ") + "\n")
	}
	for w, k := range n {
		counts = append(counts, fmt.Sprintf("%s %d", w, k))
	}
	sort.Strings(counts)
	path := filepath.Join(s.t.TempDir(), "in.txt")
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return "file://" + path, counts
}

// compare reads what a job has written.
func (s *site) compare(dir string, want []string) {
	s.t.Helper()
	var got []string
	files, err := filepath.Glob(dir + "/*")
	if err != nil || len(files) == 0 {
		s.t.Fatalf("%s: %v, %v", dir, files, err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			s.t.Fatal(err)
		}
		got = append(got, strings.Fields(strings.ReplaceAll(string(b), " ", "="))...)
	}
	sort.Strings(got)
	for i := range got {
		got[i] = strings.ReplaceAll(got[i], "=", " ")
	}
	if !slices.Equal(got, want) {
		s.t.Errorf("%s: %v, expected %v", dir, got, want)
	}
}

// processes are those that run a file of the distribution or of the site's directory for temporary files.
func (s *site) processes() []string {
	var out []string
	dirs, _ := filepath.Glob("/proc/[0-9]*/exe")
	for _, exe := range dirs {
		env, err := os.ReadFile(filepath.Join(filepath.Dir(exe), "environ"))
		if path, linkErr := os.Readlink(exe); linkErr == nil && err == nil && bytes.Contains(env, []byte("TMPDIR="+s.tmp)) {
			out = append(out, exe+" "+path)
		}
	}
	return out
}

// empty checks that nothing of the cluster is left.
func (s *site) empty() {
	s.t.Helper()
	s.until(fmt.Sprintf("nothing runs: %v", s.processes()), func() bool { return len(s.processes()) == 0 })
	if entries, err := os.ReadDir(s.tmp); err != nil || len(entries) > 0 {
		s.t.Errorf("left in the directory for temporary files: %v, %v", entries, err)
	}
}
