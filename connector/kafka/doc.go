// Package kafka is a driver: topics of Apache Kafka as a source and a sink.
//
// Reading: the coordinator task looks for partitions and says from where to where each is read (source.go, offsets.go); each
// partition is a split whose state is the next offset. The partitions of a subtask share a client (fetch.go); decode.go makes records.
// Offsets are committed to the consumer group for people to see: the job itself goes on from its checkpoints.
//
// Writing: sink.go sends records and waits for all of them at each checkpoint; with exactly-once they are sent in transactions that are
// prepared with a checkpoint and committed when it is complete (transaction.go).
//
// Names and defaults of properties are Kafka's and Flink's (properties.go, security.go).
package kafka
