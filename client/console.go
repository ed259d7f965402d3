package client

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"golang.org/x/term"

	"github.com/weft-project/weft/internal/planproc"
)

// Console is where a command speaks to its user. It is safe for use by several goroutines.
type Console struct {
	mu       sync.Mutex
	out, err io.Writer
	// terminal tells that err is a terminal: a status line may be drawn, and drawn over.
	terminal bool
	// shows tells that both are terminals: who reads the one reads the other.
	shows  bool
	width  int
	status string
}

// NewConsole makes a console of standard output and standard error.
func NewConsole(out, err io.Writer) *Console {
	c := &Console{out: out, err: err, width: 80}
	if f, ok := err.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		c.terminal = os.Getenv("TERM") != "dumb"
		if w, _, e := term.GetSize(int(f.Fd())); e == nil && w > 10 {
			c.width = w
		}
		o, ok := out.(*os.File)
		c.shows = ok && term.IsTerminal(int(o.Fd()))
	}
	return c
}

// Print writes a line of result to standard output.
func (c *Console) Print(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.erase()
	fmt.Fprintf(c.out, format+"\n", args...)
	c.redraw()
}

// Say writes a line about what happens to standard error.
func (c *Console) Say(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.erase()
	fmt.Fprintf(c.err, format+"\n", args...)
	c.redraw()
}

// Status shows a line that the next one replaces, on a terminal only. An empty line removes it.
func (c *Console) Status(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.terminal {
		return
	}
	c.erase()
	c.status = fmt.Sprintf(format, args...)
	if r := []rune(c.status); len(r) > c.width-1 {
		c.status = string(r[:c.width-2]) + "…"
	}
	c.redraw()
}

// bar draws a part in percent.
func bar(percent int64) string {
	const width = 25
	full := int(min(max(percent, 0), 100) * width / 100)
	return "[" + strings.Repeat("=", full) + strings.Repeat(" ", width-full) + "]"
}

// Terminal tells whether a person watches.
func (c *Console) Terminal() bool { return c.terminal }

func (c *Console) erase() {
	if c.status != "" {
		fmt.Fprint(c.err, "\r\x1b[K")
	}
}

func (c *Console) redraw() {
	if c.status != "" {
		fmt.Fprint(c.err, c.status)
	}
}

// passThrough forwards a program's output line by line, so that it does not mix with the status line.
type passThrough struct {
	console *Console
	stderr  bool
	tail    *planproc.Tail
	rest    []byte
}

func (p *passThrough) Write(b []byte) (int, error) {
	if p.tail != nil {
		_, _ = p.tail.Write(b)
	}
	p.rest = append(p.rest, b...)
	i := strings.LastIndexByte(string(p.rest), '\n')
	if i < 0 && len(p.rest) < 64<<10 {
		return len(b), nil
	}
	if i < 0 {
		i = len(p.rest) - 1
	}
	p.emit(p.rest[:i+1])
	p.rest = append([]byte(nil), p.rest[i+1:]...)
	return len(b), nil
}

// Flush forwards a last line without an end.
func (p *passThrough) Flush() {
	if len(p.rest) > 0 {
		p.emit(p.rest)
		p.rest = nil
	}
}

func (p *passThrough) emit(b []byte) {
	c := p.console
	c.mu.Lock()
	defer c.mu.Unlock()
	c.erase()
	w := c.out
	if p.stderr {
		w = c.err
	}
	_, _ = w.Write(b)
	c.redraw()
}
