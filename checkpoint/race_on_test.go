//go:build race

package checkpoint_test

// The race detector looks at the tests of drivers; the cores have no goroutine, and a few seeds are enough with it.
const seeds = 200
