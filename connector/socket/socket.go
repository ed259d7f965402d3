package socket

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"

	"github.com/weft-project/weft/operator"
)

const (
	// batchLines is how many lines go to the task at once at most; ahead how many batches are read ahead.
	batchLines = 1024
	ahead      = 4
	maxLine    = 16 << 20
)

// Source reads the lines of a TCP server until it closes the connection.
func Source(address string) operator.Factory {
	return func(c *operator.Context, op int, out any) (operator.Instance, error) {
		s := &source{c: c, op: op, address: address, emit: out.(operator.Emit[string])}
		return operator.Instance{Operator: s}, nil
	}
}

type source struct {
	operator.Base
	c       *operator.Context
	op      int
	address string
	emit    operator.Emit[string]
	conn    net.Conn
	batches chan []string
	wake    chan struct{}
	err     error // set before batches is closed
}

// Open is Operator's.
func (s *source) Open() error {
	conn, err := new(net.Dialer).DialContext(s.c.Ctx, "tcp", s.address)
	if err != nil {
		return operator.External(fmt.Errorf("socket source: %w", err))
	}
	s.conn = conn
	s.batches, s.wake = make(chan []string, ahead), make(chan struct{}, 1)
	go s.read()
	return nil
}

// read takes lines off the connection; a batch ends where the server pauses.
func (s *source) read() {
	defer s.notify()
	defer close(s.batches)
	r := bufio.NewReaderSize(s.conn, 64<<10)
	var batch []string
	flush := func() bool {
		if len(batch) == 0 {
			return true
		}
		select {
		case s.batches <- batch:
			batch = nil
			s.notify()
			return true
		case <-s.c.Ctx.Done():
			return false
		}
	}
	for {
		line, err := readLine(r)
		if err == nil || err == io.EOF && line != "" {
			batch = append(batch, line)
		}
		if err != nil {
			if err != io.EOF && context.Cause(s.c.Ctx) == nil {
				s.err = operator.External(fmt.Errorf("socket source %s: %w", s.address, err))
			}
			break
		}
		if (len(batch) >= batchLines || !lineWaits(r)) && !flush() {
			return
		}
	}
	flush()
}

// readLine reads a line without its end; with io.EOF what came after the last end.
func readLine(r *bufio.Reader) (string, error) {
	var long []byte
	for {
		part, err := r.ReadSlice('\n')
		if err == bufio.ErrBufferFull {
			if long = append(long, part...); len(long) > maxLine {
				return "", fmt.Errorf("a line is longer than %d bytes", maxLine)
			}
			continue
		}
		if len(long) > 0 {
			part = append(long, part...)
		}
		if err == nil {
			part = bytes.TrimSuffix(part[:len(part)-1], []byte{'\r'})
		}
		return string(part), err
	}
}

// lineWaits tells whether the next line can be read without waiting for the server.
func lineWaits(r *bufio.Reader) bool {
	waiting, err := r.Peek(r.Buffered())
	return err == nil && bytes.IndexByte(waiting, '\n') >= 0
}

func (s *source) notify() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Poll is Source's.
func (s *source) Poll() (operator.Status, error) {
	select {
	case batch, ok := <-s.batches:
		if !ok {
			return operator.End, s.err
		}
		for i := range batch {
			s.c.Op = s.op
			s.emit(&batch[i])
		}
		return operator.More, nil
	default:
		return operator.Idle, nil
	}
}

// Wake is Source's.
func (s *source) Wake() <-chan struct{} { return s.wake }

// Close is Operator's.
func (s *source) Close(error) error {
	if s.conn == nil {
		return nil
	}
	return s.conn.Close()
}
