package hdfsstate

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/weft-project/weft/checkpoint"
	"github.com/weft-project/weft/checkpoint/manifest"
	"github.com/weft-project/weft/checkpoint/restore"
	"github.com/weft-project/weft/internal/fs"
	"github.com/weft-project/weft/internal/fs/faultfs"
	"github.com/weft-project/weft/internal/fs/local"
)

// groupsOf is some state of 4 key groups: group 2 has none.
func groupsOf(seed byte) []map[string][]byte {
	return []map[string][]byte{{"n": {seed, 1}, "m": {seed}}, {"n": []byte(strings.Repeat("x", 300))}, nil, {"n": {seed, 3}}}
}

// write stores a checkpoint's state and gives its manifest.
func write(ctx context.Context, store fs.FileSystem, dir string, ref checkpoint.Ref) (*manifest.Manifest, error) {
	w := NewStateWriter(StateTarget{Store: store, Root: dir, Prefix: StatePrefix(ref), Name: "w-0", InlineBelow: 64, Chunk: 128})
	k := w.Keyed(0)
	for _, g := range groupsOf(byte(ref.ID)) {
		if err := k.Group(ctx, g); err != nil {
			return nil, errors.Join(err, w.Abort(ctx))
		}
	}
	groups, err := k.Done(ctx)
	if err != nil {
		return nil, errors.Join(err, w.Abort(ctx))
	}
	list, err := w.List(ctx, "splits", [][]byte{[]byte("a"), []byte("bc"), {}})
	if err != nil {
		return nil, errors.Join(err, w.Abort(ctx))
	}
	if err := w.Close(ctx); err != nil {
		return nil, err
	}
	return &manifest.Manifest{Kind: manifest.Checkpoint, Job: strings.Repeat("0f", 16), ID: ref.ID, Epoch: ref.Epoch, Operators: []manifest.Operator{{
		ID: "01", UID: "count", Name: "Count", Parallelism: 1, MaxParallelism: 4,
		States:   []manifest.State{{Name: "n", Kind: manifest.Keyed}, {Name: "splits", Kind: manifest.Split}},
		Subtasks: []manifest.Subtask{{Keyed: groups, Lists: []manifest.List{list}}}}}}, nil
}

// check reads everything back.
func check(t *testing.T, store fs.FileSystem, root string, m *manifest.Manifest) {
	t.Helper()
	p, err := restore.Make(m, []restore.Operator{{ID: "01", Parallelism: 2, MaxParallelism: 4}}, false)
	if err != nil {
		t.Fatal(err)
	}
	r := NewStateReader(store, root)
	defer r.Close()
	got := make([]map[string][]byte, 4)
	var elements []string
	for _, s := range p.Operators["01"].Subtasks {
		for _, rg := range s.Keyed {
			if err := r.Groups(t.Context(), rg, func(g int, parts map[string][]byte) error { got[g] = parts; return nil }); err != nil {
				t.Fatal(err)
			}
		}
		for _, l := range s.Lists {
			es, err := r.List(t.Context(), l)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range es {
				elements = append(elements, string(e))
			}
		}
	}
	if want := groupsOf(byte(m.ID)); !reflect.DeepEqual(got, want) || fmt.Sprint(elements) != "[a bc ]" {
		t.Fatalf("read %v and %v, expected %v", got, elements, want)
	}
}

func fence(t *testing.T, c *Checkpoints) *Existing {
	t.Helper()
	found, err := c.Fence(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func publish(t *testing.T, c *Checkpoints, ref checkpoint.Ref) {
	t.Helper()
	m, err := write(t.Context(), c.store, c.dir, ref)
	if err != nil {
		t.Fatal(err)
	}
	if o, err := c.Publish(t.Context(), m); o != checkpoint.Published || err != nil {
		t.Fatal(o, err)
	}
}

func TestPublishAndFind(t *testing.T) {
	dir := t.TempDir()
	c := NewCheckpoints(local.New(), dir, 3)
	if found := fence(t, c); len(found.Completed) != 0 || found.Next != 1 {
		t.Fatalf("%+v", found)
	}
	publish(t, c, checkpoint.Ref{Epoch: 3, ID: 9})
	publish(t, c, checkpoint.Ref{Epoch: 3, ID: 10})
	next := NewCheckpoints(local.New(), dir, 4)
	found := fence(t, next)
	if len(found.Completed) != 2 || found.Completed[1].ID != 10 || found.Next != 11 || len(found.Damaged) != 0 {
		t.Fatalf("%+v", found)
	}
	check(t, local.New(), dir, found.Completed[1].Manifest)

	// The leader before cannot publish any more (F4), nor come back.
	m, err := write(t.Context(), local.New(), dir, checkpoint.Ref{Epoch: 3, ID: 11})
	if err != nil {
		t.Fatal(err)
	}
	if o, err := c.Publish(t.Context(), m); o != checkpoint.Fenced || !errors.Is(err, ErrFenced) {
		t.Fatal(o, err)
	}
	if _, err := c.Fence(t.Context()); !errors.Is(err, ErrFenced) {
		t.Fatal(err)
	}
	if err := next.Delete(t.Context(), 9, found.Completed[0].Manifest.Files()); err != nil {
		t.Fatal(err)
	}
	found = fence(t, next)
	if len(found.Completed) != 1 || found.Next != 12 {
		t.Fatalf("%+v", found)
	}
	check(t, local.New(), dir, found.Completed[0].Manifest)
}

// stepFS calls before with the number of each call that changes something.
type stepFS struct {
	fs.FileSystem
	n      int
	before func(n int)
}

func (s *stepFS) step() {
	s.n++
	s.before(s.n)
}

func (s *stepFS) Create(ctx context.Context, p string, o fs.CreateOptions) (fs.Writer, error) {
	s.step()
	return s.FileSystem.Create(ctx, p, o)
}

func (s *stepFS) MkdirAll(ctx context.Context, p string, mode os.FileMode) error {
	s.step()
	return s.FileSystem.MkdirAll(ctx, p, mode)
}

func (s *stepFS) Rename(ctx context.Context, a, b string, overwrite bool) error {
	s.step()
	return s.FileSystem.Rename(ctx, a, b, overwrite)
}

// A successor comes before each step of a publication, and once after all: either it sees the checkpoint, or the publication fails.
func TestASuccessorAtEveryStep(t *testing.T) {
	for at := 1; ; at++ {
		dir := t.TempDir()
		var found *Existing
		step := &stepFS{FileSystem: local.New(), before: func(int) {}}
		old := NewCheckpoints(step, dir, 1)
		fence(t, old)
		m, err := write(t.Context(), local.New(), dir, checkpoint.Ref{Epoch: 1, ID: 5})
		if err != nil {
			t.Fatal(err)
		}
		step.n, step.before = 0, func(n int) {
			if n == at {
				found = fence(t, NewCheckpoints(local.New(), dir, 2))
			}
		}
		outcome, err := old.Publish(t.Context(), m)
		late := found == nil
		if late {
			found = fence(t, NewCheckpoints(local.New(), dir, 2))
		}
		if saw := len(found.Completed) == 1; saw != (outcome == checkpoint.Published) || !saw && outcome != checkpoint.Fenced {
			t.Fatalf("before step %d: outcome %d (%v), and the successor found %d checkpoints", at, outcome, err, len(found.Completed))
		}
		if late {
			return
		}
	}
}

// Two leaders fence at the same time: the later epoch has it, whatever the order.
func TestFencingAtEveryStep(t *testing.T) {
	for at := 1; at < 10; at++ {
		dir := t.TempDir()
		fence(t, NewCheckpoints(local.New(), dir, 1))
		second := NewCheckpoints(local.New(), dir, 3)
		step := &stepFS{FileSystem: local.New(), before: func(n int) {
			if n == at {
				fence(t, second)
			}
		}}
		first := NewCheckpoints(step, dir, 2)
		_, err := first.Fence(t.Context())
		if step.n < at {
			fence(t, second)
		} else if err == nil {
			// It may believe in itself, but must not be able to publish.
			m := &manifest.Manifest{Kind: manifest.Checkpoint, ID: 1, Epoch: 2}
			if o, err := first.Publish(t.Context(), m); o != checkpoint.Fenced {
				t.Fatalf("step %d: %d, %v", at, o, err)
			}
		}
		publish(t, second, checkpoint.Ref{Epoch: 3, ID: 1})
	}
}

// Each call of each operation fails once, before or after it was done: what comes back is true, and what is found afterwards is whole.
func TestFaultsAtEveryOperation(t *testing.T) {
	ops := []string{"Create", "Write", "Close", "Rename", "MkdirAll", "Stat", "List", "Delete", "Open", "Read"}
	for _, op := range ops {
		for _, when := range []faultfs.When{faultfs.Before, faultfs.After} {
			for nth := 1; nth < 12; nth++ {
				name := fmt.Sprintf("%s %d, %d", op, nth, when)
				dir := t.TempDir()
				f := faultfs.New(local.New(), faultfs.Fault{Op: op, Nth: nth, When: when})
				c := NewCheckpoints(f, dir, 1)
				outcome, files := checkpoint.NotPublished, []string(nil)
				if _, err := c.Fence(t.Context()); err == nil {
					if m, err := write(t.Context(), f, dir, checkpoint.Ref{Epoch: 1, ID: 1}); err == nil {
						files = m.Files()
						outcome, err = c.Publish(t.Context(), m)
						if (err == nil) != (outcome == checkpoint.Published) {
							t.Fatalf("%s: outcome %d with %v", name, outcome, err)
						}
					}
				}
				hit := f.Calls(op) >= nth
				f.Heal()
				c = NewCheckpoints(f, dir, 2)
				found := fence(t, c)
				published := len(found.Completed) == 1
				if len(found.Damaged) > 0 || outcome == checkpoint.Published && !published || outcome == checkpoint.NotPublished && published {
					t.Fatalf("%s: outcome %d, found %+v", name, outcome, found)
				}
				if published {
					check(t, local.New(), dir, found.Completed[0].Manifest)
				}
				sweepAll(t, c, found, files)
				if !hit {
					break
				}
			}
		}
	}
}

// sweepAll publishes one more, and then nothing but that is left.
func sweepAll(t *testing.T, c *Checkpoints, found *Existing, _ []string) {
	t.Helper()
	ref := checkpoint.Ref{Epoch: c.epoch, ID: found.Next}
	publish(t, c, ref)
	again := fence(t, c)
	coord := checkpoint.New(checkpoint.Settings{NumRetained: 1}, checkpoint.Job{}, checkpoint.Graph{}, c.epoch, again.Next, again.Completed[len(again.Completed)-1:])
	listing, err := c.Scan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ids, garbage := coord.Garbage(listing)
	if err := c.Sweep(t.Context(), ids, garbage); err != nil {
		t.Fatal(err)
	}
	var left []string
	err = filepath.WalkDir(c.dir, func(p string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(c.dir, p)
			left = append(left, rel)
		}
		return err
	})
	want := []string{fmt.Sprintf("chk-%d/_metadata", ref.ID), fmt.Sprintf("state/%d-%d/w-0-0", ref.Epoch, ref.ID)}
	if err != nil || !reflect.DeepEqual(left, want) {
		t.Fatalf("left %v (%v), expected %v", left, err, want)
	}
}

func TestDamageIsReportedAndTheOneBeforeUsed(t *testing.T) {
	for name, spoil := range map[string]func(dir string) error{
		"metadata cut short": func(dir string) error { return os.Truncate(dir+"/chk-2/_metadata", 40) },
		"state cut short":    func(dir string) error { return os.Truncate(dir+"/state/1-2/w-0-0", 10) },
		"state gone":         func(dir string) error { return os.Remove(dir + "/state/1-2/w-0-0") },
		"another's metadata": func(dir string) error {
			b, err := os.ReadFile(dir + "/chk-1/_metadata")
			return errors.Join(err, os.WriteFile(dir+"/chk-2/_metadata", b, 0o600))
		},
	} {
		dir := t.TempDir()
		c := NewCheckpoints(local.New(), dir, 1)
		fence(t, c)
		publish(t, c, checkpoint.Ref{Epoch: 1, ID: 1})
		publish(t, c, checkpoint.Ref{Epoch: 1, ID: 2})
		if err := spoil(dir); err != nil {
			t.Fatal(err)
		}
		found := fence(t, NewCheckpoints(local.New(), dir, 2))
		if len(found.Completed) != 1 || found.Completed[0].ID != 1 || len(found.Damaged) != 1 || !strings.HasSuffix(found.Damaged[0].Path, "/chk-2") {
			t.Fatalf("%s: %+v", name, found)
		}
		check(t, local.New(), dir, found.Completed[0].Manifest)
	}
	// Bytes that changed are noticed when they are read.
	dir := t.TempDir()
	m, err := write(t.Context(), local.New(), dir, checkpoint.Ref{Epoch: 1, ID: 1})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, m.Files()[0])
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	b[rand.IntN(len(b))] ^= 4
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	h := m.Operators[0].Subtasks[0].Keyed[0].Data
	r := NewStateReader(local.New(), dir)
	defer r.Close()
	if _, err := r.Handle(t.Context(), h); !errors.Is(err, manifest.ErrDamaged) || !strings.Contains(err.Error(), file) {
		t.Fatal(err)
	}
}

func stores() *fs.Registry {
	r := fs.NewRegistry()
	r.Register("file", local.Factory)
	return r
}

// A savepoint is complete by itself: it is read after it was moved, and its job's directory is gone.
func TestSavepointsMove(t *testing.T) {
	ctx, store := t.Context(), local.New()
	dir, err := ReserveSavepoint(ctx, store, t.TempDir(), strings.Repeat("0f", 16))
	if err != nil || !strings.Contains(dir, "/savepoint-0f0f0f-") {
		t.Fatal(dir, err)
	}
	w := NewStateWriter(StateTarget{Store: store, Root: dir, Name: "w-0", Chunk: 1, MaxFile: 200})
	k := w.Keyed(0)
	for _, g := range groupsOf(7) {
		if err := k.Group(ctx, g); err != nil {
			t.Fatal(err)
		}
	}
	groups, err := k.Done(ctx)
	if err != nil {
		t.Fatal(err)
	}
	list, err := w.List(ctx, "splits", [][]byte{[]byte("a"), []byte("bc"), {}})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(ctx); err != nil {
		t.Fatal(err)
	}
	m := &manifest.Manifest{Kind: manifest.Savepoint, ID: 7, Base: "file://" + dir, Operators: []manifest.Operator{{ID: "01", Parallelism: 1, MaxParallelism: 4,
		States: []manifest.State{{Name: "splits", Kind: manifest.Split}}, Subtasks: []manifest.Subtask{{Keyed: groups, Lists: []manifest.List{list}}}}}}
	if o, err := PublishSavepoint(ctx, store, dir, m); o != checkpoint.Published {
		t.Fatal(o, err)
	}
	moved := filepath.Join(t.TempDir(), "elsewhere")
	if err := os.Rename(dir, moved); err != nil {
		t.Fatal(err)
	}
	s, err := OpenSnapshot(ctx, stores(), "file://"+moved+"/_metadata")
	if err != nil {
		t.Fatal(err)
	}
	check(t, s.Store, s.Root, s.Manifest)
	if f := s.Foreign(); !f.Foreign || f.Manifest.Base != "file://"+moved {
		t.Errorf("%+v", f)
	}
	if err := Dispose(ctx, stores(), moved); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenSnapshot(ctx, stores(), moved); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
}

// What the coordinator asks for, by way of the actions themselves.
func TestActions(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	c := NewCheckpoints(local.New(), dir, 1)
	fence(t, c)
	one, err := write(ctx, local.New(), dir, checkpoint.Ref{Epoch: 1, ID: 1})
	if err != nil {
		t.Fatal(err)
	}
	o, at, err := c.PublishAny(ctx, stores(), checkpoint.Publish{Ref: checkpoint.Ref{Epoch: 1, ID: 1}, Manifest: one})
	if o != checkpoint.Published || at != "file://"+dir+"/chk-1" {
		t.Fatal(o, at, err)
	}
	target, err := ReserveSavepoint(ctx, local.New(), t.TempDir(), "0123456789")
	if err != nil {
		t.Fatal(err)
	}
	stop := &manifest.Manifest{Kind: manifest.Savepoint, ID: 2, Epoch: 1, Base: "file://" + target}
	if o, at, err = c.PublishAny(ctx, stores(), checkpoint.Publish{Kind: checkpoint.Stop, Manifest: stop, Target: stop.Base}); o != checkpoint.Published || at != stop.Base {
		t.Fatal(o, at, err)
	}
	if s, err := OpenSnapshot(ctx, stores(), target); err != nil || s.Base != "" || s.Root != target {
		t.Fatalf("%v, %+v", err, s)
	}
	if s, err := OpenSnapshot(ctx, stores(), dir+"/chk-2"); err != nil || s.Root != target {
		t.Fatalf("%v, %+v", err, s)
	}
	for _, d := range []checkpoint.Discard{{Claimed: at}, {Claimed: dir + "/chk-1"}, {Claimed: dir + "/chk-1"}, {Files: []string{"state/1-9/x"}}, {Target: "file://" + target}} {
		if err := c.Perform(ctx, stores(), d); err != nil {
			t.Fatalf("%+v: %v", d, err)
		}
	}
	if _, err := os.Stat(target); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, one.Files()[0])); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

// A stop's checkpoint refers to the savepoint and is found like any other.
func TestAStopIsACheckpoint(t *testing.T) {
	dir := t.TempDir()
	c := NewCheckpoints(local.New(), dir, 1)
	fence(t, c)
	m := &manifest.Manifest{Kind: manifest.Savepoint, ID: 3, Epoch: 1, Base: "file:///savepoints/x"}
	if o, err := c.Publish(t.Context(), m); o != checkpoint.Published {
		t.Fatal(err)
	}
	found := fence(t, c)
	if len(found.Completed) != 1 || found.Completed[0].Kind != checkpoint.Stop || found.Completed[0].Path != m.Base {
		t.Fatalf("%+v", found.Completed)
	}
	if err := Dispose(t.Context(), stores(), dir+"/chk-3"); err == nil || !strings.Contains(err.Error(), "is a checkpoint") {
		t.Fatal(err)
	}
	if _, err := OpenSnapshot(t.Context(), stores(), dir); err == nil || !strings.Contains(err.Error(), "/chk-3") {
		t.Fatal(err)
	}
}

// Remove leaves retained checkpoints, and nothing else of its own.
func TestRemove(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "job")
	c := NewCheckpoints(local.New(), dir, 1)
	fence(t, c)
	publish(t, c, checkpoint.Ref{Epoch: 1, ID: 1})
	if err := c.Remove(t.Context()); err != nil {
		t.Fatal(err)
	}
	found := fence(t, c)
	check(t, local.New(), dir, found.Completed[0].Manifest)
	if err := c.Delete(t.Context(), 1, nil); err != nil {
		t.Fatal(err)
	}
	if err := c.Remove(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
}
