package zookeeper

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/weft-project/weft/ha"
	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/internal/fs"
)

// Options of a store. Zero durations and numbers are the defaults of the configuration.
type Options struct {
	// Quorum is host:port,host:port,…, perhaps with a path at the end below which all is.
	Quorum string
	// Root is the node below which the clusters are; Cluster is the cluster's id.
	Root, Cluster string
	// SessionTimeout is what servers are asked for; they may grant another one, which is the lease.
	SessionTimeout time.Duration
	// ConnectionTimeout bounds one connection and one try of a call.
	ConnectionTimeout time.Duration
	// A call that fails for want of a connection is tried again Retries times, with RetryWait in between.
	Retries   int
	RetryWait time.Duration
	// CreatorOnly gives nodes an ACL for those who have the same Auth.
	CreatorOnly bool
	Auth        []Auth
	// TLS, when set, is used with every server.
	TLS *tls.Config
	// Dial makes connections; nil is the usual way.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Files and StorageDir are where large values go; without them all values are nodes.
	Files      fs.FileSystem
	StorageDir string
	Log        *slog.Logger

	// connect replaces the library in simulations.
	connect connector
}

// Auth is how the client shows who it is: the scheme, such as digest, and its secret, such as user:password.
type Auth struct{ Scheme, Secret string }

func (o Options) withDefaults() (Options, error) {
	var err error
	if o.Cluster != "" {
		if o.Cluster, err = ha.CleanClusterID(o.Cluster); err != nil {
			return o, err
		}
	}
	quorum, chroot, _ := strings.Cut(o.Quorum, "/")
	if o.Quorum = strings.TrimSpace(quorum); o.Quorum == "" {
		return o, errors.New("high-availability.zookeeper.quorum is not set; expected host:port,host:port,…")
	}
	o.Root = path.Join("/", chroot, o.Root)
	o.SessionTimeout = orElse(o.SessionTimeout, time.Minute)
	o.ConnectionTimeout = orElse(o.ConnectionTimeout, 15*time.Second)
	o.RetryWait = orElse(o.RetryWait, 5*time.Second)
	if o.Retries == 0 {
		o.Retries = 3
	}
	if o.Dial == nil {
		o.Dial = (&net.Dialer{}).DialContext
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.connect == nil {
		o.connect = connectReal
	}
	return o, nil
}

func orElse(d, def time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return def
}

func (o Options) acl() []zk.ACL {
	if o.CreatorOnly {
		return zk.AuthACL(zk.PermAll)
	}
	return zk.WorldACL(zk.PermAll)
}

// Store is the store of one cluster. It implements ha.Store.
type Store struct {
	o    Options
	base string // the cluster's node

	ctx  context.Context // ends with Close
	stop context.CancelFunc

	mu struct {
		sync.Mutex
		shared *session
		term   *term
		leader ha.Leader
		// changed is closed and replaced when leader changes; following tells that somebody follows it.
		changed   chan struct{}
		following bool
	}
	work sync.WaitGroup
}

var _ ha.Store = (*Store)(nil)

// Open makes the store of a cluster. It connects when it is first used.
func Open(o Options) (*Store, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	if o.Cluster == "" {
		return nil, errors.New("high-availability.cluster-id is not set; expected a name")
	}
	s := &Store{o: o, base: path.Join(o.Root, o.Cluster)}
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.mu.changed = make(chan struct{})
	return s, nil
}

func (s *Store) node(names ...string) string {
	return path.Join(append([]string{s.base}, names...)...)
}

func (s *Store) valueNode(k ha.Key) string { return s.node(string(k.Kind), k.Job.String()) }

// reader is the session to read by: the leader's own while there is one, because it has seen all that was written before its epoch.
func (s *Store) reader() (sess *session, leads bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil {
		return nil, false, errClosed
	}
	if t := s.mu.term; t != nil && t.Cause() == nil {
		return t.session, true, nil
	}
	if s.mu.shared == nil || s.mu.shared.over() {
		if s.mu.shared, err = openSession(s.o); err != nil {
			return nil, false, err
		}
	}
	return s.mu.shared, false, nil
}

var errClosed = errors.New("the high-availability store is closed")

// read makes a reading call, as often as the options say.
func read[T any](ctx context.Context, s *Store, p string, f func(c client) (T, error)) (T, error) {
	return retried(ctx, s.o, func(ctx context.Context) (T, error) {
		var none T
		sess, leads, err := s.reader()
		if err != nil {
			return none, err
		}
		if !leads {
			// The server may be behind.
			if _, err := call(ctx, sess, func(c client) (string, error) { return c.Sync(s.o.Root) }); err != nil && !errors.Is(err, zk.ErrNoNode) {
				return none, fmt.Errorf("sync %s: %w", p, err)
			}
		}
		v, err := call(ctx, sess, f)
		if err != nil {
			return none, fmt.Errorf("read %s: %w", p, err)
		}
		return v, nil
	})
}

// Get is ha.Store's.
func (s *Store) Get(ctx context.Context, k ha.Key) ([]byte, error) {
	for {
		n, err := s.stored(ctx, k)
		if err != nil {
			return nil, err
		}
		if !n.found {
			return nil, fmt.Errorf("%s: %w", k, ha.ErrNotFound)
		}
		value, at, err := ha.Open(n.data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", k, err)
		}
		if at == nil {
			return value, nil
		}
		value, err = s.o.load(ctx, at)
		if err == nil {
			return value, nil
		}
		// Replaced in between?
		again, errAgain := s.stored(ctx, k)
		if errAgain != nil || again.found && slices.Equal(again.data, n.data) {
			return nil, fmt.Errorf("%s: %w", k, errors.Join(err, errAgain))
		}
	}
}

// content is what a node holds, if it is there.
type content struct {
	data    []byte
	version int32
	found   bool
}

// stored reads a value as it is stored.
func (s *Store) stored(ctx context.Context, k ha.Key) (content, error) {
	p := s.valueNode(k)
	return read(ctx, s, p, func(c client) (content, error) { return getNode(c, p) })
}

// getNode reads a node that may be missing.
func getNode(c client, p string) (content, error) {
	data, stat, err := c.Get(p)
	if errors.Is(err, zk.ErrNoNode) {
		return content{}, nil
	}
	if err != nil {
		return content{}, err
	}
	return content{data, stat.Version, true}, nil
}

// Jobs is ha.Store's.
func (s *Store) Jobs(ctx context.Context, kind ha.Kind) ([]id.Job, error) {
	p := s.node(string(kind))
	names, err := read(ctx, s, p, func(c client) ([]string, error) { return childrenOf(c, p) })
	if err != nil {
		return nil, err
	}
	var out []id.Job
	slices.Sort(names)
	for _, n := range names {
		if job, err := id.ParseJob(n); err == nil {
			out = append(out, job)
		}
	}
	return out, nil
}

// childrenOf lists the children of a node; a missing one has none.
func childrenOf(c client, p string) ([]string, error) {
	names, _, err := c.Children(p)
	if errors.Is(err, zk.ErrNoNode) {
		return nil, nil
	}
	return names, err
}

// Leader is ha.Store's.
func (s *Store) Leader(ctx context.Context) (ha.Leader, error) {
	p := s.node("leader")
	n, err := read(ctx, s, p, func(c client) (content, error) { return getNode(c, p) })
	if err != nil {
		return ha.Leader{}, err
	}
	if !n.found {
		return ha.Leader{}, ha.ErrNoLeader
	}
	return ha.DecodeRecord[ha.Leader](n.data)
}

// Watch is ha.Store's. One goroutine follows the node for all callers: the server's watches cannot be taken back.
func (s *Store) Watch(ctx context.Context, seen ha.Leader) (ha.Leader, error) {
	s.mu.Lock()
	if !s.mu.following && s.ctx.Err() == nil {
		s.mu.following = true
		s.work.Go(s.follow)
	}
	s.mu.Unlock()
	for {
		s.mu.Lock()
		l, changed := s.mu.leader, s.mu.changed
		s.mu.Unlock()
		if l.Epoch != 0 && l != seen {
			return l, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ha.Leader{}, fmt.Errorf("wait for a leader: %w", ctx.Err())
		case <-s.ctx.Done():
			return ha.Leader{}, errClosed
		}
	}
}

// follow keeps the leader's record up to date until the store is closed.
func (s *Store) follow() {
	for failures := 0; s.ctx.Err() == nil; {
		event, sess, err := s.look()
		if err != nil {
			s.o.Log.Debug("the leader's record cannot be read", "error", err)
			pause(s.ctx, ha.Backoff(100*time.Millisecond, s.o.RetryWait, failures, rand.Float64()))
			failures++
			continue
		}
		failures = 0
		select {
		case <-event:
		case <-sess.ended:
		case <-s.ctx.Done():
		}
	}
}

// look reads the leader's record and arms a watch.
func (s *Store) look() (event <-chan zk.Event, sess *session, err error) {
	if sess, _, err = s.reader(); err != nil {
		return nil, nil, err
	}
	p := s.node("leader")
	n, err := call(s.ctx, sess, func(c client) (content, error) {
		data, _, ev, err := c.GetW(p)
		if err == nil {
			event = ev
			return content{data: data, found: true}, nil
		}
		if !errors.Is(err, zk.ErrNoNode) {
			return content{}, err
		}
		there, _, ev, err := c.ExistsW(p)
		if event = ev; err == nil && there {
			// It came in between.
			return getNode(c, p)
		}
		return content{}, err
	})
	if err != nil {
		return nil, nil, err
	}
	var l ha.Leader
	if n.found {
		if l, err = ha.DecodeRecord[ha.Leader](n.data); err != nil {
			return nil, nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if l != s.mu.leader {
		s.mu.leader = l
		close(s.mu.changed)
		s.mu.changed = make(chan struct{})
	}
	return event, sess, nil
}

// Depose is ha.Store's.
func (s *Store) Depose(ctx context.Context, l ha.Leader) error {
	p := s.node("epoch")
	n, err := read(ctx, s, p, func(c client) (content, error) { return getNode(c, p) })
	if err != nil || !n.found {
		return err
	}
	owner, err := ha.DecodeRecord[ha.Owner](n.data)
	if err != nil || owner.Epoch != l.Epoch {
		return err
	}
	_, err = read(ctx, s, p, func(c client) (bool, error) {
		return true, missingIsFine(c.Delete(s.node("latch", owner.Place), -1))
	})
	return err
}

func missingIsFine(err error) error {
	if errors.Is(err, zk.ErrNoNode) {
		return nil
	}
	return err
}

// Close is ha.Store's.
func (s *Store) Close() error {
	s.stop()
	s.mu.Lock()
	shared, t := s.mu.shared, s.mu.term
	s.mu.Unlock()
	if t != nil {
		t.end(ha.ErrResigned)
	}
	if shared != nil {
		shared.close(errClosed)
	}
	s.work.Wait()
	return nil
}

// pause waits, unless the context ends before.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
