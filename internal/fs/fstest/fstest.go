package fstest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	iofs "io/fs"
	"path"
	"sync"
	"testing"
	"time"

	"github.com/weft-project/weft/internal/fs"
)

// Run proves that store keeps the contract of fs.FileSystem. dir is an absolute path on it that may be made and filled; it is
// removed at the end.
func Run(t *testing.T, store fs.FileSystem, dir string) {
	s := suite{store: store}
	t.Cleanup(func() {
		// The test's own context has ended by now.
		if err := store.Delete(context.WithoutCancel(t.Context()), dir, true); err != nil {
			t.Errorf("remove %s: %v", dir, err)
		}
	})
	for _, c := range []struct {
		name string
		test func(t *testing.T, s suite)
	}{
		{"Create", testCreate},
		{"CreateRace", testCreateRace},
		{"CreateParents", testCreateParents},
		{"Abort", testAbort},
		{"AbortAfterClose", testAbortAfterClose},
		{"Missing", testMissing},
		{"MkdirAll", testMkdirAll},
		{"List", testList},
		{"Rename", testRename},
		{"RenameRace", testRenameRace},
		{"RenameDirectory", testRenameDirectory},
		{"Delete", testDelete},
		{"Chmod", testChmod},
		{"SetTimes", testSetTimes},
		{"Seek", testSeek},
		{"Large", testLarge},
		{"Concurrent", testConcurrent},
		{"Cancelled", testCancelled},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := s
			s.dir = path.Join(dir, c.name)
			if err := store.MkdirAll(t.Context(), s.dir, 0o755); err != nil {
				t.Fatalf("MkdirAll: %v", err)
			}
			c.test(t, s)
		})
	}
}

type suite struct {
	store fs.FileSystem
	dir   string
}

func (s suite) path(name string) string { return path.Join(s.dir, name) }

// write makes a file.
func (s suite) write(t *testing.T, name string, data []byte) {
	t.Helper()
	w, err := s.store.Create(t.Context(), s.path(name), fs.CreateOptions{})
	if err != nil {
		t.Fatalf("Create %s: %v", name, err)
	}
	if n, err := w.Write(data); err != nil || n != len(data) {
		t.Fatalf("Write %s: %d, %v", name, n, err)
	}
	if err := w.Close(); err != nil {
		t.Fatalf("Close %s: %v", name, err)
	}
}

// wants checks that a file holds data.
func (s suite) wants(t *testing.T, name string, data []byte) {
	t.Helper()
	r, err := s.store.Open(t.Context(), s.path(name))
	if err != nil {
		t.Fatalf("Open %s: %v", name, err)
	}
	got, err := io.ReadAll(r)
	if err != nil {
		t.Fatalf("read %s: %v", name, err)
	}
	if !bytes.Equal(got, data) {
		t.Fatalf("%s: %d bytes that differ from the %d written", name, len(got), len(data))
	}
	if r.Size() != int64(len(data)) {
		t.Errorf("%s: Size %d, want %d", name, r.Size(), len(data))
	}
	if err := r.Close(); err != nil {
		t.Errorf("Close %s: %v", name, err)
	}
}

// wantsErr checks the kind of an error.
func wantsErr(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: error %v, want %v", what, err, want)
	}
}

func (s suite) wantsMissing(t *testing.T, name string) {
	t.Helper()
	_, err := s.store.Stat(t.Context(), s.path(name))
	wantsErr(t, "Stat "+name, err, fs.ErrNotExist)
}

// Pattern gives n bytes in which every place is recognised.
func Pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		x := uint32(i)
		b[i] = byte(x ^ x>>8 ^ x>>16*31)
	}
	return b
}

func testCreate(t *testing.T, s suite) {
	before := time.Now().Add(-time.Minute)
	s.write(t, "f", []byte("hello"))
	s.wants(t, "f", []byte("hello"))
	st, err := s.store.Stat(t.Context(), s.path("f"))
	if err != nil {
		t.Fatal(err)
	}
	if st.Path != s.path("f") || st.Size != 5 || st.IsDir || st.Mode != 0o644 || st.ModTime.Before(before) {
		t.Errorf("Stat: %+v", st)
	}
	_, err = s.store.Create(t.Context(), s.path("f"), fs.CreateOptions{})
	wantsErr(t, "Create of an existing file", err, fs.ErrExist)
	_, err = s.store.Create(t.Context(), s.dir, fs.CreateOptions{})
	wantsErr(t, "Create of an existing directory", err, fs.ErrExist)
	s.wants(t, "f", []byte("hello"))
	s.write(t, "empty", nil)
	s.wants(t, "empty", nil)
	w, err := s.store.Create(t.Context(), s.path("private"), fs.CreateOptions{Mode: 0o600})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if st, err := s.store.Stat(t.Context(), s.path("private")); err != nil || st.Mode != 0o600 {
		t.Errorf("Stat of a file made with mode 0600: %v, %v", st.Mode, err)
	}
}

// testCreateRace has many creators of one name: one wins.
func testCreateRace(t *testing.T, s suite) {
	const creators = 8
	errs := make([]error, creators)
	var wg sync.WaitGroup
	for i := range creators {
		wg.Go(func() {
			w, err := s.store.Create(t.Context(), s.path("f"), fs.CreateOptions{})
			if err == nil {
				_, err = fmt.Fprintf(w, "%d", i)
				err = errors.Join(err, w.Close())
			}
			errs[i] = err
		})
	}
	wg.Wait()
	winner := -1
	for i, err := range errs {
		switch {
		case err == nil && winner < 0:
			winner = i
		case err == nil:
			t.Errorf("creators %d and %d both won", winner, i)
		default:
			wantsErr(t, fmt.Sprintf("creator %d", i), err, fs.ErrExist)
		}
	}
	if winner < 0 {
		t.Fatal("nobody won")
	}
	s.wants(t, "f", fmt.Append(nil, winner))
}

func testCreateParents(t *testing.T, s suite) {
	_, err := s.store.Create(t.Context(), s.path("a/b/f"), fs.CreateOptions{})
	wantsErr(t, "Create without its directory", err, fs.ErrNotExist)
	w, err := s.store.Create(t.Context(), s.path("a/b/f"), fs.CreateOptions{Parents: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	s.wants(t, "a/b/f", nil)
}

func testAbort(t *testing.T, s suite) {
	for _, size := range []int{0, 100, 3 << 20} {
		name := fmt.Sprint("f", size)
		w, err := s.store.Create(t.Context(), s.path(name), fs.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(Pattern(size)); err != nil {
			t.Fatal(err)
		}
		if err := w.Abort(); err != nil {
			t.Fatalf("Abort after %d bytes: %v", size, err)
		}
		s.wantsMissing(t, name)
		if err := w.Abort(); err != nil {
			t.Errorf("second Abort: %v", err)
		}
		if _, err := w.Write([]byte("x")); err == nil {
			t.Error("Write after Abort: no error")
		}
		if err := w.Close(); err == nil {
			t.Error("Close after Abort: no error")
		}
		s.wantsMissing(t, name)
		// The name is free.
		s.write(t, name, []byte("again"))
		if err := w.Abort(); err != nil {
			t.Errorf("Abort after the name was taken anew: %v", err)
		}
		s.wants(t, name, []byte("again"))
	}
}

func testAbortAfterClose(t *testing.T, s suite) {
	w, err := s.store.Create(t.Context(), s.path("f"), fs.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("kept")); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := w.Abort(); err != nil {
		t.Errorf("Abort after Close: %v", err)
	}
	s.wants(t, "f", []byte("kept"))
}

func testMissing(t *testing.T, s suite) {
	ctx, missing := t.Context(), s.path("missing")
	_, err := s.store.Stat(ctx, missing)
	wantsErr(t, "Stat", err, fs.ErrNotExist)
	_, err = s.store.Open(ctx, missing)
	wantsErr(t, "Open", err, fs.ErrNotExist)
	_, err = s.store.List(ctx, missing)
	wantsErr(t, "List", err, fs.ErrNotExist)
	wantsErr(t, "Rename", s.store.Rename(ctx, missing, s.path("other"), false), fs.ErrNotExist)
	wantsErr(t, "Chmod", s.store.Chmod(ctx, missing, 0o600), fs.ErrNotExist)
	wantsErr(t, "SetTimes", s.store.SetTimes(ctx, missing, time.Now()), fs.ErrNotExist)
	for _, recursive := range []bool{false, true} {
		if err := s.store.Delete(ctx, missing, recursive); err != nil {
			t.Errorf("Delete, recursive %v: %v", recursive, err)
		}
	}
	if _, err := s.store.Open(ctx, s.dir); err == nil {
		t.Error("Open of a directory: no error")
	}
}

func testMkdirAll(t *testing.T, s suite) {
	for range 2 {
		if err := s.store.MkdirAll(t.Context(), s.path("a/b/c"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	st, err := s.store.Stat(t.Context(), s.path("a/b/c"))
	if err != nil || !st.IsDir || st.Mode != 0o700 || st.Size != 0 {
		t.Errorf("Stat: %+v, %v", st, err)
	}
	s.write(t, "f", nil)
	if err := s.store.MkdirAll(t.Context(), s.path("f"), 0o755); err == nil {
		t.Error("MkdirAll over a file: no error")
	}
}

func testList(t *testing.T, s suite) {
	list, err := s.store.List(t.Context(), s.dir)
	if err != nil || len(list) != 0 {
		t.Fatalf("List of an empty directory: %v, %v", list, err)
	}
	for _, name := range []string{"b", "a", "c b", "ä", "B"} {
		s.write(t, name, []byte(name))
	}
	if err := s.store.MkdirAll(t.Context(), s.path("aa/inner"), 0o755); err != nil {
		t.Fatal(err)
	}
	if list, err = s.store.List(t.Context(), s.dir); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, fi := range list {
		got = append(got, fi.Path)
		if name := path.Base(fi.Path); fi.IsDir != (name == "aa") || !fi.IsDir && fi.Size != int64(len(name)) {
			t.Errorf("List: %+v", fi)
		}
	}
	var want []string
	for _, name := range []string{"B", "a", "aa", "b", "c b", "ä"} {
		want = append(want, s.path(name))
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("List: %q, want %q", got, want)
	}
	list, err = s.store.List(t.Context(), s.path("a"))
	if err != nil || len(list) != 1 || list[0].Path != s.path("a") || list[0].Size != 1 {
		t.Errorf("List of a file: %+v, %v", list, err)
	}
}

func testRename(t *testing.T, s suite) {
	ctx := t.Context()
	s.write(t, "a", []byte("a"))
	if err := s.store.Rename(ctx, s.path("a"), s.path("b"), false); err != nil {
		t.Fatal(err)
	}
	s.wantsMissing(t, "a")
	s.wants(t, "b", []byte("a"))
	s.write(t, "c", []byte("c"))
	wantsErr(t, "Rename onto a file", s.store.Rename(ctx, s.path("c"), s.path("b"), false), fs.ErrExist)
	s.wants(t, "b", []byte("a"))
	s.wants(t, "c", []byte("c"))
	if err := s.store.Rename(ctx, s.path("c"), s.path("b"), true); err != nil {
		t.Fatalf("Rename with overwrite: %v", err)
	}
	s.wantsMissing(t, "c")
	s.wants(t, "b", []byte("c"))
	if err := s.store.Rename(ctx, s.path("b"), s.path("d"), true); err != nil {
		t.Fatalf("Rename with overwrite of nothing: %v", err)
	}
	if err := s.store.Rename(ctx, s.path("d"), s.path("d"), true); err != nil {
		t.Errorf("Rename onto itself with overwrite: %v", err)
	}
	s.wants(t, "d", []byte("c"))
	wantsErr(t, "Rename into a missing directory", s.store.Rename(ctx, s.path("d"), s.path("no/d"), false), fs.ErrNotExist)
}

// testRenameRace has many files renamed to one name: one wins, the others stay.
func testRenameRace(t *testing.T, s suite) {
	const movers = 8
	for i := range movers {
		s.write(t, fmt.Sprint(i), fmt.Append(nil, i))
	}
	errs := make([]error, movers)
	var wg sync.WaitGroup
	for i := range movers {
		wg.Go(func() { errs[i] = s.store.Rename(t.Context(), s.path(fmt.Sprint(i)), s.path("target"), false) })
	}
	wg.Wait()
	won := 0
	for i, err := range errs {
		if err == nil {
			won++
			s.wants(t, "target", fmt.Append(nil, i))
			continue
		}
		wantsErr(t, fmt.Sprintf("mover %d", i), err, fs.ErrExist)
		s.wants(t, fmt.Sprint(i), fmt.Append(nil, i))
	}
	if won != 1 {
		t.Errorf("%d movers won, want 1", won)
	}
}

func testRenameDirectory(t *testing.T, s suite) {
	ctx := t.Context()
	for _, d := range []string{"old/inner", "taken"} {
		if err := s.store.MkdirAll(ctx, s.path(d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	s.write(t, "old/inner/f", []byte("x"))
	wantsErr(t, "Rename onto a directory", s.store.Rename(ctx, s.path("old"), s.path("taken"), false), fs.ErrExist)
	if list, err := s.store.List(ctx, s.path("taken")); err != nil || len(list) != 0 {
		t.Errorf("the target was entered: %v, %v", list, err)
	}
	if err := s.store.Rename(ctx, s.path("old"), s.path("new"), false); err != nil {
		t.Fatal(err)
	}
	s.wants(t, "new/inner/f", []byte("x"))
	s.wantsMissing(t, "old")
}

func testDelete(t *testing.T, s suite) {
	ctx := t.Context()
	if err := s.store.MkdirAll(ctx, s.path("d"), 0o755); err != nil {
		t.Fatal(err)
	}
	s.write(t, "d/f", []byte("x"))
	wantsErr(t, "Delete of a full directory", s.store.Delete(ctx, s.path("d"), false), fs.ErrNotEmpty)
	s.wants(t, "d/f", []byte("x"))
	if err := s.store.Delete(ctx, s.path("d/f"), false); err != nil {
		t.Fatal(err)
	}
	s.wantsMissing(t, "d/f")
	if err := s.store.Delete(ctx, s.path("d"), false); err != nil {
		t.Fatalf("Delete of an empty directory: %v", err)
	}
	s.wantsMissing(t, "d")
	if err := s.store.MkdirAll(ctx, s.path("e/inner"), 0o755); err != nil {
		t.Fatal(err)
	}
	s.write(t, "e/inner/f", []byte("x"))
	if err := s.store.Delete(ctx, s.path("e"), true); err != nil {
		t.Fatal(err)
	}
	s.wantsMissing(t, "e")
}

func testChmod(t *testing.T, s suite) {
	s.write(t, "f", nil)
	for _, mode := range []iofs.FileMode{0o400, 0o755, 0o600} {
		if err := s.store.Chmod(t.Context(), s.path("f"), mode); err != nil {
			t.Fatal(err)
		}
		if st, err := s.store.Stat(t.Context(), s.path("f")); err != nil || st.Mode != mode {
			t.Errorf("mode %v after Chmod to %v, %v", st.Mode, mode, err)
		}
	}
}

func testSetTimes(t *testing.T, s suite) {
	s.write(t, "f", []byte("x"))
	want := time.UnixMilli(1_500_000_000_123)
	if err := s.store.SetTimes(t.Context(), s.path("f"), want); err != nil {
		t.Fatal(err)
	}
	if st, err := s.store.Stat(t.Context(), s.path("f")); err != nil || !st.ModTime.Equal(want) {
		t.Errorf("ModTime %v, want %v, %v", st.ModTime, want, err)
	}
}
