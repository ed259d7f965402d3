package stream_test

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weft-project/weft/stream"
)

// busySource emits its numbers as fast as it can until the test is content or gives up.
func busySource(env *stream.Env, enough *atomic.Bool) *stream.Stream[int64] {
	return stream.Generate(env, "busy", 1<<50, func(i int64) int64 {
		if enough.Load() {
			runtime.Gosched()
		}
		return i
	}, stream.Parallelism(1))
}

// runUntil runs env until enough is set by a sink, and tells whether it was before the deadline.
func runUntil(t *testing.T, env *stream.Env, enough *atomic.Bool) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	seen := make(chan struct{})
	go func() {
		defer close(seen)
		for ctx.Err() == nil && !enough.Load() {
			runtime.Gosched()
		}
		cancel()
	}()
	_, err := env.Execute(ctx, "until seen")
	<-seen
	var failed *stream.JobError
	if !errors.As(err, &failed) || failed.Failure != nil {
		t.Fatalf("the job ended with %v, expected to be canceled", err)
	}
	return enough.Load()
}

// A record that is alone in its buffer leaves it after the timeout although its task is busy with records that it drops.
func TestBufferTimeoutHoldsForRareRecords(t *testing.T) {
	for _, timeout := range []string{"", "0", "1 ms"} {
		var enough atomic.Bool
		env := variant{parallelism: 1, timeout: timeout}.env()
		rare := stream.Filter(busySource(env, &enough), "one", func(i int64) bool { return i == 5 })
		stream.ForEach(stream.Rebalance(rare), "seen", func(int64) { enough.Store(true) })
		if !runUntil(t, env, &enough) {
			t.Errorf("timeout %q: the record did not come while the source was busy", timeout)
		}
		enough.Store(false)
		env = variant{parallelism: 1, timeout: timeout}.env()
		moved := stream.Rebalance(busySource(env, &enough))
		rare = stream.Filter(moved, "one elsewhere", func(i int64) bool { return i == 5 })
		stream.ForEach(stream.Rebalance(rare), "seen", func(int64) { enough.Store(true) })
		if !runUntil(t, env, &enough) {
			t.Errorf("timeout %q: the record did not come while its task was busy", timeout)
		}
	}
}

// Without a timeout a buffer is sent when it is full.
func TestWithoutBufferTimeoutRecordsWait(t *testing.T) {
	for _, set := range []func(*stream.Env){
		func(e *stream.Env) { e.SetBufferTimeout(-time.Millisecond) },
		func(e *stream.Env) { e.Set("execution.buffer-timeout", "-1") },
		func(e *stream.Env) { e.Set("execution.buffer-timeout.enabled", "false") },
	} {
		var produced, early atomic.Int64
		env := variant{parallelism: 1}.env()
		set(env)
		s := stream.Generate(env, "numbers", 600, func(i int64) int64 {
			for began := time.Now(); (i == 300 || i == 599) && time.Since(began) < 30*time.Millisecond; {
				runtime.Gosched() // longer than the default timeout
			}
			produced.Store(i + 1)
			return i
		})
		stream.ForEach(stream.Rebalance(s), "sink", func(int64) {
			if produced.Load() < 600 {
				early.Add(1)
			}
		})
		if _, err := env.Execute(t.Context(), "wait"); err != nil {
			t.Fatal(err)
		}
		if early.Load() != 0 {
			t.Errorf("%d records left a buffer that was not full", early.Load())
		}
	}
}

// With a timeout of 0 every record is sent at once, not only the first.
func TestBufferTimeoutZeroSendsEveryRecord(t *testing.T) {
	var seen atomic.Int64
	var late atomic.Bool
	env := stream.New()
	env.SetParallelism(1)
	env.SetBufferTimeout(0)
	s := stream.Generate(env, "one by one", 50, func(i int64) int64 {
		// Record i is made when record i-1 has arrived.
		for deadline := time.Now().Add(2 * time.Minute); seen.Load() < i && !late.Load(); runtime.Gosched() {
			if time.Now().After(deadline) {
				late.Store(true)
			}
		}
		return i
	})
	stream.ForEach(stream.Rebalance(s), "sink", func(int64) { seen.Add(1) })
	if _, err := env.Execute(t.Context(), "one by one"); err != nil {
		t.Fatal(err)
	}
	if late.Load() {
		t.Error("a record stayed in its buffer")
	}
}
