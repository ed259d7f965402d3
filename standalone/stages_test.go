package standalone_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/weft-project/weft/stream"
)

// Of a job in two stages: so many records of so many keys.
const stagesN, stagesKeys = 40_000, 2000

// stages is the main of a BATCH job that sorts records by key on disk. Its second stage waits at a gate, in the middle of a subtask's keys.
func stages(args []string) int {
	flags := flag.NewFlagSet("stages", flag.ContinueOnError)
	output := flags.String("output", "", "where the counts go")
	gate := flags.String("gate", "", "a directory: the second stage waits until it has a file called open")
	if flags.Parse(args) != nil {
		return 2
	}
	env := stream.New()
	env.SetMode(stream.Batch)
	env.Set("taskmanager.memory.managed.size", "256 kb")
	numbers := stream.Generate(env, "numbers", stagesN, func(i int64) int64 { return i * 7919 })
	byKey := stream.KeyBy(stream.Rebalance(numbers), func(n int64) int64 { return n % stagesKeys })
	declared := stream.DeclareValue[int](byKey, "n")
	counts := stream.KeyedProcess(byKey, "count", func(k *stream.Keyed[int64], emit func(string)) func(int64) {
		n, seen := declared.In(k), 0
		k.OnTimer(func(stream.Timer) { emit(fmt.Sprintf("%04d %d", k.Key(), *n.Ref())) })
		return func(int64) {
			if seen++; seen == stagesN/8 {
				wait(*gate, k.Context)
			}
			*n.Ref()++
			k.SetTimer(stream.MaxTime - 1)
		}
	})
	stream.WriteText(counts, "write", *output, func(s string) string { return s })
	if _, err := env.Execute(context.Background(), "stages"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// spilled are the files of temporary data that a process holds open: they have no names any more.
func spilled(pid int) (n int) {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	for _, f := range files {
		if to, err := os.Readlink(f); err == nil && strings.Contains(to, "/spill-") {
			n++
		}
	}
	return n
}

// A worker that is killed in a job's second stage takes what the first has stored with it: both are run again, every line comes once, and
// what was on disk is gone.
func TestWorkerKilledInTheSecondStage(t *testing.T) {
	temp, output := t.TempDir(), t.TempDir()+"/out"
	s := newSite(t, "localhost\nlocalhost", "io.tmp.dirs: "+temp)
	s.start()
	c := s.client()
	s.slots(c, 2)
	gate := s.gate()
	run, out := s.command(t.Context(), "weft", "run", "-p", "2", s.job, "stages", "-gate", gate, "-output", "file://"+output)
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	s.reached(gate)
	jobs, err := c.Jobs(t.Context())
	if err != nil || len(jobs) != 1 {
		t.Fatalf("jobs: %v, %v", jobs, err)
	}
	pids := s.workers(jobs[0].ID)
	if len(pids) != 2 {
		t.Fatalf("workers: %v", pids)
	}
	if n := spilled(pids[0]); n == 0 {
		t.Error("the worker holds no temporary data, so this test shows nothing")
	}
	if err := syscall.Kill(pids[0], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	s.until("the worker is gone", func() bool { return !slices.Contains(s.workers(jobs[0].ID), pids[0]) })
	s.open(gate)
	if err := run.Wait(); err != nil {
		t.Fatalf("the job: %v\n%s", err, out)
	}
	attempts, err := filepath.Glob(gate + "/*-of-attempt-0")
	if err != nil || len(attempts) == 0 {
		t.Errorf("who waited in the first attempt: %v, %v", attempts, err)
	}
	var want []string
	for key := range stagesKeys {
		want = append(want, fmt.Sprintf("%04d %d", key, stagesN/stagesKeys))
	}
	slices.Sort(want)
	s.compare(output, want)
	// What a job wrote into the worker's directory would go with it.
	for _, paths := range [][]string{{"in.txt", "file://" + temp + "/counts"}, {"file:///dev/null", "counts"}} {
		if out, code := s.do("weft", "run", s.job, "-input", paths[0], "-output", paths[1]); code == 0 || !strings.Contains(out, "expected an absolute one") {
			t.Errorf("%q: exit code %d, %s", paths, code, out)
		}
	}
	s.ok("stop-cluster.sh")
	s.empty()
	err = filepath.WalkDir(temp, func(p string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			t.Errorf("left behind: %s", p)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
