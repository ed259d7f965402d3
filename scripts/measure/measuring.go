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

// engineFlags are those of the engine's measures.
type engineFlags struct {
	dist, page, save, old string
	n                     int
	size                  int64
}

// chosen are the workloads of which the name, or its beginning up to a dash, is asked for; all of them for "engine". With a query of
// Nexmark comes the generator, which it is compared with.
func chosen(names []string) []*workload {
	if slices.ContainsFunc(names, func(name string) bool { return strings.HasPrefix(name, "nexmark-") }) {
		names = append(slices.Clone(names), generator)
	}
	return slices.DeleteFunc(workloads(), func(w *workload) bool {
		return !slices.ContainsFunc(names, func(name string) bool {
			return name == "engine" || name == w.name || !onHadoop(name) && strings.HasPrefix(w.name, name+"-")
		})
	})
}

// measureEngine measures workloads in rounds, so that what disturbs the machine for a while disturbs all of them alike. After each
// round the figures are saved and the table is written: what was measured stays when the rest is interrupted.
func measureEngine(ctx context.Context, f engineFlags, list []*workload) (err error) {
	dir, err := os.MkdirTemp("", "weft-engine-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	text := filepath.Join(dir, "text")
	if err := makeText(ctx, f, list, text); err != nil {
		return err
	}
	program := filepath.Join(dir, "byhand")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", program, "./bench/byhand").CombinedOutput(); err != nil {
		return fmt.Errorf("building the programs by hand: %w\n%s", err, out)
	}
	e, err := startEngine(ctx, f.dist, filepath.Join(dir, "cluster"), text)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.stop()) }()
	all, err := load(f.save)
	if err != nil {
		return err
	}
	for _, w := range list {
		delete(all.Workloads, w.name) // figures of another time do not mix with these
	}
	for range f.n {
		all.Round++
		for _, w := range list {
			got, err := e.run(w)
			if err == nil && w.byHand != nil {
				got.Limit, err = e.byHand(program, w)
			}
			if err != nil {
				return err
			}
			fmt.Fprintf(os.Stderr, "%-17s %6.2f s  %5.2f M/s  %6.2f s of CPU  %5.0f MiB\n", w.name, got.Seconds, got.Rate/1e6, got.CPU, got.RSS)
			all.add(w.name, all.Round, got)
		}
		if err := errors.Join(all.store(f.save), intoDocs(f.page, all.table())); err != nil {
			return err
		}
	}
	fmt.Print(all.table())
	return nil
}

// makeText makes the text, where a workload reads one.
func makeText(ctx context.Context, f engineFlags, list []*workload, text string) error {
	for _, w := range list {
		if slices.ContainsFunc(w.args, func(a string) bool { return a == "file://TEXT" }) {
			out, err := exec.CommandContext(ctx, filepath.Join(f.dist, "bench", "weft-bench"), "gentext", "--size", fmt.Sprint(f.size), "-o", text).CombinedOutput()
			if err != nil {
				return fmt.Errorf("making the text: %w\n%s", err, out)
			}
			return nil
		}
	}
	return nil
}
