package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/weft-project/weft/client"
	"github.com/weft-project/weft/internal/hadoop/krb"
	"github.com/weft-project/weft/rpc/planpb"
)

const someJob = "0123456789abcdef0123456789abcdef"

// What commands say and end with where no cluster is needed.
func TestCommandsEnd(t *testing.T) {
	none := "-Dyarn.properties-file.location=" + t.TempDir()
	for _, c := range []struct {
		args string
		code int
		out  string // a part of standard output, or of standard error
	}{
		{"--version", 0, "Version: "},
		{"-v", 0, "Commit ID: "},
		{"", 2, "please name a command"},
		{"lst", 2, "did you mean list?"},
		{"version", 2, "did you mean --version?"},
		{"list --nosuch", 2, "See weft list --help."},
		{"list " + none, 3, "there is no session"},
		{"list -t yarn-sesion " + none, 2, `target "yarn-sesion" (-t): expected yarn-session`},
		{"cancel -t yarn-sesion " + none + " " + someJob, 2, `target "yarn-sesion" (-t): expected yarn-session`},
		{"list -h", 0, "Exit codes:"},
		{"cancel " + none + " " + someJob, 3, "there is no session"},
		{"logs " + none, 3, "there is no session"},
		{"logs " + none + " a b", 2, "expected one job or application"},
		{"stop " + none + " " + someJob, 3, "there is no session"},
		{"stop -d -p hdfs:///s -type native " + none + " " + someJob, 3, "there is no session"},
		{"stop", 2, "expected one job id"},
		{"stop --nosuch", 2, "unknown option --nosuch"},
		{"savepoint " + none + " " + someJob + " hdfs:///s", 3, "there is no session"},
		{"savepoint -d hdfs:///s/1 x", 2, "unexpected argument"},
		{"checkpoint -full " + none + " " + someJob, 3, "there is no session"},
		{"modify -p 4 " + someJob, 2, "cannot be rescaled"},
		{"savepoint --help", 0, "DIRECTORY"},
		{"run " + none, 2, "no job: give a job binary"},
		{"run -py x job", 2, "written in Go"},
		{"run -t nosuch job", 2, `target "nosuch" (-t): expected yarn-session`},
		{"info", 2, "no job: give a job binary"},
	} {
		out, text, code := runWeft(t, strings.Fields(c.args)...)
		if code != c.code || !strings.Contains(out+text, c.out) {
			t.Errorf("weft %s: code %d, want %d; %q is not in\n%s%s", c.args, code, c.code, c.out, out, text)
		}
	}
}

// Flink's form, which deployment scripts cut.
func TestVersionLine(t *testing.T) {
	out, _, _ := runWeft(t, "--version")
	if !regexp.MustCompile(`^Version: \S+, Commit ID: \S+\n$`).MatchString(out) {
		t.Errorf("%q", out)
	}
}

// The block that scripts which watch Flink's output know, and the codes of docs/yarn.md.
func TestExitCodes(t *testing.T) {
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	failed := &client.JobFailed{Name: "counts", Result: &planpb.JobResult{JobId: someJob, Status: planpb.JobStatus_FAILED, RuntimeMs: 7,
		Failure: &planpb.Failure{Message: "no such word"}}}
	for _, c := range []struct {
		ctx  context.Context
		err  error
		code int
		text string
	}{
		{t.Context(), nil, 0, ""},
		{t.Context(), &client.Failure{Code: client.ExitFailed, Err: failed}, 1, "\n------------------------------------------------------------\n" +
			" The program finished with the following exception:\n\nJob 'counts' (JobID " + someJob + ") ended as FAILED after 7 ms.\nCaused by: no such word\n"},
		{t.Context(), errors.New("disk full"), 1, "Error: disk full\n"},
		{t.Context(), &usageError{"run", "no job"}, 2, "weft run: no job\nSee weft run --help.\n"},
		{t.Context(), fmt.Errorf("x: %w", &client.Failure{Code: client.ExitUsage, Err: errors.New("y")}), 2, "Error: x: y\n"},
		{t.Context(), &client.Failure{Code: client.ExitUnreachable, Err: errors.New("gone")}, 3, "Error: gone\n"},
		{t.Context(), fmt.Errorf("open x: %w: y", krb.ErrExpired), 2, "Error: open x: kerberos ticket expired: y\n"},
		{t.Context(), fmt.Errorf("open x: %w: y", krb.ErrUnreachable), 3, "Error: open x: no KDC answers: y\n"},
		{stopped, stopped.Err(), 130, "Interrupted.\n"},
	} {
		var text bytes.Buffer
		p := &process{stderr: &text}
		if code := p.exitCode(c.ctx, c.err); code != c.code || text.String() != c.text {
			t.Errorf("%v: %d, %q; want %d, %q", c.err, code, text.String(), c.code, c.text)
		}
	}
}

// A command tells all that is wrong with the configuration, the form of the file, its values and the command line, at once.
func TestAllErrorsOfTheConfiguration(t *testing.T) {
	dir := t.TempDir()
	file := "jobmanager.heap.mb: 1024\nparallelism.default: many\nparallelism.default: 2\nstate.backend: rocksdb\nakka.ask.timeout: 10 s\nheartbeat.tiemout: 5 s\n"
	if err := os.WriteFile(filepath.Join(dir, "config.yaml"), []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	p := &process{stdin: strings.NewReader(""), stdout: &bytes.Buffer{}, stderr: &text, getenv: func(name string) string {
		if name == "WEFT_CONF_DIR" {
			return dir
		}
		return ""
	}}
	code := p.run(t.Context(), []string{"list", "-Dyarn.properties-file.location=" + dir, "-Dheartbeat.interval=soon", "-Dyarn.application-attempts=0"})
	if code != client.ExitUsage {
		t.Errorf("code %d", code)
	}
	for _, want := range []string{
		"parallelism.default is set twice", `parallelism.default (` + filepath.Join(dir, "config.yaml") + `, line 2): "many"`, `heartbeat.interval (-D): "soon"`,
		"yarn.application-attempts (-D): 0 is too small",
		"line 1) is an old name, use jobmanager.memory.process.size\n", "did you mean heartbeat.timeout?\n",
		"these configuration keys of Flink do nothing in this release of Weft: akka.ask.timeout, state.backend\n",
	} {
		if strings.Count(text.String(), want) != 1 {
			t.Errorf("%q is there %d times in\n%s", want, strings.Count(text.String(), want), text.String())
		}
	}
}
