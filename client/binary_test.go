package client

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/rpc/planpb"
	"github.com/weft-project/weft/rpc/version"
)

func TestCheckBinary(t *testing.T) {
	linux := config.Platform{OS: "linux", Arch: "amd64"}
	dir := t.TempDir()
	file := func(name, content string) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(content), 0o700); err != nil {
			t.Fatal(err)
		}
		return p
	}
	for path, want := range map[string]string{
		file("job.jar", "PK\x03\x04xxxx"):  "is a .jar",
		file("job", "PK\x03\x04xxxx"):      "is an archive",
		file("job.sh", "#!/bin/sh\nexit"):  "is a script",
		file("short", "x"):                 "only a few bytes",
		file("text", "hello, world, text"): "neither a program nor a directory",
		filepath.Join(dir, "missing"):      "no such file",
	} {
		if err := checkBinary(path, linux); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", filepath.Base(path), err, want)
		}
	}
	// The test binary is a Go program of this very module.
	own, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := checkBinary(own, clientPlatform()); err != nil {
		t.Error(err)
	}
	if err := checkBinary(own, config.Platform{OS: "linux", Arch: "s390x"}); err == nil || !strings.Contains(err.Error(), "containers of the cluster run linux/s390x") {
		t.Errorf("another platform: %v", err)
	}
}

func TestCheckProtocol(t *testing.T) {
	if err := checkProtocol(&planpb.JobGraph{ProtocolMajor: version.Major, ProtocolMinor: version.Minor}); err != nil {
		t.Error(err)
	}
	for want, g := range map[string]*planpb.JobGraph{
		"as new as the SDK":   {ProtocolMajor: version.Major, ProtocolMinor: version.Minor + 1},
		"build the job anew":  {ProtocolMajor: version.Major - 1, ProtocolMinor: 7},
		"protocol 2.0), this": {ProtocolMajor: 2},
	} {
		if err := checkProtocol(g); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: error %v, want one with %q", g, err, want)
		}
	}
}

func TestStatJob(t *testing.T) {
	dir := t.TempDir()
	source := filepath.Join(dir, "main.go")
	if err := os.WriteFile(source, []byte("package main"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := statJob(source); err == nil || !strings.Contains(err.Error(), "give its package's directory") {
		t.Errorf("source file: %v", err)
	}
	if err := statJob(filepath.Join(dir, "none")); err == nil || !strings.Contains(err.Error(), "there is no job") {
		t.Errorf("missing: %v", err)
	}
	if err := statJob("hdfs:///jobs/counts"); err == nil || !strings.Contains(err.Error(), "run-application") {
		t.Errorf("in the cluster: %v", err)
	}
	if err := statJob(dir); err != errIsDirectory {
		t.Errorf("directory: %v", err)
	}
}

// A directory without a Go package is refused before it is copied.
func TestCheckSources(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "cmd", "counts"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := checkSources(dir, "jobs"); err == nil || !strings.Contains(err.Error(), "no job in jobs") || !strings.Contains(err.Error(), "-c NAME") {
		t.Errorf("no sources: %v", err)
	}
	if err := checkSources(filepath.Join(dir, "none"), "none"); err == nil || !strings.Contains(err.Error(), "job none") {
		t.Errorf("missing: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte("package main"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := checkSources(dir, "jobs"); err != nil {
		t.Errorf("a package: %v", err)
	}
}

// The directory of the build may lie in the package: with sources in the directory for temporary files it does.
func TestCopyTreeIntoItself(t *testing.T) {
	dir := t.TempDir()
	build := filepath.Join(dir, "build-1")
	to := filepath.Join(build, "src")
	for path, text := range map[string]string{"main.go": "package main", "texts/a.txt": "a", ".hidden": "h", "build-1/src/go.mod": "module job"} {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := copyTree(dir, to, build); err != nil {
		t.Fatal(err)
	}
	var got []string
	if err := fs.WalkDir(os.DirFS(to), ".", func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			got = append(got, path)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if want := []string{"go.mod", "main.go", "texts/a.txt"}; !slices.Equal(got, want) {
		t.Errorf("copied %v, expected %v", got, want)
	}
}

func TestModuleNameFor(t *testing.T) {
	for base, want := range map[string]string{"My Job": "my-job", "counts.2": "counts.2", "--": "job", "ä": "job"} {
		if got := moduleNameFor(base); got != want {
			t.Errorf("%q gives %q, want %q", base, got, want)
		}
	}
}
