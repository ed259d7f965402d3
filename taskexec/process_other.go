//go:build unix && !linux

package taskexec

import (
	"net"
	"os"
	"os/exec"
	"syscall"
)

// spawner starts processes. Only Linux kills a child with its parent; elsewhere a worker ends because its socket does.
type spawner struct{}

func newSpawner() *spawner { return &spawner{} }

func (s *spawner) close() {}

func (s *spawner) start(cmd *exec.Cmd) error { return cmd.Start() }

// socketPair makes the connection to a worker.
func socketPair() (ours net.Conn, theirs *os.File, err error) {
	syscall.ForkLock.RLock()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fds[0])
		syscall.CloseOnExec(fds[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	f := os.NewFile(uintptr(fds[0]), "worker")
	defer f.Close()
	theirs = os.NewFile(uintptr(fds[1]), "taskmanager")
	if ours, err = net.FileConn(f); err != nil {
		_ = theirs.Close()
		return nil, nil, err
	}
	return ours, theirs, nil
}

// endLeftBehind does nothing here: the environment of a process can not be read.
func endLeftBehind(string) int { return 0 }

// residentMemory is not known here: memory is not watched.
func residentMemory(int) int64 { return 0 }

// physicalMemory is not known here.
func physicalMemory() int64 { return 0 }

// descendantsMemory is not known here.
func descendantsMemory([]int) map[int]int64 { return nil }
