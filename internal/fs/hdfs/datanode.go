package hdfs

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"sync"
	"time"
)

// connBuffer is the read buffer of a DataNode's connection: the library reads packet headers and chunks of 512 bytes.
const connBuffer = 128 << 10

// dataConn is a connection to a DataNode with a time limit on every read and write. The first error is final and closes it.
// For a Writer writes after an error succeed and go nowhere (rule H3).
type dataConn struct {
	net.Conn
	s       *session
	addr    string
	timeout time.Duration
	in      *bufio.Reader

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
	return &dataConn{Conn: nc, s: s, addr: addr, timeout: timeout, in: bufio.NewReaderSize(nc, size)}
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
	if c.in.Buffered() == 0 {
		if err := c.failed(); err != nil {
			return 0, err
		}
		if err := c.Conn.SetReadDeadline(time.Now().Add(c.timeout)); err != nil {
			return 0, c.broke("read", err)
		}
	}
	n, err := c.in.Read(b)
	if err != nil {
		return n, c.broke("read", err)
	}
	return n, nil
}

// Write is net.Conn's.
func (c *dataConn) Write(b []byte) (int, error) {
	err := c.failed()
	if err == nil {
		if err = c.Conn.SetWriteDeadline(time.Now().Add(c.timeout)); err == nil {
			var n int
			if n, err = c.Conn.Write(b); err == nil {
				return n, nil
			}
		}
		err = c.broke("write", err)
	}
	if c.s.writing {
		return len(b), nil
	}
	return 0, err
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
