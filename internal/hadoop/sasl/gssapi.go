package sasl

import (
	"bytes"
	"crypto/rand"
	"encoding/asn1"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/jcmturner/gokrb5/v8/crypto"
	"github.com/jcmturner/gokrb5/v8/iana"
	"github.com/jcmturner/gokrb5/v8/iana/flags"
	"github.com/jcmturner/gokrb5/v8/iana/keyusage"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"
)

// GSSAPIName is the name of the mechanism that Kerberos uses.
const GSSAPIName = "GSSAPI"

// gssReceive is the largest wrapped message that we announce to take. Java's server ignores it above.
const gssReceive = 1<<24 - 1

// ErrMutual marks a server that did not prove that it holds the key of its principal.
var ErrMutual = errors.New("the server could not prove its Kerberos identity")

// kerberosOID is 1.2.840.113554.1.2.2 in DER.
var kerberosOID = []byte{0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02}

// Flags of the context that is asked for (RFC 4121 section 4.1.1).
const gssFlags = 2 /* mutual */ | 4 /* replay */ | 8 /* sequence */ | 16 /* confidentiality */ | 32 /* integrity */

// GSSConfig says who authenticates, with which ticket.
type GSSConfig struct {
	Ticket      messages.Ticket
	SessionKey  types.EncryptionKey
	ClientRealm string
	Client      types.PrincipalName
	// Allowed are the levels of protection, the preferred one first; none is Auth.
	Allowed []QOP
	// Now is the clock; nil takes time.Now.
	Now func() time.Time
}

// gssStage is how far an exchange has come.
type gssStage int

const (
	gssNew    gssStage = iota
	gssAsked           // the AP-REQ is out
	gssProven          // the AP-REP was right
	gssChosen          // the security layer is chosen
	gssDone
)

// GSSAPI is the client side of the mechanism (RFC 4752 over RFC 4121): mutual authentication, then the choice of a layer.
type GSSAPI struct {
	cfg   GSSConfig
	auth  types.Authenticator
	stage gssStage
	qop   QOP
	wrapping
}

// NewGSSAPI starts an exchange.
func NewGSSAPI(cfg GSSConfig) *GSSAPI {
	if len(cfg.Allowed) == 0 {
		cfg.Allowed = []QOP{Auth}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &GSSAPI{cfg: cfg}
}

// Name implements Mechanism.
func (g *GSSAPI) Name() string { return GSSAPIName }

// QOP implements Mechanism.
func (g *GSSAPI) QOP() QOP { return g.qop }

// Start implements Mechanism: it gives the AP-REQ.
func (g *GSSAPI) Start([]byte) (token []byte, err error) {
	if g.stage != gssNew {
		return nil, fmt.Errorf("%w: second start", ErrProtocol)
	}
	err = guard(func() error {
		token, err = g.request()
		return err
	})
	g.stage = gssAsked
	return token, err
}

// request makes the AP-REQ: with a key for this connection only, and with the flags as its checksum.
func (g *GSSAPI) request() ([]byte, error) {
	kind, err := crypto.GetEtype(g.cfg.SessionKey.KeyType)
	if err != nil {
		return nil, err
	}
	secret := make([]byte, kind.GetKeyByteSize()+4)
	_, _ = rand.Read(secret) // never fails on the supported platforms
	subkey := types.EncryptionKey{KeyType: g.cfg.SessionKey.KeyType, KeyValue: secret[4:]}
	sum := make([]byte, 24)
	binary.LittleEndian.PutUint32(sum, 16) // the length of channel bindings, which are none
	binary.LittleEndian.PutUint32(sum[20:], gssFlags)
	now := g.cfg.Now().UTC()
	g.auth = types.Authenticator{AVNO: iana.PVNO, CRealm: g.cfg.ClientRealm, CName: g.cfg.Client,
		Cksum: types.Checksum{CksumType: 0x8003, Checksum: sum}, Cusec: now.Nanosecond() / 1000, CTime: now.Truncate(time.Second),
		SubKey: subkey, SeqNumber: int64(binary.BigEndian.Uint32(secret) >> 2)}
	req, err := messages.NewAPReq(g.cfg.Ticket, g.cfg.SessionKey, g.auth)
	if err != nil {
		return nil, err
	}
	types.SetFlag(&req.APOptions, flags.APOptionMutualRequired)
	b, err := req.Marshal()
	if err != nil {
		return nil, err
	}
	g.wrapping = wrapping{active: true, key: subkey, sendSeq: uint64(g.auth.SeqNumber)}
	return frameGSS(b), nil
}

// frameGSS puts the mechanism's name and the token's kind in front of an AP-REQ (RFC 2743 section 3.1).
func frameGSS(req []byte) []byte {
	inner := append(append(bytes.Clone(kerberosOID), 1, 0), req...)
	out, err := asn1.Marshal(asn1.RawValue{Class: asn1.ClassApplication, Tag: 0, IsCompound: true, Bytes: inner})
	if err != nil {
		return nil // a raw value always encodes
	}
	return out
}

// unframeGSS takes an AP-REP out of its token.
func unframeGSS(token []byte) ([]byte, error) {
	var outer asn1.RawValue
	rest, err := asn1.Unmarshal(token, &outer)
	if err != nil || len(rest) > 0 || outer.Class != asn1.ClassApplication || outer.Tag != 0 || !outer.IsCompound {
		return nil, fmt.Errorf("%w: %d bytes that are no GSS token", ErrProtocol, len(token))
	}
	inner, ok := bytes.CutPrefix(outer.Bytes, kerberosOID)
	if !ok || len(inner) < 2 {
		return nil, fmt.Errorf("%w: a GSS token of another mechanism than Kerberos", ErrProtocol)
	}
	switch kind := binary.BigEndian.Uint16(inner); kind {
	case 0x0200:
		return inner[2:], nil
	case 0x0300:
		var refused messages.KRBError
		if err := guard(func() error { return refused.Unmarshal(inner[2:]) }); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrProtocol, err)
		}
		return nil, fmt.Errorf("%w: the server answers %w", ErrMutual, refused)
	default:
		return nil, fmt.Errorf("%w: a GSS token of kind %04x, expected the server's proof", ErrProtocol, kind)
	}
}

// Step implements Mechanism.
func (g *GSSAPI) Step(challenge []byte) ([]byte, error) {
	switch g.stage {
	case gssAsked:
		if err := g.prove(challenge); err != nil {
			return nil, err
		}
		g.stage = gssProven
		return []byte{}, nil
	case gssProven:
		answer, err := g.choose(challenge)
		if err != nil {
			return nil, err
		}
		g.stage = gssChosen
		return answer, nil
	}
	return nil, fmt.Errorf("%w: unexpected challenge", ErrProtocol)
}

// prove checks the AP-REP: only who could read our ticket can have read the time in our request.
func (g *GSSAPI) prove(token []byte) error {
	raw, err := unframeGSS(token)
	if err != nil {
		return err
	}
	var part messages.EncAPRepPart
	err = guard(func() error {
		var rep messages.APRep
		if err := rep.Unmarshal(raw); err != nil {
			return err
		}
		b, err := crypto.DecryptEncPart(rep.EncPart, g.cfg.SessionKey, keyusage.AP_REP_ENCPART)
		if err != nil {
			return err
		}
		return part.Unmarshal(b)
	})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrMutual, err)
	}
	if !part.CTime.Equal(g.auth.CTime) || part.Cusec != g.auth.Cusec {
		return fmt.Errorf("%w: its proof belongs to another request", ErrMutual)
	}
	g.recvSeq = uint64(uint32(part.SequenceNumber))
	if len(part.Subkey.KeyValue) > 0 {
		if _, err := newSealing(part.Subkey); err != nil {
			return err
		}
		g.key, g.acceptorKey = part.Subkey, true
	}
	return nil
}

// choose answers the server's list of security layers (RFC 4752 section 3.1).
func (g *GSSAPI) choose(token []byte) ([]byte, error) {
	offer, err := g.wrapping.open(token, false)
	if err != nil {
		return nil, err
	}
	if len(offer) != 4 {
		return nil, fmt.Errorf("%w: a list of security layers of %d bytes, expected 4", ErrProtocol, len(offer))
	}
	var offered []QOP
	for q, bit := range map[QOP]byte{Auth: 1, AuthInt: 2, AuthConf: 4} {
		if offer[0]&bit != 0 {
			offered = append(offered, q)
		}
	}
	if g.qop, err = Supported(g.cfg.Allowed, offered); err != nil {
		return nil, err
	}
	answer := []byte{1 << g.qop, 0, 0, 0}
	if g.qop != Auth {
		answer[1], answer[2], answer[3] = gssReceive>>16&0xff, gssReceive>>8&0xff, gssReceive&0xff
	}
	return g.wrapping.seal(answer, false)
}

// Finish implements Mechanism.
func (g *GSSAPI) Finish(token []byte) error {
	if g.stage != gssChosen || len(token) > 0 {
		return fmt.Errorf("%w: the server ended the exchange early", ErrMutual)
	}
	g.stage = gssDone
	return nil
}

// Wrap implements Mechanism.
func (g *GSSAPI) Wrap(message []byte) ([]byte, error) {
	if g.stage != gssDone || g.qop == Auth {
		return nil, errPlain
	}
	return g.wrapping.seal(message, g.qop == AuthConf)
}

// Unwrap implements Mechanism.
func (g *GSSAPI) Unwrap(wrapped []byte) ([]byte, error) {
	if g.stage != gssDone || g.qop == Auth {
		return nil, errPlain
	}
	return g.wrapping.open(wrapped, g.qop == AuthConf)
}

// guard turns a panic of the decoder of foreign bytes into an error: gokrb5 does not check all lengths.
func guard(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", ErrProtocol, r)
		}
	}()
	return f()
}
