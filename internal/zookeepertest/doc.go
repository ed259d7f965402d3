// Package zookeepertest is a driver: it runs a private, real ZooKeeper of one or several servers on loopback, from the published jars, for tests.
//
// Servers can be killed, stopped, paused and started again, by the process ids of those that this package started and no others. The
// kernel ends them with the test process, however that ends; their directories belong to the test.
//
// Java and the jars are those that internal/devcluster finds or fetches for Hadoop, which brings a ZooKeeper.
package zookeepertest
