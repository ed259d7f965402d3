package main

import (
	"path/filepath"
	"strings"
	"testing"
)

func namesOf(list []*workload) string {
	var names []string
	for _, w := range list {
		names = append(names, w.name)
	}
	return strings.Join(names, " ")
}

// A query comes with the generator; a name of a measure on Hadoop is no beginning of a workload's.
func TestChosen(t *testing.T) {
	for asked, want := range map[string]string{"nexmark-q4": "nexmark-gen nexmark-q4", "shuffle": "shuffle-keyby shuffle-cross", "wordcount": "",
		"latency": "latency latency-1 latency-0", "nothing": ""} {
		if got := namesOf(chosen([]string{asked})); got != want {
			t.Errorf("%s: %q, expected %q", asked, got, want)
		}
	}
	if got := len(chosen([]string{"engine"})); got != len(workloads()) {
		t.Errorf("engine: %d workloads of %d", got, len(workloads()))
	}
}

// Queries are compared with the generator of the same round; figures survive being kept.
func TestTable(t *testing.T) {
	s := &saved{Workloads: map[string]map[int]figures{}}
	for round, gen := range []float64{2, 4, 3} {
		s.add(generator, round, figures{CPU: gen, Rate: 5e6})
		s.add("nexmark-q4", round, figures{CPU: gen + 1.5})
	}
	s.add("keyed-window", 0, figures{Rate: 5e6, Limit: 20e6})
	file := filepath.Join(t.TempDir(), "figures")
	if err := s.store(file); err != nil {
		t.Fatal(err)
	}
	s, err := load(file)
	if err != nil {
		t.Fatal(err)
	}
	table := s.table()
	for _, want := range []string{"q4, CPU beyond gen | **1.5** s | 1.5 | 1.5 | 3", "≤ 3.63 | yes", "25 % of it, less than half", "Nexmark gen | **5** M events/s"} {
		if !strings.Contains(table, want) {
			t.Errorf("%q is not in\n%s", want, table)
		}
	}
}
