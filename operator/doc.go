// Package operator is a driver: the contract of a running operator and the built-in ones, with the typed plumbing between
// them. The worker runtime (taskexec/worker) links a chain once per subtask; from then on a record travels by direct calls
// of typed functions.
//
// Reading order: emit.go (how a record is handed on), context.go (what an operator knows), operator.go (the contract),
// program.go (what a job binary hands to its launcher), exchange.go (records to and from other tasks), coordinator.go
// (author's code that runs once per job), watermarks.go (event time), clock.go (processing time, and work from elsewhere),
// timing.go (keyed state and timers), then the built-in operators; package window has those of windows.
//
// Invariants of the record path:
//
//   - Emit passes a pointer into a slot that the caller owns. It is valid for the call; whoever keeps the value copies
//     it, with codec.Keeper where it is kept beyond the batch.
//   - Nothing here is locked, boxed, reflected upon, logged, timed or sent on a channel for each record.
//   - Context.Time is the timestamp of the record under way. Who sets it, a timer for example, restores it.
//   - One goroutine, the task's, calls an operator. Context.Op names the operator whose code runs, so that a panic can be
//     pinned on it.
package operator
