package operator

import (
	"sync"
	"time"
)

// Clock is processing time, in milliseconds since the epoch.
type Clock interface {
	Now() int64
	// At calls f, in a goroutine of its own, when the time has come; stop takes it back.
	At(at int64, f func()) (stop func())
}

// WallClock is the machine's clock.
type WallClock struct{}

// Now is Clock's.
func (WallClock) Now() int64 { return time.Now().UnixMilli() }

// At is Clock's.
func (WallClock) At(at int64, f func()) func() {
	t := time.AfterFunc(time.Until(time.UnixMilli(at)), f)
	return func() { t.Stop() }
}

// TestClock is a clock that a test sets.
type TestClock struct {
	mu     sync.Mutex
	now    int64
	alarms []alarm
}

type alarm struct {
	at   int64
	f    func()
	gone bool
}

// Now is Clock's.
func (c *TestClock) Now() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// At is Clock's; f is called by Set.
func (c *TestClock) At(at int64, f func()) func() {
	c.mu.Lock()
	defer c.mu.Unlock()
	place := len(c.alarms)
	c.alarms = append(c.alarms, alarm{at: at, f: f})
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.alarms[place].gone = true
	}
}

// Set sets the time, forward or back, and calls what is due, in order of time.
func (c *TestClock) Set(now int64) {
	for {
		f := c.due(now)
		if f == nil {
			return
		}
		f()
	}
}

// due takes the earliest alarm that is due; without one it sets the time.
func (c *TestClock) due(now int64) func() {
	c.mu.Lock()
	defer c.mu.Unlock()
	first := -1
	for i, a := range c.alarms {
		if !a.gone && a.at <= now && (first < 0 || a.at < c.alarms[first].at) {
			first = i
		}
	}
	if first < 0 {
		c.now = now
		return nil
	}
	a := &c.alarms[first]
	c.now = max(c.now, a.at)
	a.gone = true
	return a.f
}

// Mailbox brings work of other goroutines to the one that owns a task.
type Mailbox struct {
	mu      sync.Mutex
	letters []func()
	ready   chan struct{}
}

// NewMailbox makes an empty one.
func NewMailbox() *Mailbox { return &Mailbox{ready: make(chan struct{}, 1)} }

// Post asks the owner to call f. Any goroutine may.
func (m *Mailbox) Post(f func()) {
	m.mu.Lock()
	m.letters = append(m.letters, f)
	m.mu.Unlock()
	select {
	case m.ready <- struct{}{}:
	default:
	}
}

// Ready is signalled when there is something to do.
func (m *Mailbox) Ready() <-chan struct{} { return m.ready }

// Run does, as the owner, what there is to do; between two batches it costs next to nothing where there is nothing.
func (m *Mailbox) Run() {
	if len(m.ready) == 0 {
		return
	}
	m.RunAll()
}

// RunAll is Run after a receive from Ready.
func (m *Mailbox) RunAll() {
	for {
		m.mu.Lock()
		letters := m.letters
		m.letters = nil
		m.mu.Unlock()
		if len(letters) == 0 {
			return
		}
		select {
		case <-m.ready:
		default:
		}
		for _, f := range letters {
			f()
		}
	}
}
