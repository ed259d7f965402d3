//go:build realhadoop && long

package devcluster

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func deadline(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// self is a shell command that runs this test binary again.
func self(t *testing.T) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return "exec '" + exe + "'"
}

// A process that touches more memory than its container has is killed, and the diagnostics say why.
func TestPhysicalMemoryIsChecked(t *testing.T) {
	c := Shared(t)
	ctx := deadline(t, 90*time.Second)
	app := c.runMemory(t, ctx, Command{Name: "touch", MemoryMB: 128, Env: map[string]string{touchEnv: "400"}})
	if !strings.Contains(app.Diagnostics, "beyond the 'PHYSICAL' memory limit") {
		t.Errorf("diagnostics of a container that used 400 of 128 MiB: %s", app.Diagnostics)
	}
}

// In the profile with Hadoop's own checks a process that only maps memory is killed too; without it, it lives.
func TestVirtualMemoryIsCheckedInProfile(t *testing.T) {
	c := Private(t, Options{Profile: ProfileVMem, NodeManagers: 1})
	ctx := deadline(t, 90*time.Second)
	app := c.runMemory(t, ctx, Command{Name: "map", MemoryMB: 1024, Env: map[string]string{mapEnv: "3072"}})
	if !strings.Contains(app.Diagnostics, "beyond the 'VIRTUAL' memory limit") {
		t.Errorf("diagnostics of a container of 1 GiB that mapped 3 GiB: %s", app.Diagnostics)
	}
}

func (c *Cluster) runMemory(t *testing.T, ctx context.Context, cmd Command) App {
	t.Helper()
	cmd.Shell = self(t)
	id, err := c.Submit(ctx, cmd)
	if err != nil {
		t.Fatal(err)
	}
	app, err := c.WaitApp(ctx, id, "FINISHED", "FAILED", "KILLED")
	if err != nil {
		t.Fatal(err)
	}
	return app
}

// Processes of containers are found while they run, their logs before and after aggregation.
func TestContainersAndLogs(t *testing.T) {
	c := Shared(t)
	ctx := deadline(t, 90*time.Second)
	id, err := c.Submit(ctx, Command{Name: "talk", Shell: "echo said $CONTAINER_ID 1>'<LOG_DIR>/stdout'; while [ ! -e $PWD/../../../stop ]; do sleep 0.2; done"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.KillApp(context.WithoutCancel(ctx), id) })
	var procs []Proc
	err = waitFor(ctx, pollEvery, func() (bool, error) {
		procs = c.Processes(id)
		logs, err := c.ContainerLogs(id)
		return len(procs) > 0 && procs[0].Container != "" && len(logs) > 0 &&
			strings.Contains(logs[procs[0].Container+"/stdout"], "said "+procs[0].Container), ignoreMissing(err)
	})
	if err != nil {
		t.Fatalf("processes %+v: %v", procs, err)
	}
	if procs[0].Application != id || procs[0].RSS == 0 {
		t.Errorf("process %+v: expected application %s and a size", procs[0], id)
	}
	if err := c.KillApp(ctx, id); err != nil {
		t.Fatal(err)
	}
	if err := waitFor(ctx, pollEvery, func() (bool, error) { return len(c.Processes(id)) == 0, nil }); err != nil {
		t.Fatalf("processes of a killed application: %+v", c.Processes(id))
	}
	err = waitFor(ctx, time.Second, func() (bool, error) {
		local, err := c.localLogs(id)
		if err != nil || len(local) > 0 {
			return false, err
		}
		logs, err := c.aggregatedLogs(id)
		return strings.Contains(logs[procs[0].Container+"/stdout"], "said "+procs[0].Container), ignoreMissing(err)
	})
	if err != nil {
		t.Fatalf("aggregated logs: %v", err)
	}
}

// ignoreMissing drops the error of logs that are not there yet.
func ignoreMissing(err error) error {
	if err != nil && strings.Contains(err.Error(), "logs of") {
		return nil
	}
	return err
}

func TestHDFS(t *testing.T) {
	c := Shared(t)
	ctx := deadline(t, time.Minute)
	dir := fmt.Sprintf("/tmp/devcluster-test-%d", os.Getpid())
	t.Cleanup(func() { _ = c.Remove(context.WithoutCancel(ctx), dir) })
	if _, err := c.List(ctx, dir); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("list what is not there: %v", err)
	}
	want := strings.Repeat("word ", 1000)
	if err := c.WriteFile(ctx, dir+"/a b/ü", strings.NewReader(want)); err != nil {
		t.Fatal(err)
	}
	got, err := c.ReadFile(ctx, dir+"/a b/ü")
	if err != nil || string(got) != want {
		t.Fatalf("read back %d bytes, %v", len(got), err)
	}
	all, err := c.Walk(ctx, dir)
	if err != nil || len(all) != 2 || all[1].Length != int64(len(want)) {
		t.Fatalf("walk: %+v, %v", all, err)
	}
	if err := c.Mkdir(ctx, dir+"/alice", "700", "alice"); err != nil {
		t.Fatal(err)
	}
	if all, err = c.List(ctx, dir); err != nil || len(all) != 2 || all[1].Owner != "alice" || all[1].Permission != "700" {
		t.Fatalf("list: %+v, %v", all, err)
	}
}

// Daemons can be stopped, killed and started again; a second cluster runs beside, and nothing is left of either.
func TestDaemonsAndStop(t *testing.T) {
	shared := Shared(t)
	c := Private(t, Options{})
	ctx := deadline(t, 2*time.Minute)
	id, err := c.Submit(ctx, Command{Name: "sleep", Shell: "sleep 600"})
	if err != nil {
		t.Fatal(err)
	}
	if err := waitFor(ctx, pollEvery, func() (bool, error) { return len(c.Processes(id)) > 1, nil }); err != nil {
		t.Fatal(err)
	}
	if len(shared.Processes(id)) != 0 {
		t.Error("another cluster's process was found")
	}
	for _, d := range []string{"resourcemanager", "datanode-0", "nodemanager-1", "namenode"} {
		before, err := c.DaemonPID(d)
		if err != nil {
			t.Fatal(err)
		}
		if d == "datanode-0" {
			err = c.StopDaemon(d)
		} else {
			err = c.KillDaemon(d)
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.DaemonPID(d); err == nil {
			t.Fatalf("%s still runs", d)
		}
		if err := c.StartDaemon(ctx, d); err != nil {
			t.Fatal(err)
		}
		if after, err := c.DaemonPID(d); err != nil || after == before {
			t.Fatalf("%s: pid %d, then %d, %v", d, before, after, err)
		}
	}
	if err := c.StopDaemon("nodemanager-7"); err == nil || !strings.Contains(err.Error(), "nodemanager-1") {
		t.Errorf("unknown daemon: %v", err)
	}
	// The application was running in one NodeManager; recovery knows it still.
	if app, err := c.App(ctx, id); err != nil || app.State != "RUNNING" && app.State != "ACCEPTED" && app.State != "FAILED" {
		t.Errorf("application after the restart: %+v, %v", app, err)
	}
	if err := c.Stop(); err != nil {
		t.Fatal(err)
	}
	if left := daemonsBelow(c.Dir()); len(left) != 0 || len(c.Processes("")) != 0 {
		t.Errorf("left after Stop: %v %v", left, c.Processes(""))
	}
	if _, err := os.Stat(c.Dir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("directory after Stop: %v", err)
	}
}

// D2: a cluster dies with the process that started it, containers included, even when that is killed.
func TestClusterDiesWithItsOwner(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx := deadline(t, 2*time.Minute)
	owner := exec.CommandContext(ctx, exe)
	owner.Env = append(os.Environ(), ownerEnv+"=1")
	owner.Stderr = os.Stderr
	out, err := owner.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := owner.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the owner said nothing: %v", err)
	}
	c, err := Open(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Processes("")) == 0 {
		t.Error("the owner's application does not run")
	}
	if err := owner.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = owner.Wait()
	err = waitFor(ctx, pollEvery, func() (bool, error) {
		_, err := os.Stat(c.Dir())
		return errors.Is(err, fs.ErrNotExist) && len(daemonsBelow(c.Dir())) == 0 && len(c.Processes("")) == 0, nil
	})
	if err != nil {
		t.Errorf("left: %v %v", daemonsBelow(c.Dir()), c.Processes(""))
	}
}
