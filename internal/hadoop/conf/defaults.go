package hadoopconf

// defaults are the values that core-default.xml, hdfs-default.xml and yarn-default.xml of Hadoop 3.4.2 give to the keys
// that Weft uses.
var defaults = map[string]string{
	"fs.defaultFS":                               "file:///",
	"hadoop.tmp.dir":                             "/tmp/hadoop-${user.name}",
	"hadoop.security.authentication":             "simple",
	"hadoop.security.authorization":              "false",
	"hadoop.rpc.protection":                      "authentication",
	"hadoop.security.auth_to_local.mechanism":    "hadoop",
	"hadoop.security.token.service.use_ip":       "true",
	"ipc.client.fallback-to-simple-auth-allowed": "false",
	"ipc.client.connect.timeout":                 "20000",
	"ipc.client.connection.maxidletime":          "10000",
	"ipc.client.ping":                            "true",
	"ipc.ping.interval":                          "60000",
	"ipc.client.rpc-timeout.ms":                  "120000",
	"ipc.maximum.response.length":                "134217728",

	"dfs.blocksize":                    "134217728",
	"dfs.replication":                  "3",
	"dfs.client.use.datanode.hostname": "false",
	"dfs.encrypt.data.transfer":        "false",

	"yarn.resourcemanager.hostname":                            "0.0.0.0",
	"yarn.resourcemanager.address":                             "${yarn.resourcemanager.hostname}:8032",
	"yarn.resourcemanager.scheduler.address":                   "${yarn.resourcemanager.hostname}:8030",
	"yarn.resourcemanager.resource-tracker.address":            "${yarn.resourcemanager.hostname}:8031",
	"yarn.resourcemanager.admin.address":                       "${yarn.resourcemanager.hostname}:8033",
	"yarn.resourcemanager.webapp.address":                      "${yarn.resourcemanager.hostname}:8088",
	"yarn.resourcemanager.webapp.https.address":                "${yarn.resourcemanager.hostname}:8090",
	"yarn.resourcemanager.ha.enabled":                          "false",
	"yarn.resourcemanager.connect.max-wait.ms":                 "900000",
	"yarn.resourcemanager.connect.retry-interval.ms":           "30000",
	"yarn.client.nodemanager-connect.max-wait-ms":              "180000",
	"yarn.client.nodemanager-connect.retry-interval-ms":        "10000",
	"yarn.client.application-client-protocol.poll-interval-ms": "200",
	"yarn.am.liveness-monitor.expiry-interval-ms":              "900000",
	"yarn.http.policy":                                         "HTTP_ONLY",
	"yarn.scheduler.minimum-allocation-mb":                     "1024",
	"yarn.scheduler.maximum-allocation-mb":                     "8192",
	"yarn.scheduler.minimum-allocation-vcores":                 "1",
	"yarn.scheduler.maximum-allocation-vcores":                 "4",
	"yarn.nodemanager.resource.memory.enforced":                "true",
	"yarn.nodemanager.pmem-check-enabled":                      "true",
	"yarn.nodemanager.vmem-check-enabled":                      "true",
	"yarn.nodemanager.vmem-pmem-ratio":                         "2.1",
	"yarn.log-aggregation-enable":                              "false",
	"yarn.nodemanager.remote-app-log-dir":                      "/tmp/logs",
	"yarn.nodemanager.remote-app-log-dir-suffix":               "logs",
}

// renamed are the old names of keys that Hadoop still accepts, of those that Weft uses.
var renamed = map[string]string{
	"fs.default.name":                     "fs.defaultFS",
	"dfs.federation.nameservices":         "dfs.nameservices",
	"dfs.block.size":                      "dfs.blocksize",
	"yarn.resourcemanager.am.max-retries": "yarn.resourcemanager.am.max-attempts",
}

// canonical gives today's name of a key.
func canonical(key string) string {
	if k, ok := renamed[key]; ok {
		return k
	}
	return key
}
