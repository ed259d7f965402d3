package stream_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/weft-project/weft/stream"
)

// endless is a split that lasts until done is closed: it counts, or is idle.
type endless struct {
	idle bool
	n    int64
	done chan struct{}
	wake func()
}

func (s *endless) Read(emit func(v *int64)) (stream.SourceStatus, error) {
	select {
	case <-s.done:
		return stream.SourceEnd, nil
	default:
	}
	if s.idle {
		go func() { <-s.done; s.wake() }()
		return stream.SourceIdle, nil
	}
	for range 10 {
		s.n++
		v := s.n
		emit(&v)
	}
	return stream.SourceMore, nil
}

func (s *endless) Close() error { return nil }

func endlessSource(done chan struct{}, idle bool) stream.SplitSource[int64, int] {
	return stream.SplitSource[int64, int]{
		Plan: func(context.Context, int) ([]int, error) { return []int{0}, nil },
		Open: func(_ context.Context, _ int, wake func()) (stream.SplitReader[int64], error) {
			return &endless{idle: idle, done: done, wake: wake}, nil
		},
		Unbounded: true,
	}
}

// live runs a job until something has come out of it.
func live(t *testing.T, build func(env *stream.Env, done chan struct{}, seen func())) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	env := stream.New()
	env.SetParallelism(1)
	env.Set("pipeline.auto-watermark-interval", "1 ms")
	done := make(chan struct{})
	var once sync.Once
	build(env, done, func() { once.Do(func() { close(done) }) })
	if _, err := env.Execute(ctx, "live"); err != nil {
		t.Fatal(err)
	}
	select {
	case <-done:
	default:
		t.Error("nothing came before the end")
	}
}

func itself(v *int64) int64 { return *v }

// A source without records does not hold event time up when it is declared idle.
func TestAnIdleSourceDoesNotHoldWindowsUp(t *testing.T) {
	live(t, func(env *stream.Env, done chan struct{}, seen func()) {
		busy := stream.FromTimedSource(env, "busy", endlessSource(done, false), stream.Monotonous(itself))
		idle := stream.FromTimedSource(env, "idle", endlessSource(done, true), stream.Monotonous(itself).IdleAfter(5*ms))
		quiet := stream.AssignTimestamps(stream.FromSource(env, "quiet", endlessSource(done, true)), "quiet time", stream.Monotonous(itself).IdleAfter(5*ms))
		w := stream.Window(stream.KeyBy(stream.Union(busy, idle, quiet), func(v int64) int64 { return v % 10 }), stream.Tumbling(10*ms))
		stream.ForEach(stream.MaxWindow(w, "highest", func(v *int64) *int64 { return v }), "seen", func(int64) { seen() })
	})
}

// Timers and windows of processing time fire while nothing comes.
func TestProcessingTimeGoesOnWithoutRecords(t *testing.T) {
	live(t, func(env *stream.Env, done chan struct{}, seen func()) {
		one := stream.Union(stream.FromSlice(env, "one", []int64{7}), stream.FromSource(env, "nothing", endlessSource(done, true)))
		key := func(v int64) int64 { return v }
		fired := stream.KeyedProcess(stream.KeyBy(one, key), "timer", func(k *stream.Keyed[int64], emit func(int64)) func(int64) {
			k.OnTimer(func(stream.Timer) { emit(k.Key()) })
			return func(int64) { k.SetProcessingTimer(k.ProcessingTime() + 10) }
		})
		w := stream.Window(stream.KeyBy(fired, key), stream.Tumbling(20*ms).InProcessingTime())
		stream.ForEach(stream.SumWindow(w, "sum", func(v *int64) *int64 { return v }), "seen", func(v int64) {
			if v == 7 {
				seen()
			}
		})
	})
}

// Empty input gives nothing, at once, in both modes.
func TestWindowsOfNothing(t *testing.T) {
	for _, mode := range []stream.Mode{stream.Streaming, stream.Batch} {
		env := stream.New()
		env.SetMode(mode)
		s := stream.AssignTimestamps(stream.FromSlice(env, "nothing", []int64{}), "time", stream.Monotonous(itself))
		for name, a := range map[string]stream.WindowAssigner{"t": stream.Tumbling(ms), "s": stream.Session(ms), "g": stream.CountWindow(1)} {
			stream.ForEach(stream.SumWindow(stream.WindowAll(s, a), name, func(v *int64) *int64 { return v }), name, func(int64) { t.Error("a window of nothing fired") })
		}
		if _, err := env.Execute(t.Context(), "nothing"); err != nil {
			t.Fatal(err)
		}
	}
}
