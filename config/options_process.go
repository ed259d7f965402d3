package config

const sectionMemory = "Memory, processors and slots"

// Sizes of the processes.
var (
	JobManagerMemory = processMemory(sectionMemory, "jobmanager.memory.process.size", "1600m",
		"Memory of the JobManager's container. A JobManager of Weft needs far less than one in a JVM; the key is Flink's so that configurations carry over.",
		alias("jobmanager.heap.size"), aliasMB("jobmanager.heap.mb"), derive(jobManagerSize))
	JobManagerVCores = integer(sectionMemory, "yarn.appmaster.vcores", 1, "1",
		"Virtual cores of the JobManager's container; GOMAXPROCS of the JobManager follows it.")
	TaskManagerMemory = processMemory(sectionMemory, "taskmanager.memory.process.size", "1728m",
		"Memory of a TaskManager's container, all of its workers included: a promise to YARN that the TaskManager keeps by stopping the worst offender among its workers first.",
		alias("taskmanager.heap.size"), aliasMB("taskmanager.heap.mb"), derive(taskManagerSize))
	TaskManagerVCores = declare("Integer", parseInt(-1, 1<<20), sectionMemory, "yarn.containers.vcores", "-1",
		"Virtual cores of a TaskManager's container; -1 asks for as many as it has slots.")
	TaskManagerCPU = declare("Double", parsePositive, sectionMemory, "taskmanager.cpu.cores", "",
		"Processors of a TaskManager, rounded to whole virtual cores, one at least; it wins over yarn.containers.vcores.")
	Slots = integer(sectionMemory, "taskmanager.numberOfTaskSlots", 1, "1",
		"Slots of a TaskManager: how many parallel pipelines it runs.")
)

const sectionNetwork = "Data between tasks"

// Buffers of the connections between the workers of a job. They are the job's: all its workers have the same.
var (
	SegmentSize = memoryBetween(1*KiB, 16*MiB, sectionNetwork, "taskmanager.memory.segment-size", "32kb",
		"Size of one network buffer, from 1kb to 16mb.")
	BuffersPerChannel = integer(sectionNetwork, "taskmanager.network.memory.buffers-per-channel", 1, "2",
		"Network buffers each channel has for itself: its credit.")
	FloatingBuffers = integer(sectionNetwork, "taskmanager.network.memory.floating-buffers-per-gate", 1, "8",
		"Network buffers the channels of one input share beyond their own.")
)

const sectionREST = "REST and web"

// The REST server and its clients.
var (
	RESTAddress = text(sectionREST, "rest.address", "",
		"Where run, list and cancel find the JobManager of a standalone cluster when -m is not given: when execution.target is remote, or is not set and there is no properties file of a session. On YARN the application knows it.",
		fallback("jobmanager.rpc.address"))
	RESTPort = integer(sectionREST, "rest.port", 0, "8081",
		"The port that goes with rest.address, on which a standalone JobManager serves clients unless rest.bind-port is set. On YARN the server listens on a free one of rest.bind-port, and clients learn it from the ResourceManager.",
		alias("web.port", "jobmanager.web.port"))
	RESTBindAddress = text(sectionREST, "rest.bind-address", "",
		"The address the REST server listens on, such as 0.0.0.0; without it the JobManager's address. On YARN the NodeManager's host, also for localhost, which no client would reach.", alias("jobmanager.web.address"), fallback("web.address"))
	RESTBindPort = ports(sectionREST, "rest.bind-port", "",
		"Ports the REST server may listen on, tried in order: 50100-50200,50300. On YARN any free port unless this is set, so that a firewall can be told.")
	RESTAuth = enum(sectionREST, "security.rest.auth", "token",
		"How callers of the REST server show who they are. With token only who has the owner's token may read or change anything, pages through YARN's web proxy excepted, which may read. With kerberos callers may show a Kerberos ticket instead (SPNEGO): what their user may do say yarn.view.acls and yarn.modify.acls. none switches this off: whoever reaches the port controls the cluster.",
		[]string{"token", RESTAuthKerberos, "none"})
	RESTKeytab = text(sectionREST, "security.rest.auth.kerberos.keytab", "",
		"Key table with the keys of the principals HTTP/host of all hosts on which the JobManager may run, for security.rest.auth: kerberos; without it security.kerberos.login.keytab must have them. On YARN it goes to the JobManager's container as a private file; with yarn.security.kerberos.ship-local-keytab: false it is a path on all nodes.")
	RESTPrincipal = text(sectionREST, "security.rest.auth.kerberos.principal", "",
		"The only principal whose tickets are accepted, such as HTTP/_HOST@REALM, where _HOST is the JobManager's host; without it any HTTP principal of the key table.")
	ClientTimeout = duration(sectionREST, "client.timeout", "60 s",
		"How long a client waits for an answer of the JobManager beyond the time for which it has asked it to wait.", alias("akka.client.timeout"))
	PlanTimeout = duration(sectionREST, "client.plan.timeout", "2 min",
		"How long the job's main may take until it calls Execute when the client runs it to learn the job's plan.")
	PageRefresh = duration(sectionREST, "web.refresh-interval", "3 s",
		"How often the overview and the pages of running jobs ask for news, in whole seconds; 0 for never.", alias("jobmanager.web.refresh-interval"))
)

// RESTAuthKerberos is the value of security.rest.auth with which callers may show tickets.
const RESTAuthKerberos = "kerberos"

const sectionControl = "JobManager and TaskManagers"

// How JobManager and TaskManagers keep in touch.
var (
	JobManagerPorts = ports(sectionControl, "yarn.application-master.port", "0",
		"Ports the JobManager may listen on for its TaskManagers on YARN, tried in order; 0 is any.")
	HeartbeatInterval = duration(sectionControl, "heartbeat.interval", "1 s",
		"How often TaskManager and JobManager assure each other that they live (Flink: 10 s). A broken connection and YARN's word that a container ended are noticed at once, whatever this is.")
	HeartbeatTimeout = duration(sectionControl, "heartbeat.timeout", "10 s",
		"After this long without a heartbeat the other side counts as lost (Flink: 50 s).")
	LeaderlessTimeout = duration(sectionControl, "high-availability.leaderless-timeout", "3 min",
		"After this long without a JobManager that acknowledges it a TaskManager stops its workers and ends.")
	WorkerStartTimeout = duration(sectionControl, "weft.worker.start-timeout", "1 min",
		"A worker whose main has not come to Execute after this long is stopped, and the job fails.")
	ClusterID = text(sectionControl, "high-availability.cluster-id", "",
		"Name of this cluster among those that share one store; on YARN the application id unless set.",
		alias("high-availability.zookeeper.path.cluster-id", "high-availability.zookeeper.path.namespace", "recovery.zookeeper.path.namespace"))
	TaskManagerIdleTimeout = duration(sectionControl, "resourcemanager.taskmanager-timeout", "30 s",
		"A TaskManager without a job is given back after this long.", alias("slotmanager.taskmanager-timeout"))
	TaskManagerRegistrationTimeout = duration(sectionControl, "resourcemanager.taskmanager-registration.timeout", "5 min",
		"A TaskManager that was started and has not registered after this long is given up and another one is asked for.", fallback("taskmanager.registration.timeout"), alias("taskmanager.maxRegistrationDuration"))
	SlotRequestTimeout = duration(sectionControl, "slot.request.timeout", "5 min",
		"A job that has waited this long for slots fails, with what was asked for and what there is.", alias("slotmanager.request-timeout"))
	BlobExecutable = text(sectionControl, "weft.executable", "",
		"The weft binary that containers run; without it the client's own, which must be built for weft.cluster.platform.", alias("yarn.flink-dist-jar"))
	LogLevel = enum(sectionControl, "env.log.level", "INFO",
		"What the processes log.", []string{"TRACE", "DEBUG", "INFO", "WARN", "ERROR"})
	LogMaxFiles = integer(sectionControl, "env.log.max", 0, "10",
		"How many rotated files of one log are kept.")
	LogFileSize = memory(sectionControl, "weft.log.file-size", "64m",
		"A log is rotated when it has reached this size.")
	HadoopConfDir = text(sectionControl, "env.hadoop.conf.dir", "",
		"Hadoop's configuration directory when the environment variable HADOOP_CONF_DIR is not set.", alias("fs.hdfs.hadoopconf"))
	YARNConfDir = text(sectionControl, "env.yarn.conf.dir", "",
		"YARN's configuration directory when the environment variable YARN_CONF_DIR is not set.")
)
