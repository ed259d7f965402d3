package frame

import (
	"encoding/binary"
	"fmt"
)

// Version of the frame format; every header carries it.
const Version = 1

// HeaderSize is the length of every frame's header in bytes.
const HeaderSize = 16

// Type tells frames apart. The consuming worker dials; "up" frames go from it to the producing worker, "down" frames
// come back.
type Type uint8

// The frame types. Channel of a header is the channel's number, chosen by the consumer and never used again on the
// same connection; of Call, Reply and Cancel it is the call's number.
const (
	// Request (up) asks for a subpartition; the payload is a ChannelRequest.
	Request Type = 1
	// Attached (down) says that the subpartition is there and data will follow.
	Attached Type = 2
	// Data (down) is one buffer, or with the fragment flags a piece of a large one. It costs one credit.
	Data Type = 3
	// Event (down) is a watermark, the end or a barrier, in order with data; it costs no credit. Flags is its kind.
	Event Type = 4
	// Credit (up) allows Count more Data frames.
	Credit Type = 5
	// Close (up) says that the consumer reads no more; frames under way are dropped.
	Close Type = 6
	// Failed (down) ends the channel with a Failure.
	Failed Type = 7
	// Call (up) asks a service; the payload is a ServiceCall.
	Call Type = 8
	// Reply (down) answers it; with FlagError the payload is a sentence.
	Reply Type = 9
	// Cancel (up) says that nobody waits for the reply any more.
	Cancel Type = 10

	lastType = Cancel
)

// Flags of Data: a large record travels as fragments. Count of the first one is the whole length in bytes, Count of the
// last one the number of records.
const (
	FlagFragment uint8 = 1
	FlagFirst    uint8 = 2
	FlagLast     uint8 = 4
)

// FlagError marks a Reply whose payload is an error text.
const FlagError uint8 = 1

// MaxBacklog is where a header's backlog saturates.
const MaxBacklog = 255

// Limits on payloads in bytes, by what is in them. Data is bounded by the connection's buffer size.
const (
	MaxControl = 16 << 10
	MaxEvent   = 1 << 20
	MaxMessage = 16<<20 + 1<<10
)

// Header is what comes before every payload. All integers are big-endian.
//
//	0  1  version
//	1  1  type
//	2  1  flags
//	3  1  backlog
//	4  4  channel
//	8  4  length of the payload
//	12 4  count
type Header struct {
	Type  Type
	Flags uint8
	// Backlog of a Data frame: how many more buffers the producer holds for this channel, MaxBacklog for more.
	Backlog uint8
	Channel uint32
	Length  uint32
	// Count of Data: records; of Credit: credits.
	Count uint32
}

// Put writes h into the first HeaderSize bytes of b.
func (h Header) Put(b []byte) {
	_ = b[HeaderSize-1]
	b[0], b[1], b[2], b[3] = Version, byte(h.Type), h.Flags, h.Backlog
	binary.BigEndian.PutUint32(b[4:], h.Channel)
	binary.BigEndian.PutUint32(b[8:], h.Length)
	binary.BigEndian.PutUint32(b[12:], h.Count)
}

// Append appends a whole frame; Length is taken from payload.
func (h Header) Append(b, payload []byte) []byte {
	h.Length = uint32(len(payload))
	n := len(b)
	b = append(b, make([]byte, HeaderSize)...)
	h.Put(b[n:])
	return append(b, payload...)
}

// ParseHeader reads and checks a header. maxData bounds the payload of Data frames, in bytes.
func ParseHeader(b []byte, maxData int) (Header, error) {
	if len(b) < HeaderSize {
		return Header{}, fmt.Errorf("frame header of %d bytes: expected %d", len(b), HeaderSize)
	}
	if b[0] != Version {
		return Header{}, fmt.Errorf("frame version %d: this worker speaks version %d", b[0], Version)
	}
	h := Header{
		Type: Type(b[1]), Flags: b[2], Backlog: b[3],
		Channel: binary.BigEndian.Uint32(b[4:]), Length: binary.BigEndian.Uint32(b[8:]), Count: binary.BigEndian.Uint32(b[12:]),
	}
	if h.Type == 0 || h.Type > lastType {
		return Header{}, fmt.Errorf("frame of unknown type %d", b[1])
	}
	if limit := h.limit(maxData); int64(h.Length) > int64(limit) {
		return Header{}, fmt.Errorf("frame of type %d with %d bytes: the limit is %d", h.Type, h.Length, limit)
	}
	if h.Type == Data {
		if err := h.checkFragment(); err != nil {
			return Header{}, err
		}
	}
	return h, nil
}

// limit gives the longest payload of the frame's type, in bytes.
func (h Header) limit(maxData int) int {
	switch h.Type {
	case Data:
		return maxData
	case Event:
		return MaxEvent
	case Call, Reply:
		return MaxMessage
	case Request, Failed:
		return MaxControl
	default:
		return 0
	}
}

// checkFragment refuses flags that do not belong together.
func (h Header) checkFragment() error {
	switch h.Flags {
	case 0, FlagFragment, FlagFragment | FlagFirst, FlagFragment | FlagLast:
		return nil
	}
	return fmt.Errorf("data frame with flags %#x: no such combination", h.Flags)
}
