package resttest

import (
	"bufio"
	"bytes"
	_ "embed"
	"strings"
)

// flinkShapes has a line "GET path" for each document, then its fields and their types as Shape gives them, each behind a tab.
//
//go:embed testdata/shapes.txt
var flinkShapes []byte

// Shapes are the shapes of Flink's documents by path, taken from the replies of a running one.
func Shapes() map[string]map[string]bool {
	shapes := map[string]map[string]bool{}
	var current map[string]bool
	for in := bufio.NewScanner(bytes.NewReader(flinkShapes)); in.Scan(); {
		if path, ok := strings.CutPrefix(in.Text(), "GET "); ok {
			current = map[string]bool{}
			shapes[path] = current
		} else if field, ok := strings.CutPrefix(in.Text(), "\t"); ok {
			current[field] = true
		}
	}
	return shapes
}

// Shape collects the paths of a decoded document's fields with their types: "jobs[].id string".
func Shape(document any) map[string]bool {
	out := map[string]bool{}
	shape(document, "", out)
	return out
}

func shape(v any, path string, out map[string]bool) {
	name := path
	if name == "" {
		name = "."
	}
	switch x := v.(type) {
	case map[string]any:
		out[name+" object"] = true
		for k, e := range x {
			shape(e, strings.TrimPrefix(path+"."+k, "."), out)
		}
	case []any:
		out[name+" array"] = true
		for _, e := range x {
			shape(e, path+"[]", out)
		}
	case nil:
		out[name+" null"] = true
	case bool:
		out[name+" bool"] = true
	case float64:
		out[name+" number"] = true
	case string:
		out[name+" string"] = true
	}
}
