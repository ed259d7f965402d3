package main

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/weft-project/weft/bench/workload"
)

// TestShuffle: every record comes once, whichever way it goes.
func TestShuffle(t *testing.T) {
	const n = 30_000
	want := expect{n, n * (n - 1) / 2}
	for _, mode := range []string{"rebalance", "keyby", "cross"} {
		for _, size := range []int{16, 100, 1000} {
			if got := runs(t, "shuffle", "--mode", mode, "--events", fmt.Sprint(n), "--size", fmt.Sprint(size), "--parallelism", "2"); got != want {
				t.Errorf("%s of %d bytes: %+v, expected %+v", mode, size, got, want)
			}
		}
	}
}

// TestGather: every record is counted once, whether or not there is memory for all of them.
func TestGather(t *testing.T) {
	const n, keys = 30_000, 7_000
	want := expect{out: keys}
	for i := range int64(n) {
		want.check += i % keys
	}
	for _, mode := range []string{"sorted", "summed"} {
		if got := runs(t, "gather", "--mode", mode, "--events", fmt.Sprint(n), "--keys", fmt.Sprint(keys), "--parallelism", "2"); got != want {
			t.Errorf("%s: %+v, expected %+v", mode, got, want)
		}
	}
}

// TestKeyedWindow compares with sums over all events at once.
func TestKeyedWindow(t *testing.T) {
	const n, keys, perMS, seed = 60_000, 700, 2, 3
	sums := map[[2]int64]total{}
	fill := eventAt(seed, keys, perMS)
	for i := range int64(n) {
		var r reading
		fill(i, &r)
		at := [2]int64{r.TS / 10_000 * 10_000, r.Key}
		s := sums[at]
		sums[at] = total{s.Sum + r.Value, s.Count + 1}
	}
	var want expect
	for at, s := range sums {
		want.add(at[0], at[1], s.Sum, s.Count)
	}
	for _, parallelism := range []string{"1", "2", "3"} {
		got := runs(t, "keyed-window", "--events", fmt.Sprint(n), "--keys", fmt.Sprint(keys), "--events-per-ms", fmt.Sprint(perMS), "--seed", fmt.Sprint(seed),
			"--parallelism", parallelism)
		if got != want {
			t.Errorf("parallelism %s: %+v, expected %+v", parallelism, got, want)
		}
	}
}

// TestWordcountStream: running counts of a word add up to n(n+1)/2.
func TestWordcountStream(t *testing.T) {
	text := filepath.Join(t.TempDir(), "text")
	if err := gentext([]string{"--size", "300000", "-o", text}); err != nil {
		t.Fatal(err)
	}
	first := runs(t, "wordcount-stream", "--parallelism", "1", "--input", text)
	for _, parallelism := range []string{"2", "3"} {
		if got := runs(t, "wordcount-stream", "--parallelism", parallelism, "--input", text); got != first || got.out == 0 {
			t.Errorf("parallelism %s: %+v, expected %+v", parallelism, got, first)
		}
	}
}

func TestBigState(t *testing.T) {
	const n, keys = 3000, 1000
	want := expect{out: n}
	for i := range int64(n) {
		key := i
		if i >= keys {
			key = int64(workload.Scatter(uint64(i))>>1) % keys
		}
		want.check += key
	}
	if got := runs(t, "bigstate", "--events", fmt.Sprint(n), "--keys", fmt.Sprint(keys), "--size", "100", "--parallelism", "2"); got != want {
		t.Errorf("%+v, expected %+v", got, want)
	}
}

// TestLatency: a rate is kept, and everything sent after the warm-up is measured.
func TestLatency(t *testing.T) {
	o := newOptions("latency")
	if err := o.Parse([]string{"--rate", "2000", "--duration", "1", "--warm-up", "0", "--parallelism", "2", "--buffer-timeout", "0"}); err != nil {
		t.Fatal(err)
	}
	r, err := execute(t.Context(), o, latency)
	if err != nil {
		t.Fatal(err)
	}
	l := latencyOf(r)
	if l.Records != 2000 || l.P50 <= 0 || l.P50 > l.P99 || l.P99 > l.Max {
		t.Errorf("%+v: expected 2000 records", l)
	}
	if r.RunTime < 900*time.Millisecond {
		t.Errorf("it took %v: expected a second", r.RunTime)
	}
}

func TestHistogram(t *testing.T) {
	last := time.Duration(-1)
	for b := range 40 << finer {
		end := endOf(b)
		if end <= last || bucketOf(int64(end)) != b || bucketOf(int64(last)+1) != b {
			t.Fatalf("bucket %d is from %d to %d ns", b, last+1, end)
		}
		last = end
	}
}
