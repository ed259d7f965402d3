package client

import (
	"context"
	"errors"
	"os"
	"strings"
	"time"

	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/internal/planproc"
	"github.com/weft-project/weft/rest"
	"github.com/weft-project/weft/rpc/planpb"
)

// planProcess is the job's main, running on this machine to make the job graph.
type planProcess struct{ *planproc.Process }

// startPlan starts the binary in the plan role with the job's own arguments, untouched.
func (c *Client) startPlan(path string, args []string) (*planProcess, error) {
	// The tail keeps the end of main's output for messages.
	end := &planproc.Tail{}
	said := func() string {
		switch t := end.String(); {
		case t == "":
			return "; it wrote nothing"
		case c.Console.shows:
			return "; its output is above"
		default:
			return "; its output:\n" + indent(t)
		}
	}
	p, err := planproc.Start(planproc.Options{
		Path: path, Args: args, Env: os.Environ(), Config: rest.WithoutSecrets(c.Config.Map()), Said: said,
		Stdout: &passThrough{console: c.Console, tail: end}, Stderr: &passThrough{console: c.Console, stderr: true, tail: end},
	})
	if err != nil {
		return nil, ofJob(err)
	}
	return &planProcess{p}, nil
}

// ofJob gives what is wrong with the job the exit code of wrong usage.
func ofJob(err error) error {
	if errors.As(err, new(*planproc.Error)) {
		return &Failure{ExitUsage, err}
	}
	return err
}

// next is planproc's.
func (p *planProcess) next(ctx context.Context, limit time.Duration) (*planpb.JobGraph, error) {
	g, err := p.Next(ctx, limit)
	return g, ofJob(err)
}

// withoutExecute is planproc's.
func (p *planProcess) withoutExecute() error { return ofJob(p.WithoutExecute()) }

func indent(s string) string { return "  " + strings.ReplaceAll(s, "\n", "\n  ") }

// jobConfig is what travels with a job: the command line and what the session was not started with. Secrets stay here.
func (c *Client) jobConfig() map[string]string {
	return rest.WithoutSecrets(c.Config.LayerMap(config.CommandLine))
}
