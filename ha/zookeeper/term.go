package zookeeper

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/weft-project/weft/ha"
)

// term is a leader's time. It implements ha.Term.
type term struct {
	*ha.State
	store   *Store
	session *session
	owner   ha.Owner
	version int32 // of the epoch's node
	// gone is the watch of the leader's place; only beat uses it.
	gone <-chan zk.Event
}

var _ ha.Term = (*term)(nil)

func (s *Store) newTerm(sess *session, owner ha.Owner, version int32, sent time.Time) *term {
	return &term{State: ha.NewState(owner.Epoch, ha.NewLease(sess.lease(), sent)), store: s, session: sess, owner: owner, version: version}
}

// Epoch is ha.Term's.
func (t *term) Epoch() ha.Epoch { return t.State.Epoch }

// Check is ha.Term's.
func (t *term) Check() error { return t.State.Check(time.Now()) }

// Answered is ha.Term's: the servers alone are the arbiter here.
func (t *term) Answered(time.Time) {}

// place is the leader's own node in the latch.
func (t *term) place() string { return t.store.node("latch", t.owner.Place) }

// fences are the checks that every transaction of the term begins with.
func (t *term) fences() []any {
	return []any{
		&zk.CheckVersionRequest{Path: t.place(), Version: -1},
		&zk.CheckVersionRequest{Path: t.store.node("epoch"), Version: t.version},
	}
}

// commit makes a transaction behind the fences. An operation's own error, such as zk.ErrNoNode, is passed on as it is.
func (t *term) commit(c client, ops ...any) error {
	failed, err := multi(c, append(t.fences(), ops...)...)
	if failed == 0 || failed == 1 {
		return t.Result(fmt.Errorf("epoch %d: %w", t.Epoch(), ha.ErrFenced))
	}
	return err
}

// beat asks the servers now and then whether the term holds, until it does not.
func (t *term) beat() {
	defer t.session.close(errClosed)
	ctx, cancel := context.WithCancel(t.store.ctx)
	defer cancel()
	defer context.AfterFunc(t.store.ctx, func() { t.Lose(ha.ErrResigned) })()
	for failures := 0; ; {
		gone, err := t.ask(ctx)
		wait := ha.Beat(t.session.lease(), rand.Float64())
		if err == nil {
			failures = 0
		} else {
			wait = ha.Backoff(50*time.Millisecond, wait, failures, rand.Float64())
			failures++
		}
		if err != nil && t.Cause() == nil && !t.session.over() {
			t.store.o.Log.Warn("ZooKeeper does not answer the leader", "cluster", t.store.o.Cluster, "epoch", t.Epoch(), "error", err)
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-gone:
			t.gone = nil
		case <-t.session.ended:
			t.Lose(fmt.Errorf("%w: %w", t.session.err(), ha.ErrFenced))
		case <-t.Lost():
		}
		timer.Stop()
		if t.Cause() != nil {
			return
		}
	}
}

// ask proves that the term holds. gone tells of the end of the leader's place, so that it is heard of at once.
func (t *term) ask(ctx context.Context) (gone <-chan zk.Event, err error) {
	ctx, cancel := context.WithTimeout(ctx, t.session.lease())
	defer cancel()
	sent := time.Now()
	if _, err := call(ctx, t.session, func(c client) (bool, error) { return true, t.commit(c) }); err != nil {
		return nil, err
	}
	t.State.Answered(sent)
	if t.gone != nil {
		return t.gone, nil // the watch is armed: one is enough
	}
	t.gone, err = call(ctx, t.session, func(c client) (<-chan zk.Event, error) {
		_, _, event, err := c.ExistsW(t.place())
		return event, err
	})
	return t.gone, err
}

// write makes a change until it is known to be done or refused, as often as the options say.
func (t *term) write(ctx context.Context, what string, f func(c client) error) error {
	_, err := retried(ctx, t.store.o, func(ctx context.Context) (bool, error) {
		if err := t.Cause(); err != nil {
			return false, err
		}
		return call(ctx, t.session, func(c client) (bool, error) { return true, f(c) })
	})
	switch {
	case err == nil:
		return nil
	case t.Cause() != nil:
		return t.Cause()
	case t.session.over():
		t.Lose(fmt.Errorf("%w: %w", t.session.err(), ha.ErrFenced))
		return t.Cause()
	}
	return fmt.Errorf("%s: %w", what, err)
}

// Announce is ha.Term's.
func (t *term) Announce(ctx context.Context, l ha.Leader) error {
	l.Epoch, l.Identity = t.Epoch(), t.owner.Candidate.Identity
	p, data := t.store.node("leader"), ha.EncodeRecord(l)
	return t.write(ctx, "announce the leader", func(c client) error {
		// The node goes with the session; one that an earlier leader's session still keeps is replaced.
		create := &zk.CreateRequest{Path: p, Data: data, Acl: t.store.o.acl(), Flags: zk.FlagEphemeral}
		err := t.commit(c, create)
		if errors.Is(err, zk.ErrNodeExists) {
			err = t.commit(c, &zk.DeleteRequest{Path: p, Version: -1}, create)
		}
		if errors.Is(err, zk.ErrNoNode) {
			err = t.commit(c, create) // it went in between
		}
		return err
	})
}

// Put is ha.Term's.
func (t *term) Put(ctx context.Context, k ha.Key, value []byte) error {
	if err := t.Check(); err != nil {
		return err
	}
	old, err := t.store.stored(ctx, k)
	if err != nil {
		return t.because(err)
	}
	stored, at, err := t.store.o.seal(ctx, t.Epoch(), k, value)
	if err != nil {
		return fmt.Errorf("%s: %w", k, err)
	}
	// Writing a large value has taken its time.
	if err := t.Check(); err != nil {
		return errors.Join(err, t.store.o.drop(ctx, at))
	}
	p := t.store.valueNode(k)
	err = t.write(ctx, "store "+k.String(), func(c client) error {
		err := t.commit(c, &zk.SetDataRequest{Path: p, Data: stored, Version: -1})
		if errors.Is(err, zk.ErrNoNode) {
			if err := t.store.makeParents(c, path.Dir(p)); err != nil {
				return err
			}
			err = t.commit(c, &zk.CreateRequest{Path: p, Data: stored, Acl: t.store.o.acl()})
		}
		return err
	})
	if err != nil {
		// The file stays: whether the pointer is there is not known. Tidy removes it if it is not.
		return err
	}
	return t.store.o.dropStored(ctx, old.data)
}

// because gives the reason why a term that is lost could not do something, which may have shown as a session that was closed.
func (t *term) because(err error) error {
	if cause := t.Cause(); cause != nil {
		return cause
	}
	return err
}

// Delete is ha.Term's.
func (t *term) Delete(ctx context.Context, k ha.Key) error {
	old, err := t.store.stored(ctx, k)
	if err != nil || !old.found {
		return t.because(err)
	}
	p := t.store.valueNode(k)
	err = t.write(ctx, "remove "+k.String(), func(c client) error {
		return missingIsFine(t.commit(c, &zk.DeleteRequest{Path: p, Version: -1}))
	})
	if err != nil {
		return err
	}
	return t.store.o.dropStored(ctx, old.data)
}

// Tidy is ha.Term's: files that earlier leaders wrote and no node points to are removed.
func (t *term) Tidy(ctx context.Context) error {
	wanted := map[string]bool{}
	for _, kind := range ha.Kinds {
		jobs, err := t.store.Jobs(ctx, kind)
		if err != nil {
			return err
		}
		for _, job := range jobs {
			n, err := t.store.stored(ctx, ha.Key{Kind: kind, Job: job})
			if err != nil {
				return err
			}
			if _, at, err := ha.Open(n.data); err == nil && at != nil {
				wanted[at.Path] = true
			}
		}
	}
	if err := t.Check(); err != nil {
		return err
	}
	return t.store.o.sweep(ctx, t.Epoch(), wanted)
}

// Resign is ha.Term's.
func (t *term) Resign(ctx context.Context) error {
	if t.Cause() != nil {
		return nil
	}
	t.Resigning(true)
	// The place goes first, in one step with the record: then somebody else leads, and hears of no leader before.
	p := t.store.node("leader")
	err := t.write(ctx, "resign", func(c client) error {
		err := t.commit(c, &zk.DeleteRequest{Path: p, Version: -1}, &zk.DeleteRequest{Path: t.place(), Version: -1})
		if errors.Is(err, zk.ErrNoNode) {
			err = t.commit(c, &zk.DeleteRequest{Path: t.place(), Version: -1})
		}
		return err
	})
	t.end(ha.ErrResigned)
	if errors.Is(err, ha.ErrFenced) {
		return nil
	}
	return err
}

// end gives the term up without a word; its nodes go with the session.
func (t *term) end(cause error) {
	t.Lose(cause)
	t.session.close(errClosed)
}

// Purge is ha.Term's. The values go first, while nobody else can lead.
func (t *term) Purge(ctx context.Context) error {
	for _, kind := range ha.Kinds {
		jobs, err := t.store.Jobs(ctx, kind)
		if err != nil {
			return err
		}
		for _, job := range jobs {
			if err := t.Delete(ctx, ha.Key{Kind: kind, Job: job}); err != nil {
				return err
			}
		}
	}
	if err := t.store.o.sweepAll(ctx); err != nil {
		return err
	}
	// One transaction ends the epoch and the place.
	t.Resigning(true)
	err := t.write(ctx, "remove the epoch", func(c client) error {
		epoch := &zk.DeleteRequest{Path: t.store.node("epoch"), Version: t.version}
		failed, err := multi(c, append(t.fences(), epoch, &zk.DeleteRequest{Path: t.place(), Version: -1})...)
		if failed == 0 || failed == 1 {
			return t.Result(fmt.Errorf("epoch %d: %w", t.Epoch(), ha.ErrFenced))
		}
		return err
	})
	if err != nil {
		t.Resigning(false)
		return err
	}
	t.end(ha.ErrResigned)
	_, err = read(ctx, t.store, t.store.base, func(c client) (bool, error) { return true, removeEmpty(c, t.store.o.Root, t.store.base) })
	return err
}
