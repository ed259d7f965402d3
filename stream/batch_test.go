package stream_test

import (
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"

	"github.com/weft-project/weft/stream"
)

// batchSettings are ways to run a BATCH job that write to disk, or not.
func batchSettings(dir string) []map[string]string {
	return []map[string]string{
		{"taskmanager.memory.managed.size": "64 kb"},
		{"taskmanager.memory.managed.size": "1 kb", "taskmanager.memory.segment-size": "4 kb", "parallelism.default": "3", "io.tmp.dirs": dir},
		{"taskmanager.memory.managed.size": "256 kb", "execution.batch-shuffle-mode": "ALL_EXCHANGES_PIPELINED", "parallelism.default": "3"},
		{"taskmanager.memory.managed.size": "64 kb", "pipeline.operator-chaining.enabled": "false", "parallelism.default": "2"},
		{"execution.sorted-inputs.enabled": "false", "parallelism.default": "2"},
	}
}

// What a BATCH job gives does not depend on how much of it is in memory, and is what STREAMING gives in the end.
func TestBatchWithLittleMemory(t *testing.T) {
	dir := t.TempDir()
	all := append(programs(), windowPrograms()...)
	all = append(all, program{name: "many keys", build: manyKeys})
	for _, p := range all {
		t.Run(p.name, func(t *testing.T) {
			first := variant{parallelism: 2, mode: stream.Streaming}
			if p.batchOnly {
				first.mode = stream.Batch
			}
			env, want := first.env(), newResults()
			p.build(env, want)
			if _, err := env.Execute(t.Context(), p.name); err != nil {
				t.Fatal(err)
			}
			for _, settings := range batchSettings(dir) {
				env, got := stream.New(), newResults()
				env.SetMode(stream.Batch)
				for k, v := range settings {
					env.Set(k, v)
				}
				p.build(env, got)
				if _, err := env.Execute(t.Context(), p.name); err != nil {
					t.Fatalf("%v: %v", settings, err)
				}
				got.same(t, variant{mode: stream.Batch}, want)
				if t.Failed() {
					t.Fatalf("with %v", settings)
				}
			}
		})
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// manyKeys has far more state than the settings above give memory for.
func manyKeys(env *stream.Env, r *results) {
	long := strings.Repeat("x", 40)
	words := stream.Generate(env, "words", 30_000, func(i int64) word { return word{fmt.Sprint(long, i*7919%9000), 1} })
	byText := stream.KeyBy(stream.Rebalance(words), func(w word) string { return w.Text })
	stream.ForEach(stream.Sum(byText, "sum", func(w *word) *int64 { return &w.N }), "sums", func(w word) { r.total("sum", w.Text, w.N) })
	sum := stream.DeclareValue[int64](byText, "n")
	lists := stream.KeyedProcess(byText, "last of each", func(k *stream.Keyed[string], emit func(word)) func(word) {
		n := sum.In(k)
		k.OnTimer(func(stream.Timer) {
			total, _ := n.Get()
			emit(word{k.Key(), total})
		})
		return func(w word) {
			*n.Ref() += w.N
			k.SetTimer(stream.MaxTime - 1)
		}
	})
	stream.ForEach(lists, "each", func(w word) { r.total("each", w.Text, w.N) })
}

// In BATCH the records of a key come together, by their timestamps, and nothing is late.
func TestBatchGivesRecordsOfAKeyInOrder(t *testing.T) {
	env := stream.New()
	env.SetMode(stream.Batch)
	env.SetParallelism(1)
	env.Set("taskmanager.memory.managed.size", "64 kb")
	s := stream.Generate(env, "numbers", 20_000, func(i int64) click { return click{User: fmt.Sprint(i % 50), At: i * 7919 % 20_000, N: i} })
	s = stream.AssignTimestamps(s, "time", stream.Monotonous(func(c *click) int64 { return c.At }))
	var wrong []string
	seen := map[string]int{}
	byUser := stream.KeyBy(s, func(c click) string { return c.User })
	known := stream.DeclareValue[bool](byUser, "known")
	p := stream.KeyedProcess(byUser, "in order", func(k *stream.Keyed[string], emit func(string)) func(click) {
		last, key := int64(-1), ""
		fresh := known.In(k)
		return func(c click) {
			if k.Key() != key {
				if key = k.Key(); seen[key] > 0 {
					wrong = append(wrong, "key "+key+" comes again")
				}
				if known, _ := fresh.Get(); known {
					wrong = append(wrong, "key "+key+" has state at its first record")
				}
				fresh.Set(true)
				last = -1
			}
			if k.Timestamp() < last || k.Timestamp() != c.At || k.Watermark() != stream.NoTime {
				wrong = append(wrong, fmt.Sprintf("key %s: %d after %d, watermark %d", key, k.Timestamp(), last, k.Watermark()))
			}
			last = k.Timestamp()
			seen[key]++
		}
	})
	stream.Discard(p, "end")
	if _, err := env.Execute(t.Context(), "in order"); err != nil {
		t.Fatal(err)
	}
	if len(wrong) > 0 || len(seen) != 50 {
		t.Errorf("%d keys; %v", len(seen), wrong[:min(len(wrong), 5)])
	}
	for k, n := range maps.All(seen) {
		if n != 400 {
			t.Errorf("key %s: %d records", k, n)
		}
	}
}

// A place for temporary data that can not be used is one sentence.
func TestSpillingSaysWhatIsWrong(t *testing.T) {
	env := stream.New()
	env.SetMode(stream.Batch)
	env.Set("io.tmp.dirs", t.TempDir()+"/missing")
	s := stream.Generate(env, "numbers", 100_000, func(i int64) int64 { return i })
	stream.Discard(stream.Rebalance(s), "end")
	_, err := env.Execute(t.Context(), "no directory")
	if err == nil || !strings.Contains(err.Error(), "temporary file: open ") || !strings.Contains(err.Error(), "/missing/spill-") {
		t.Errorf("got %v", err)
	}
}
