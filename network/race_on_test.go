//go:build race

package network

// raceEnabled: the race detector allocates.
const raceEnabled = true
