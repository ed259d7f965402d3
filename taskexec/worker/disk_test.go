package worker_test

import (
	"strings"
	"testing"

	"github.com/weft-project/weft/internal/spill"
	"github.com/weft-project/weft/rpc/planpb"
	"github.com/weft-project/weft/stream"
)

// A BATCH job for whose data there is no room on disk fails with one sentence that says where, and what to do; another attempt may find room.
func TestNoRoomOnDisk(t *testing.T) {
	for name, build := range map[string]func(numbers *stream.Stream[int64]) *stream.Stream[int64]{
		"stored between stages": stream.Rebalance[int64],
		"sorted": func(numbers *stream.Stream[int64]) *stream.Stream[int64] {
			byKey := stream.KeyBy(numbers, func(n int64) int64 { return n % 5000 })
			return stream.KeyedProcess(byKey, "each", func(_ *stream.Keyed[int64], emit func(int64)) func(int64) { return emit })
		},
	} {
		settings := map[string]string{"taskmanager.memory.managed.size": "64 kb"}
		p := programOf(t, func(env *stream.Env) {
			env.SetMode(stream.Batch)
			env.SetParallelism(2)
			if name == "sorted" {
				env.Set("execution.batch-shuffle-mode", "ALL_EXCHANGES_PIPELINED")
			}
			stream.Discard(build(stream.Generate(env, "numbers", 500_000, func(i int64) int64 { return i })), "end")
		})
		o := startWorkersOn(t, p, 2, settings, spill.Device("/dev/full")).run()
		f := o.failure
		text := f.GetMessage()
		if !strings.HasPrefix(text, "no room for temporary data in /dev/full, where this process has 0 bytes: free some, or set io.tmp.dirs to a larger disk: ") ||
			strings.Contains(text, "\n") {
			t.Errorf("%s: %q", name, text)
		}
		if f.GetDomain() != planpb.FailureDomain_EXTERNAL || !f.GetRetryable() {
			t.Errorf("%s: %v", name, f)
		}
	}
}
