package sasl

import (
	"bytes"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/jcmturner/gokrb5/v8/crypto"
	"github.com/jcmturner/gokrb5/v8/crypto/etype"
	"github.com/jcmturner/gokrb5/v8/iana/etypeID"
	"github.com/jcmturner/gokrb5/v8/types"
)

// Wrap tokens of RFC 4121 section 4.2.6.2: header of 16 bytes, then the message and its checksum, or the sealed message.
const (
	wrapHeader    = 16
	wrapID        = 0x0504
	wrapFiller    = 0xff
	flagAcceptor  = 1
	flagSealed    = 2
	flagSubkey    = 4
	usageAcceptor = 22
	usageClient   = 24
)

// wrapping protects messages in both directions, each numbered in order. The zero value refuses both.
type wrapping struct {
	active           bool
	key              types.EncryptionKey
	acceptorKey      bool // key is the one that the server made
	sendSeq, recvSeq uint64
}

// newSealing gives the cipher of a key. Older ciphers have tokens of another form, which nobody should meet any more.
func newSealing(key types.EncryptionKey) (etype.EType, error) {
	switch key.KeyType {
	case etypeID.AES128_CTS_HMAC_SHA1_96, etypeID.AES256_CTS_HMAC_SHA1_96, etypeID.AES128_CTS_HMAC_SHA256_128, etypeID.AES256_CTS_HMAC_SHA384_192:
	default:
		return nil, fmt.Errorf("%w: the server's key is of encryption type %d, expected AES", ErrQOP, key.KeyType)
	}
	kind, err := crypto.GetEtype(key.KeyType)
	if err != nil {
		return nil, err
	}
	if len(key.KeyValue) != kind.GetKeyByteSize() {
		return nil, fmt.Errorf("%w: a key of %d bytes, expected %d", ErrProtocol, len(key.KeyValue), kind.GetKeyByteSize())
	}
	return kind, nil
}

func (w *wrapping) header(flags byte, ec, rrc uint16, seq uint64) []byte {
	h := binary.BigEndian.AppendUint16(make([]byte, 0, wrapHeader), wrapID)
	h = append(h, flags, wrapFiller)
	h = binary.BigEndian.AppendUint16(h, ec)
	h = binary.BigEndian.AppendUint16(h, rrc)
	return binary.BigEndian.AppendUint64(h, seq)
}

// seal makes the token of one message, encrypted or with a checksum only.
func (w *wrapping) seal(message []byte, private bool) ([]byte, error) {
	if !w.active {
		return nil, errPlain
	}
	kind, err := newSealing(w.key)
	if err != nil {
		return nil, err
	}
	var flags byte
	if w.acceptorKey {
		flags |= flagSubkey
	}
	seq := w.sendSeq
	w.sendSeq++
	if private {
		h := w.header(flags|flagSealed, 0, 0, seq)
		_, sealed, err := kind.EncryptMessage(w.key.KeyValue, slices.Concat(message, h), usageClient)
		return append(h, sealed...), err
	}
	// The checksum is taken with both counts zero; the header then tells its length.
	sum, err := kind.GetChecksumHash(w.key.KeyValue, slices.Concat(message, w.header(flags, 0, 0, seq)), usageClient)
	if err != nil {
		return nil, err
	}
	return slices.Concat(w.header(flags, uint16(len(sum)), 0, seq), message, sum), nil
}

// open checks one token of the server and gives its message.
func (w *wrapping) open(token []byte, private bool) ([]byte, error) {
	if !w.active {
		return nil, errPlain
	}
	if len(token) < wrapHeader || binary.BigEndian.Uint16(token) != wrapID || token[3] != wrapFiller {
		return nil, fmt.Errorf("%w: %d bytes are no wrap token", ErrIntegrity, len(token))
	}
	flags, ec, rrc, seq := token[2], int(binary.BigEndian.Uint16(token[4:])), int(binary.BigEndian.Uint16(token[6:])), binary.BigEndian.Uint64(token[8:])
	switch {
	case flags&flagAcceptor == 0, flags&flagSubkey != 0 != w.acceptorKey:
		return nil, fmt.Errorf("%w: a wrap token with flags %02x is not the server's", ErrIntegrity, flags)
	case seq != w.recvSeq:
		return nil, fmt.Errorf("%w: message number %d, expected %d", ErrIntegrity, seq, w.recvSeq)
	case private && flags&flagSealed == 0:
		return nil, fmt.Errorf("%w: an open message where encrypted ones were agreed on", ErrIntegrity)
	}
	kind, err := newSealing(w.key)
	if err != nil {
		return nil, err
	}
	body := bytes.Clone(token[wrapHeader:])
	if len(body) > 0 {
		rrc %= len(body)
		body = append(body[rrc:], body[:rrc]...)
	}
	var message []byte
	if flags&flagSealed != 0 {
		message, err = w.unseal(kind, body, token[:wrapHeader], ec)
	} else {
		message, err = w.verify(kind, body, token[:wrapHeader], ec)
	}
	if err == nil {
		w.recvSeq++
	}
	return message, err
}

func (w *wrapping) unseal(kind etype.EType, body, header []byte, ec int) ([]byte, error) {
	// Below this length the library would read outside of the message.
	if len(body) < kind.GetConfounderByteSize()+wrapHeader+kind.GetHMACBitLength()/8 {
		return nil, fmt.Errorf("%w: a sealed message of %d bytes", ErrIntegrity, len(body))
	}
	var plain []byte
	err := guard(func() (err error) {
		plain, err = kind.DecryptMessage(w.key.KeyValue, body, usageAcceptor)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrIntegrity, err)
	}
	end := len(plain) - wrapHeader - ec
	if end < 0 {
		return nil, fmt.Errorf("%w: %d bytes of filling in %d", ErrIntegrity, ec, len(plain))
	}
	// The header is sealed, too, but for the rotation count.
	inner := plain[len(plain)-wrapHeader:]
	if !bytes.Equal(inner[:6], header[:6]) || !bytes.Equal(inner[8:], header[8:]) {
		return nil, fmt.Errorf("%w: the header was changed", ErrIntegrity)
	}
	return plain[:end], nil
}

func (w *wrapping) verify(kind etype.EType, body, header []byte, ec int) ([]byte, error) {
	if ec > len(body) || ec != kind.GetHMACBitLength()/8 {
		return nil, fmt.Errorf("%w: a checksum of %d bytes, expected %d", ErrIntegrity, ec, kind.GetHMACBitLength()/8)
	}
	message, sum := body[:len(body)-ec], body[len(body)-ec:]
	plain := bytes.Clone(header)
	copy(plain[4:8], []byte{0, 0, 0, 0})
	want, err := kind.GetChecksumHash(w.key.KeyValue, slices.Concat(message, plain), usageAcceptor)
	if err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare(sum, want) != 1 {
		return nil, ErrIntegrity
	}
	return message, nil
}
