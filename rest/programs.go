package rest

import (
	"context"

	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/rpc/controlpb"
)

// Programs is what a Backend may be besides: it runs the main of an uploaded program in a TaskManager's slot, where it makes its
// job graph.
type Programs interface {
	// PlanProgram gives the plan of what main hands over in its first Execute, in which main is ended.
	PlanProgram(ctx context.Context, request ProgramRequest) (Plan, error)
	// RunProgram submits that job, if main then ends well and calls Execute only once.
	RunProgram(ctx context.Context, request ProgramRequest) (id.Job, error)
}

// ProgramRequest says what to run.
type ProgramRequest struct {
	Job id.Job
	// Binary is the program, where TaskManagers can read it.
	Binary *controlpb.BlobRef
	Args   []string
	// Config holds what a command line would: it wins over the cluster's configuration.
	Config map[string]string
}

// Program is an uploaded program on this machine, for KeepProgram.
type Program struct {
	Path, Name string
	// SHA256 in lower-case hexadecimal, and size in bytes.
	SHA256 string
	Size   int64
}

// KeepProgram brings a program to where TaskManagers can read it, and says where. It is called before each use of a program: what
// is there already is kept.
type KeepProgram func(ctx context.Context, p Program) (*controlpb.BlobRef, error)
