package execution

import (
	"fmt"
	"math"
	"time"

	"github.com/weft-project/weft/rpc/planpb"
)

// Strategy says when a failed job starts again, and after which pause. The zero value never restarts.
type Strategy struct {
	// Attempts is how many restarts are allowed; negative for no bound.
	Attempts int
	// Interval counts restarts within so long a time only; 0 counts all.
	Interval time.Duration
	// Initial is the first pause. Each further one is Multiplier times as long, Most at most; a Multiplier of 1 or less
	// leaves it as it is.
	Initial, Most time.Duration
	Multiplier    float64
	// Jitter is the part of a pause that is added to it or taken off at random, from 0 to 1.
	Jitter float64
	// Reset is how long a job must have run without a failure for pauses and counting to begin anew; 0 is never.
	Reset time.Duration
	// User: failures of the author's code restart too. Without it they end the job at once: they would only come again.
	User bool
	// Text describes the strategy for people.
	Text string
}

// DefaultStrategy is used where restart-strategy.type is not set: failures of the world outside restart the job.
func DefaultStrategy() Strategy {
	return Strategy{Attempts: 10, Initial: 100 * time.Millisecond, Most: time.Second, Multiplier: 2,
		Text: "up to 10 restarts after the loss of machines, processes or connections; failures of the job's own code end it"}
}

// CheckpointedStrategy is used where restart-strategy.type is not set and the job has checkpoints, as in Flink: exponential delay with its
// defaults. Failures of the author's code restart too, since the job goes on from where it was.
func CheckpointedStrategy() Strategy {
	s, err := ExponentialDelay(Exponential{InitialBackoff: time.Second, MaxBackoff: time.Minute, BackoffMultiplier: 1.5, ResetBackoffThreshold: time.Hour,
		JitterFactor: 0.1, AttemptsBeforeResetBackoff: math.MaxInt32})
	if err != nil {
		// The defaults are ours and keep the rules.
		panic(err)
	}
	return s
}

// NoRestarts fails a job at its first failure.
func NoRestarts() Strategy { return Strategy{Text: "none"} }

// FixedDelay restarts a job so often, each time after the same pause.
func FixedDelay(attempts int, pause time.Duration) Strategy {
	return Strategy{Attempts: attempts, Initial: pause, User: true, Text: fmt.Sprintf("fixed delay of %s, at most %d restarts", pause, attempts)}
}

// FailureRate restarts a job until it fails more often than that within the interval.
func FailureRate(failures int, interval, pause time.Duration) (Strategy, error) {
	if failures < 1 || interval <= 0 {
		return Strategy{}, fmt.Errorf("failure rate of %d failures in %s: expected at least one failure and an interval", failures, interval)
	}
	return Strategy{Attempts: failures, Interval: interval, Initial: pause, User: true,
		Text: fmt.Sprintf("failure rate of at most %d in %s, delay of %s", failures, interval, pause)}, nil
}

// Exponential holds the settings of ExponentialDelay, under the names of their keys.
type Exponential struct {
	InitialBackoff, MaxBackoff time.Duration
	BackoffMultiplier          float64
	ResetBackoffThreshold      time.Duration
	JitterFactor               float64
	AttemptsBeforeResetBackoff int
}

// ExponentialDelay restarts a job after pauses that grow, until it has run long enough for them to begin anew.
func ExponentialDelay(e Exponential) (Strategy, error) {
	switch {
	case e.InitialBackoff < time.Millisecond:
		return Strategy{}, fmt.Errorf("initial backoff %s: expected 1 ms or more", e.InitialBackoff)
	case e.MaxBackoff < e.InitialBackoff:
		return Strategy{}, fmt.Errorf("initial backoff %s: expected no more than the maximum backoff, %s", e.InitialBackoff, e.MaxBackoff)
	case e.BackoffMultiplier <= 1:
		return Strategy{}, fmt.Errorf("backoff multiplier %g: expected more than 1", e.BackoffMultiplier)
	case e.ResetBackoffThreshold < time.Millisecond:
		return Strategy{}, fmt.Errorf("threshold %s for the reset of the backoff: expected 1 ms or more", e.ResetBackoffThreshold)
	case e.JitterFactor < 0 || e.JitterFactor > 1:
		return Strategy{}, fmt.Errorf("jitter factor %g: expected 0 to 1", e.JitterFactor)
	case e.AttemptsBeforeResetBackoff < 1:
		return Strategy{}, fmt.Errorf("%d attempts before the reset of the backoff: expected 1 or more", e.AttemptsBeforeResetBackoff)
	}
	s := Strategy{Attempts: e.AttemptsBeforeResetBackoff, Initial: e.InitialBackoff, Most: e.MaxBackoff, Multiplier: e.BackoffMultiplier,
		Jitter: e.JitterFactor, Reset: e.ResetBackoffThreshold, User: true,
		Text: fmt.Sprintf("exponential delay from %s to %s", e.InitialBackoff, e.MaxBackoff)}
	if s.Attempts == math.MaxInt32 {
		s.Attempts = -1
	} else {
		s.Text += fmt.Sprintf(", at most %d restarts until it is reset", s.Attempts)
	}
	return s, nil
}

// Restarts is a strategy at work for one job: it remembers the failures so far.
type Restarts struct {
	Strategy
	// random gives numbers from 0 to 1.
	random func() float64
	// count is how many restarts there were since the last reset; pause the one before jitter, resumed when it was over.
	count   int
	pause   time.Duration
	resumed time.Time
	// recent are the failures within the interval, where there is one.
	recent []time.Time
}

// NewRestarts begins a job's count. random gives numbers from 0 to 1 for the jitter.
func NewRestarts(s Strategy, random func() float64) *Restarts {
	return &Restarts{Strategy: s, random: random}
}

// Decide says whether a job is restarted after a failure at that time, after which pause, and if not, why not. A restart
// that it allows counts.
func (r *Restarts) Decide(f *planpb.Failure, now time.Time) (pause time.Duration, restart bool, why string) {
	switch {
	case r.Attempts == 0:
		return 0, false, "restarts are off"
	case f.GetDomain() == planpb.FailureDomain_USER && !r.User:
		return 0, false, "the job's own code failed"
	case r.Interval > 0 && r.tooOften(now):
		return 0, false, fmt.Sprintf("the job failed more than %d times in %s, which is all that is allowed", r.Attempts, r.Interval)
	}
	if r.Reset > 0 && r.count > 0 && now.Sub(r.resumed) >= r.Reset {
		r.count = 0
	}
	if r.Interval == 0 && r.Attempts > 0 && r.count >= r.Attempts {
		return 0, false, fmt.Sprintf("the job was restarted %d times, which is all that is allowed", r.count)
	}
	pause = r.next()
	r.resumed = now.Add(pause)
	return pause, true, ""
}

// tooOften notes a failure and tells whether it is one too many for the interval.
func (r *Restarts) tooOften(now time.Time) bool {
	keep := 0
	for keep < len(r.recent) && now.Sub(r.recent[keep]) > r.Interval {
		keep++
	}
	r.recent = append(r.recent[keep:], now)
	return len(r.recent) > r.Attempts
}

// next is the pause before the next restart, which is counted.
func (r *Restarts) next() time.Duration {
	if r.count++; r.count == 1 {
		r.pause = r.Initial
	} else if r.Multiplier > 1 && r.pause < r.Most {
		r.pause = time.Duration(min(float64(r.pause)*r.Multiplier, float64(r.Most)))
	}
	if r.Jitter == 0 {
		return r.pause
	}
	offset := (2*r.random() - 1) * r.Jitter * float64(r.pause)
	return min(r.pause+time.Duration(offset), r.Most)
}
