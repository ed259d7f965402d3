package stream_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/weft-project/weft/stream"
)

// scripted is a split that plays a list of times; idle ones pause before each tenth.
type scripted struct {
	from, to, step int64
	wake           func()
	idled          bool
	closed         *int
	mu             *sync.Mutex
}

func (s *scripted) Read(emit func(v *int64)) (stream.SourceStatus, error) {
	for range 7 {
		if s.from >= s.to {
			return stream.SourceEnd, nil
		}
		if s.from%10 == 0 && !s.idled {
			s.idled = true
			go s.wake()
			return stream.SourceIdle, nil
		}
		s.idled = false
		v := s.from
		emit(&v)
		s.from += s.step
	}
	return stream.SourceMore, nil
}

func (s *scripted) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	*s.closed++
	return nil
}

type span struct{ From, To, Step int64 }

// Splits that are read side by side hold each other's watermark back, so nothing comes late although they are far apart.
func TestWatermarksOfSplits(t *testing.T) {
	for _, p := range []int{1, 2, 5} {
		var mu sync.Mutex
		closed := 0
		got := map[string]int64{}
		env := stream.New()
		env.SetParallelism(p)
		env.Set("pipeline.auto-watermark-interval", "1 ms")
		src := stream.SplitSource[int64, span]{
			Plan: func(context.Context, int) ([]span, error) {
				return []span{{0, 3000, 1}, {0, 3000, 3}, {0, 30, 7}, {5, 5, 1}}, nil
			},
			Open: func(_ context.Context, s span, wake func()) (stream.SplitReader[int64], error) {
				return &scripted{s.From, s.To, s.Step, wake, false, &closed, &mu}, nil
			},
			AtOnce: 4,
		}
		s := stream.FromTimedSource(env, "source", src, stream.Monotonous(func(v *int64) int64 { return *v }))
		counts := stream.AggregateWindowWith(stream.WindowAll(s, stream.Tumbling(100*ms)), "count", stream.Aggregate[int64, int64, int64]{
			Add: func(acc *int64, _ *int64) { *acc++ }, Merge: func(acc, o *int64) { *acc += *o }, Result: func(acc *int64) int64 { return *acc },
		}, func(c *stream.WindowContext[stream.All], n int64, emit func(string)) {
			emit(fmt.Sprint(c.Window.Start, " ", n))
		})
		stream.ForEach(counts, "each", func(s string) {
			mu.Lock()
			defer mu.Unlock()
			var start, n int64
			_, err := fmt.Sscan(s, &start, &n)
			if err != nil {
				panic(err)
			}
			got[fmt.Sprint(start)] += n
		})
		r, err := env.Execute(t.Context(), "splits")
		if err != nil {
			t.Fatal(err)
		}
		total := r.Counter("numLateRecordsDropped")
		for _, n := range got {
			total += n
		}
		if total != 3000+1000+5 || closed != 4 {
			t.Errorf("parallelism %d: %d records, expected 4005; %d splits closed", p, total, closed)
		}
		if p == 1 && r.Counter("numLateRecordsDropped") > 0 {
			t.Errorf("%d records came late", r.Counter("numLateRecordsDropped"))
		}
	}
}

func TestSourceErrors(t *testing.T) {
	boom := errors.New("boom")
	good := func(context.Context, int) ([]int, error) { return []int{1}, nil }
	for name, src := range map[string]stream.SplitSource[int64, int]{
		"plan": {Plan: func(context.Context, int) ([]int, error) { return nil, boom }, Open: func(context.Context, int, func()) (stream.SplitReader[int64], error) { return nil, boom }},
		"open": {Plan: good, Open: func(context.Context, int, func()) (stream.SplitReader[int64], error) { return nil, boom }},
		"read": {Plan: good, Open: func(context.Context, int, func()) (stream.SplitReader[int64], error) { return failing{boom}, nil }},
		"none": {},
	} {
		env := stream.New()
		stream.Discard(stream.FromSource(env, "bad source", src), "end")
		_, err := env.Execute(t.Context(), "source")
		if want := map[bool]string{true: "Plan and Open", false: "boom"}[name == "none"]; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

type failing struct{ err error }

func (f failing) Read(func(*int64)) (stream.SourceStatus, error) { return stream.SourceEnd, f.err }
func (f failing) Close() error                                   { return nil }

func TestSourceWithoutSplits(t *testing.T) {
	env := stream.New()
	src := stream.SplitSource[int64, int]{Plan: func(context.Context, int) ([]int, error) { return nil, nil },
		Open: func(context.Context, int, func()) (stream.SplitReader[int64], error) { return nil, nil }}
	var got []int64
	stream.ForEach(stream.FromSource(env, "empty", src), "each", func(v int64) { got = append(got, v) })
	if _, err := env.Execute(t.Context(), "empty"); err != nil || !slices.Equal(got, nil) {
		t.Errorf("%v, %v", got, err)
	}
}
