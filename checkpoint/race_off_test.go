//go:build !race

package checkpoint_test

// seeds is how many runs there are; a failure prints its seed.
const seeds = 2000
