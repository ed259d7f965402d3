package stream

import (
	"bufio"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/weft-project/weft/connector/files"
	"github.com/weft-project/weft/operator"
)

// WriteText writes a line for each record: one file when the sink's parallelism is 1, else a directory of part files. The
// output is present only when the job has finished; one that exists already is refused.
func WriteText[T any](in *Stream[T], name, uri string, format func(T) string, opts ...Option) {
	AppendText(in, name, uri, func(dst []byte, v *T) []byte { return append(dst, format(*v)...) }, opts...)
}

// AppendText is WriteText with a function that appends the line, without its end, to memory that is used again.
func AppendText[T any](in *Stream[T], name, uri string, format func(dst []byte, v *T) []byte, opts ...Option) {
	factory, coordinator := files.TextSink(uri, format)
	n := addSink(in.env, name, "sink", in.inputs(), factory, opts)
	n.Coordinator = coordinator
	n.Writes = []string{uri}
	n.Scratch = []string{files.ScratchPath(uri)}
}

// WriteJSON is WriteText with a JSON document a line, as encoding/json writes the records.
func WriteJSON[T any](in *Stream[T], name, uri string, opts ...Option) {
	AppendText(in, name, uri, files.AppendJSON[T], opts...)
}

// WriteCSV is WriteText with the columns of a CSV file, which are fields as those of files.CSV, in their order; T may be []string.
func WriteCSV[T any](in *Stream[T], name, uri string, opts ...Option) {
	format, err := files.AppendCSV[T]()
	if err != nil {
		in.env.fail("operator %q: %v", name, err)
	}
	AppendText(in, name, uri, format, opts...)
}

// Sink is what ToSink writes to: that of a connector, kafka.Sink for example.
type Sink[T any] = operator.Sink[T]

// ToSink writes records to the sink of a connector.
func ToSink[T any](in *Stream[T], name string, sink Sink[T], opts ...Option) {
	if sink.Invalid != nil {
		in.env.fail("sink %q: %v", name, sink.Invalid)
	}
	addSink(in.env, name, "sink", in.inputs(), sink.Factory, opts)
}

// stdout is shared by the subtasks of a process that print.
var stdout sync.Mutex

// printDelay is how long a printed record may wait for more before it is seen.
const printDelay = 50 * time.Millisecond

// Print writes each record to the standard output of the process its subtask runs in: the terminal in a local run, the worker's
// log on a cluster.
func Print[T any](in *Stream[T], name string, opts ...Option) {
	f := operator.SinkFactory(func(*operator.Context) (func(T), func() error) {
		p := &printer{w: bufio.NewWriter(lockedStdout{})}
		return func(v T) { p.print(v) }, p.flush
	})
	addSink(in.env, name, "sink", in.inputs(), f, opts)
}

// printer gathers what one subtask prints. A job without an end is watched while it runs, so what is gathered is written soon,
// not only when the buffer is full.
type printer struct {
	mu sync.Mutex
	w  *bufio.Writer
	// due: a flush is on its way.
	due bool
}

func (p *printer) print(v any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintln(p.w, v)
	if !p.due {
		p.due = true
		// An error stays in the writer: the flush at the end reports it.
		time.AfterFunc(printDelay, func() { _ = p.flush() })
	}
}

func (p *printer) flush() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.due = false
	return p.w.Flush()
}

type lockedStdout struct{}

// Write is io.Writer's: whole buffers of one subtask at a time.
func (lockedStdout) Write(p []byte) (int, error) {
	stdout.Lock()
	defer stdout.Unlock()
	return os.Stdout.Write(p)
}

// Discard drops the records.
func Discard[T any](in *Stream[T], name string, opts ...Option) {
	addSink(in.env, name, "sink", in.inputs(), operator.DiscardFactory[T](), opts)
}

// ForEach gives each record to fn.
func ForEach[T any](in *Stream[T], name string, fn func(T), opts ...Option) {
	ForEachWith(in, name, func(*Context) func(T) { return fn }, opts...)
}

// ForEachWith is ForEach with a function made for each subtask.
func ForEachWith[T any](in *Stream[T], name string, open func(*Context) func(T), opts ...Option) {
	f := operator.SinkFactory(func(c *operator.Context) (func(T), func() error) { return open(contextOf(c)), nil })
	addSink(in.env, name, "sink", in.inputs(), f, opts)
}
