package yarntest

import (
	"context"
	"fmt"
	"io/fs"
	"net/url"
	"time"

	"github.com/weft-project/weft/internal/hadoop/token"
	"github.com/weft-project/weft/yarnrpc"
)

// Names of the files in the ApplicationMaster's working directory.
const (
	programFile = "program"
	confFile    = "hadoop.xml"
)

// App is a do-nothing application to submit.
type App struct {
	Name string
	// Type is what lists show; empty takes "WEFT-IDLE".
	Type string
	// Queue, empty takes the default one.
	Queue string
	// Program is the executable, Conf the effective Hadoop configuration (Conf.WriteXML).
	Program, Conf yarnrpc.LocalResource
	// Args make the program call Main: what it must see before Main's own flags.
	Args []string
	// Environment is set for the program.
	Environment map[string]string
	// Flags are Main's.
	Flags []string
	// Credentials are handed to its containers; nil is none.
	Credentials *token.Credentials
	// AM is the size of its container; zero takes 128 MB, 1 vcore.
	AM yarnrpc.Resource
	// MaxAttempts is how often YARN starts it; 0 takes 1.
	MaxAttempts int
}

// LocalFile describes a file of this machine, for clusters that run on it.
func LocalFile(path string, info fs.FileInfo) yarnrpc.LocalResource {
	u := url.URL{Scheme: "file", Path: path}
	return yarnrpc.LocalResource{URL: u.String(), Size: info.Size(), Modified: info.ModTime(), Visibility: yarnrpc.VisibilityPrivate}
}

// Submit gets an id and submits the application.
func Submit(ctx context.Context, rm *yarnrpc.ClientRM, a App) (yarnrpc.ApplicationReport, error) {
	app, err := rm.NewApplication(ctx)
	if err != nil {
		return yarnrpc.ApplicationReport{}, err
	}
	if a.Type == "" {
		a.Type = "WEFT-IDLE"
	}
	if a.AM == (yarnrpc.Resource{}) {
		a.AM = yarnrpc.Resource{MemoryMB: 128, VCores: 1}
	}
	command := "exec ./" + programFile
	for _, arg := range append(append([]string{}, a.Args...), a.Flags...) {
		command += fmt.Sprintf(" '%s'", arg)
	}
	return rm.Submit(ctx, yarnrpc.Submission{
		ID: app.ID, Name: a.Name, Type: a.Type, Queue: a.Queue, MaxAttempts: max(1, a.MaxAttempts), AM: a.AM,
		Launch: yarnrpc.Launch{
			Files:       map[string]yarnrpc.LocalResource{programFile: a.Program, confFile: a.Conf},
			Environment: a.Environment,
			Credentials: a.Credentials,
			Commands:    []string{command + " 1><LOG_DIR>/stdout 2><LOG_DIR>/stderr"},
		},
	})
}

// Wait polls until the application's state satisfies ok, quickly: for measuring. A state from which there is no way on is
// an error unless ok takes it.
func Wait(ctx context.Context, rm *yarnrpc.ClientRM, id yarnrpc.ApplicationID, every time.Duration, ok func(yarnrpc.ApplicationReport) bool) (yarnrpc.ApplicationReport, error) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		r, err := rm.Report(ctx, id)
		switch {
		case err != nil:
			return r, err
		case ok(r):
			return r, nil
		case r.State.Ended():
			return r, fmt.Errorf("%s ended as %s (%s): %s", id, r.State, r.Final, r.Diagnostics)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return r, fmt.Errorf("%s is still %s: %w", id, r.State, context.Cause(ctx))
		}
	}
}
