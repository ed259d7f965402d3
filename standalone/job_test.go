package standalone_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/weft-project/weft/rest"
	"github.com/weft-project/weft/stream"
)

// job is the main of the job that these tests run: it counts words, and waits in the middle where it is given a gate.
func job(args []string) int {
	if len(args) > 0 && args[0] == "tally" {
		return tally(args[1:])
	}
	if len(args) > 0 && args[0] == "hours" {
		return hours(args[1:])
	}
	if len(args) > 0 && args[0] == "stages" {
		return stages(args[1:])
	}
	flags := flag.NewFlagSet("job", flag.ContinueOnError)
	input := flags.String("input", "", "text to count the words of")
	output := flags.String("output", "", "where the counts go")
	gate := flags.String("gate", "", "a directory: wait until it has a file called open")
	fail := flags.Bool("fail", false, "fail at the first line")
	if flags.Parse(args) != nil {
		return 2
	}
	env := stream.New()
	env.SetMode(stream.Batch)
	words := stream.FlatMapWith(stream.ReadText(env, "read", *input), "split", func(c *stream.Context) func(string, func(string)) {
		lines := 0
		return func(line string, emit func(string)) {
			if *fail {
				// What an author might do.
				panic("bad line " + line)
			}
			if lines++; lines == 100 && *gate != "" {
				wait(*gate, c)
			}
			for _, w := range strings.Split(line, ", ") {
				emit(w)
			}
		}
	})
	counts := stream.Count(stream.KeyBy(words, func(w string) string { return w }), "count")
	stream.WriteText(counts, "write", *output, func(c stream.Counted[string]) string { return fmt.Sprint(c.Key, " ", c.N) })
	if _, err := env.Execute(context.Background(), "counts"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println("counted as", os.Getenv("CONTAINER_ID"))
	return 0
}

// wait says that a subtask has come to a gate and waits until it is open.
func wait(gate string, c *stream.Context) {
	if err := os.WriteFile(filepath.Join(gate, fmt.Sprintf("%d-of-attempt-%d", c.Subtask(), c.Attempt())), nil, 0o600); err != nil {
		// What an author's function does when it can not go on.
		panic(err)
	}
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for range look.C {
		if _, err := os.Stat(filepath.Join(gate, "open")); err == nil {
			return
		}
	}
}

// gate makes a gate that is shut.
func (s *site) gate() string { return s.t.TempDir() }

// reached waits until a subtask waits at a gate.
func (s *site) reached(gate string) {
	s.t.Helper()
	s.until("the job runs", func() bool {
		entries, err := os.ReadDir(gate)
		return err == nil && len(entries) > 0
	})
}

// open opens a gate.
func (s *site) open(gate string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(gate, "open"), nil, 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// A JobManager for one main: it waits for TaskManagers, takes no other job, and ends with main, as do its TaskManagers.
func TestStandaloneJob(t *testing.T) {
	s := newSite(t, "localhost")
	t.Cleanup(func() { s.do("standalone-job.sh", "stop-all"); s.do("taskmanager.sh", "stop-all") })
	in, counts := s.input()
	results, gate := t.TempDir(), s.gate()
	const jid = "0123456789abcdef0123456789abcdef"
	out := s.ok("standalone-job.sh", "start", "-jid", jid, "-D", "parallelism.default=2", s.job, "-gate", gate, "-input", in, "-output", "file://"+results+"/one")
	if !strings.Contains(out, "Starting standalonejob daemon on host ") {
		t.Errorf("start: %s", out)
	}
	c := s.client()
	s.ok("taskmanager.sh", "start")
	s.ok("taskmanager.sh", "start")
	s.reached(gate)
	if out := s.ok("weft", "list"); !strings.Contains(out, jid+" : counts (RUNNING)") {
		t.Errorf("list: %s", out)
	}
	s.measured(jid)
	if cluster, err := c.Cluster(t.Context()); err != nil || cluster.Target != "standalone-job" {
		t.Errorf("cluster: %+v, %v", cluster, err)
	}
	if out, code := s.do("weft", "run", s.job, "-input", in, "-output", "file://"+results+"/two"); code == 0 || !strings.Contains(out, "come from its own main") {
		t.Errorf("another job: exit code %d, %s", code, out)
	}
	s.open(gate)
	s.ended(c)
	s.compare(results+"/one", counts)
	if main, err := filepath.Glob(s.log + "/*standalonejob-0-*.out"); err != nil || len(main) != 1 || !strings.Contains(read(t, main[0]), "counted as") {
		t.Errorf("main's output: %v, %v", main, err)
	}
	if out := s.ok("standalone-job.sh", "stop"); !strings.Contains(out, "is running anymore on") {
		t.Errorf("stop: %s", out)
	}

	t.Run("stopped", func(t *testing.T) {
		gate := s.gate()
		s.ok("standalone-job.sh", "start", "--job-classname", s.job, "-gate", gate, "-input", in, "-output", "file://"+results+"/three")
		s.ok("taskmanager.sh", "start")
		s.reached(gate)
		if out := s.ok("standalone-job.sh", "stop"); !strings.Contains(out, "Stopping standalonejob daemon (pid: ") {
			t.Errorf("stop: %s", out)
		}
		if left, err := os.ReadDir(results); err != nil || len(left) != 1 {
			t.Errorf("left by a job that was stopped: %v, %v", left, err)
		}
	})
	t.Run("failed", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		port := strconv.Itoa(freePort(t))
		cmd, out := s.command(ctx, "standalone-job.sh", "start-foreground", "-r", port, "-j", s.job, "-fail", "-input", in, "-output", "file://"+results+"/four")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		s.ok("taskmanager.sh", "start")
		_ = cmd.Wait()
		if code := cmd.ProcessState.ExitCode(); code != 1 || !strings.Contains(out.String(), "bad line") {
			t.Errorf("exit code %d, %s", code, out)
		}
	})
	s.ok("taskmanager.sh", "stop-all")
	s.empty()
}

// weft run -t local: no cluster, the lines of weft run, and a page while the program runs.
func TestLocal(t *testing.T) {
	s := newSite(t, "localhost", "parallelism.default: 2")
	in, counts := s.input()
	gate, output := s.gate(), t.TempDir()+"/out"
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	port := strconv.Itoa(freePort(t))
	run, out := s.command(ctx, "weft", "run", "-t", "local", "-D", "rest.port="+port, s.job, "-gate", gate, "-input", in, "-output", "file://"+output)
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	s.reached(gate)
	c, err := rest.NewClient(rest.ClientOptions{Address: "localhost:" + port})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if jobs, err := c.Jobs(ctx); err != nil || len(jobs) != 1 || jobs[0].Name != "counts" || jobs[0].State != "RUNNING" {
		t.Errorf("jobs: %+v, %v", jobs, err)
	}
	s.open(gate)
	if err := run.Wait(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	s.compare(output, counts)
	for _, want := range []string{"JobManager Web Interface: http://127.0.0.1:" + port + "\n", "Job has been submitted with JobID ", "Program execution finished\n", "Job Runtime: ", "counted as"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in %s", want, out)
		}
	}
	if _, err := c.Jobs(ctx); err == nil {
		t.Error("the page is still there")
	}
	if out, code := s.do("weft", "run", "-t", "local", s.job, "-fail", "-input", in, "-output", "file://"+output+"2"); code != 1 || !strings.Contains(out, "bad line") {
		t.Errorf("a job that fails: exit code %d, %s", code, out)
	}
	if out, code := s.do("weft", "run", "-t", "local", "-d", s.job); code != 2 || !strings.Contains(out, "lives as long as this command") {
		t.Errorf("detached: exit code %d, %s", code, out)
	}
	s.empty()
}

// A TaskManager whose processes the JobManager cannot look at, as on another machine, says when it is stopped that nothing of it runs any
// more: its job does not wait for the time after which that is certain by itself.
func TestStopElsewhere(t *testing.T) {
	s := newSite(t, "localhost", "high-availability.leaderless-timeout: 1 h", "taskmanager.numberOfTaskSlots: 2")
	t.Cleanup(func() { s.do("stop-cluster.sh") })
	s.ok("jobmanager.sh", "start")
	s.ok("taskmanager.sh", "start", "-D", "io.tmp.dirs="+t.TempDir())
	in, counts := s.input()
	gate, output := s.gate(), t.TempDir()+"/out"
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	run, out := s.command(ctx, "weft", "run", "-p", "2", s.job, "-gate", gate, "-input", in, "-output", "file://"+output)
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	s.reached(gate)
	s.ok("taskmanager.sh", "stop")
	s.ok("taskmanager.sh", "start")
	s.open(gate)
	if err := run.Wait(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if !strings.Contains(out.String(), "was told to end") {
		t.Errorf("the reason of the restart is not said: %s", out)
	}
	s.compare(output, counts)
	s.ok("stop-cluster.sh")
	s.empty()
}

// ended waits until nothing of the cluster runs.
func (s *site) ended(c *rest.Client) {
	s.t.Helper()
	s.until("the JobManager has ended", func() bool {
		_, err := c.Overview(context.Background())
		return err != nil
	})
	s.until("all has ended", func() bool { return len(s.processes()) == 0 })
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
