package devcluster

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// commandGrace is how long a command may take to end after it was asked to.
const commandGrace = 20 * time.Second

// Prepare makes a command find the cluster (Env, WEFT_TEST_CLUSTER) and gives it a process group of its own, which a
// cancelled context (the command must have been made by exec.CommandContext) asks to end by SIGTERM: "go test" alone would
// end and leave its test binaries behind. Who calls it also calls [KillGroup] after the command's Wait.
func (c *Cluster) Prepare(cmd *exec.Cmd) {
	if cmd.Env == nil {
		cmd.Env = os.Environ()
	}
	cmd.Env = append(append(cmd.Env, c.Env()...), TestClusterEnv+"="+c.Dir())
	OwnGroup(cmd)
}

// OwnGroup gives a command a process group of its own, as [Cluster.Prepare] does.
func OwnGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = commandGrace
}

// KillGroup kills what is left of an ended command's process group.
func KillGroup(cmd *exec.Cmd) error {
	if cmd.Process == nil {
		return nil
	}
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	return nil
}
