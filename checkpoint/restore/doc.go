// Package restore is core: which subtask of a job reads what of a checkpoint or savepoint, at the same parallelism or another, with
// operators added, removed or moved to other vertices. Operators are found by their ids, which follow from UIDs; Make gives
// the plan, and what it says not to be there is refused with a sentence.
package restore
