package krb

import (
	"bytes"
	"context"
	"encoding/asn1"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Negotiate is the scheme of Kerberos in HTTP (RFC 4559), on both sides.
const Negotiate = "Negotiate"

// What browsers and Hadoop send: SPNEGO around a token of Kerberos, or that token alone.
var (
	oidSPNEGO   = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 2}
	oidKerberos = asn1.ObjectIdentifier{1, 2, 840, 113554, 1, 2, 2}
	// oidMSKerberos is what old Windows clients call it.
	oidMSKerberos = asn1.ObjectIdentifier{1, 2, 840, 48018, 1, 2, 2}
)

// negTokenInit is the first token of SPNEGO (RFC 4178).
type negTokenInit struct {
	Mechanisms []asn1.ObjectIdentifier `asn1:"explicit,tag:0"`
	Flags      asn1.BitString          `asn1:"optional,explicit,tag:1"`
	Token      []byte                  `asn1:"optional,omitempty,explicit,tag:2"`
	MIC        []byte                  `asn1:"optional,omitempty,explicit,tag:3"`
}

// acceptCompleted is the answer to it: accepted, Kerberos, nothing more to say.
var acceptCompleted = Negotiate + " oRQwEqADCgEAoQsGCSqGSIb3EgECAg=="

// Authorization gives the value of the header Authorization for a request to the web server of a host. Each request needs its own.
func (l *Login) Authorization(ctx context.Context, host string) (string, error) {
	realm := l.config.RealmOf(host)
	if realm == "" {
		realm = l.principal.Realm
	}
	exchange, err := l.Initiate(ctx, Principal{Components: []string{"HTTP", strings.ToLower(host)}, Realm: realm}, nil)
	if err != nil {
		return "", err
	}
	token, err := exchange.Start(nil)
	if err != nil {
		return "", err
	}
	inner, err := asn1.MarshalWithParams(negTokenInit{Mechanisms: []asn1.ObjectIdentifier{oidKerberos}, Token: token}, "explicit,tag:0")
	if err != nil {
		return "", err
	}
	name, err := asn1.Marshal(oidSPNEGO)
	if err != nil {
		return "", err
	}
	out, err := asn1.Marshal(asn1.RawValue{Class: asn1.ClassApplication, Tag: 0, IsCompound: true, Bytes: append(name, inner...)})
	return Negotiate + " " + base64.StdEncoding.EncodeToString(out), err
}

// errNegotiate marks a token that no Kerberos client sends.
var errNegotiate = errors.New("malformed Negotiate token")

// unwrapNegotiate takes the AP-REQ out of a token.
func unwrapNegotiate(token []byte) ([]byte, error) {
	name, inner, err := takeGSS(token)
	if err != nil {
		return nil, err
	}
	if name.Equal(oidSPNEGO) {
		var first negTokenInit
		if rest, err := asn1.UnmarshalWithParams(inner, &first, "explicit,tag:0"); err != nil || len(rest) > 0 {
			return nil, fmt.Errorf("%w: no first token of SPNEGO", errNegotiate)
		}
		kerberos := slices.ContainsFunc(first.Mechanisms, func(o asn1.ObjectIdentifier) bool { return o.Equal(oidKerberos) || o.Equal(oidMSKerberos) })
		if !kerberos || len(first.Token) == 0 {
			return nil, fmt.Errorf("%w: it offers no Kerberos (%v); NTLM is not spoken here", errNegotiate, first.Mechanisms)
		}
		if name, inner, err = takeGSS(first.Token); err != nil {
			return nil, err
		}
	}
	if !name.Equal(oidKerberos) || len(inner) < 2 || binary.BigEndian.Uint16(inner) != 0x0100 {
		return nil, fmt.Errorf("%w: mechanism %v, expected Kerberos", errNegotiate, name)
	}
	return inner[2:], nil
}

// takeGSS takes a GSS token apart: the mechanism's name and what follows.
func takeGSS(token []byte) (asn1.ObjectIdentifier, []byte, error) {
	if bytes.HasPrefix(token, []byte("NTLMSSP")) {
		return nil, nil, fmt.Errorf("%w: NTLM, which is not spoken here: the client has no Kerberos ticket", errNegotiate)
	}
	var outer asn1.RawValue
	rest, err := asn1.Unmarshal(token, &outer)
	if err != nil || len(rest) > 0 || outer.Class != asn1.ClassApplication || outer.Tag != 0 {
		return nil, nil, fmt.Errorf("%w: %d bytes", errNegotiate, len(token))
	}
	var name asn1.ObjectIdentifier
	inner, err := asn1.Unmarshal(outer.Bytes, &name)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", errNegotiate, err)
	}
	return name, inner, nil
}
