package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"

	"github.com/weft-project/weft/internal/devcluster"
)

// runCommand starts a cluster, runs a command that finds it by HADOOP_CONF_DIR and WEFT_TEST_CLUSTER, and stops the
// cluster, also when the command fails or a signal comes.
func runCommand(ctx context.Context, s settings, command []string) (err error) {
	if len(command) == 0 {
		return fmt.Errorf("run: no command (see: devcluster --help)")
	}
	c, err := devcluster.Start(ctx, s.Options)
	if err != nil {
		return err
	}
	defer func() {
		if serr := c.Stop(); serr != nil {
			err = errors.Join(err, serr)
		}
		if err != nil && s.keep {
			fmt.Fprintf(os.Stderr, "the cluster's logs are in %s\n", c.LogDir())
		}
	}()
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	c.Prepare(cmd)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	err = cmd.Run()
	if kerr := devcluster.KillGroup(cmd); kerr != nil {
		err = errors.Join(err, kerr)
	}
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("interrupted: %w", ctx.Err())
	case errors.As(err, &exit):
		return exitCode(max(exit.ExitCode(), 1))
	default:
		return err
	}
}
