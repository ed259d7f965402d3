package hatest

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/weft-project/weft/ha"
	"github.com/weft-project/weft/ha/journal"
	"github.com/weft-project/weft/id"
)

func testAdmin(t *testing.T, s *suite) {
	a, admin := s.open(t, "a", s.h.Long), s.Admin(t)
	if list, err := admin.Clusters(soon(t)); err != nil || len(list) != 0 {
		t.Errorf("an empty store has %v, %v", list, err)
	}
	if err := admin.Remove(soon(t), "tests/one", true); !errors.Is(err, ha.ErrNotFound) {
		t.Errorf("remove what is not there: %v", err)
	}
	term := a.lead(t)
	put(t, term, key(ha.Graph), "1")
	put(t, term, key(ha.Graph), strings.Repeat("large", 20_000))
	put(t, term, key(ha.Checkpoint), "3")
	put(t, term, key(ha.Result), "4")
	if err := term.Announce(soon(t), ha.Leader{Control: "a:1"}); err != nil {
		t.Fatal(err)
	}
	list, err := admin.Clusters(soon(t))
	if err != nil || len(list) != 1 {
		t.Fatalf("there are %v, %v; expected one", list, err)
	}
	got := list[0]
	got.Changed = ha.Cluster{}.Changed
	want := ha.Cluster{ID: "tests/one", Live: true, Graphs: 2, Checkpoints: 1, Results: 1,
		Leader: ha.Leader{Epoch: term.Epoch(), Identity: "a", Control: "a:1"}}
	if got != want {
		t.Errorf("the cluster is %+v, expected %+v", got, want)
	}
	if err := admin.Remove(soon(t), "/tests/one", false); !errors.Is(err, ha.ErrLed) {
		t.Errorf("remove a live cluster: %v, expected %v", err, ha.ErrLed)
	}
	if err := admin.Remove(soon(t), "/tests/one", true); err != nil {
		t.Fatal(err)
	}
	if list, err := admin.Clusters(soon(t)); err != nil || len(list) != 0 {
		t.Errorf("after the removal there are %v, %v", list, err)
	}
	k := key(ha.Graph)
	if err := term.Put(soon(t), k, []byte("late")); !errors.Is(err, ha.ErrFenced) {
		t.Errorf("the leader of a removed cluster publishes: %v", err)
	}
	lost(t, term, ha.ErrFenced)
	expect(t, a, k, "")
}

func testJournal(t *testing.T, s *suite) {
	a := s.open(t, "a", s.h.Long)
	term := a.lead(t)
	j, job := journal.New(a, term), id.NewJob()
	running, finished, err := j.Recover(soon(t))
	if err != nil || len(running)+len(finished) != 0 {
		t.Errorf("recovered %v, %v, %v; expected nothing", running, finished, err)
	}
	if err := j.Submit(soon(t), job, []byte("graph")); err != nil {
		t.Fatal(err)
	}
	if c, err := j.Checkpoints(soon(t), job); err != nil || c.Newest() != nil {
		t.Errorf("checkpoints %v, %v; expected none", c, err)
	}
	points := journal.Checkpoints{Completed: []journal.Checkpoint{{ID: 3, Path: "hdfs:///c/chk-3"}, {ID: 5, Path: "hdfs:///s", Savepoint: true}}, Next: 7}
	if err := j.Publish(soon(t), job, points); err != nil {
		t.Fatal(err)
	}
	want := []journal.Job{{ID: job, Graph: []byte("graph"), Checkpoints: points}}
	if running, _, err = j.Recover(soon(t)); err != nil || !reflect.DeepEqual(running, want) {
		t.Errorf("recovered %v, %v; expected %v", running, err, want)
	}
	if n := running[0].Checkpoints.Newest(); n == nil || n.ID != 5 {
		t.Errorf("newest checkpoint %v, expected 5", n)
	}
	if err := j.Finish(soon(t), job, []byte("done")); err != nil {
		t.Fatal(err)
	}
	if err := j.Submit(soon(t), job, []byte("graph")); !errors.Is(err, journal.ErrFinished) {
		t.Errorf("submit a finished job: %v", err)
	}
	if running, finished, err = j.Recover(soon(t)); err != nil || len(running) != 0 || len(finished) != 1 {
		t.Errorf("recovered %v, %v, %v; expected one finished job", running, finished, err)
	}
	if r, err := j.Result(soon(t), job); err != nil || string(r) != "done" {
		t.Errorf("result %q, %v", r, err)
	}
	if err := j.Forget(soon(t), job); err != nil {
		t.Error(err)
	}
	if _, err := j.Result(soon(t), job); !errors.Is(err, ha.ErrNotFound) {
		t.Errorf("a forgotten result: %v", err)
	}
}

// testJournalAcrossTerms ends leaders at each step of a job's end (HA3, HA5).
func testJournalAcrossTerms(t *testing.T, s *suite) {
	ended, half, running := id.NewJob(), id.NewJob(), id.NewJob()
	a, b := s.open(t, "a", s.h.Long), s.open(t, "b", s.h.Long)
	first := a.lead(t)
	put(t, first, ha.Key{Kind: ha.Graph, Job: ended}, "g")
	put(t, first, ha.Key{Kind: ha.Checkpoint, Job: ended}, `{"version":1,"completed":null,"next":1}`)
	put(t, first, ha.Key{Kind: ha.Result, Job: ended}, "r")
	put(t, first, ha.Key{Kind: ha.Checkpoint, Job: half}, `{"version":1,"completed":null,"next":1}`)
	put(t, first, ha.Key{Kind: ha.Result, Job: half}, "r")
	put(t, first, ha.Key{Kind: ha.Graph, Job: running}, "g")
	if err := first.Resign(soon(t)); err != nil {
		t.Fatal(err)
	}
	j := journal.New(b, b.lead(t))
	jobs, finished, err := j.Recover(soon(t))
	if err != nil || len(jobs) != 1 || jobs[0].ID != running || len(finished) != 2 {
		t.Errorf("recovered %v, %v, %v; expected %v, and two finished jobs", jobs, finished, err, running)
	}
	for _, k := range []ha.Key{{Kind: ha.Graph, Job: ended}, {Kind: ha.Checkpoint, Job: ended}, {Kind: ha.Checkpoint, Job: half}} {
		expect(t, b, k, "")
	}
}
