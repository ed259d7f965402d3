package zookeeper

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	mrand "math/rand/v2"
	"path"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/weft-project/weft/ha"
)

// Campaign is ha.Store's. Each try has a session of its own, which becomes the term's.
func (s *Store) Campaign(ctx context.Context, c ha.Candidate) (ha.Term, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)()
	for failures := 0; ; failures++ {
		sess, err := openSession(s.o)
		if err != nil {
			return nil, err
		}
		t, err := s.stand(ctx, sess, c)
		if err == nil {
			return t, nil
		}
		sess.close(errClosed)
		switch {
		case s.ctx.Err() != nil:
			return nil, errClosed
		case ctx.Err() != nil:
			return nil, fmt.Errorf("campaign: %w", ctx.Err())
		case errors.Is(err, errLeftLatch) || passing(err):
			s.o.Log.Warn("the campaign for leadership begins again", "cluster", s.o.Cluster, "error", err)
			pause(ctx, ha.Backoff(100*time.Millisecond, s.o.RetryWait, failures, mrand.Float64()))
		default:
			return nil, fmt.Errorf("campaign: %w", err)
		}
	}
}

// errLeftLatch: the candidate's place, or the latch itself, is gone.
var errLeftLatch = errors.New("the candidate's place in the latch is gone")

// stand takes a place in the latch and waits until it is the first.
func (s *Store) stand(ctx context.Context, sess *session, c ha.Candidate) (*term, error) {
	latch := s.node("latch")
	if err := s.superseded(ctx, sess, c); err != nil {
		return nil, err
	}
	place, err := s.takePlace(ctx, sess, latch, c)
	if err != nil {
		return nil, err
	}
	if c.Supersedes {
		if err := s.clearLatch(ctx, sess, latch, c); err != nil {
			return nil, err
		}
	}
	for {
		names, err := s.try(ctx, sess, func(cl client) ([]string, error) { return childrenOf(cl, latch) })
		if err != nil {
			return nil, err
		}
		before, leads, ok := ha.LatchPlace(names, place)
		switch {
		case !ok:
			return nil, errLeftLatch
		case leads:
			return s.takeEpoch(ctx, sess, place, c)
		}
		var gone <-chan zk.Event
		there, err := s.try(ctx, sess, func(cl client) ([]string, error) {
			ok, _, event, err := cl.ExistsW(path.Join(latch, before))
			if gone = event; ok {
				return []string{before}, err
			}
			return nil, err
		})
		if err != nil {
			return nil, err
		}
		if len(there) == 0 {
			continue
		}
		select {
		case <-gone:
		case <-sess.ended:
			return nil, sess.err()
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// try is a call within one session: trouble with connections passes as long as the session lives, which the servers decide. So it is tried
// again until the session has ended.
func (s *Store) try(ctx context.Context, sess *session, f func(c client) ([]string, error)) ([]string, error) {
	for {
		names, err := call(ctx, sess, f)
		if err == nil || !passing(err) || sess.over() || ctx.Err() != nil {
			return names, err
		}
		pause(ctx, 100*time.Millisecond)
	}
}

// superseded refuses a candidate of which a later attempt has led.
func (s *Store) superseded(ctx context.Context, sess *session, c ha.Candidate) error {
	var last ha.Owner
	_, err := s.try(ctx, sess, func(cl client) ([]string, error) {
		n, err := getNode(cl, s.node("epoch"))
		if err == nil && n.found {
			last, err = ha.DecodeRecord[ha.Owner](n.data)
		}
		return nil, err
	})
	if err == nil && last.Candidate.Outranks(c) {
		err = fmt.Errorf("attempt %d of %s, after attempt %d: %w", c.Attempt, c.Group, last.Candidate.Attempt, ha.ErrSuperseded)
	}
	return err
}

// takePlace makes the candidate's node. Its name carries a random mark, by which it is found when the answer was lost.
func (s *Store) takePlace(ctx context.Context, sess *session, latch string, c ha.Candidate) (string, error) {
	var mark [16]byte
	if _, err := rand.Read(mark[:]); err != nil {
		return "", err
	}
	prefix := "_c_" + hex.EncodeToString(mark[:]) + ha.LatchMark
	note := ha.EncodeRecord(ha.Owner{Candidate: c})
	found, err := s.try(ctx, sess, func(cl client) ([]string, error) {
		names, err := childrenOf(cl, latch)
		if err != nil {
			return nil, err
		}
		for _, n := range names {
			if strings.HasPrefix(n, prefix) {
				return []string{n}, nil
			}
		}
		if err := s.makeParents(cl, latch); err != nil {
			return nil, err
		}
		p, err := cl.Create(path.Join(latch, prefix), note, zk.FlagEphemeral|zk.FlagSequence, s.o.acl())
		if errors.Is(err, zk.ErrNoNode) {
			return nil, errLeftLatch // removed in between
		}
		return []string{path.Base(p)}, err
	})
	if err != nil {
		return "", err
	}
	return found[0], nil
}

// makeParents makes a persistent node and those above it.
func (s *Store) makeParents(c client, p string) error {
	if p == "/" {
		return nil
	}
	_, err := c.Create(p, nil, 0, s.o.acl())
	switch {
	case err == nil || errors.Is(err, zk.ErrNodeExists):
		return nil
	case !errors.Is(err, zk.ErrNoNode):
		return fmt.Errorf("create %s: %w", p, err)
	}
	if err := s.makeParents(c, path.Dir(p)); err != nil {
		return err
	}
	if _, err = c.Create(p, nil, 0, s.o.acl()); err != nil && !errors.Is(err, zk.ErrNodeExists) {
		return fmt.Errorf("create %s: %w", p, err)
	}
	return nil
}

// clearLatch removes the places of earlier attempts, which have ended by the word of who started this one.
func (s *Store) clearLatch(ctx context.Context, sess *session, latch string, c ha.Candidate) error {
	_, err := s.try(ctx, sess, func(cl client) ([]string, error) {
		names, err := childrenOf(cl, latch)
		for _, name := range names {
			p := path.Join(latch, name)
			n, err := getNode(cl, p)
			if err != nil {
				return nil, err
			}
			other, err := ha.DecodeRecord[ha.Owner](n.data)
			if !n.found || err != nil || !c.Outranks(other.Candidate) {
				continue // gone, or not of this group
			}
			if err := missingIsFine(cl.Delete(p, -1)); err != nil {
				return nil, err
			}
		}
		return nil, err
	})
	return err
}

// takeEpoch begins the term: the epoch's node gets the next number in one transaction with a check of the candidate's place.
func (s *Store) takeEpoch(ctx context.Context, sess *session, place string, c ha.Candidate) (*term, error) {
	p := s.node("epoch")
	var t *term
	_, err := s.try(ctx, sess, func(cl client) ([]string, error) {
		n, err := getNode(cl, p)
		if err != nil {
			return nil, err
		}
		last := ha.Owner{}
		if n.found {
			if last, err = ha.DecodeRecord[ha.Owner](n.data); err != nil {
				return nil, err
			}
		}
		if last.Candidate.Outranks(c) {
			return nil, fmt.Errorf("attempt %d of %s: %w", c.Attempt, c.Group, ha.ErrSuperseded)
		}
		sent := time.Now()
		owner := ha.Owner{Epoch: ha.NextEpoch(last.Epoch, sent), Place: place, Candidate: c}
		var op any = &zk.CreateRequest{Path: p, Data: ha.EncodeRecord(owner), Acl: s.o.acl()}
		version := int32(0)
		if n.found {
			op = &zk.SetDataRequest{Path: p, Data: ha.EncodeRecord(owner), Version: n.version}
			version = n.version + 1
		}
		failed, err := multi(cl, &zk.CheckVersionRequest{Path: s.node("latch", place), Version: -1}, op)
		switch {
		case err == nil:
		case failed == 0:
			return nil, errLeftLatch
		case failed == 1 && (errors.Is(err, zk.ErrBadVersion) || errors.Is(err, zk.ErrNodeExists) || errors.Is(err, zk.ErrNoNode)):
			// Our own earlier try, the answer to which was lost, or another that has just gone: again, from the top.
			return nil, zk.ErrConnectionClosed
		default:
			return nil, err
		}
		t = s.newTerm(sess, owner, version, sent)
		return nil, nil
	})
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.mu.term = t
	closed := s.ctx.Err() != nil
	s.mu.Unlock()
	if closed {
		t.end(ha.ErrResigned)
		return nil, errClosed
	}
	s.work.Go(t.beat)
	return t, nil
}

// multi makes a transaction. When it fails, failed is the number of the first operation that did not go, or -1.
func multi(c client, ops ...any) (failed int, err error) {
	res, err := c.Multi(ops...)
	if err == nil {
		return -1, nil
	}
	for i, r := range res {
		if r.Error != nil {
			return i, r.Error
		}
	}
	return -1, err
}
