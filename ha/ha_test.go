package ha

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

func TestLease(t *testing.T) {
	start := time.Now()
	l := NewLease(9*time.Second, start)
	for _, x := range []struct {
		after time.Duration
		holds bool
	}{{0, true}, {5999 * time.Millisecond, true}, {6 * time.Second, false}, {time.Hour, false}} {
		if err := l.Check(start.Add(x.after)); (err == nil) != x.holds || err != nil && !errors.Is(err, ErrLease) {
			t.Errorf("after %s: %v", x.after, err)
		}
	}
	l.Answered(start.Add(4 * time.Second))
	l.Answered(start.Add(2 * time.Second)) // an earlier question's answer comes later
	if err := l.Check(start.Add(9 * time.Second)); err != nil {
		t.Error(err)
	}
	if err := l.Check(start.Add(10 * time.Second)); err == nil {
		t.Error("an answer counts from the question on")
	}
	// The machine was suspended: the monotonic clock stood still, the wall clock did not.
	asleep := start.Round(0).Add(time.Hour)
	if err := l.Check(asleep); err == nil {
		t.Error("the lease has survived an hour's sleep")
	}
}

func TestWaits(t *testing.T) {
	for _, draw := range []float64{0, 0.5, 0.999} {
		if b := Beat(8*time.Second, draw); b < 750*time.Millisecond || b > 1250*time.Millisecond {
			t.Errorf("beat %s", b)
		}
		for n, want := range []time.Duration{1, 2, 4, 8, 10, 10} {
			if b := Backoff(time.Second, 10*time.Second, n, draw); b < want*time.Second*3/4 || b > want*time.Second*5/4 {
				t.Errorf("wait %d: %s, expected about %d s", n, b, want)
			}
		}
	}
	if b := Backoff(time.Second, time.Minute, 1_000_000, 0); b > time.Minute {
		t.Errorf("wait after very many: %s", b)
	}
}

func TestEpochs(t *testing.T) {
	now := time.UnixMilli(1_700_000_000_000)
	for last, want := range map[Epoch]Epoch{0: 1_700_000_000_000, 5: 1_700_000_000_000, 1_700_000_000_000: 1_700_000_000_001, 1_800_000_000_000: 1_800_000_000_001} {
		if got := NextEpoch(last, now); got != want {
			t.Errorf("after %d: %d, expected %d", last, got, want)
		}
	}
	if e := NextEpoch(0, time.UnixMilli(-5)); e != 1 {
		t.Errorf("before 1970: %d", e)
	}
	if e, ok := ParsePublishingFolder(PublishingFolder(77)); !ok || e != 77 {
		t.Errorf("folder: %d, %v", e, ok)
	}
	for _, name := range []string{"publishing-", "publishing-x", "publishing--1", "leader", "publishing-18446744073709551616"} {
		if e, ok := ParsePublishingFolder(name); ok {
			t.Errorf("%s is epoch %d", name, e)
		}
	}
}

func TestState(t *testing.T) {
	now := time.Now()
	s := NewState(3, NewLease(3*time.Second, now))
	if err := s.Check(now); err != nil {
		t.Error(err)
	}
	if err := s.Check(now.Add(2 * time.Second)); !errors.Is(err, ErrLease) {
		t.Error(err)
	}
	s.Answered(now.Add(time.Second))
	if err := s.Check(now.Add(2 * time.Second)); err != nil {
		t.Error(err)
	}
	if !s.Lose(ErrFenced) || s.Lose(ErrResigned) {
		t.Error("a term is lost once")
	}
	<-s.Lost()
	s.Answered(now.Add(time.Hour))
	if err := s.Check(now.Add(time.Hour)); !errors.Is(err, ErrFenced) {
		t.Errorf("a lost term: %v", err)
	}
}

func TestLatch(t *testing.T) {
	names := []string{"_c_b-latch-0000000012", "other", "_c_0f-11-latch-0000000003", "_c_a-latch-0000000011"}
	for mine, want := range map[string]struct {
		before    string
		leads, ok bool
	}{
		"_c_0f-11-latch-0000000003": {"", true, true}, "_c_a-latch-0000000011": {"_c_0f-11-latch-0000000003", false, true},
		"_c_b-latch-0000000012": {"_c_a-latch-0000000011", false, true}, "_c_z-latch-0000000001": {}, "other": {},
	} {
		before, leads, ok := LatchPlace(names, mine)
		if before != want.before || leads != want.leads || ok != want.ok {
			t.Errorf("%s: %q, %v, %v", mine, before, leads, ok)
		}
	}
}

func TestClusterIDs(t *testing.T) {
	for text, want := range map[string]string{"/default": "default", "a/b/": "a/b", "application_1_1": "application_1_1", "": "", "/": "", "a//b": "", "a/../b": "",
		"a/latch": "", "publishing-3": "", "zookeeper": "", "a b": "", "{job}": ""} {
		if got, err := CleanClusterID(text); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}

func TestOutranks(t *testing.T) {
	c := Candidate{Group: "g", Attempt: 2}
	for other, want := range map[Candidate]bool{{Group: "g", Attempt: 1}: true, {Group: "g", Attempt: 2}: false, {Group: "h", Attempt: 1}: false, {}: false} {
		if c.Outranks(other) != want {
			t.Errorf("%+v: %v", other, !want)
		}
	}
	if (Candidate{Attempt: 2}).Outranks(Candidate{Attempt: 1}) {
		t.Error("no group is no rank")
	}
}

var rewrite = flag.Bool("rewrite", false, "write the fixtures")

// TestFixtures reads what this and earlier versions have written.
func TestFixtures(t *testing.T) {
	leader := Leader{Epoch: 1_700_000_000_000, Identity: "container_1_1_1_1", Control: "host:6123", REST: "http://host:8081"}
	owner := Owner{Epoch: 1_700_000_000_001, Place: "1m0s", Candidate: Candidate{Identity: "x", Group: "application_1_1", Attempt: 2, Supersedes: true}}
	large := []byte("a large value")
	for name, data := range map[string][]byte{"leader.json": EncodeRecord(leader), "owner.json": EncodeRecord(owner), "inline.value": Seal([]byte("graph")),
		"pointer.value": SealPointer("hdfs://nn:8020/ha/one/jobgraphs/x", large)} {
		file := filepath.Join("testdata", name)
		if *rewrite {
			if err := os.WriteFile(file, data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if fixture, err := os.ReadFile(file); err != nil || !slices.Equal(fixture, data) {
			t.Errorf("%s: %q, %v; written now: %q", name, fixture, err, data)
		}
	}
	read := func(name string) []byte {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	if l, err := DecodeRecord[Leader](read("leader.json")); err != nil || l != leader {
		t.Errorf("%+v, %v", l, err)
	}
	if o, err := DecodeRecord[Owner](read("owner.json")); err != nil || o != owner {
		t.Errorf("%+v, %v", o, err)
	}
	if v, at, err := Open(read("inline.value")); err != nil || at != nil || string(v) != "graph" {
		t.Errorf("%q, %v, %v", v, at, err)
	}
	_, at, err := Open(read("pointer.value"))
	if err != nil || at == nil || at.Check(large) != nil || at.Check(large[1:]) == nil {
		t.Errorf("%v, %v", at, err)
	}
	for _, bad := range [][]byte{nil, {3, 1}, {2, '{'}} {
		if v, _, err := Open(bad); err == nil {
			t.Errorf("%v is %q", bad, v)
		}
	}
	for _, bad := range []string{"", "{}", `{"version":2,"value":{}}`} {
		if _, err := DecodeRecord[Leader]([]byte(bad)); err == nil {
			t.Errorf("%q is a record", bad)
		}
	}
}
