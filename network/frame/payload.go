package frame

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/weft-project/weft/id"
)

// attemptSize is the length of an encoded id.Attempt: job, vertex, subtask, number.
const attemptSize = 16 + 16 + 4 + 4

// Hello is what each side says about itself in the security handshake.
type Hello struct {
	// BufferSize in bytes; both ends must have the same.
	BufferSize int
	Job        id.Job
	// JobAttempt is the execution of the job that this worker belongs to (F2).
	JobAttempt int
	// Addr is the data address that the worker listens on, for messages to people.
	Addr string
}

// Append appends the encoding of h.
func (h Hello) Append(b []byte) []byte {
	b = append(b, Version)
	b = binary.BigEndian.AppendUint32(b, uint32(h.BufferSize))
	b = append(b, h.Job[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(h.JobAttempt))
	return append(b, h.Addr...)
}

// ParseHello reads a hello.
func ParseHello(b []byte) (Hello, error) {
	const fixed = 1 + 4 + 16 + 4
	if len(b) < 1 {
		return Hello{}, errors.New("data hello is empty")
	}
	if b[0] != Version {
		return Hello{}, fmt.Errorf("data protocol version %d: this worker speaks version %d", b[0], Version)
	}
	if len(b) < fixed || len(b) > fixed+MaxControl {
		return Hello{}, fmt.Errorf("data hello of %d bytes: expected at least %d", len(b), fixed)
	}
	size, attempt := binary.BigEndian.Uint32(b[1:]), binary.BigEndian.Uint32(b[21:])
	if size > math.MaxInt32 || attempt > math.MaxInt32 {
		return Hello{}, errors.New("data hello with a number out of range")
	}
	h := Hello{BufferSize: int(size), JobAttempt: int(attempt), Addr: string(b[fixed:])}
	copy(h.Job[:], b[5:])
	return h, nil
}

// ChannelRequest is the payload of Request.
type ChannelRequest struct {
	Producer     id.Attempt
	Edge         uint32
	Subpartition int
	Consumer     id.Attempt
	// Credit is how many Data frames may be sent before the first Credit frame.
	Credit int
}

// Append appends the encoding of r.
func (r ChannelRequest) Append(b []byte) []byte {
	b = appendAttempt(b, r.Producer)
	b = binary.BigEndian.AppendUint32(b, r.Edge)
	b = binary.BigEndian.AppendUint32(b, uint32(r.Subpartition))
	b = appendAttempt(b, r.Consumer)
	return binary.BigEndian.AppendUint32(b, uint32(r.Credit))
}

// ParseChannelRequest reads the payload of Request.
func ParseChannelRequest(b []byte) (ChannelRequest, error) {
	const size = attemptSize + 4 + 4 + attemptSize + 4
	if len(b) != size {
		return ChannelRequest{}, fmt.Errorf("channel request of %d bytes: expected %d", len(b), size)
	}
	var r ChannelRequest
	var err error
	if r.Producer, err = parseAttempt(b); err != nil {
		return ChannelRequest{}, err
	}
	b = b[attemptSize:]
	r.Edge = binary.BigEndian.Uint32(b)
	sub := binary.BigEndian.Uint32(b[4:])
	if r.Consumer, err = parseAttempt(b[8:]); err != nil {
		return ChannelRequest{}, err
	}
	credit := binary.BigEndian.Uint32(b[8+attemptSize:])
	if sub > math.MaxInt32 || credit > math.MaxInt32 {
		return ChannelRequest{}, errors.New("channel request with a number out of range")
	}
	r.Subpartition, r.Credit = int(sub), int(credit)
	return r, nil
}

// FailureCode says why a channel ended without its end.
type FailureCode uint8

// The failure codes.
const (
	// FailedProducer: the producing task failed or was cancelled.
	FailedProducer FailureCode = 1
	// FailedStale: the request names an attempt that has been replaced (F2).
	FailedStale FailureCode = 2
	// FailedRefused: the request does not fit the partition.
	FailedRefused FailureCode = 3
)

// Failure is the payload of Failed.
type Failure struct {
	Code FailureCode
	Text string
}

// Append appends the encoding of f, its text cut to what a frame may hold.
func (f Failure) Append(b []byte) []byte {
	text := f.Text
	if len(text) > MaxControl-1 {
		text = text[:MaxControl-1]
	}
	return append(append(b, byte(f.Code)), text...)
}

// ParseFailure reads the payload of Failed.
func ParseFailure(b []byte) (Failure, error) {
	if len(b) < 1 {
		return Failure{}, errors.New("failure frame without a code")
	}
	return Failure{Code: FailureCode(b[0]), Text: string(b[1:])}, nil
}

// ServiceCall is the payload of Call.
type ServiceCall struct {
	Service string
	From    id.Attempt
	// Payload shares the bytes it was parsed from.
	Payload []byte
}

// Append appends the encoding of c. The caller has checked that the name has less than 64 KiB.
func (c ServiceCall) Append(b []byte) []byte {
	b = appendAttempt(b, c.From)
	b = binary.BigEndian.AppendUint16(b, uint16(len(c.Service)))
	b = append(b, c.Service...)
	return append(b, c.Payload...)
}

// ParseServiceCall reads the payload of Call.
func ParseServiceCall(b []byte) (ServiceCall, error) {
	const fixed = attemptSize + 2
	if len(b) < fixed {
		return ServiceCall{}, fmt.Errorf("service call of %d bytes: expected at least %d", len(b), fixed)
	}
	from, err := parseAttempt(b)
	if err != nil {
		return ServiceCall{}, err
	}
	n := int(binary.BigEndian.Uint16(b[attemptSize:]))
	if len(b) < fixed+n {
		return ServiceCall{}, fmt.Errorf("service call whose name has %d bytes: only %d are there", n, len(b)-fixed)
	}
	return ServiceCall{From: from, Service: string(b[fixed : fixed+n]), Payload: b[fixed+n:]}, nil
}

// AppendEvent appends the payload of Event: the watermark, then whatever the kind adds.
func AppendEvent(b []byte, watermark int64, payload []byte) []byte {
	return append(binary.BigEndian.AppendUint64(b, uint64(watermark)), payload...)
}

// ParseEvent reads the payload of Event; payload shares b.
func ParseEvent(b []byte) (watermark int64, payload []byte, err error) {
	if len(b) < 8 {
		return 0, nil, fmt.Errorf("event of %d bytes: expected at least 8", len(b))
	}
	return int64(binary.BigEndian.Uint64(b)), b[8:], nil
}

func appendAttempt(b []byte, a id.Attempt) []byte {
	b = append(b, a.Job[:]...)
	b = append(b, a.Vertex[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(a.Subtask))
	return binary.BigEndian.AppendUint32(b, uint32(a.Number))
}

// parseAttempt reads an attempt from the front of b, which holds one.
func parseAttempt(b []byte) (id.Attempt, error) {
	var a id.Attempt
	copy(a.Job[:], b)
	copy(a.Vertex[:], b[16:])
	subtask, number := binary.BigEndian.Uint32(b[32:]), binary.BigEndian.Uint32(b[36:])
	if subtask > math.MaxInt32 || number > math.MaxInt32 {
		return a, errors.New("task attempt with a number out of range")
	}
	a.Subtask, a.Number = int(subtask), int(number)
	return a, nil
}
