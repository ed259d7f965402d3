package hdfsha

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	mrand "math/rand/v2"
	"path"
	"time"

	"github.com/weft-project/weft/ha"
	"github.com/weft-project/weft/internal/fs"
)

// view is what a candidate sees of a cluster.
type view struct {
	epoch ha.Epoch // of the publishing folder
	owner ha.Owner // the last one that is on record
	free  bool     // the epoch's leader has resigned, or there was none
	alive time.Time
}

// errNoFolder: there is no publishing folder where one should be.
var errNoFolder = errors.New("the cluster's folder has no publishing folder; it is being removed, or that stopped half-way: weft ha rm removes the rest")

// look reads the state of the election; fs.ErrNotExist when the cluster has no folder.
func (s *Store) look(ctx context.Context) (view, error) {
	list, err := s.o.Files.List(ctx, s.base)
	if err != nil {
		return view{}, err
	}
	v, found := view{}, false
	for _, f := range list {
		if e, ok := ha.ParsePublishingFolder(path.Base(f.Path)); ok {
			v.epoch, found = max(v.epoch, e), true
		}
	}
	if !found {
		return v, errNoFolder
	}
	v.free = v.epoch == 0
	return v, s.lookInto(ctx, &v)
}

// lookInto reads what is in the publishing folder.
func (s *Store) lookInto(ctx context.Context, v *view) error {
	list, err := s.o.Files.List(ctx, s.publishing(v.epoch))
	if err != nil {
		return err
	}
	for _, f := range list {
		name := path.Base(f.Path)
		switch {
		case name == aliveFile:
			v.alive = f.ModTime
		case name == freePrefix+v.epoch.String():
			v.free = true
		}
		e, ok := ownerOf(name)
		if !ok || e < v.owner.Epoch {
			continue
		}
		// Its leader may be writing it this moment, or may have died then.
		if doc, err := readFile(ctx, s.o.Files, f.Path); err == nil {
			if o, err := ha.DecodeRecord[ha.Owner](doc); err == nil {
				v.owner = o
			}
		}
	}
	return nil
}

func ownerOf(name string) (ha.Epoch, bool) {
	if len(name) <= len(ownerPrefix) || name[:len(ownerPrefix)] != ownerPrefix {
		return 0, false
	}
	e, err := ha.ParseEpoch(name[len(ownerPrefix):])
	return e, err == nil
}

// lease is the owner's, which it has put on record.
func (v view) lease(def time.Duration) time.Duration {
	if d, err := time.ParseDuration(v.owner.Place); err == nil && d > 0 && v.owner.Epoch == v.epoch {
		return d
	}
	return def
}

// Campaign is ha.Store's.
func (s *Store) Campaign(ctx context.Context, c ha.Candidate) (ha.Term, error) {
	w := watcher{patience: s.o.Lease}
	missing := 0
	for failures := 0; ; {
		if err := errors.Join(ctx.Err(), s.closed()); err != nil {
			return nil, fmt.Errorf("campaign: %w", err)
		}
		t, err := s.stand(ctx, c, &w)
		switch {
		case err == nil && t != nil:
			s.mu.Lock()
			s.term = t
			s.mu.Unlock()
			s.work.Go(t.beat)
			return t, nil
		case err == nil:
			failures, missing = 0, 0
			s.pause(ctx, ha.Beat(min(w.patience, 8*standByPoll), mrand.Float64()))
			continue
		case errors.Is(err, ha.ErrSuperseded) || errors.Is(err, fs.ErrPermission):
			return nil, fmt.Errorf("campaign: %w", err)
		case errors.Is(err, errNoFolder):
			if missing++; missing > 20 {
				return nil, fmt.Errorf("campaign: %s: %w", s.base, err)
			}
		case !errors.Is(err, fs.ErrNotExist):
			// A missing name is a race that somebody else has won.
			s.o.Log.Warn("the campaign for leadership goes on", "cluster", s.o.Cluster, "error", err)
		}
		s.pause(ctx, ha.Backoff(20*time.Millisecond, longestPoll, failures, mrand.Float64()))
		failures++
	}
}

// watcher is how long a candidate has seen the leader's file untouched.
type watcher struct {
	epoch    ha.Epoch
	alive    time.Time
	since    time.Time
	patience time.Duration
}

// expired notes what was seen, by a question that was asked and answered at those times, and reports whether it was the same for the whole
// lease. What was seen was so some time between the two: the lease is counted from the first answer to the last question.
func (w *watcher) expired(v view, asked, answered time.Time, lease time.Duration) bool {
	w.patience = lease
	if w.since.IsZero() || w.epoch != v.epoch || !w.alive.Equal(v.alive) {
		w.epoch, w.alive, w.since = v.epoch, v.alive, answered
		return false
	}
	return asked.Sub(w.since) >= lease
}

// stand looks once, and takes the lead if it may; neither a term nor an error means that another leads.
func (s *Store) stand(ctx context.Context, c ha.Candidate, w *watcher) (*term, error) {
	asked := time.Now()
	v, err := s.look(ctx)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errNoFolder) {
		if err := s.begin(ctx); err != nil {
			return nil, err
		}
		v, err = s.look(ctx)
	}
	if err != nil {
		return nil, err
	}
	if v.owner.Candidate.Outranks(c) {
		return nil, fmt.Errorf("attempt %d of %s, after attempt %d: %w", c.Attempt, c.Group, v.owner.Candidate.Attempt, ha.ErrSuperseded)
	}
	if v.free || c.Supersedes && c.Outranks(v.owner.Candidate) {
		return s.take(ctx, v, c, 0)
	}
	if lease := v.lease(s.o.Lease); w.expired(v, asked, time.Now(), lease) {
		return s.take(ctx, v, c, lease)
	}
	return nil, nil
}

// take renames the publishing folder: the election. expired is the lease that the leader before has let pass; 0 when nobody has to wait for it.
func (s *Store) take(ctx context.Context, v view, c ha.Candidate, expired time.Duration) (*term, error) {
	lease := s.o.Lease
	if c.Lease > 0 {
		lease = c.Lease
	}
	sent := time.Now()
	next := ha.NextEpoch(v.epoch, sent)
	if err := s.o.Files.Rename(ctx, s.publishing(v.epoch), s.publishing(next), false); err != nil {
		return nil, fmt.Errorf("take the lead: %w", err)
	}
	owner := ha.Owner{Epoch: next, Place: lease.String(), Candidate: c}
	err := createFile(ctx, s.o.Files, s.publishing(next, ownerPrefix+next.String()), ha.EncodeRecord(owner))
	if err != nil {
		err = fmt.Errorf("put the leader on record: %w", err)
	} else if expired > 0 {
		sent, err = s.outwait(ctx, v, next, expired)
	}
	if err != nil {
		// Nobody leads this epoch: nobody need wait for its lease.
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbye)
		defer cancel()
		return nil, errors.Join(err, s.Depose(last, ha.Leader{Epoch: next}))
	}
	return s.newTerm(owner, lease, sent), nil
}

// outwait sees to it that the leader before does not trust its lease any more. It may have come back and touched its file between the
// look and the rename; then it gets the time for which it may trust that. sent is when the new leader last knew that it leads.
func (s *Store) outwait(ctx context.Context, v view, next ha.Epoch, expired time.Duration) (sent time.Time, err error) {
	alive := s.publishing(next, aliveFile)
	sent = time.Now()
	info, err := s.o.Files.Stat(ctx, alive)
	if err != nil || info.ModTime.Equal(v.alive) {
		return sent, err
	}
	for end := time.Now().Add(expired); err == nil && time.Now().Before(end); {
		s.pause(ctx, ha.Beat(expired, mrand.Float64()))
		sent = time.Now()
		if err = errors.Join(ctx.Err(), s.closed()); err == nil {
			// Who stands by sees that this epoch lives.
			err = s.o.Files.SetTimes(ctx, alive, sent.Truncate(time.Millisecond))
		}
	}
	return sent, err
}

// begin makes the cluster's folder, with the publishing folder of epoch 0, in one step. Who is not the first finds it made.
func (s *Store) begin(ctx context.Context) error {
	aside, err := s.aside("new")
	if err != nil {
		return err
	}
	zero := path.Join(aside, ha.PublishingFolder(0))
	if err := s.o.Files.MkdirAll(ctx, zero, privateDirs); err != nil {
		return err
	}
	err = createFile(ctx, s.o.Files, path.Join(zero, aliveFile), nil)
	if err == nil {
		// What a removed cluster may have left is empty; one that is not lives, or is being removed.
		if err = s.o.Files.Delete(ctx, s.base, false); errors.Is(err, fs.ErrNotEmpty) {
			err = nil
		}
	}
	if err == nil {
		err = s.o.Files.Rename(ctx, aside, s.base, false)
	}
	if err == nil {
		return nil
	}
	if errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrNotEmpty) {
		err = nil
	}
	return errors.Join(err, s.o.Files.Delete(ctx, aside, true))
}

// aside is a new name beside the clusters, where nobody looks for one.
func (s *Store) aside(what string) (string, error) { return asideOf(s.o.Dir, what) }

func asideOf(dir, what string) (string, error) {
	var mark [8]byte
	if _, err := rand.Read(mark[:]); err != nil {
		return "", err
	}
	return path.Join(dir, "."+what+"-"+hex.EncodeToString(mark[:])), nil
}
