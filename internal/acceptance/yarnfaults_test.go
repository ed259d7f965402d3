//go:build realhadoop

package acceptance

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weft-project/weft/internal/devcluster"
)

// What YARN does to a session in the course of its life, on one cluster of its own, one after the other.
func TestFaultsOnYARN(t *testing.T) {
	c := devcluster.Private(t, devcluster.Options{
		NodeMemoryMB: 4096,
		Queues:       []devcluster.Queue{{Name: "default", Capacity: 80}, {Name: "small", Capacity: 10, MaxCapacity: 20}, {Name: "narrow", Capacity: 10, MaxCapacity: 100}},
		Conf: map[string]map[string]string{
			"yarn-site.xml":          {"yarn.nodemanager.recovery.enabled": "true", "yarn.nodemanager.recovery.supervised": "true"},
			"capacity-scheduler.xml": {"yarn.scheduler.capacity.root.narrow.maximum-am-resource-percent": "0.05"},
		},
	})
	for _, fault := range []struct {
		name string
		test func(t *testing.T, u *user)
	}{
		{"JobManager killed", jobManagerRestarted}, {"daemons restarted", daemonsRestarted},
		{"node without a program", nodeExcluded}, {"queues", queuesExplained},
	} {
		t.Run(fault.name, func(t *testing.T) { fault.test(t, newUserOf(t, c)) })
	}
}

// YARN starts the JobManager again, which starts the job again under its id; who follows the job goes on doing so.
func jobManagerRestarted(t *testing.T, u *user) {
	app := u.session("-jm", "512", "-tm", "512", "-s", "1", "-Dyarn.application-attempts=2")
	j := u.slow(app)
	j.spread()
	old := u.c.Processes(app)
	masters := u.processes(app, "jobmanager")
	if len(masters) != 1 {
		t.Fatalf("JobManagers: %v", masters)
	}
	u.kill9(masters[0])
	r := j.right()
	for _, want := range []string{"YARN starts another one", "another JobManager has taken the job over"} {
		if !strings.Contains(r.stderr, want) {
			t.Errorf("%q is not in %s", want, r)
		}
	}
	for _, p := range old {
		for _, now := range u.c.Processes(app) {
			if p.PID == now.PID {
				t.Errorf("%v of the attempt before still runs", p.Args)
			}
		}
	}
	// What has ended is not run again by the attempt after it.
	u.until("the submission is forgotten", func() bool {
		for _, f := range u.walk(".weft/staging/" + app) {
			if strings.Contains(f, "submission-") {
				return false
			}
		}
		return true
	})
	if r := u.doWith("stop\n", "yarn-session.sh", "-id", app); r.code != 0 {
		t.Errorf("stop: %s", r)
	}
	if a, err := u.c.App(t.Context(), app); err != nil || a.FinalStatus != "SUCCEEDED" {
		t.Errorf("application: %+v, %v", a, err)
	}
	u.absent(u.out(".weft/staging/" + app))
}

// walk gives the paths below a directory of the user's home.
func (u *user) walk(dir string) (out []string) {
	u.t.Helper()
	entries, err := u.c.Walk(u.t.Context(), u.hdfs+"/"+dir)
	if err != nil {
		u.t.Fatal(err)
	}
	for _, e := range entries {
		out = append(out, e.Path)
	}
	return out
}

// The ResourceManager and a NodeManager are killed and started again under a job, which hears nothing of it.
func daemonsRestarted(t *testing.T, u *user) {
	app := u.session("-jm", "512", "-tm", "512", "-s", "1")
	j := u.slow(app)
	j.spread()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for _, daemon := range []string{"resourcemanager", "nodemanager-0"} {
		if err := u.c.KillDaemon(daemon); err != nil {
			t.Fatal(err)
		}
		if err := u.c.StartDaemon(ctx, daemon); err != nil {
			t.Fatal(err)
		}
	}
	if r := j.right(); strings.Contains(r.stderr, "RESTARTING") {
		t.Errorf("the job was disturbed: %s", r)
	}
	// The session asks the restarted daemons for containers.
	words := text(100, 3)
	input := u.put("after.txt", words)
	u.ok("weft", "run", "-p", "4", u.example("wordcount"), "-input", input, "-output", u.out("after"))
	u.same("a job after the restarts", u.lines(u.out("after")), count(words))
}

// A node on which nothing starts is left out, with a line that says so, and the job gets its slots elsewhere.
func nodeExcluded(t *testing.T, u *user) {
	app := u.session("-jm", "512", "-tm", "512", "-s", "1", "-Dyarn.node-exclusion.failures=1", "-Dresourcemanager.taskmanager-timeout=1s")
	words := text(100, 4)
	input := u.put("in.txt", words)
	run := func(output string) result {
		r := u.ok("weft", "run", "-p", "5", u.example("wordcount"), "-input", input, "-output", u.out(output))
		u.same(output, u.lines(u.out(output)), count(words))
		return r
	}
	run("before")
	u.until("no TaskManager is left", func() bool { return len(u.processes(app, "taskmanager")) == 0 })
	if spoilt := u.spoil("nodemanager-1"); spoilt == 0 {
		t.Fatal("the program was not found on the node")
	}
	r := run("after")
	if !strings.Contains(r.stderr, "is left out for 10m0s") {
		t.Errorf("it is not said that a node is left out: %s", r)
	}
	if !strings.Contains(r.stderr, "its logs: http://localhost:") || !strings.Contains(r.stderr, "/node/containerlogs/container_") {
		t.Errorf("it is not said where the logs are: %s", r)
	}
}

// spoil puts something that fails at once in the place of each copy of the program on a node.
func (u *user) spoil(node string) (n int) {
	u.t.Helper()
	program, err := os.Stat(filepath.Join(u.dist, "bin", "weft"))
	if err != nil {
		u.t.Fatal(err)
	}
	if err := filepath.WalkDir(filepath.Join(u.c.Dir(), node, "local"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil // NodeManagers remove files meanwhile
		}
		if info, err := d.Info(); err != nil || info.Size() != program.Size() {
			return nil
		}
		n++
		if err := os.Remove(path); err != nil { // it may be running
			return err
		}
		return os.WriteFile(path, []byte("#!/bin/sh\nexit 9\n"), 0o755)
	}); err != nil {
		u.t.Fatal(err)
	}
	return n
}

// What waits in a queue says for what.
func queuesExplained(t *testing.T, u *user) {
	small := u.session("-qu", "small", "-jm", "512", "-tm", "1024", "-s", "1")
	input := u.put("in.txt", text(10, 5))
	p := u.start("", "weft", "run", "-p", "4", u.example("wordcount"), "-input", input, "-output", u.out("never"))
	p.says("still waiting for 4 slots: a TaskManager needs 1024 MB, 1 vcores, and the limits of queue root.small and of its user leave this application")
	u.ok("weft", "cancel", u.submitted(p.stdout.String()))
	if r := p.wait(); r.code != 1 {
		t.Errorf("cancelled: %s", r)
	}
	u.kill(small)

	u.session("-qu", "narrow", "-jm", "512", "-tm", "512")
	r := u.do("yarn-session.sh", "-d", "-qu", "narrow", "-jm", "512", "-tm", "512", "--submit-timeout", "5s")
	for _, want := range []string{"waits in queue narrow", "share for ApplicationMasters is in use", "YARN says: ", fmt.Sprint(5 * time.Second)} {
		if !strings.Contains(r.stderr, want) {
			t.Errorf("%q is not in %s", want, r)
		}
	}
	if r.code == 0 {
		t.Errorf("the second session of the queue: %s", r)
	}
}
