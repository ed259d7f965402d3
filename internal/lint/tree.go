package lint

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"sort"
	"strings"
)

// Module is the path of this repository's module.
const Module = "github.com/weft-project/weft"

// Finding is one breach of a rule.
type Finding struct {
	Where  string // file:line, or a package's folder
	What   string // what is wrong
	Advice string // "use X instead, because Y"
}

// String is the finding as one line.
func (f Finding) String() string { return f.Where + ": " + f.What + "; " + f.Advice }

// File is a parsed Go file.
type File struct {
	Path      string // below the module's root, with slashes
	Src       []byte
	AST       *ast.File
	Test      bool // _test.go
	Generated bool
	Tags      string // the //go:build expression, "" when there is none
}

// Dir is the file's folder below the module's root; "." is the root.
func (f *File) Dir() string { return path.Dir(f.Path) }

// Main reports whether the file belongs to a program.
func (f *File) Main() bool { return f.AST.Name.Name == "main" }

// Tree is all Go files of the module, and the names of its other files.
type Tree struct {
	Fset  *token.FileSet
	Files []*File
	Other []string // below the root, with slashes
	FS    fs.FS
}

// skipped are folders that hold no source of this module.
var skipped = map[string]bool{"build": true, "testdata": true, "node_modules": true}

// Load parses every Go file below the root of fsys, whatever its build tags.
func Load(fsys fs.FS) (*Tree, error) {
	t := &Tree{Fset: token.NewFileSet(), FS: fsys}
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name != "." && (skipped[d.Name()] || strings.HasPrefix(d.Name(), ".") && d.Name() != ".ci") {
				return fs.SkipDir
			}
			// A module of its own is somebody's job, as weft init writes it.
			if _, err := fs.Stat(fsys, path.Join(name, "go.mod")); err == nil && name != "." {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") {
			t.Other = append(t.Other, name)
			return nil
		}
		src, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		return t.add(name, src)
	})
	sort.Slice(t.Files, func(i, j int) bool { return t.Files[i].Path < t.Files[j].Path })
	return t, err
}

func (t *Tree) add(name string, src []byte) error {
	file, err := parser.ParseFile(t.Fset, name, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	f := &File{Path: name, Src: src, AST: file, Test: strings.HasSuffix(name, "_test.go"), Generated: ast.IsGenerated(file)}
	for _, g := range file.Comments {
		for _, c := range g.List {
			if tags, ok := strings.CutPrefix(c.Text, "//go:build "); ok && c.Pos() < file.Package {
				f.Tags = tags
			}
		}
	}
	t.Files = append(t.Files, f)
	return nil
}

func (t *Tree) line(pos token.Pos) int { return t.Fset.Position(pos).Line }

func (t *Tree) where(f *File, pos token.Pos) string { return fmt.Sprintf("%s:%d", f.Path, t.line(pos)) }

// written returns the files that people write: generated ones left out.
func (t *Tree) written() []*File {
	var out []*File
	for _, f := range t.Files {
		if !f.Generated {
			out = append(out, f)
		}
	}
	return out
}

// Packages returns the folders with Go files that are not tests, each with its files.
func (t *Tree) packages() map[string][]*File {
	out := map[string][]*File{}
	for _, f := range t.Files {
		if !f.Test {
			out[f.Dir()] = append(out[f.Dir()], f)
		}
	}
	return out
}

// within reports whether dir is one of the folders or below one.
func within(dir string, folders ...string) bool {
	for _, f := range folders {
		if dir == f || strings.HasPrefix(dir, f+"/") {
			return true
		}
	}
	return false
}
