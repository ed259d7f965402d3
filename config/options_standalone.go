package config

const sectionStandalone = "Standalone clusters"

// Clusters that the scripts start, without YARN.
var (
	JobManagerAddress = text(sectionStandalone, "jobmanager.rpc.address", "",
		"The host of a standalone cluster's JobManager: where it listens and where TaskManagers and commands find it. Without it the host of conf/masters, else localhost. No meaning on YARN.")
	JobManagerPort = integer(sectionStandalone, "jobmanager.rpc.port", 1, "6123",
		"The port on which a standalone JobManager listens for its TaskManagers. No meaning on YARN: see yarn.application-master.port.")
	JobManagerBindHost = text(sectionStandalone, "jobmanager.bind-host", "",
		"The address a standalone JobManager listens on, such as 0.0.0.0; without it that of jobmanager.rpc.address.")
	TaskManagerHost = text(sectionStandalone, "taskmanager.host", "",
		"The name under which a standalone TaskManager is known and its workers listen; without it the machine's name, or localhost where the JobManager's address is.")
	TempDirs = text(sectionStandalone, "io.tmp.dirs", "",
		"Directories for temporary files of standalone processes, separated by commas; the first one is used: uploaded job binaries, workers' directories and what BATCH jobs spill. Without it the system's. On YARN the container's.",
		alias("taskmanager.tmp.dirs"))
	LogDirectory = text(sectionStandalone, "env.log.dir", "",
		"Directory of the logs of standalone processes; log/ beside bin/ without it. On YARN the container's.")
	PIDDirectory = text(sectionStandalone, "env.pid.dir", "",
		"Directory of the files in which the scripts note the processes they have started; the directory for temporary files without it.")
	SSHOptions = text(sectionStandalone, "env.ssh.opts", "",
		"Options of ssh, separated by blanks, for start-cluster.sh and stop-cluster.sh, which use it for hosts that are not this machine.")
)
