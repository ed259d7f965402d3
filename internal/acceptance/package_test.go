//go:build realhadoop

package acceptance

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// moved is the user with a copy of the whole distribution at another place, outside the checkout.
func (u *user) moved() *user {
	u.t.Helper()
	to := filepath.Join(u.t.TempDir(), "elsewhere", "weft")
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		u.t.Fatal(err)
	}
	if out, err := exec.Command("cp", "-r", u.dist, to).CombinedOutput(); err != nil {
		u.t.Fatalf("%v: %s", err, out)
	}
	v := *u
	v.dist = to
	return &v
}

// in runs a command in a directory, with the user's environment less the variables named; it must succeed.
func (u *user) in(dir string, without []string, name string, args ...string) string {
	u.t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	for _, kv := range u.env {
		drop := false
		for _, prefix := range without {
			drop = drop || strings.HasPrefix(kv, prefix)
		}
		if !drop {
			cmd.Env = append(cmd.Env, kv)
		}
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		u.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// hadoop are the variables by which a Hadoop is found.
var hadoop = []string{"HADOOP_", "YARN_", "GOFLAGS="}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// fields counts what the job that weft init writes counts: words between blanks.
func fields(text string) map[string]int {
	n := map[string]int{}
	for _, w := range strings.Fields(text) {
		n[strings.ToLower(w)]++
	}
	return n
}

// The distribution, moved, is all that is needed to write, test and run a job; weft run leaves the module as it is.
func TestJobModule(t *testing.T) {
	t.Parallel()
	u := newUser(t).moved()
	dir := filepath.Join(t.TempDir(), "My Counts")
	r := u.ok("weft", "init", dir)
	if !strings.Contains(r.stdout, "main.go") {
		t.Errorf("init: %s", r)
	}
	u.fails(2, []string{"is there already"}, "weft", "init", dir)

	write(t, filepath.Join(dir, "main_test.go"), `package main

import (
	"context"
	"testing"

	"github.com/weft-project/weft/stream"
)

func TestCounts(t *testing.T) {
	env := stream.New()
	var seen []int
	numbers := stream.Map(stream.FromSlice(env, "numbers", []int{1, 2, 3}), "double", func(n int) int { return 2 * n })
	stream.ForEach(numbers, "keep", func(n int) { seen = append(seen, n) }, stream.Parallelism(1))
	if _, err := env.Execute(context.Background(), "test"); err != nil {
		t.Fatal(err)
	}
	if len(seen) != 3 {
		t.Fatal(seen)
	}
}
`)
	u.in(dir, hadoop, "go", "build", "-o", filepath.Join(t.TempDir(), "job"), ".")
	u.in(dir, hadoop, "go", "vet", ".")
	u.in(dir, hadoop, "go", "test", ".")

	in := text(40, 8)
	local := filepath.Join(t.TempDir(), "in.txt")
	write(t, local, in)
	out := u.in(dir, hadoop, "go", "run", ".", "-input", local)
	if !strings.Contains(out, "fox,") {
		t.Errorf("go run printed %q", out)
	}

	u.session()
	mod, sum := read(t, filepath.Join(dir, "go.mod")), read(t, filepath.Join(dir, "go.sum"))
	u.ok("weft", "run", dir, "-input", u.put("in.txt", in), "-output", u.out("out"))
	if !bytes.Equal(mod, read(t, filepath.Join(dir, "go.mod"))) || !bytes.Equal(sum, read(t, filepath.Join(dir, "go.sum"))) {
		t.Error("weft run has edited go.mod or go.sum")
	}
	want := fields(in)
	if got := u.lines(u.out("out")); len(got) != len(want) {
		t.Errorf("%d words, expected %d", len(got), len(want))
	}
	if entries, err := os.ReadDir(u.tmp); err != nil || len(entries) != 1 {
		t.Errorf("the build's files are left, or the properties file is gone: %v, %v", entries, err)
	}
	programs(t, u, dir)
}

// programs: several programs in one module, and one that does not compile.
func programs(t *testing.T, u *user, dir string) {
	main := read(t, filepath.Join(dir, "main.go"))
	write(t, filepath.Join(dir, "cmd", "nightly", "main.go"), string(main))
	input := u.put("in2.txt", text(30, 9))
	u.ok("weft", "run", "-c", "nightly", dir, "-input", input, "-output", u.out("nightly"))
	if got, want := len(u.lines(u.out("nightly"))), len(fields(text(30, 9))); got != want {
		t.Errorf("-c nightly: %d words, expected %d", got, want)
	}
	u.fails(2, []string{"-c hourly", filepath.Join(dir, "cmd", "hourly")}, "weft", "run", "-c", "hourly", dir)

	write(t, filepath.Join(dir, "cmd", "broken", "main.go"), "package main\n\nfunc main() { var answer int = \"forty-two\" }\n")
	r := u.fails(2, []string{"go build", "main.go:3:", "forty-two"}, "weft", "run", "-c", "broken", dir)
	if strings.Contains(r.stdout, "submitted") {
		t.Errorf("a broken program was submitted: %s", r)
	}
	write(t, filepath.Join(dir, "cmd", "library", "library.go"), "package library\n")
	u.fails(2, []string{"is not a program", "must be main"}, "weft", "run", "-c", "library", dir)

	// A package without a module is built as if it had one.
	loose := filepath.Join(t.TempDir(), "loose")
	write(t, filepath.Join(loose, "main.go"), string(main))
	u.ok("weft", "run", loose, "-input", input, "-output", u.out("loose"))
	if entries, err := os.ReadDir(loose); err != nil || len(entries) != 1 {
		t.Errorf("weft run has written to the package: %v, %v", entries, err)
	}
	// So are the example's sources of the distribution.
	u.ok("weft", "run", filepath.Join(u.dist, "examples", "src", "wordcount"), "-input", input, "-output", u.out("example"))
	u.same("example from sources", u.lines(u.out("example")), count(text(30, 9)))
}

// An example started by hand needs no Hadoop, no session and no configuration.
func TestLocalRun(t *testing.T) {
	u := newUser(t).moved()
	dir := t.TempDir()
	in := text(200, 10)
	write(t, filepath.Join(dir, "texts", "a.txt"), in)
	write(t, filepath.Join(dir, "texts", "b.txt.gz"), zipped(t, in))
	out := filepath.Join(dir, "counts")
	u.in(dir, hadoop, u.example("wordcount"), "-input", "texts", "-output", out)
	var got []string
	err := filepath.WalkDir(out, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		got = append(got, strings.Split(strings.TrimSpace(string(read(t, path))), "\n")...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(got)
	u.same("local run", got, count(in+in))
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 2 {
		t.Errorf("left beside the output: %v, %v", entries, err)
	}
	if printed := u.in(dir, hadoop, u.example("wordcount")); !strings.Contains(printed, "{be 3}") && !strings.Contains(printed, "be 3") {
		t.Errorf("the built-in text: %q", printed)
	}
}

// What runs needs nothing of the client's machine: with the distribution and the home directory renamed the job goes on.
func TestClientRenamed(t *testing.T) {
	t.Parallel()
	u := newUser(t).moved()
	app := u.session("-tm", "1024", "-s", "1")
	j := u.slow(app)
	j.spread()
	away := filepath.Join(t.TempDir(), "away")
	for i, dir := range []string{u.dist, u.home} {
		if err := os.Rename(dir, away+strconv.Itoa(i)); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range u.c.Processes(app) {
		exe, err := filepath.EvalSymlinks(p.Exe)
		if err != nil || !strings.HasPrefix(exe, u.c.Dir()) && !strings.HasSuffix(exe, "sh") {
			t.Errorf("%v runs %s: %v", p.Args, p.Exe, err)
		}
	}
	if r := j.right(); strings.Contains(r.stderr, "RESTARTING") {
		t.Errorf("the job was disturbed: %s", r)
	}
	u.dist, u.home = away+"0", away+"1"
	for i, kv := range u.env {
		if strings.HasPrefix(kv, "HOME=") {
			u.env[i] = "HOME=" + u.home
		}
	}
	u.ok("weft", "run", u.example("wordcount"), "-input", u.out("input"), "-output", u.out("again"))
	u.same("after the move", u.lines(u.out("again")), count(j.in))
}
