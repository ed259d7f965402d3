package planproc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/weft-project/weft/internal/socketpair"
	"github.com/weft-project/weft/rpc/planpb"
	"github.com/weft-project/weft/rpc/wire"
)

// Error is what is wrong with a job, as its author can put right.
type Error struct{ text string }

// Error gives the sentence.
func (e *Error) Error() string { return e.text }

func wrong(format string, args ...any) error { return &Error{fmt.Sprintf(format, args...)} }

// drainLimit bounds reading what main said before its end.
const drainLimit = 2 * time.Second

// Options of Start.
type Options struct {
	// Path is the job's binary, Args its own arguments, untouched. Name is what the program is called; default Path.
	Path, Name string
	Args       []string
	// Dir is main's working directory; default this process's.
	Dir string
	// Env is the environment; variables that carry a role are replaced.
	Env []string
	// Config is what options and files say, for precedence conf < command line < program < operator. No secrets.
	Config map[string]string
	// Stdout and Stderr get main's output. Those that have a method Flush are flushed at its end.
	Stdout, Stderr io.Writer
	// Owned makes main die with this process and stay in its process group. Without it main is in a group of its own, out of
	// Ctrl-C's reach: this process decides what becomes of it.
	Owned bool
	// Said gives the end of what main wrote, for messages; "" when it wrote nothing.
	Said func() string
}

// Process is a job's main that makes job graphs.
type Process struct {
	o       Options
	cmd     *exec.Cmd
	sock    net.Conn
	graphs  chan *planpb.FromPlan
	readErr error
	exited  chan struct{}
	waitErr error
	// ended is closed by End: nobody takes what main says any more.
	ended   chan struct{}
	endOnce sync.Once
	// release lets go of the thread that main dies with.
	release func()
}

// Start starts a binary in the plan role.
func Start(o Options) (*Process, error) {
	ours, theirs, err := socketpair.New()
	if err != nil {
		return nil, fmt.Errorf("plan: %w", err)
	}
	defer theirs.Close()
	config, err := json.Marshal(o.Config)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("plan: %w", err), ours.Close())
	}
	p := &Process{o: o, sock: ours, graphs: make(chan *planpb.FromPlan), exited: make(chan struct{}), ended: make(chan struct{})}
	p.cmd = exec.Command(o.Path, o.Args...)
	p.cmd.Dir = o.Dir
	if o.Name != "" {
		p.cmd.Args[0] = o.Name
	}
	p.cmd.Stdout, p.cmd.Stderr = o.Stdout, o.Stderr
	p.cmd.ExtraFiles = []*os.File{theirs}
	p.cmd.Env = append(withoutRole(o.Env), planpb.EnvRole+"="+planpb.RolePlan, planpb.EnvFD+"=3", planpb.EnvConfig+"="+string(config))
	// What main leaves behind with its output open must not keep us.
	p.cmd.WaitDelay = time.Second
	if p.release, err = start(p.cmd, o.Owned); err != nil {
		return nil, errors.Join(wrong("start %s: %v", o.Path, err), ours.Close())
	}
	go p.read()
	go p.reap()
	return p, nil
}

// reap waits for main's end.
func (p *Process) reap() {
	// What main has left behind may go on; main itself has ended well.
	if p.waitErr = p.cmd.Wait(); errors.Is(p.waitErr, exec.ErrWaitDelay) {
		p.waitErr = nil
	}
	for _, w := range []io.Writer{p.o.Stdout, p.o.Stderr} {
		if f, ok := w.(interface{ Flush() }); ok {
			f.Flush()
		}
	}
	p.release()
	// What main has said before its end is still in the socket; a child of its own may hold the other end open.
	_ = p.sock.SetReadDeadline(time.Now().Add(drainLimit))
	close(p.exited)
}

// PID is main's process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// withoutRole removes what would confuse the job when this process itself runs inside one.
func withoutRole(env []string) []string {
	var out []string
	for _, e := range env {
		if !strings.HasPrefix(e, planpb.EnvRole) {
			out = append(out, e)
		}
	}
	return out
}

// read delivers what main says until it ends.
func (p *Process) read() {
	defer close(p.graphs)
	for {
		m := &planpb.FromPlan{}
		if err := wire.Read(p.sock, m); err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, os.ErrDeadlineExceeded) {
				p.readErr = err
			}
			return
		}
		select {
		case p.graphs <- m:
		case <-p.ended:
			return
		}
	}
}

// Next waits for the graph of the next Execute; nil when main has ended. limit bounds the wait, 0 does not.
func (p *Process) Next(ctx context.Context, limit time.Duration) (*planpb.JobGraph, error) {
	var timeout <-chan time.Time
	if limit > 0 {
		t := time.NewTimer(limit)
		defer t.Stop()
		timeout = t.C
	}
	select {
	case m, ok := <-p.graphs:
		if !ok {
			return nil, p.readErr
		}
		if e := m.GetError(); e != nil {
			at := ""
			if e.DeclaredAt != "" {
				at = " (" + e.DeclaredAt + ")"
			}
			return nil, wrong("the job cannot be planned: %s%s", e.Message, at)
		}
		if m.GetGraph() == nil {
			return nil, wrong("the job speaks a newer plan protocol than this weft binary")
		}
		return m.GetGraph(), nil
	case <-timeout:
		return nil, wrong("main has not called Execute within %v (client.plan.timeout)%s", limit, p.output())
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// Say answers main.
func (p *Process) Say(m *planpb.ToPlan) error {
	// Main may have ended meanwhile; that is found out by Next.
	if err := wire.Write(p.sock, m); err != nil && !errors.Is(err, net.ErrClosed) && !errors.Is(err, syscall.EPIPE) {
		return fmt.Errorf("answer the job's main: %w", err)
	}
	return nil
}

// Rest tells main that its job was submitted and that nobody waits for the result, and follows it to its end, which must be a good
// one without another call of Execute. limit bounds the wait.
func (p *Process) Rest(ctx context.Context, job string, limit time.Duration) error {
	if err := p.Say(&planpb.ToPlan{Kind: &planpb.ToPlan_Submitted{Submitted: &planpb.Submitted{JobId: job, Detached: true}}}); err != nil {
		return err
	}
	late := wrong("main has not ended within %v after Execute (client.plan.timeout)", limit)
	ctx, cancel := context.WithTimeoutCause(ctx, limit, late)
	defer cancel()
	g, err := p.Next(ctx, 0)
	if g != nil {
		return wrong("main calls Execute more than once, which nobody can follow here: use weft run, or run-application%s", p.output())
	}
	if err == nil {
		err = p.Wait(ctx)
	}
	var exit *exec.ExitError
	switch {
	case errors.Is(err, late):
		return wrong("%s%s", late, p.output())
	case errors.As(err, &exit):
		return wrong("main ended with an error after Execute (%v)%s", exit, p.output())
	}
	return err
}

// output is the end of what main wrote, for a message.
func (p *Process) output() string {
	if p.o.Said == nil {
		return ""
	}
	return p.o.Said()
}

// Wait waits for main's end and says how it ended.
func (p *Process) Wait(ctx context.Context) error {
	select {
	case <-p.exited:
		return p.waitErr
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// WithoutExecute explains a main that has ended and never called Execute (W5).
func (p *Process) WithoutExecute() error {
	var exit *exec.ExitError
	switch {
	case p.waitErr == nil:
		return wrong("main ended without calling Execute, so there is no job%s", p.output())
	case errors.As(p.waitErr, &exit):
		return wrong("main ended before it called Execute (%v)%s", exit, p.output())
	}
	return wrong("main ended before it called Execute (%v)%s", p.waitErr, p.output())
}

// End stops main if it still runs.
func (p *Process) End() {
	// Closed last: main would complain about the end of its socket.
	defer p.sock.Close()
	p.endOnce.Do(func() { close(p.ended) })
	select {
	case <-p.exited:
		return
	default:
	}
	_ = p.cmd.Process.Kill()
	<-p.exited
}
