package rpc

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	commonpb "github.com/weft-project/weft/internal/hadoop/proto/common"
)

// Call ids of the protocol itself.
const (
	callContext = -3
	callPing    = -4
	callSASL    = -33
)

// maxHandshakeFrame bounds frames before the connection is authenticated.
const maxHandshakeFrame = 1 << 20

var errShortFrame = errors.New("frame ends too early")

// appendDelimited appends a message with its length in front.
func appendDelimited(b []byte, m proto.Message) ([]byte, error) {
	opts := proto.MarshalOptions{}
	b = protowire.AppendVarint(b, uint64(opts.Size(m)))
	out, err := opts.MarshalAppend(b, m)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", m.ProtoReflect().Descriptor().FullName(), err)
	}
	return out, nil
}

// takeDelimited decodes the message at the front of b and gives the rest.
func takeDelimited(b []byte, m proto.Message) (rest []byte, err error) {
	n, size := protowire.ConsumeVarint(b)
	if size < 0 || n > uint64(len(b)-size) {
		return nil, fmt.Errorf("%s: %w", m.ProtoReflect().Descriptor().Name(), errShortFrame)
	}
	if err := proto.Unmarshal(b[size:size+int(n)], m); err != nil {
		return nil, fmt.Errorf("%s: %w", m.ProtoReflect().Descriptor().Name(), err)
	}
	return b[size+int(n):], nil
}

// frame makes a whole frame of the messages.
func frame(messages ...proto.Message) ([]byte, error) {
	b := make([]byte, 4, 256)
	var err error
	for _, m := range messages {
		if b, err = appendDelimited(b, m); err != nil {
			return nil, err
		}
	}
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	return b, nil
}

// requestHeader makes the header of a request or, with a negative id, of one of the protocol's own messages.
func requestHeader(id int32, clientID []byte, retry int32) *commonpb.RpcRequestHeader {
	if clientID == nil {
		clientID = []byte{}
	}
	return &commonpb.RpcRequestHeader{
		RpcKind:    commonpb.RpcKind_RPC_PROTOCOL_BUFFER.Enum(),
		RpcOp:      commonpb.RpcRequestHeader_RPC_FINAL_PACKET.Enum(),
		CallId:     &id,
		ClientId:   clientID,
		RetryCount: &retry,
	}
}

// readFrame reads one frame without its length. The buffer grows with what arrives, so a wrong length does not allocate.
func readFrame(r io.Reader, limit int) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	if string(head[:]) == "HTTP" {
		return nil, errors.New("it answers in HTTP, this is a web port and not an RPC port")
	}
	n := binary.BigEndian.Uint32(head[:])
	if uint64(n) > uint64(limit) {
		return nil, fmt.Errorf("frame of %d bytes, at most %d are allowed (ipc.maximum.response.length); is it a Hadoop RPC port?", n, limit)
	}
	const step = 1 << 20
	buf := make([]byte, 0, min(int(n), step))
	for len(buf) < int(n) {
		want := min(int(n)-len(buf), step)
		if cap(buf)-len(buf) < want {
			grown := make([]byte, len(buf), min(int(n), 2*cap(buf)+want))
			copy(grown, buf)
			buf = grown
		}
		got, err := io.ReadFull(r, buf[len(buf):len(buf)+want])
		buf = buf[:len(buf)+got]
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
	return buf, nil
}

// takeResponse splits an answer into its header and what follows.
func takeResponse(b []byte) (*commonpb.RpcResponseHeader, []byte, error) {
	var h commonpb.RpcResponseHeader
	rest, err := takeDelimited(b, &h)
	if err != nil {
		return nil, nil, err
	}
	return &h, rest, nil
}

// callID gives the id of an answer; negative ones travel as unsigned.
func callID(h *commonpb.RpcResponseHeader) int32 { return int32(h.GetCallId()) }
