package role

import (
	"context"
	"fmt"
	"os"
	"strconv"

	"github.com/weft-project/weft/operator"
	"github.com/weft-project/weft/rpc/planpb"
)

// Names of the environment variables that carry the role into a job binary.
const (
	EnvRole   = planpb.EnvRole
	EnvFD     = planpb.EnvFD
	EnvConfig = planpb.EnvConfig
)

// Role is what a job binary does in this process.
type Role string

// The roles.
const (
	Local  Role = ""
	Plan   Role = planpb.RolePlan
	Worker Role = "worker"
)

// Current reads the role of this process. fd is the inherited socket, or -1 in the local role.
func Current() (r Role, fd int, err error) {
	r = Role(os.Getenv(EnvRole))
	switch r {
	case Local:
		return r, -1, nil
	case Plan, Worker:
		fd, err = strconv.Atoi(os.Getenv(EnvFD))
		if err != nil || fd < 3 {
			return r, -1, fmt.Errorf("%s=%q: expected the number of an inherited socket, 3 or higher", EnvFD, os.Getenv(EnvFD))
		}
		return r, fd, nil
	}
	return r, -1, fmt.Errorf("%s=%q: expected nothing, \"plan\" or \"worker\"", EnvRole, string(r))
}

// Launcher plays the role of this process for one program. Launch is called by Execute; in a worker it does not
// return (W1).
type Launcher interface {
	// Begin starts an Execute call and gives its number, from 0, and the configuration by file and command line.
	Begin(ctx context.Context) (call int, config map[string]string, err error)
	// Reject tells whoever waits for a graph that building it failed.
	Reject(err error)
	// Recorded gives the captured values and the Once labels so far.
	Recorded() ([]*planpb.Captured, []string)
	// Launch runs program (local), hands its graph over (plan) or serves it (worker) and gives the job's result.
	Launch(ctx context.Context, program *operator.Program) (*planpb.JobResult, error)
	// Captured runs take in the plan and local roles and records the value; in a worker it gives the recorded one (W3).
	Captured(name string, take func() ([]byte, error)) ([]byte, error)
	// Once runs do in the plan and local roles only (W3).
	Once(name string, do func() error) error
}

var launcher Launcher

// SetLauncher installs the launcher; internal/launch calls it once, from init. It is the one process-wide value of the
// SDK: a process has one role.
func SetLauncher(l Launcher) { launcher = l }

// TheLauncher gives the installed launcher.
func TheLauncher() Launcher { return launcher }

// launcherKey is the context's key of a launcher.
type launcherKey struct{}

// WithLauncher gives a context under which Execute goes to l instead of the process's launcher: tests run their jobs by it,
// side by side.
func WithLauncher(ctx context.Context, l Launcher) context.Context {
	return context.WithValue(ctx, launcherKey{}, l)
}

// LauncherOf gives the launcher of a context, else that of the process.
func LauncherOf(ctx context.Context) Launcher {
	if l, ok := ctx.Value(launcherKey{}).(Launcher); ok {
		return l
	}
	return launcher
}

// NodeOf gives the node, a *graph.Node, of the operator whose main output a stream is. stream sets it; authors have no such way
// into the graph, test sources need one.
var NodeOf func(stream any) any
