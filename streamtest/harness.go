package streamtest

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
	"sync"
	"testing"
	"time"

	"github.com/weft-project/weft/eventtime"
	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/internal/fs"
	"github.com/weft-project/weft/internal/fs/local"
	"github.com/weft-project/weft/internal/role"
	"github.com/weft-project/weft/internal/stacks"
	"github.com/weft-project/weft/operator"
	"github.com/weft-project/weft/rpc/planpb"
	"github.com/weft-project/weft/stream"
)

// Harness runs the operators of a graph in the test's goroutine. Build the graph in Env, from Inputs to Collect, then Open it.
// Parallelism is 1 unless Env says otherwise. Its methods, and those of its inputs, end the test when the author's code fails.
type Harness struct {
	// Env is where the graph is built.
	Env *stream.Env
	// Clock is processing time; it begins at the epoch. Set it before Open for another beginning.
	Clock *Clock

	t       testing.TB
	watch   bool
	opened  bool
	ended   bool
	trying  int
	program *operator.Program
	tasks   map[string][]*subtask
	// order is that of the data, sources first.
	order   []*planpb.JobVertex
	running *subtask
}

// subtask is a chain of operators that runs in the harness.
type subtask struct {
	h      *Harness
	vertex *planpb.JobVertex
	ctx    *operator.Context
	chain  *operator.Chain
	mail   *operator.Mailbox
	// valve makes one watermark of those of all channels; open is how many channels have not ended. Sources have none.
	valve *eventtime.Valve
	next  int
	open  int
	outs  []*edge
	ended bool
}

// NewHarness gives a harness without operators.
func NewHarness(t testing.TB, options ...Option) *Harness {
	s := settingsOf(options)
	h := &Harness{Env: stream.New(), Clock: s.clock, t: t, watch: !s.mutation, tasks: map[string][]*subtask{}}
	if h.Clock == nil {
		h.Clock = NewClock(time.UnixMilli(0))
	}
	h.Env.SetParallelism(max(1, s.parallelism))
	return h
}

// Open builds the graph and opens the operators.
func (h *Harness) Open() {
	h.t.Helper()
	h.OpenFrom(nil)
}

// OpenFrom is Open with the state of a snapshot; the parallelism may be another one. Operators are found again by their UID, or
// by place and name.
func (h *Harness) OpenFrom(s *Snapshot) {
	h.t.Helper()
	if h.opened {
		h.t.Fatal("streamtest: the harness was opened already")
	}
	h.opened = true
	taker := &taker{}
	if _, err := h.Env.Execute(role.WithLauncher(h.t.Context(), taker), h.t.Name()); err != nil {
		h.t.Fatalf("streamtest: the graph was refused: %v", err)
	}
	h.program = taker.program
	if h.watch {
		watchProgram(h.program)
	}
	if err := h.link(); err != nil {
		h.t.Fatalf("streamtest: %v", err)
	}
	h.t.Cleanup(h.close)
	h.Clock.after = h.runMail
	h.do(func() error {
		for i := len(h.order) - 1; i >= 0; i-- {
			for _, task := range h.tasks[h.order[i].GetId()] {
				if err := h.call(task, task.chain.Open); err != nil {
					return err
				}
			}
		}
		return s.restore(h)
	})
}

// Advance moves the clock on by d. Timers fire one after the other, each at its time.
func (h *Harness) Advance(d time.Duration) {
	h.t.Helper()
	h.do(func() error { h.Clock.Advance(d); return nil })
}

// Watermark lets event time advance at all inputs.
func (h *Harness) Watermark(ms int64) {
	h.t.Helper()
	h.do(func() error { return h.sources(func(task *subtask) error { task.chain.Watermark(ms); return nil }) })
}

// End ends all inputs: what operators have kept for the end comes out.
func (h *Harness) End() {
	h.t.Helper()
	h.do(func() error { return h.sources((*subtask).end) })
}

// Try does something that may fail, and gives the failure of the author's code instead of ending the test; nil for none. After a
// failure the harness can not be used any more.
func (h *Harness) Try(f func()) (err error) {
	h.trying++
	defer func() {
		h.trying--
		if p := recover(); p != nil {
			failed, ok := p.(tried)
			if !ok {
				// Not a failure of the harness: the test's own.
				panic(p)
			}
			err = failed.err
		}
	}()
	f()
	return nil
}

// tried carries a failure to Try.
type tried struct{ err error }

// sources calls f for the inputs that have not ended.
func (h *Harness) sources(f func(task *subtask) error) error {
	for _, v := range h.order {
		for _, task := range h.tasks[v.GetId()] {
			if task.chain.Source == nil || task.ended {
				continue
			}
			task.ctx.Time = eventtime.None
			if err := h.call(task, func() error { return f(task) }); err != nil {
				return err
			}
		}
	}
	return nil
}

// do runs a step and what it has posted.
func (h *Harness) do(step func() error) {
	h.t.Helper()
	if !h.opened {
		h.t.Fatal("streamtest: Open the harness first")
	}
	if h.ended {
		h.t.Fatal("streamtest: the harness has failed or was closed")
	}
	err := h.guarded(step)
	if err == nil {
		return
	}
	h.ended = true
	if h.trying > 0 {
		// Try recovers it.
		panic(tried{err})
	}
	h.t.Fatalf("streamtest: %v", err)
}

// guarded turns a panic of the author's code into an error that says where.
func (h *Harness) guarded(step func() error) (err error) {
	h.running = nil
	defer func() {
		if p := recover(); p != nil {
			aborted, ok := operator.Aborted(p)
			if !ok {
				aborted = fmt.Errorf("panic: %v\n%s", p, stacks.Author(string(debug.Stack())))
			}
			err = aborted
		}
		if err != nil && h.running != nil {
			err = h.running.failure(err)
		}
	}()
	if err := step(); err != nil {
		return err
	}
	h.runMail()
	return nil
}

// failure says where something failed.
func (s *subtask) failure(err error) error {
	at := ""
	if s.ctx.Time != eventtime.None {
		at = fmt.Sprintf(", record of %s", stamp(s.ctx.Time))
	}
	var stack string
	if r, ok := err.(*operator.Returned); ok {
		stack = "\n" + r.Stack()
	}
	return fmt.Errorf("operator %q, subtask %d%s: %w%s", s.ctx.OpName(), s.ctx.Subtask()+1, at, err, stack)
}

// stamp writes a time in milliseconds.
func stamp(ms int64) string {
	switch ms {
	case eventtime.None:
		return "no time"
	case eventtime.Max:
		return "the end"
	}
	return fmt.Sprintf("%d (%s)", ms, time.UnixMilli(ms).UTC().Format(time.RFC3339Nano))
}

// call runs f as the code of a subtask. After a failure running stays, so that the failure names the subtask.
func (h *Harness) call(s *subtask, f func() error) error {
	before := h.running
	h.running = s
	s.ctx.Now = max(s.ctx.Now, h.Clock.millis())
	if err := f(); err != nil {
		return err
	}
	h.running = before
	return nil
}

// runMail does what is posted to the subtasks until nothing is left.
func (h *Harness) runMail() {
	for again := true; again; {
		again = false
		for _, v := range h.order {
			for _, s := range h.tasks[v.GetId()] {
				select {
				case <-s.mail.Ready():
					again = true
					_ = h.call(s, func() error { s.mail.RunAll(); return nil }) // f gives no error
				default:
				}
			}
		}
	}
}

// end is the end of a subtask's input.
func (s *subtask) end() error {
	if s.ended {
		return nil
	}
	s.ended = true
	s.chain.Watermark(eventtime.Max)
	if err := s.chain.EndInput(); err != nil {
		return err
	}
	for _, e := range s.outs {
		if err := e.End(); err != nil {
			return err
		}
	}
	return nil
}

// event takes what a channel's watermark or status has changed.
func (s *subtask) event(advanced, changed bool) {
	if advanced {
		s.ctx.Time = eventtime.None
		s.chain.Watermark(s.valve.Last())
	}
	if changed {
		s.chain.Idle(s.valve.Idle())
	}
}

func (h *Harness) close() {
	h.ended = true
	for _, v := range h.order {
		for _, s := range h.tasks[v.GetId()] {
			if err := s.chain.Close(nil); err != nil {
				h.t.Errorf("streamtest: closing operator %q: %v", s.ctx.OpName(), err)
			}
		}
	}
}

// newSubtask makes a subtask that is not linked.
func (h *Harness) newSubtask(v *planpb.JobVertex, i int, files *fs.Registry) *subtask {
	s := &subtask{h: h, vertex: v, mail: operator.NewMailbox()}
	vertex, _ := id.ParseVertex(v.GetId()) // the compiler has written it
	g := h.program.Graph
	s.ctx = &operator.Context{
		Ctx: h.t.Context(), Attempt: id.Attempt{Vertex: vertex, Subtask: i}, JobName: g.GetName(), TaskName: v.GetName(),
		Parallelism: int(v.GetParallelism()), MaxParallelism: int(v.GetMaxParallelism()), Files: files,
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Config: g.GetConfig(), Batch: g.GetMode() == planpb.RuntimeMode_BATCH,
		Op: -1, WatermarkInterval: 200, Clock: ticker{h.Clock}, Post: s.mail.Post,
		Call: func(context.Context, string, []byte) ([]byte, error) {
			return nil, fmt.Errorf("operator %q needs a coordinator, and a harness has none: use Run for whole jobs", s.ctx.OpName())
		},
	}
	return s
}

func localFiles() *fs.Registry {
	files := fs.NewRegistry()
	files.Register("file", local.Factory)
	return files
}

// taker is a launcher that keeps the program instead of running it.
type taker struct {
	recorder
	program *operator.Program
}

// Launch is Launcher's.
func (l *taker) Launch(_ context.Context, p *operator.Program) (*planpb.JobResult, error) {
	l.program = p
	return &planpb.JobResult{Status: planpb.JobStatus_FINISHED}, nil
}

// recorder is a launcher's part that has to do with main.
type recorder struct {
	mu       sync.Mutex
	calls    int
	settings map[string]string
}

// Begin is Launcher's.
func (r *recorder) Begin(context.Context) (int, map[string]string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls++
	return r.calls - 1, r.settings, nil
}

// Reject is Launcher's: Execute's caller has the error.
func (*recorder) Reject(error) {}

// Recorded is Launcher's.
func (*recorder) Recorded() ([]*planpb.Captured, []string) { return nil, nil }

// Captured is Launcher's.
func (*recorder) Captured(_ string, take func() ([]byte, error)) ([]byte, error) { return take() }

// Once is Launcher's.
func (*recorder) Once(_ string, do func() error) error { return do() }
