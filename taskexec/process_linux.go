package taskexec

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// spawner starts processes from one thread that lives as long as it: a child asks to be killed when the thread that started it
// ends, which must not be earlier than the TaskManager.
type spawner struct {
	requests chan spawnRequest
}

type spawnRequest struct {
	cmd   *exec.Cmd
	reply chan error
}

func newSpawner() *spawner {
	s := &spawner{requests: make(chan spawnRequest)}
	go func() {
		runtime.LockOSThread()
		for r := range s.requests {
			r.reply <- start(r.cmd)
		}
	}()
	return s
}

func (s *spawner) close() { close(s.requests) }

// start starts a process that dies with this one (W6). It stays in the container's process group.
func (s *spawner) start(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	reply := make(chan error)
	s.requests <- spawnRequest{cmd, reply}
	return <-reply
}

// start tries again while the binary is busy: another process that was being started at the moment may still hold the file
// open for writing.
func start(cmd *exec.Cmd) error {
	for i := 0; ; i++ {
		c := *cmd
		err := c.Start()
		if err == nil {
			*cmd = c
			return nil
		}
		if i == 50 || !isBusy(err) {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// endLeftBehind ends the processes that have mark in their environment: those that a worker started and left behind. It gives
// their number.
func endLeftBehind(mark string) int {
	ended := 0
	for range leftBehindRounds {
		entries, err := os.ReadDir("/proc")
		if err != nil {
			return ended
		}
		found := 0
		for _, e := range entries {
			if pid, err := strconv.Atoi(e.Name()); err == nil && endMarked(pid, mark) {
				found++
			}
		}
		ended += found
		if found == 0 {
			break // none that could start others
		}
	}
	return ended
}

// leftBehindRounds bounds the chase after processes that start others meanwhile.
const leftBehindRounds = 10

// endMarked ends a process if its environment has mark. The descriptor makes sure that the process looked at is the one ended.
func endMarked(pid int, mark string) bool {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	env, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ") // of another user's process it can not be read
	if err != nil || !bytes.Contains(append([]byte{0}, append(env, 0)...), []byte("\x00"+mark+"\x00")) {
		return false
	}
	return unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0) == nil
}

// residentMemory is a process's resident memory in bytes; 0 when it is gone.
func residentMemory(pid int) int64 {
	if pid <= 0 {
		return 0
	}
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/statm")
	if err != nil {
		return 0
	}
	fields := bytes.Fields(b)
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}

// physicalMemory is the machine's, in bytes.
func physicalMemory() int64 {
	var info syscall.Sysinfo_t
	if err := syscall.Sysinfo(&info); err != nil {
		return 0
	}
	return int64(info.Totalram) * int64(info.Unit)
}
func isBusy(err error) bool { return errors.Is(err, syscall.ETXTBSY) }

// descendantsMemory adds up the resident memory, in bytes, of all processes that descend from each of roots, themselves left out.
func descendantsMemory(roots []int) map[int]int64 {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	parents := map[int]int{}
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			if parent := parentOf(pid); parent > 1 {
				parents[pid] = parent
			}
		}
	}
	sums := map[int]int64{}
	for pid := range parents {
		// A chain is not longer than there are processes, whatever /proc says while it changes.
		for at, steps := parents[pid], 0; at > 1 && steps < len(parents); at, steps = parents[at], steps+1 {
			if slices.Contains(roots, at) {
				sums[at] += residentMemory(pid)
				break
			}
		}
	}
	return sums
}

// parentOf gives the parent of a process; 0 when it is gone.
func parentOf(pid int) int {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0
	}
	// The name, in parentheses, may hold anything; state and parent follow it.
	fields := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	if len(fields) < 2 {
		return 0
	}
	parent, err := strconv.Atoi(string(fields[1]))
	if err != nil {
		return 0
	}
	return parent
}
