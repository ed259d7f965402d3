package hdfsha

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/weft-project/weft/ha"
	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/internal/fs"
)

// lateFS loses the answers of renames of a value while it is told to, and carries the calls out when it is told to.
type lateFS struct {
	fs.FileSystem
	lose bool
	late []func() error
}

var errLost = errors.New("the answer was lost")

func (f *lateFS) Rename(ctx context.Context, from, to string, overwrite bool) error {
	if f.lose && strings.Contains(from+to, string(ha.Checkpoint)) {
		f.late = append(f.late, func() error { return f.FileSystem.Rename(context.WithoutCancel(ctx), from, to, overwrite) })
		return errLost
	}
	return f.FileSystem.Rename(ctx, from, to, overwrite)
}

// A call that was given up and is carried out after the next change changes nothing any more.
func TestLateCalls(t *testing.T) {
	files := &lateFS{FileSystem: newMemFS()}
	store, err := Open(Options{Files: files, Dir: "/ha", Cluster: "one"})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	term, err := store.Campaign(t.Context(), ha.Candidate{})
	if err != nil {
		t.Fatal(err)
	}
	k := ha.Key{Kind: ha.Checkpoint, Job: id.NewJob()}
	put := func(value string) error { return term.Put(t.Context(), k, []byte(value)) }
	expect := func(want string) {
		t.Helper()
		if got, err := store.Get(t.Context(), k); err != nil || string(got) != want {
			t.Errorf("the value is %q, %v; expected %q", got, err, want)
		}
	}
	for _, lost := range []func() error{
		func() error { return put("late") },
		func() error { return term.Delete(t.Context(), k) },
	} {
		if err := put("1"); err != nil {
			t.Fatal(err)
		}
		files.lose = true
		if err := lost(); !errors.Is(err, errLost) {
			t.Errorf("a lost answer: %v", err)
		}
		files.lose = false
		expect("1")
		if err := put("2"); err != nil {
			t.Fatal(err)
		}
		for _, f := range files.late {
			if err := f(); err == nil {
				t.Error("a late call was carried out")
			}
		}
		files.late = nil
		expect("2")
	}
}
