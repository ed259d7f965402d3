// Package execution is core: what becomes of a JobGraph while it runs. It holds the states of the job and of every task
// attempt, places subtasks in slots, makes deployment descriptors, and decides about restarts. Time is passed in; nothing
// here waits, sends or logs.
//
// States and their legal changes are one table each (states.go); a change that is not in the table is refused and is a bug
// or a late message, never applied.
package execution
