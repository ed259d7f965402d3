package jobmanager

import (
	"context"
	"errors"
	"time"
)

// errStopped is returned to callers when the JobManager has ended.
var errStopped = errors.New("the JobManager has stopped")

// loop runs posted functions one after the other.
type loop struct {
	posts chan func()
	done  chan struct{}
}

// loopBacklog bounds what waits for the loop; posters wait beyond it.
const loopBacklog = 4096

func newLoop() *loop {
	return &loop{posts: make(chan func(), loopBacklog), done: make(chan struct{})}
}

// run serves until ctx ends.
func (l *loop) run(ctx context.Context) {
	defer close(l.done)
	for {
		select {
		case f := <-l.posts:
			f()
		case <-ctx.Done():
			return
		}
	}
}

// post hands f over; it is dropped when the loop has ended.
func (l *loop) post(f func()) {
	select {
	case l.posts <- f:
	case <-l.done:
	}
}

// after posts f later.
func (l *loop) after(d time.Duration, f func()) *time.Timer {
	return time.AfterFunc(d, func() { l.post(f) })
}

// ask runs f in the loop and waits for it.
func (l *loop) ask(ctx context.Context, f func()) error {
	ran := make(chan struct{})
	l.post(func() {
		defer close(ran)
		f()
	})
	select {
	case <-ran:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-l.done:
		return errStopped
	}
}
