package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/weft-project/weft/checkpoint"
	"github.com/weft-project/weft/checkpoint/manifest"
	"github.com/weft-project/weft/checkpoint/schema"
	"github.com/weft-project/weft/codec"
	"github.com/weft-project/weft/hdfsstate"
	"github.com/weft-project/weft/internal/fs/local"
	"github.com/weft-project/weft/state"
)

type total struct {
	N    int64
	Tags []string
}

// savepoint writes one as a worker does: keyed state, timers and a list, by the state backend itself.
func savepoint(t *testing.T) string {
	t.Helper()
	ctx, store := t.Context(), local.New()
	dir, err := hdfsstate.ReserveSavepoint(ctx, store, t.TempDir(), strings.Repeat("0f", 16))
	if err != nil {
		t.Fatal(err)
	}
	key, err := codec.KeyOf[string]()
	if err != nil {
		t.Fatal(err)
	}
	k, err := state.NewKeyed(key, state.GroupsOf(4, 1, 0))
	if err != nil {
		t.Fatal(err)
	}
	sums, err1 := state.NewValue[total](k, "sums", state.TTL{})
	m, err2 := state.NewMap[int32, bool](k, "seen", state.TTL{})
	timers, err3 := state.NewTimers[struct{}](k, "timers")
	if err1 != nil || err2 != nil || err3 != nil {
		t.Fatal(err1, err2, err3)
	}
	for i, name := range []string{"ann", "bob", "cat"} {
		k.SetKey(name, k.HashOf(name))
		sums.Set(total{int64(i), []string{name}})
		m.Put(int32(i), true)
		timers.Set(int64(1000*i), name, k.Hash(), struct{}{})
	}
	w := hdfsstate.NewStateWriter(hdfsstate.StateTarget{Store: store, Root: dir, Name: "w"})
	groups := w.Keyed(0)
	for g := range 4 {
		if err := groups.Group(ctx, k.Snapshot(g)); err != nil {
			t.Fatal(err)
		}
	}
	keyed, err := groups.Done(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var o state.Operator
	splits, err := state.NewOperatorList[string](&o, "splits", state.Split)
	if err != nil {
		t.Fatal(err)
	}
	splits.Values = []string{"a<b", "c"}
	list, err := w.List(ctx, "splits", splits.Snapshot())
	if err != nil {
		t.Fatal(err)
	}
	unknown, err := w.List(ctx, "other", [][]byte{{1, 2}})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(ctx); err != nil {
		t.Fatal(err)
	}
	one := &manifest.Manifest{Kind: manifest.Savepoint, ID: 7, Job: strings.Repeat("0f", 16), JobName: "counts", Writer: "0.7.0", Operators: []manifest.Operator{
		{ID: "01", UID: "count", Name: "Count", Parallelism: 1, MaxParallelism: 4, Subtasks: []manifest.Subtask{{Keyed: keyed}}, States: []manifest.State{
			{Name: "sums", Kind: manifest.Keyed, Key: "string", Value: schema.Of(reflect.TypeFor[total]())},
			{Name: "seen", Kind: manifest.Keyed, Key: "string", Value: schema.TableOf(reflect.TypeFor[int32](), reflect.TypeFor[bool]())},
			{Name: "timers", Kind: manifest.Timers, Value: schema.Of(reflect.TypeFor[state.Timer[string, struct{}]]())}}},
		{ID: "02", Name: "Source", Parallelism: 1, MaxParallelism: 4, Subtasks: []manifest.Subtask{{Lists: []manifest.List{list, unknown}}},
			States: []manifest.State{{Name: "splits", Kind: manifest.Split, Value: "string"}, {Name: "other", Kind: manifest.Union}}},
	}}
	if outcome, err := hdfsstate.PublishSavepoint(ctx, store, dir, one); outcome != checkpoint.Published {
		t.Fatal(err)
	}
	return dir
}

func TestState(t *testing.T) {
	dir := savepoint(t)
	out, text, code := runWeft(t, "state", "ls", "file://"+dir)
	for _, want := range []string{"savepoint 7 of job " + strings.Repeat("0f", 16) + " (counts)", "Count (UID count, 01), parallelism 1 of 4\n",
		"3 keys  string -> struct{N int64; Tags []string}\n", "3 keys  string -> table[int32]bool\n", "3 timers  struct{At int64; Key string; NS struct{}}\n",
		"Source (no UID, 02)", "2 elements  string\n", "1 elements  (type not stored)\n"} {
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("ls ended with %d: %q is not in\n%s%s", code, want, out, text)
		}
	}
	out, text, code = runWeft(t, "state", "cat", "file://"+dir)
	for _, want := range []string{`"key":"ann","value":{"N":0,"Tags":["ann"]}}`, `"state":"seen",`, `"value":{"2":true}}`, `"value":{"At":2000,"Key":"cat","NS":{}}}`,
		`{"operator":"Source","state":"splits","subtask":0,"value":"a<b"}`, `"raw":"AQI=","problem":"its type was not stored"}`} {
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("cat ended with %d: %q is not in\n%s%s", code, want, out, text)
		}
	}
	if out, _, code := runWeft(t, "state", "cat", "--operator", "count", "--state", "sums", dir+"/_metadata"); code != 0 || strings.Count(out, "\n") != 3 {
		t.Errorf("cat of one state ended with %d:\n%s", code, out)
	}
	if out, text, code := runWeft(t, "state", "verify", dir); code != 0 || !strings.Contains(out, "is whole: 3 pieces") {
		t.Errorf("verify ended with %d: %s%s", code, out, text)
	}
	if _, text, code := runWeft(t, "state", "ls", "--operator", "nosuch", dir); code != 2 || !strings.Contains(text, "it has count, Source") {
		t.Errorf("%d: %s", code, text)
	}
	if _, text, code := runWeft(t, "state", "look", dir); code != 2 || !strings.Contains(text, "expected ls, cat or verify") {
		t.Errorf("%d: %s", code, text)
	}
	file := filepath.Join(dir, "w-0")
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	b[3] ^= 1
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, text, code := runWeft(t, "state", "verify", dir); code != 1 || !strings.Contains(out, file) || !strings.Contains(text, "1 pieces are damaged, 2 are good") {
		t.Errorf("verify of a damaged one ended with %d: %s%s", code, out, text)
	}
	if _, text, code := runWeft(t, "state", "ls", filepath.Dir(dir)); code != 1 || !strings.Contains(text, "no checkpoint or savepoint") {
		t.Errorf("%d: %s", code, text)
	}
}
