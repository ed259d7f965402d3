// Package restpb is vocabulary: the messages of the REST paths that Flink does not have (submitting and watching a job).
package restpb
