package lint

import (
	"fmt"
	"go/ast"
	"go/token"
	"regexp"
	"strings"
)

var (
	packageKind  = regexp.MustCompile(`\b(vocabulary|core|driver)\b`)
	forbiddenPkg = regexp.MustCompile(`^(util|utils|common|helper|helpers|misc|base)$`)
)

// PackageDocs finds packages without a comment that says what kind they are, and packages with names that say nothing.
func PackageDocs(t *Tree) []Finding {
	var out []Finding
	for dir, files := range t.packages() {
		if dir == "." {
			out = append(out, Finding{dir, "a Go file in the root folder",
				"use a folder instead, because the root is a table of contents"})
			continue
		}
		name := files[0].AST.Name.Name
		if forbiddenPkg.MatchString(name) && !allGenerated(files) {
			out = append(out, Finding{dir, "package " + name,
				"use a name that says what it holds instead, because anything ends up in a package called " + name})
		}
		if f, ok := packageDoc(dir, name, files); !ok {
			out = append(out, f)
		}
	}
	return out
}

func allGenerated(files []*File) bool {
	for _, f := range files {
		if !f.Generated {
			return false
		}
	}
	return true
}

func packageDoc(dir, name string, files []*File) (Finding, bool) {
	if allGenerated(files) {
		return Finding{}, true
	}
	prefix := "Package " + name + " "
	if name == "main" {
		prefix = "Command "
	}
	example := within(dir, "examples")
	for _, f := range files {
		if f.AST.Doc == nil || f.Generated {
			continue
		}
		doc := f.AST.Doc.Text()
		first, _, _ := strings.Cut(doc, "\n")
		switch {
		case example: // a user's program, written as a user would
			return Finding{}, true
		case !strings.HasPrefix(doc, prefix):
			return Finding{f.Path, fmt.Sprintf("the package comment begins with %.40q", first),
				fmt.Sprintf("use %q instead, because go doc expects it", prefix+"is …")}, false
		case !packageKind.MatchString(first):
			return Finding{f.Path, "the first line of the package comment does not say what kind of package it is",
				"use \"" + prefix + "is vocabulary / is core / is a driver: …\" instead, because a reader must know at once whether it does I/O"}, false
		case name != "main" && !strings.HasSuffix(f.Path, "/doc.go"):
			return Finding{f.Path, "the package comment is not in doc.go",
				"use doc.go instead, because that is where readers begin"}, false
		}
		return Finding{}, true
	}
	return Finding{dir, "no package comment", "use a doc.go with \"" + prefix + "is …\" instead of none, because that is where readers begin"}, false
}

// ExportedComments finds exported identifiers without a comment; programs, tests and generated code are left out.
func ExportedComments(t *Tree) []Finding {
	var out []Finding
	for _, f := range t.written() {
		if f.Test || f.Main() {
			continue
		}
		for _, d := range f.AST.Decls {
			for _, id := range undocumented(d) {
				out = append(out, Finding{t.where(f, id.Pos()), id.Name + " is exported and has no comment",
					"use a sentence that says what it is for, with units and errors, instead of none, because go doc is the manual"})
			}
		}
	}
	return out
}

func undocumented(d ast.Decl) []*ast.Ident {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Doc == nil && d.Name.IsExported() && receiverExported(d) {
			return []*ast.Ident{d.Name}
		}
	case *ast.GenDecl:
		if d.Tok == token.IMPORT || d.Doc != nil && d.Tok != token.TYPE {
			return nil // a comment on a group of constants or variables is enough
		}
		var out []*ast.Ident
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.TypeSpec:
				if s.Name.IsExported() && s.Doc == nil && s.Comment == nil && d.Doc == nil {
					out = append(out, s.Name)
				}
			case *ast.ValueSpec:
				if s.Doc == nil && s.Comment == nil {
					for _, n := range s.Names {
						if n.IsExported() {
							out = append(out, n)
						}
					}
				}
			}
		}
		return out
	}
	return nil
}

// receiverExported reports whether a function is no method, or one of an exported type.
func receiverExported(d *ast.FuncDecl) bool {
	if d.Recv == nil || len(d.Recv.List) == 0 {
		return true
	}
	typ := d.Recv.List[0].Type
	for {
		switch x := typ.(type) {
		case *ast.StarExpr:
			typ = x.X
		case *ast.IndexExpr:
			typ = x.X
		case *ast.IndexListExpr:
			typ = x.X
		case *ast.ParenExpr:
			typ = x.X
		case *ast.Ident:
			return x.IsExported()
		default:
			return true
		}
	}
}
