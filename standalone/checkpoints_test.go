package standalone_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/weft-project/weft/stream"
)

// hoursKeys is how many keys the numbers have.
const hoursKeys = 5

// hours is the main of a job without end that counts the numbers of each hour, which are more than a test waits for: nothing comes of it but by
// draining it.
func hours(args []string) int {
	flags := flag.NewFlagSet("hours", flag.ContinueOnError)
	output := flags.String("output", "", "where the counts go")
	if flags.Parse(args) != nil {
		return 2
	}
	env := stream.New()
	numbers := stream.GenerateRate(env, "numbers", stream.Endless, 1000, func(i int64) int64 { return i })
	timed := stream.AssignTimestamps(numbers, "times", stream.Monotonous(func(n *int64) int64 { return *n }))
	counts := stream.AggregateWindow(stream.Window(stream.KeyBy(timed, func(n int64) int { return int(n % hoursKeys) }), stream.Tumbling(24*time.Hour)), "count",
		stream.Aggregate[int64, [2]int64, [2]int64]{
			Add:    func(acc *[2]int64, n *int64) { acc[0], acc[1] = acc[0]+1, max(acc[1], *n) },
			Merge:  func(acc, other *[2]int64) { acc[0], acc[1] = acc[0]+other[0], max(acc[1], other[1]) },
			Result: func(acc *[2]int64) [2]int64 { return *acc },
		})
	stream.WriteText(counts, "write", *output, func(n [2]int64) string { return fmt.Sprint(n[0], " ", n[1]) })
	if _, err := env.Execute(context.Background(), "hours"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// drained checks what hours has written: of each key how many numbers there were, and the highest. contiguous: there was one source.
func drained(t *testing.T, output string, contiguous bool) {
	t.Helper()
	lines := written(t, output)
	if len(lines) != hoursKeys {
		t.Errorf("drained: %q: expected a line for each of %d keys", lines, hoursKeys)
	}
	for _, line := range lines {
		var n, last int64
		if _, err := fmt.Sscan(line, &n, &last); err != nil || contiguous && n != last/hoursKeys+1 {
			t.Errorf("drained: %q: expected the count of all numbers up to the last, %v", line, err)
		}
	}
}

// written are the lines of an output; none where there is no output.
func written(t *testing.T, output string) (lines []string) {
	t.Helper()
	files, err := filepath.Glob(output + "/*")
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(output); err == nil && !info.IsDir() {
		files = []string{output}
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if text := strings.TrimSpace(string(b)); text != "" {
			lines = append(lines, strings.Split(text, "\n")...)
		}
	}
	return lines
}

// begin starts a job beside the test and waits until all its tasks run.
func (s *site) begin(args ...string) (jid string) {
	s.t.Helper()
	jid = jobID.FindStringSubmatch(s.ok("weft", append([]string{"run", "-d"}, args...)...))[1]
	s.until("job "+jid+" takes checkpoints", func() bool { // which it does when all tasks run
		_, code := s.do("weft", "checkpoint", jid)
		return code == 0
	})
	return jid
}

// The commands about checkpoints and savepoints, on one cluster.
func TestCommandsAboutCheckpoints(t *testing.T) {
	dir, results := t.TempDir(), t.TempDir()
	s := newSite(t, "localhost", "execution.checkpointing.savepoint-dir: file://"+dir+"/savepoints", "execution.checkpointing.dir: file://"+dir+"/checkpoints",
		"execution.checkpointing.externalized-checkpoint-retention: RETAIN_ON_CANCELLATION", "taskmanager.numberOfTaskSlots: 2")
	s.start()
	s.slots(s.client(), 2)

	t.Run("drain", func(t *testing.T) {
		jid := s.begin("-p", "2", s.job, "hours", "-output", "file://"+results+"/drained")
		out := s.ok("weft", "stop", "--drain", jid)
		if !strings.Contains(out, "Draining job") || savepointPath.FindString(out) == "" {
			t.Errorf("stop --drain: %s", out)
		}
		drained(t, results+"/drained", false)
	})
	t.Run("stop", func(t *testing.T) {
		jid := s.begin("-p", "1", s.job, "hours", "-output", "file://"+results+"/stopped")
		path := savepointPath.FindStringSubmatch(s.ok("weft", "stop", "-p", "file://"+dir+"/elsewhere", jid))[1]
		if !strings.HasPrefix(path, "file://"+dir+"/elsewhere/") {
			t.Errorf("the savepoint is in %s", path)
		}
		if lines := written(t, results+"/stopped"); len(lines) != 0 {
			t.Errorf("stopped: %q: windows fire when they are full, or drained", lines)
		}
		// What it had counted is in the savepoint.
		jid = s.begin("-p", "1", "-s", path, s.job, "hours", "-output", "file://"+results+"/on")
		s.ok("weft", "stop", "--drain", jid)
		drained(t, results+"/on", true)
	})
	t.Run("cancel -s, run -s", func(t *testing.T) {
		gate := s.gate()
		jid := s.begin("-p", "2", s.job, "tally", "-gate", gate, "-output", "file://"+results+"/canceled")
		out := s.ok("weft", "cancel", "-s", "file://"+dir+"/savepoints", jid)
		path := savepointPath.FindStringSubmatch(out)[1]
		if list := s.ok("weft", "list", "-a"); !strings.Contains(list, "(CANCELED)") {
			t.Errorf("list: %s", list)
		}
		if _, err := os.Stat(results + "/canceled"); err == nil {
			t.Error("a canceled job has published its output")
		}
		s.ok("weft", "run", "-p", "1", "-s", path, s.job, "tally", "-output", "file://"+results+"/rest")
		continued(t, written(t, results+"/rest"))
	})
	t.Run("run -s of a retained checkpoint", func(t *testing.T) {
		gate := s.gate()
		jid := s.begin("-p", "1", s.job, "tally", "-gate", gate, "-output", "file://"+results+"/retained")
		if out := s.ok("weft", "checkpoint", jid); !strings.Contains(out, "completed") {
			t.Errorf("checkpoint: %s", out)
		}
		s.ok("weft", "cancel", jid)
		kept := checkpoints(t, dir+"/checkpoints", jid)
		if len(kept) != 1 {
			t.Fatalf("retained: %v", kept)
		}
		s.ok("weft", "run", "-p", "2", "-s", "file://"+filepath.Dir(kept[0]), s.job, "tally", "-output", "file://"+results+"/again")
		continued(t, written(t, results+"/again"))
		if len(checkpoints(t, dir+"/checkpoints", jid)) != 1 {
			t.Error("the retained checkpoint belongs to its owner, and is gone")
		}
	})
}

// continued checks what a tally has written that went on from the middle: of each key the numbers that come after those before, up to the last.
func continued(t *testing.T, lines []string) {
	t.Helper()
	seen, total := map[int][]int{}, 0
	for _, line := range lines {
		var key, n int
		if _, err := fmt.Sscan(line, &key, &n); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		seen[key] = append(seen[key], n)
	}
	for key := range tallyKeys {
		list := seen[key]
		slices.Sort(list)
		last := (tallyN - key + tallyKeys - 1) / tallyKeys
		for i, n := range list {
			if want := last - len(list) + 1 + i; n != want {
				t.Fatalf("key %d: %v: expected the last %d numbers up to %d", key, list, len(list), last)
			}
		}
		total += len(list)
	}
	if total < tallyN/2 || total > tallyN {
		t.Errorf("%d lines: at least %d numbers were behind the gate, of %d", total, tallyN/2, tallyN)
	}
}

// taskManagers are the process ids of the site's TaskManagers.
func (s *site) taskManagers() (pids []int) {
	s.t.Helper()
	for _, p := range s.processes() {
		pid, err := strconv.Atoi(strings.Split(p, "/")[2])
		if err != nil {
			s.t.Fatal(err)
		}
		line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err == nil && strings.Contains(string(line), "taskmanager") {
			pids = append(pids, pid)
		}
	}
	return pids
}

// A TaskManager is killed, in both modes: the job goes on in the one that was left over. At least once, nothing is lost.
func TestATaskManagerIsKilled(t *testing.T) {
	dir, results := t.TempDir(), t.TempDir()
	s := newSite(t, "localhost\nlocalhost\nlocalhost\nlocalhost", "execution.checkpointing.dir: file://"+dir, "execution.checkpointing.interval: 50 ms",
		"execution.checkpointing.data-inline-threshold: 64 bytes")
	s.start()
	c := s.client()
	s.slots(c, 4)
	for _, mode := range []string{"EXACTLY_ONCE", "AT_LEAST_ONCE"} {
		gate, output := s.gate(), results+"/"+mode
		jid := s.begin("-p", "2", "-D", "execution.checkpointing.mode="+mode, s.job, "tally", "-gate", gate, "-output", "file://"+output)
		s.newer(dir, jid)
		pids := s.workers(jid)
		if len(pids) != 2 {
			t.Fatalf("workers: %v", pids)
		}
		killed := s.parent(pids[0])
		if !slices.Contains(s.taskManagers(), killed) {
			t.Fatalf("worker %d is a child of %d: TaskManagers are %v", pids[0], killed, s.taskManagers())
		}
		if err := syscall.Kill(killed, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		s.until("the job's workers are others", func() bool {
			now := s.workers(jid)
			return len(now) == 2 && !slices.Contains(now, pids[0])
		})
		s.newer(dir, jid)
		s.open(gate)
		s.until("the job has ended", func() bool { return strings.Contains(s.ok("weft", "list", "-a"), jid+" : tally (FINISHED)") })
		if mode == "EXACTLY_ONCE" {
			tallied(t, output)
			continue
		}
		got := map[string]bool{}
		for _, line := range written(t, output) {
			got[line] = true
		}
		for key := range tallyKeys {
			for n := 1; n <= (tallyN-key+tallyKeys-1)/tallyKeys; n++ {
				if line := fmt.Sprint(key, " ", n); !got[line] {
					t.Fatalf("%q was lost", line)
				}
			}
		}
	}
}

// parent is a process's.
func (s *site) parent(pid int) int {
	s.t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		s.t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(b), ") ")
	ppid, err := strconv.Atoi(strings.Fields(after)[1])
	if err != nil {
		s.t.Fatal(err)
	}
	return ppid
}

// A state file of the newest checkpoint is damaged: the job says so, and goes on from the one before.
func TestADamagedCheckpointIsPassedOver(t *testing.T) {
	dir, results := t.TempDir(), t.TempDir()
	s := newSite(t, "localhost", "execution.checkpointing.dir: file://"+dir, "execution.checkpointing.data-inline-threshold: 64 bytes",
		"state.checkpoints.num-retained: 3", "restart-strategy.type: fixed-delay", "restart-strategy.fixed-delay.attempts: 10",
		"restart-strategy.fixed-delay.delay: 10 ms", "execution.checkpointing.interval: 1 h")
	s.start()
	s.slots(s.client(), 1)
	gate := s.gate()
	jid := s.begin("-p", "1", s.job, "tally", "-gate", gate, "-output", "file://"+results+"/one")
	files := func() []string {
		all, err := filepath.Glob(filepath.Join(dir, jid, "state", "*", "*"))
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	before := files()
	s.ok("weft", "checkpoint", jid)
	damaged := 0
	for _, f := range files() {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if slices.Contains(before, f) || len(b) == 0 {
			continue
		}
		b[len(b)/2] ^= 0x55
		if err := os.WriteFile(f, b, 0o600); err != nil {
			t.Fatal(err)
		}
		damaged++
	}
	if damaged == 0 {
		t.Fatalf("the checkpoint has no files: %v", files())
	}
	pids := s.workers(jid)
	if err := syscall.Kill(pids[0], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	s.open(gate)
	s.until("the job has ended", func() bool { return strings.Contains(s.ok("weft", "list", "-a"), jid+" : tally (FINISHED)") })
	tallied(t, results+"/one")
	said := ""
	logs, _ := filepath.Glob(s.log + "/*")
	for _, f := range logs {
		b, _ := os.ReadFile(f)
		said += string(b)
	}
	if !strings.Contains(said, "damaged checkpoint") {
		t.Error("nobody was told of the damaged checkpoint")
	}
}
