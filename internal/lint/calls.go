package lint

import (
	"go/ast"
	"strconv"
	"strings"
)

// forbidden is a call that is not made, where it is not made, and what to do instead.
type forbidden struct {
	pkg    string   // import path; "" is a built-in function
	names  []string // of functions; a trailing * stands for anything
	where  func(*File) bool
	reason bool // allowed with a comment on the line or the one above, which says why
	advice string
}

// exits are the packages that end the process: roles of a job binary, and the watchdog of test clusters.
var exits = []string{"internal/launch", "internal/role", "internal/devcluster", "taskexec/worker", "examples", "bench"}

var forbiddenCalls = []forbidden{
	{"", []string{"panic"}, notTest, true,
		"use an error instead, because a panic takes all jobs of the process with it; for a bug of our own say why in a comment on the line above"},
	{"time", []string{"Sleep"}, func(f *File) bool { return f.Test }, false,
		"use a condition with a deadline or testing/synctest instead, because a sleeping test is slow on a fast machine and fails on a slow one"},
	{"log", []string{"*"}, func(f *File) bool { return notTest(f) && !f.Main() && !within(f.Dir(), "examples") }, false,
		"use the *slog.Logger that was passed in, or an error, instead, because a library neither ends the process nor owns its output"},
	{"log/slog", []string{"Debug*", "Info*", "Warn*", "Error*", "Log*", "Default", "SetDefault"}, func(f *File) bool { return notTest(f) && !f.Main() }, false,
		"use the *slog.Logger that was passed in instead, because many clusters live in one process"},
	{"os", []string{"Exit"}, func(f *File) bool { return notTest(f) && !f.Main() && !within(f.Dir(), exits...) }, false,
		"use an error instead, because only main and the roles of a job binary end the process"},
	{"context", []string{"TO" + "DO"}, func(*File) bool { return true }, false,
		"use the caller's context instead, because work that nobody can cancel outlives its job"},
}

func notTest(f *File) bool { return !f.Test && !within(f.Dir(), "internal/lint") }

// Calls finds forbidden calls.
func Calls(t *Tree) []Finding {
	var out []Finding
	for _, f := range t.written() {
		imported := importNames(f)
		comments := commentLines(t, f)
		ast.Inspect(f.AST, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			pkg, name, ok := callee(call, imported)
			if !ok {
				return true
			}
			for _, rule := range forbiddenCalls {
				if rule.pkg != pkg || !matches(rule.names, name) || !rule.where(f) {
					continue
				}
				line := t.line(call.Pos())
				if rule.reason && (comments[line] || comments[line-1]) {
					continue
				}
				out = append(out, Finding{t.where(f, call.Pos()), strings.TrimPrefix(pkg+"."+name, "."), rule.advice})
			}
			return true
		})
	}
	return out
}

// callee names the function of a package, or the built-in one, that is called.
func callee(call *ast.CallExpr, imported map[string]string) (pkg, name string, ok bool) {
	switch fun := call.Fun.(type) {
	case *ast.Ident:
		return "", fun.Name, true
	case *ast.SelectorExpr:
		x, isIdent := fun.X.(*ast.Ident)
		if !isIdent {
			return "", "", false
		}
		pkg, ok = imported[x.Name]
		return pkg, fun.Sel.Name, ok
	}
	return "", "", false
}

func matches(patterns []string, name string) bool {
	for _, p := range patterns {
		if prefix, ok := strings.CutSuffix(p, "*"); ok && strings.HasPrefix(name, prefix) || p == name {
			return true
		}
	}
	return false
}

// importNames maps the names by which a file knows its imports to their paths.
func importNames(f *File) map[string]string {
	names := map[string]string{}
	for _, s := range f.AST.Imports {
		p, err := strconv.Unquote(s.Path.Value)
		if err != nil {
			continue
		}
		name := p[strings.LastIndexByte(p, '/')+1:]
		if s.Name != nil {
			name = s.Name.Name
		}
		names[name] = p
	}
	return names
}

// commentLines are the lines on which a comment is or ends.
func commentLines(t *Tree, f *File) map[int]bool {
	lines := map[int]bool{}
	for _, g := range f.AST.Comments {
		for _, c := range g.List {
			lines[t.line(c.End())] = true
		}
	}
	return lines
}
