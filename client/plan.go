package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/internal/role"
	"github.com/weft-project/weft/rest"
	"github.com/weft-project/weft/rpc/planpb"
	"github.com/weft-project/weft/rpc/wire"
)

// planProcess is the job's main, running on this machine to make the job graph.
type planProcess struct {
	cmd  *exec.Cmd
	sock *os.File
	// out and err forward main's output; tail keeps its end for messages.
	out, err *passThrough
	tail     *tail
	graphs   chan *planpb.FromPlan
	readErr  error
	exited   chan struct{}
	waitErr  error
}

// startPlan starts the binary in the plan role with the job's own arguments, untouched.
func (c *Client) startPlan(path string, args []string) (*planProcess, error) {
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, fmt.Errorf("plan: %w", err)
	}
	defer theirs.Close()
	p := &planProcess{sock: ours, tail: &tail{}, graphs: make(chan *planpb.FromPlan), exited: make(chan struct{})}
	p.out = &passThrough{console: c.Console, tail: p.tail}
	p.err = &passThrough{console: c.Console, stderr: true, tail: p.tail}
	p.cmd = exec.Command(path, args...)
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.err
	p.cmd.ExtraFiles = []*os.File{theirs}
	p.cmd.Env = append(withoutRole(os.Environ()), role.EnvRole+"="+string(role.Plan), role.EnvFD+"=3",
		role.EnvConfig+"="+encodeConfig(c.Config))
	detachFromTerminal(p.cmd)
	// What main leaves behind with its output open must not keep us.
	p.cmd.WaitDelay = time.Second
	if err := p.cmd.Start(); err != nil {
		ours.Close()
		return nil, usage("start %s: %w", path, err)
	}
	go p.read()
	go func() {
		// What main has left behind may go on; main itself has ended well.
		if p.waitErr = p.cmd.Wait(); errors.Is(p.waitErr, exec.ErrWaitDelay) {
			p.waitErr = nil
		}
		p.out.flush()
		p.err.flush()
		close(p.exited)
	}()
	return p, nil
}

// withoutRole removes what would confuse the job when weft itself runs inside one.
func withoutRole(env []string) []string {
	var out []string
	for _, e := range env {
		if !strings.HasPrefix(e, "WEFT_ROLE") {
			out = append(out, e)
		}
	}
	return out
}

// read delivers what main says until it ends.
func (p *planProcess) read() {
	defer close(p.graphs)
	for {
		m := &planpb.FromPlan{}
		if err := wire.Read(p.sock, m); err != nil {
			if !errors.Is(err, io.EOF) {
				p.readErr = err
			}
			return
		}
		p.graphs <- m
	}
}

// next waits for the graph of the next Execute; nil when main has ended. limit bounds the wait, 0 does not.
func (p *planProcess) next(ctx context.Context, limit time.Duration) (*planpb.JobGraph, error) {
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
			return nil, usage("the job cannot be planned: %s%s", e.Message, at)
		}
		if m.GetGraph() == nil {
			return nil, usage("the job speaks a newer plan protocol than this weft command")
		}
		return m.GetGraph(), nil
	case <-timeout:
		return nil, usage("main has not called Execute within %v (client.plan.timeout)%s", limit, p.output())
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// say answers main.
func (p *planProcess) say(m *planpb.ToPlan) error {
	// Main may have ended meanwhile; that is found out by next.
	if err := wire.Write(p.sock, m); err != nil && !errors.Is(err, os.ErrClosed) && !isBrokenPipe(err) {
		return fmt.Errorf("answer the job's main: %w", err)
	}
	return nil
}

// output is the end of what main wrote, for a message.
func (p *planProcess) output() string {
	switch t := p.tail.String(); {
	case t == "":
		return "; it wrote nothing"
	case p.out.console.shows:
		return "; its output is above"
	default:
		return "; its output:\n" + indent(t)
	}
}

// wait waits for main's end and says how it ended. grace bounds the wait, 0 does not.
func (p *planProcess) wait(ctx context.Context) error {
	select {
	case <-p.exited:
		return p.waitErr
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// withoutExecute explains a main that has ended and never called Execute (W5).
func (p *planProcess) withoutExecute() error {
	var exit *exec.ExitError
	switch {
	case p.waitErr == nil:
		return usage("main ended without calling Execute, so there is no job%s", p.output())
	case errors.As(p.waitErr, &exit):
		return usage("main ended before it called Execute (%s)%s", exit, p.output())
	}
	return usage("main ended before it called Execute (%w)%s", p.waitErr, p.output())
}

// end stops main if it still runs.
func (p *planProcess) end() {
	// Closed last: main would complain about the end of its socket.
	defer p.sock.Close()
	select {
	case <-p.exited:
		return
	default:
	}
	_ = p.cmd.Process.Kill()
	<-p.exited
}

func indent(s string) string { return "  " + strings.ReplaceAll(s, "\n", "\n  ") }

// encodeConfig gives main what options and files say, for precedence conf < command line < program < operator.
func encodeConfig(c *config.Config) string {
	values := c.Map()
	for k := range values {
		if rest.IsSecretKey(k) {
			delete(values, k)
		}
	}
	b, err := json.Marshal(values)
	if err != nil {
		// A map of strings can always be written.
		return "{}"
	}
	return string(b)
}
