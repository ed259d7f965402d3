package main

import (
	"context"
	"time"

	"github.com/weft-project/weft/stream"
)

// share is what one subtask makes: events K, K+P, K+2P, …
type share struct{ K, P int64 }

// generated is a source of n events, rate a second over all subtasks or, with 0, as fast as it goes. open makes the function
// that fills an event in place, for each subtask: it may have memory of its own, and finds what it has put there before.
func generated[T any](n, rate int64, open func() func(i int64, v *T)) stream.SplitSource[T, share] {
	return stream.SplitSource[T, share]{
		Plan: func(_ context.Context, subtasks int) ([]share, error) {
			shares := make([]share, subtasks)
			for k := range shares {
				shares[k] = share{int64(k), int64(subtasks)}
			}
			return shares, nil
		},
		Open: func(_ context.Context, s share, wake func()) (stream.SplitReader[T], error) {
			return &generator[T]{fill: open(), at: s.K, step: s.P, n: n, rate: rate, wake: wake, began: time.Now()}, nil
		},
	}
}

type generator[T any] struct {
	fill        func(i int64, v *T)
	slot        T
	at, step, n int64
	rate        int64
	began       time.Time
	wake        func()
}

const (
	// atOnce is how many events a task gets before it looks around.
	atOnce = 1024
	// tick is how long a source with a rate rests at least when it has made all events that are due.
	tick = time.Millisecond
)

// Read is stream.SplitReader's.
func (g *generator[T]) Read(emit func(v *T)) (stream.SourceStatus, error) {
	until, paced := min(g.n, g.at+atOnce*g.step), false
	if g.rate > 0 {
		due := g.due()
		until, paced = min(until, due), due < g.n
	}
	for ; g.at < until; g.at += g.step {
		g.fill(g.at, &g.slot)
		emit(&g.slot)
	}
	switch {
	case g.at >= g.n:
		return stream.SourceEnd, nil
	case paced && g.at >= g.due():
		next := time.Duration(float64(g.at+1) / float64(g.rate) * float64(time.Second))
		time.AfterFunc(max(tick, time.Until(g.began.Add(next))), g.wake)
		return stream.SourceIdle, nil
	}
	return stream.SourceMore, nil
}

// due is the number of events, over all subtasks, whose time has come.
func (g *generator[T]) due() int64 {
	return int64(time.Since(g.began).Seconds() * float64(g.rate))
}

// Close is stream.SplitReader's.
func (g *generator[T]) Close() error { return nil }
