package stacks

import (
	"runtime"
	"strconv"
	"strings"
)

// engine are the folders of the packages whose frames an author does not want to see.
var engine = []string{"operator", "state", "eventtime", "stream", "streamtest", "taskexec", "connector", "codec", "network"}

// root is the module's folder as the compiler has written it down, with a slash.
var root = func() string {
	_, file, _, _ := runtime.Caller(0)
	return strings.TrimSuffix(file, "internal/stacks/author.go")
}()

// Author keeps of the stack of a panic, as debug.Stack gives it in the function that recovers, the frames of the author's
// code: those from the panic up to the engine's function that called it. Where none is the author's it keeps all.
func Author(stack string) string {
	lines := strings.Split(strings.TrimSpace(stack), "\n")
	start := 0
	for i, l := range lines {
		if strings.HasPrefix(l, "panic(") {
			start = i + 2
		}
	}
	var out, skipped []string
	for i := start; i+1 < len(lines); i += 2 {
		fn, at := lines[i], strings.TrimSpace(lines[i+1])
		if strings.HasPrefix(fn, "runtime.") && len(out) == 0 {
			continue // the runtime's own frames of an index or nil error
		}
		if strings.HasPrefix(fn, "created by ") {
			break
		}
		if cut := strings.LastIndex(at, " +0x"); cut > 0 {
			at = at[:cut]
		}
		if paren := strings.LastIndex(fn, "("); paren > 0 {
			fn = fn[:paren]
		}
		f := "\tat " + fn + " (" + at + ")"
		// The loop ends at the engine's frame that called the author's.
		switch {
		case !isEngine(fn, at):
			out = append(out, f)
		case len(out) == 0:
			skipped = append(skipped, f) // of the engine, called by the author's code
		default:
			return strings.Join(out, "\n")
		}
	}
	if len(out) == 0 {
		out = skipped
	}
	return strings.Join(out, "\n")
}

// Frame is a line of a stack: a function and where it stands.
func Frame(fn, file string, line int) string {
	return "\tat " + fn + " (" + file + ":" + strconv.Itoa(line) + ")"
}

// isEngine tells a frame of the engine by its function, or by its file: what the compiler has inlined into a function of the
// author's has that one's name.
func isEngine(fn, at string) bool {
	if rest, ok := strings.CutPrefix(fn, "github.com/weft-project/weft/"); ok {
		for _, p := range engine {
			if next := strings.TrimPrefix(rest, p); next != rest && (next[0] == '.' || next[0] == '/') {
				return true
			}
		}
	}
	rest, ok := strings.CutPrefix(at, root)
	if !ok || strings.Contains(rest, "_test.go:") {
		return false
	}
	for _, p := range engine {
		if strings.HasPrefix(rest, p+"/") {
			return true
		}
	}
	return false
}
