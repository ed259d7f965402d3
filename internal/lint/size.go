package lint

import (
	"bytes"
	"fmt"
	"go/ast"
)

// Limits on what a reader must hold in mind at once, in lines. The hard ones hold everywhere but in generated code; of
// files and functions that are no tests, at most softShare may be over the soft ones.
const (
	fileSoft, fileHard = 600, 1000
	funcSoft, funcHard = 70, 150
	softShare          = 0.02
)

// Sizes finds files and functions that are too long.
func Sizes(t *Tree) []Finding {
	var out, longFiles, longFuncs []Finding
	files, funcs := 0, 0
	for _, f := range t.written() {
		n := bytes.Count(f.Src, []byte("\n"))
		finding := Finding{f.Path, fmt.Sprintf("%d lines", n), "use several files by subject instead, because nobody reads so much at once"}
		switch {
		case n > fileHard:
			out = append(out, finding)
		case n > fileSoft && !f.Test:
			longFiles = append(longFiles, finding)
		}
		if !f.Test {
			files++
		}
		for _, d := range f.AST.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Body == nil {
				continue
			}
			n := t.line(fn.Body.Rbrace) - t.line(fn.Pos()) + 1
			finding := Finding{t.where(f, fn.Pos()), fmt.Sprintf("%s has %d lines", fn.Name.Name, n),
				"use functions of one step each instead, because their names tell the story"}
			switch {
			case n > funcHard:
				out = append(out, finding)
			case n > funcSoft && !f.Test:
				longFuncs = append(longFuncs, finding)
			}
			if !f.Test {
				funcs++
			}
		}
	}
	out = append(out, overShare(longFiles, files, fileSoft)...)
	return append(out, overShare(longFuncs, funcs, funcSoft)...)
}

// overShare returns the findings when there are more of them than the share of all that may be.
func overShare(long []Finding, all, soft int) []Finding {
	if float64(len(long)) <= softShare*float64(all) {
		return nil
	}
	for i := range long {
		long[i].What += fmt.Sprintf(" (%d of %d are over %d lines, at most %.0f %% may be)", len(long), all, soft, softShare*100)
	}
	return long
}
