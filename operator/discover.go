package operator

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"

	"github.com/weft-project/weft/internal/stacks"
)

// discoverAgain is after how many milliseconds a reader asks again that finds no split while more are looked for.
const discoverAgain = 100

// Enumeration is what a Discover function works with.
type Enumeration[S any] struct {
	// Subtasks is how many there are to read.
	Subtasks int
	// State is what the last call of Found before a checkpoint gave; nil where the job begins.
	State []byte
	found func(state []byte, splits []S)
}

// Found adds splits, and state by which Discover can go on behind them after a restart.
func (e *Enumeration[S]) Found(state []byte, splits ...S) { e.found(state, splits) }

// discovery looks for splits in a goroutine of its own.
type discovery[S any] struct {
	stop context.CancelFunc
	end  sync.WaitGroup
	// Guarded by the dealer's lock.
	running bool
	failed  bool // the coordinator task ends
}

// begin starts Discover.
func (d *discovery[S]) begin(ctx context.Context, dealer *splitDealer[S], discover func(context.Context, *Enumeration[S]) error) {
	ctx, d.stop = context.WithCancel(ctx)
	d.running = true
	e := &Enumeration[S]{Subtasks: dealer.c.Subtasks, State: dealer.left.Found, found: func(state []byte, splits []S) {
		dealer.mu.Lock()
		defer dealer.mu.Unlock()
		dealer.left.Splits, dealer.left.Found = append(dealer.left.Splits, splits...), state
	}}
	d.end.Go(func() {
		err := guarded(func() error { return ReturnedBy(discover, discover(ctx, e)) })
		dealer.mu.Lock()
		defer dealer.mu.Unlock()
		d.running = false
		if err != nil && ctx.Err() == nil {
			d.failed = true
			dealer.c.Fail(err)
		}
	})
}

// panicked is a panic of the author's code in a goroutine that is no task's.
type panicked struct{ text, stack string }

// Error is the panic's value.
func (p *panicked) Error() string { return "panic: " + p.text }

// guarded makes an error of a panic of the author's code, which runs in no task's goroutine.
func guarded(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &panicked{fmt.Sprint(r), stacks.Author(string(debug.Stack()))}
		}
	}()
	return f()
}

// close ends Discover and waits for it.
func (d *discovery[S]) close() {
	if d.stop != nil {
		d.stop()
		d.end.Wait()
	}
}

type contextKey struct{}

// WithContext lets what is called with ctx find c.
func WithContext(ctx context.Context, c *Context) context.Context {
	return context.WithValue(ctx, contextKey{}, c)
}

// ContextOf gives the Context of the subtask, or of the coordinator task, in whose name a function of a source is called; nil elsewhere.
func ContextOf(ctx context.Context) *Context {
	c, _ := ctx.Value(contextKey{}).(*Context)
	return c
}
