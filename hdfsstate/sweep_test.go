package hdfsstate

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weft-project/weft/internal/fs"
	"github.com/weft-project/weft/internal/fs/faultfs"
	"github.com/weft-project/weft/internal/fs/local"
)

// interrupted runs something before the n-th call that a sweep makes.
type interrupted struct {
	fs.FileSystem
	left int
	do   func()
}

func (i *interrupted) step() {
	if i.left--; i.left == 0 {
		i.do()
	}
}

func (i *interrupted) List(ctx context.Context, p string) ([]fs.FileInfo, error) {
	i.step()
	return i.FileSystem.List(ctx, p)
}

func (i *interrupted) Rename(ctx context.Context, from, to string, overwrite bool) error {
	i.step()
	return i.FileSystem.Rename(ctx, from, to, overwrite)
}

func (i *interrupted) Delete(ctx context.Context, p string, recursive bool) error {
	i.step()
	return i.FileSystem.Delete(ctx, p, recursive)
}

func content(text string) Blob {
	sum := sha256.Sum256([]byte(text))
	return Blob{SHA256: hex.EncodeToString(sum[:]), Size: int64(len(text)), Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }}
}

func read(t *testing.T, store fs.FileSystem, p string) string {
	t.Helper()
	f, err := store.Open(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// An application that takes up an old blob while a sweep runs has it afterwards, whichever step of the sweep it meets.
func TestBlobTakenUpDuringASweep(t *testing.T) {
	later := time.Now().Add(BlobAge + time.Hour)
	for step := 1; ; step++ {
		base := filepath.Join(t.TempDir(), ".weft")
		store := local.New()
		d := Open(store, base, 0)
		wanted, unwanted := content("wanted"), content("unwanted")
		for _, b := range []Blob{wanted, unwanted} {
			if _, err := d.PutBlob(t.Context(), "application_1_0001", b); err != nil {
				t.Fatal(err)
			}
		}
		if err := d.Discard(t.Context(), "application_1_0001"); err != nil {
			t.Fatal(err)
		}
		i := &interrupted{FileSystem: store, left: step, do: func() {
			if _, err := d.PutBlob(t.Context(), "application_1_0002", wanted); err != nil {
				t.Errorf("step %d: %v", step, err)
			}
		}}
		if _, err := Open(i, base, 0).SweepBlobs(t.Context(), later); err != nil {
			t.Errorf("step %d: %v", step, err)
		}
		if i.left > 0 {
			if step < 5 {
				t.Errorf("a sweep of two blobs took %d steps only", step-1)
			}
			break
		}
		if got := read(t, store, base+"/blobs/"+wanted.SHA256); got != "wanted" {
			t.Errorf("step %d: the blob holds %q", step, got)
		}
		entries, err := store.List(t.Context(), base+"/blobs")
		if err != nil || len(entries) != 1 {
			t.Errorf("step %d: the sweep left %v, %v", step, entries, err)
		}
	}
}

// What a sweep that was killed has put aside is put back or removed by the next.
func TestSweepAfterAKilledOne(t *testing.T) {
	base := filepath.Join(t.TempDir(), ".weft")
	store := local.New()
	d := Open(store, base, 0)
	used, unused := content("used"), content("unused")
	for app, b := range map[string]Blob{"application_1_0001": used, "application_1_0002": unused} {
		info, err := d.PutBlob(t.Context(), app, b)
		if err == nil {
			err = store.Rename(t.Context(), info.Path, info.Path+asideSuffix, false)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Discard(t.Context(), "application_1_0002"); err != nil {
		t.Fatal(err)
	}
	if n, err := d.SweepBlobs(t.Context(), time.Now()); n != 1 || err != nil {
		t.Errorf("removed %d, %v", n, err)
	}
	if got := read(t, store, base+"/blobs/"+used.SHA256); got != "used" {
		t.Errorf("the blob holds %q", got)
	}
	for _, p := range []string{"/blobs/" + unused.SHA256, "/blobs/" + unused.SHA256 + asideSuffix} {
		if _, err := store.Stat(t.Context(), base+p); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", p, err)
		}
	}
}

// An upload whose rename got through although its answer did not is there.
func TestAnswerOfAnUploadIsLost(t *testing.T) {
	base := filepath.Join(t.TempDir(), ".weft")
	store := faultfs.New(local.New(), faultfs.Fault{Op: "Rename", When: faultfs.After})
	info, err := Open(store, base, 0).PutBlob(t.Context(), "application_1_0001", content("x"))
	if err != nil || read(t, store, info.Path) != "x" {
		t.Errorf("%+v, %v", info, err)
	}
}
