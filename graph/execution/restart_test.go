package execution

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/weft-project/weft/rpc/planpb"
)

// failureAt is a failure so long after the job's start and what becomes of it.
type failureAt struct {
	at    time.Duration
	user  bool
	pause time.Duration
	why   string // "" for a restart
}

func must(s Strategy, err error) Strategy {
	if err != nil {
		panic(err)
	}
	return s
}

// exponential is Flink's defaults without jitter.
func exponential(change func(e *Exponential)) Strategy {
	e := Exponential{InitialBackoff: time.Second, MaxBackoff: time.Minute, BackoffMultiplier: 1.5, ResetBackoffThreshold: time.Hour,
		AttemptsBeforeResetBackoff: math.MaxInt32}
	if change != nil {
		change(&e)
	}
	return must(ExponentialDelay(e))
}

func TestRestartDecisions(t *testing.T) {
	const ms, s, h = time.Millisecond, time.Second, time.Hour
	used := func(n string) string { return "the job was restarted " + n + " times, which is all that is allowed" }
	rate := must(FailureRate(2, time.Minute, 3*s))
	const tooOften = "the job failed more than 2 times in 1m0s, which is all that is allowed"
	tests := []struct {
		name     string
		strategy Strategy
		failures []failureAt
	}{
		{"default", DefaultStrategy(), []failureAt{{0, false, 100 * ms, ""}, {1 * s, false, 200 * ms, ""}, {2 * s, false, 400 * ms, ""},
			{3 * s, false, 800 * ms, ""}, {4 * s, false, s, ""}, {5 * s, false, s, ""}, {100 * h, false, s, ""}, {101 * h, false, s, ""},
			{102 * h, false, s, ""}, {103 * h, false, s, ""}, {104 * h, false, 0, used("10")}}},
		{"default, author's", DefaultStrategy(), []failureAt{{0, true, 0, "the job's own code failed"}}},
		{"none", NoRestarts(), []failureAt{{0, false, 0, "restarts are off"}, {s, true, 0, "restarts are off"}}},
		{"fixed delay", FixedDelay(2, 3*s), []failureAt{{0, true, 3 * s, ""}, {100 * h, false, 3 * s, ""}, {200 * h, true, 0, used("2")}}},
		{"fixed delay, never", FixedDelay(0, 3*s), []failureAt{{0, true, 0, "restarts are off"}}},
		{"fixed delay, at once", FixedDelay(1, 0), []failureAt{{0, true, 0, ""}}},
		{"failure rate", rate, []failureAt{{0, true, 3 * s, ""}, {30 * s, false, 3 * s, ""}, {60*s + 1, true, 3 * s, ""}, {90 * s, true, 0, tooOften}}},
		{"failure rate, just within", rate, []failureAt{{0, true, 3 * s, ""}, {30 * s, true, 3 * s, ""}, {60 * s, true, 0, tooOften}}},
		{"failure rate, long life", rate, []failureAt{{0, true, 3 * s, ""}, {h, true, 3 * s, ""}, {2 * h, true, 3 * s, ""}, {3 * h, true, 3 * s, ""}}},
		{"exponential", exponential(nil), []failureAt{{0, true, s, ""}, {2 * s, true, 1500 * ms, ""}, {4 * s, false, 2250 * ms, ""}}},
		{"exponential, longest", exponential(func(e *Exponential) { e.MaxBackoff, e.BackoffMultiplier = 10*s, 4 }),
			[]failureAt{{0, true, s, ""}, {1, true, 4 * s, ""}, {2, true, 10 * s, ""}, {3, true, 10 * s, ""}}},
		// The pause does not count as running: 2nd failure 1 s of pause + 1 h - 1 ns after the 1st, 3rd 1.5 s + 1 h after the 2nd.
		{"exponential, reset", exponential(nil), []failureAt{{0, true, s, ""}, {h + s - 1, true, 1500 * ms, ""}, {2*h + 2500*ms - 1, true, s, ""}}},
		{"exponential, attempts", exponential(func(e *Exponential) { e.AttemptsBeforeResetBackoff = 2 }), []failureAt{{0, true, s, ""},
			{s, true, 1500 * ms, ""}, {h + 2500*ms, true, s, ""}, {h + 3*s, true, 1500 * ms, ""}, {h + 4*s, true, 0, used("2")}}},
	}
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, tt := range tests {
		r := NewRestarts(tt.strategy, func() float64 { t.Errorf("%s: chance without jitter", tt.name); return 0 })
		for i, f := range tt.failures {
			domain := planpb.FailureDomain_EXTERNAL
			if f.user {
				domain = planpb.FailureDomain_USER
			}
			pause, restart, why := r.Decide(&planpb.Failure{Domain: domain}, start.Add(f.at))
			if pause != f.pause || why != f.why || restart != (f.why == "") {
				t.Errorf("%s, failure %d: pause %s, restart %t, %q; expected %s, %q", tt.name, i+1, pause, restart, why, f.pause, f.why)
			}
		}
		if tt.strategy.Text == "" {
			t.Errorf("%s: no text for people", tt.name)
		}
	}
}

// Jitter is added or taken off, never beyond the longest pause; it does not add up.
// With checkpoints the author's failures restart too, without end, after 1 s, 1.5 s and so on.
func TestCheckpointedStrategy(t *testing.T) {
	r := NewRestarts(CheckpointedStrategy(), func() float64 { return 0.5 })
	now := time.Unix(0, 0)
	for _, want := range []time.Duration{time.Second, 1500 * time.Millisecond, 2250 * time.Millisecond} {
		pause, restart, why := r.Decide(&planpb.Failure{Domain: planpb.FailureDomain_USER}, now)
		if !restart || pause != want {
			t.Errorf("pause %s, expected %s (%s)", pause, want, why)
		}
		now = now.Add(pause)
	}
	for range 100 {
		if pause, restart, _ := r.Decide(&planpb.Failure{}, now); !restart || pause > time.Minute {
			t.Fatal(pause, restart)
		}
	}
}

func TestRestartJitter(t *testing.T) {
	strategy := exponential(func(e *Exponential) { e.JitterFactor, e.BackoffMultiplier, e.MaxBackoff = 0.25, 2, 4*time.Second })
	chances := []float64{0, 1, 0.5, 1}
	want := []time.Duration{750 * time.Millisecond, 2500 * time.Millisecond, 4 * time.Second, 4 * time.Second}
	r := NewRestarts(strategy, func() float64 {
		c := chances[0]
		chances = chances[1:]
		return c
	})
	for i, w := range want {
		if pause, _, _ := r.Decide(&planpb.Failure{}, time.Unix(int64(i), 0)); pause != w {
			t.Errorf("pause %d: %s, expected %s", i+1, pause, w)
		}
	}
}

func TestBadStrategies(t *testing.T) {
	for want, change := range map[string]func(e *Exponential){
		"initial backoff 0s: expected 1 ms or more":                             func(e *Exponential) { e.InitialBackoff = 0 },
		"initial backoff 2m0s: expected no more than the maximum backoff, 1m0s": func(e *Exponential) { e.InitialBackoff = 2 * time.Minute },
		"backoff multiplier 1: expected more than 1":                            func(e *Exponential) { e.BackoffMultiplier = 1 },
		"threshold 0s for the reset of the backoff: expected 1 ms or more":      func(e *Exponential) { e.ResetBackoffThreshold = 0 },
		"jitter factor 1.5: expected 0 to 1":                                    func(e *Exponential) { e.JitterFactor = 1.5 },
		"0 attempts before the reset of the backoff: expected 1 or more":        func(e *Exponential) { e.AttemptsBeforeResetBackoff = 0 },
	} {
		e := Exponential{InitialBackoff: time.Second, MaxBackoff: time.Minute, BackoffMultiplier: 1.5, ResetBackoffThreshold: time.Hour, AttemptsBeforeResetBackoff: 5}
		if s, err := ExponentialDelay(e); err != nil || !strings.Contains(s.Text, "at most 5 restarts") {
			t.Fatalf("%+v, %v", s, err)
		}
		change(&e)
		if _, err := ExponentialDelay(e); err == nil || err.Error() != want {
			t.Errorf("error %v, expected %q", err, want)
		}
	}
	for _, f := range []func() (Strategy, error){
		func() (Strategy, error) { return FailureRate(0, time.Minute, 0) },
		func() (Strategy, error) { return FailureRate(1, 0, 0) },
	} {
		if _, err := f(); err == nil {
			t.Error("a failure rate of nothing is no error")
		}
	}
}
