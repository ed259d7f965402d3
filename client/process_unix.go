//go:build unix

package client

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// ownedByUs refuses a file that belongs to another user or that others may write.
func ownedByUs(f *os.File) error {
	st, err := f.Stat()
	if err != nil {
		return err
	}
	if sys, ok := st.Sys().(*syscall.Stat_t); ok && int(sys.Uid) != os.Getuid() {
		return fmt.Errorf("belongs to another user (uid %d)", sys.Uid)
	}
	if st.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("has mode %04o: others may write it", st.Mode().Perm())
	}
	return nil
}

// socketPair makes two connected sockets that child processes do not inherit by accident.
func socketPair() (ours, theirs *os.File, err error) {
	syscall.ForkLock.RLock()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fds[0])
		syscall.CloseOnExec(fds[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, fmt.Errorf("socket pair: %w", err)
	}
	// Non-blocking, so that closing it ends a read.
	if err := syscall.SetNonblock(fds[0], true); err != nil {
		return nil, nil, fmt.Errorf("socket pair: %w", err)
	}
	return os.NewFile(uintptr(fds[0]), "plan"), os.NewFile(uintptr(fds[1]), "plan"), nil
}

// detachFromTerminal keeps Ctrl-C away from the child: this process decides what becomes of it.
func detachFromTerminal(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// isBrokenPipe tells a write to a process that has ended.
func isBrokenPipe(err error) bool { return errors.Is(err, syscall.EPIPE) }

// lockFile takes the lock of an open file, or says that another process has it. It goes with the process.
func lockFile(f *os.File) error {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}
