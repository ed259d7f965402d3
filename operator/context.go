package operator

import (
	"context"
	"log/slog"
	"sort"
	"strconv"

	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/internal/fs"
	"github.com/weft-project/weft/internal/spill"
	"github.com/weft-project/weft/metrics"
	"github.com/weft-project/weft/rpc/planpb"
)

// Caller reaches the job's coordinator task: a request about one operator, and its answer.
type Caller func(ctx context.Context, operatorID string, payload []byte) ([]byte, error)

// Context is what the operators of one subtask share. It belongs to the task's goroutine.
type Context struct {
	// Ctx ends when the task is cancelled.
	Ctx context.Context
	// Attempt is this execution (F2); JobAttempt counts the restarts of the job.
	Attempt    id.Attempt
	JobAttempt int
	JobName    string
	// TaskName is the vertex's name.
	TaskName                    string
	Parallelism, MaxParallelism int
	// Files opens paths; Log is for the runtime's own lines.
	Files *fs.Registry
	Log   *slog.Logger
	// Call reaches the coordinator task.
	Call Caller
	// Config is the job's effective configuration.
	Config map[string]string
	// Batch: final results only.
	Batch bool
	// Memory is the budget in bytes for this subtask's tables; 0 means unknown.
	Memory int64
	// Managed is the memory in bytes that each operator may sort or aggregate in, in BATCH mode, before it writes to Spill.
	Managed int64
	Spill   *spill.Space
	// ObjectReuse: authors promise not to mutate what they have emitted.
	ObjectReuse bool

	// Time is the timestamp of the record under way, eventtime.None where it has none. Who sets it restores it.
	Time int64
	// Now is the processing time, read once a batch for operators that set WantsNow, so it stands still within one.
	Now      int64
	WantsNow bool
	// WatermarkInterval is how often watermarks are said, in milliseconds; 0 for never.
	WatermarkInterval int64
	// Clock is processing time; Post brings work to the task's goroutine.
	Clock Clock
	Post  func(f func())

	// Op is the operator whose code runs now, an index into Ops; kept so that a failure can name it.
	Op int
	// Ops are the names of the chained operators, OpIDs their ids.
	Ops, OpIDs []string

	// EmitLag is how many milliseconds after the time of its newest record a source's last batch was emitted.
	EmitLag int64

	accumulators map[string]*Accumulator
	metrics      map[int]*metrics.Registry
	chain        *Chain
	// halted: what was scheduled waits, in late.
	halted bool
	late   []func()
	// sides are the side outputs by operator and name: Emit[T] of each.
	sides map[int]map[string]any
}

// Forward hands a watermark on from operator op to what follows it; lower ones than before are dropped.
func (c *Context) Forward(op int, wm int64) { c.chain.forward(op, wm) }

// ForwardIdle hands the status of operator op on to what follows it.
func (c *Context) ForwardIdle(op int, idle bool) { c.chain.forwardIdle(op, idle) }

// Schedule calls f in the task's goroutine when processing time has come to at; stop takes it back, as far as it is not
// under way.
func (c *Context) Schedule(at int64, f func()) (stop func()) {
	run := func() {
		if c.halted {
			c.late = append(c.late, f)
			return
		}
		c.Now = max(c.Now, c.Clock.Now())
		f()
	}
	return c.Clock.At(at, func() { c.Post(run) })
}

// Halt has nothing more called that was scheduled: a savepoint was taken that the task ends with.
func (c *Context) Halt() { c.halted = true }

// Continue takes Halt back.
func (c *Context) Continue() {
	if !c.halted {
		return
	}
	late := c.late
	c.halted, c.late = false, nil
	for _, f := range late {
		c.Post(func() {
			c.Now = max(c.Now, c.Clock.Now())
			f()
		})
	}
}

// SideOutput gives the Emit[T] of a side output of operator op; where nobody reads it, records are dropped.
func SideOutput[T any](c *Context, op int, name string) (Emit[T], error) {
	out, ok := c.sides[op][name]
	if !ok {
		return func(*T) {}, nil
	}
	return emitOf[T](out)
}

// Subtask is the index of this subtask, from 0.
func (c *Context) Subtask() int { return c.Attempt.Subtask }

// OpName is the name of the operator whose code runs.
func (c *Context) OpName() string {
	if c.Op >= 0 && c.Op < len(c.Ops) {
		return c.Ops[c.Op]
	}
	return c.TaskName
}

// Accumulator is a named running total of one subtask; totals of all subtasks are merged when the job ends.
type Accumulator struct {
	kind  string
	Long  int64
	Float float64
}

// Counter gives the whole-number accumulator of that name, making it at first use.
func (c *Context) Counter(name string) *Accumulator { return c.accumulator(name, "LongCounter") }

// FloatCounter gives the floating-point accumulator of that name.
func (c *Context) FloatCounter(name string) *Accumulator { return c.accumulator(name, "DoubleCounter") }

func (c *Context) accumulator(name, kind string) *Accumulator {
	if c.accumulators == nil {
		c.accumulators = map[string]*Accumulator{}
	}
	a := c.accumulators[name]
	if a == nil {
		a = &Accumulator{kind: kind}
		c.accumulators[name] = a
	}
	return a
}

// Accumulators gives the totals of this subtask, sorted by name.
func (c *Context) Accumulators() []*planpb.Accumulator {
	var out []*planpb.Accumulator
	for name, a := range c.accumulators {
		p := &planpb.Accumulator{Name: name, Type: a.kind, LongValue: a.Long, DoubleValue: a.Float}
		if a.kind == "DoubleCounter" {
			p.Value = strconv.FormatFloat(a.Float, 'g', -1, 64)
		} else {
			p.Value = strconv.FormatInt(a.Long, 10)
		}
		out = append(out, p)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}
