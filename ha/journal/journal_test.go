package journal_test

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weft-project/weft/ha"
	"github.com/weft-project/weft/ha/journal"
	"github.com/weft-project/weft/ha/memory"
	"github.com/weft-project/weft/id"
)

// Checkpoint pointers of this and earlier versions are read; those of later ones are refused.
func TestCheckpointDocuments(t *testing.T) {
	fixture, err := os.ReadFile(filepath.Join("testdata", "checkpoints.json"))
	if err != nil {
		t.Fatal(err)
	}
	fixture = []byte(strings.TrimSpace(string(fixture)))
	want := journal.Checkpoints{Completed: []journal.Checkpoint{{ID: 3, Path: "hdfs:///c/chk-3"}, {ID: 5, Path: "hdfs:///s/savepoint-5", Savepoint: true}}, Next: 7}
	synctest.Test(t, func(t *testing.T) {
		store, err := memory.NewHub(time.Minute).Open("one")
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		term, err := store.Campaign(t.Context(), ha.Candidate{})
		if err != nil {
			t.Fatal(err)
		}
		j, job := journal.New(store, term), id.NewJob()
		k := ha.Key{Kind: ha.Checkpoint, Job: job}
		if err := j.Publish(t.Context(), job, want); err != nil {
			t.Fatal(err)
		}
		if written, err := store.Get(t.Context(), k); err != nil || string(written) != string(fixture) {
			t.Errorf("written %s, %v; the fixture is %s", written, err, fixture)
		}
		if got, err := j.Checkpoints(t.Context(), job); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("read %+v, %v", got, err)
		}
		for _, bad := range []string{"", "x", `{"version":2}`} {
			if err := term.Put(t.Context(), k, []byte(bad)); err != nil {
				t.Fatal(err)
			}
			if got, err := j.Checkpoints(t.Context(), job); err == nil {
				t.Errorf("%q is read as %+v", bad, got)
			}
		}
	})
}

// A leader that may not act writes nothing, and says so.
func TestWithoutALease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, err := memory.NewHub(time.Minute).Open("one")
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		term, err := store.Campaign(t.Context(), ha.Candidate{})
		if err != nil {
			t.Fatal(err)
		}
		store.Cut()
		<-time.After(55 * time.Second)
		store.Heal()
		j := journal.New(store, term)
		if err := j.Publish(t.Context(), id.NewJob(), journal.Checkpoints{}); !errors.Is(err, ha.ErrLease) {
			t.Errorf("published: %v", err)
		}
	})
}
