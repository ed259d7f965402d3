package rpctest

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	"google.golang.org/protobuf/encoding/protodelim"
	"google.golang.org/protobuf/proto"

	commonpb "github.com/weft-project/weft/internal/hadoop/proto/common"
	"github.com/weft-project/weft/internal/hadoop/rpc"
	"github.com/weft-project/weft/internal/hadoop/sasl"
	"github.com/weft-project/weft/internal/hadoop/token"
)

// Call is one request.
type Call struct {
	Protocol, Method string
	// User is who called: the name given, or the text of the token's identifier.
	User     string
	ID       int32
	Retry    int32
	ClientID string
	body     []byte
}

// Decode reads the request's argument.
func (c Call) Decode(m proto.Message) error { return proto.Unmarshal(c.body, m) }

// Handler answers calls; an error that is a *rpc.RemoteError goes out as that exception. ErrSilence keeps the answer back for
// ever, ErrDrop closes the connection without one.
type Handler func(c Call) (proto.Message, error)

// Errors that a Handler returns to make a fault.
var (
	ErrSilence = errors.New("no answer")
	ErrDrop    = errors.New("close the connection")
)

// Config says what a Server demands.
type Config struct {
	// Address to listen on; empty takes a free port of 127.0.0.1.
	Address string
	// Tokens are those accepted. With none the server takes SIMPLE only.
	Tokens func() []token.Token
	// Simple offers SIMPLE beside TOKEN.
	Simple bool
	// Protection are the levels offered to tokens (default: auth). Ciphers are those of auth-conf.
	Protection []sasl.QOP
	Ciphers    []string
	Handle     Handler
}

// Server is a running fake.
type Server struct {
	cfg      Config
	listener net.Listener
	wg       sync.WaitGroup

	mu          sync.Mutex
	closed      bool
	conns       map[net.Conn]struct{}
	connections int
	pings       int
}

// Start makes a server.
func Start(cfg Config) (*Server, error) {
	if cfg.Address == "" {
		cfg.Address = "127.0.0.1:0"
	}
	if len(cfg.Protection) == 0 {
		cfg.Protection = []sasl.QOP{sasl.Auth}
	}
	l, err := net.Listen("tcp", cfg.Address)
	if err != nil {
		return nil, fmt.Errorf("fake rpc server: %w", err)
	}
	s := &Server{cfg: cfg, listener: l, conns: map[net.Conn]struct{}{}}
	s.wg.Add(1)
	go s.accept()
	return s, nil
}

// Addr is host:port.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Connections counts those accepted so far.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.connections
}

// Pings counts the pings received.
func (s *Server) Pings() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pings
}

// DropConnections closes all connections, as a server that restarts does.
func (s *Server) DropConnections() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		_ = c.Close()
	}
}

// Close ends the server.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	_ = s.listener.Close()
	s.DropConnections()
	s.wg.Wait()
}

func (s *Server) accept() {
	defer s.wg.Done()
	for {
		c, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		if s.closed {
			s.mu.Unlock()
			_ = c.Close()
			return
		}
		s.conns[c] = struct{}{}
		s.connections++
		s.wg.Add(1)
		s.mu.Unlock()
		go func() {
			defer s.wg.Done()
			defer func() {
				_ = c.Close()
				s.mu.Lock()
				delete(s.conns, c)
				s.mu.Unlock()
			}()
			p := &peer{server: s, conn: c, r: bufio.NewReader(c)}
			// The end of a fake's connection is the client's affair.
			_ = p.serve()
		}()
	}
}

// peer is one connection.
type peer struct {
	server *Server
	conn   net.Conn
	r      *bufio.Reader
	wmu    sync.Mutex
	digest *sasl.DigestServer
	// user and protocol are known after the connection context.
	user, protocol string
}

var errRefused = errors.New("refused")

func (p *peer) serve() error {
	var head [7]byte
	if _, err := io.ReadFull(p.r, head[:]); err != nil {
		return err
	}
	if string(head[:5]) != "hrpc\x09" {
		return errRefused
	}
	if head[6] == 0 && p.server.cfg.Tokens != nil && !p.server.cfg.Simple {
		return p.fatal(-1, "org.apache.hadoop.security.AccessControlException", "SIMPLE authentication is not enabled.  Available:[TOKEN]")
	}
	for {
		b, err := readFrame(p.r)
		if err != nil {
			return err
		}
		if err := p.handle(b); err != nil {
			return err
		}
	}
}

// handle treats one frame.
func (p *peer) handle(b []byte) error {
	r := bytes.NewReader(b)
	var h commonpb.RpcRequestHeader
	if err := protodelim.UnmarshalFrom(r, &h); err != nil {
		return err
	}
	switch h.GetCallId() {
	case -33:
		return p.sasl(r)
	case -3:
		var c commonpb.IpcConnectionContext
		if err := protodelim.UnmarshalFrom(r, &c); err != nil {
			return err
		}
		p.protocol = c.GetProtocol()
		if name := c.GetUserInfo().GetEffectiveUser(); name != "" {
			if p.digest != nil {
				return p.fatal(-3, "org.apache.hadoop.security.AccessControlException", "a token connection names a user")
			}
			p.user = name
		}
		return nil
	case -4:
		p.server.mu.Lock()
		p.server.pings++
		p.server.mu.Unlock()
		return nil
	}
	var rh commonpb.RequestHeader
	if err := protodelim.UnmarshalFrom(r, &rh); err != nil {
		return err
	}
	size, err := binary.ReadUvarint(r)
	if err != nil || size != uint64(r.Len()) {
		return fmt.Errorf("argument of %d bytes, %d left: %w", size, r.Len(), err)
	}
	call := Call{Protocol: rh.GetDeclaringClassProtocolName(), Method: rh.GetMethodName(), User: p.user, ID: h.GetCallId(),
		Retry: h.GetRetryCount(), ClientID: string(h.GetClientId()), body: b[len(b)-r.Len():]}
	go p.answer(call)
	return nil
}

// answer runs the handler and sends what it gives.
func (p *peer) answer(c Call) {
	msg, err := p.server.cfg.Handle(c)
	var remote *rpc.RemoteError
	switch {
	case errors.Is(err, ErrSilence):
	case errors.Is(err, ErrDrop):
		_ = p.conn.Close()
	case errors.As(err, &remote):
		_ = p.send(exception(c.ID, commonpb.RpcResponseHeader_ERROR, remote.Class, remote.Class+": "+remote.Message+"\n\tat org.example.Fake"))
	case err != nil:
		_ = p.send(exception(c.ID, commonpb.RpcResponseHeader_ERROR, "java.io.IOException", err.Error()))
	default:
		id := uint32(c.ID)
		_ = p.send(&commonpb.RpcResponseHeader{CallId: &id, Status: commonpb.RpcResponseHeader_SUCCESS.Enum()}, msg)
	}
}

func exception(id int32, status commonpb.RpcResponseHeader_Status, class, text string) *commonpb.RpcResponseHeader {
	u := uint32(id)
	return &commonpb.RpcResponseHeader{CallId: &u, Status: &status, ExceptionClassName: &class, ErrorMsg: &text}
}

func (p *peer) fatal(id int32, class, text string) error {
	_ = p.send(exception(id, commonpb.RpcResponseHeader_FATAL, class, text))
	return errRefused
}

// sasl treats one SASL message.
func (p *peer) sasl(r *bytes.Reader) error {
	var m commonpb.RpcSasl
	if err := protodelim.UnmarshalFrom(r, &m); err != nil {
		return err
	}
	switch m.GetState() {
	case commonpb.RpcSasl_NEGOTIATE:
		return p.negotiate()
	case commonpb.RpcSasl_INITIATE:
		return p.initiate(&m)
	case commonpb.RpcSasl_WRAP:
		plain, err := p.digest.Unwrap(m.GetToken())
		if err != nil {
			return err
		}
		inner := bytes.NewReader(plain)
		for inner.Len() > 0 {
			b, err := readFrame(inner)
			if err != nil {
				return err
			}
			if err := p.handle(b); err != nil {
				return err
			}
		}
		return nil
	}
	return errRefused
}

func (p *peer) negotiate() error {
	out := &commonpb.RpcSasl{State: commonpb.RpcSasl_NEGOTIATE.Enum()}
	if p.server.cfg.Tokens == nil {
		out.State = commonpb.RpcSasl_SUCCESS.Enum()
		return p.sendSASL(out)
	}
	p.digest = sasl.NewDigestServer("", "default", p.server.cfg.Protection, p.server.cfg.Ciphers...)
	out.Auths = append(out.Auths, &commonpb.RpcSasl_Auth{Method: proto.String("TOKEN"), Mechanism: proto.String("DIGEST-MD5"),
		Protocol: proto.String(""), ServerId: proto.String("default"), Challenge: p.digest.Challenge()})
	if p.server.cfg.Simple {
		out.Auths = append(out.Auths, &commonpb.RpcSasl_Auth{Method: proto.String("SIMPLE"), Mechanism: proto.String("")})
	}
	return p.sendSASL(out)
}

func (p *peer) initiate(m *commonpb.RpcSasl) error {
	if len(m.GetAuths()) != 1 || len(m.GetAuths()[0].GetChallenge()) > 0 || p.digest == nil {
		return p.fatal(-33, "javax.security.sasl.SaslException", "client must select exactly one offer, without its challenge")
	}
	if m.GetAuths()[0].GetMethod() == "SIMPLE" {
		p.digest = nil
		return nil
	}
	digest := p.digest
	final, err := digest.Accept(m.GetToken(), func(user string) (string, bool) {
		for _, t := range p.server.cfg.Tokens() {
			if base64.StdEncoding.EncodeToString(t.Identifier) == user {
				p.user = string(t.Identifier)
				return base64.StdEncoding.EncodeToString(t.Password), true
			}
		}
		return "", false
	})
	if err != nil {
		return p.fatal(-33, "org.apache.hadoop.security.token.SecretManager$InvalidToken", "token not found: "+err.Error())
	}
	// The success itself is not wrapped yet.
	p.digest = nil
	err = p.sendSASL(&commonpb.RpcSasl{State: commonpb.RpcSasl_SUCCESS.Enum(), Token: final})
	p.digest = digest
	return err
}

func (p *peer) sendSASL(m *commonpb.RpcSasl) error {
	id := int32(-33)
	u := uint32(id)
	return p.sendPlain(&commonpb.RpcResponseHeader{CallId: &u, Status: commonpb.RpcResponseHeader_SUCCESS.Enum()}, m)
}

// send sends a frame, wrapped where that was agreed on.
func (p *peer) send(messages ...proto.Message) error {
	p.wmu.Lock()
	defer p.wmu.Unlock()
	if p.digest == nil || p.digest.QOP() == sasl.Auth {
		return p.sendPlain(messages...)
	}
	inner, err := frame(messages...)
	if err != nil {
		return err
	}
	token, err := p.digest.Wrap(inner)
	if err != nil {
		return err
	}
	return p.sendSASL(&commonpb.RpcSasl{State: commonpb.RpcSasl_WRAP.Enum(), Token: token})
}

func (p *peer) sendPlain(messages ...proto.Message) error {
	b, err := frame(messages...)
	if err != nil {
		return err
	}
	_, err = p.conn.Write(b)
	return err
}

func frame(messages ...proto.Message) ([]byte, error) {
	buf := bytes.NewBuffer(make([]byte, 4))
	for _, m := range messages {
		if _, err := protodelim.MarshalTo(buf, m); err != nil {
			return nil, err
		}
	}
	b := buf.Bytes()
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	return b, nil
}

func readFrame(r io.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n > 64<<20 {
		return nil, errRefused
	}
	b := make([]byte, n)
	_, err := io.ReadFull(r, b)
	return b, err
}
