package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/rest"
	"github.com/weft-project/weft/rpc/planpb"
)

// localEnd is how long a local run gets to end by itself after Ctrl-C.
const localEnd = 10 * time.Second

// RunHere runs a job in a process of its own on this machine, as if it were started by hand, with the configuration of weft.
func (c *Client) RunHere(ctx context.Context, run Run) error {
	if run.Detached {
		return usage("run -t local: the job lives as long as this command; without -d, please")
	}
	bins, err := c.prepareJobFor(ctx, run.Job, run.Class, clientPlatform(), false)
	if err != nil {
		return err
	}
	defer bins.close()
	values := rest.WithoutSecrets(c.Config.Map())
	if _, asked := c.Config.LayerMap(config.CommandLine)[config.RESTPort.Key]; !asked {
		// That of the file is a cluster's, and may be in use by it.
		delete(values, config.RESTPort.Key)
	}
	text, err := json.Marshal(values)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, bins.cluster, run.Args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = c.Stdin, c.Console.out, c.Console.err
	cmd.Env = append(os.Environ(), planpb.EnvConfig+"="+string(text))
	if dir := config.Get(c.Config, config.HadoopConfDir); dir != "" && c.Getenv("HADOOP_CONF_DIR") == "" {
		cmd.Env = append(cmd.Env, "HADOOP_CONF_DIR="+dir)
	}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = localEnd
	err = cmd.Run()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return &Failure{ExitInterrupted, errors.New("interrupted")}
	case errors.As(err, &exit):
		return &Failure{ExitFailed, fmt.Errorf("main of %s ended with an error (%w)", filepath.Base(bins.cluster), exit)}
	case err != nil:
		return usage("start %s: %w", bins.cluster, err)
	}
	return nil
}
