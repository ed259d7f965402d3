package devcluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// markKey marks a daemon's command line (D1): -Dweft.devcluster=DIR#NAME.
const markKey = "-Dweft.devcluster="

func markOf(dir, name string) string { return markKey + dir + "#" + name }

// daemonProc is a running daemon, found by its mark.
type daemonProc struct {
	pid       int
	dir, name string
}

// pids lists the processes of the machine.
func pids() []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var out []int
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			out = append(out, pid)
		}
	}
	sort.Ints(out)
	return out
}

// markedBy returns cluster and name of the daemon that pid is; a process that has ended but was not reaped has none.
func markedBy(pid int) (dir, name string, ok bool) {
	raw, err := os.ReadFile(procPath(pid, "cmdline"))
	if err != nil {
		return "", "", false
	}
	// The mark is the JVM's first argument, or the KDC's name for itself: it is not looked for elsewhere, where it may be
	// somebody's search pattern.
	args := bytes.SplitN(raw, []byte{0}, 3)
	if len(args) < 3 {
		return "", "", false
	}
	mark, ok := strings.CutPrefix(string(args[0]), markKey)
	if !ok {
		mark, ok = strings.CutPrefix(string(args[1]), markKey)
	}
	if !ok {
		return "", "", false
	}
	i := strings.LastIndexByte(mark, '#')
	if i < 0 {
		return "", "", false
	}
	return mark[:i], mark[i+1:], true
}

// daemonsBelow returns the running daemons of the cluster in dir, or all of the machine when dir is empty.
func daemonsBelow(dir string) []daemonProc {
	var out []daemonProc
	for _, pid := range pids() {
		if d, name, ok := markedBy(pid); ok && (dir == "" || d == dir) {
			out = append(out, daemonProc{pid, d, name})
		}
	}
	return out
}

// signal sends sig unless the process has ended or its id now belongs to another one: the handle is taken first (a pidfd,
// on Linux), then the mark is read again.
func (p daemonProc) signal(sig syscall.Signal) error {
	h, err := os.FindProcess(p.pid)
	if err != nil {
		return errGone
	}
	defer func() { _ = h.Release() }()
	if d, name, ok := markedBy(p.pid); !ok || d != p.dir || name != p.name {
		return errGone
	}
	if err := h.Signal(sig); err != nil {
		if errors.Is(err, os.ErrProcessDone) {
			return errGone
		}
		return fmt.Errorf("signal %s (pid %d): %w", p.name, p.pid, err)
	}
	return nil
}

func (p daemonProc) alive() bool {
	d, name, ok := markedBy(p.pid)
	return ok && d == p.dir && name == p.name
}

// end signals the daemon and waits for its end, with SIGKILL after the grace period.
func (p daemonProc) end(sig syscall.Signal) error {
	grace := stopGrace
	if sig == syscall.SIGKILL {
		grace = killTimeout
	}
	if err := p.signal(sig); err != nil {
		if errors.Is(err, errGone) {
			return nil
		}
		return err
	}
	if p.waitGone(grace) || sig == syscall.SIGKILL && !p.alive() {
		return nil
	}
	if err := p.signal(syscall.SIGKILL); err != nil && !errors.Is(err, errGone) {
		return err
	}
	if !p.waitGone(killTimeout) {
		return fmt.Errorf("%s (pid %d) does not end", p.name, p.pid)
	}
	return nil
}

func (p daemonProc) waitGone(d time.Duration) bool {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	return waitFor(ctx, pollEvery, func() (bool, error) { return !p.alive(), nil }) == nil
}

// stopAll ends every process of the cluster in dir (D1). Containers are killed all the while: a NodeManager that is asked
// to end would wait for them, and a ResourceManager start others.
func stopAll(dir string, grace time.Duration) error {
	sig := syscall.SIGTERM
	if grace == 0 {
		sig = syscall.SIGKILL
	}
	for _, p := range daemonsBelow(dir) {
		if err := p.signal(sig); err != nil && !errors.Is(err, errGone) {
			return err
		}
	}
	ended := func() (bool, error) {
		left := killContainers(dir)
		return left == 0 && len(daemonsBelow(dir)) == 0, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	err := waitFor(ctx, pollEvery, ended)
	cancel()
	if err == nil {
		return nil
	}
	for _, p := range daemonsBelow(dir) {
		if err := p.signal(syscall.SIGKILL); err != nil && !errors.Is(err, errGone) {
			return err
		}
	}
	ctx, cancel = context.WithTimeout(context.Background(), killTimeout)
	defer cancel()
	if waitFor(ctx, pollEvery, ended) != nil {
		return fmt.Errorf("devcluster: processes of %s do not end", dir)
	}
	return nil
}

// killContainers kills the cluster's container processes and returns how many there were.
func killContainers(dir string) int {
	n := 0
	for _, pid := range pids() {
		h, err := os.FindProcess(pid)
		if err != nil {
			continue
		}
		if inContainer(pid, dir) {
			_ = h.Kill() // one that has just ended is what was wanted
			n++
		}
		_ = h.Release()
	}
	return n
}

// inContainer reports whether pid runs in a container of the cluster in dir: its working directory, its executable or a
// path in its environment lies below a NodeManager's folders.
func inContainer(pid int, dir string) bool {
	if pid == os.Getpid() || ended(pid) {
		return false
	}
	if _, _, daemon := markedBy(pid); daemon {
		return false
	}
	below := filepath.Join(dir, string(kindNodeManager)+"-")
	for _, link := range []string{"cwd", "exe"} {
		if target, err := os.Readlink(procPath(pid, link)); err == nil && strings.HasPrefix(target, below) {
			return true
		}
	}
	env, err := os.ReadFile(procPath(pid, "environ"))
	if err != nil {
		return false
	}
	for kv := range bytes.SplitSeq(env, []byte{0}) {
		for _, key := range []string{"LOCAL_DIRS=", "LOG_DIRS="} {
			if strings.HasPrefix(string(kv), key+below) {
				return true
			}
		}
	}
	return false
}

// ended reports whether a process is a zombie or gone.
func ended(pid int) bool {
	raw, err := os.ReadFile(procPath(pid, "stat"))
	if err != nil {
		return true
	}
	// The command name, in parentheses, may contain anything; the state follows its last parenthesis.
	i := bytes.LastIndexByte(raw, ')')
	return i < 0 || i+2 >= len(raw) || raw[i+2] == 'Z' || raw[i+2] == 'X'
}

func procPath(pid int, file string) string {
	return filepath.Join("/proc", strconv.Itoa(pid), file)
}

// RunningCluster is a cluster of this machine, found by its daemons.
type RunningCluster struct {
	Dir     string
	Daemons []string
}

// Running returns the clusters that run on this machine, whoever started them.
func Running() []RunningCluster {
	var out []RunningCluster
	index := map[string]int{}
	for _, p := range daemonsBelow("") {
		i, ok := index[p.dir]
		if !ok {
			i = len(out)
			index[p.dir] = i
			out = append(out, RunningCluster{Dir: p.dir})
		}
		out[i].Daemons = append(out[i].Daemons, p.name)
	}
	return out
}
