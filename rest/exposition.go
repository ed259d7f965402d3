package rest

import (
	"bufio"
	"io"
	"sort"
	"strconv"
	"strings"
)

// This file is core: metrics as the text that Prometheus scrapes (exposition format 0.0.4), under Flink's names.

// typeExposition is the content type of the format.
const typeExposition = "text/plain; version=0.0.4; charset=utf-8"

// exposition gathers samples by family: in the text those of one family stand together.
type exposition struct {
	prefix   string
	families map[string]*family
}

type family struct {
	kind    string // counter, gauge or summary
	samples []sample
}

type sample struct {
	suffix string // after the family's name
	// labels as they are written, without the braces, and the quantile.
	labels, quantile, value string
}

func newExposition(prefix string) *exposition {
	return &exposition{prefix: prefix, families: map[string]*family{}}
}

// add takes the metrics of one owner. Of two that would have one name there, the first stays.
func (e *exposition) add(scope, labels string, list []Metric) {
	seen := map[string]bool{}
	for _, m := range list {
		value, ok := sampleValue(m.Value)
		if m.Series.Kind == Hidden || !ok {
			continue
		}
		name := m.Series.Name
		if name == "" {
			name = m.ID
		}
		s := sample{labels: labels, quantile: m.Series.Quantile, value: value}
		full, kind := e.prefix+"_"+scope+"_"+sampleName(name), "gauge"
		switch {
		case s.quantile != "":
			kind = "summary"
		case m.Series.Kind == Total:
			kind = "counter"
		}
		if key := full + "\x00" + s.quantile; !seen[key] {
			seen[key] = true
			e.put(full, kind, s)
		}
	}
}

// put adds a sample; one whose family is of another kind is left out, as a family has one.
func (e *exposition) put(name, kind string, s sample) {
	f := e.families[name]
	if f == nil {
		f = &family{kind: kind}
		e.families[name] = f
	}
	if f.kind == kind {
		f.samples = append(f.samples, s)
	}
}

// write writes the text, families by name. A count beside a summary of the same beginning is a part of it.
func (e *exposition) write(w io.Writer) error {
	names := make([]string, 0, len(e.families))
	for name, f := range e.families {
		base, counts := strings.CutSuffix(name, "_count")
		if summary := e.families[base]; counts && summary != nil && summary.kind == "summary" {
			for _, s := range f.samples {
				s.suffix = "_count"
				summary.samples = append(summary.samples, s)
			}
			continue
		}
		names = append(names, name)
	}
	sort.Strings(names)
	out := bufio.NewWriter(w)
	for _, name := range names {
		f := e.families[name]
		out.WriteString("# TYPE " + name + " " + f.kind + "\n")
		for _, s := range f.samples {
			out.WriteString(name + s.suffix + "{" + s.labels)
			if s.quantile != "" {
				out.WriteString(`,quantile="` + s.quantile + `"`)
			}
			out.WriteString("} " + s.value + "\n")
		}
	}
	return out.Flush() // it remembers the first error
}

// sampleValue is a metric's value as a number; ok is false for one that is none.
func sampleValue(v string) (string, bool) {
	switch v {
	case "true":
		return "1", true
	case "false":
		return "0", true
	}
	_, err := strconv.ParseFloat(v, 64)
	return v, err == nil
}

// sampleName replaces what a name can not have, as Flink's reporter does.
func sampleName(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 128 && (r == '_' || r == ':' || isLetter(byte(r)) || r >= '0' && r <= '9') {
			return r
		}
		return '_'
	}, s)
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// labelText escapes a label's value.
var labelText = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)

// labelList writes labels: names and values in turn. Bytes that are no text are replaced.
func labelList(pairs ...string) string {
	var b strings.Builder
	for i := 0; i+1 < len(pairs); i += 2 {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(pairs[i] + `="` + labelText.Replace(strings.ToValidUTF8(pairs[i+1], "\uFFFD")) + `"`)
	}
	return b.String()
}
