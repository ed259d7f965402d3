package stream_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"

	"github.com/weft-project/weft/stream"
)

// textInput is a directory of text files and the lines in it.
type textInput struct {
	dir   string
	lines []string
}

// add writes a file. end is what ends its lines; unended leaves it out after the last.
func (in *textInput) add(t *testing.T, name string, lines []string, end string, unended bool) {
	t.Helper()
	text := strings.Join(lines, end)
	if !unended && len(lines) > 0 {
		text += end
	}
	data := []byte(text)
	if strings.HasSuffix(name, ".gz") {
		data = zipped(t, data)
	}
	if err := os.WriteFile(filepath.Join(in.dir, name), data, 0o600); err != nil {
		t.Fatal(err)
	}
	if n := len(lines); unended && n > 0 && lines[n-1] == "" {
		lines = lines[:n-1] // nothing after the last line end is no line
	}
	in.lines = append(in.lines, lines...)
}

func zipped(t *testing.T, data []byte) []byte {
	t.Helper()
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return z.Bytes()
}

// textInputs has every kind of file that a text source meets.
func textInputs(t *testing.T) *textInput {
	t.Helper()
	in := &textInput{dir: t.TempDir()}
	in.add(t, "plain.txt", randomLines(10, 800), "\n", false)
	in.add(t, "unended.txt", []string{"first", "", "last without end"}, "\n", true)
	in.add(t, "dos.txt", randomLines(11, 300), "\r\n", false)
	in.add(t, "dos unended.txt", []string{"a", "b\rc"}, "\r\n", true)
	in.add(t, "empty.txt", nil, "\n", false)
	in.add(t, "blank.txt", []string{"", "", ""}, "\n", false)
	in.add(t, "packed.gz", randomLines(12, 500), "\n", false)
	in.add(t, "packed unended.gz", []string{"packed", "unended"}, "\r\n", true)
	in.add(t, "packed empty.gz", nil, "\n", false)
	if err := os.WriteFile(filepath.Join(in.dir, "no bytes.gz"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for i := range 60 {
		in.add(t, fmt.Sprintf("small-%02d", i), randomLines(uint64(100+i), i%4), "\n", i%2 == 0)
	}
	// A split is 1 MiB at least: lines longer than that lie across several splits.
	var long []string
	for i, n := range []int{5, 2_500_000, 0, 70, 300_000, 1 << 20, 9} {
		long = append(long, strings.Repeat(string(rune('a'+i)), n))
	}
	in.add(t, "long.txt", long, "\n", true)
	// Two gzip streams one after the other are one file.
	two := append(zipped(t, []byte("one\n")), zipped(t, []byte("two\n"))...)
	if err := os.WriteFile(filepath.Join(in.dir, "two.gz"), two, 0o600); err != nil {
		t.Fatal(err)
	}
	in.lines = append(in.lines, "one", "two")
	for _, hidden := range []string{"_SUCCESS", ".hidden"} {
		if err := os.WriteFile(filepath.Join(in.dir, hidden), []byte("not read\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return in
}

// outputLines reads what a text sink wrote: a file, or a directory of as many parts as the sink had subtasks.
func outputLines(t *testing.T, path string, parts int) []string {
	t.Helper()
	names := []string{path}
	if parts > 1 {
		var err error
		if names, err = filepath.Glob(filepath.Join(path, "part-*")); err != nil || len(names) != parts {
			t.Fatalf("output %s: parts %v, expected %d (%v)", path, names, parts, err)
		}
	}
	var lines []string
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if len(data) == 0 {
			continue
		}
		if !bytes.HasSuffix(data, []byte("\n")) {
			t.Fatalf("%s does not end with a line end", name)
		}
		lines = append(lines, strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")...)
	}
	return lines
}

// shortened keeps comparisons of megabyte lines readable.
func shortened(lines []string) []string {
	out := make([]string, len(lines))
	for i, l := range lines {
		if out[i] = l; len(l) > 1000 {
			out[i] = fmt.Sprintf("%.10s… of %d bytes", l, len(l))
		}
	}
	slices.Sort(out)
	return out
}

// TestTextIsCopied reads every kind of file and writes the lines again, in every variant.
func TestTextIsCopied(t *testing.T) {
	in := textInputs(t)
	want := shortened(in.lines)
	for _, v := range variants() {
		if v.mode == stream.Automatic || v.mode == stream.Streaming && v.timeout == "" && v.noChaining {
			continue
		}
		out := t.TempDir()
		env := v.env()
		lines := stream.ReadText(env, "read", in.dir)
		stream.WriteText(lines, "copy", filepath.Join(out, "copy"), func(s string) string { return s })
		stream.WriteText(stream.Rebalance(lines), "one file", "file://"+filepath.Join(out, "one.txt"), func(s string) string { return s }, stream.Parallelism(1))
		if _, err := env.Execute(t.Context(), "copy"); err != nil {
			t.Fatalf("%s: %v", v, err)
		}
		for _, got := range [][]string{outputLines(t, filepath.Join(out, "copy"), v.parallelism), outputLines(t, filepath.Join(out, "one.txt"), 1)} {
			if got = shortened(got); !slices.Equal(got, want) {
				t.Fatalf("%s: %d lines, expected %d:\n%s", v, len(got), len(want), firstDifferences(counted(got), counted(want)))
			}
		}
		left, err := os.ReadDir(out)
		if err != nil || len(left) != 2 {
			t.Fatalf("%s: left beside the output: %v (%v)", v, left, err)
		}
	}
}

func counted(lines []string) map[string]int {
	m := map[string]int{}
	for _, l := range lines {
		m[l]++
	}
	return m
}

// A pattern picks files; the order of lines within a file is kept by a job of one subtask.
func TestTextPatternAndOrder(t *testing.T) {
	in := &textInput{dir: t.TempDir()}
	in.add(t, "b.log", []string{"no"}, "\n", false)
	in.lines = nil
	in.add(t, "a.txt", randomLines(20, 2000), "\n", false)
	env := stream.New()
	env.SetParallelism(1)
	var got []string
	stream.ForEach(stream.ReadText(env, "read", in.dir+"/*.txt"), "collect", func(s string) { got = append(got, s) })
	if _, err := env.Execute(t.Context(), "order"); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, in.lines) {
		t.Errorf("%d lines, expected %d in the order of the file", len(got), len(in.lines))
	}
}

// What makes an input unreadable is one sentence that names it, and nothing is written.
func TestUnreadableText(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, data []byte) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	packed := zipped(t, []byte(strings.Join(randomLines(30, 3000), "\n")))
	tests := []struct{ name, uri, want string }{
		{"missing", filepath.Join(dir, "nothing.txt"), "nothing.txt: no such file"},
		{"no match", filepath.Join(dir, "*.csv"), "*.csv: no file matches"},
		{"cut short", write("cut.gz", packed[:len(packed)/2]), "cut.gz: "},
		{"cut in its trailer", write("trailer.gz", packed[:len(packed)-3]), "trailer.gz: "},
		{"not gzip", write("no.gz", []byte("plain text")), "no.gz: "},
		{"unknown scheme", "ftp://host/x", "ftp"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "out")
			env := stream.New()
			env.SetParallelism(2)
			stream.WriteText(stream.ReadText(env, "read", tt.uri), "write", out, func(s string) string { return s })
			_, err := env.Execute(t.Context(), "unreadable")
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("error %v, expected one that says %q", err, tt.want)
			}
			left, readErr := os.ReadDir(filepath.Dir(out))
			if readErr != nil || len(left) != 0 {
				t.Errorf("left behind: %v (%v)", left, readErr)
			}
			if strings.Contains(err.Error(), `"write"`) {
				t.Errorf("the failure is pinned on the sink: %v", err)
			}
		})
	}
}

// An output that exists is refused and stays as it was.
func TestOutputThatExistsIsRefused(t *testing.T) {
	for _, parallelism := range []int{1, 3} {
		out := filepath.Join(t.TempDir(), "out")
		if err := os.WriteFile(out, []byte("before"), 0o600); err != nil {
			t.Fatal(err)
		}
		env := stream.New()
		env.SetParallelism(parallelism)
		s := stream.Generate(env, "numbers", 1<<40, func(i int64) int64 { return i })
		stream.WriteText(s, "write", out, func(i int64) string { return "x" })
		_, err := env.Execute(t.Context(), "refused")
		if err == nil || !strings.Contains(err.Error(), "output "+out+" exists already: remove it or choose another name") {
			t.Fatalf("error %v", err)
		}
		if data, err := os.ReadFile(out); err != nil || string(data) != "before" {
			t.Errorf("the output that existed is now %q (%v)", data, err)
		}
	}
}

// outputNames is what lies where an output would, scratch files included.
func outputNames(t *testing.T, out string) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(out))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}
