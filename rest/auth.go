package rest

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// minToken is the shortest token accepted, in characters: 128 bits in hexadecimal.
const minToken = 32

// proxyUserCookie is set by YARN's web proxy on each request it forwards: the user it has seen (WebAppProxyServlet).
const proxyUserCookie = "proxy-user"

// principal is who sent a request.
type principal struct {
	// view and modify are what the sender may do.
	view, modify bool
	// user is whom YARN's web proxy or the Identifier has seen; empty for who has the token.
	user string
	// proxied tells that the request came through YARN's web proxy. All applications share its origin, so that a page of another
	// one could have sent it: nothing is changed that way.
	proxied bool
	// reader tells that it was the token for reading.
	reader bool
	// ticket tells that the Identifier has seen the user. Browsers show tickets by themselves, whosever page makes them ask.
	ticket bool
}

// owner may do everything: has the token, or nobody needs one.
var owner = principal{view: true, modify: true}

type principalKey struct{}

// authenticator tells who sent a request.
type authenticator struct {
	noAuth bool
	// token is a digest of the owner's token, so that comparing takes the same time whatever is sent.
	token [sha256.Size]byte
	// readToken is a digest of the one that lets read.
	readToken  [sha256.Size]byte
	proxies    *proxyHosts
	authoriser Authoriser
	identifier Identifier
	log        *slog.Logger
}

func newAuthenticator(o Options) (*authenticator, error) {
	if o.NoAuth {
		return &authenticator{noAuth: true}, nil
	}
	if len(o.Token) < minToken {
		return nil, fmt.Errorf("rest server: the owner's token has %d characters, expected at least %d; set security.rest.auth: none to serve without", len(o.Token), minToken)
	}
	a := &authenticator{token: sha256.Sum256([]byte(o.Token)), readToken: sha256.Sum256([]byte(ReadToken(o.Token))), proxies: newProxyHosts(o.ProxyHosts, o.Lookup, o.Log),
		authoriser: o.Authoriser, identifier: o.Identifier, log: o.Log}
	if a.authoriser == nil {
		a.authoriser = everybodyReads{}
	}
	return a, nil
}

var errNoToken = errors.New("the request has no token")

// identify tells who sent the request, or why nobody who may look did.
func (a *authenticator) identify(w http.ResponseWriter, r *http.Request) (principal, error) {
	if a.noAuth {
		return owner, nil
	}
	reading := r.Method == http.MethodGet || r.Method == http.MethodHead
	if header := r.Header.Get("Authorization"); header != "" {
		scheme, value, _ := strings.Cut(header, " ")
		if strings.EqualFold(scheme, "Bearer") {
			value = strings.TrimSpace(value)
			if a.tokenIs(value) {
				return owner, nil
			}
			if !digestIs(a.readToken, value) {
				return principal{}, errors.New("the token is not the owner's")
			}
			if !reading {
				return principal{}, errors.New("the token is one for reading")
			}
			return principal{view: true, reader: true}, nil
		}
		// A browser can be given the token as a password. It would send it along with requests other sites make, so it
		// opens what can be read, never what changes something.
		if _, password, ok := r.BasicAuth(); ok {
			if a.tokenIs(password) && reading {
				return principal{view: true}, nil
			}
			return principal{}, errors.New("the password is not the owner's token, or the request is not for reading")
		}
		if a.identifier != nil && strings.EqualFold(scheme, a.identifier.Scheme()) {
			user, err := a.identifier.Identify(w, r)
			if errors.Is(err, fs.ErrPermission) {
				return principal{}, &Error{Status: http.StatusForbidden, Message: err.Error()}
			}
			if err != nil {
				return principal{}, err
			}
			return a.authorise(r.Context(), principal{user: user, ticket: true})
		}
		return principal{}, fmt.Errorf("the Authorization scheme %.20q is not Bearer", scheme)
	}
	if !reading || !a.proxies.contains(r.Context(), peerAddress(r)) {
		return principal{}, errNoToken
	}
	// The machine of the proxy has other users than the proxy; what the proxy forwards names a user.
	cookie, err := r.Cookie(proxyUserCookie)
	if err != nil {
		return principal{}, errNoToken
	}
	// It is written as in a URL (URLEncoder of Java).
	user, err := url.QueryUnescape(cookie.Value)
	if err != nil || user == "" {
		return principal{}, errNoToken
	}
	return a.authorise(r.Context(), principal{user: user, proxied: true})
}

func (a *authenticator) tokenIs(sent string) bool { return digestIs(a.token, sent) }

func digestIs(want [sha256.Size]byte, sent string) bool {
	digest := sha256.Sum256([]byte(sent))
	return hmac.Equal(digest[:], want[:])
}

// ReadToken is the token with which a program may read and change nothing, such as one that scrapes metrics. It is made of the
// owner's token; that one can not be found out from it.
func ReadToken(owner string) string {
	mac := hmac.New(sha256.New, []byte(owner))
	mac.Write([]byte("weft: token for reading"))
	return hex.EncodeToString(mac.Sum(nil))
}

// peerAddress is the address at the other end of the connection. Headers such as X-Forwarded-For are not believed.
func peerAddress(r *http.Request) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap().WithZone("")
}

// authenticated lets pass who may look, and leaves word who it is for checkModify.
func (s *Server) authenticated(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, err := s.auth.identify(w, r)
		if known := (*Error)(nil); errors.As(err, &known) {
			s.log.Debug("request refused", "method", r.Method, "path", r.URL.Path, "peer", r.RemoteAddr, "reason", err)
			hangUp(w)
			writeErrors(w, known.Status, known.Message)
			return
		}
		if err != nil {
			s.refuse(w, r, err)
			return
		}
		known(r)
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), principalKey{}, who)))
	})
}

// refuse answers 401. Browsers are offered to ask for a password; programs are not.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, reason error) {
	s.log.Debug("request refused", "method", r.Method, "path", r.URL.Path, "peer", r.RemoteAddr, "reason", reason)
	if id := s.auth.identifier; id != nil && w.Header().Get("WWW-Authenticate") == "" {
		w.Header().Add("WWW-Authenticate", id.Scheme())
	}
	if strings.Contains(r.Header.Get("Accept"), "text/html") {
		w.Header().Add("WWW-Authenticate", `Basic realm="weft: any user name, the owner's token as password", charset="UTF-8"`)
	}
	w.Header().Add("WWW-Authenticate", `Bearer realm="weft"`)
	hangUp(w)
	writeErrors(w, http.StatusUnauthorized, unauthorized(reason.Error()))
}

// hangUp ends the connection with the answer: who is refused keeps none, and a body that is still to come is waited for no longer
// than headers are.
func hangUp(w http.ResponseWriter) {
	w.Header().Set("Connection", "close")
	// It fails where there is no connection, in tests.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(readHeaderTimeout))
}

func unauthorized(reason string) string {
	return reason + "; send Authorization: Bearer TOKEN with the owner's token (~/.weft/CLUSTER/token of the user who started the cluster; without YARN what jobmanager.sh token prints), or open the page through YARN's web proxy, which may read"
}

// refuseTicket refuses a GET that does something and came with a ticket: browsers do not tell us which site made them send a GET to a
// server without TLS. What can be sent instead names its origin.
func refuseTicket(r *http.Request, instead string) error {
	who, _ := r.Context().Value(principalKey{}).(principal)
	if !who.ticket || r.Method != http.MethodGet {
		return nil
	}
	return &Error{Status: http.StatusForbidden,
		Message: fmt.Sprintf("with a Kerberos ticket GET %s does nothing, as a page of another site could have made a browser send it; send %s", r.URL.Path, instead)}
}

// checkModify refuses who may only look.
func (s *Server) checkModify(r *http.Request) error {
	who, _ := r.Context().Value(principalKey{}).(principal)
	if who.modify {
		return nil
	}
	reason := "the request is not for reading and its token was not sent as Bearer"
	switch {
	case who.reader:
		reason = "the request is not for reading and the token sent is one for reading"
	case who.proxied:
		reason = fmt.Sprintf("YARN's web proxy sent this for user %.64q, who may read only", who.user)
	case who.user != "":
		return forbidden(who.user, "change", modifyMend)
	}
	return &Error{Status: http.StatusUnauthorized, Message: unauthorized(reason)}
}
