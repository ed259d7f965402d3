package sasl

import (
	"crypto/md5"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"
)

// DigestMD5 is the name of the mechanism that tokens use.
const DigestMD5 = "DIGEST-MD5"

// clientMaxbuf is the largest wrapped message that we announce to take. The JDK's server ignores it above; so do we.
const clientMaxbuf = 65536

// DigestConfig says who authenticates to whom. Make one for a token with TokenDigest.
type DigestConfig struct {
	User     string
	Password string
	// Protocol and Server make the digest-uri "Protocol/Server".
	Protocol string
	Server   string
	// Allowed are the levels of protection, the preferred one first.
	Allowed []QOP
	// Ciphers of privacy to take, the preferred one first; else the first of the server's that is implemented is taken.
	Ciphers []string
	// Random is where the client's nonce comes from; nil takes crypto/rand.
	Random io.Reader
}

// TokenDigest is the configuration for a Hadoop token. protocol and server are those of the server's offer.
func TokenDigest(identifier, password []byte, protocol, server string, allowed []QOP) DigestConfig {
	return DigestConfig{
		User:     base64.StdEncoding.EncodeToString(identifier),
		Password: base64.StdEncoding.EncodeToString(password),
		Protocol: protocol, Server: server, Allowed: allowed,
	}
}

// Digest is the client side of DIGEST-MD5.
type Digest struct {
	cfg  DigestConfig
	want string // the rspauth that the server must send
	done bool
	qop  QOP
	protection
}

// NewDigest starts an exchange.
func NewDigest(cfg DigestConfig) *Digest {
	if cfg.Random == nil {
		cfg.Random = rand.Reader
	}
	if len(cfg.Allowed) == 0 {
		cfg.Allowed = []QOP{Auth}
	}
	return &Digest{cfg: cfg}
}

// Name implements Mechanism.
func (d *Digest) Name() string { return DigestMD5 }

// QOP implements Mechanism.
func (d *Digest) QOP() QOP { return d.qop }

// Start implements Mechanism; the challenge is needed.
func (d *Digest) Start(raw []byte) ([]byte, error) {
	if d.want != "" {
		return nil, fmt.Errorf("%w: second digest challenge", ErrProtocol)
	}
	c, err := parseChallenge(raw)
	if err != nil {
		return nil, err
	}
	if d.qop, err = Supported(d.cfg.Allowed, c.qops); err != nil {
		return nil, err
	}
	cipherName := ""
	if d.qop == AuthConf {
		if cipherName, err = pickCipher(c.ciphers, d.cfg.Ciphers); err != nil {
			return nil, err
		}
	}
	nonce := make([]byte, 24)
	if _, err := io.ReadFull(d.cfg.Random, nonce); err != nil {
		return nil, fmt.Errorf("client nonce: %w", err)
	}
	realm := "default"
	if len(c.realms) > 0 {
		realm = c.realms[0]
	}
	x := exchange{
		user: d.cfg.User, password: d.cfg.Password, realm: realm, nonce: c.nonce,
		cnonce: base64.StdEncoding.EncodeToString(nonce), uri: d.cfg.Protocol + "/" + d.cfg.Server, qop: d.qop,
	}
	ha1 := x.ha1()
	d.want = x.response(ha1, "")
	d.protection, err = newProtection(ha1, d.qop, cipherName, true)
	if err != nil {
		return nil, err
	}
	return []byte(x.message(x.response(ha1, "AUTHENTICATE"), cipherName)), nil
}

// Step implements Mechanism: a server that sends rspauth as a further challenge gets an empty answer.
func (d *Digest) Step(challenge []byte) ([]byte, error) {
	if d.want == "" {
		return d.Start(challenge)
	}
	if err := d.Finish(challenge); err != nil {
		return nil, err
	}
	return []byte{}, nil
}

// Finish implements Mechanism: it checks rspauth, which proves that the server knows the password.
func (d *Digest) Finish(token []byte) error {
	if d.done && len(token) == 0 {
		return nil
	}
	if d.want == "" {
		return fmt.Errorf("%w: success before the challenge", ErrServer)
	}
	if len(token) > maxChallenge {
		return fmt.Errorf("%w: %d bytes", ErrProtocol, len(token))
	}
	list, err := directives(string(token))
	if err != nil {
		return err
	}
	for _, e := range list {
		if e[0] == "rspauth" && subtle.ConstantTimeCompare([]byte(e[1]), []byte(d.want)) == 1 {
			d.done = true
			return nil
		}
	}
	return ErrServer
}

// exchange holds what both sides compute the digest from.
type exchange struct {
	user, password, realm, nonce, cnonce, uri string
	qop                                       QOP
}

// ha1 is H(A1) of RFC 2831 section 2.1.2.1.
func (x exchange) ha1() [md5.Size]byte {
	inner := md5.Sum([]byte(x.user + ":" + x.realm + ":" + x.password))
	return md5.Sum(append(inner[:], (":" + x.nonce + ":" + x.cnonce)...))
}

// response is the response of the client (method AUTHENTICATE) or the rspauth of the server (empty method).
func (x exchange) response(ha1 [md5.Size]byte, method string) string {
	a2 := method + ":" + x.uri
	if x.qop != Auth {
		a2 += ":" + strings.Repeat("0", 32)
	}
	ha2 := md5.Sum([]byte(a2))
	sum := md5.Sum([]byte(hex.EncodeToString(ha1[:]) + ":" + x.nonce + ":00000001:" + x.cnonce + ":" + x.qop.String() + ":" + hex.EncodeToString(ha2[:])))
	return hex.EncodeToString(sum[:])
}

// message is the digest-response.
func (x exchange) message(response, cipher string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `charset=utf-8,username=%s,realm=%s,nonce=%s,nc=00000001,cnonce=%s,digest-uri=%s,maxbuf=%d,response=%s,qop=%s`,
		quote(x.user), quote(x.realm), quote(x.nonce), quote(x.cnonce), quote(x.uri), clientMaxbuf, response, x.qop)
	if cipher != "" {
		fmt.Fprintf(&b, `,cipher=%s`, quote(cipher))
	}
	return b.String()
}

// pickCipher takes the first cipher of the client's list that the server offers, else the first of the server's list that is
// implemented here.
func pickCipher(offered, wanted []string) (string, error) {
	for _, c := range wanted {
		if slices.Contains(ciphers, c) && slices.Contains(offered, c) {
			return c, nil
		}
	}
	for _, c := range offered {
		if slices.Contains(ciphers, c) {
			return c, nil
		}
	}
	return "", fmt.Errorf("%w: the server's ciphers are %v, expected one of %v", ErrQOP, offered, ciphers)
}
