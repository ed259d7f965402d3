package sasl

import (
	"crypto/cipher"
	"crypto/des"
	"crypto/hmac"
	"crypto/md5"
	"crypto/rc4"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
)

// ciphers are those of auth-conf that are implemented.
var ciphers = []string{"rc4", "3des"}

const (
	macLen = 10
	// trailer is message type (2 bytes, 1) and sequence number (4 bytes).
	trailer = 6

	signClient = "Digest session key to client-to-server signing key magic constant"
	signServer = "Digest session key to server-to-client signing key magic constant"
	sealClient = "Digest H(A1) to client-to-server sealing key magic constant"
	sealServer = "Digest H(A1) to server-to-client sealing key magic constant"
)

// protection wraps and unwraps by RFC 2831 sections 2.3 and 2.4. The zero value refuses both.
type protection struct {
	send, recv direction
}

// direction is one way of the conversation.
type direction struct {
	active bool
	key    [md5.Size]byte
	seq    uint32
	// crypt seals or opens in place; nil with integrity only. block is the cipher's block length, 1 for a stream cipher.
	crypt func(b []byte)
	block int
}

// newProtection derives the keys. client tells which side we are.
func newProtection(ha1 [md5.Size]byte, qop QOP, cipherName string, client bool) (protection, error) {
	var p protection
	if qop == Auth {
		return p, nil
	}
	derive := func(magic string) [md5.Size]byte { return md5.Sum(append(ha1[:len(ha1):len(ha1)], magic...)) }
	toServer := direction{active: true, key: derive(signClient), block: 1}
	toClient := direction{active: true, key: derive(signServer), block: 1}
	if qop == AuthConf {
		var err error
		if toServer.crypt, toServer.block, err = newCipher(cipherName, derive(sealClient), client); err != nil {
			return p, err
		}
		if toClient.crypt, toClient.block, err = newCipher(cipherName, derive(sealServer), !client); err != nil {
			return p, err
		}
	}
	if client {
		return protection{send: toServer, recv: toClient}, nil
	}
	return protection{send: toClient, recv: toServer}, nil
}

// newCipher gives a function that seals or opens in place. State runs on from message to message, in both ciphers.
func newCipher(name string, key [md5.Size]byte, seal bool) (crypt func([]byte), block int, err error) {
	switch name {
	case "rc4":
		c, err := rc4.NewCipher(key[:])
		if err != nil {
			return nil, 0, err
		}
		return func(b []byte) { c.XORKeyStream(b, b) }, 1, nil
	case "3des":
		k1, k2 := desKey(key[0:7]), desKey(key[7:14])
		c, err := des.NewTripleDESCipher(append(append(append([]byte{}, k1...), k2...), k1...))
		if err != nil {
			return nil, 0, err
		}
		mode := cipher.NewCBCDecrypter(c, key[8:])
		if seal {
			mode = cipher.NewCBCEncrypter(c, key[8:])
		}
		return func(b []byte) { mode.CryptBlocks(b, b) }, des.BlockSize, nil
	}
	return nil, 0, fmt.Errorf("%w: cipher %q", ErrQOP, name)
}

// desKey spreads 56 bits over 8 bytes, seven to each, and sets the parity bits.
func desKey(k []byte) []byte {
	var v uint64
	for _, b := range k {
		v = v<<8 | uint64(b)
	}
	out := make([]byte, 8)
	for i := range out {
		b := byte(v>>(49-7*i)) << 1
		if bits.OnesCount8(b)%2 == 0 {
			b |= 1
		}
		out[i] = b
	}
	return out
}

func (d *direction) mac(message []byte, seq uint32) []byte {
	h := hmac.New(md5.New, d.key[:])
	var n [4]byte
	binary.BigEndian.PutUint32(n[:], seq)
	h.Write(n[:])
	h.Write(message)
	return h.Sum(nil)[:macLen]
}

// errPlain is for a caller that wraps although nothing was agreed on.
var errPlain = errors.New("no protection was agreed on")

// Wrap implements Mechanism.
func (p *protection) Wrap(message []byte) ([]byte, error) {
	d := &p.send
	if !d.active {
		return nil, errPlain
	}
	pad := 0
	if d.block > 1 {
		pad = d.block - (len(message)+macLen)%d.block
	}
	out := make([]byte, 0, len(message)+pad+macLen+trailer)
	out = append(out, message...)
	for range pad {
		out = append(out, byte(pad))
	}
	out = append(out, d.mac(message, d.seq)...)
	if d.crypt != nil {
		d.crypt(out)
	}
	out = append(out, 0, 1)
	out = binary.BigEndian.AppendUint32(out, d.seq)
	d.seq++
	return out, nil
}

// Unwrap implements Mechanism.
func (p *protection) Unwrap(wrapped []byte) ([]byte, error) {
	d := &p.recv
	if !d.active {
		return nil, errPlain
	}
	body := len(wrapped) - trailer
	if body < macLen || d.crypt != nil && body%d.block != 0 {
		return nil, fmt.Errorf("%w: %d bytes are no wrapped message", ErrIntegrity, len(wrapped))
	}
	kind, seq := binary.BigEndian.Uint16(wrapped[body:]), binary.BigEndian.Uint32(wrapped[body+2:])
	if kind != 1 || seq != d.seq {
		return nil, fmt.Errorf("%w: message type %d number %d, expected type 1 number %d", ErrIntegrity, kind, seq, d.seq)
	}
	plain := append([]byte(nil), wrapped[:body]...)
	pad := 0
	if d.crypt != nil {
		d.crypt(plain)
		if d.block > 1 && body > macLen {
			// Checked below together with the MAC, so that a wrong padding is not told apart from a wrong MAC.
			pad = int(plain[body-macLen-1])
		}
	}
	ok := 1
	if d.block > 1 && (pad < 1 || pad > d.block || pad > body-macLen) {
		ok, pad = 0, 0
	}
	message, mac := plain[:body-macLen-pad], plain[body-macLen:]
	if ok&subtle.ConstantTimeCompare(mac, d.mac(message, seq)) != 1 {
		return nil, ErrIntegrity
	}
	d.seq++
	return message, nil
}
