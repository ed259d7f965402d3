// Package align is core: when a task takes its snapshot, by the barriers that come at its inputs.
//
// The task asks for each barrier and each end of a channel what to do, and holds channels back that are blocked. Invariants:
//
//	A1  With ExactlyOnce a snapshot is taken when the barrier has come at every channel that has not ended, and no record from
//	    behind a barrier has been processed by then.
//	A2  Snapshots of one task are taken in the order of their refs, each once.
//	A3  A checkpoint that was given up blocks nothing, whenever its barriers come.
package align
