// Package journal is a driver: it keeps a JobManager's jobs in a high-availability store, each step written before anybody is told of it.
//
// The order of steps is what makes a job run to its end exactly once (HA5): the result is written first, then graph and
// checkpoints go; who finds a result removes what is left and runs nothing.
package journal
