package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// saved are the figures of rounds by workload, as they are kept from one run to the next. Rounds are numbered over all runs, so that
// what was measured in the same round can be found.
type saved struct {
	Round     int                        `json:"round"`
	Workloads map[string]map[int]figures `json:"workloads"`
}

func load(name string) (*saved, error) {
	s := &saved{Workloads: map[string]map[int]figures{}}
	b, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(b, s); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return s, nil
}

func (s *saved) store(name string) error {
	b, err := json.MarshalIndent(s, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(name, append(b, '\n'), 0o666)
}

// add notes the figures of a round.
func (s *saved) add(name string, round int, f figures) {
	if s.Workloads[name] == nil {
		s.Workloads[name] = map[int]figures{}
	}
	s.Workloads[name][round] = f
}

// rounds of a workload, in order.
func (s *saved) rounds(name string) []int {
	var out []int
	for r := range s.Workloads[name] {
		out = append(out, r)
	}
	slices.Sort(out)
	return out
}

// values of a line. The generator of the same round is what a query is compared with; where it was not run, the median of all.
func (s *saved) values(w *workload, l line) (v []float64) {
	for _, r := range s.rounds(w.name) {
		gen, ok := s.Workloads[generator][r]
		if !ok {
			gen.CPU = s.median(generator, func(f figures) float64 { return f.CPU })
		}
		v = append(v, l.of(s.Workloads[w.name][r], gen))
	}
	return v
}

func (s *saved) median(name string, of func(figures) float64) float64 {
	var v []float64
	for _, r := range s.rounds(name) {
		v = append(v, of(s.Workloads[name][r]))
	}
	if len(v) == 0 {
		return 0
	}
	slices.Sort(v)
	return median(v)
}

// table is what the figures say, in Markdown.
func (s *saved) table() string {
	var b strings.Builder
	b.WriteString("| workload | median | from | to | n | s | CPU s | MiB | Flink 1.20.3 | goal | reached | by hand |\n")
	b.WriteString("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n")
	for _, w := range workloads() {
		if len(s.Workloads[w.name]) == 0 {
			continue
		}
		for i, l := range w.lines {
			v := s.values(w, l)
			slices.Sort(v)
			m := median(v)
			bound, ok := "≥", m >= l.goal
			if l.atMost {
				bound, ok = "≤", m <= l.goal
			}
			reached := "no"
			if ok {
				reached = "yes"
			}
			costs := "| | | "
			if i == 0 {
				costs = fmt.Sprintf("| %.2f | %.2f | %.0f ", s.median(w.name, func(f figures) float64 { return f.Seconds }),
					s.median(w.name, func(f figures) float64 { return f.CPU }), s.median(w.name, func(f figures) float64 { return f.RSS }))
			}
			limit := ""
			if l.limited {
				share := s.median(w.name, func(f figures) float64 { return f.Rate / f.Limit })
				limit = fmt.Sprintf("%.3g; %.0f %% of it", s.median(w.name, func(f figures) float64 { return f.Limit / 1e6 }), 100*share)
				if share < 0.5 {
					limit += ", less than half"
				}
			}
			fmt.Fprintf(&b, "| %s | **%.3g** %s | %.3g | %.3g | %d %s| %s | %s %.3g | %s | %s |\n", l.what, m, l.unit, v[0], v[len(v)-1], len(v), costs, l.flink, bound, l.goal, reached, limit)
		}
	}
	return b.String()
}

// Where the table stands in docs/benchmarks.md.
const (
	tableBegins = "<!-- make bench writes from here -->\n"
	tableEnds   = "<!-- to here -->\n"
)

// intoDocs puts the table into the page.
func intoDocs(page, table string) error {
	b, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	before, rest, ok := strings.Cut(string(b), tableBegins)
	_, after, ends := strings.Cut(rest, tableEnds)
	if !ok || !ends {
		return fmt.Errorf("%s has no place for the table: expected %q and %q", page, tableBegins, tableEnds)
	}
	return os.WriteFile(page, []byte(before+tableBegins+table+tableEnds+after), 0o666)
}
