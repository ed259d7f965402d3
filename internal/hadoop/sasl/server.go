package sasl

import (
	"crypto/md5"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"
)

// DigestServer is the other side of DIGEST-MD5, for the fake servers that tests run against. It is proven against the client
// side, which is proven against the JDK's server.
type DigestServer struct {
	nonce   string
	uri     string
	offered []QOP
	ciphers []string
	qop     QOP
	user    string
	protection
}

// NewDigestServer makes a server for the digest-uri "protocol/server" with the given levels and, for AuthConf, ciphers.
func NewDigestServer(protocol, server string, offered []QOP, cipherNames ...string) *DigestServer {
	b := make([]byte, 24)
	// crypto/rand.Read never fails on the supported platforms.
	_, _ = rand.Read(b)
	if len(cipherNames) == 0 {
		cipherNames = ciphers
	}
	return &DigestServer{nonce: base64.StdEncoding.EncodeToString(b), uri: protocol + "/" + server, offered: offered, ciphers: cipherNames}
}

// Challenge is the first message.
func (s *DigestServer) Challenge() []byte {
	var qops []string
	for _, q := range s.offered {
		qops = append(qops, q.String())
	}
	return fmt.Appendf(nil, `realm="default",nonce=%s,qop=%s,charset=utf-8,cipher=%s,algorithm=md5-sess`,
		quote(s.nonce), quote(strings.Join(qops, ",")), quote(strings.Join(s.ciphers, ",")))
}

// Accept checks the client's response and gives the final message. password gives the password of a user.
func (s *DigestServer) Accept(response []byte, password func(user string) (string, bool)) ([]byte, error) {
	list, err := directives(string(response))
	if err != nil {
		return nil, err
	}
	f := map[string]string{}
	for _, d := range list {
		f[d[0]] = d[1]
	}
	qops := parseQOPs(f["qop"])
	if len(qops) != 1 || f["nonce"] != s.nonce || f["nc"] != "00000001" || f["digest-uri"] != s.uri {
		return nil, fmt.Errorf("%w: %q", ErrProtocol, response)
	}
	if s.qop, err = Supported(qops, s.offered); err != nil {
		return nil, err
	}
	secret, ok := password(f["username"])
	x := exchange{user: f["username"], password: secret, realm: f["realm"], nonce: s.nonce, cnonce: f["cnonce"], uri: s.uri, qop: s.qop}
	ha1 := x.ha1()
	if !ok || subtle.ConstantTimeCompare([]byte(x.response(ha1, "AUTHENTICATE")), []byte(f["response"])) != 1 {
		return nil, fmt.Errorf("%w: wrong response of user %q", ErrProtocol, f["username"])
	}
	s.user = f["username"]
	if s.protection, err = newProtection([md5.Size]byte(ha1), s.qop, f["cipher"], false); err != nil {
		return nil, err
	}
	return []byte("rspauth=" + x.response(ha1, "")), nil
}

// QOP is the level agreed on.
func (s *DigestServer) QOP() QOP { return s.qop }

// User is who authenticated: for a token the base64 of its identifier.
func (s *DigestServer) User() string { return s.user }
