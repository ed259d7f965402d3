package config

import "strings"

const sectionHA = "High availability"

// Values of HAType.
const (
	HANone      = "NONE"
	HAZooKeeper = "zookeeper"
	HAHDFS      = "hdfs"
)

// Where leadership and the durable pointers are kept.
var (
	HAType = declare("Enum", parseHAType, sectionHA, "high-availability.type", HANone,
		"Which store keeps the leader and what a new one needs to go on: zookeeper, or hdfs, the file system of high-availability.storageDir. NONE, and what only Flink has (kubernetes, classes), is none. "+
			"In this release only weft ha reads it; JobManagers do not use a store yet. One of NONE, zookeeper, hdfs.",
		alias("high-availability", "recovery.mode"))
	HAStorageDir = text(sectionHA, "high-availability.storageDir", "",
		"Folder for high availability: with hdfs of everything, with zookeeper of values too large for a node. Without it .weft/ha in the user's home directory with hdfs; with zookeeper all values are nodes, of 768 KiB at most.",
		alias("high-availability.zookeeper.storageDir", "recovery.zookeeper.storageDir"))
	HALease = duration(sectionHA, "high-availability.hdfs.lease", "1 min",
		"With hdfs: how long a leader may show no sign of life before another leads. Where YARN starts the attempts, YARN's word counts instead.")
	ZooKeeperQuorum = text(sectionHA, "high-availability.zookeeper.quorum", "",
		"The servers, host:port,host:port,..., perhaps with a path at the end below which everything is.", alias("recovery.zookeeper.quorum"))
	ZooKeeperRoot = text(sectionHA, "high-availability.zookeeper.path.root", "/weft",
		"The node below which the clusters are, each under its high-availability.cluster-id (Flink: /flink).", alias("recovery.zookeeper.path.root"))
	ZooKeeperSessionTimeout = duration(sectionHA, "high-availability.zookeeper.client.session-timeout", "1 min",
		"How long the servers wait for a sign of life of a leader before another leads; they may grant more or less. A leader that they have not answered for two thirds of it stops publishing.",
		alias("recovery.zookeeper.client.session-timeout"))
	ZooKeeperConnectionTimeout = duration(sectionHA, "high-availability.zookeeper.client.connection-timeout", "15 s",
		"How long one connection and one try of a call may take.", alias("recovery.zookeeper.client.connection-timeout"))
	ZooKeeperRetryWait = duration(sectionHA, "high-availability.zookeeper.client.retry-wait", "5 s",
		"The time between two tries of a call that found no server.", alias("recovery.zookeeper.client.retry-wait"))
	ZooKeeperRetries = integer(sectionHA, "high-availability.zookeeper.client.max-retry-attempts", 1, "3",
		"How often such a call is tried again. Leadership itself is tried for as long as the session lives.",
		alias("recovery.zookeeper.client.max-retry-attempts"))
	ZooKeeperACL = enum(sectionHA, "high-availability.zookeeper.client.acl", "open",
		"Who may read and change the nodes: everybody, or creator: those who show the same high-availability.zookeeper.client.authorization.",
		[]string{"open", "creator"})
	ZooKeeperAuthorization = text(sectionHA, "high-availability.zookeeper.client.authorization", "",
		"How the client shows who it is: scheme:secret, such as digest:user:password; several with commas. The value is secret.")
	ZooKeeperTLS = boolean(sectionHA, "high-availability.zookeeper.client.ssl.enabled", "false",
		"Whether connections to the servers use TLS; the quorum names the servers' secure ports then.")
	ZooKeeperTLSCA = text(sectionHA, "high-availability.zookeeper.client.ssl.ca-file", "",
		"File with the certificates, in PEM, that vouch for the servers; the system's without it.")
	ZooKeeperTLSCertificate = text(sectionHA, "high-availability.zookeeper.client.ssl.certificate-file", "",
		"File with the client's certificate, in PEM, where servers ask for one.")
	ZooKeeperTLSKey = text(sectionHA, "high-availability.zookeeper.client.ssl.key-file", "",
		"File with the key of that certificate, in PEM.")
)

// parseHAType reads a store's word. Stores that only Flink has are none, so that its configuration files are read as they are.
func parseHAType(text string) (string, error) {
	word := strings.TrimSpace(text)
	if strings.EqualFold(word, "kubernetes") || strings.EqualFold(word, "standalone") || strings.Contains(word, ".") {
		return HANone, nil
	}
	return parseEnum(HANone, HAZooKeeper, HAHDFS)(word)
}
