// Package zookeeper is a driver: the high-availability store of package ha on ZooKeeper.
//
// Reading order: [Options] and [Open] (store.go); session.go wraps one ZooKeeper session, dialer.go its connections;
// election.go is the latch, which Curator's LeaderLatch understands; term.go the leader's writes; values.go large values
// in storageDir; admin.go what dead clusters have left. docs/formats/ha.md lists the nodes.
//
// What the client library does not do is done here: a session that has expired is never used again (the library would open
// another one under the same handle), calls end with their context, a server that hangs is given up in time, names of servers are
// looked up again at each connection, and TLS works.
//
// Every write is one transaction with two checks: the leader's place in the latch exists, so its session lives, and the epoch's node
// has the version that the leader gave it. The heartbeat is a transaction of the checks alone, so that an answer has passed
// the quorum; a read would also be answered by a server that is cut off.
package zookeeper
