package devcluster

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// Variables by which a copy of the current program becomes a watchdog.
const (
	watchdogEnv     = "WEFT_DEVCLUSTER_WATCHDOG"           // directory of the cluster to guard
	watchdogTempEnv = "WEFT_DEVCLUSTER_WATCHDOG_TEMPORARY" // "1": remove the directory at the end
)

// keepFile in a cluster's directory tells the watchdog to leave the directory: a test that used it failed.
const keepFile = "keep"

// A test binary that is started as a watchdog must not run its tests; there is no earlier place than this to say so.
func init() {
	if dir := os.Getenv(watchdogEnv); dir != "" {
		os.Exit(guard(dir, os.Getenv(watchdogTempEnv) == "1"))
	}
}

// guard waits until the other end of standard input is closed, which the kernel does however its owner ends, and then
// ends the cluster.
func guard(dir string, temporary bool) int {
	_, _ = io.Copy(io.Discard, os.Stdin)
	if err := stopAll(dir, 0); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if !temporary {
		return 0
	}
	if _, err := os.Stat(filepath.Join(dir, keepFile)); errors.Is(err, os.ErrNotExist) {
		if err := os.RemoveAll(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return 0
}

type watchdog struct {
	cmd  *exec.Cmd
	pipe io.WriteCloser
}

// startWatchdog runs a copy of this program as guard of the cluster in dir (D2). It has a session of its own, so that a
// signal to the process group of the tests does not reach it.
func startWatchdog(dir string, temporary bool) (*watchdog, error) {
	out, err := os.OpenFile(filepath.Join(dir, "logs", "watchdog.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = []string{"weft-devcluster-watchdog"}
	cmd.Env = []string{watchdogEnv + "=" + dir}
	if temporary {
		cmd.Env = append(cmd.Env, watchdogTempEnv+"=1")
	}
	cmd.Dir = "/"
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the watchdog: %w", err)
	}
	return &watchdog{cmd, pipe}, nil
}

// close lets the watchdog end and waits for it.
func (w *watchdog) close() {
	w.pipe.Close()
	_ = w.cmd.Wait() // its log has what went wrong
}
