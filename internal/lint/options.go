package lint

import (
	"go/ast"
	"maps"
	"slices"
)

// Options finds options that package config declares and no other code reads: to who configures, each is a lie.
func Options(t *Tree) []Finding {
	declared := map[string]Finding{}
	read := map[string]bool{}
	for _, f := range t.Files {
		switch {
		case f.Test:
		case f.Dir() == "config":
			t.declaredOptions(f, declared)
		case slices.Contains(imports(f), "config"):
			readOptions(f, read)
		}
	}
	var out []Finding
	for _, name := range slices.Sorted(maps.Keys(declared)) {
		if !read[name] {
			out = append(out, declared[name])
		}
	}
	return out
}

// declaredOptions notes the exported variables of a file that are made by a call with what every option has: section, key,
// default and documentation.
func (t *Tree) declaredOptions(f *File, declared map[string]Finding) {
	for _, d := range f.AST.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, s := range g.Specs {
			v, ok := s.(*ast.ValueSpec)
			if !ok || len(v.Names) != 1 || len(v.Values) != 1 || !v.Names[0].IsExported() {
				continue
			}
			if call, ok := v.Values[0].(*ast.CallExpr); ok && len(call.Args) >= 4 {
				name := v.Names[0].Name
				declared[name] = Finding{t.where(f, v.Pos()), "option " + name + " is read nowhere",
					"use config.Get(c, config." + name + ") where it should have its effect, or remove it instead, because a key without effect is a lie"}
			}
		}
	}
}

// readOptions notes the options that a file reads by config.Get or config.Lookup.
func readOptions(f *File, read map[string]bool) {
	ast.Inspect(f.AST, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || len(call.Args) != 2 {
			return true
		}
		if fn := ofConfig(call.Fun); fn != "Get" && fn != "Lookup" {
			return true
		}
		if name := ofConfig(call.Args[1]); name != "" {
			read[name] = true
		}
		return true
	})
}

// ofConfig gives X for config.X.
func ofConfig(e ast.Expr) string {
	s, ok := e.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	if p, ok := s.X.(*ast.Ident); !ok || p.Name != "config" {
		return ""
	}
	return s.Sel.Name
}
