package rpc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	commonpb "github.com/weft-project/weft/internal/hadoop/proto/common"
	"github.com/weft-project/weft/internal/hadoop/sasl"
	"github.com/weft-project/weft/internal/hadoop/token"
)

// Authentication methods as servers name them.
const (
	MethodSimple   = "SIMPLE"
	MethodToken    = "TOKEN"
	MethodKerberos = "KERBEROS"
)

// Offer is one way to authenticate that a server offers.
type Offer struct {
	// Method is one of the constants above; Mechanism the SASL mechanism's name.
	Method, Mechanism string
	// Protocol and ServerID are the parts of the server's own name in the mechanism: for KERBEROS service and host of the
	// server's principal, which the client must check and not trust.
	Protocol, ServerID string
	challenge          []byte
	raw                *commonpb.RpcSasl_Auth
}

// Security says who the client is towards one service. It must not be changed once it is in use: connections are shared
// among calls with the same *Security. The zero value is an anonymous user without a token.
type Security struct {
	// User is the name given to servers that believe it (SIMPLE). Ignored by token connections: the token says who it is.
	User string
	// ProxyUser, when not empty, is for whom we act: the server must allow it (hadoop.proxyuser.…). Tokens allow it never.
	ProxyUser string
	// Token authenticates by TOKEN when not nil.
	Token *token.Token
	// Kerberos authenticates by KERBEROS when not nil: it makes the mechanism for one server. address is host:port as
	// dialled; it must check that the offer names the principal expected there.
	Kerberos func(ctx context.Context, address string, offer Offer) (sasl.Mechanism, error)
	// Protection are the levels allowed, the preferred first (hadoop.rpc.protection); empty means authentication only.
	Protection []sasl.QOP
	// RefuseSimple refuses a server that asks for no proof. Set it where the cluster is secured, so that a server cannot
	// talk the client down.
	RefuseSimple bool
}

// wantsSASL tells whether the connection opens with a negotiation.
func (s *Security) wantsSASL() bool { return s.Token != nil || s.Kerberos != nil || s.RefuseSimple }

// Session says what was agreed on when a connection was opened.
type Session struct {
	// Method is SIMPLE, TOKEN or KERBEROS; Mechanism the SASL mechanism, empty for SIMPLE.
	Method, Mechanism string
	// QOP is the protection of every frame.
	QOP sasl.QOP
}

// Conn is an opened connection. What is written must be whole frames of calls, each Write one or several of them; what is
// read is a stream of answer frames. Wrapping, where agreed on, is hidden. One goroutine may read and one write.
type Conn struct {
	net.Conn
	session Session
	mech    sasl.Mechanism
	pending []byte
	wmu     sync.Mutex
}

// Session tells what was agreed on.
func (c *Conn) Session() Session { return c.session }

// Open performs the opening of a Hadoop RPC connection on nc for the protocol (the Java interface's name): header,
// negotiation, connection context. address is host:port as dialled and is used in messages and for Kerberos. On error nc is closed.
func Open(ctx context.Context, nc net.Conn, address, protocol string, sec *Security) (*Conn, error) {
	stop := context.AfterFunc(ctx, func() { _ = nc.SetDeadline(time.Unix(1, 0)) })
	c, err := open(ctx, nc, address, protocol, sec)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		_ = nc.Close()
		if ctx.Err() != nil && !isRemote(err) {
			err = context.Cause(ctx)
		}
		return nil, &CallError{Addr: address, Protocol: shortName(protocol), Attempts: 1, Err: err}
	}
	return c, nil
}

func isRemote(err error) bool {
	var r *RemoteError
	return errors.As(err, &r)
}

// shortName drops the Java package and the suffix PB.
func shortName(protocol string) string {
	return strings.TrimSuffix(protocol[strings.LastIndexByte(protocol, '.')+1:], "PB")
}

func open(ctx context.Context, nc net.Conn, address, protocol string, sec *Security) (*Conn, error) {
	if sec == nil {
		sec = &Security{}
	}
	header := []byte{'h', 'r', 'p', 'c', 9, 0, 0}
	c := &Conn{Conn: nc, session: Session{Method: MethodSimple}}
	if sec.wantsSASL() {
		header[6] = 0xDF
		if err := writeAll(nc, header); err != nil {
			return nil, err
		}
		if err := c.negotiate(ctx, address, sec); err != nil {
			return nil, err
		}
		header = nil
	}
	ctxFrame, err := frame(requestHeader(callContext, nil, -1), connectionContext(protocol, c.session.Method, sec))
	if err != nil {
		return nil, err
	}
	if _, err := c.Write(append(header, ctxFrame...)); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBroken, err)
	}
	return c, nil
}

func writeAll(nc net.Conn, b []byte) error {
	if _, err := nc.Write(b); err != nil {
		return fmt.Errorf("%w: %w", ErrBroken, err)
	}
	return nil
}

// connectionContext names the protocol, for whom we act and, where it is believed, the user: a token connection must not name
// one, and with Kerberos the ticket tells.
func connectionContext(protocol, method string, sec *Security) *commonpb.IpcConnectionContext {
	info := &commonpb.UserInformation{}
	if method == MethodSimple && sec.User != "" {
		info.EffectiveUser = &sec.User
	}
	if sec.ProxyUser != "" && method != MethodToken {
		info.RealUser, info.EffectiveUser = info.EffectiveUser, &sec.ProxyUser
	}
	return &commonpb.IpcConnectionContext{UserInfo: info, Protocol: &protocol}
}

// negotiate runs the SASL exchange.
func (c *Conn) negotiate(ctx context.Context, address string, sec *Security) error {
	msg, err := c.saslRound(&commonpb.RpcSasl{State: commonpb.RpcSasl_NEGOTIATE.Enum()})
	if err != nil {
		return err
	}
	if msg.GetState() == commonpb.RpcSasl_SUCCESS {
		return simpleAllowed(sec)
	}
	if msg.GetState() != commonpb.RpcSasl_NEGOTIATE {
		return fmt.Errorf("%w: server answered %v to the negotiation", ErrHandshake, msg.GetState())
	}
	offer, mech, err := choose(ctx, address, sec, offers(msg))
	if err != nil {
		return err
	}
	if mech == nil {
		return c.initiateSimple(offer)
	}
	if err := c.exchange(mech, offer); err != nil {
		if offer.Method == MethodToken && errors.Is(err, ErrInvalidToken) {
			return fmt.Errorf("%w: %s", err, tokenStory(sec.Token))
		}
		if e, ok := mech.(explainer); ok && ctx.Err() == nil {
			if known := e.Explain(ctx, err); known != err {
				return fmt.Errorf("%w: %w", ErrHandshake, known)
			}
		}
		return err
	}
	c.session = Session{Method: offer.Method, Mechanism: mech.Name(), QOP: mech.QOP()}
	if mech.QOP() != sasl.Auth {
		c.mech = mech
	}
	return nil
}

// explainer is a mechanism that knows what a failed exchange means; it may give the error back as it is.
type explainer interface {
	Explain(ctx context.Context, err error) error
}

func simpleAllowed(sec *Security) error {
	if sec.RefuseSimple {
		return fmt.Errorf("%w: the server asks for no authentication, but this cluster is configured as secured (hadoop.security.authentication)", ErrHandshake)
	}
	return nil
}

// initiateSimple tells a server that offers it that we stay unauthenticated; it does not answer.
func (c *Conn) initiateSimple(offer Offer) error {
	b, err := frame(requestHeader(callSASL, nil, -1), &commonpb.RpcSasl{State: commonpb.RpcSasl_INITIATE.Enum(), Auths: []*commonpb.RpcSasl_Auth{offer.raw}})
	if err != nil {
		return err
	}
	return writeAll(c.Conn, b)
}

// tokenStory says of a token that was refused whose it is and how it stands.
func tokenStory(t *token.Token) string {
	d, err := t.Delegation()
	if err != nil {
		return "the server does not take this " + t.String()
	}
	text := fmt.Sprintf("the delegation token of %s (%s, made %s) has expired or was cancelled", d.Owner, t.Kind, d.Issued.Format(time.DateTime))
	if time.Now().After(d.Max) {
		text += fmt.Sprintf(", its longest life ended %s", d.Max.Format(time.DateTime))
	}
	return text + ": get a new one with a Kerberos ticket, or let a key table (security.kerberos.login.keytab) keep them new"
}

// exchange speaks one mechanism to its end.
func (c *Conn) exchange(mech sasl.Mechanism, offer Offer) error {
	response, err := mech.Start(offer.challenge)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrHandshake, err)
	}
	// The server compares the offer with its own, which has no challenge.
	raw := proto.CloneOf(offer.raw)
	raw.Challenge = nil
	out := &commonpb.RpcSasl{State: commonpb.RpcSasl_INITIATE.Enum(), Token: response, Auths: []*commonpb.RpcSasl_Auth{raw}}
	// GSSAPI needs three rounds; a server that never ends must not keep us.
	for range 10 {
		msg, err := c.saslRound(out)
		if err != nil {
			return err
		}
		switch msg.GetState() {
		case commonpb.RpcSasl_SUCCESS:
			if err := mech.Finish(msg.GetToken()); err != nil {
				return fmt.Errorf("%w: %w", ErrHandshake, err)
			}
			return nil
		case commonpb.RpcSasl_CHALLENGE:
			if response, err = mech.Step(msg.GetToken()); err != nil {
				return fmt.Errorf("%w: %w", ErrHandshake, err)
			}
			if response == nil {
				response = []byte{}
			}
			out = &commonpb.RpcSasl{State: commonpb.RpcSasl_RESPONSE.Enum(), Token: response}
		default:
			return fmt.Errorf("%w: unexpected SASL state %v", ErrHandshake, msg.GetState())
		}
	}
	return fmt.Errorf("%w: the SASL exchange did not end", ErrHandshake)
}

// saslRound sends one SASL message and reads the answer.
func (c *Conn) saslRound(out *commonpb.RpcSasl) (*commonpb.RpcSasl, error) {
	b, err := frame(requestHeader(callSASL, nil, -1), out)
	if err != nil {
		return nil, err
	}
	if err := writeAll(c.Conn, b); err != nil {
		return nil, err
	}
	in, err := readFrame(c.Conn, maxHandshakeFrame)
	if err != nil {
		return nil, fmt.Errorf("%w during authentication: %w", ErrBroken, err)
	}
	return takeSASL(in)
}

// takeSASL decodes a SASL answer.
func takeSASL(in []byte) (*commonpb.RpcSasl, error) {
	h, rest, err := takeResponse(in)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrHandshake, err)
	}
	if h.GetStatus() != commonpb.RpcResponseHeader_SUCCESS {
		return nil, fmt.Errorf("%w: %w", ErrHandshake, remoteError(h))
	}
	if callID(h) != callSASL {
		return nil, fmt.Errorf("%w: answer to call %d instead of a SASL message", ErrHandshake, callID(h))
	}
	var msg commonpb.RpcSasl
	if _, err := takeDelimited(rest, &msg); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrHandshake, err)
	}
	return &msg, nil
}

func offers(msg *commonpb.RpcSasl) []Offer {
	var out []Offer
	for _, a := range msg.GetAuths() {
		out = append(out, Offer{Method: a.GetMethod(), Mechanism: a.GetMechanism(), Protocol: a.GetProtocol(), ServerID: a.GetServerId(),
			challenge: a.GetChallenge(), raw: a})
	}
	return out
}

// choose takes the first of the server's offers that the client can do. A nil mechanism means SIMPLE.
func choose(ctx context.Context, address string, sec *Security, list []Offer) (Offer, sasl.Mechanism, error) {
	var names []string
	for _, o := range list {
		names = append(names, strings.TrimSuffix(o.Method+" "+o.Mechanism, " "))
		switch {
		case o.Method == MethodToken && sec.Token != nil:
			if o.Mechanism != sasl.DigestMD5 {
				continue
			}
			return o, sasl.NewDigest(sasl.TokenDigest(sec.Token.Identifier, sec.Token.Password, o.Protocol, o.ServerID, sec.Protection)), nil
		case o.Method == MethodKerberos && sec.Kerberos != nil:
			m, err := sec.Kerberos(ctx, address, o)
			// A KDC that is away is not waited for: that would be minutes, with the times that are right for servers.
			if err != nil {
				return o, nil, fmt.Errorf("%w: %w", ErrHandshake, err)
			}
			return o, m, nil
		case o.Method == MethodSimple && !sec.RefuseSimple:
			return o, nil, nil
		}
	}
	var have []string
	if sec.Token != nil {
		have = append(have, "a "+sec.Token.String())
	}
	if sec.Kerberos != nil {
		have = append(have, "Kerberos")
	}
	advice := ""
	if len(have) == 0 {
		have = []string{"neither a token nor Kerberos"}
		advice = ": run kinit, or set security.kerberos.login.keytab and security.kerberos.login.principal"
	}
	return Offer{}, nil, fmt.Errorf("%w: the server accepts %s, this client has %s%s", ErrHandshake, strings.Join(names, ", "), strings.Join(have, " and "), advice)
}

// Write sends whole frames.
func (c *Conn) Write(b []byte) (int, error) {
	if c.mech == nil {
		return c.Conn.Write(b)
	}
	c.wmu.Lock()
	defer c.wmu.Unlock()
	wrapped, err := c.mech.Wrap(b)
	if err != nil {
		return 0, err
	}
	out, err := frame(requestHeader(callSASL, nil, -1), &commonpb.RpcSasl{State: commonpb.RpcSasl_WRAP.Enum(), Token: wrapped})
	if err != nil {
		return 0, err
	}
	if _, err := c.Conn.Write(out); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Read gives the answer frames as a stream. An unwrapped answer on a protected connection is an error.
func (c *Conn) Read(b []byte) (int, error) {
	if c.mech == nil {
		return c.Conn.Read(b)
	}
	for len(c.pending) == 0 {
		in, err := readFrame(c.Conn, defaultMaxFrame+1<<20)
		if err != nil {
			return 0, err
		}
		msg, err := takeSASL(in)
		if err != nil {
			return 0, err
		}
		if msg.GetState() != commonpb.RpcSasl_WRAP {
			return 0, fmt.Errorf("%w: SASL state %v on a protected connection", ErrHandshake, msg.GetState())
		}
		if c.pending, err = c.mech.Unwrap(msg.GetToken()); err != nil {
			return 0, err
		}
	}
	n := copy(b, c.pending)
	c.pending = c.pending[n:]
	return n, nil
}
