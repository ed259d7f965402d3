package lint

import (
	"strings"
	"testing"
	"testing/fstest"
)

// Each rule finds what it is for, and leaves the allowed form alone.
func TestRules(t *testing.T) {
	text := func(tr *Tree) []Finding { f, _ := Text(tr); return f }
	links := func(tr *Tree) []Finding { f, _ := Links(tr); return f }
	tests := []struct {
		name string
		rule func(*Tree) []Finding
		file string
		src  string
		want string // part of the only finding; "" for none
	}{
		{"package without comment", PackageDocs, "a/doc.go", "package a", "no package comment"},
		{"package without kind", PackageDocs, "a/doc.go", "// Package a is nice.\npackage a", "what kind"},
		{"package comment elsewhere", PackageDocs, "a/a.go", "// Package a is core: x.\npackage a", "not in doc.go"},
		{"package comment", PackageDocs, "a/doc.go", "// Package a is core: x.\npackage a", ""},
		{"package with an empty name", PackageDocs, "util/doc.go", "// Package util is core: x.\npackage util", "package util"},
		{"program", PackageDocs, "cmd/a/main.go", "// Command a is a driver: x.\npackage main", ""},
		{"root", PackageDocs, "a.go", "package a", "table of contents"},
		{"exported function", ExportedComments, "a/a.go", "package a\nfunc F() {}", "F is exported"},
		{"exported method", ExportedComments, "a/a.go", "package a\n// T is.\ntype T[X any] struct{}\nfunc (*T[X]) M() {}", "M is exported"},
		{"method of an unexported type", ExportedComments, "a/a.go", "package a\ntype t int\nfunc (t) M() {}", ""},
		{"exported constant", ExportedComments, "a/a.go", "package a\nconst (\n\tC = 1\n\td = 2\n)", "C is exported"},
		{"constants in a described group", ExportedComments, "a/a.go", "package a\n// Sizes.\nconst (\n\tC = 1\n)", ""},
		{"long file", Sizes, "a/a.go", "package a\n" + strings.Repeat("//\n", 1001), "1003 lines"},
		{"long function", Sizes, "a/a.go", "package a\nfunc f() {\n" + strings.Repeat("//\n", 150) + "}", "f has 152 lines"},
		{"too many longish functions", Sizes, "a/a.go", "package a\nfunc f() {\n" + strings.Repeat("//\n", 80) + "}", "1 of 1 are over 70"},
		{"panic", Calls, "a/a.go", "package a\nfunc f() { panic(1) }", "panic; use an error"},
		{"panic with a reason", Calls, "a/a.go", "package a\nfunc f() {\n\t// The table is ours.\n\tpanic(1)\n}", ""},
		{"sleep in a test", Calls, "a/a_test.go", "package a\nimport \"time\"\nfunc f() { time.Sleep(1) }", "time.Sleep"},
		{"sleep by another name", Calls, "a/a_test.go", "package a\nimport x \"time\"\nfunc f() { x.Sleep(1) }", "time.Sleep"},
		{"log.Fatal", Calls, "a/a.go", "package a\nimport \"log\"\nfunc f() { log.Fatal(1) }", "log.Fatal"},
		{"global slog", Calls, "a/a.go", "package a\nimport \"log/slog\"\nfunc f() { slog.InfoContext(nil, \"\") }", "slog.InfoContext"},
		{"slog attribute", Calls, "a/a.go", "package a\nimport \"log/slog\"\nfunc f() { slog.String(\"\", \"\") }", ""},
		{"exit", Calls, "a/a.go", "package a\nimport \"os\"\nfunc f() { os.Exit(1) }", "os.Exit"},
		{"exit in main", Calls, "cmd/a/main.go", "package main\nimport \"os\"\nfunc main() { os.Exit(1) }", ""},
		{"stream and a process", Imports, "stream/x/a.go", "package x\nimport _ \"" + Module + "/am/internal/y\"", "am/internal/y; use the hook"},
		{"example and operator", Imports, "examples/x/main.go", "package main\nimport _ \"" + Module + "/operator\"", "operator; use stream"},
		{"streamtest and a cluster", Imports, "streamtest/a.go", "package x\nimport _ \"" + Module + "/jobmanager\"", "jobmanager; use the worker's"},
		{"JobManager and network", Imports, "jobmanager/a.go", "package x\nimport _ \"" + Module + "/network\"", "network; use the messages"},
		{"TaskManager and ZooKeeper", Imports, "taskexec/a.go", "package x\nimport _ \"github.com/go-zookeeper/zk\"", "zk; use the leader finder"},
		{"cgo", Imports, "a/a.go", "package a\nimport \"C\"", "import \"C\""},
		{"real Hadoop without tag", Imports, "a/a_test.go", "package a\nimport _ \"" + Module + "/internal/devcluster\"", "realhadoop"},
		{"real Hadoop with tag", Imports, "a/a_test.go", "//go:build realhadoop\n\npackage a\nimport _ \"" + Module + "/internal/devcluster\"", ""},
		{"developer's path", text, "a.sh", "cd /ro" + "ot/src", "developer's machine"},
		{"path below", text, "a.sh", "cd build/work/x", ""},
		{"note", text, "a/a.go", "package a // TO" + "DO later", "note to come back"},
		{"broken link", links, "docs/a.md", "see [b](b.md#x)", "b.md, which does not exist"},
		{"outer link", links, "docs/a.md", "see [b](https://example.com/b.md) and [c](#here)", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tr, err := Load(fstest.MapFS{tt.file: {Data: []byte(tt.src + "\n")}})
			if err != nil {
				t.Fatal(err)
			}
			got := tt.rule(tr)
			switch {
			case tt.want == "" && len(got) > 0:
				t.Errorf("found %v, expected nothing", got)
			case tt.want != "" && (len(got) != 1 || !strings.Contains(got[0].String(), tt.want)):
				t.Errorf("found %v, expected one with %q", got, tt.want)
			}
		})
	}
}

// What comes by way of another package counts, too.
func TestImportsByWayOfOthers(t *testing.T) {
	tr, err := Load(fstest.MapFS{
		"am/a.go":        {Data: []byte("package am\nimport _ \"" + Module + "/graph\"\n")},
		"graph/g.go":     {Data: []byte("package graph\nimport _ \"" + Module + "/operator\"\n")},
		"operator/op.go": {Data: []byte("package operator\n")},
	})
	if err != nil {
		t.Fatal(err)
	}
	got := Imports(tr)
	if len(got) != 1 || !strings.Contains(got[0].What, "which imports operator") {
		t.Errorf("found %v", got)
	}
}

// A job that weft init has written into a checkout is not this module's.
func TestOtherModules(t *testing.T) {
	tr, err := Load(fstest.MapFS{
		"go.mod":         {Data: []byte("module " + Module)},
		"main.go":        {Data: []byte("package main")},
		"my-job/go.mod":  {Data: []byte("module my-job")},
		"my-job/main.go": {Data: []byte("package main")},
	})
	if err != nil || len(tr.Files) != 1 || tr.Files[0].Path != "main.go" {
		t.Errorf("files: %v, %v; expected main.go alone", tr.Files, err)
	}
}

func TestDependencies(t *testing.T) {
	tr, err := Load(fstest.MapFS{
		"go.mod":               {Data: []byte("module m\nrequire (\n\texample.com/a v1.0.0\n\texample.com/a/b v1.0.0 // indirect\n)\n")},
		"docs/dependencies.md": {Data: []byte("| example.com/a | why |\n")},
		"x/x.go":               {Data: []byte("package x\nimport _ \"example.com/a/c\"\n")},
		"y/y.go":               {Data: []byte("package y\nimport _ \"example.com/a/b/c\"\n")},
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := Dependencies(tr)
	if err != nil || len(got) != 1 || !strings.Contains(got[0].String(), "y/y.go: imports example.com/a/b, of which") {
		t.Errorf("found %v, %v", got, err)
	}
}

// Setting a key is not reading it, nor is a test that does.
func TestOptionsRule(t *testing.T) {
	use := "package a\nimport \"" + Module + "/config\"\nvar x = "
	tr, err := Load(fstest.MapFS{
		"config/options.go": {Data: []byte("package config\nvar (\n\tGot = text(\"s\", \"a\", \"\", \"\")\n\tFound = text(\"s\", \"b\", \"\", \"\")\n" +
			"\tOnlySet = text(\"s\", \"c\", \"\", \"\")\n\tTested = text(\"s\", \"d\", \"\", \"\")\n)\nvar Size = f(1)\n")},
		"a/a.go":      {Data: []byte(use + "config.Get(c, config.Got)\nvar y, z = config.Lookup(c, config.Found)\nvar k = config.OnlySet.Key\n")},
		"a/a_test.go": {Data: []byte(use + "config.Get(c, config.Tested)\n")},
	})
	if err != nil {
		t.Fatal(err)
	}
	got := Options(tr)
	if len(got) != 2 || got[0].What != "option OnlySet is read nowhere" || got[1].What != "option Tested is read nowhere" || got[0].Where != "config/options.go:5" {
		t.Errorf("found %v", got)
	}
}
