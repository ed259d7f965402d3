package devcluster

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const (
	coreSite          = "core-site.xml"
	hdfsSite          = "hdfs-site.xml"
	yarnSite          = "yarn-site.xml"
	capacityScheduler = "capacity-scheduler.xml"
)

// log4j sends everything to standard output, which is a file below logs/.
const log4j = `log4j.rootLogger=INFO,out
log4j.appender.out=org.apache.log4j.ConsoleAppender
log4j.appender.out.layout=org.apache.log4j.PatternLayout
log4j.appender.out.layout.ConversionPattern=%d{ISO8601} %p %c{2}: %m%n
`

type props map[string]string

// writeConf writes the Hadoop configuration that daemons and clients share; what differs between two daemons of a kind
// is given on their command lines.
func writeConf(dir string, base int, o Options) error {
	files := map[string]props{
		coreSite:          coreConf(dir, base),
		hdfsSite:          hdfsConf(base, o),
		yarnSite:          yarnConf(dir, base, o),
		capacityScheduler: schedulerConf(o),
	}
	if o.Kerberos != nil {
		secure(dir, base, o.Kerberos, files)
	}
	for file, over := range o.Conf {
		maps.Copy(files[file], over)
	}
	conf := filepath.Join(dir, "conf")
	if err := os.MkdirAll(conf, 0o755); err != nil {
		return err
	}
	for file, p := range files {
		if err := os.WriteFile(filepath.Join(conf, file), p.xml(), 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(conf, "log4j.properties"), []byte(log4j), 0o644)
}

func (p props) xml() []byte {
	var b bytes.Buffer
	b.WriteString("<?xml version=\"1.0\"?>\n<configuration>\n")
	for _, k := range slices.Sorted(maps.Keys(p)) {
		b.WriteString("  <property><name>")
		xml.EscapeText(&b, []byte(k))
		b.WriteString("</name><value>")
		xml.EscapeText(&b, []byte(p[k]))
		b.WriteString("</value></property>\n")
	}
	b.WriteString("</configuration>\n")
	return b.Bytes()
}

func coreConf(dir string, base int) props {
	return props{
		"fs.defaultFS":   "hdfs://" + localhost(base+portNNRPC),
		"hadoop.tmp.dir": filepath.Join(dir, "tmp"),
		// Users of a test are no users of the operating system: no group look-up by running id.
		"hadoop.security.group.mapping": "org.apache.hadoop.security.NullGroupsMapping",
		// Without these the daemons ask for a reverse name look-up of every host.
		"hadoop.security.token.service.use_ip": "true",
		"ipc.client.connect.max.retries":       "30",
	}
}

func hdfsConf(base int, o Options) props {
	return props{
		"dfs.namenode.rpc-address":  localhost(base + portNNRPC),
		"dfs.namenode.http-address": localhost(base + portNNHTTP),
		"dfs.replication":           strconv.Itoa(min(o.DataNodes, 3)),
		// Small test files may have several blocks.
		"dfs.namenode.fs-limits.min-block-size": "1024",
		// A test cluster need not survive a power failure: no fsync, no waiting for late DataNodes.
		"dfs.namenode.edits.noeditlogchannelflush":             "true",
		"dfs.namenode.safemode.extension":                      "0",
		"dfs.namenode.datanode.registration.ip-hostname-check": "false",
		"dfs.datanode.handler.count":                           "8",
		"dfs.heartbeat.interval":                               "1",
		// Keep writing when the machine's disk is nearly full.
		"dfs.datanode.du.reserved": "0",
	}
}

func yarnConf(dir string, base int, o Options) props {
	state := func(name string) string { return "file://" + filepath.Join(dir, name) }
	p := props{
		"yarn.resourcemanager.hostname":                 "localhost",
		"yarn.resourcemanager.address":                  localhost(base + portRMClient),
		"yarn.resourcemanager.scheduler.address":        localhost(base + portRMScheduler),
		"yarn.resourcemanager.resource-tracker.address": localhost(base + portRMTracker),
		"yarn.resourcemanager.admin.address":            localhost(base + portRMAdmin),
		"yarn.resourcemanager.webapp.address":           localhost(base + portRMWeb),
		"yarn.resourcemanager.bind-host":                "127.0.0.1",
		"yarn.nodemanager.bind-host":                    "127.0.0.1",
		"yarn.nodemanager.hostname":                     "localhost",

		// Applications survive a restart of the ResourceManager; its state is on the local disk, so that it starts beside
		// the NameNode, not after it.
		"yarn.resourcemanager.recovery.enabled":          "true",
		"yarn.resourcemanager.store.class":               "org.apache.hadoop.yarn.server.resourcemanager.recovery.FileSystemRMStateStore",
		"yarn.resourcemanager.fs.state-store.uri":        state("rmstore"),
		"yarn.resourcemanager.am.max-attempts":           "4",
		"yarn.resourcemanager.scheduler.class":           "org.apache.hadoop.yarn.server.resourcemanager.scheduler.capacity.CapacityScheduler",
		"yarn.resourcemanager.connect.max-wait.ms":       "60000", // 15 minutes otherwise
		"yarn.resourcemanager.connect.retry-interval.ms": "1000",
		// Their defaults lie in /tmp and are shared by all ResourceManagers of a machine.
		"yarn.node-attribute.fs-store.root-dir": state("node-attributes"),
		"yarn.node-labels.fs-store.root-dir":    state("node-labels"),

		// Several NodeManagers on one host.
		"yarn.scheduler.include-port-in-node-name": "true",

		"yarn.nodemanager.resource.memory-mb":      strconv.Itoa(o.NodeMemoryMB),
		"yarn.nodemanager.resource.cpu-vcores":     strconv.Itoa(o.NodeVCores),
		"yarn.scheduler.maximum-allocation-mb":     strconv.Itoa(o.NodeMemoryMB),
		"yarn.scheduler.maximum-allocation-vcores": strconv.Itoa(o.NodeVCores),

		// true, the default, leaves the killing to cgroups, which are not there: no limit would be kept at all.
		"yarn.nodemanager.resource.memory.enforced": "false",
		"yarn.nodemanager.pmem-check-enabled":       "true",

		"yarn.log-aggregation-enable":         "true",
		"yarn.nodemanager.remote-app-log-dir": "/tmp/logs",
		// The default, 90 %, makes nodes UNHEALTHY on a fuller disk.
		"yarn.nodemanager.disk-health-checker.max-disk-utilization-per-disk-percentage": "99.5",
		"yarn.nodemanager.localizer.client.thread-count":                                "2",
		"yarn.timeline-service.enabled":                                                 "false",

		// Shortened for tests, unlike production: Hadoop's 1000, 600000 and 600000.
		"yarn.resourcemanager.nodemanagers.heartbeat-interval-ms": "250",
		"yarn.nm.liveness-monitor.expiry-interval-ms":             "30000",
		"yarn.am.liveness-monitor.expiry-interval-ms":             "60000",
	}
	if o.Profile == ProfileVMem {
		p["yarn.nodemanager.vmem-check-enabled"] = "true"
		p["yarn.nodemanager.vmem-pmem-ratio"] = "2.1"
		return p
	}
	p["yarn.nodemanager.vmem-check-enabled"] = "false"
	p["yarn.scheduler.minimum-allocation-mb"] = "128"
	p["yarn.nodemanager.container-monitor.interval-ms"] = "500"
	return p
}

func schedulerConf(o Options) props {
	var names []string
	p := props{
		// With the default, 0.1, a cluster this small admits one ApplicationMaster.
		"yarn.scheduler.capacity.maximum-am-resource-percent": "0.8",
		"yarn.scheduler.capacity.node-locality-delay":         "-1",
	}
	if o.Profile != ProfileVMem {
		p["yarn.scheduler.capacity.resource-calculator"] = "org.apache.hadoop.yarn.util.resource.DominantResourceCalculator"
	}
	for _, q := range o.Queues {
		names = append(names, q.Name)
		prefix := "yarn.scheduler.capacity.root." + q.Name
		if q.MaxCapacity == 0 {
			q.MaxCapacity = 100
		}
		p[prefix+".capacity"] = strconv.Itoa(q.Capacity)
		p[prefix+".maximum-capacity"] = strconv.Itoa(q.MaxCapacity)
		p[prefix+".user-limit-factor"] = "10"
		p[prefix+".state"] = "RUNNING"
	}
	p["yarn.scheduler.capacity.root.queues"] = strings.Join(names, ",")
	return p
}

// daemonFlags are the settings in which daemons of one kind differ, as -D arguments of their main class.
func daemonFlags(dir string, base int, d daemonName) []string {
	flag := func(k, v string) string { return fmt.Sprintf("-D%s=%s", k, v) }
	home := filepath.Join(dir, d.String())
	switch d.kind {
	case kindNameNode:
		return []string{flag("dfs.namenode.name.dir", "file://"+filepath.Join(home, "name"))}
	case kindDataNode:
		port := base + portDN0 + 3*d.index
		return []string{
			flag("dfs.datanode.data.dir", "file://"+filepath.Join(home, "data")),
			flag("dfs.datanode.address", loopback(port)),
			flag("dfs.datanode.ipc.address", loopback(port+1)),
			flag("dfs.datanode.http.address", loopback(port+2)),
		}
	case kindNodeManager:
		port := base + portNM0 + 3*d.index
		return []string{
			flag("yarn.nodemanager.local-dirs", filepath.Join(home, "local")),
			flag("yarn.nodemanager.log-dirs", filepath.Join(home, "logs")),
			// Used with yarn.nodemanager.recovery.enabled; its default is one directory for all NodeManagers of a machine.
			flag("yarn.nodemanager.recovery.dir", filepath.Join(home, "recovery")),
			flag("yarn.nodemanager.address", localhost(port)),
			flag("yarn.nodemanager.localizer.address", localhost(port+1)),
			flag("yarn.nodemanager.webapp.address", localhost(port+2)),
		}
	default:
		return nil
	}
}
