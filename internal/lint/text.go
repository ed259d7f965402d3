package lint

import (
	"bytes"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"
	"unicode/utf8"
)

// unwanted is text that is written nowhere in the repository. The patterns are put together so that they do not match
// themselves.
var unwanted = []struct {
	pattern *regexp.Regexp
	what    string
	goOnly  bool
	advice  string
}{
	{regexp.MustCompile(`(^|[\s"'` + "`" + `=(:,])/(work` + `|root)/`), "a path of some developer's machine", false,
		"use a relative path, a temporary directory or an option instead, because nobody else has it"},
	{regexp.MustCompile(`\b(repo1?\.maven` + `\.(org|apache\.org)|proxy\.golang` + `\.org|sum\.golang` + `\.org|registry\.npmjs` + `\.org|pypi` + `\.org|files\.pythonhosted` + `\.org)\b`),
		"the address of a package registry", false, "use the package manager's own settings instead, because sites have mirrors"},
	{regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X)\b`), "a note to come back", true,
		"use an issue, or do it now, instead, because nobody comes back"},
	{regexp.MustCompile(`^(<{7}|>{7}) `), "a merge conflict", false, "use the merged text instead"},
}

// generatedText are files that a tool writes.
var generatedText = map[string]bool{"go.sum": true}

// Text finds what must not be written in any text file.
func Text(t *Tree) ([]Finding, error) {
	var out []Finding
	names := append([]string(nil), t.Other...)
	for _, f := range t.written() {
		names = append(names, f.Path)
	}
	for _, name := range names {
		if generatedText[name] {
			continue
		}
		src, err := fs.ReadFile(t.FS, name)
		if err != nil {
			return nil, err
		}
		if !utf8.Valid(src) || bytes.IndexByte(src, 0) >= 0 {
			continue // not a text
		}
		for i, line := range bytes.Split(src, []byte("\n")) {
			for _, u := range unwanted {
				if u.goOnly && !strings.HasSuffix(name, ".go") {
					continue
				}
				if m := u.pattern.Find(line); m != nil {
					out = append(out, Finding{fmt.Sprintf("%s:%d", name, i+1), fmt.Sprintf("%s (%q)", u.what, m), u.advice})
				}
			}
		}
	}
	return out, nil
}

// Dependencies finds modules that the code imports and that docs/dependencies.md does not give a reason for.
func Dependencies(t *Tree) ([]Finding, error) {
	const page = "docs/dependencies.md"
	gomod, err := fs.ReadFile(t.FS, "go.mod")
	if err != nil {
		return nil, err
	}
	text, err := fs.ReadFile(t.FS, page)
	if err != nil {
		return nil, err
	}
	var modules []string
	for _, m := range requirement.FindAllSubmatch(gomod, -1) {
		modules = append(modules, string(m[1]))
	}
	users := map[string]string{}
	for _, f := range t.Files {
		for _, p := range imports(f) {
			if m := moduleOf(modules, p); m != "" {
				users[m] = f.Path
			}
		}
	}
	var out []Finding
	for _, m := range sorted(users) {
		if !bytes.Contains(text, []byte(m)) {
			out = append(out, Finding{users[m], "imports " + m + ", of which " + page + " says nothing",
				"write the reason there, or use what is there, instead, because each dependency is somebody else's bug to come"})
		}
	}
	return out, nil
}

var requirement = regexp.MustCompile(`(?m)^\s*(?:require )?(\S+\.\S+/\S+) v\d`)

// moduleOf returns the module, the one with the longest path, that holds a package.
func moduleOf(modules []string, pkg string) string {
	best := ""
	for _, m := range modules {
		if within(pkg, m) && len(m) > len(best) {
			best = m
		}
	}
	return best
}

var mdLink = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// Links finds links of Markdown pages to files that do not exist.
func Links(t *Tree) ([]Finding, error) {
	var out []Finding
	for _, name := range t.Other {
		if !strings.HasSuffix(name, ".md") {
			continue
		}
		src, err := fs.ReadFile(t.FS, name)
		if err != nil {
			return nil, err
		}
		for i, line := range strings.Split(string(src), "\n") {
			for _, m := range mdLink.FindAllStringSubmatch(line, -1) {
				target, _, _ := strings.Cut(m[1], "#")
				if target == "" || strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
					continue
				}
				if _, err := fs.Stat(t.FS, path.Join(path.Dir(name), target)); err != nil {
					out = append(out, Finding{fmt.Sprintf("%s:%d", name, i+1), "a link to " + target + ", which does not exist",
						"use the page's real name instead, because readers follow links"})
				}
			}
		}
	}
	return out, nil
}
