package sasl

import (
	"errors"
	"fmt"
	"strings"
)

// QOP is a level of protection.
type QOP int

// The levels, in growing strength. Hadoop's names for them are authentication, integrity and privacy.
const (
	Auth QOP = iota
	AuthInt
	AuthConf
)

// String gives the name that SASL uses.
func (q QOP) String() string {
	switch q {
	case Auth:
		return "auth"
	case AuthInt:
		return "auth-int"
	case AuthConf:
		return "auth-conf"
	}
	return fmt.Sprintf("qop(%d)", int(q))
}

// ParseProtection reads a value of hadoop.rpc.protection or dfs.data.transfer.protection: a comma list of authentication,
// integrity and privacy, in order of preference. An empty text means authentication.
func ParseProtection(text string) ([]QOP, error) {
	var out []QOP
	for _, word := range strings.Split(text, ",") {
		switch strings.ToLower(strings.TrimSpace(word)) {
		case "":
		case "authentication":
			out = append(out, Auth)
		case "integrity":
			out = append(out, AuthInt)
		case "privacy":
			out = append(out, AuthConf)
		default:
			return nil, fmt.Errorf("protection %q: expected authentication, integrity or privacy", strings.TrimSpace(word))
		}
	}
	if len(out) == 0 {
		out = []QOP{Auth}
	}
	return out, nil
}

// Mechanism is the client side of one authentication exchange and of the protection that follows it. The exchange is used
// by one goroutine; afterwards Wrap and Unwrap may run at the same time as each other, but each in order, for both count
// messages.
type Mechanism interface {
	// Name is the SASL name: DIGEST-MD5, GSSAPI.
	Name() string
	// Start gives the first message. challenge is what the server sent along with its offer, nil when it sent nothing.
	Start(challenge []byte) (response []byte, err error)
	// Step answers a further challenge.
	Step(challenge []byte) (response []byte, err error)
	// Finish ends the exchange: token is what came with the server's success, nil when nothing came. It fails when the server
	// has not proven itself.
	Finish(token []byte) error
	// QOP is the protection agreed on, valid after Finish.
	QOP() QOP
	// Wrap protects one message; only with a QOP above Auth.
	Wrap(message []byte) ([]byte, error)
	// Unwrap checks and opens one protected message; only with a QOP above Auth.
	Unwrap(wrapped []byte) ([]byte, error)
}

// Errors of an exchange. Test with errors.Is.
var (
	// ErrProtocol marks a message that breaks the mechanism's rules.
	ErrProtocol = errors.New("malformed SASL message")
	// ErrServer marks a server that does not know the shared secret.
	ErrServer = errors.New("the server could not prove that it knows the token")
	// ErrIntegrity marks a protected message that was changed, dropped or repeated on its way.
	ErrIntegrity = errors.New("integrity check of a protected message failed")
	// ErrQOP marks that client and server allow no common level of protection.
	ErrQOP = errors.New("no common level of protection")
)

// Supported picks, in the client's order, the first level of want that the server offers.
func Supported(want, offered []QOP) (QOP, error) {
	for _, w := range want {
		for _, o := range offered {
			if w == o {
				return w, nil
			}
		}
	}
	return Auth, fmt.Errorf("%w: the server offers %v, this client allows %v (hadoop.rpc.protection)", ErrQOP, offered, want)
}
