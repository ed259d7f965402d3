package hdfs

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	commonpb "github.com/weft-project/weft/internal/hadoop/proto/common"
)

// rpcHeaderLen is the length of what opens a Hadoop RPC connection.
const rpcHeaderLen = 7

var errFileClosed = errors.New("the file is closed")

// nameNodeConn stands for the library's connection to the NameNode: it swallows the header and the connection context, takes
// each request apart, has it called, and answers with a frame that the library understands. The library writes whole frames
// and has one call in progress. An error of the call is given by Read, unchanged, so that it comes out of the library as it
// went in; an error of Write would make the library connect anew.
type nameNodeConn struct {
	call   func(method string, req []byte) ([]byte, error)
	opened int
	out    []byte
	err    error
}

// Write takes one frame.
func (c *nameNodeConn) Write(b []byte) (int, error) {
	// First the header, then the connection context.
	if c.opened < 2 {
		if c.opened == 0 && len(b) != rpcHeaderLen {
			return 0, fmt.Errorf("first %d bytes of a connection: expected the %d of the header", len(b), rpcHeaderLen)
		}
		c.opened++
		return len(b), nil
	}
	c.out, c.err = c.exchange(b)
	return len(b), nil
}

func (c *nameNodeConn) exchange(frame []byte) ([]byte, error) {
	if len(frame) < 4 || int(binary.BigEndian.Uint32(frame)) != len(frame)-4 {
		return nil, fmt.Errorf("%d bytes to the NameNode are not one frame", len(frame))
	}
	var header commonpb.RpcRequestHeader
	var method commonpb.RequestHeader
	rest := frame[4:]
	for _, m := range []proto.Message{&header, &method} {
		b, n := protowire.ConsumeBytes(rest)
		if n < 0 {
			return nil, fmt.Errorf("request to the NameNode: %w", protowire.ParseError(n))
		}
		if err := proto.Unmarshal(b, m); err != nil {
			return nil, fmt.Errorf("request to the NameNode: %w", err)
		}
		rest = rest[n:]
	}
	req, n := protowire.ConsumeBytes(rest)
	if n < 0 {
		return nil, fmt.Errorf("request to the NameNode: %w", protowire.ParseError(n))
	}
	resp, err := c.call(method.GetMethodName(), req)
	if err != nil {
		return nil, err
	}
	h, err := proto.Marshal(&commonpb.RpcResponseHeader{CallId: proto.Uint32(uint32(header.GetCallId())),
		Status: commonpb.RpcResponseHeader_SUCCESS.Enum()})
	if err != nil {
		return nil, err
	}
	out := make([]byte, 4, 4+len(h)+len(resp)+20)
	out = protowire.AppendBytes(out, h)
	out = protowire.AppendBytes(out, resp)
	binary.BigEndian.PutUint32(out, uint32(len(out)-4))
	return out, nil
}

// Read gives the answer to the frame written last.
func (c *nameNodeConn) Read(b []byte) (int, error) {
	if c.err != nil {
		err := c.err
		c.err = nil
		return 0, err
	}
	if len(c.out) == 0 {
		return 0, io.ErrNoProgress
	}
	n := copy(b, c.out)
	c.out = c.out[n:]
	return n, nil
}

// Close has nothing to close.
func (c *nameNodeConn) Close() error { return nil }

// LocalAddr is net.Conn's.
func (c *nameNodeConn) LocalAddr() net.Addr { return &net.TCPAddr{} }

// RemoteAddr is net.Conn's.
func (c *nameNodeConn) RemoteAddr() net.Addr { return &net.TCPAddr{} }

// SetDeadline is net.Conn's; calls have time limits of their own.
func (c *nameNodeConn) SetDeadline(time.Time) error { return nil }

// SetReadDeadline is net.Conn's.
func (c *nameNodeConn) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline is net.Conn's.
func (c *nameNodeConn) SetWriteDeadline(time.Time) error { return nil }
