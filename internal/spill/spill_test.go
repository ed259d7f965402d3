package spill

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"slices"
	"syscall"
	"testing"
)

type row struct {
	prefix       uint64
	key, payload []byte
}

// rows are random, with many equal keys; a payload begins with the row's number.
func rows(seed uint64, n int) []row {
	rnd := rand.New(rand.NewPCG(seed, 9))
	out := make([]row, n)
	for i := range out {
		size := rnd.IntN(60)
		if rnd.IntN(200) == 0 {
			size = rnd.IntN(100 << 10)
		}
		payload := binary.LittleEndian.AppendUint32(nil, uint32(i))
		out[i] = row{rnd.Uint64N(20) << 60, bytes.Repeat([]byte{byte('a' + rnd.IntN(3))}, rnd.IntN(4)), append(payload, make([]byte, size)...)}
	}
	return out
}

func sortRows(t *testing.T, space *Space, budget int64, in []row) []row {
	t.Helper()
	s := NewSorter(space, budget)
	for _, r := range in {
		if err := s.Add(r.prefix, r.key, r.payload); err != nil {
			t.Fatal(err)
		}
		if held := s.held(); held > max(budget, minBudget)+int64(len(r.payload)) {
			t.Fatalf("holds %d bytes of %d", held, budget)
		}
	}
	it, err := s.Sorted()
	if err != nil {
		t.Fatal(err)
	}
	var out []row
	for {
		r, ok, err := it.Next()
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			break
		}
		out = append(out, row{r.Prefix, bytes.Clone(r.Key), bytes.Clone(r.Payload)})
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestSortsWithinAnyBudget(t *testing.T) {
	dir := t.TempDir()
	for seed := range uint64(8) {
		in := rows(seed, 3000)
		want := slices.Clone(in)
		slices.SortStableFunc(want, func(a, b row) int {
			if a.prefix != b.prefix {
				if a.prefix < b.prefix {
					return -1
				}
				return 1
			}
			return bytes.Compare(a.key, b.key)
		})
		for _, budget := range []int64{0, 100 << 10, 1 << 20, 1 << 30} {
			space := NewSpace(dir)
			got := sortRows(t, space, budget, in)
			if !slices.EqualFunc(got, want, func(a, b row) bool {
				return a.prefix == b.prefix && bytes.Equal(a.key, b.key) && bytes.Equal(a.payload, b.payload)
			}) {
				t.Fatalf("seed %d, budget %d: not in order", seed, budget)
			}
			if spilled := space.Total() > 0; spilled != (budget < 1<<20) && budget != 1<<20 {
				t.Errorf("seed %d, budget %d: %d bytes were written", seed, budget, space.Total())
			}
			if space.Used() != 0 {
				t.Errorf("seed %d, budget %d: %d bytes stay on disk", seed, budget, space.Used())
			}
		}
	}
}

// A small budget and many runs need several passes.
func TestManyRuns(t *testing.T) {
	s := NewSorter(NewSpace(t.TempDir()), 0)
	const n = 200_000
	for i := range uint64(n) {
		if err := s.Add(i*0x9E3779B97F4A7C15, nil, binary.LittleEndian.AppendUint64(nil, i)); err != nil {
			t.Fatal(err)
		}
	}
	if runs := len(s.runs); runs < 50 {
		t.Fatalf("%d runs: the test needs more", runs)
	}
	it, err := s.Sorted()
	if err != nil {
		t.Fatal(err)
	}
	var last, sum uint64
	for count := 0; ; count++ {
		r, ok, err := it.Next()
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			if count != n || sum != n*(n-1)/2 {
				t.Errorf("%d records with sum %d, expected %d", count, sum, n)
			}
			break
		}
		if r.Prefix < last {
			t.Fatalf("record %d: %x after %x", count, r.Prefix, last)
		}
		last = r.Prefix
		sum += binary.LittleEndian.Uint64(r.Payload)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestFilesHaveNoNames(t *testing.T) {
	dir := t.TempDir()
	space := NewSpace(dir)
	f, err := space.Create()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Append([]byte("here")); err != nil {
		t.Fatal(err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("in the directory: %v, %v", entries, err)
	}
	got := make([]byte, 4)
	if err := f.ReadAt(got, 0); err != nil || string(got) != "here" {
		t.Errorf("read %q, %v", got, err)
	}
	if err := f.ReadAt(got, 2); err == nil {
		t.Error("reading behind the end is no error")
	}
	if err := f.Close(); err != nil || space.Used() != 0 {
		t.Errorf("%v, %d bytes are used", err, space.Used())
	}
}

func TestFullDiskIsOneSentence(t *testing.T) {
	s := NewSorter(Device("/dev/full"), 0)
	var err error
	for i := range uint64(100_000) {
		if err = s.Add(i, nil, make([]byte, 8)); err != nil {
			break
		}
	}
	const want = "no room for temporary data in /dev/full, where this process has 0 bytes: free some, or set io.tmp.dirs to a larger disk: "
	if err == nil || !errors.Is(err, syscall.ENOSPC) || !bytes.HasPrefix([]byte(err.Error()), []byte(want)) {
		t.Errorf("got %v", err)
	}
	if _, again := s.Sorted(); again == nil {
		t.Error("a sorter that has failed can be read")
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func BenchmarkSort(b *testing.B) {
	for _, budget := range []int64{1 << 30, 8 << 20} {
		b.Run(map[bool]string{true: "memory", false: "spilled"}[budget == 1<<30], func(b *testing.B) {
			space := NewSpace(b.TempDir())
			payload := make([]byte, 24)
			s := NewSorter(space, budget)
			for i := range uint64(b.N) {
				if err := s.Add(i*0x9E3779B97F4A7C15, payload[:8], payload); err != nil {
					b.Fatal(err)
				}
			}
			it, err := s.Sorted()
			for ok := true; ok && err == nil; {
				_, ok, err = it.Next()
			}
			if err = errors.Join(err, s.Close()); err != nil {
				b.Fatal(err)
			}
		})
	}
}
