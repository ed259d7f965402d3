package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// runWeft runs a command line in this process.
func runWeft(t *testing.T, args ...string) (out, err string, code int) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	dir := t.TempDir()
	p := &process{stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr, getenv: func(name string) string {
		switch name {
		case "WEFT_CONF_DIR":
			return dir
		case "TMPDIR":
			return dir
		}
		return ""
	}}
	code = p.run(t.Context(), args)
	return stdout.String(), stderr.String(), code
}

// What bash offers at the end of a command line; the last word is the one under the cursor.
func TestBashCompletes(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Log("bash is not installed: the text alone is looked at")
	}
	script, _, code := runWeft(t, "completion", "bash")
	if code != 0 || !strings.Contains(script, "complete -F _weft weft yarn-session.sh") {
		t.Fatalf("code %d: %s", code, script)
	}
	if bash == "" {
		return
	}
	dir := t.TempDir()
	for _, name := range []string{"my-job", "my text"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(dir, "completion")
	if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		words []string
		want  string
	}{
		{[]string{"weft", "ca"}, "cancel"},
		{[]string{"weft", "run"}, "run run-application"},
		{[]string{"weft", "--v"}, "--version"},
		{[]string{"weft", "job"}, ""}, // hidden commands are not offered
		{[]string{"weft", "run", "--yarnjob"}, "--yarnjobManagerMemory"},
		{[]string{"weft", "run", "-ynm", "run", "--para"}, "--parallelism"},
		{[]string{"weft", "run", "-t", "yarn-"}, "yarn-session yarn-per-job yarn-application"},
		{[]string{"weft", "run", "--target", "rem"}, "remote"},
		{[]string{"weft", "run", "-D", "parallelism"}, "parallelism.default="},
		{[]string{"weft", "run", "-ynm", ""}, ""},
		{[]string{"weft", "run", "-p", "2", "my"}, "my text|my-job"},
		{[]string{"weft", "run", "my-job", "-"}, ""},
		{[]string{"weft", "cancel", "0123", "--jobm"}, "--jobmanager"},
		{[]string{"weft", "completion", "z"}, "zsh"},
		{[]string{"yarn-session.sh", "--detach"}, "--detached"},
		{[]string{"/opt/weft/bin/yarn-session.sh", "-t", "my"}, "my text|my-job"},
		{[]string{"weft", "nothing", "x"}, ""},
	} {
		run := exec.CommandContext(t.Context(), bash, "--norc", "-c", `source "$1"; shift; COMP_WORDS=("$@") COMP_CWORD=$(($#-1)); _weft
			for r in "${COMPREPLY[@]}"; do printf '%s\n' "$r"; done`, "bash", file)
		run.Args = append(run.Args, c.words...)
		run.Dir = dir
		out, err := run.CombinedOutput()
		if err != nil {
			t.Errorf("%q: %v: %s", c.words, err, out)
			continue
		}
		got := strings.Split(strings.TrimSpace(string(out)), "\n")
		separator := " "
		if strings.Contains(c.want, "|") {
			separator = "|"
		}
		want := strings.Split(c.want, separator)
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%q: offered %q, want %q", c.words, got, want)
		}
	}
}

// The text for zsh names every option that help shows, and zsh, where it is installed, can read it.
func TestZshCompletion(t *testing.T) {
	script, _, code := runWeft(t, "completion", "zsh")
	if code != 0 || !strings.HasPrefix(script, "#compdef weft") {
		t.Fatalf("code %d: %s", code, script)
	}
	for _, want := range []string{"'run:run a job in a session", "'*--parallelism[", "'*-t[", "(yarn-session yarn-per-job yarn-application remote local)", "'1:job:_files'"} {
		if !strings.Contains(script, want) {
			t.Errorf("%q is missing", want)
		}
	}
	zsh, err := exec.LookPath("zsh")
	if err != nil {
		return
	}
	file := filepath.Join(t.TempDir(), "_weft")
	if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), zsh, "-f", "-n", file).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("zsh does not read it: %v: %s", err, out)
	}
	// _arguments and _describe are stood in for: what they would be called with is what matters.
	check := `autoload -Uz compinit; compinit -D -u; _arguments() { print -l -- "$@" }; _describe() { print -- "$@" }
		source "$1"; words=(weft run -) CURRENT=3; _weft; words=(weft "") CURRENT=2; _weft`
	out, err := exec.CommandContext(t.Context(), zsh, "-f", "-c", check, "zsh", file).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "*--parallelism[") || !strings.Contains(string(out), "-t commands command commands") {
		t.Errorf("zsh: %v: %s", err, out)
	}
}

func TestCompletionArguments(t *testing.T) {
	for _, args := range [][]string{{"completion"}, {"completion", "fish"}, {"completion", "bash", "zsh"}} {
		if _, text, code := runWeft(t, args...); code != 2 || !strings.Contains(text, "expected bash or zsh") {
			t.Errorf("%q: %d, %s", args, code, text)
		}
	}
}
