package worker_test

import (
	"runtime"
	"testing"
	"time"

	"github.com/weft-project/weft/rpc/planpb"
	"github.com/weft-project/weft/stream"
	"github.com/weft-project/weft/taskexec/worker"
)

type tick struct {
	At    int64
	Price float64
	Venue [8]byte
}

// TestAllocationsForARecord is the budget of the record path as a job runs it: what is allocated beyond the start of a job
// must not grow with its records.
func TestAllocationsForARecord(t *testing.T) {
	chained := func(env *stream.Env, n int64) {
		s := stream.Generate(env, "ticks", n, func(i int64) tick { return tick{At: i, Price: float64(i)} })
		s = stream.Filter(stream.Map(s, "map", func(v tick) tick { v.Price *= 2; return v }), "filter", func(v tick) bool { return v.At%3 != 0 })
		stream.ForEach(s, "sink", func(tick) {})
	}
	exchanged := func(env *stream.Env, n int64) {
		s := stream.Generate(env, "ticks", n, func(i int64) tick { return tick{At: i, Price: 1} })
		s = stream.Map(stream.Rebalance(s), "map", func(v tick) tick { v.Price++; return v })
		sum := stream.Sum(stream.KeyBy(s, func(v tick) int64 { return v.At % 1000 }), "sum", func(v *tick) *float64 { return &v.Price })
		stream.Discard(sum, "end")
	}
	texts := func(env *stream.Env, n int64) {
		words := []string{"some", "words", "of", "usual", "length"}
		s := stream.Generate(env, "words", n, func(i int64) string { return words[i%5] })
		stream.ForEach(stream.Rebalance(s), "sink", func(string) {})
	}
	windowed := func(env *stream.Env, n int64) {
		s := stream.Generate(env, "ticks", n, func(i int64) tick { return tick{At: i, Price: 1} })
		s = stream.AssignTimestamps(s, "time", stream.Monotonous(func(v *tick) int64 { return v.At / 100 }))
		w := stream.Window(stream.KeyBy(s, func(v tick) int64 { return v.At % 1000 }), stream.Sliding(200*time.Millisecond, 100*time.Millisecond))
		stream.Discard(stream.SumWindow(w, "sum", func(v *tick) *float64 { return &v.Price }), "end")
	}
	local := func(t *testing.T, build func(env *stream.Env, n int64), n int64) float64 {
		return allocations(t, func(env *stream.Env) { build(env, n) }, func(env func(*stream.Env)) {
			r, err := worker.RunLocal(t.Context(), programOf(t, env), localFiles(), logTo(t))
			if err != nil || r.GetStatus() != planpb.JobStatus_FINISHED {
				t.Fatal(r, err)
			}
		})
	}
	remote := func(t *testing.T, build func(env *stream.Env, n int64), n int64) float64 {
		return allocations(t, func(env *stream.Env) { build(env, n) }, func(env func(*stream.Env)) {
			p := programOf(t, env)
			w := startQuietWorkers(t, p)
			w.run().finished(t, totalTasks(p))
		})
	}
	const few, many = 50_000, 550_000
	const buffers = float64(many-few) / (32 << 10 / 8) // of records of 8 bytes at most
	tests := []struct {
		name  string
		run   func(t *testing.T, build func(env *stream.Env, n int64), n int64) float64
		build func(env *stream.Env, n int64)
		limit float64
	}{
		{"chained", local, chained, 200},
		{"exchanged in this process", local, exchanged, 500},
		{"exchanged over TCP", remote, exchanged, 1000},
		{"windows in this process", local, windowed, 4000},
		{"windows over TCP", remote, windowed, 4000},
		{"strings in this process", local, texts, 500},
		{"strings over TCP", remote, texts, 500 + 2*buffers},
	}
	for _, tt := range tests {
		base := tt.run(t, tt.build, few)
		more := tt.run(t, tt.build, many) - base
		t.Logf("%s: %.0f allocations for a short job, %.0f more for %d records more", tt.name, base, more, many-few)
		if more > tt.limit && !raceEnabled {
			t.Errorf("%s: %.0f allocations for %d records, expected at most %.0f", tt.name, more, many-few, tt.limit)
		}
	}
}

// allocations are those of one run of a job.
func allocations(t *testing.T, build func(*stream.Env), run func(func(*stream.Env))) float64 {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	run(func(env *stream.Env) {
		env.SetParallelism(2)
		build(env)
	})
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs - before.Mallocs)
}
