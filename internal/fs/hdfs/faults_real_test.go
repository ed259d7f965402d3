//go:build realhadoop

package hdfs_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/weft-project/weft/internal/devcluster"
	"github.com/weft-project/weft/internal/fs"
	"github.com/weft-project/weft/internal/fs/fstest"
	"github.com/weft-project/weft/internal/fs/hdfs"
	"github.com/weft-project/weft/internal/hadoop/rpc"
)

const (
	// outage is how long stores wait for a NameNode that a test restarts: a slow machine takes minutes for it.
	outage = 5 * time.Minute
	// patience is how long a test waits for what must come.
	patience = 6 * time.Minute
)

// TestFaults stops parts of a cluster while files are open.
func TestFaults(t *testing.T) {
	c := devcluster.Private(t, devcluster.Options{})
	for _, part := range []struct {
		name string
		test func(*testing.T, *devcluster.Cluster)
	}{
		{"NameNodeRestarts", testNameNodeRestarts},
		{"NameNodeDown", testNameNodeDown},
		{"NameNodeSilent", testNameNodeSilent},
		{"SafeMode", testSafeMode},
		{"DataNodeDies", testDataNodeDies},
		{"DataNodeRestarts", testDataNodeRestarts},
		{"DataNodeSilent", testDataNodeSilent},
		{"StoreClosed", testStoreClosed},
		{"ErasureCoding", testErasureCoding},
	} {
		t.Run(part.name, func(t *testing.T) {
			t.Cleanup(func() { whole(t, c) })
			part.test(t, c)
		})
	}
}

// whole makes the cluster work again for the next part, however this one has ended.
func whole(t *testing.T, c *devcluster.Cluster) {
	for _, d := range []string{"namenode", "datanode-0"} {
		if _, err := c.DaemonPID(d); err == nil {
			continue
		}
		// The test's own context has ended.
		if err := c.StartDaemon(context.Background(), d); err != nil {
			t.Errorf("start %s again: %v", d, err)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func create(t *testing.T, store fs.FileSystem, name string) fs.Writer {
	t.Helper()
	w, err := store.Create(t.Context(), "/faults/"+name, fs.CreateOptions{Parents: true, BlockSize: 1 << 20})
	must(t, err)
	return w
}

func write(t *testing.T, w fs.Writer, data []byte) {
	t.Helper()
	_, err := w.Write(data)
	must(t, err)
}

func wants(t *testing.T, store fs.FileSystem, name string, data []byte) {
	t.Helper()
	r, err := store.Open(t.Context(), "/faults/"+name)
	must(t, err)
	got, err := io.ReadAll(r)
	must(t, err)
	must(t, r.Close())
	if !bytes.Equal(got, data) {
		t.Errorf("%s: %d bytes that differ from the %d written", name, len(got), len(data))
	}
}

// soon waits for a result that must come although something hangs.
func soon[T any](t *testing.T, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("%s: nothing after %v", what, patience)
		panic("not reached")
	}
}

func testNameNodeRestarts(t *testing.T, c *devcluster.Cluster) {
	told := make(chan string, 100)
	store := openStore(t, c, hdfs.Options{RetryMaxWait: outage, OnWait: func(text string) { told <- text }})
	data := fstest.Pattern(5 << 20)
	half := len(data)/2 + 11
	w := create(t, store, "f")
	write(t, w, data[:half])
	must(t, c.KillDaemon("namenode"))
	done := make(chan error, 1)
	go func() {
		// The next block needs the NameNode.
		_, err := w.Write(data[half:])
		done <- errors.Join(err, w.Close())
	}()
	text := soon(t, "OnWait", told)
	if !strings.Contains(text, c.NameNode()) {
		t.Errorf("OnWait was told %q: want the address %s", text, c.NameNode())
	}
	must(t, c.StartDaemon(t.Context(), "namenode"))
	if err := soon(t, "the writer", done); err != nil {
		t.Fatalf("writing through a restart: %v", err)
	}
	wants(t, store, "f", data)
	if len(told) > 0 {
		t.Errorf("OnWait was told more than once: %q", <-told)
	}
}

func testNameNodeDown(t *testing.T, c *devcluster.Cluster) {
	told := make(chan string, 100)
	store := openStore(t, c, hdfs.Options{RetryMaxWait: 2 * time.Second, OnWait: func(text string) { told <- text }})
	must(t, c.StopDaemon("namenode"))
	began := time.Now()
	_, err := store.Stat(t.Context(), "/")
	if !errors.Is(err, rpc.ErrConnect) || !strings.Contains(err.Error(), c.NameNode()) || strings.Contains(err.Error(), "\n") {
		t.Errorf("Stat while the NameNode is down: %v", err)
	}
	t.Logf("after %v: %v", time.Since(began).Round(time.Millisecond), err)
	if len(told) != 1 {
		t.Errorf("OnWait was told %d times, want once", len(told))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err = store.Open(ctx, "/faults/f"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Open with a deadline: %v", err)
	}
}

func testNameNodeSilent(t *testing.T, c *devcluster.Cluster) {
	store := openStore(t, c, hdfs.Options{RetryMaxWait: outage})
	w := create(t, store, "silent")
	write(t, w, []byte("x"))
	pid, err := c.DaemonPID("namenode")
	must(t, err)
	freeze(t, pid)
	defer func() { must(t, syscall.Kill(pid, syscall.SIGCONT)) }()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		_, err := store.Create(ctx, "/faults/other", fs.CreateOptions{})
		done <- err
	}()
	if err := soon(t, "Create", done); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Create on a silent NameNode: %v", err)
	}
	go func() { done <- w.Close() }()
	must(t, syscall.Kill(pid, syscall.SIGCONT))
	if err := soon(t, "Close", done); err != nil {
		t.Errorf("Close over a pause of the NameNode: %v", err)
	}
	wants(t, store, "silent", []byte("x"))
}

func testSafeMode(t *testing.T, c *devcluster.Cluster) {
	must(t, c.SafeMode(t.Context(), true))
	t.Cleanup(func() {
		if t.Failed() {
			must(t, c.SafeMode(context.Background(), false))
		}
	})
	hasty := openStore(t, c, hdfs.Options{RetryMaxWait: time.Second})
	_, err := hasty.Create(t.Context(), "/faults/safe", fs.CreateOptions{})
	if !errors.Is(err, fs.ErrSafeMode) || strings.Contains(err.Error(), "\n") {
		t.Errorf("Create in safe mode: %v", err)
	}
	t.Log(err)
	told := make(chan string, 10)
	store := openStore(t, c, hdfs.Options{RetryMaxWait: outage, OnWait: func(text string) { told <- text }})
	done := make(chan error, 1)
	go func() { done <- store.MkdirAll(t.Context(), "/faults/dir", 0o755) }()
	t.Log(soon(t, "OnWait", told))
	must(t, c.SafeMode(t.Context(), false))
	must(t, soon(t, "MkdirAll", done))
	if len(told) > 0 {
		t.Errorf("OnWait was told more than once: %q", <-told)
	}
}

func testDataNodeDies(t *testing.T, c *devcluster.Cluster) {
	store := openStore(t, c, hdfs.Options{RetryMaxWait: outage})
	before := runtime.NumGoroutine()
	w := create(t, store, "dies")
	write(t, w, fstest.Pattern(100_000))
	must(t, c.KillDaemon("datanode-0"))
	var err error
	for range 100 {
		if _, err = w.Write(fstest.Pattern(100_000)); err != nil {
			break
		}
	}
	if err == nil {
		t.Error("10 MB were written to a dead DataNode without an error")
	}
	t.Log(err)
	if err := w.Close(); err == nil {
		t.Error("Close after the DataNode died: no error")
	}
	if _, err := store.Stat(t.Context(), "/faults/dies"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Stat after a failed Close: %v, want the file gone", err)
	}
	// A writer that fails at its first connection.
	w = create(t, store, "dies")
	if _, err := w.Write([]byte("x")); err == nil {
		err = w.Close()
		if err == nil {
			t.Error("a file was written without a DataNode")
		}
	}
	must(t, w.Abort())
	waitGoroutines(t, before)
	must(t, c.StartDaemon(t.Context(), "datanode-0"))
	data := fstest.Pattern(2 << 20)
	w = create(t, store, "dies")
	write(t, w, data)
	must(t, w.Close())
	wants(t, store, "dies", data)
}

// waitGoroutines waits until not many more goroutines run than before; idle connections have a few.
func waitGoroutines(t *testing.T, before int) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for runtime.NumGoroutine() > before+5 {
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
		}
		runtime.Gosched()
	}
}

func testDataNodeRestarts(t *testing.T, c *devcluster.Cluster) {
	store := openStore(t, c, hdfs.Options{RetryMaxWait: outage})
	data := fstest.Pattern(8 << 20)
	w := create(t, store, "restarts")
	write(t, w, data)
	must(t, w.Close())
	r, err := store.Open(t.Context(), "/faults/restarts")
	must(t, err)
	got := make([]byte, len(data))
	_, err = io.ReadFull(r, got[:1000])
	must(t, err)
	must(t, c.KillDaemon("datanode-0"))
	must(t, c.StartDaemon(t.Context(), "datanode-0"))
	if _, err = io.ReadFull(r, got[1000:]); err != nil || !bytes.Equal(got, data) {
		t.Errorf("reading on after a restart of the DataNode: %v, equal %v", err, bytes.Equal(got, data))
	}
	must(t, r.Close())
}

// freeze stops a process and waits until none of its threads runs.
func freeze(t *testing.T, pid int) {
	t.Helper()
	must(t, syscall.Kill(pid, syscall.SIGSTOP))
	for deadline := time.Now().Add(patience); ; runtime.Gosched() {
		tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
		must(t, err)
		running := 0
		for _, name := range tasks {
			b, err := os.ReadFile(name)
			if err == nil && !strings.HasPrefix(string(b[bytes.LastIndexByte(b, ')')+1:]), " T") {
				running++
			}
		}
		if running == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d threads of process %d do not stop", running, pid)
		}
	}
}

func testDataNodeSilent(t *testing.T, c *devcluster.Cluster) {
	store := openStore(t, c, hdfs.Options{RetryMaxWait: outage})
	before := runtime.NumGoroutine()
	data := fstest.Pattern(8 << 20)
	w := create(t, store, "readable")
	write(t, w, data)
	must(t, w.Close())
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	w, err := store.Create(ctx, "/faults/stuck", fs.CreateOptions{})
	must(t, err)
	write(t, w, data)
	r, err := store.Open(ctx, "/faults/readable")
	must(t, err)
	pid, err := c.DaemonPID("datanode-0")
	must(t, err)
	freeze(t, pid)
	defer func() { must(t, syscall.Kill(pid, syscall.SIGCONT)) }()
	wrote, read := make(chan error, 1), make(chan error, 1)
	go func() { wrote <- w.Close() }()
	go func() {
		_, err := io.ReadAll(r)
		read <- err
	}()
	time.AfterFunc(300*time.Millisecond, cancel)
	if err := soon(t, "Close", wrote); !errors.Is(err, context.Canceled) {
		t.Errorf("Close on a silent DataNode: %v", err)
	}
	if err := soon(t, "Read", read); !errors.Is(err, context.Canceled) {
		t.Errorf("Read from a silent DataNode: %v", err)
	}
	must(t, r.Close())
	if _, err := store.Stat(t.Context(), "/faults/stuck"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Stat after a cancelled Close: %v, want the file gone", err)
	}
	// Abort ends a Close in progress.
	must(t, syscall.Kill(pid, syscall.SIGCONT))
	w = create(t, store, "stuck")
	write(t, w, data)
	freeze(t, pid)
	go func() { wrote <- w.Close() }()
	must(t, w.Abort())
	soon(t, "Close beside Abort", wrote)
	waitGoroutines(t, before)
}

func testStoreClosed(t *testing.T, c *devcluster.Cluster) {
	store := openStore(t, c, hdfs.Options{RetryMaxWait: outage})
	w := create(t, store, "unfinished")
	write(t, w, fstest.Pattern(300_000))
	done := create(t, store, "finished")
	must(t, done.Close())
	r, err := store.Open(t.Context(), "/faults/finished")
	must(t, err)
	must(t, store.Close())
	if _, err := w.Write([]byte("x")); err == nil {
		t.Error("Write after the store was closed: no error")
	}
	if err := w.Close(); err == nil {
		t.Error("Close after the store was closed: no error")
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		t.Error(err)
	}
	must(t, r.Close())
	if _, err := store.Stat(t.Context(), "/"); err == nil {
		t.Error("Stat on a closed store: no error")
	}
	again := openStore(t, c, hdfs.Options{})
	if _, err := again.Stat(t.Context(), "/faults/unfinished"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Stat of the unfinished file: %v, want it gone", err)
	}
	wants(t, again, "finished", nil)
}

func testErasureCoding(t *testing.T, c *devcluster.Cluster) {
	store := openStore(t, c, hdfs.Options{RetryMaxWait: outage})
	must(t, store.MkdirAll(t.Context(), "/faults/ec", 0o755))
	for _, args := range [][]string{{"-enablePolicy", "-policy", "XOR-2-1-1024k"}, {"-setPolicy", "-path", "/faults/ec", "-policy", "XOR-2-1-1024k"}} {
		if out, err := c.Java(t.Context(), "org.apache.hadoop.hdfs.tools.ECAdmin", args...); err != nil {
			t.Fatalf("ECAdmin %v: %v\n%s", args, err, out)
		}
	}
	for _, p := range []string{"/faults/ec/f", "/faults/ec/deeper/f"} {
		if _, err := store.Create(t.Context(), p, fs.CreateOptions{Parents: true}); !errors.Is(err, fs.ErrErasureCoded) {
			t.Errorf("Create of %s in an erasure-coded directory: %v", p, err)
		}
	}
}
