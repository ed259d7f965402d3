package lint

import (
	"bytes"
	"go/format"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"testing"
)

// root is the module's folder: this package lies two below it.
const root = "../.."

// repository is parsed once for all tests.
var repository = sync.OnceValues(func() (*Tree, error) { return Load(os.DirFS(root)) })

func tree(t *testing.T) *Tree {
	t.Helper()
	tr, err := repository()
	if err != nil {
		t.Fatal(err)
	}
	if len(tr.Files) == 0 {
		t.Fatal("no Go files found")
	}
	return tr
}

func report(t *testing.T, findings []Finding) {
	t.Helper()
	sort.Slice(findings, func(i, j int) bool { return findings[i].String() < findings[j].String() })
	for _, f := range findings {
		t.Error(f)
	}
}

func TestPackageDocs(t *testing.T)      { report(t, PackageDocs(tree(t))) }
func TestExportedComments(t *testing.T) { report(t, ExportedComments(tree(t))) }
func TestSizes(t *testing.T)            { report(t, Sizes(tree(t))) }
func TestForbiddenCalls(t *testing.T)   { report(t, Calls(tree(t))) }
func TestImportDirections(t *testing.T) { report(t, Imports(tree(t))) }
func TestOptionsAreRead(t *testing.T)   { report(t, Options(tree(t))) }

func TestTextHygiene(t *testing.T) {
	findings, err := Text(tree(t))
	if err != nil {
		t.Fatal(err)
	}
	report(t, findings)
}

func TestDocsLinks(t *testing.T) {
	findings, err := Links(tree(t))
	if err != nil {
		t.Fatal(err)
	}
	report(t, findings)
}

func TestDependenciesHaveReasons(t *testing.T) {
	findings, err := Dependencies(tree(t))
	if err != nil {
		t.Fatal(err)
	}
	report(t, findings)
}

// Shell scripts are at least scripts.
func TestShellScripts(t *testing.T) {
	for _, name := range tree(t).Other {
		if !strings.HasSuffix(name, ".sh") && name != ".ci/run" {
			continue
		}
		if msg, err := exec.Command("sh", "-n", filepath.Join(root, name)).CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", name, err, msg)
		}
	}
}

func TestFormatting(t *testing.T) {
	for _, f := range tree(t).written() {
		want, err := format.Source(f.Src)
		if err != nil {
			t.Error(err)
			continue
		}
		if !bytes.Equal(want, f.Src) {
			t.Errorf("%s is not formatted; use gofmt -w %s instead of hand, because all Go looks the same", f.Path, f.Path)
		}
	}
}

// Generated protobuf code is what protogen makes of the .proto files.
func TestProtobufIsGenerated(t *testing.T) {
	out := t.TempDir()
	cmd := exec.Command("go", "run", "./internal/protogen", "-out", out)
	cmd.Dir = root
	if msg, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("protogen: %v: %s", err, msg)
	}
	fresh := map[string]bool{}
	err := fs.WalkDir(os.DirFS(out), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		fresh[name] = true
		want, err := os.ReadFile(filepath.Join(out, name))
		if err != nil {
			return err
		}
		have, err := os.ReadFile(filepath.Join(root, name))
		if err != nil || !bytes.Equal(have, want) {
			t.Errorf("%s is not what its .proto file says; use make generate instead of editing it, because the .proto file is the source", name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range tree(t).Files {
		if strings.HasSuffix(f.Path, ".pb.go") && !fresh[f.Path] {
			t.Errorf("%s has no .proto file any more; remove it", f.Path)
		}
	}
}
