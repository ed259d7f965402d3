//go:build race

package worker_test

// raceEnabled: the race detector allocates.
const raceEnabled = true
