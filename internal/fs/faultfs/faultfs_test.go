package faultfs_test

import (
	"errors"
	"testing"

	"github.com/weft-project/weft/internal/fs"
	"github.com/weft-project/weft/internal/fs/faultfs"
	"github.com/weft-project/weft/internal/fs/fstest"
	"github.com/weft-project/weft/internal/fs/local"
)

func TestConformance(t *testing.T) { fstest.Run(t, faultfs.New(local.New()), t.TempDir()+"/store") }

func TestFaults(t *testing.T) {
	gone := errors.New("gone")
	f := faultfs.New(local.New(), faultfs.Fault{Op: "Rename", Nth: 2, When: faultfs.After, Err: gone}, faultfs.Fault{Op: "Write", Nth: 1})
	dir := t.TempDir()
	w, err := f.Create(t.Context(), dir+"/a", fs.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if n, err := w.Write([]byte("x")); n != 0 || !errors.Is(err, faultfs.ErrInjected) {
		t.Errorf("first Write: %d, %v", n, err)
	}
	if n, err := w.Write([]byte("y")); n != 0 || !errors.Is(err, faultfs.ErrInjected) {
		t.Errorf("Write after a failed one: %d, %v", n, err)
	}
	if err := w.Close(); !errors.Is(err, faultfs.ErrInjected) {
		t.Errorf("Close after a failed Write: %v", err)
	}
	if w, err = f.Create(t.Context(), dir+"/a", fs.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if n, err := w.Write([]byte("x")); n != 1 || err != nil {
		t.Errorf("second Write: %d, %v", n, err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Rename(t.Context(), dir+"/a", dir+"/b", false); err != nil {
		t.Errorf("first Rename: %v", err)
	}
	if err := f.Rename(t.Context(), dir+"/b", dir+"/c", false); !errors.Is(err, gone) {
		t.Errorf("second Rename: %v", err)
	}
	if _, err := f.Stat(t.Context(), dir+"/c"); err != nil || f.Calls("Rename") != 2 {
		t.Errorf("the second Rename was not made: %v, %d calls", err, f.Calls("Rename"))
	}
	f.Inject(faultfs.Fault{Op: "Create", When: faultfs.After})
	if _, err := f.Create(t.Context(), dir+"/d", fs.CreateOptions{}); !errors.Is(err, faultfs.ErrInjected) {
		t.Errorf("Create whose answer is lost: %v", err)
	}
	f.Heal()
	if _, err := f.Create(t.Context(), dir+"/d", fs.CreateOptions{}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("Create after a lost answer: %v", err)
	}
}
