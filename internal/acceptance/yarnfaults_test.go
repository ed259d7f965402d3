//go:build realhadoop

package acceptance

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/weft-project/weft/internal/devcluster"
)

// outage bounds the time that daemons take to come back.
const outage = 8 * time.Minute

// What YARN does to a session in the course of its life, on one cluster of its own, one after the other.
func TestFaultsOnYARN(t *testing.T) {
	t.Parallel()
	exclude := filepath.Join(t.TempDir(), "exclude")
	if err := os.WriteFile(exclude, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	const policy = "yarn.resourcemanager.monitor.capacity.preemption."
	c := devcluster.Private(t, devcluster.Options{
		NodeMemoryMB: 4096,
		Queues:       []devcluster.Queue{{Name: "default", Capacity: 80}, {Name: "small", Capacity: 10, MaxCapacity: 20}, {Name: "narrow", Capacity: 10, MaxCapacity: 100}},
		Conf: map[string]map[string]string{
			"yarn-site.xml": {
				"yarn.nodemanager.recovery.enabled": "true", "yarn.nodemanager.recovery.supervised": "true",
				"yarn.resourcemanager.nodes.exclude-path": exclude,
				// A NodeManager that is stopped for a while is not lost.
				"yarn.nm.liveness-monitor.expiry-interval-ms": "600000",
				// What a queue has beyond its share is taken back soon, all of it at once.
				"yarn.resourcemanager.scheduler.monitor.enable": "true",
				policy + "monitoring_interval":                  "500", policy + "max_wait_before_kill": "500",
				policy + "total_preemption_per_round": "1.0", policy + "max_ignored_over_capacity": "0.0", policy + "natural_termination_factor": "1.0",
			},
			"capacity-scheduler.xml": {"yarn.scheduler.capacity.root.narrow.maximum-am-resource-percent": "0.05"},
		},
	})
	for _, fault := range []struct {
		name string
		test func(t *testing.T, u *user)
	}{
		{"JobManager killed", jobManagerRestarted}, {"main begun again", mainAgain}, {"daemons restarted", daemonsRestarted},
		{"node without a program", nodeExcluded}, {"preempted", preempted}, {"queues", queuesExplained},
		{"decommissioned", func(t *testing.T, u *user) { decommissioned(t, u, exclude) }},
	} {
		t.Run(fault.name, func(t *testing.T) { fault.test(t, newUserOf(t, c)) })
	}
}

// heldJob is an attached run of a job that waits in the middle until it is let go.
type heldJob struct {
	*slowJob
	gate string
}

// held starts one, with as many subtasks, and waits until it has got to the place where it waits.
func (u *user) held(app string, parallelism int, name string) *heldJob {
	u.t.Helper()
	return u.heldAt("gate", app, parallelism, name)
}

// heldAt holds it while it reads, with files that are still to be opened (gate), or while it writes (gate-out).
func (u *user) heldAt(mode, app string, parallelism int, name string) *heldJob {
	u.t.Helper()
	j := &heldJob{&slowJob{u: u, app: app, api: u.api(app), out: u.out(name + "/out")}, filepath.Join(u.t.TempDir(), "open")}
	for i := range 3 * parallelism {
		part := text(100, i) + "hold\n" + text(50, i+1)
		u.put(fmt.Sprintf("%s-in/%d.txt", name, i), part)
		j.in += part
	}
	u.mkdir(name)
	j.p = u.start("", "weft", "run", "-p", fmt.Sprint(parallelism), testJob(u.t), "-mode", mode, "-gate", j.gate,
		"-input", u.out(name+"-in"), "-output", j.out)
	j.p.says("Job has been submitted with JobID")
	j.id = u.submitted(j.p.stdout.String())
	j.p.says("switched to RUNNING")
	u.until("the job has got to the line that holds it", func() bool {
		_, err := os.Stat(j.gate + ".held")
		return err == nil
	})
	return j
}

// release lets the job go on.
func (j *heldJob) release() {
	j.u.t.Helper()
	if err := os.WriteFile(j.gate, nil, 0o644); err != nil {
		j.u.t.Fatal(err)
	}
}

// published waits until the output is there.
func (j *heldJob) published() {
	j.u.t.Helper()
	j.u.until("the output is published", func() bool {
		list, err := j.u.c.List(j.u.t.Context(), strings.TrimPrefix(j.out, "hdfs://"))
		return err == nil && len(list) > 0
	})
}

// ended checks that the job has ended well, with the right counts and nothing beside them.
func (j *heldJob) ended() result {
	u := j.u
	u.t.Helper()
	r := j.p.wait()
	if r.code != 0 {
		u.t.Fatalf("the job: %s", r)
	}
	u.same("result", u.lines(j.out), count(j.in))
	dir := strings.TrimPrefix(j.out, "hdfs://")
	if left, err := u.c.List(u.t.Context(), dir[:strings.LastIndexByte(dir, '/')]); err != nil || len(left) != 1 {
		u.t.Errorf("beside the output: %v, %v", left, err)
	}
	return r
}

func (u *user) signal(p devcluster.Proc, sig syscall.Signal) {
	u.t.Helper()
	if err := syscall.Kill(p.PID, sig); err != nil {
		u.t.Fatalf("signal %v to %v: %v", sig, p.Args, err)
	}
}

// the gives the one process that plays a role.
func (u *user) the(app, role string) devcluster.Proc {
	u.t.Helper()
	list := u.processes(app, role)
	if len(list) != 1 {
		u.t.Fatalf("%s: %v", role, list)
	}
	return list[0]
}

// YARN starts the JobManager again, which starts the job again under its id; who follows the job goes on doing so. Whether the
// workers of the lost attempt publish the output before its JobManager dies or while the next one waits for their end, it is
// published once and the job finishes.
func jobManagerRestarted(t *testing.T, u *user) {
	// The TaskManager does not fit beside the JobManager.
	app := u.session("-jm", "512", "-tm", "3712", "-s", "2", "-Dyarn.application-attempts=4")
	taken := []string{"YARN starts another one", "another JobManager has taken the job over"}
	for _, order := range []struct {
		name string
		kill func(j *heldJob)
		want []string
	}{
		{"not published", func(*heldJob) { u.kill9(u.the(app, "jobmanager")) }, taken},
		{"published, not heard of", func(j *heldJob) {
			master := u.the(app, "jobmanager")
			u.signal(master, syscall.SIGSTOP)
			j.release()
			j.published()
			u.kill9(master)
		}, taken},
		{"published while the next one waits", func(j *heldJob) {
			node, err := u.c.DaemonPID(regexp.MustCompile(`nodemanager-\d`).FindString(u.the(app, "taskmanager").Cwd))
			if err != nil {
				t.Fatal(err)
			}
			// It hears nothing of the end of its containers.
			u.signal(devcluster.Proc{PID: node}, syscall.SIGSTOP)
			defer u.signal(devcluster.Proc{PID: node}, syscall.SIGCONT)
			u.kill9(u.the(app, "jobmanager"))
			j.p.says("until it is certain that the workers of the attempt before have ended")
			j.release()
			j.published()
		}, append([]string{"until it is certain"}, taken...)},
	} {
		t.Run(order.name, func(t *testing.T) {
			u := *u
			u.t = t
			j := u.held(app, 2, strings.ReplaceAll(order.name, " ", "-"))
			old := u.c.Processes(app)
			order.kill(j)
			j.release()
			r := j.ended()
			for _, want := range order.want {
				if !strings.Contains(r.stderr, want) {
					t.Errorf("%q is not in %s", want, r)
				}
			}
			now := u.c.Processes(app)
			for _, p := range old {
				if slices.ContainsFunc(now, func(q devcluster.Proc) bool { return p.PID == q.PID }) {
					t.Errorf("%v of the attempt before still runs", p.Args)
				}
			}
		})
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

// A main whose JobManager is lost begins again: it gets the result of its job that has ended, and the output that the next one has
// published is that job's own.
func mainAgain(t *testing.T, u *user) {
	in, gate := text(200, 7)+"hold\n", filepath.Join(t.TempDir(), "open")
	u.mkdir("twice")
	p := u.start("", "weft", inAM.with("-d", "-Dyarn.application-attempts=2", testJob(t), "-mode", "twice-gate", "-gate", gate,
		"-input", u.put("in.txt", in), "-output", u.out("twice/out"))...)
	app := p.application()
	if r := p.wait(); r.code != 0 {
		t.Fatalf("%s", r)
	}
	j := &heldJob{&slowJob{u: u, app: app, p: p, out: u.out("twice/out-again")}, gate}
	u.until("the second job has read up to the line that holds it", func() bool {
		_, err := os.Stat(gate + ".held")
		return err == nil
	})
	first := u.the(app, "jobmanager")
	u.signal(first, syscall.SIGSTOP)
	j.release()
	j.published()
	u.kill9(first)
	u.endsAs(app, "SUCCEEDED", "2 jobs have finished")
	u.same("first", u.lines(u.out("twice/out")), count(in))
	u.same("second", u.lines(j.out), count(in))
	if left, err := u.c.List(t.Context(), u.hdfs+"/twice"); err != nil || len(left) != 2 {
		t.Errorf("beside the outputs: %v, %v", left, err)
	}
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
	// The restarted ResourceManager names the containers that it keeps for an attempt after this one.
	app := u.session("-jm", "512", "-tm", "512", "-s", "1", "-Dyarn.application-attempts=2")
	j := u.held(app, 2, "held")
	ctx, cancel := context.WithTimeout(t.Context(), outage)
	defer cancel()
	for _, daemon := range []string{"resourcemanager", "nodemanager-0"} {
		if err := u.c.KillDaemon(daemon); err != nil {
			t.Fatal(err)
		}
		if err := u.c.StartDaemon(ctx, daemon); err != nil {
			t.Fatal(err)
		}
	}
	j.release()
	if r := j.ended(); strings.Contains(r.stderr, "RESTARTING") {
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
	for _, want := range []string{"waits in queue root.narrow", "share for ApplicationMasters is in use", "YARN says: ", fmt.Sprint(5 * time.Second)} {
		if !strings.Contains(r.stderr, want) {
			t.Errorf("%q is not in %s", want, r)
		}
	}
	if r.code == 0 {
		t.Errorf("the second session of the queue: %s", r)
	}
}

// A container that the scheduler takes back for another queue is replaced when there is room again, and its job starts again.
func preempted(t *testing.T, u *user) {
	app := u.session("-qu", "narrow", "-jm", "512", "-tm", "3000", "-s", "1")
	j := u.held(app, 2, "preempted")
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("so far:\n%s\n%s", j.p.stdout, j.p.stderr)
		}
	})
	hog, err := u.c.Submit(t.Context(), devcluster.Command{Name: "hog", MemoryMB: 2048, Shell: "exec sleep 600"})
	if err != nil {
		t.Fatal(err)
	}
	u.until("a container is preempted", func() bool {
		return strings.Contains(j.p.stderr.String()+j.p.stdout.String(), "RESTARTING")
	})
	if err := u.c.KillApp(t.Context(), hog); err != nil {
		t.Fatal(err)
	}
	j.release()
	r := j.ended()
	if want := "was preempted: the scheduler gave its resources to another queue"; !strings.Contains(r.stderr, want) {
		t.Errorf("%q is not in %s", want, r)
	}
}

// Nodes that are being decommissioned let the job on them end and get no other TaskManager; those that have nothing to do go at
// once. When the nodes are taken back the session goes on.
func decommissioned(t *testing.T, u *user, exclude string) {
	app := u.session("-jm", "512", "-tm", "512", "-s", "1", "-Dresourcemanager.taskmanager-timeout=10min")
	j := u.held(app, 2, "drained")
	admin := func(hosts string, args ...string) {
		t.Helper()
		if err := os.WriteFile(exclude, []byte(hosts), 0o644); err != nil {
			t.Fatal(err)
		}
		if out, err := u.c.Java(t.Context(), "org.apache.hadoop.yarn.client.cli.RMAdminCLI", append([]string{"-refreshNodes"}, args...)...); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	state := func(want string) func() bool {
		return func() bool {
			nodes, err := u.c.Nodes(t.Context())
			return err == nil && !slices.ContainsFunc(nodes, func(n devcluster.Node) bool { return n.State != want })
		}
	}
	admin("localhost\n", "-g", "3600", "-server")
	u.until("the nodes are DECOMMISSIONING", state("DECOMMISSIONING"))
	j.release()
	if r := j.ended(); strings.Contains(r.stderr, "RESTARTING") {
		t.Errorf("the job was disturbed: %s", r)
	}
	u.until("idle TaskManagers have gone from the nodes", func() bool { return len(u.processes(app, "taskmanager")) == 0 })
	admin("")
	u.until("the nodes are RUNNING", state("RUNNING"))
	words := text(100, 3)
	u.ok("weft", "run", "-p", "2", u.example("wordcount"), "-input", u.put("again.txt", words), "-output", u.out("again"))
	u.same("a job after the nodes were taken back", u.lines(u.out("again")), count(words))
}
