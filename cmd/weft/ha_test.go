package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/weft-project/weft/ha"
	"github.com/weft-project/weft/ha/hdfsha"
	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/internal/fs/local"
)

// weft ha, on a store in a local directory with one live and one dead cluster.
func TestHA(t *testing.T) {
	dir := t.TempDir()
	store := func(cluster string) ha.Term {
		s, err := hdfsha.Open(hdfsha.Options{Files: local.New(), Dir: dir, Cluster: cluster})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		term, err := s.Campaign(t.Context(), ha.Candidate{Identity: "test"})
		if err != nil {
			t.Fatal(err)
		}
		if err := term.Put(t.Context(), ha.Key{Kind: ha.Graph, Job: id.NewJob()}, []byte("graph")); err != nil {
			t.Fatal(err)
		}
		if err := term.Announce(t.Context(), ha.Leader{Control: cluster + ":6123"}); err != nil {
			t.Fatal(err)
		}
		return term
	}
	store("live")
	dead := store("a/dead")
	if err := dead.Resign(t.Context()); err != nil {
		t.Fatal(err)
	}
	options := []string{"-Dhigh-availability.type=hdfs", "-Dhigh-availability.storageDir=file://" + dir}
	run := func(code int, args ...string) (out, text string) {
		t.Helper()
		out, text, got := runWeft(t, append(append([]string{"ha"}, args...), options...)...)
		if got != code {
			t.Errorf("weft ha %v: code %d, want %d: %s%s", args, got, code, out, text)
		}
		return out, text
	}
	if out, _ := run(0, "ls"); !strings.Contains(out, "live:6123") || !strings.Contains(out, "a/dead   dead") {
		t.Errorf("ls:\n%s", out)
	}
	out, _ := run(0, "ls", "--json", "/a/dead")
	var list []map[string]any
	if err := json.Unmarshal([]byte(out), &list); err != nil || len(list) != 1 || list[0]["cluster"] != "a/dead" || list[0]["jobs"] != 1.0 {
		t.Errorf("ls --json: %v, %s", err, out)
	}
	if _, text := run(1, "rm", "live", "nosuch"); !strings.Contains(text, "--force live") || !strings.Contains(text, "nosuch") {
		t.Errorf("rm of a live cluster: %s", text)
	}
	if out, _ := run(0, "rm", "a/dead"); out != "Removed a/dead\n" {
		t.Errorf("rm: %s", out)
	}
	run(0, "rm", "--force", "live")
	if out, _ := run(0, "ls"); !strings.HasPrefix(out, "No clusters in file://") {
		t.Errorf("ls of nothing: %s", out)
	}
	run(2)
	run(2, "rm")
	run(2, "ls", "--force")
	if _, text, code := runWeft(t, "ha", "ls"); code != 2 || !strings.Contains(text, "high-availability.type is NONE") {
		t.Errorf("without a store: code %d, %s", code, text)
	}
}
