package hdfsha

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weft-project/weft/ha"
	"github.com/weft-project/weft/internal/fs"
)

// term is a leader's time. It implements ha.Term.
type term struct {
	*ha.State
	store *Store
	owner ha.Owner
	lease time.Duration
	names atomic.Uint64 // for names in the publishing folder

	// changes are made one at a time; unsure are those whose answer was lost and which may still come.
	changes sync.Mutex
	unsure  []func(ctx context.Context) error
}

var _ ha.Term = (*term)(nil)

func (s *Store) newTerm(owner ha.Owner, lease time.Duration, sent time.Time) *term {
	return &term{State: ha.NewState(owner.Epoch, ha.NewLease(lease, sent)), store: s, owner: owner, lease: lease}
}

// Epoch is ha.Term's.
func (t *term) Epoch() ha.Epoch { return t.State.Epoch }

// Check is ha.Term's.
func (t *term) Check() error { return t.State.Check(time.Now()) }

// Answered is ha.Term's.
func (t *term) Answered(sent time.Time) {
	if t.owner.Candidate.Lease > 0 {
		t.State.Answered(sent)
	}
}

// own is a name in the term's publishing folder.
func (t *term) own(name string) string { return t.store.publishing(t.Epoch(), name) }

// newName is one that was not used before; Tidy knows it by its beginning.
func (t *term) newName() string { return t.own(fmt.Sprintf("%d-%d", t.Epoch(), t.names.Add(1))) }

// beat touches the leader's file now and then, until the term is lost.
func (t *term) beat() {
	ctx, cancel := context.WithCancel(t.store.ctx)
	defer cancel()
	defer context.AfterFunc(t.store.ctx, func() { t.Lose(ha.ErrResigned) })()
	var last time.Time
	for failures := 0; ; {
		wait := ha.Beat(t.lease, rand.Float64())
		sent := time.Now()
		// Each touch is seen: the file system keeps milliseconds.
		if at := sent.Truncate(time.Millisecond); at.After(last) {
			last = at
		} else {
			last = last.Add(time.Millisecond)
		}
		err := t.touch(ctx, last)
		if err == nil {
			failures = 0
			if t.owner.Candidate.Lease == 0 {
				t.State.Answered(sent)
			}
		} else if t.Cause() == nil {
			wait = ha.Backoff(50*time.Millisecond, wait, failures, rand.Float64())
			failures++
			t.store.o.Log.Warn("the leader cannot show that it lives", "cluster", t.store.o.Cluster, "epoch", t.Epoch(), "error", err)
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-t.Lost():
		}
		timer.Stop()
		if t.Cause() != nil {
			return
		}
	}
}

// touch shows that the leader lives, and finds out whether it leads. A call that takes longer than its answer would count is given up.
func (t *term) touch(ctx context.Context, at time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, t.lease/2)
	defer cancel()
	return t.fenced(ctx, t.store.o.Files.SetTimes(ctx, t.own(aliveFile), at))
}

// fenced looks at an error of a call within the publishing folder: if the folder is gone, the term is lost.
func (t *term) fenced(ctx context.Context, err error) error {
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if _, errStat := t.store.o.Files.Stat(ctx, t.store.publishing(t.Epoch())); errors.Is(errStat, fs.ErrNotExist) {
		return t.Result(fmt.Errorf("epoch %d: %w", t.Epoch(), ha.ErrFenced))
	} else if errStat != nil {
		return errStat
	}
	return err
}

// change runs one change of the store, after those whose outcome was not known are settled.
func (t *term) change(ctx context.Context, what string, f func(ctx context.Context) error) error {
	t.changes.Lock()
	defer t.changes.Unlock()
	for len(t.unsure) > 0 {
		if err := t.fenced(ctx, t.unsure[0](ctx)); err != nil {
			return fmt.Errorf("%s: settle an earlier change: %w", what, err)
		}
		t.unsure = t.unsure[1:]
	}
	if err := t.Cause(); err != nil {
		return err
	}
	if err := f(ctx); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// publish writes a file in the publishing folder and renames it to its place.
func (t *term) publish(ctx context.Context, name string, data []byte) error {
	files, tmp := t.store.o.Files, t.newName()
	forget := func(ctx context.Context) error { return files.Delete(ctx, tmp, false) }
	if err := createFile(ctx, files, tmp, data); err != nil {
		t.unsure = append(t.unsure, forget)
		return t.fenced(ctx, err)
	}
	// Writing has taken its time.
	if err := t.Check(); err != nil {
		t.unsure = append(t.unsure, forget)
		return err
	}
	err := files.Rename(ctx, tmp, t.store.file(name), true)
	if err == nil {
		return nil
	}
	if err = t.fenced(ctx, err); errors.Is(err, fs.ErrNotExist) {
		// The folder is still the leader's and the file is not in it: an earlier try of the call has renamed it.
		if _, errStat := files.Stat(ctx, tmp); errors.Is(errStat, fs.ErrNotExist) {
			return nil
		}
	}
	t.unsure = append(t.unsure, forget)
	return err
}

// withdraw removes a file by renaming it into the publishing folder.
func (t *term) withdraw(ctx context.Context, name string) error {
	files, target := t.store.o.Files, t.newName()
	err := t.fenced(ctx, files.Rename(ctx, t.store.file(name), target, false))
	switch {
	case err == nil:
		return t.remove(ctx, target)
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case errors.Is(err, ha.ErrFenced):
		return err
	}
	// When the name is taken, a late rename fails.
	t.unsure = append(t.unsure, func(ctx context.Context) error {
		if err := createFile(ctx, files, target, nil); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		return nil
	})
	return err
}

// remove removes a file that nobody needs; Tidy does it again if that fails.
func (t *term) remove(ctx context.Context, p string) error {
	if err := t.store.o.Files.Delete(ctx, p, false); err != nil {
		t.store.o.Log.Warn("a file that nobody needs stays", "file", p, "error", err)
	}
	return nil
}

// Announce is ha.Term's.
func (t *term) Announce(ctx context.Context, l ha.Leader) error {
	l.Epoch, l.Identity = t.Epoch(), t.owner.Candidate.Identity
	return t.change(ctx, "announce the leader", func(ctx context.Context) error {
		return t.publish(ctx, leaderFile, ha.EncodeRecord(l))
	})
}

// Put is ha.Term's.
func (t *term) Put(ctx context.Context, k ha.Key, value []byte) error {
	if err := t.Check(); err != nil {
		return err
	}
	return t.change(ctx, "store "+k.String(), func(ctx context.Context) error {
		return t.publish(ctx, valueFile(k), ha.Seal(value))
	})
}

// Delete is ha.Term's.
func (t *term) Delete(ctx context.Context, k ha.Key) error {
	return t.change(ctx, "remove "+k.String(), func(ctx context.Context) error {
		return t.withdraw(ctx, valueFile(k))
	})
}

// Tidy is ha.Term's: it removes what earlier leaders have left in the publishing folder.
func (t *term) Tidy(ctx context.Context) error {
	list, err := t.store.o.Files.List(ctx, t.store.publishing(t.Epoch()))
	if err != nil {
		return t.fenced(ctx, err)
	}
	mine := t.Epoch().String()
	for _, f := range list {
		name := path.Base(f.Path)
		if name == aliveFile || name == ownerPrefix+mine || name == freePrefix+mine || strings.HasPrefix(name, mine+"-") {
			continue
		}
		if err := t.store.o.Files.Delete(ctx, f.Path, false); err != nil {
			return t.fenced(ctx, err)
		}
	}
	return nil
}

// Resign is ha.Term's.
func (t *term) Resign(ctx context.Context) error {
	if t.Cause() != nil {
		return nil
	}
	t.Resigning(true)
	err := t.change(ctx, "resign", func(ctx context.Context) error { return t.withdraw(ctx, leaderFile) })
	if t.Lose(ha.ErrResigned) {
		err = errors.Join(err, t.store.Depose(ctx, ha.Leader{Epoch: t.Epoch()}))
	}
	return err
}

// Purge is ha.Term's. The publishing folder goes last, and takes the lead with it.
func (t *term) Purge(ctx context.Context) error {
	list, err := t.store.o.Files.List(ctx, t.store.base)
	if err != nil {
		return t.fenced(ctx, err)
	}
	gone, err := t.store.aside("gone")
	if err != nil {
		return err
	}
	t.Resigning(true)
	err = t.change(ctx, "remove the cluster", func(ctx context.Context) error {
		for _, f := range list {
			if !f.IsDir {
				if err := t.withdraw(ctx, path.Base(f.Path)); err != nil {
					return err
				}
			}
		}
		return t.fenced(ctx, t.store.o.Files.Rename(ctx, t.store.publishing(t.Epoch()), gone, false))
	})
	if err != nil {
		t.Resigning(false)
		return err
	}
	t.Lose(ha.ErrResigned)
	err = t.store.o.Files.Delete(ctx, t.store.base, false)
	if errors.Is(err, fs.ErrNotEmpty) {
		err = nil // somebody has begun it again
	}
	return errors.Join(err, t.store.o.Files.Delete(ctx, gone, true))
}
