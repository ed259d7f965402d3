// Package kafkatest is a driver: it runs a private, real Kafka broker (KRaft) on loopback, from the published jars, for tests.
//
// The broker listens without protection, and with TLS and SASL (PLAIN, SCRAM). It can be paused by the process id of the one that this
// package started and no other. The kernel ends it with the test process, however that ends; its directory belongs to the test.
//
// Java and Maven are those that internal/devcluster finds; the jars lie in its cache.
package kafkatest
