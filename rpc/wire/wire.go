package wire

import (
	"encoding/binary"
	"fmt"
	"io"

	"google.golang.org/protobuf/proto"
)

// MaxFrame bounds one message, in bytes.
const MaxFrame = 64 << 20

// Write writes one message. Concurrent writers must take turns.
func Write(w io.Writer, m proto.Message) error {
	size := proto.Size(m)
	if size > MaxFrame {
		return fmt.Errorf("message %s of %d bytes: the limit is %d", m.ProtoReflect().Descriptor().Name(), size, MaxFrame)
	}
	b := binary.BigEndian.AppendUint32(make([]byte, 0, 4+size), uint32(size))
	b, err := proto.MarshalOptions{UseCachedSize: true}.MarshalAppend(b, m)
	if err != nil {
		return err
	}
	_, err = w.Write(b)
	return err
}

// Read reads one message into m; io.EOF at a clean end between messages.
func Read(r io.Reader, m proto.Message) error {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size > MaxFrame {
		return fmt.Errorf("frame of %d bytes: the limit is %d", size, MaxFrame)
	}
	b := make([]byte, size)
	if _, err := io.ReadFull(r, b); err != nil {
		return fmt.Errorf("frame of %d bytes cut short: %w", size, err)
	}
	return proto.Unmarshal(b, m)
}
