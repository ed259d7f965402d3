package execution

import (
	"fmt"
	"time"

	"github.com/weft-project/weft/rpc/planpb"
)

// Strategy decides about restarts.
type Strategy struct {
	// Attempts is how many restarts are allowed; negative for no bound.
	Attempts int
	// Initial and Most bound the pause before a restart; it doubles from one to the other.
	Initial, Most time.Duration
	// User: failures of the author's code restart too. Without it they end the job at once: they would only come again.
	User bool
	// Text describes the strategy for people.
	Text string
}

// DefaultStrategy is used where restart-strategy.type is not set: failures of the world outside restart the job.
func DefaultStrategy() Strategy {
	return Strategy{Attempts: 10, Initial: 100 * time.Millisecond, Most: time.Second,
		Text: "up to 10 restarts after the loss of machines, processes or connections; failures of the job's own code end it"}
}

// Decide says whether a job that has been restarted so often is restarted after this failure, after which pause, and if
// not, why not.
func (s Strategy) Decide(f *planpb.Failure, restarts int) (pause time.Duration, restart bool, why string) {
	switch {
	case s.Attempts == 0:
		return 0, false, "restarts are off"
	case f.GetDomain() == planpb.FailureDomain_USER && !s.User:
		return 0, false, "the job's own code failed"
	case s.Attempts > 0 && restarts >= s.Attempts:
		return 0, false, fmt.Sprintf("the job was restarted %d times, which is all that is allowed", restarts)
	}
	pause = s.Initial
	for i := 0; i < restarts && pause < s.Most; i++ {
		pause *= 2
	}
	return min(pause, max(s.Most, s.Initial)), true, ""
}
