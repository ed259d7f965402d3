package zookeeper

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/weft-project/weft/ha"
	"github.com/weft-project/weft/ha/hatest"
	"github.com/weft-project/weft/internal/fs/local"
)

// model is a ZooKeeper in memory: nodes with versions, sessions that expire, watches, transactions. It does what the real one is seen to do
// by the tests that run on both.
type model struct {
	mu       sync.Mutex
	nodes    map[string]*modelNode
	watches  map[string][]modelWatch // fired by a change of the node
	sequence int
}

type modelNode struct {
	data    []byte
	version int32
	owner   *modelSession
	changed time.Time
}

type modelWatch struct {
	session *modelSession
	event   chan zk.Event
}

// modelSession is a session at the servers, and the client's end of it.
type modelSession struct {
	m       *model
	link    *hatest.Link
	timeout time.Duration
	changed func(zk.State)
	ctx     context.Context // ends with Close
	cancel  context.CancelFunc
	heard   time.Time // by the servers; the lock is the model's
	over    bool
}

func newModel() *model {
	return &model{nodes: map[string]*modelNode{"/": {}}, watches: map[string][]modelWatch{}}
}

// connector makes sessions over a link.
func (m *model) connector(link *hatest.Link) connector {
	return func(o Options, granted func(time.Duration), changed func(zk.State)) (client, error) {
		s := &modelSession{m: m, link: link, timeout: o.SessionTimeout, changed: changed}
		s.ctx, s.cancel = context.WithCancel(context.Background())
		m.mu.Lock()
		s.heard = time.Now()
		m.mu.Unlock()
		granted(s.timeout)
		go s.ping()
		time.AfterFunc(s.timeout, s.expire)
		return s, nil
	}
}

// ping keeps the session alive, as the library does, and learns of its end.
func (s *modelSession) ping() {
	tick := time.NewTicker(s.timeout / 3)
	defer tick.Stop()
	for s.ctx.Err() == nil {
		if s.link.Pass(s.ctx) == nil && s.touch() != nil {
			s.changed(zk.StateExpired)
			return
		}
		select {
		case <-tick.C:
		case <-s.ctx.Done():
		}
	}
}

// touch is what any message does.
func (s *modelSession) touch() error {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	return s.touchLocked()
}

func (s *modelSession) touchLocked() error {
	if s.over {
		return zk.ErrSessionExpired
	}
	s.heard = time.Now()
	return nil
}

// expire is the servers' clock for the session. It is no goroutine: with the test its time ends.
func (s *modelSession) expire() {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	if left := s.timeout - time.Since(s.heard); left > 0 && !s.over {
		time.AfterFunc(left, s.expire)
		return
	}
	s.end()
}

// end removes the session and its nodes. The lock is held.
func (s *modelSession) end() {
	if s.over {
		return
	}
	s.over = true
	for p, n := range s.m.nodes {
		if n.owner == s {
			delete(s.m.nodes, p)
			s.m.fire(p)
		}
	}
}

// fire tells the watches of a node. The lock is held.
func (m *model) fire(p string) {
	for _, w := range m.watches[p] {
		go func() {
			if w.session.link.Pass(w.session.ctx) == nil {
				w.event <- zk.Event{Path: p}
			}
		}()
	}
	delete(m.watches, p)
}

// Close is client's: the servers hear of it if they can.
func (s *modelSession) Close() {
	one, cancel := context.WithTimeout(s.ctx, time.Second)
	defer cancel()
	if s.link.Pass(one) == nil {
		s.m.mu.Lock()
		s.end()
		s.m.mu.Unlock()
	}
	s.cancel()
}

// ask makes a call over the link. The request may get through and the answer not.
func ask[T any](s *modelSession, f func() (T, error)) (T, error) {
	var none T
	if s.link.Pass(s.ctx) != nil {
		return none, zk.ErrClosing
	}
	s.m.mu.Lock()
	if err := s.touchLocked(); err != nil {
		s.m.mu.Unlock()
		return none, err
	}
	v, err := f()
	s.m.mu.Unlock()
	if s.link.Pass(s.ctx) != nil {
		return none, zk.ErrConnectionClosed
	}
	return v, err
}

func (s *modelSession) AddAuth(string, []byte) error { return nil }

func (s *modelSession) Sync(p string) (string, error) {
	return ask(s, func() (string, error) { return p, nil })
}

func (m *model) stat(n *modelNode, p string) *zk.Stat {
	return &zk.Stat{Version: n.version, NumChildren: int32(len(m.children(p))), Mtime: n.changed.UnixMilli()}
}

func (m *model) children(p string) (names []string) {
	for name := range m.nodes {
		if name != "/" && path.Dir(name) == p {
			names = append(names, path.Base(name))
		}
	}
	return names
}

func (s *modelSession) Children(p string) ([]string, *zk.Stat, error) {
	names, err := ask(s, func() ([]string, error) {
		if s.m.nodes[p] == nil {
			return nil, zk.ErrNoNode
		}
		return s.m.children(p), nil
	})
	return names, nil, err
}

// look reads a node and may watch it.
func (s *modelSession) look(p string, watch, missingToo bool) ([]byte, *zk.Stat, <-chan zk.Event, error) {
	type found struct {
		data  []byte
		stat  *zk.Stat
		event chan zk.Event
	}
	v, err := ask(s, func() (found, error) {
		n := s.m.nodes[p]
		v := found{}
		if n != nil {
			v.data, v.stat = slices.Clone(n.data), s.m.stat(n, p)
		} else if !missingToo {
			return v, zk.ErrNoNode
		}
		if watch {
			v.event = make(chan zk.Event, 1)
			s.m.watches[p] = append(s.m.watches[p], modelWatch{s, v.event})
		}
		return v, nil
	})
	return v.data, v.stat, v.event, err
}

func (s *modelSession) Get(p string) ([]byte, *zk.Stat, error) {
	data, stat, _, err := s.look(p, false, false)
	return data, stat, err
}

func (s *modelSession) GetW(p string) ([]byte, *zk.Stat, <-chan zk.Event, error) {
	return s.look(p, true, false)
}

func (s *modelSession) ExistsW(p string) (bool, *zk.Stat, <-chan zk.Event, error) {
	_, stat, event, err := s.look(p, true, true)
	return stat != nil, stat, event, err
}

func (s *modelSession) Create(p string, data []byte, flags int32, acl []zk.ACL) (string, error) {
	return ask(s, func() (string, error) {
		if flags&zk.FlagSequence != 0 {
			s.m.sequence++
			p += fmt.Sprintf("%010d", s.m.sequence)
		}
		return p, s.change(s.m.nodes, &zk.CreateRequest{Path: p, Data: data, Flags: flags, Acl: acl})
	})
}

func (s *modelSession) Delete(p string, version int32) error {
	_, err := ask(s, func() (bool, error) { return true, s.change(s.m.nodes, &zk.DeleteRequest{Path: p, Version: version}) })
	return err
}

// Multi is client's: the operations are made on a copy, which is taken when all have gone.
func (s *modelSession) Multi(ops ...any) ([]zk.MultiResponse, error) {
	return ask(s, func() ([]zk.MultiResponse, error) {
		trial := map[string]*modelNode{}
		for p, n := range s.m.nodes {
			c := *n
			trial[p] = &c
		}
		out := make([]zk.MultiResponse, len(ops))
		for i, op := range ops {
			if err := s.change(trial, op); err != nil {
				out[i].Error = err
				return out, err
			}
		}
		for _, op := range ops {
			if err := s.change(s.m.nodes, op); err != nil {
				return nil, fmt.Errorf("the model is wrong: %w", err)
			}
		}
		return out, nil
	})
}

// change makes one operation. The lock is held.
func (s *modelSession) change(nodes map[string]*modelNode, op any) error {
	at := func(p string, version int32) (*modelNode, error) {
		n := nodes[p]
		switch {
		case n == nil:
			return nil, zk.ErrNoNode
		case version != -1 && version != n.version:
			return nil, zk.ErrBadVersion
		}
		return n, nil
	}
	switch op := op.(type) {
	case *zk.CheckVersionRequest:
		_, err := at(op.Path, op.Version)
		return err
	case *zk.SetDataRequest:
		n, err := at(op.Path, op.Version)
		if err != nil {
			return err
		}
		n.data, n.version, n.changed = slices.Clone(op.Data), n.version+1, time.Now()
		s.m.fireIf(nodes, op.Path)
	case *zk.DeleteRequest:
		if _, err := at(op.Path, op.Version); err != nil {
			return err
		}
		for name := range maps.Keys(nodes) {
			if strings.HasPrefix(name, op.Path+"/") {
				return zk.ErrNotEmpty
			}
		}
		delete(nodes, op.Path)
		s.m.fireIf(nodes, op.Path)
	case *zk.CreateRequest:
		switch {
		case nodes[op.Path] != nil:
			return zk.ErrNodeExists
		case nodes[path.Dir(op.Path)] == nil:
			return zk.ErrNoNode
		}
		n := &modelNode{data: slices.Clone(op.Data), changed: time.Now()}
		if op.Flags&zk.FlagEphemeral != 0 {
			n.owner = s
		}
		nodes[op.Path] = n
		s.m.fireIf(nodes, op.Path)
	default:
		return errors.ErrUnsupported
	}
	return nil
}

// fireIf tells of changes of the real nodes, not of a trial's.
func (m *model) fireIf(nodes map[string]*modelNode, p string) {
	if len(nodes) == len(m.nodes) && nodes[p] == m.nodes[p] || nodes[p] == nil && m.nodes[p] == nil {
		m.fire(p)
	}
}

// modelHarness makes stores on models.
func modelHarness() hatest.Harness {
	return hatest.Harness{Bubble: true, Short: 6 * time.Second, Long: time.Minute, New: func(t *testing.T) hatest.Site {
		m, dir := newModel(), t.TempDir()
		with := func(cluster string, lease time.Duration, link *hatest.Link) Options {
			return Options{Quorum: "model", Root: "/weft", Cluster: cluster, SessionTimeout: lease, RetryWait: time.Second, Retries: 30,
				Files: local.New(), StorageDir: dir, connect: m.connector(link)}
		}
		return hatest.Site{
			Open: func(t *testing.T, cluster string, lease time.Duration, link *hatest.Link) ha.Store {
				s, err := Open(with(cluster, lease, link))
				if err != nil {
					t.Fatal(err)
				}
				return s
			},
			Admin: func(t *testing.T) ha.Admin {
				a, err := OpenAdmin(with("", time.Minute, &hatest.Link{}))
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = a.Close() })
				return a
			},
		}
	}}
}

func TestModelConformance(t *testing.T) { hatest.Run(t, modelHarness()) }

func TestSimulation(t *testing.T) { hatest.Simulate(t, modelHarness(), 1, hatest.Seeds(t, 60)) }
