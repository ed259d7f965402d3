package config

const sectionYARN = "YARN"

// The application and its containers.
var (
	ApplicationID = text(sectionYARN, "yarn.application.id", "",
		"The running application that commands are for.")
	ApplicationName = text(sectionYARN, "yarn.application.name", "",
		"Name of the application; \"Weft session cluster\" and the like without it.")
	ApplicationType = text(sectionYARN, "yarn.application.type", "Weft",
		"Type of the application as YARN lists it.")
	ApplicationQueue = text(sectionYARN, "yarn.application.queue", "",
		"Queue; the scheduler's choice without it.")
	ApplicationPriority = declare("Integer", parseInt(-1, 1<<30), sectionYARN, "yarn.application.priority", "-1",
		"Priority of the application; -1 leaves it to the cluster.")
	ApplicationNodeLabel = text(sectionYARN, "yarn.application.node-label", "",
		"Node label for all containers of the application.")
	TaskManagerNodeLabel = text(sectionYARN, "yarn.taskmanager.node-label", "",
		"Node label for TaskManagers, in the place of yarn.application.node-label.")
	ApplicationTags = text(sectionYARN, "yarn.tags", "",
		"Tags of the application, separated by commas.")
	ApplicationAttempts = integer(sectionYARN, "yarn.application-attempts", 1, "1",
		"How often YARN starts the JobManager before the application fails.")
	AttemptFailuresValidity = durationOrNone(sectionYARN, "yarn.application-attempt-failures-validity-interval", "10000",
		"Failures of the JobManager that are older do not count against yarn.application-attempts; -1 counts all.")
	ViewACLs = text(sectionYARN, "yarn.view.acls", "",
		"Users and groups who may see the application in YARN, and its page through the proxy: \"user1,user2 group1,group2\".")
	ModifyACLs = text(sectionYARN, "yarn.modify.acls", "",
		"Users and groups who may end the application in YARN, and see its page through the proxy.")
	RolledLogsInclude = text(sectionYARN, "yarn.rolled-logs.include-pattern", "",
		"Regular expression, Java's, for log files that YARN collects while the application runs.")
	RolledLogsExclude = text(sectionYARN, "yarn.rolled-logs.exclude-pattern", "",
		"Regular expression, Java's, for log files that yarn.rolled-logs.include-pattern names and YARN does not collect all the same.")
	HeartbeatRequesting = duration(sectionYARN, "yarn.heartbeat.container-request-interval", "100 ms",
		"How often the ApplicationMaster asks the ResourceManager while container requests are pending (Flink: 500 ms).")
	HeartbeatIdle = seconds(sectionYARN, "yarn.heartbeat.interval", "5",
		"How often the ApplicationMaster tells the ResourceManager that it lives while it needs nothing.", alias("yarn.heartbeat-delay"))
	MaximumFailedContainers = declare("Integer", parseInt(-1, 1<<30), sectionYARN, "yarn.maximum-failed-containers", "-1",
		"The application fails when more containers than this have failed within yarn.failed-containers-validity-interval; -1 for no bound. Preempted containers and those of lost nodes do not count.")
	FailedContainersValidity = durationOrNone(sectionYARN, "yarn.failed-containers-validity-interval", "1 h",
		"Failures of containers that are older do not count against yarn.maximum-failed-containers; -1 counts all.")
	ReallocateFailed = boolean(sectionYARN, "yarn.reallocate-failed", "true",
		"Accepted from configurations of old: containers that are lost are always replaced while jobs need them.")
	MaxStartFailureRate = float(sectionYARN, "resourcemanager.start-worker.max-failure-rate", "10",
		"When more TaskManagers than this fail within a minute, resourcemanager.start-worker.retry-interval passes before others are asked for.")
	StartRetryInterval = duration(sectionYARN, "resourcemanager.start-worker.retry-interval", "3 s",
		"The longest pause after failed TaskManagers before others are asked for.")
	NodeExclusionFailures = integer(sectionYARN, "yarn.node-exclusion.failures", 0, "3",
		"After this many TaskManagers in a row that did not start on a node, no containers are taken there for yarn.node-exclusion.interval; 0 excludes no node. At most half of the nodes are excluded.")
	NodeExclusionInterval = duration(sectionYARN, "yarn.node-exclusion.interval", "10 min",
		"How long a node is excluded.")
	StagingDirectory = text(sectionYARN, "yarn.staging-directory", "",
		"Directory under which .weft/ is made for uploads; the user's home directory without it.")
	FileReplication = declare("Integer", parseInt(-1, 512), sectionYARN, "yarn.file-replication", "-1",
		"Replication of uploaded files; -1 is the file system's default.")
	ShipFiles = list(sectionYARN, "yarn.ship-files", "",
		"Files and directories that lie in the working directory of every process of the application.", alias("yarn.ship-directories"))
	PropertiesFileLocation = text(sectionYARN, "yarn.properties-file.location", "",
		"Directory of the file .yarn-properties-USER through which commands find the session; the directory for temporary files without it.")
	SubmitTimeout = duration(sectionYARN, "yarn.submit.timeout", "",
		"A submission that is not running after this long is withdrawn, with what YARN said; without it the client waits. Also --submit-timeout.")
	ClusterPlatform = declare("Platform", parsePlatform, sectionYARN, "weft.cluster.platform", "linux/amd64",
		"What containers run on, as Go names it; job packages are built for it.")
	DefaultScheme = text(sectionYARN, "fs.default-scheme", "",
		"File system of paths without a scheme, such as hdfs://host:8020; fs.defaultFS of the Hadoop configuration without it.")
)

const sectionExecution = "Jobs"

// What jobs run with.
var (
	Target = text(sectionExecution, "execution.target", "",
		"Where jobs go: yarn-session, as without it; yarn-per-job, a cluster of the job's own; yarn-application, one with main in it; remote, the JobManager "+
			"at rest.address; or, of weft run, local, this machine. Also -t.")
	Attached = boolean(sectionExecution, "execution.attached", "true",
		"Whether run waits for the job's end (Flink: false, but its run waits too). Also -d, for false.")
	ShutdownOnAttachedExit = boolean(sectionExecution, "execution.shutdown-on-attached-exit", "false",
		"Whether a job is cancelled when its attached client is ended by Ctrl-C.")
	DefaultParallelism = integer(sectionExecution, "parallelism.default", 1, "1",
		"Parallelism of operators that have none of their own. Also -p.")
	MaxParallelism = declare("Integer", parseInt(-1, 32768), sectionExecution, "pipeline.max-parallelism", "-1",
		"Number of key groups, the bound of later rescaling, where the program sets none; -1 is 128.")
	OperatorChaining = boolean(sectionExecution, "pipeline.operator-chaining.enabled", "true",
		"Whether operators that can be run in one task are; without it each is a task of its own, to see where the time goes.",
		alias("pipeline.operator-chaining"))
	ObjectReuse = boolean(sectionExecution, "pipeline.object-reuse", "false",
		"Whether records may be handed on without being cloned: the author promises not to change them.")
	AutoWatermarkInterval = duration(sectionExecution, "pipeline.auto-watermark-interval", "200 ms",
		"How often watermarks are made of the timestamps that have come; 0 for never, then only the end of a stream and generators of one's own say how far it is.")
	JobName = text(sectionExecution, "pipeline.name", "",
		"Name of a job whose program gives it none.")
	RuntimeMode = enum(sectionExecution, "execution.runtime-mode", "STREAMING",
		"When results are emitted, where the program does not say: each change, or final results only; AUTOMATIC is BATCH for jobs whose sources all end.", []string{"STREAMING", "BATCH", "AUTOMATIC"})
	BufferTimeout = durationOrNone(sectionExecution, "execution.buffer-timeout.interval", "5 ms",
		"A network buffer that is not full is sent after this long (Flink: 100 ms); 0 sends every record at once, -1 full buffers only.", alias("execution.buffer-timeout"))
	BufferTimeoutEnabled = boolean(sectionExecution, "execution.buffer-timeout.enabled", "true",
		"Whether network buffers are sent before they are full.")
)

const sectionRestart = "Restarts of jobs"

// What becomes of a job that fails; the cluster's, unless the job sets its own.
var (
	RestartStrategy = enum(sectionRestart, "restart-strategy.type", "",
		"What happens when a job fails. Without it, failures of the author's code fail the job at once, and failures of machines restart it, 10 times, after 100 ms to 1 s.",
		[]string{"none", "off", "disable", "fixed-delay", "fixeddelay", "failure-rate", "failurerate", "exponential-delay", "exponentialdelay"}, alias("restart-strategy"))
	FixedDelayAttempts = integer(sectionRestart, "restart-strategy.fixed-delay.attempts", 0, "1",
		"How often fixed-delay restarts a job.")
	FixedDelay = duration(sectionRestart, "restart-strategy.fixed-delay.delay", "1 s",
		"How long fixed-delay waits before it restarts a job.")
	FailureRateMax = integer(sectionRestart, "restart-strategy.failure-rate.max-failures-per-interval", 1, "1",
		"How many failures failure-rate allows in its interval; the next one fails the job.")
	FailureRateInterval = duration(sectionRestart, "restart-strategy.failure-rate.failure-rate-interval", "1 min",
		"The interval in which failure-rate counts.")
	FailureRateDelay = duration(sectionRestart, "restart-strategy.failure-rate.delay", "1 s",
		"How long failure-rate waits before it restarts a job.")
	ExponentialInitial = duration(sectionRestart, "restart-strategy.exponential-delay.initial-backoff", "1 s",
		"First delay of exponential-delay.")
	ExponentialMax = duration(sectionRestart, "restart-strategy.exponential-delay.max-backoff", "1 min",
		"Longest delay of exponential-delay.")
	ExponentialMultiplier = float(sectionRestart, "restart-strategy.exponential-delay.backoff-multiplier", "1.5",
		"By what exponential-delay multiplies its delay after each failure; more than 1.")
	ExponentialReset = duration(sectionRestart, "restart-strategy.exponential-delay.reset-backoff-threshold", "1 h",
		"After the job has run this long without a failure exponential-delay begins anew, with its first delay and its count.")
	ExponentialJitter = float(sectionRestart, "restart-strategy.exponential-delay.jitter-factor", "0.1",
		"The part of its delay, from 0 to 1, that exponential-delay adds or takes off at random, so that jobs do not all restart at once.")
	ExponentialAttempts = integer(sectionRestart, "restart-strategy.exponential-delay.attempts-before-reset-backoff", 1, "2147483647",
		"How often exponential-delay restarts a job before it fails; a job that ran for reset-backoff-threshold begins anew.")
)
