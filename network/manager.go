package network

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"

	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/network/frame"
	"github.com/weft-project/weft/security"
)

// Manager is the data exchange of one worker process, or of one embedded run.
type Manager struct {
	cfg      Config
	addr     string
	pool     pool
	log      *slog.Logger
	secret   security.Secret // of data connections, derived from the job's
	listener *security.Listener
	ctx      context.Context // until Close
	cancel   context.CancelCauseFunc
	done     sync.WaitGroup

	mu           sync.Mutex
	closed       bool
	partitions   map[partitionKey]*Partition
	waiting      map[partitionKey][]request // for a partition that is not there yet
	gates        map[*Gate]struct{}
	conns        map[*conn]struct{}
	dials        map[string]*dial
	handlers     map[string]Handler
	handlerAdded chan struct{} // closed and replaced by Handle
}

// partitionKey names an output of a subtask, whatever its attempt.
type partitionKey struct {
	vertex  id.Vertex
	subtask int
	edge    uint32
}

// request is a consumer that asks for a subpartition: a local channel, or a channel of a connection.
type request struct {
	frame.ChannelRequest
	ch     *inChannel
	conn   *conn
	wireID uint32
}

func (r request) key() partitionKey {
	return partitionKey{r.Producer.Vertex, r.Producer.Subtask, r.Edge}
}

// refuse tells the consumer that it gets nothing.
func (r request) refuse(err error) {
	if r.ch != nil {
		r.ch.fail(err)
		return
	}
	r.conn.sendControl(frame.Header{Type: frame.Failed, Channel: r.wireID}, failureOf(err).Append(nil))
}

// NewManager starts a Manager, which listens if the configuration says where.
func NewManager(cfg Config) (*Manager, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	m := &Manager{
		cfg: cfg, addr: EmbeddedAddr, pool: pool{size: cfg.BufferSize}, log: cfg.Log, secret: cfg.Secret.Derive(security.LabelData),
		partitions: map[partitionKey]*Partition{}, waiting: map[partitionKey][]request{}, gates: map[*Gate]struct{}{},
		conns: map[*conn]struct{}{}, dials: map[string]*dial{}, handlers: map[string]Handler{}, handlerAdded: make(chan struct{}),
	}
	m.ctx, m.cancel = context.WithCancelCause(context.Background())
	if cfg.Listen == "" {
		return m, nil
	}
	host, _, err := net.SplitHostPort(cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("data address %q: expected host:port: %w", cfg.Listen, err)
	}
	inner, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("data address: %w", err)
	}
	_, port, err := net.SplitHostPort(inner.Addr().String())
	if err != nil {
		return nil, errors.Join(err, inner.Close())
	}
	if host == "" {
		host, _, _ = net.SplitHostPort(inner.Addr().String())
	}
	// Others dial the name that was configured, not what it resolves to here.
	m.addr = net.JoinHostPort(host, port)
	m.listener = security.NewListener(inner, security.DefaultPending, security.FixedSecret(m.secret), cfg.hello(m.addr).Append(nil), cfg.Log)
	m.spawn(m.acceptAll)
	return m, nil
}

// Addr is the address for other workers to dial, and the one that names this Manager in a ChannelConfig or a Call.
func (m *Manager) Addr() string { return m.addr }

// spawn runs f in a goroutine that Close waits for; false when the manager is closed.
func (m *Manager) spawn(f func()) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return false
	}
	m.done.Add(1)
	go func() {
		defer m.done.Done()
		f()
	}()
	return true
}

// acceptAll takes connections of other workers.
func (m *Manager) acceptAll() {
	for {
		accepted, err := m.listener.Accept()
		if err != nil {
			if m.ctx.Err() == nil {
				m.log.Error("data listener ended", "listen", m.addr, "error", err)
			}
			return
		}
		peer, err := frame.ParseHello(accepted.(*security.Conn).PeerHello)
		if err == nil {
			err = m.cfg.checkPeer(peer)
		}
		if err != nil {
			m.log.Warn("data connection refused", "peer", accepted.RemoteAddr().String(), "error", err)
			_ = accepted.Close()
			continue
		}
		newConn(m, accepted, peer, false)
	}
}

// OpenPartition makes the output of a task known to consumers, those that have asked already included. An older attempt
// of the same output is closed.
func (m *Manager) OpenPartition(cfg PartitionConfig) (*Partition, error) {
	p := newPartition(m, cfg)
	key := cfg.key()
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return nil, ErrClosed
	}
	old := m.partitions[key]
	if old != nil && old.cfg.Producer.Number >= cfg.Producer.Number {
		m.mu.Unlock()
		return nil, fmt.Errorf("output %d of %v: %w, by %v", cfg.Edge, cfg.Producer, ErrStale, old.cfg.Producer)
	}
	m.partitions[key] = p
	asked := m.waiting[key]
	delete(m.waiting, key)
	m.mu.Unlock()
	m.pool.reserve(p.share())
	if len(p.subs) == 0 {
		close(p.attached)
		close(p.drained)
		m.forget(p)
	}
	if old != nil {
		old.Close(fmt.Errorf("%w, by %v", ErrStale, cfg.Producer))
	}
	for _, r := range asked {
		m.request(r)
	}
	return p, nil
}

// request connects a consumer to its subpartition, now or when the partition appears; or refuses it.
func (m *Manager) request(r request) {
	key := r.key()
	m.mu.Lock()
	p := m.partitions[key]
	if p == nil || p.cfg.Producer.Number < r.Producer.Number || p.cfg.Producer.Job != r.Producer.Job {
		// Not there yet. The consumer gives up by its own clock; a connection or gate that ends withdraws.
		m.waiting[key] = append(m.waiting[key], r)
		m.mu.Unlock()
		return
	}
	m.mu.Unlock()
	var err error
	switch {
	case p.cfg.Producer.Number > r.Producer.Number:
		err = fmt.Errorf("%w: output of %v was asked for, but %v runs here", ErrStale, r.Producer, p.cfg.Producer)
	case r.Subpartition >= len(p.subs):
		err = fmt.Errorf("%w: subpartition %d of %d", ErrRefused, r.Subpartition, len(p.subs))
	case p.store != nil:
		p.store.request(r)
	case r.ch != nil:
		err = p.subs[r.Subpartition].attachLocal(r.ch)
	default:
		err = p.subs[r.Subpartition].attachRemote(r.conn, r.wireID, r.ChannelRequest)
	}
	if err != nil {
		r.refuse(err)
	}
}

// withdraw drops waiting requests.
func (m *Manager) withdraw(which func(request) bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for key, waiting := range m.waiting {
		kept := waiting[:0]
		for _, r := range waiting {
			if !which(r) {
				kept = append(kept, r)
			}
		}
		clear(waiting[len(kept):])
		if len(kept) == 0 {
			delete(m.waiting, key)
		} else {
			m.waiting[key] = kept
		}
	}
}

// forget drops a partition that is drained or closed. Called once for each.
func (m *Manager) forget(p *Partition) {
	m.mu.Lock()
	if key := p.cfg.key(); m.partitions[key] == p {
		delete(m.partitions, key)
	}
	m.mu.Unlock()
	if p.store != nil {
		p.store.unreserve.Do(func() { m.pool.reserve(-p.share()) })
		return
	}
	m.pool.reserve(-p.share())
}

// OpenGate connects an input of a task. It returns at once; a producer that cannot be reached, or refuses, fails the
// gate.
func (m *Manager) OpenGate(cfg GateConfig) (*Gate, error) {
	g := newGate(m, cfg)
	for _, ch := range cfg.Channels {
		if ch.Address != m.addr && m.listener == nil {
			return nil, fmt.Errorf("channel from %v at %q: an embedded run has no other address than %q", ch.Producer, ch.Address, m.addr)
		}
	}
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return nil, ErrClosed
	}
	m.gates[g] = struct{}{}
	m.mu.Unlock()
	m.pool.reserve(g.share)
	g.connect()
	return g, nil
}

// forgetGate drops a gate that is closed.
func (m *Manager) forgetGate(g *Gate) {
	m.mu.Lock()
	delete(m.gates, g)
	m.mu.Unlock()
	m.pool.reserve(-g.share)
}

// addConn registers a connection; false when the manager is closed.
func (m *Manager) addConn(c *conn) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return false
	}
	m.conns[c] = struct{}{}
	return true
}

// dropConn forgets a connection that ended, so that the next one who needs it dials again.
func (m *Manager) dropConn(c *conn) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.conns, c)
	for addr, d := range m.dials {
		if d.conn == c {
			delete(m.dials, addr)
		}
	}
}

// Close ends everything: partitions and gates fail with ErrClosed, connections are closed, and all goroutines of this
// package have ended when it returns, except handlers of calls that do not heed their context.
func (m *Manager) Close() error {
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return nil
	}
	m.closed = true
	var partitions []*Partition
	for _, p := range m.partitions {
		partitions = append(partitions, p)
	}
	var gates []*Gate
	for g := range m.gates {
		gates = append(gates, g)
	}
	var conns []*conn
	for c := range m.conns {
		conns = append(conns, c)
	}
	m.waiting = map[partitionKey][]request{}
	m.mu.Unlock()
	// Connections first: a call that is under way sees its connection end, not its handler's context.
	for _, c := range conns {
		c.fail(ErrClosed)
	}
	m.cancel(ErrClosed)
	var err error
	if m.listener != nil {
		err = m.listener.Close()
	}
	for _, p := range partitions {
		p.fail(ErrClosed)
	}
	for _, g := range gates {
		g.stop()
	}
	m.done.Wait()
	for _, p := range partitions {
		if p.store != nil {
			p.store.close()
		}
	}
	return err
}
