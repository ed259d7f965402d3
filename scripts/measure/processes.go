package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// processes are the numbers of TaskManagers.
type processes []int

// managers finds the cluster's TaskManagers: by their configuration directory, which no other cluster has.
func (e *engine) managers(expected int) (processes, error) {
	mark := []byte("WEFT_CONF_DIR=" + filepath.Join(e.dir, "conf"))
	var found processes
	all, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return nil, err
	}
	for _, file := range all {
		// Processes come and go: one that can not be read is none of ours.
		line, _ := os.ReadFile(file)
		if !bytes.Contains(line, []byte("standalone-taskmanager")) {
			continue
		}
		environment, _ := os.ReadFile(filepath.Join(filepath.Dir(file), "environ"))
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil && bytes.Contains(environment, mark) {
			found = append(found, pid)
		}
	}
	if len(found) != expected {
		return nil, fmt.Errorf("%d TaskManagers run: expected %d; see %s", len(found), expected, filepath.Join(e.dir, "log"))
	}
	return found, nil
}

// tick is the kernel's unit of CPU time for programs, in seconds.
const tick = 0.01

// cpu is the CPU time in seconds, that of children which have ended included.
func (ps processes) cpu() float64 {
	sum := 0
	for _, pid := range ps {
		stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		_, rest, _ := strings.Cut(string(stat), ") ")
		if f := strings.Fields(rest); len(f) > 14 {
			for _, ticks := range f[11:15] {
				n, _ := strconv.Atoi(ticks)
				sum += n
			}
		}
	}
	return float64(sum) * tick
}

// childrenOf are the children of one process.
func childrenOf(pid int) (children []int) {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/[0-9]*/children", pid))
	for _, file := range files {
		list, _ := os.ReadFile(file)
		for _, text := range strings.Fields(string(list)) {
			if n, err := strconv.Atoi(text); err == nil {
				children = append(children, n)
			}
		}
	}
	return children
}

// children is how many they have together.
func (ps processes) children() int {
	n := 0
	for _, pid := range ps {
		n += len(childrenOf(pid))
	}
	return n
}

// resident is the memory of a process in MiB.
func resident(pid int) float64 {
	statm, _ := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if f := strings.Fields(string(statm)); len(f) > 1 {
		pages, _ := strconv.Atoi(f[1])
		return float64(pages*os.Getpagesize()) / (1 << 20)
	}
	return 0
}

// watch looks at the memory of each with its children until the result is called, which is the most that one had, in MiB.
func (ps processes) watch() func() float64 {
	done, result := make(chan struct{}), make(chan float64)
	go func() {
		var most float64
		for {
			for _, pid := range ps {
				sum := resident(pid)
				for _, child := range childrenOf(pid) {
					sum += resident(child)
				}
				most = max(most, sum)
			}
			select {
			case <-done:
				result <- most
				return
			case <-time.After(100 * time.Millisecond):
			}
		}
	}()
	return func() float64 {
		close(done)
		return <-result
	}
}
