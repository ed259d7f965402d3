//go:build unix

package planproc

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

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

// start starts cmd. One that is owned is killed when the thread that started it ends: that thread waits until release is
// called.
func start(cmd *exec.Cmd, owned bool) (release func(), err error) {
	if !owned {
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		return func() {}, cmd.Start()
	}
	cmd.SysProcAttr = dieWithParent()
	started, released := make(chan error), make(chan struct{})
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			<-released
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return func() { close(released) }, nil
}
