package streamtest

import (
	"sync"
	"time"
)

// Clock is processing time under a test's control. It stands still until the test moves it. Any goroutine may.
type Clock struct {
	mu     sync.Mutex
	now    int64
	alarms []*alarm
	// after, where it is set, is called after each alarm: a Harness does what the alarm has posted.
	after func()
}

type alarm struct {
	at int64
	f  func()
}

// NewClock gives a clock that shows start.
func NewClock(start time.Time) *Clock { return &Clock{now: start.UnixMilli()} }

// Now is the time that the clock shows.
func (c *Clock) Now() time.Time { return time.UnixMilli(c.millis()) }

func (c *Clock) millis() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the clock on by d; timers in between fire one after the other, each at its time.
func (c *Clock) Advance(d time.Duration) { c.set(c.millis() + d.Milliseconds()) }

// Set moves the clock to t, forward or back. Timers that are due fire in order of time.
func (c *Clock) Set(t time.Time) { c.set(t.UnixMilli()) }

func (c *Clock) set(to int64) {
	for {
		f := c.due(to)
		if f == nil {
			break
		}
		f()
		if c.after != nil {
			c.after()
		}
	}
	if c.after != nil {
		c.after()
	}
}

// due takes the earliest alarm up to a time and moves the clock there; without one it moves the clock to that time.
func (c *Clock) due(to int64) func() {
	c.mu.Lock()
	defer c.mu.Unlock()
	first := -1
	for i, a := range c.alarms {
		if a.at <= to && (first < 0 || a.at < c.alarms[first].at) {
			first = i
		}
	}
	if first < 0 {
		c.now = to
		return nil
	}
	a := c.alarms[first]
	c.now = max(c.now, a.at)
	c.alarms = append(c.alarms[:first], c.alarms[first+1:]...)
	return a.f
}

// ticker is the Clock as operators see it.
type ticker struct{ c *Clock }

// Now is operator.Clock's.
func (t ticker) Now() int64 { return t.c.millis() }

// At is operator.Clock's; f is called when the test moves the clock.
func (t ticker) At(at int64, f func()) (stop func()) {
	a := &alarm{at, f}
	t.c.mu.Lock()
	defer t.c.mu.Unlock()
	t.c.alarms = append(t.c.alarms, a)
	return func() {
		t.c.mu.Lock()
		defer t.c.mu.Unlock()
		for i, b := range t.c.alarms {
			if a == b {
				t.c.alarms = append(t.c.alarms[:i], t.c.alarms[i+1:]...)
				return
			}
		}
	}
}
