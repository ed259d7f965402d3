// Package devcluster is a driver: it runs a private, real Hadoop (NameNode, DataNodes, ResourceManager, NodeManagers) on
// one machine, from Hadoop's published jars, for tests, benchmarks and demos.
//
// Reading order: [Options] and [Start] (cluster.go), [Shared] and [Private] for tests (testing.go), [Cluster]'s methods
// for daemons (daemon.go), containers (containers.go) and HDFS (webhdfs.go); then what they rest on: install.go and
// jars.go (a JDK, Maven, the jars), ports.go (a block of ports of one's own), conf.go (the Hadoop configuration),
// kerberos.go and kerberosconf.go (a KDC and what a secured cluster adds; [Options].Kerberos, [Cluster.Login]), ahead.go (a KDC
// with another clock).
//
// Invariants:
//
//   - D1. A process belongs to a cluster exactly when its command line carries the cluster's mark (daemons), or when its
//     working directory, executable or environment lies below the cluster's directory (containers). Nothing else is ever
//     signalled; there are no pid files that could be stale.
//   - D2. A cluster started by a test never outlives the test process, however that ends: a watchdog process holds the
//     read end of a pipe and, at end of file, kills what D1 names and removes the directory. A test that failed keeps the
//     logs.
//   - D3. Two clusters never share a port: a cluster owns the block of ports whose first port it listens on, and all its
//     daemons inherit that listening socket.
//   - D4. All state is below one directory; the jars are in a cache that any number of processes may fill at once.
//
// Everything listens on loopback. Values that differ from Hadoop's own are in conf.go, each with its reason; Profile
// "vmem" keeps Hadoop's own container checks.
package devcluster
