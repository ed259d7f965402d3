package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// compare runs workloads of this version and of another one in turns, and tells what changed: the medians of the pairs, with their
// smallest and largest. Instead of a commit it takes saved figures; then there are no pairs.
func compare(ctx context.Context, f engineFlags, list []*workload) (err error) {
	if _, err := os.Stat(f.old); err == nil {
		return compareSaved(f, list)
	}
	dir, err := os.MkdirTemp("", "weft-compare-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	oldDist, err := buildOld(ctx, f.old, filepath.Join(dir, "source"))
	if err != nil {
		return err
	}
	text := filepath.Join(dir, "text")
	if err := makeText(ctx, f, list, text); err != nil {
		return err
	}
	var versions [2]*engine
	for i, dist := range []string{oldDist, f.dist} {
		e, err := startEngine(ctx, dist, filepath.Join(dir, fmt.Sprint("cluster", i)), text)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, e.stop()) }()
		versions[i] = e
	}
	figuresOf := [2]*saved{{Workloads: map[string]map[int]figures{}}, {Workloads: map[string]map[int]figures{}}}
	for round := range f.n {
		for _, w := range list {
			var got [2]figures
			for i, e := range versions {
				if got[i], err = e.run(w); err != nil {
					fmt.Fprintf(os.Stderr, "%s: left out: %s: %v\n", w.name, []string{f.old, "this version"}[i], err)
					break
				}
			}
			if err == nil {
				for i, s := range figuresOf {
					s.add(w.name, round, got[i])
				}
				fmt.Fprintf(os.Stderr, "%-17s %6.2f → %6.2f s  %6.2f → %6.2f s of CPU\n", w.name, got[0].Seconds, got[1].Seconds, got[0].CPU, got[1].CPU)
			}
		}
	}
	printChanges(f.old, figuresOf[0], figuresOf[1], list, true)
	return nil
}

func compareSaved(f engineFlags, list []*workload) error {
	before, err := load(f.old)
	if err != nil {
		return err
	}
	now, err := load(f.save)
	if err != nil {
		return err
	}
	printChanges(f.old, before, now, list, false)
	return nil
}

// buildOld builds the distribution of another commit.
func buildOld(ctx context.Context, commit, dir string) (string, error) {
	if strings.HasPrefix(commit, "-") {
		return "", fmt.Errorf("%q: expected a commit, or a file of saved figures", commit)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", err
	}
	script := `git archive "$1" | tar -x -C "$2" && make -C "$2" build GO="$3"`
	if out, err := exec.CommandContext(ctx, "/bin/sh", "-c", script, "sh", commit, dir, "go").CombinedOutput(); err != nil {
		return "", fmt.Errorf("building %s: %w\n%s", commit, err, out)
	}
	return filepath.Join(dir, "build", "dist"), nil
}

// printChanges prints the change of each measure and of CPU time, in percent.
func printChanges(old string, before, now *saved, list []*workload, pairs bool) {
	fmt.Printf("| workload | %s | now | change | from | to | n |\n| --- | --- | --- | --- | --- | --- | --- |\n", old)
	for _, w := range list {
		if len(before.Workloads[w.name]) == 0 || len(now.Workloads[w.name]) == 0 {
			continue
		}
		lines := slices.Clone(w.lines)
		if w.lines[0].of != nil {
			lines = append(lines, line{what: w.name + ": CPU", unit: "s", of: func(f, _ figures) float64 { return f.CPU }})
		}
		for _, l := range lines {
			fmt.Println(change(l, before.values(w, l), now.values(w, l), pairs))
		}
	}
}

// change is a row: medians, and the spread of the change. Without pairs the spread is that of every figure against every other.
func change(l line, before, now []float64, pairs bool) string {
	var changes []float64
	for i, b := range before {
		for k, n := range now {
			if (!pairs || i == k) && b != 0 {
				changes = append(changes, 100*(n/b-1))
			}
		}
	}
	slices.Sort(before)
	slices.Sort(now)
	slices.Sort(changes)
	if len(changes) == 0 {
		return fmt.Sprintf("| %s | %.3g %s | %.3g | | | | %d |", l.what, median(before), l.unit, median(now), len(now))
	}
	return fmt.Sprintf("| %s | %.3g %s | %.3g | %+.1f %% | %+.1f | %+.1f | %d |", l.what, median(before), l.unit, median(now), median(changes),
		changes[0], changes[len(changes)-1], len(now))
}
