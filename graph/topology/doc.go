// Package topology is core: which consumers a producer's subtask feeds, by the edge's partitioner. JobManager and local runs
// share it.
package topology
