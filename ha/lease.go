package ha

import (
	"fmt"
	"time"
)

// Lease is how long a leader may act on an answer of its arbiter (F3). The arbiter waits for the whole lease after the last question
// it has heard before it lets another lead; the leader stops after two thirds, counted from when it asked, so that its question's way and
// a difference between the clocks' speeds of up to a third do no harm. It is not safe for concurrent use.
type Lease struct {
	length time.Duration
	sent   time.Time
}

// NewLease begins a lease with a question sent at that time and answered.
func NewLease(length time.Duration, sent time.Time) *Lease {
	return &Lease{length: length, sent: sent}
}

// Answered notes that a question sent at that time was answered. Answers may come out of order.
func (l *Lease) Answered(sent time.Time) {
	if sent.After(l.sent) {
		l.sent = sent
	}
}

// Trust is how long an answer holds.
func (l *Lease) Trust() time.Duration { return l.length / 3 * 2 }

// Check tells whether the lease surely holds.
func (l *Lease) Check(now time.Time) error {
	if e := elapsed(l.sent, now); e >= l.Trust() {
		return fmt.Errorf("no answer for %s of a lease of %s: %w", e.Round(time.Millisecond), l.length, ErrLease)
	}
	return nil
}

// elapsed is the time between two readings of the clock, by the faster of the monotonic and the wall clock: the first stands
// still while the machine is suspended, and the second may be set back.
func elapsed(from, to time.Time) time.Duration {
	return max(to.Sub(from), to.Round(0).Sub(from.Round(0)))
}

// Beat is the time between two questions of a leader: several fit into what an answer is trusted for. draw is a number from 0 up to 1,
// which keeps many leaders from asking at once.
func Beat(lease time.Duration, draw float64) time.Duration {
	return spread(lease/8, draw)
}

// spread varies a time by up to a quarter in both directions.
func spread(d time.Duration, draw float64) time.Duration {
	return d*3/4 + time.Duration(float64(d)/2*draw)
}

// Backoff is the time to wait before a question that nobody's connection answers by itself is asked again: from least, twice as long each time
// up to most, varied by draw (0 up to 1) so that those who lost the same leader do not ask together.
func Backoff(least, most time.Duration, times int, draw float64) time.Duration {
	d := least
	for range times {
		if d *= 2; d >= most {
			d = most
			break
		}
	}
	return spread(min(d, most), draw)
}
