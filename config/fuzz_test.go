package config

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzYAML reads anything as config.yaml: it ends, with an error or with values that are read again as they were written.
func FuzzYAML(f *testing.F) {
	files, err := filepath.Glob(filepath.Join("testdata", "*.yaml"))
	if err != nil || len(files) == 0 {
		f.Fatalf("no examples: %v", err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte("a: &x {b: 1}\nc: *x\nd: [1, {e: f}]\n"))
	f.Add([]byte("a: &a\n  b: *a\n"))
	f.Add([]byte("\"a\\nb\": \"\\x85 \u2028\"\n? [k]\n: v\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c := New()
		if err := readYAML(c, "f", data); err != nil {
			return
		}
		_ = c.Check()
		_ = c.Warnings()
		var b bytes.Buffer
		if err := c.Write(&b); err != nil {
			t.Fatal(err)
		}
		again := New()
		if err := readYAML(again, "again", b.Bytes()); err != nil {
			t.Fatalf("written as %q: %v", b.String(), err)
		}
		if !maps.Equal(again.Map(), c.Map()) {
			t.Fatalf("%q\nread as %q\nand again as %q", data, c.Map(), again.Map())
		}
	})
}

// FuzzLines reads anything as flink-conf.yaml.
func FuzzLines(f *testing.F) {
	f.Add([]byte("a: b # c\n\nd:\ne: f: g\r\n---\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c := New()
		_ = readLines(c, "f", data)
		_ = c.Check()
		for k, v := range c.Map() {
			if strings.TrimSpace(k) != k || k == "" || strings.Contains(v, "\n") {
				t.Fatalf("key %q, value %q", k, v)
			}
		}
	})
}

// References that stand for more than a machine holds are an error, soon.
func TestManyReferences(t *testing.T) {
	var b strings.Builder
	b.WriteString("a0: &a0 {x: 1, y: 2}\n")
	for i := 1; i < 40; i++ {
		fmt.Fprintf(&b, "a%d: &a%d {x: *a%d, y: *a%d}\n", i, i, i-1, i-1)
	}
	err := readYAML(New(), "f", []byte(b.String()))
	if err == nil || !strings.Contains(err.Error(), "more than 100000 keys") {
		t.Errorf("got %.200v", err)
	}
	if err := readYAML(New(), "f", []byte("a: &a\n  b: *a\n")); err == nil {
		t.Error("a reference to itself is no error")
	}
}

// All that is wrong with a file is told, with what could be read of it.
func TestAllErrorsOfAFile(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, FileName), "a: 1\na: 2\nb: [[x]]\nparallelism.default: many\n")
	c, err := Load(dir)
	if err == nil || c == nil {
		t.Fatalf("%v, %v", c, err)
	}
	all := fmt.Sprint(err, "\n", c.Check())
	for _, want := range []string{"a is set twice", "line 3: expected a list of plain values", "parallelism.default"} {
		if !strings.Contains(all, want) {
			t.Errorf("%q does not contain %q", all, want)
		}
	}
}
