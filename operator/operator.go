package operator

import (
	"errors"
	"fmt"
	"reflect"
	"runtime"

	"github.com/weft-project/weft/codec"
	"github.com/weft-project/weft/internal/fs"
	"github.com/weft-project/weft/internal/stacks"
	"github.com/weft-project/weft/rpc/planpb"
)

// Operator is one running operator of a subtask. All calls come from the task's goroutine. Records do not pass here: they
// come through the typed inputs that its factory gave.
type Operator interface {
	// Open is called once, before any record, downstream operators first.
	Open() error
	// EndInput tells that no more records come; what is left is emitted now. Upstream operators first.
	EndInput() error
	// Close releases what Open took, also after a failure or cancellation; err is nil after a normal end.
	Close(err error) error
}

// Base is an Operator that does nothing at each step; operators embed it.
type Base struct{}

// Open is Operator's.
func (Base) Open() error { return nil }

// EndInput is Operator's.
func (Base) EndInput() error { return nil }

// Close is Operator's.
func (Base) Close(error) error { return nil }

// Source is an operator without inputs. The task asks it for records batch by batch.
type Source interface {
	Operator
	// Poll emits a batch of records, at most some thousand, and says how to go on.
	Poll() (Status, error)
	// Wake is ready when a source that was Idle may have records again.
	Wake() <-chan struct{}
}

// EventTime is an Operator that acts when event time advances.
type EventTime interface {
	// Advance is called with each new watermark, before it goes on to what follows. pass is false where the operator says
	// watermarks of its own; eventtime.Max goes on in any case.
	Advance(wm int64) (pass bool)
}

// IdleTaker is an Operator that wants to know when its input becomes idle or active; pass as in EventTime.
type IdleTaker interface {
	Idle(idle bool) (pass bool)
}

// Status is what a Source says after Poll.
type Status int

// The states of a source.
const (
	// More: ask again at once.
	More Status = iota
	// Idle: nothing now; ask again after Wake.
	Idle
	// End: there will never be more.
	End
)

// Instance is what a Factory builds: the operator and its typed inputs (Emit[In] of each).
type Instance struct {
	Operator Operator
	Inputs   []any
}

// Factory builds one instance; out is the Emit[Out] of what follows (nil for sinks) and op its index in Context.Ops.
type Factory func(c *Context, op int, out any) (Instance, error)

// Failure is a failure with its domain: what decides between restarting and failing, and what people are told.
type Failure struct {
	Domain planpb.FailureDomain
	Err    error
}

// Error is the cause's sentence.
func (f *Failure) Error() string { return f.Err.Error() }

// Unwrap gives the cause.
func (f *Failure) Unwrap() error { return f.Err }

// lasting are errors of file systems that another attempt meets again: names and permissions are the submitter's to mend.
var lasting = []error{fs.ErrNotExist, fs.ErrExist, fs.ErrPermission, fs.ErrNotEmpty, fs.ErrEncrypted, fs.ErrErasureCoded}

// External marks a failure of the world outside: worth another attempt, unless the error is one that will come again.
func External(err error) error {
	if err == nil {
		return nil
	}
	for _, e := range lasting {
		if errors.Is(err, e) {
			return User(err)
		}
	}
	var coder *codec.CoderError
	if errors.As(err, &coder) { // the bytes are those that the author's type wrote
		r := &Returned{err: err}
		if m, ok := coder.Type.MethodByName(coder.Method); ok {
			r.fn = m.Func
		}
		return User(r)
	}
	return &Failure{planpb.FailureDomain_EXTERNAL, err}
}

// User marks a failure of the author's code or data.
func User(err error) error {
	if err == nil {
		return nil
	}
	return &Failure{planpb.FailureDomain_USER, err}
}

// Returned is an error that a function of the author's has returned.
type Returned struct {
	err error
	fn  reflect.Value
}

// ReturnedBy marks an error as one that fn, a function of the author's, has returned; nil stays nil.
func ReturnedBy(fn any, err error) error {
	if err == nil || marked(err) {
		return err
	}
	return &Returned{err, reflect.ValueOf(fn)}
}

// ReturnedByMethod is ReturnedBy for a method of a value of the author's type.
func ReturnedByMethod(v any, method string, err error) error {
	if err == nil || marked(err) {
		return err
	}
	r := &Returned{err: err}
	if m, ok := reflect.TypeOf(v).MethodByName(method); ok {
		r.fn = m.Func
	}
	return r
}

// marked tells whether an error is a built-in operator's: authors cannot make a Failure.
func marked(err error) bool {
	var f *Failure
	return errors.As(err, &f)
}

// Error is the author's sentence.
func (r *Returned) Error() string { return r.err.Error() }

// Unwrap gives the author's error.
func (r *Returned) Unwrap() error { return r.err }

// Stack says where the function stands: an error that is returned has no stack of its own.
func (r *Returned) Stack() string {
	if r.fn.Kind() != reflect.Func || r.fn.IsNil() {
		return ""
	}
	f := runtime.FuncForPC(r.fn.Pointer())
	if f == nil {
		return ""
	}
	file, line := f.FileLine(f.Entry())
	return stacks.Frame(f.Name(), file, line)
}

// Blamed is an error of the code of an operator that runs beside the task's own goroutine.
type Blamed struct {
	// Operator is its name.
	Operator string
	// Trace has, for a panic, the author's lines.
	Trace string
	err   error
}

// Error is the cause's sentence.
func (b *Blamed) Error() string { return b.err.Error() }

// Unwrap gives the cause.
func (b *Blamed) Unwrap() error { return b.err }

// DomainOf gives the domain of an error; unmarked errors are the author's.
func DomainOf(err error) planpb.FailureDomain {
	var f *Failure
	if errors.As(err, &f) {
		return f.Domain
	}
	return planpb.FailureDomain_USER
}

// abort carries an error out of an Emit, which has no result: the task's loop recovers it.
type abort struct{ err error }

// Abort ends the task's current call with err. It is the way out of an Emit.
func Abort(err error) { panic(abort{err}) }

// Aborted recovers the error that Abort carried, or that of a copy by the author's codec; ok is false for any other panic.
func Aborted(recovered any) (error, bool) {
	if coder, ok := recovered.(*codec.CoderError); ok {
		return External(coder), true
	}
	a, ok := recovered.(abort)
	return a.err, ok
}

// wrongType is a bug in the graph translation: an edge joins two element types.
func wrongType(got any, want string) error {
	return &Failure{planpb.FailureDomain_INTERNAL, fmt.Errorf("operator is linked to a %T, expected %s", got, want)}
}

func emitOf[T any](out any) (Emit[T], error) {
	e, ok := out.(Emit[T])
	if !ok {
		return nil, wrongType(out, fmt.Sprintf("%T", Emit[T](nil)))
	}
	return e, nil
}
