//go:build unix

package planproc

import (
	"errors"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// start starts cmd. One that is owned is killed when the thread that started it ends: that thread waits until release is
// called.
func start(cmd *exec.Cmd, owned bool) (release func(), err error) {
	if !owned {
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		return func() {}, startBusy(cmd)
	}
	cmd.SysProcAttr = dieWithParent()
	started, released := make(chan error), make(chan struct{})
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := startBusy(cmd)
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

// startBusy tries again while the binary is busy: another process that was being started at the moment may still hold the file open
// for writing.
func startBusy(cmd *exec.Cmd) error {
	for i := 0; ; i++ {
		c := *cmd
		err := c.Start()
		if err == nil {
			*cmd = c
			return nil
		}
		if i == busyTries || !errors.Is(err, syscall.ETXTBSY) {
			return err
		}
		time.Sleep(busyPause)
	}
}

const (
	busyTries = 50
	busyPause = 10 * time.Millisecond
)
