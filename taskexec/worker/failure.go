package worker

import (
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

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
	e := &panicError{text: fmt.Sprint(p), stack: userStack(string(debug.Stack()))}
	if t.opctx != nil {
		e.op = t.opctx.OpName()
	}
	return e
}

// userStack keeps the frames of a stack from the panic up to the engine's first: those are the author's.
func userStack(stack string) string {
	lines := strings.Split(strings.TrimSpace(stack), "\n")
	start := 0
	for i, l := range lines {
		if strings.HasPrefix(l, "panic(") {
			start = i + 2
		}
	}
	var out []string
	for i := start; i+1 < len(lines); i += 2 {
		fn, at := lines[i], strings.TrimSpace(lines[i+1])
		if strings.HasPrefix(fn, "runtime.") && len(out) == 0 {
			continue // the runtime's own frames of an index or nil error
		}
		if isEngine(fn) {
			break
		}
		if cut := strings.LastIndex(at, " +0x"); cut > 0 {
			at = at[:cut]
		}
		if paren := strings.LastIndex(fn, "("); paren > 0 {
			fn = fn[:paren]
		}
		out = append(out, "\tat "+fn+" ("+at+")")
	}
	return strings.Join(out, "\n")
}

func isEngine(fn string) bool {
	const module = "github.com/weft-project/weft/"
	if !strings.HasPrefix(fn, module) {
		return false
	}
	rest := fn[len(module):]
	for _, p := range []string{"operator.", "operator/", "state.", "eventtime.", "stream.", "taskexec/", "connector/", "codec."} {
		if strings.HasPrefix(rest, p) {
			return true
		}
	}
	return false
}

// failure describes an error for the protocol.
func (t *task) failure(err error) *planpb.Failure {
	f := &planpb.Failure{Domain: operator.DomainOf(err), Message: err.Error(), Operator: t.vertex.GetName(), VertexId: t.vertex.GetId(),
		TaskName: t.vertex.GetName(), Subtask: int32(t.attempt.Subtask), Attempt: int32(t.attempt.Number),
		Host: t.r.cfg.Host, TaskmanagerId: t.r.cfg.TaskManager, TimestampMs: time.Now().UnixMilli()}
	if t.opctx != nil {
		f.Operator = t.opctx.OpName()
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
