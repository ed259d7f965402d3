package stream

import (
	"math"
	"net"
	"strconv"

	"github.com/weft-project/weft/connector/files"
	"github.com/weft-project/weft/connector/socket"
	"github.com/weft-project/weft/operator"
)

// ReadText reads the lines of text files: a file, a directory's files or a glob, plain or .gz, on HDFS or local.
//
// FromSource with files.CSV, files.JSON or files.Text reads records, splits with watermarks of their own, and directories that
// are watched.
func ReadText(e *Env, name, uri string, opts ...Option) *Stream[string] {
	return FromSource(e, name, files.Text(uri), opts...)
}

// ReadSocket reads lines from a TCP server until it closes the connection; it is always one subtask.
func ReadSocket(e *Env, name, host string, port int, opts ...Option) *Stream[string] {
	s := add[string](e, name, "source", nil, socket.Source(net.JoinHostPort(host, strconv.Itoa(port))), opts)
	n := s.from[0].node
	n.MaxOne, n.Unbounded = true, true
	return s
}

// FromSlice emits the values of a slice. The slice is built by main, in every process; values from the outside world go
// through Captured.
func FromSlice[T any](e *Env, name string, values []T, opts ...Option) *Stream[T] {
	return Generate(e, name, int64(len(values)), func(i int64) T { return values[i] }, opts...)
}

// Generate emits fn(0) … fn(n-1); subtask k of p emits k, k+p, k+2p, …
func Generate[T any](e *Env, name string, n int64, fn func(i int64) T, opts ...Option) *Stream[T] {
	return add[T](e, name, "source", nil, operator.GeneratorFactory(n, func(i int64, v *T) { *v = fn(i) }), opts)
}

// Endless is the number of records of a generator that does not end.
const Endless = math.MaxInt64

// GenerateRate is Generate with perSecond records a second, by all subtasks together. After a pause it catches up for a second
// at most. n may be Endless.
func GenerateRate[T any](e *Env, name string, n int64, perSecond float64, fn func(i int64) T, opts ...Option) *Stream[T] {
	if !(perSecond > 0) {
		e.fail("source %q: %v records a second: expected more than 0", name, perSecond)
	}
	s := add[T](e, name, "source", nil, operator.RatedFactory(n, perSecond, func(i int64, v *T) { *v = fn(i) }), opts)
	s.from[0].node.Unbounded = n == Endless
	return s
}

// GenerateRef is Generate for large records: fn fills the record in place.
func GenerateRef[T any](e *Env, name string, n int64, fn func(i int64, v *T), opts ...Option) *Stream[T] {
	return add[T](e, name, "source", nil, operator.GeneratorFactory(n, fn), opts)
}
