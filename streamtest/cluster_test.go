package streamtest_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weft-project/weft/rpc/planpb"
	"github.com/weft-project/weft/stream"
	"github.com/weft-project/weft/streamtest"
)

// A whole job on several workers gives what it gives in one.
func TestRunOnSeveralWorkers(t *testing.T) {
	for _, mode := range []stream.Mode{stream.Streaming, stream.Batch} {
		for _, workers := range []int{1, 2, 3} {
			t.Run(fmt.Sprint("mode ", mode, ", ", workers, " workers"), func(t *testing.T) {
				env := stream.New()
				env.SetMode(mode)
				numbers := stream.Generate(env, "numbers", 3_000, func(i int64) order { return order{fmt.Sprint("c", i%7), i} })
				seen := stream.MapWith(numbers, "seen", func(c *stream.Context) func(order) order {
					n := c.Counter("orders")
					return func(o order) order { n.Add(1); return o }
				})
				out := streamtest.Collect(stream.Sum(stream.KeyBy(seen, customer), "sum", func(o *order) *int64 { return &o.Cents }), "out")
				r := streamtest.Run(t, env, streamtest.Workers(workers), streamtest.Parallelism(3))
				if r.Counter("orders") != 3_000 {
					t.Errorf("counted %d orders", r.Counter("orders"))
				}
				last := map[string]int64{}
				for _, o := range out.Values() {
					last[o.Customer] = o.Cents
				}
				var want int64
				for i := range int64(3_000) {
					if i%7 == 3 {
						want += i
					}
				}
				if last["c3"] != want || len(last) != 7 {
					t.Errorf("sums %v: expected %d of c3", last, want)
				}
			})
		}
	}
}

// Scripts of two subtasks: the one that is behind is waited for, the idle one is not.
func TestPlay(t *testing.T) {
	env := stream.New()
	var out *streamtest.Output[order]
	came := func(n int) func() bool { return func() bool { return out.Len() >= n } }
	in := streamtest.Play(env, "orders",
		streamtest.NewScript[order]().At(1_000, order{"ann", 1}).Watermark(70_000).When(came(1)).At(61_000, order{"ann", 4}),
		streamtest.NewScript[order]().At(2_000, order{"ann", 2}).Watermark(5_000).At(3_000, order{"bob", 8}).Idle(true).When(came(2)))
	sums := stream.SumWindow(stream.Window(stream.KeyBy(in, customer), stream.Tumbling(time.Minute)), "sum", func(o *order) *int64 { return &o.Cents })
	out = streamtest.Collect(sums, "out")
	streamtest.Run(t, env)
	streamtest.OrderedByWatermark(t, out,
		streamtest.Until(70_000, order{"ann", 3}, order{"bob", 8}),
		streamtest.Until(stream.MaxTime, order{"ann", 4}))
	streamtest.OrderedByKey(t, out.Values(), customer, order{"bob", 8}, order{"ann", 3}, order{"ann", 4})
}

// Processing time of a job on a cluster is in the test's hand, too.
func TestClockOfACluster(t *testing.T) {
	clock := streamtest.NewClock(time.UnixMilli(0))
	env := stream.New()
	var out *streamtest.Output[order]
	tick := func() error { clock.Advance(time.Minute); return nil }
	in := streamtest.Play(env, "orders", streamtest.NewScript[order]().Emit(order{"ann", 1}, order{"ann", 2}).
		When(func() bool { _ = tick(); return out.Len() == 1 }).Do(tick))
	out = streamtest.Collect(stream.SumWindow(stream.Window(stream.KeyBy(in, customer), stream.Tumbling(time.Hour).InProcessingTime()), "sum",
		func(o *order) *int64 { return &o.Cents }), "out")
	streamtest.Run(t, env, streamtest.OnClock(clock))
	streamtest.Ordered(t, out.Values(), order{"ann", 3})
}

// A job that fails gives the error of Execute; one that is cancelled ends.
func TestFailuresOnACluster(t *testing.T) {
	env := stream.New()
	in := streamtest.Play(env, "orders", streamtest.NewScript[order]().At(1_000, order{"ann", 0}))
	stream.Discard(stream.Process(in, "parse", func(c *stream.ProcessContext, emit func(int64)) func(order) {
		return func(o order) { emit(100 / o.Cents) }
	}), "end")
	_, err := env.Execute(streamtest.Context(t), "fails")
	var failed *stream.JobError
	if !errors.As(err, &failed) || failed.Failure.GetOperator() != "parse" || !strings.Contains(err.Error(), "1970-01-01T00:00:01Z") {
		t.Errorf("error %v", err)
	}

	env = stream.New()
	in = streamtest.Play(env, "orders", streamtest.NewScript[order]().Do(func() error { return errors.New("no such table") }))
	stream.Discard(in, "end")
	if got := streamtest.Failing(t, func(t testing.TB) { streamtest.Run(t, env) }); !strings.Contains(got, "no such table") || !strings.Contains(got, "cluster_test.go:") {
		t.Errorf("Run said %q", got)
	}

	ctx, cancel := context.WithCancel(streamtest.Context(t))
	env = stream.New()
	in = streamtest.Play(env, "orders", streamtest.NewScript[order]().Emit(order{"ann", 1}).Forever())
	stream.ForEach(in, "cancel", func(order) { cancel() })
	if _, err = env.Execute(ctx, "canceled"); !errors.As(err, &failed) || failed.Status != planpb.JobStatus_CANCELED {
		t.Errorf("a job that was cancelled ended with %v", err)
	}
}

// Files are written as on a cluster: whole, and nothing else is left.
func TestFilesOfACluster(t *testing.T) {
	dir := t.TempDir()
	env := stream.New()
	lines := stream.FromSlice(env, "lines", []string{"a", "b", "c"})
	stream.WriteText(lines, "write", filepath.Join(dir, "out"), func(s string) string { return s }, stream.Parallelism(2))
	streamtest.Run(t, env)
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Fatalf("%v %v", entries, err)
	}
	env = stream.New()
	out := streamtest.Collect(stream.ReadText(env, "read", filepath.Join(dir, "out")), "out")
	streamtest.Run(t, env)
	streamtest.Unordered(t, out.Values(), "a", "b", "c")
}
