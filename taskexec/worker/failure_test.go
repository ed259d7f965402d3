package worker_test

import (
	"context"
	"strings"
	"testing"

	"github.com/weft-project/weft/operator"
	"github.com/weft-project/weft/rpc/planpb"
	"github.com/weft-project/weft/stream"
	"github.com/weft-project/weft/taskexec/worker"
)

// forgetful is a coordinator that fails when it is asked.
type forgetful struct{ done chan struct{} }

// Start is Coordinator's.
func (forgetful) Start(context.Context) error { return nil }

// Handle is Coordinator's.
func (forgetful) Handle(context.Context, int, []byte) ([]byte, error) {
	var splits []string
	return []byte(splits[len(splits)]), nil
}

// Done is Coordinator's.
func (f forgetful) Done() <-chan struct{} { return f.done }

// Close is Coordinator's.
func (forgetful) Close() error { return nil }

// A coordinator that panics while it serves a request fails the job, in its operator's name, and not the process.
func TestCoordinatorThatPanics(t *testing.T) {
	p := programOf(t, func(env *stream.Env) {
		src := stream.SplitSource[int64, int]{
			Plan: func(context.Context, int) ([]int, error) { return nil, nil },
			Open: func(context.Context, int, func()) (stream.SplitReader[int64], error) { return nil, nil },
		}
		stream.Discard(stream.FromSource(env, "numbers", src), "end")
	})
	for op := range p.Coordinators {
		p.Coordinators[op] = func(*operator.CoordinatorContext) (operator.Coordinator, error) {
			return forgetful{make(chan struct{})}, nil
		}
	}
	r, err := worker.RunLocal(t.Context(), p, localFiles(), logTo(t))
	if err != nil {
		t.Fatal(err)
	}
	f := r.GetFailure()
	if r.GetStatus() != planpb.JobStatus_FAILED || f.GetOperator() != "numbers" || f.GetTaskName() != "Coordinator" || f.GetDomain() != planpb.FailureDomain_USER {
		t.Errorf("%s: %v", r.GetStatus(), f)
	}
	if !strings.HasPrefix(f.GetMessage(), "panic: runtime error: index out of range") || !strings.Contains(f.GetStack(), "failure_test.go:") {
		t.Errorf("%s\n%s", f.GetMessage(), f.GetStack())
	}
}
