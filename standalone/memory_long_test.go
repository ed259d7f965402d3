//go:build realhadoop && long

package standalone_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// mib is the resident memory of a process.
func mib(pid int) int {
	statm, _ := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if f := strings.Fields(string(statm)); len(f) > 1 {
		pages, _ := strconv.Atoi(f[1])
		return pages * os.Getpagesize() >> 20
	}
	return 0
}

// taskManager is the process of the site's only TaskManager.
func (s *site) taskManager() int {
	s.t.Helper()
	for _, exe := range s.processes() {
		dir := filepath.Dir(strings.Fields(exe)[0])
		if line, err := os.ReadFile(dir + "/cmdline"); err == nil && strings.Contains(string(line), "standalone-taskmanager") {
			pid, _ := strconv.Atoi(filepath.Base(dir))
			return pid
		}
	}
	s.t.Fatal("no TaskManager runs")
	return 0
}

// 1 GiB is dealt out by key and sorted, or summed, by a TaskManager of 512 MiB with its worker: together they keep to that, and do not grow
// towards the end. The job is a program of its own: the race detector, which this one may have, takes memory.
func TestGigabyteInHalfOfIt(t *testing.T) {
	const whole, spare = 512, 64
	bench := filepath.Join(t.TempDir(), "weft-bench")
	if text, err := exec.Command("go", "build", "-buildvcs=false", "-ldflags=-s -w", "-o", bench, "../bench/weft-bench").CombinedOutput(); err != nil {
		t.Fatalf("build weft-bench: %v: %s", err, text)
	}
	s := newSite(t, "localhost", "taskmanager.numberOfTaskSlots: 2", "io.tmp.dirs: "+t.TempDir())
	s.start()
	s.slots(s.client(), 2)
	manager := s.taskManager()
	for _, mode := range []string{"sorted", "summed"} {
		run, out := s.command(t.Context(), "weft", "run", "-p", "2", bench, "gather", "--mode", mode, "--parallelism", "2")
		if err := run.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- run.Wait() }()
		var held []int
		look := time.NewTicker(100 * time.Millisecond)
		var err error
		for running := true; running; {
			select {
			case err = <-ended:
				running = false
			case <-look.C:
				sum := mib(manager)
				for _, worker := range children(manager) {
					sum += mib(worker)
				}
				held = append(held, sum)
			}
		}
		look.Stop()
		if err != nil {
			t.Fatalf("%s: %v\n%s", mode, err, out)
		}
		// Each of 5,368,709 keys comes twice: the checksum is the sum of keys, each times two.
		if !regexp.MustCompile(`"out":5368709,"check":28823030957972`).MatchString(out.String()) {
			t.Errorf("%s: wrong result: %s", mode, out)
		}
		if len(held) < 12 {
			t.Fatalf("%s: looked %d times only", mode, len(held))
		}
		var series []int
		for i := range 12 {
			series = append(series, slices.Max(held[i*len(held)/12:(i+1)*len(held)/12]))
		}
		t.Logf("%s: %d looks; most MiB in each twelfth of the time: %v", mode, len(held), series)
		if most := slices.Max(held); most > whole || most < 100 {
			t.Errorf("%s: %d MiB at a time, expected at most %d, and more than 100", mode, most, whole)
		}
		if first, last := slices.Max(series[:8]), slices.Max(series[8:]); last > first+spare {
			t.Errorf("%s: %d MiB in the last third, %d before: memory grows", mode, last, first)
		}
	}
}

// children of a process.
func children(pid int) (pids []int) {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, f := range files {
		list, _ := os.ReadFile(f)
		for _, text := range strings.Fields(string(list)) {
			if n, err := strconv.Atoi(text); err == nil {
				pids = append(pids, n)
			}
		}
	}
	return pids
}
