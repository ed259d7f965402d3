package stream

import (
	"context"
	"errors"
	"fmt"
	"path"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/graph"
	_ "github.com/weft-project/weft/internal/launch" // installs what Execute calls
	"github.com/weft-project/weft/internal/role"
	"github.com/weft-project/weft/rpc/planpb"
	"github.com/weft-project/weft/rpc/version"
)

// Version is the SDK's version.
const Version = version.SDK

// Mode says when results are emitted.
type Mode int

// The modes.
const (
	// Streaming emits every change; the default.
	Streaming Mode = iota
	// Batch emits final results only and wants bounded sources.
	Batch
	// Automatic is Batch when all sources are bounded, else Streaming.
	Automatic
)

// Env collects the operators of one job. It is used by one goroutine.
type Env struct {
	nodes          []*graph.Node
	errs           []error
	mode           Mode
	modeSet        bool
	parallelism    int
	maxParallelism int
	config         map[string]string
}

// New returns an empty environment.
func New() *Env { return &Env{config: map[string]string{}} }

// SetMode chooses when results are emitted; it wins over execution.runtime-mode.
func (e *Env) SetMode(m Mode) { e.mode, e.modeSet = m, true }

// SetParallelism sets the parallelism of operators that have none of their own; it wins over command line and
// configuration.
func (e *Env) SetParallelism(n int) {
	if n < 1 {
		e.fail("parallelism %d: expected 1 or more", n)
		return
	}
	e.parallelism = n
}

// SetMaxParallelism sets the number of key groups, the bound of later rescaling; it wins over pipeline.max-parallelism.
func (e *Env) SetMaxParallelism(n int) {
	if n < 1 || n > 1<<15 {
		e.fail("max parallelism %d: expected 1 to 32768", n)
		return
	}
	e.maxParallelism = n
}

// SetBufferTimeout bounds how long a record waits in a buffer that is not full. 0 sends every record at once, a negative
// time full buffers only.
func (e *Env) SetBufferTimeout(d time.Duration) {
	text := "-1"
	if d >= 0 {
		text = strconv.FormatInt(d.Nanoseconds(), 10) + " ns"
		if d%time.Millisecond == 0 {
			text = strconv.FormatInt(d.Milliseconds(), 10) + " ms"
		}
	}
	e.config[config.BufferTimeout.Key] = text
}

// Set sets a configuration key of this job, for example "pipeline.object-reuse" to "true".
func (e *Env) Set(key, value string) { e.config[key] = value }

// Result is how a job ended.
type Result struct {
	// JobID is 32 hex digits.
	JobID string
	// RunTime of the job, from submission to its end at the JobManager.
	RunTime time.Duration
	// Detached: the job was submitted and runs; there are no results.
	Detached     bool
	accumulators []*planpb.Accumulator
}

// Counter gives the total of a counter; 0 when no subtask used it.
func (r *Result) Counter(name string) int64 {
	for _, a := range r.accumulators {
		if a.Name == name {
			return a.LongValue
		}
	}
	return 0
}

// Accumulators gives all totals as text by name.
func (r *Result) Accumulators() map[string]string {
	out := map[string]string{}
	for _, a := range r.accumulators {
		out[a.Name] = a.Value
	}
	return out
}

// JobError is returned by Execute when the job ran and did not finish.
type JobError struct {
	Status  planpb.JobStatus
	Failure *planpb.Failure
}

// Error is the root cause in one sentence.
func (e *JobError) Error() string {
	status := strings.ToLower(e.Status.String())
	f := e.Failure
	if f == nil {
		return "the job was " + status
	}
	where := ""
	if f.Operator != "" {
		where = fmt.Sprintf(" in operator %q, subtask %d", f.Operator, f.Subtask+1)
	}
	if f.RecordTimeMs != nil {
		where += fmt.Sprintf(", at a record of %s", time.UnixMilli(*f.RecordTimeMs).UTC().Format(time.RFC3339Nano))
	}
	text := fmt.Sprintf("the job %s%s: %s", status, where, f.Message)
	if f.Stack != "" {
		text += "\n" + f.Stack
	}
	return text
}

// settings are those of the program; what it leaves open is said by the configuration from outside.
func (e *Env) settings(name string, outside map[string]string) (graph.Settings, error) {
	c := config.FromMap(outside)
	for k, v := range e.config {
		c.Set(config.Program, k, v, "")
	}
	if err := c.Check(); err != nil {
		return graph.Settings{}, err
	}
	s := graph.Settings{Name: name, Mode: planpb.RuntimeMode(e.mode), Parallelism: e.parallelism, MaxParallelism: e.maxParallelism,
		SDKVersion: Version, Config: c.Map(), NoChaining: !config.Get(c, config.OperatorChaining),
		Pipelined: config.Get(c, config.BatchShuffleMode) == "ALL_EXCHANGES_PIPELINED"}
	if s.Name == "" {
		s.Name = config.Get(c, config.JobName)
	}
	if !e.modeSet {
		s.Mode = planpb.RuntimeMode(planpb.RuntimeMode_value[config.Get(c, config.RuntimeMode)])
	}
	if s.Parallelism == 0 {
		s.Parallelism = config.Get(c, config.DefaultParallelism)
	}
	if s.MaxParallelism == 0 {
		s.MaxParallelism = max(0, config.Get(c, config.MaxParallelism)) // 0: the graph's own default
	}
	return s, nil
}

// Execute runs the job that the environment describes and waits for its end; a detached submission returns at once. In a
// worker it does not return (W1). The context bounds a local run. A job without a name gets that of pipeline.name.
func (e *Env) Execute(ctx context.Context, name string) (*Result, error) {
	launcher := role.LauncherOf(ctx)
	call, outside, err := launcher.Begin(ctx)
	if err != nil {
		return nil, err
	}
	s, err := e.settings(name, outside)
	if err = errors.Join(append(e.errs, err)...); err != nil {
		launcher.Reject(err)
		return nil, err
	}
	s.ExecuteCall = call
	s.Captured, s.Once = launcher.Recorded()
	program, err := graph.Compile(e.nodes, s)
	if err != nil {
		launcher.Reject(err)
		return nil, err
	}
	r, err := launcher.Launch(ctx, program)
	if err != nil {
		return nil, err
	}
	result := &Result{JobID: r.JobId, RunTime: time.Duration(r.RuntimeMs) * time.Millisecond, accumulators: r.Accumulators}
	switch r.Status {
	case planpb.JobStatus_FINISHED:
		return result, nil
	case planpb.JobStatus_CREATED, planpb.JobStatus_RUNNING, planpb.JobStatus_INITIALIZING:
		result.Detached = true
		return result, nil
	}
	return result, &JobError{r.Status, r.Failure}
}

// fail records a mistake in the graph with the author's file and line.
func (e *Env) fail(format string, args ...any) {
	e.errs = append(e.errs, fmt.Errorf("%s: %s", caller(), fmt.Sprintf(format, args...)))
}

// caller is file:line of the first frame outside this package.
func caller() string {
	pcs := make([]uintptr, 16)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs)])
	for {
		f, more := frames.Next()
		inside := strings.Contains(f.Function, "weft-project/weft/stream.") || strings.Contains(f.Function, "weft-project/weft/streamtest.")
		if !inside || strings.HasSuffix(f.File, "_test.go") {
			return path.Base(path.Dir(f.File)) + "/" + path.Base(f.File) + ":" + strconv.Itoa(f.Line)
		}
		if !more {
			return "?"
		}
	}
}
