package hdfs

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	hdfslib "github.com/colinmarc/hdfs/v2"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	hdfspb "github.com/weft-project/weft/internal/hadoop/proto/hdfs"
)

const (
	// renewInterval is how often the lease of a file that is written is renewed, as Hadoop does it; others may take the
	// lease after 60 s without. The library wants to do so every second.
	renewInterval = 20 * time.Second
	// defaultsLife is how long the server's defaults are taken from memory, as in Hadoop.
	defaultsLife = time.Hour
	dialTimeout  = 20 * time.Second
)

// session is one open file: a library client, its calls and its connections to DataNodes, all ended by one context.
type session struct {
	fs      *FS
	writing bool
	// blockSize is that of the file, when writing.
	blockSize int64
	ctx       context.Context
	cancel    context.CancelCauseFunc
	client    *hdfslib.Client
	// unhook takes the session off the store's context.
	unhook func() bool

	mu      sync.Mutex
	conns   map[*dataConn]struct{}
	renewed time.Time
	// answers are kept for the next call of a method, encoded.
	answers map[string][]byte
	// created is what the NameNode answered to create.
	created hdfspb.CreateResponse
	// complete is the first request to complete the file.
	complete []byte
}

// newSession makes the session of one file. It lives until ctx, the store or the file ends.
func (f *FS) newSession(ctx context.Context, writing bool) (*session, error) {
	s := &session{fs: f, writing: writing, conns: map[*dataConn]struct{}{}, renewed: time.Now(), answers: map[string][]byte{}}
	s.ctx, s.cancel = context.WithCancelCause(ctx)
	s.unhook = context.AfterFunc(f.ctx, func() { s.cancel(context.Cause(f.ctx)) })
	context.AfterFunc(s.ctx, func() { s.breakConns(context.Cause(s.ctx)) })
	o := hdfslib.ClientOptions{Addresses: []string{f.uri}, User: f.user, UseDatanodeHostname: f.files.datanodeHostname}
	o.NamenodeDialFunc = func(context.Context, string, string) (net.Conn, error) { return &nameNodeConn{call: s.call}, nil }
	o.DatanodeDialFunc = s.dial
	client, err := hdfslib.NewClient(o)
	if err != nil {
		s.unhook()
		s.cancel(err)
		return nil, err
	}
	s.client = client
	return s, nil
}

// end gives everything up; why is what calls still in progress fail with.
func (s *session) end(why error) {
	s.cancel(why)
	s.breakConns(why)
}

// close ends the session and its library client. Call it once.
func (s *session) close() {
	s.unhook()
	s.end(errFileClosed)
	_ = s.client.Close() // closes nothing but nameNodeConn, which has nothing to say
}

// call makes a call of the library.
func (s *session) call(method string, req []byte) ([]byte, error) {
	if err := s.ctx.Err(); err != nil {
		return nil, context.Cause(s.ctx)
	}
	switch method {
	case "renewLease":
		if !s.renewalDue() {
			return nil, nil
		}
	case "addBlock":
		return s.addBlock(req)
	case "getServerDefaults":
		return s.fs.serverDefaults(s.ctx, req)
	case "complete":
		// The library names the last block in its first request only. The NameNode commits it when the block before it is
		// complete, which may be known to it later.
		if s.complete == nil {
			s.complete = bytes.Clone(req)
		}
		req = s.complete
	}
	if answer, ok := s.takeAnswer(method); ok {
		return answer, nil
	}
	answer, err := s.fs.relay(s.ctx, method, req)
	if err != nil {
		return nil, err
	}
	if method == "create" {
		if err := proto.Unmarshal(answer, &s.created); err != nil {
			return nil, fmt.Errorf("answer to create: %w", err)
		}
	}
	return answer, nil
}

// relay makes a call whose messages are known to the library only.
func (f *FS) relay(ctx context.Context, method string, req []byte) ([]byte, error) {
	// A message without fields carries any other one along, byte for byte, as unknown fields.
	var in, out emptypb.Empty
	if err := proto.Unmarshal(req, &in); err != nil {
		return nil, fmt.Errorf("request of %s: %w", method, err)
	}
	if err := f.invoke(ctx, method, &in, &out); err != nil {
		return nil, err
	}
	return proto.Marshal(&out)
}

func (s *session) renewalDue() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.writing || time.Since(s.renewed) < renewInterval {
		return false
	}
	s.renewed = time.Now()
	return true
}

// putAnswer gives the next call of a method an answer that is known already.
func (s *session) putAnswer(method string, m proto.Message) error {
	b, err := proto.Marshal(m)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers[method] = b
	return nil
}

func (s *session) takeAnswer(method string) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.answers[method]
	delete(s.answers, method)
	return b, ok
}

// serverDefaults gives the NameNode's defaults, which every library client asks for.
func (f *FS) serverDefaults(ctx context.Context, req []byte) ([]byte, error) {
	f.defaults.Lock()
	answer, until := f.defaults.answer, f.defaults.until
	f.defaults.Unlock()
	if answer != nil && time.Now().Before(until) {
		return answer, nil
	}
	answer, err := f.relay(ctx, "getServerDefaults", req)
	if err != nil {
		return nil, err
	}
	var resp hdfspb.GetServerDefaultsResponse
	if err := proto.Unmarshal(answer, &resp); err != nil {
		return nil, fmt.Errorf("answer to getServerDefaults: %w", err)
	}
	encrypted := resp.GetServerDefaults().GetEncryptDataTransfer()
	// Connections to DataNodes authenticate and encrypt here; the library must not do so, too.
	resp.ServerDefaults.EncryptDataTransfer = proto.Bool(false)
	if answer, err = proto.Marshal(&resp); err != nil {
		return nil, err
	}
	f.defaults.Lock()
	f.defaults.answer, f.defaults.until, f.defaults.encrypted = answer, time.Now().Add(defaultsLife), encrypted
	f.defaults.Unlock()
	return answer, nil
}

// dial connects to a DataNode.
func (s *session) dial(_ context.Context, network, addr string) (net.Conn, error) {
	d := net.Dialer{Timeout: dialTimeout}
	nc, err := d.DialContext(s.ctx, network, addr)
	if err != nil {
		if s.ctx.Err() != nil {
			err = context.Cause(s.ctx)
		}
		return nil, fmt.Errorf("DataNode %s: %w", addr, err)
	}
	c := newDataConn(s, nc, addr)
	s.mu.Lock()
	s.conns[c] = struct{}{}
	s.mu.Unlock()
	if s.ctx.Err() != nil {
		c.fail(context.Cause(s.ctx))
	}
	return c, nil
}

func (s *session) forget(c *dataConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}

// breakConns fails all connections to DataNodes.
func (s *session) breakConns(why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.fail(why)
	}
}

// broken gives the first error of a connection that is in use.
func (s *session) broken() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		if err := c.failed(); err != nil {
			return err
		}
	}
	return nil
}
