package worker

import (
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"github.com/weft-project/weft/eventtime"
	"github.com/weft-project/weft/internal/stacks"
	"github.com/weft-project/weft/operator"
	"github.com/weft-project/weft/rpc/planpb"
)

// errPanic marks a panic of the author's code.
var errPanic = errors.New("panic")

// panicError is a panic with the stack that the author wants to see.
type panicError struct {
	text  string
	stack string
	op    string
}

// Error is the panic's value.
func (p *panicError) Error() string { return "panic: " + p.text }

// Is makes it an errPanic.
func (p *panicError) Is(target error) bool { return target == errPanic }

// panicked turns what was recovered into an error.
func (t *task) panicked(p any) error {
	if err, ok := operator.Aborted(p); ok {
		return err
	}
	e := &panicError{text: fmt.Sprint(p), stack: stacks.Author(string(debug.Stack()))}
	if t.opctx != nil {
		e.op = t.opctx.OpName()
	}
	return e
}

// panickedIn is panicked for the code of an operator that runs in the coordinator task, in a goroutine of a request.
func (t *task) panickedIn(opID string, p any) error {
	err := t.panicked(p)
	var e *panicError
	if i := slices.Index(t.opctx.OpIDs, opID); i >= 0 && errors.As(err, &e) {
		e.op = t.opctx.Ops[i]
	}
	return err
}

// failure describes an error for the protocol.
func (t *task) failure(err error) *planpb.Failure {
	f := &planpb.Failure{Domain: operator.DomainOf(err), Message: err.Error(), Operator: t.vertex.GetName(), VertexId: t.vertex.GetId(),
		TaskName: t.vertex.GetName(), Subtask: int32(t.attempt.Subtask), Attempt: int32(t.attempt.Number),
		Host: t.r.cfg.Host, TaskmanagerId: t.r.cfg.TaskManager, TimestampMs: time.Now().UnixMilli()}
	if t.opctx != nil {
		f.Operator = t.opctx.OpName()
		if t.opctx.Op >= 0 && t.opctx.Time != eventtime.None {
			f.RecordTimeMs = &t.opctx.Time
		}
	}
	var returned *operator.Returned
	if errors.As(err, &returned) {
		f.Stack = returned.Stack()
	}
	var blamed *operator.Blamed
	if errors.As(err, &blamed) {
		f.Operator = blamed.Operator
		if blamed.Trace != "" {
			f.Stack = blamed.Trace
		}
	}
	var p *panicError
	if errors.As(err, &p) {
		f.Stack = p.stack
		if p.op != "" {
			f.Operator = p.op
		}
	}
	f.Retryable = f.Domain == planpb.FailureDomain_EXTERNAL
	return f
}
