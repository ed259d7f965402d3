package await

import (
	"runtime"
	"testing"
	"time"
)

// Patience is how long a test waits for what must come: nothing that passes takes so long, on a machine ten times slower either.
const Patience = 2 * time.Minute

// pause between two looks.
const pause = 2 * time.Millisecond

// Until waits until a condition holds. A test for which it never does fails with what it has waited for and with the stacks of all
// goroutines, as something there hangs.
func Until(t testing.TB, what string, holds func() bool) {
	t.Helper()
	if !within(Patience, holds) {
		stacks := make([]byte, 1<<16)
		t.Fatalf("not within %s: %s\n%s", Patience, what, stacks[:runtime.Stack(stacks, true)])
	}
}

// within tells whether a condition comes to hold in time.
func within(patience time.Duration, holds func() bool) bool {
	deadline := time.After(patience)
	again := time.NewTicker(pause)
	defer again.Stop()
	for !holds() {
		select {
		case <-again.C:
		case <-deadline:
			return holds()
		}
	}
	return true
}
