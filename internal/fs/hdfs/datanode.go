package hdfs

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// connBuffer is the read buffer of a DataNode's connection: the library reads packet headers and chunks of 512 bytes.
const connBuffer = 128 << 10

// errBlockRefused is all that a DataNode lets know which refuses a block: it ends the connection.
var errBlockRefused = errors.New("it did not take the block: its disks have no room for one, or its log says what else")

// timedConn has a time limit on every read and write.
type timedConn struct {
	net.Conn
	timeout time.Duration
}

// Read is net.Conn's.
func (c *timedConn) Read(b []byte) (int, error) {
	if err := c.Conn.SetReadDeadline(time.Now().Add(c.timeout)); err != nil {
		return 0, err
	}
	return c.Conn.Read(b)
}

// Write is net.Conn's.
func (c *timedConn) Write(b []byte) (int, error) {
	if err := c.Conn.SetWriteDeadline(time.Now().Add(c.timeout)); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}

// dataConn is a connection to a DataNode as the library sees it. What the library writes first is the operation; before that
// goes out the connection authenticates, where the cluster asks for it (the library's own way loses bytes of protected
// messages in 2.4.0). The first error is final and closes the connection. For a Writer writes after an error succeed and go
// nowhere (rule H3).
type dataConn struct {
	net.Conn
	s       *session
	addr    string
	timeout time.Duration
	raw     *bufio.Reader
	in      io.Reader
	// answered tells that the DataNode has said something about the operation; Read alone uses it.
	answered bool

	// The library may write a heartbeat beside the last packet.
	wmu    sync.Mutex
	out    io.Writer
	opened bool

	mu  sync.Mutex
	err error
}

func newDataConn(s *session, nc net.Conn, addr string) *dataConn {
	// Hadoop adds 5 s for each DataNode of the pipeline; three are usual.
	timeout := s.fs.files.socketTimeout + 15*time.Second
	size := connBuffer
	if s.writing {
		size = 4 << 10
	}
	timed := &timedConn{Conn: nc, timeout: timeout}
	raw := bufio.NewReaderSize(timed, size)
	return &dataConn{Conn: timed, s: s, addr: addr, timeout: timeout, raw: raw, in: raw, out: timed}
}

// failed gives the error that ended the connection.
func (c *dataConn) failed() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// fail ends the connection with err, unless it has ended already.
func (c *dataConn) fail(err error) {
	c.mu.Lock()
	first := c.err == nil
	if first {
		c.err = err
	}
	c.mu.Unlock()
	if first {
		_ = c.Conn.Close() // the error that matters is err
	}
}

func (c *dataConn) broke(doing string, err error) error {
	if os.IsTimeout(err) {
		err = fmt.Errorf("no progress for %v", c.timeout)
	}
	c.fail(fmt.Errorf("DataNode %s: %s: %w", c.addr, doing, err))
	return c.failed()
}

// Read is net.Conn's.
func (c *dataConn) Read(b []byte) (int, error) {
	if err := c.failed(); err != nil {
		return 0, err
	}
	n, err := c.in.Read(b)
	c.answered = c.answered || n > 0
	if errors.Is(err, io.EOF) && c.s.writing && !c.answered {
		err = fmt.Errorf("%w (%w)", errBlockRefused, err)
	}
	if err != nil {
		return n, c.broke("read", err)
	}
	return n, nil
}

// Write is net.Conn's.
func (c *dataConn) Write(b []byte) (int, error) {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	err := c.failed()
	if err == nil {
		if err = c.write(b); err == nil {
			return len(b), nil
		}
		err = c.broke("write", err)
	}
	if c.s.writing {
		return len(b), nil
	}
	return 0, err
}

func (c *dataConn) write(b []byte) error {
	if !c.opened {
		c.opened = true
		if err := c.open(b); err != nil {
			return err
		}
	}
	_, err := c.out.Write(b)
	return err
}

// open authenticates for an operation.
func (c *dataConn) open(op []byte) error {
	digest, err := c.s.transferDigest(op, c.RemoteAddr())
	if err != nil || digest == nil {
		return err
	}
	c.in, c.out, err = negotiate(c.Conn, c.raw, *digest)
	if errors.Is(err, errUnknownKey) {
		c.s.fs.dropKey()
	}
	return err
}

// Close ends the connection in good order.
func (c *dataConn) Close() error {
	c.s.forget(c)
	c.fail(errFileClosed)
	return nil
}

// SetDeadline does nothing: each read and write has its own.
func (c *dataConn) SetDeadline(time.Time) error { return nil }

// SetReadDeadline does nothing.
func (c *dataConn) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline does nothing.
func (c *dataConn) SetWriteDeadline(time.Time) error { return nil }
