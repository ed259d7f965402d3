package krb

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jcmturner/gokrb5/v8/keytab"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"
)

// maxNegotiate bounds a token in a header; tickets with many groups have some KiB. As text it has 16 KiB.
const maxNegotiate = 12 << 10

// Acceptor is the server side of Negotiate: it knows callers by their tickets for our HTTP principal. It is safe for use by
// several goroutines.
type Acceptor struct {
	table *keytab.Keytab
	rules *Rules
	// only, when it has components, is the one principal whose tickets are accepted.
	only Principal

	mu sync.Mutex
	// seen are the requests of the last minutes by who sent them, each with the time until which it could come again.
	seen  map[string]map[[sha256.Size]byte]time.Time
	swept time.Time
}

// maxSeen bounds the requests of one principal that are remembered: some thirty in a second. Whoever has a ticket of the realm, and
// perhaps no right here, must not fill our memory.
const maxSeen = 20_000

// NewAcceptor makes one from the key table with the keys of HTTP/host principals. principal, when not empty, is the only one of
// them whose tickets are accepted. rules give the user names.
func NewAcceptor(path, principal string, rules *Rules) (*Acceptor, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%w %s of the HTTP principal: %w", ErrKeytab, path, err)
	}
	a := &Acceptor{table: keytab.New(), rules: rules, seen: map[string]map[[sha256.Size]byte]time.Time{}}
	if err := guard(func() error { return a.table.Unmarshal(b) }); err != nil {
		return nil, fmt.Errorf("%w %s of the HTTP principal: not a key table of Kerberos: %w", ErrKeytab, path, err)
	}
	if principal != "" {
		if a.only, err = ParsePrincipal(principal, rules.defaultRealm); err != nil {
			return nil, err
		}
	}
	for _, e := range a.table.Entries {
		who := Principal{e.Principal.Components, e.Principal.Realm}
		if len(who.Components) == 2 && who.Components[0] == "HTTP" && a.meant(who) {
			return a, nil
		}
	}
	if principal != "" {
		return nil, fmt.Errorf("%w %s: it has no key of %s", ErrKeytab, path, a.only)
	}
	return nil, fmt.Errorf("%w %s: it has no key of a principal HTTP/host: make one for the host that callers name", ErrKeytab, path)
}

// Hosts are those whose keys are at hand and may be used, in lower case.
func (a *Acceptor) Hosts() []string {
	var out []string
	for _, e := range a.table.Entries {
		who := Principal{e.Principal.Components, e.Principal.Realm}
		if len(who.Components) != 2 || who.Components[0] != "HTTP" || !a.meant(who) {
			continue
		}
		if host := strings.ToLower(who.Components[1]); !slices.Contains(out, host) {
			out = append(out, host)
		}
	}
	return out
}

// meant tells whether tickets for a principal may be accepted.
func (a *Acceptor) meant(who Principal) bool {
	return len(a.only.Components) == 0 || a.only.Equal(who)
}

// Scheme is the word that requests have in Authorization.
func (a *Acceptor) Scheme() string { return Negotiate }

// Identify tells which user sent a request, by its header Authorization; it sets the header that the answer needs. The error is
// fs.ErrPermission for a good ticket of somebody who has no name here.
func (a *Acceptor) Identify(w http.ResponseWriter, r *http.Request) (user string, err error) {
	scheme, text, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, Negotiate) || len(text) > base64.StdEncoding.EncodedLen(maxNegotiate) {
		return "", fmt.Errorf("%w: expected the header Authorization: %s", errNegotiate, Negotiate)
	}
	token, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if err != nil {
		return "", fmt.Errorf("%w: %w", errNegotiate, err)
	}
	who, err := a.Accept(token)
	if err != nil {
		return "", err
	}
	if user, err = a.rules.Name(who); err != nil {
		return "", fmt.Errorf("%w: %w", fs.ErrPermission, err)
	}
	w.Header().Set("WWW-Authenticate", acceptCompleted)
	return user, nil
}

// Accept checks a token and tells whose it is. Each token is accepted once.
func (a *Acceptor) Accept(token []byte) (Principal, error) {
	raw, err := unwrapNegotiate(token)
	if err != nil {
		return Principal{}, err
	}
	var req messages.APReq
	err = guard(func() error {
		if err := req.Unmarshal(raw); err != nil {
			return err
		}
		service := principalOf(req.Ticket.SName, req.Ticket.Realm)
		if len(service.Components) != 2 || service.Components[0] != "HTTP" {
			return fmt.Errorf("a ticket for %s, expected one for an HTTP service", service)
		}
		if !a.meant(service) {
			return fmt.Errorf("a ticket for %s, expected one for %s", service, a.only)
		}
		ok, err := req.Verify(a.table, allowedSkew, types.HostAddress{}, nil)
		if err == nil && !ok {
			err = ErrRefused
		}
		return err
	})
	if err != nil {
		return Principal{}, fmt.Errorf("kerberos ticket of a caller: %w", err)
	}
	part := &req.Ticket.DecryptedEncPart
	who := principalOf(part.CName, part.CRealm)
	if !who.named() || req.Authenticator.CRealm != part.CRealm {
		return Principal{}, fmt.Errorf("kerberos ticket of a caller: it is of %s, the request of realm %q", who, req.Authenticator.CRealm)
	}
	if err := a.first(who, &req.Authenticator); err != nil {
		return Principal{}, err
	}
	return who, nil
}

// first fails for a request that is not new, and remembers one for as long as its time counts.
func (a *Acceptor) first(who Principal, auth *types.Authenticator) error {
	now := time.Now()
	name := who.String()
	key := sha256.Sum256(fmt.Appendf(nil, "%d %d %d %x", auth.CTime.Unix(), auth.Cusec, auth.SubKey.KeyType, auth.SubKey.KeyValue))
	a.mu.Lock()
	defer a.mu.Unlock()
	if now.Sub(a.swept) > allowedSkew {
		a.sweep(now)
	}
	own := a.seen[name]
	if own == nil {
		own = map[[sha256.Size]byte]time.Time{}
		a.seen[name] = own
	}
	switch _, again := own[key]; {
	case again:
		return fmt.Errorf("kerberos ticket of %s: the request came before; a stolen one is not accepted again", who)
	case len(own) >= maxSeen:
		return fmt.Errorf("kerberos ticket of %s: more than %d requests within %v; wait for some minutes", who, maxSeen, 2*allowedSkew)
	}
	own[key] = now.Add(2 * allowedSkew)
	return nil
}

// sweep forgets requests that cannot come again: their time is over. REQUIRES: mu is held.
func (a *Acceptor) sweep(now time.Time) {
	a.swept = now
	for name, own := range a.seen {
		for key, until := range own {
			if now.After(until) {
				delete(own, key)
			}
		}
		if len(own) == 0 {
			delete(a.seen, name)
		}
	}
}
