package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// split says which packages are tested under the race detector: those that have tests and a go statement. Plain are all that
// must be tested without it: the others, and of those with goroutines the ones that talk to the real Hadoop, which would take too
// long, or that count allocations, which the detector changes.
type split struct {
	race, plain []string
}

// splitPackages looks at the packages' sources.
func splitPackages(ctx context.Context, patterns string) (split, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-e", "-json=Dir,ImportPath,GoFiles,TestGoFiles,XTestGoFiles,IgnoredGoFiles", patterns).Output()
	if err != nil {
		return split{}, fmt.Errorf("go list: %w", err)
	}
	var found split
	dec := json.NewDecoder(bytes.NewReader(out))
	for {
		var p struct {
			Dir, ImportPath                                    string
			GoFiles, TestGoFiles, XTestGoFiles, IgnoredGoFiles []string
		}
		if err := dec.Decode(&p); err == io.EOF {
			return found, nil
		} else if err != nil {
			return split{}, fmt.Errorf("go list: %w", err)
		}
		tests := append(append([]string{}, p.TestGoFiles...), p.XTestGoFiles...)
		race := len(tests) > 0 && anyFile(p.Dir, append(append([]string{}, p.GoFiles...), tests...), hasGoStatement)
		if race {
			found.race = append(found.race, p.ImportPath)
		}
		if !race || contains(p.Dir, p.IgnoredGoFiles, "//go:build realhadoop\n") || contains(p.Dir, tests, "AllocsPerRun") {
			found.plain = append(found.plain, p.ImportPath)
		}
	}
}

// anyFile tells whether one of the files is as asked; one that cannot be parsed is left to the compiler to tell of.
func anyFile(dir string, names []string, is func(*ast.File) bool) bool {
	for _, name := range names {
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, name), nil, parser.SkipObjectResolution)
		if err == nil && is(file) {
			return true
		}
	}
	return false
}

func hasGoStatement(file *ast.File) bool {
	found := false
	ast.Inspect(file, func(n ast.Node) bool {
		if _, ok := n.(*ast.GoStmt); ok {
			found = true
		}
		return !found
	})
	return found
}

// contains tells whether one of the files has a text.
func contains(dir string, names []string, text string) bool {
	for _, name := range names {
		if b, err := os.ReadFile(filepath.Join(dir, name)); err == nil && bytes.Contains(b, []byte(text)) {
			return true
		}
	}
	return false
}
