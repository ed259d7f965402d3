package standalone_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/weft-project/weft/stream"
)

// Of the numbers below tallyN a tally counts those with equal remainders.
const tallyN, tallyKeys, tallySplits = 4000, 37, 4

// tally is the main of a job that counts numbers by key and writes each count: every line comes once, whatever happens to the job. Its sources wait
// at gates, directories with a file called open: the one that a split has come to the middle of.
func tally(args []string) int {
	flags := flag.NewFlagSet("tally", flag.ContinueOnError)
	output := flags.String("output", "", "where the counts go")
	gate := flags.String("gate", "", "a directory: wait in the middle until it has a file called open")
	if flags.Parse(args) != nil {
		return 2
	}
	env := stream.New()
	numbers := stream.FromSource(env, "numbers", stream.SplitSource[int, int]{
		Plan: func(context.Context, int) ([]int, error) { return []int{0, 1, 2, 3}, nil },
		Open: func(_ context.Context, split int, wake func()) (stream.SplitReader[int], error) {
			return &tallyReader{next: split, gate: *gate, wake: wake}, nil
		}})
	keyed := stream.KeyBy(numbers, func(n int) int { return n % tallyKeys })
	total := stream.DeclareValue[int](keyed, "count")
	counts := stream.KeyedProcess(keyed, "count",
		func(k *stream.Keyed[int], emit func(string)) func(int) {
			count := total.In(k)
			return func(int) {
				n, _ := count.Get()
				count.Set(n + 1)
				emit(fmt.Sprint(k.Key(), " ", n+1))
			}
		})
	stream.WriteText(counts, "write", *output, func(s string) string { return s })
	if _, err := env.Execute(context.Background(), "tally"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// tallyReader reads one split: every tallySplits-th number.
type tallyReader struct {
	next int
	gate string
	wake func()
}

// Read is SplitReader's.
func (r *tallyReader) Read(emit func(*int)) (stream.SourceStatus, error) {
	for range 50 {
		if r.next >= tallyN {
			return stream.SourceEnd, nil
		}
		if r.next >= tallyN/2 && r.gate != "" {
			if _, err := os.Stat(filepath.Join(r.gate, "open")); errors.Is(err, fs.ErrNotExist) {
				time.AfterFunc(5*time.Millisecond, r.wake)
				return stream.SourceIdle, nil
			}
			r.gate = ""
		}
		n := r.next
		r.next += tallySplits
		emit(&n)
	}
	return stream.SourceMore, nil
}

// Close is SplitReader's.
func (r *tallyReader) Close() error { return nil }

// tallied compares what a tally has written with what it must be.
func tallied(t *testing.T, output string) {
	t.Helper()
	var want []string
	for key := range tallyKeys {
		for n := 1; n <= (tallyN-key+tallyKeys-1)/tallyKeys; n++ {
			want = append(want, fmt.Sprint(key, " ", n))
		}
	}
	var got []string
	err := filepath.WalkDir(output, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(p)
		got = append(got, strings.Fields(strings.ReplaceAll(string(b), " ", "_"))...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range got {
		got[i] = strings.ReplaceAll(got[i], "_", " ")
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		extra := slices.DeleteFunc(slices.Clone(got), func(s string) bool { return slices.Contains(want, s) })
		missing := slices.DeleteFunc(slices.Clone(want), func(s string) bool { return slices.Contains(got, s) })
		t.Errorf("%d lines, %d distinct: expected %d; not expected: %.10q; missing: %.10q", len(got), len(slices.Compact(got)), len(want), extra, missing)
	}
}

// workers are the process ids of a job's workers.
func (s *site) workers(jobID string) (pids []int) {
	s.t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		s.t.Fatal(err)
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		b, err := os.ReadFile(filepath.Join("/proc", e.Name(), "environ"))
		if err == nil && strings.Contains(string(b), "WEFT_WORKER=") && strings.Contains(string(b), "/"+jobID+"/") {
			pids = append(pids, pid)
		}
	}
	return pids
}

// checkpoints are the names of the checkpoints of a job that are published.
func checkpoints(t *testing.T, dir, jobID string) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(dir, jobID, "chk-*", "_metadata"))
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(all)
	return all
}

// newer waits until a checkpoint is complete that was not there before.
func (s *site) newer(dir, jobID string) {
	s.t.Helper()
	before := checkpoints(s.t, dir, jobID)
	s.until("there is another checkpoint", func() bool {
		for _, c := range checkpoints(s.t, dir, jobID) {
			if !slices.Contains(before, c) {
				return true
			}
		}
		return false
	})
}

// Workers are killed, and so is a TaskManager; the job goes on from its newest checkpoint, and its output is as if nothing had happened.
func TestJobGoesOnFromItsCheckpoints(t *testing.T) {
	for _, mode := range []string{"EXACTLY_ONCE"} {
		dir, results := t.TempDir(), t.TempDir()
		s := newSite(t, "localhost\nlocalhost", "execution.checkpointing.dir: file://"+dir, "execution.checkpointing.interval: 50 ms",
			"execution.checkpointing.mode: "+mode, "execution.checkpointing.data-inline-threshold: 64 bytes",
			"restart-strategy.type: fixed-delay", "restart-strategy.fixed-delay.attempts: 20", "restart-strategy.fixed-delay.delay: 10 ms")
		s.start()
		c := s.client()
		s.slots(c, 2)
		gate := s.gate()
		run, out := s.command(t.Context(), "weft", "run", "-p", "2", s.job, "tally", "-gate", gate, "-output", "file://"+results+"/one")
		if err := run.Start(); err != nil {
			t.Fatal(err)
		}
		jid := ""
		s.until("the job is there", func() bool {
			jobs, err := c.Jobs(t.Context())
			if err == nil && len(jobs) == 1 {
				jid = jobs[0].ID
			}
			return jid != ""
		})
		s.newer(dir, jid)
		for range 2 {
			s.newer(dir, jid)
			pids := s.workers(jid)
			if len(pids) != 2 {
				t.Fatalf("workers: %v", pids)
			}
			if err := syscall.Kill(pids[0], syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			s.until("the worker is gone", func() bool { return !slices.Contains(s.workers(jid), pids[0]) })
			s.until("the workers run again", func() bool { return len(s.workers(jid)) == 2 })
		}
		s.newer(dir, jid)
		s.open(gate)
		if err := run.Wait(); err != nil {
			t.Fatalf("the job: %v\n%s", err, out)
		}
		if !strings.Contains(out.String(), "the job goes on from checkpoint") {
			t.Errorf("the job did not go on from a checkpoint: %s", out)
		}
		tallied(t, results+"/one")
		if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
			t.Errorf("left of the job's checkpoints: %v, %v", left, err)
		}
	}
}

var savepointPath = regexp.MustCompile(`Savepoint completed\. Path: (\S+)`)

// A job is stopped with a savepoint and started again from it at another parallelism: what the two have written together is what one would have.
func TestStopAndGoOnAtAnotherParallelism(t *testing.T) {
	dir, results := t.TempDir(), t.TempDir()
	s := newSite(t, "localhost\nlocalhost", "execution.checkpointing.savepoint-dir: file://"+dir)
	s.start()
	c := s.client()
	s.slots(c, 2)
	gate := s.gate()
	out := s.ok("weft", "run", "-d", "-p", "2", s.job, "tally", "-gate", gate, "-output", "file://"+results+"/one")
	jid := jobID.FindStringSubmatch(out)[1]
	s.until("it runs", func() bool { return strings.Contains(s.ok("weft", "list"), "(RUNNING)") })
	var path string
	s.until("a savepoint is taken", func() bool { // not before all tasks run
		out, code := s.do("weft", "savepoint", jid)
		if code == 0 {
			path = savepointPath.FindStringSubmatch(out)[1]
		}
		return code == 0
	})
	if out := s.ok("weft", "state", "verify", path); !strings.Contains(out, "numbers") && !strings.Contains(out, path) {
		t.Errorf("verify: %s", out)
	}
	if out := s.ok("weft", "savepoint", "-d", path); !strings.Contains(out, "disposed") {
		t.Errorf("dispose: %s", out)
	}
	out = s.ok("weft", "stop", jid)
	path = savepointPath.FindStringSubmatch(out)[1]
	if out := s.ok("weft", "list", "-a"); !strings.Contains(out, "(FINISHED)") {
		t.Errorf("list: %s", out)
	}
	out = s.ok("weft", "run", "-p", "1", "-s", path, s.job, "tally", "-output", "file://"+results+"/two")
	if !strings.Contains(out, "goes on from") {
		t.Errorf("the second run did not go on: %s", out)
	}
	tallied(t, results)
	if out, code := s.do("weft", "run", "-s", "file://"+dir+"/none", s.job, "tally", "-output", "file://"+results+"/three"); code == 0 || !strings.Contains(out, "there is no checkpoint or savepoint") {
		t.Errorf("from nothing: exit code %d, %s", code, out)
	}
}
