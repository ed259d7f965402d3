//go:build realhadoop

package acceptance

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/weft-project/weft/internal/devcluster"
)

var savepointPath = regexp.MustCompile(`Savepoint completed\. Path: (\S+)`)

// running are the lines of a streaming count: of each word every number up to its count.
func running(text string) (lines []string) {
	for _, line := range count(text) {
		var w string
		var n int
		if _, err := fmt.Sscan(line, &w, &n); err != nil {
			panic(line)
		}
		for i := range n {
			lines = append(lines, fmt.Sprint(w, " ", i+1))
		}
	}
	slices.Sort(lines)
	return lines
}

// A streaming job keeps its checkpoints in HDFS. The container of a TaskManager is killed: YARN brings another, and the job goes on from its
// newest checkpoint. Another run is stopped with a savepoint and goes on from that at another parallelism. Every count is written once.
func TestCheckpointsOnHDFS(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	app := u.session("-tm", "1024", "-s", "1", "-Dexecution.checkpointing.dir="+u.out("checkpoints"), "-Dexecution.checkpointing.interval=100ms",
		"-Dexecution.checkpointing.data-inline-threshold=64 bytes")
	in := ""
	for i := range 6 {
		part := text(200, 40+i)
		u.put(fmt.Sprintf("input/%d.txt", i), part)
		in += part
	}
	u.mkdir("results")
	// The pause at each line keeps the job at work for longer than a slow machine needs for what is done to it.
	args := func(pause, output string, more ...string) []string {
		return append(append([]string{"run"}, more...), testJob(t), "-mode", "stream", "-pause", pause, "-input", u.out("input"), "-output", u.out(output))
	}
	complete := func(job string) bool { // there is a checkpoint
		list, err := u.c.List(t.Context(), u.hdfs+"/checkpoints/"+job)
		return err == nil && slices.ContainsFunc(list, func(f devcluster.FileStatus) bool { return strings.Contains(f.Path, "chk-") })
	}

	p := u.start("", "weft", args("10ms", "results/killed", "-p", "2")...)
	p.says("Job has been submitted with JobID")
	job := u.submitted(p.stdout.String())
	u.until("there is a checkpoint", func() bool { return complete(job) })
	victims := u.processes(app, "taskmanager")
	if len(victims) != 2 {
		t.Fatalf("TaskManagers: %v, expected 2", victims)
	}
	u.kill9(victims[0])
	r := p.wait()
	if r.code != 0 || !strings.Contains(r.stderr, "goes on from checkpoint") {
		t.Fatalf("the job whose TaskManager was killed: %s", r)
	}
	u.same("after the loss of a TaskManager", u.lines(u.out("results/killed")), running(in))

	r = u.ok("weft", args("30ms", "results/stopped", "-d", "-p", "2")...)
	job = u.submitted(r.stdout)
	u.until("there is a checkpoint", func() bool { return complete(job) })
	r = u.ok("weft", "stop", "-p", u.out("savepoints"), job)
	path := savepointPath.FindStringSubmatch(r.stdout)
	if path == nil || !strings.HasPrefix(path[1], "hdfs://") {
		t.Fatalf("stop: %s", r)
	}
	if r := u.ok("weft", "state", "verify", path[1]); !strings.Contains(r.stdout, path[1]) {
		t.Errorf("verify: %s", r)
	}
	u.ok("weft", args("0s", "results/on", "-p", "1", "-s", path[1])...)
	both := append(u.lines(u.out("results/stopped")), u.lines(u.out("results/on"))...)
	slices.Sort(both)
	u.same("before and after the savepoint", both, running(in))
}
