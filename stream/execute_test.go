package stream_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weft-project/weft/internal/role"
	"github.com/weft-project/weft/rpc/planpb"
	"github.com/weft-project/weft/stream"
)

// Counters of all subtasks and operators with one name are added up.
func TestCountersAreAddedUp(t *testing.T) {
	for _, p := range []int{1, 3} {
		env := stream.New()
		env.SetParallelism(p)
		s := stream.Generate(env, "numbers", 1000, func(i int64) int64 { return i })
		s = stream.FilterWith(s, "even", func(c *stream.Context) func(int64) bool {
			seen, dropped := c.Counter("seen"), c.Counter("dropped")
			subtasks := c.Counter("subtasks")
			subtasks.Add(1)
			if c.Parallelism() != p || c.Subtask() < 0 || c.Subtask() >= p || c.Attempt() != 0 {
				t.Errorf("subtask %d of %d, attempt %d", c.Subtask(), c.Parallelism(), c.Attempt())
			}
			return func(v int64) bool {
				if seen.Add(1); v%2 != 0 {
					dropped.Add(1)
					return false
				}
				return true
			}
		})
		s = stream.MapWith(stream.Rebalance(s), "sum", func(c *stream.Context) func(int64) int64 {
			sum := c.Counter("sum")
			return func(v int64) int64 { sum.Add(v); return v }
		})
		flat := stream.FlatMapWith(s, "twice", func(c *stream.Context) func(int64, func(int64)) {
			n := c.Counter("seen")
			return func(v int64, emit func(int64)) { n.Add(1); emit(v); emit(v) }
		})
		stream.Discard(flat, "nothing")
		result, err := env.Execute(t.Context(), "counters")
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]int64{"seen": 1500, "dropped": 500, "sum": 249500, "subtasks": int64(p), "never used": 0} {
			if got := result.Counter(name); got != want {
				t.Errorf("parallelism %d: counter %q is %d, expected %d", p, name, got, want)
			}
		}
		if got := fmt.Sprint(result.Accumulators()); got != fmt.Sprintf("map[dropped:500 seen:1500 subtasks:%d sum:249500]", p) {
			t.Errorf("accumulators as text: %s", got)
		}
		if len(result.JobID) != 32 || result.RunTime < 0 || result.RunTime > time.Minute || result.Detached {
			t.Errorf("result %+v", result)
		}
	}
}

// boom is the author's function whose frame people look for.
func boom(v int64) int64 {
	if v == 7 {
		panic(fmt.Sprintf("no sevens, but %d", v))
	}
	return v
}

// explode runs env, whose job must fail because of the author's code.
func explode(t *testing.T, env *stream.Env) *planpb.Failure {
	t.Helper()
	_, err := env.Execute(t.Context(), "explode")
	var failed *stream.JobError
	if !errors.As(err, &failed) || failed.Failure == nil || failed.Status != planpb.JobStatus_FAILED {
		t.Fatalf("the job ended with %v, expected a failure", err)
	}
	f := failed.Failure
	if f.GetDomain() != planpb.FailureDomain_USER || f.GetRetryable() {
		t.Errorf("failure of domain %s, retryable %t: the author's is neither of another domain nor retried", f.GetDomain(), f.GetRetryable())
	}
	for _, part := range []string{fmt.Sprintf("in operator %q, subtask %d", f.GetOperator(), f.GetSubtask()+1), f.GetMessage(), f.GetStack()} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error does not say %q: %v", part, err)
		}
	}
	return f
}

// TestPanicsNameTheOperator puts a panic into every place where the author's code runs.
func TestPanicsNameTheOperator(t *testing.T) {
	numbers := func(env *stream.Env) *stream.Stream[int64] {
		return stream.Generate(env, "numbers", 100, func(i int64) int64 { return i })
	}
	self := func(v int64) int64 { return v }
	tests := []struct {
		operator string // that must be named
		message  string
		build    func(env *stream.Env)
	}{
		{"source", "no sevens, but 7", func(e *stream.Env) {
			stream.Discard(stream.Map(stream.Generate(e, "source", 100, boom), "after", self), "end")
		}},
		{"map", "no sevens, but 7", func(e *stream.Env) {
			stream.Discard(stream.Map(stream.Map(numbers(e), "map", boom), "after", self), "end")
		}},
		{"filter", "no sevens, but 7", func(e *stream.Env) {
			stream.Discard(stream.Filter(stream.Rebalance(numbers(e)), "filter", func(v int64) bool { return boom(v) > 0 }), "end")
		}},
		{"flat map after its emit", "no sevens, but 7", func(e *stream.Env) {
			f := stream.FlatMap(numbers(e), "flat map after its emit", func(v int64, emit func(int64)) { emit(v); boom(v) })
			stream.Discard(stream.Map(f, "after", self), "end")
		}},
		{"below the flat map", "no sevens, but 7", func(e *stream.Env) {
			f := stream.FlatMap(numbers(e), "flat map", func(v int64, emit func(int64)) { emit(v) })
			stream.Discard(stream.Map(f, "below the flat map", boom), "end")
		}},
		{"reduce", "no sevens, but 7", func(e *stream.Env) {
			r := stream.Reduce(stream.KeyBy(numbers(e), func(int64) int64 { return 0 }), "reduce", func(a, b int64) int64 { return a + boom(b) })
			stream.Discard(r, "end")
		}},
		{"sink", "no sevens, but 7", func(e *stream.Env) {
			s := numbers(e)
			stream.Discard(s, "other")
			stream.ForEach(s, "sink", func(v int64) { boom(v) })
			stream.Discard(s, "another")
		}},
		{"open", "no sevens, but 7", func(e *stream.Env) {
			m := stream.MapWith(numbers(e), "open", func(*stream.Context) func(int64) int64 { boom(7); return self })
			stream.Discard(stream.Map(m, "after", self), "end")
		}},
		{"index", "runtime error: index out of range [100] with length 3", func(e *stream.Env) {
			stream.Discard(stream.Map(numbers(e), "index", func(v int64) int64 { return outOfRange(make([]int64, 3)) }), "end")
		}},
		{"nil map", "assignment to entry in nil map", func(e *stream.Env) {
			stream.Discard(stream.Map(numbers(e), "nil map", func(v int64) int64 { var m map[int64]int64; boomMap(m); return v }), "end")
		}},
		{"before the key", "no sevens, but 7", func(e *stream.Env) {
			s := stream.Map(numbers(e), "before the key", self)
			stream.Discard(s, "other")
			stream.ForEach(s, "another", func(int64) {})
			stream.Discard(stream.Sum(stream.KeyBy(s, boom), "sum", func(v *int64) *int64 { return v }, stream.Parallelism(2)), "end")
		}},
		{"error value", "the disk said no", func(e *stream.Env) {
			stream.ForEach(numbers(e), "error value", func(v int64) { boomError() })
		}},
	}
	frame := regexp.MustCompile(`(?m)^\tat \S*stream_test\.(boom|outOfRange|boomMap|boomError) \(.*execute_test\.go:\d+\)$`)
	for _, tt := range tests {
		for _, p := range []int{1, 4} {
			t.Run(fmt.Sprintf("%s p=%d", tt.operator, p), func(t *testing.T) {
				env := stream.New()
				env.SetParallelism(p)
				tt.build(env)
				f := explode(t, env)
				if f.GetOperator() != tt.operator || f.GetMessage() != "panic: "+tt.message {
					t.Errorf("failure of operator %q: %q, expected %q: %q", f.GetOperator(), f.GetMessage(), tt.operator, "panic: "+tt.message)
				}
				if !frame.MatchString(f.GetStack()) {
					t.Errorf("the author's function is not in the stack:\n%s", f.GetStack())
				}
				if strings.Contains(f.GetStack(), "weft/operator.") || strings.Contains(f.GetStack(), "taskexec") || strings.Contains(f.GetStack(), "runtime.") {
					t.Errorf("the engine's frames are in the stack:\n%s", f.GetStack())
				}
			})
		}
	}
}

func outOfRange(s []int64) int64 {
	n := 100
	return s[n]
}

func boomMap(m map[int64]int64) { m[1] = 1 }

func boomError() { panic(errors.New("the disk said no")) }

// The subtask named is the one that failed.
func TestPanicNamesTheSubtask(t *testing.T) {
	env := stream.New()
	env.SetParallelism(5)
	s := stream.Generate(env, "numbers", 1000, func(i int64) int64 { return i })
	s = stream.MapWith(s, "third", func(c *stream.Context) func(int64) int64 {
		return func(v int64) int64 {
			if c.Subtask() == 3 && v > 500 {
				panic("at " + fmt.Sprint(v%5))
			}
			return v
		}
	})
	stream.Discard(stream.Rebalance(s), "end")
	if f := explode(t, env); f.GetSubtask() != 3 || f.GetMessage() != "panic: at 3" || f.GetTaskName() == "" || len(f.GetVertexId()) != 32 {
		t.Errorf("failure %v", f)
	}
}

// A function that leaves its goroutine (t.FailNow in a test of the author's) fails the job; it does not hang.
func TestGoexitInAFunctionFailsTheJob(t *testing.T) {
	env := stream.New()
	env.SetParallelism(2)
	s := stream.Generate(env, "numbers", 10, func(i int64) int64 { return i })
	stream.ForEach(stream.Rebalance(s), "leaves", func(int64) { runtime.Goexit() })
	if f := explode(t, env); f.GetOperator() != "leaves" {
		t.Errorf("failure of operator %q: %s", f.GetOperator(), f.GetMessage())
	}
}

// After one failure the other tasks are stopped and what was half written is removed.
func TestCancelByContext(t *testing.T) {
	for _, mode := range []stream.Mode{stream.Streaming, stream.Batch} {
		ctx, cancel := context.WithCancel(t.Context())
		var seen atomic.Int64
		env := stream.New()
		env.SetMode(mode)
		env.SetParallelism(3)
		env.Set("execution.batch-shuffle-mode", "ALL_EXCHANGES_PIPELINED") // a stage that never ends would fill the disk
		s := stream.Generate(env, "endless", 1<<60, func(i int64) int64 { return i })
		s = stream.Map(stream.Rebalance(s), "watch", func(v int64) int64 {
			if seen.Add(1) == 5000 {
				cancel()
			}
			return v
		})
		keyed := stream.KeyBy(s, func(v int64) int64 { return v % 100 })
		stream.Discard(stream.Count(keyed, "count"), "end")
		out := t.TempDir() + "/out"
		stream.WriteText(s, "write", out, func(v int64) string { return fmt.Sprint(v) })
		_, err := env.Execute(ctx, "endless")
		var failed *stream.JobError
		if !errors.As(err, &failed) || failed.Status != planpb.JobStatus_CANCELED || err.Error() != "the job was canceled" {
			t.Errorf("the job ended with %v, expected that it was canceled", err)
		}
		after := seen.Load()
		for range 100 {
			runtime.Gosched()
		}
		if now := seen.Load(); now != after {
			t.Errorf("%d records after Execute had returned", now-after)
		}
		if left := outputNames(t, out); len(left) != 0 {
			t.Errorf("left behind: %v", left)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	env := stream.New()
	stream.Discard(stream.Generate(env, "endless", 1<<60, func(i int64) int64 { return i }), "end")
	if _, err := env.Execute(ctx, "canceled before"); err == nil {
		t.Error("a job ran to its end under a context that had ended")
	}
}

// A job can run after another in one program; names and numbers of one do not reach the other.
func TestExecuteTwice(t *testing.T) {
	env := stream.New()
	s := stream.MapWith(stream.Generate(env, "numbers", 10, func(i int64) int64 { return i }), "count", func(c *stream.Context) func(int64) int64 {
		n := c.Counter("n")
		return func(v int64) int64 { n.Add(1); return v }
	})
	stream.Discard(s, "end")
	ids := map[string]bool{}
	for range 3 {
		r, err := env.Execute(t.Context(), "again")
		if err != nil {
			t.Fatal(err)
		}
		if ids[r.JobID] = true; r.Counter("n") != 10 {
			t.Errorf("counter %d, expected 10", r.Counter("n"))
		}
	}
	if len(ids) != 3 {
		t.Errorf("job ids %v, expected three", ids)
	}
}

// Captured and Once run in a local run, in the order of the calls.
func TestCapturedAndOnceInOrder(t *testing.T) {
	before, onceBefore := role.TheLauncher().Recorded()
	var order []string
	n, err := stream.Captured("lines", func() (int, error) { order = append(order, "lines"); return 42, nil })
	if err != nil || n != 42 {
		t.Fatalf("captured %d: %v", n, err)
	}
	if err := stream.Once("make table", func() error { order = append(order, "make table"); return nil }); err != nil {
		t.Fatal(err)
	}
	type settings struct{ Names []string }
	s, err := stream.Captured("settings", func() (settings, error) { order = append(order, "settings"); return settings{[]string{"a", "ä"}}, nil })
	if err != nil || fmt.Sprint(s.Names) != "[a ä]" {
		t.Fatalf("captured %v: %v", s, err)
	}
	bad := errors.New("no database")
	if _, err := stream.Captured("broken", func() (int, error) { return 0, bad }); !errors.Is(err, bad) || err.Error() != `captured value "broken": no database` {
		t.Errorf("error %v", err)
	}
	if err := stream.Once("broken", func() error { return bad }); !errors.Is(err, bad) || err.Error() != `once "broken": no database` {
		t.Errorf("error %v", err)
	}
	if _, err := stream.Captured("channel", func() (chan int, error) { return nil, nil }); err == nil {
		t.Error("a channel was captured")
	}
	if fmt.Sprint(order) != "[lines make table settings]" {
		t.Errorf("order %v", order)
	}
	captured, once := role.TheLauncher().Recorded()
	captured, once = captured[len(before):], once[len(onceBefore):]
	if len(captured) != 2 || captured[0].GetName() != "lines" || string(captured[0].GetValue()) != "42" || captured[1].GetName() != "settings" {
		t.Errorf("recorded %v", captured)
	}
	if len(once) != 1 || once[0] != "make table" {
		t.Errorf("recorded %v", once)
	}
}
