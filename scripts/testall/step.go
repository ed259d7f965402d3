package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/weft-project/weft/internal/devcluster"
)

// packageTimeout bounds one package's tests.
const packageTimeout = 50 * time.Minute

// step is one run of go test.
type step struct {
	title string
	args  []string
	real  bool // on the real Hadoop
}

// event is a line of "go test -json".
type event struct {
	Action, Package, Test, Output, ImportPath string
	Elapsed                                   float64
}

// run runs go test, prints a line for each package and the output of what failed, and counts. Its error is about the run
// itself; failed tests are counted.
func (s step) run(ctx context.Context, c *devcluster.Cluster, dist string, total *tally) error {
	fmt.Printf("== %s\n", s.title)
	args := append([]string{"test", "-json", "-count=1", "-timeout", packageTimeout.String()}, s.args...)
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Env = append(os.Environ(), distEnv+"="+dist)
	if !slices.Contains(s.args, "-race") {
		cmd.Env = append(cmd.Env, "CGO_ENABLED=0")
	}
	if s.real {
		c.Prepare(cmd)
	} else {
		devcluster.OwnGroup(cmd)
	}
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	p := &printer{total: total, output: map[string][]string{}, out: os.Stdout}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		p.line(lines.Bytes())
	}
	readErr := lines.Err()
	err = cmd.Wait()
	if kerr := devcluster.KillGroup(cmd); kerr != nil {
		return kerr
	}
	if ctx.Err() != nil {
		p.rest()
		return fmt.Errorf("interrupted: %w", context.Cause(ctx))
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return err
	}
	if err != nil && !total.failed() {
		return fmt.Errorf("go test: %w", err)
	}
	return readErr
}

// printer turns events into lines for people.
type printer struct {
	total  *tally
	out    io.Writer
	output map[string][]string // lines of the tests, and ("package\x00") of the packages, that have not ended
}

func (p *printer) line(raw []byte) {
	var e event
	if json.Unmarshal(raw, &e) != nil {
		fmt.Fprintf(p.out, "%s\n", raw)
		return
	}
	key := e.Package + "\x00" + e.Test
	switch e.Action {
	case "output":
		p.output[key] = append(p.output[key], e.Output)
	case "build-output":
		fmt.Fprint(p.out, e.Output)
	case "pass", "skip", "fail":
		p.ended(e, key)
	}
}

func (p *printer) ended(e event, key string) {
	text := p.output[key]
	delete(p.output, key)
	if e.Test != "" {
		p.total.test(e)
		// What a test wrote is shown when it failed, why when it was skipped.
		if e.Action != "pass" {
			fmt.Fprint(p.out, strings.Join(text, ""))
		}
		return
	}
	p.total.pkg(e)
	if e.Action == "fail" {
		p.unended(e.Package)
	}
	for _, l := range text {
		// The closing line, "ok PACKAGE 1.2s", and of a failed package everything, a panic perhaps.
		if e.Action == "fail" || strings.HasPrefix(l, "ok ") {
			fmt.Fprint(p.out, l)
		}
	}
}

// rest prints what tests that did not end have written.
func (p *printer) rest() { p.unended("") }

// unended prints what the tests of a package (of all, with "") have written that did not end: the process ended before them.
func (p *printer) unended(pkg string) {
	keys := make([]string, 0, len(p.output))
	for k := range p.output {
		if name, _, _ := strings.Cut(k, "\x00"); pkg == "" || name == pkg {
			keys = append(keys, k)
		}
	}
	sort.Strings(keys)
	for _, k := range keys {
		fmt.Fprint(p.out, strings.Join(p.output[k], ""))
		delete(p.output, k)
	}
}

// tally counts tests and packages.
type tally struct {
	packages, passed, skipped int
	failures                  []string
}

func (t *tally) test(e event) {
	switch e.Action {
	case "pass":
		t.passed++
	case "skip":
		t.skipped++
	default:
		t.failures = append(t.failures, e.Package+" "+e.Test)
	}
}

func (t *tally) pkg(e event) {
	switch e.Action {
	case "pass":
		t.packages++
	case "fail":
		t.packages++
		t.failures = append(t.failures, e.Package)
	}
}

func (t *tally) failed() bool { return len(t.failures) > 0 }

func (t *tally) print(out io.Writer, took time.Duration) {
	for _, f := range t.failures {
		fmt.Fprintln(out, "FAILED", f)
	}
	result := "PASS"
	failed := 0
	for _, f := range t.failures {
		if strings.Contains(f, " ") {
			failed++
		}
	}
	if t.failed() {
		result = "FAIL"
	}
	fmt.Fprintf(out, "%s: %d packages, %d tests passed, %d failed, %d skipped in %s\n",
		result, t.packages, t.passed, failed, t.skipped, took.Round(time.Second))
}
