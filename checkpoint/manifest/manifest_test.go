package manifest

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"
)

// sample uses every field.
func sample() *Manifest {
	return &Manifest{Kind: Checkpoint, Job: strings.Repeat("ab", 16), JobName: "counts", ID: 42, Epoch: 1 << 60, Triggered: 1_700_000_000_000,
		Writer: "0.7.0", Base: "hdfs://nn/savepoints/savepoint-abc",
		Operators: []Operator{
			{ID: "01", UID: "count", Name: "Count", Vertex: "ff", Parallelism: 2, MaxParallelism: 4,
				States: []State{{Name: "n", Kind: Keyed, Key: "string", Value: "int64"}, {Name: "timers", Kind: Timers}},
				Subtasks: []Subtask{
					{Index: 0, Keyed: []Groups{{First: 0, Pieces: []Piece{{3, 7}, {0, 0}}, Data: Handle{File: "state/1-42/a", Offset: 10, Length: 3, Sum: 9}}}},
					{Index: 1, Finished: true, Keyed: []Groups{{First: 2, Pieces: []Piece{{0, 0}, {2, 1}}, Data: InlineHandle([]byte("xy"))}}},
				}},
			{ID: "02", Name: "Source", Parallelism: 1, MaxParallelism: 1,
				States:   []State{{Name: "splits", Kind: Split, Value: "struct{Path string; From int64}"}},
				Subtasks: []Subtask{{Index: 0, Lists: []List{{Name: "splits", Lengths: []int64{1, 2}, Data: InlineHandle([]byte("abc"))}}}},
				Coordinator: func() *Handle {
					h := InlineHandle([]byte("enumerator"))
					return &h
				}()},
		}}
}

func TestRoundTrip(t *testing.T) {
	m := sample()
	b := Encode(m)
	got, err := Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, m) {
		t.Errorf("got  %+v\nwant %+v", got, m)
	}
	if !bytes.Equal(Encode(got), b) {
		t.Error("encoded again it has other bytes")
	}
	ops, err := DecodeSnapshot(EncodeSnapshot(m.Operators))
	if err != nil || !reflect.DeepEqual(ops, m.Operators) {
		t.Errorf("snapshot: %v, %+v", err, ops)
	}
	if got.Size() != 3+2+3+10 || !reflect.DeepEqual(got.Files(), []string{"state/1-42/a"}) {
		t.Errorf("size %d, files %v", got.Size(), got.Files())
	}
	if w := got.WithoutUID(); !reflect.DeepEqual(w, []string{"Source"}) {
		t.Errorf("without UID: %v", w)
	}
}

// Every bit is covered by the checksum.
func TestDamageIsNoticed(t *testing.T) {
	b := Encode(sample())
	for i := range b {
		for _, bit := range []byte{1, 0x80} {
			bad := bytes.Clone(b)
			bad[i] ^= bit
			if _, err := Decode(bad); err == nil {
				t.Fatalf("byte %d was changed and nobody noticed", i)
			} else if i != len(magic) && !errors.Is(err, ErrDamaged) {
				t.Fatalf("byte %d: %v: expected it to be ErrDamaged", i, err)
			}
		}
		if _, err := Decode(b[:i]); err == nil {
			t.Fatalf("%d of %d bytes were read as a whole", i, len(b))
		}
	}
}

// What no writer makes is refused, with good checksums too.
func TestContradictionsAreRefused(t *testing.T) {
	for _, tt := range []struct {
		name string
		edit func(*Manifest)
		want string
	}{
		{"subtask beyond the parallelism", func(m *Manifest) { m.Operators[0].Subtasks[1].Index = 2 }, "only 2"},
		{"subtask twice", func(m *Manifest) { m.Operators[0].Subtasks[1].Index = 0 }, "twice"},
		{"key group twice", func(m *Manifest) { m.Operators[0].Subtasks[1].Keyed[0].First = 1 }, "key group 1"},
		{"key group beyond the last", func(m *Manifest) { m.Operators[0].Subtasks[1].Keyed[0].First = 3 }, "only 4"},
		{"pieces longer than the whole", func(m *Manifest) { m.Operators[0].Subtasks[0].Keyed[0].Pieces[0].Length = 4 }, "4 bytes, and the whole 3"},
		{"elements shorter than the whole", func(m *Manifest) { m.Operators[1].Subtasks[0].Lists[0].Lengths = []int64{1} }, "1 bytes, and the whole 3"},
		{"operator twice", func(m *Manifest) { m.Operators[1].ID = "01" }, "twice"},
		{"no parallelism", func(m *Manifest) { m.Operators[1].Parallelism = 0 }, "parallelism 0"},
		{"a file elsewhere", func(m *Manifest) { m.Operators[0].Subtasks[0].Keyed[0].Data.File = "../x" }, "leads out"},
		{"an absolute file", func(m *Manifest) { m.Operators[0].Subtasks[0].Keyed[0].Data.File = "/x" }, "leads out"},
		{"kind", func(m *Manifest) { m.Kind = 9 }, "kind 9"},
	} {
		m := sample()
		tt.edit(m)
		if _, err := Decode(Encode(m)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v: expected %q", tt.name, err, tt.want)
		}
	}
}

func TestGroups(t *testing.T) {
	parts := map[string][]byte{"b": []byte("two"), "a": {}, "": {1}}
	b := AppendGroup(nil, parts)
	got, err := ReadGroup(b)
	if err != nil || len(got) != 3 || string(got["b"]) != "two" || len(got["a"]) != 0 || !bytes.Equal(got[""], []byte{1}) {
		t.Errorf("%v, %v", got, err)
	}
	for i := 1; i < len(b); i++ {
		if _, err := ReadGroup(b[:i]); !errors.Is(err, ErrDamaged) {
			t.Errorf("%d of %d bytes: %v", i, len(b), err)
		}
	}
	if got, err := ReadGroup(AppendGroup(nil, nil)); err != nil || got != nil {
		t.Errorf("no parts: %v, %v", got, err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(Encode(sample()))
	f.Add(EncodeSnapshot(sample().Operators))
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, err := Decode(b); err == nil {
			if again, err := Decode(Encode(m)); err != nil || !reflect.DeepEqual(again, m) {
				t.Errorf("not what was read: %v", err)
			}
		}
		// The fields behind good checksums.
		if len(b) > overhead {
			inner := &writer{b: append(append([]byte(magic), Version), b...)}
			_, _ = Decode(inner.end())
			inner = &writer{b: append(append([]byte(snapMagic), Version), b...)}
			_, _ = DecodeSnapshot(inner.end())
		}
		_, _ = ReadGroup(b)
	})
}
