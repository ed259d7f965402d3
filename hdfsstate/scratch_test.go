package hdfsstate_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/weft-project/weft/hdfsstate"
	"github.com/weft-project/weft/internal/fs/local"
)

// Notes of unfinished output are found by job until they are forgotten.
func TestScratch(t *testing.T) {
	const app = "application_1_0001"
	d := hdfsstate.Open(local.New(), t.TempDir(), 0)
	if found, err := d.Scratch(t.Context(), app); err != nil || len(found) != 0 {
		t.Errorf("without a directory: %v, %v", found, err)
	}
	if err := d.Prepare(t.Context(), app); err != nil {
		t.Fatal(err)
	}
	if _, err := d.PutPrivate(t.Context(), app, "secret", []byte("x")); err != nil {
		t.Fatal(err)
	}
	for _, job := range []string{"a", "b"} {
		if err := d.NoteScratch(t.Context(), app, job, []string{"hdfs://n/1/.weft-" + job, "hdfs://n/2/.weft-" + job}); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := d.ForgetScratch(t.Context(), app, "a"); err != nil {
			t.Fatal(err)
		}
	}
	found, err := d.Scratch(t.Context(), app)
	if err != nil || !slices.Equal(slices.Collect(maps.Keys(found)), []string{"b"}) || !slices.Equal(found["b"], []string{"hdfs://n/1/.weft-b", "hdfs://n/2/.weft-b"}) {
		t.Errorf("found %v, %v", found, err)
	}
}
