package security

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// The codec of handshake messages (docs/formats/handshake.md). All integers are big-endian.
//
//	0  4  magic "WEFT"
//	4  1  protocol version
//	5  1  type
//	6  2  length of the body
//	8  …  body
const (
	magic       = "WEFT"
	version     = 1
	headerSize  = 8
	nonceSize   = 32
	proofSize   = 32
	maxReason   = 200
	bodyLenOff  = 6
	maxBodySize = MaxMessage - headerSize
)

// MaxMessage is the most that a handshake message may have, header included, in bytes.
const MaxMessage = 4096

// MaxHello is the most that either side may say in its hello, in bytes.
const MaxHello = maxBodySize - nonceSize

// messageType tells the messages apart.
type messageType byte

const (
	// typeHello: 32 bytes nonce, then the sender's hello. Each side sends one, the client first.
	typeHello messageType = 1
	// typeProof: 32 bytes HMAC-SHA256. The client first; the server only after it has verified the client's.
	typeProof messageType = 2
	// typeReject: one byte reason code, then text. Ends the handshake.
	typeReject messageType = 3
)

// Reason codes of typeReject.
const (
	rejectUnauthenticated = 1
	rejectVersion         = 2
	rejectMalformed       = 3
)

// errNotWeft is given for bytes that do not begin like a handshake message.
var errNotWeft = errors.New("does not begin with a Weft handshake: something else is speaking on this port")

// versionError is given for a message of a version that this build does not serve.
type versionError struct{ got byte }

func (e versionError) Error() string {
	return fmt.Sprintf("speaks handshake version %d, this is version %d: both ends must run compatible versions of Weft", e.got, version)
}

// appendMessage appends a whole message whose body is the concatenation of parts. The caller has checked the size.
func appendMessage(b []byte, t messageType, parts ...[]byte) []byte {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	b = append(b, magic...)
	b = append(b, version, byte(t))
	b = binary.BigEndian.AppendUint16(b, uint16(n))
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

// parseHeader reads the first headerSize bytes of a message.
func parseHeader(h []byte) (t messageType, bodyLen int, err error) {
	if len(h) < headerSize || string(h[:4]) != magic {
		return 0, 0, errNotWeft
	}
	if h[4] != version {
		return 0, 0, versionError{h[4]}
	}
	t = messageType(h[5])
	bodyLen = int(binary.BigEndian.Uint16(h[bodyLenOff:]))
	if bodyLen > maxBodySize {
		return 0, 0, fmt.Errorf("handshake message of %d bytes: the limit is %d", bodyLen+headerSize, MaxMessage)
	}
	switch t {
	case typeHello:
		if bodyLen < nonceSize {
			return 0, 0, fmt.Errorf("handshake hello of %d bytes: too short for its nonce", bodyLen)
		}
	case typeProof:
		if bodyLen != proofSize {
			return 0, 0, fmt.Errorf("handshake proof of %d bytes: expected %d", bodyLen, proofSize)
		}
	case typeReject:
		if bodyLen < 1 {
			return 0, 0, errors.New("handshake rejection without a reason")
		}
	default:
		return 0, 0, fmt.Errorf("handshake message of unknown type %d", t)
	}
	return t, bodyLen, nil
}

// readMessage reads exactly one message, not a byte more: what follows the handshake belongs to the next protocol.
func readMessage(r io.Reader) (messageType, []byte, error) {
	var h [headerSize]byte
	// The magic is checked by itself so that a peer which sends less than a header and waits is told apart at once.
	if _, err := io.ReadFull(r, h[:4]); err != nil {
		return 0, nil, err
	}
	if string(h[:4]) != magic {
		return 0, nil, errNotWeft
	}
	if _, err := io.ReadFull(r, h[4:]); err != nil {
		return 0, nil, noEOF(err)
	}
	t, n, err := parseHeader(h[:])
	if err != nil {
		return 0, nil, err
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(r, body); err != nil {
		return 0, nil, noEOF(err)
	}
	return t, body, nil
}

// noEOF turns an end in the middle of a message into what it is.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// rejection turns the body of a typeReject into an error. Its text comes from the other side: it is bounded and
// stripped of control characters before it is shown to anybody.
func rejection(body []byte) error {
	text := body[1:]
	if len(text) > maxReason {
		text = text[:maxReason]
	}
	clean := make([]byte, 0, len(text))
	for _, c := range text {
		if c >= 0x20 && c < 0x7f {
			clean = append(clean, c)
		}
	}
	if body[0] == rejectUnauthenticated {
		return fmt.Errorf("%w: the other side refused: %s", ErrUnauthenticated, clean)
	}
	return fmt.Errorf("handshake refused by the other side: %s", clean)
}
