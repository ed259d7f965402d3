package config

const sectionCheckpoints = "Checkpoints and savepoints"

// Checkpoints: a job's settings, which its program or command line may override.
var (
	CheckpointInterval = duration(sectionCheckpoints, "execution.checkpointing.interval", "",
		"How often a checkpoint is begun, 10 ms at least. Without it, or with 0, there are none but those that are asked for.")
	CheckpointMinPause = duration(sectionCheckpoints, "execution.checkpointing.min-pause", "0 s",
		"How long at least there is none between the end of one and the beginning of the next; more than 0 means that there is one at a time.")
	CheckpointTimeout = duration(sectionCheckpoints, "execution.checkpointing.timeout", "10 min",
		"A checkpoint that is not complete after this long is given up.")
	CheckpointMaxConcurrent = integer(sectionCheckpoints, "execution.checkpointing.max-concurrent-checkpoints", 1, "1",
		"How many may be on their way at the same time.")
	CheckpointTolerableFailures = integer(sectionCheckpoints, "execution.checkpointing.tolerable-failed-checkpoints", 0, "0",
		"How many may fail one after the other before the job is restarted. Savepoints do not count.")
	CheckpointMode = enum(sectionCheckpoints, "execution.checkpointing.mode", "EXACTLY_ONCE",
		"With EXACTLY_ONCE a task holds back the inputs whose barrier has come until all have; with AT_LEAST_ONCE it does not wait, and some records count twice after a failure.",
		[]string{"EXACTLY_ONCE", "AT_LEAST_ONCE"})
	CheckpointRetention = enum(sectionCheckpoints, "execution.checkpointing.externalized-checkpoint-retention", "NO_EXTERNALIZED_CHECKPOINTS",
		"What becomes of a job's checkpoints when it ends: with NO_EXTERNALIZED_CHECKPOINTS they are deleted, with DELETE_ON_CANCELLATION kept when it fails, with RETAIN_ON_CANCELLATION kept when it fails or is cancelled.",
		[]string{"NO_EXTERNALIZED_CHECKPOINTS", "DELETE_ON_CANCELLATION", "RETAIN_ON_CANCELLATION"}, alias("execution.checkpointing.externalized-checkpoint-mode"))
	CheckpointNumRetained = integer(sectionCheckpoints, "execution.checkpointing.num-retained", 1, "1",
		"How many completed checkpoints are kept. With 2 or more there is one to fall back to when the newest is damaged.",
		alias("state.checkpoints.num-retained"))
	CheckpointAfterTasksFinish = boolean(sectionCheckpoints, "execution.checkpointing.checkpoints-after-tasks-finish", "true",
		"Whether there are checkpoints while some tasks have come to their end already.", alias("execution.checkpointing.checkpoints-after-tasks-finish.enabled"))
	CheckpointDirectory = text(sectionCheckpoints, "execution.checkpointing.dir", "",
		"Directory for checkpoints, such as hdfs:///weft/checkpoints or file:///shared/checkpoints; every TaskManager and the JobManager must reach it. "+
			"Needed where there is an interval.",
		alias("state.checkpoints.dir", "state.backend.fs.checkpointdir"))
	CheckpointSubdirectory = boolean(sectionCheckpoints, "execution.checkpointing.create-subdir", "true",
		"Whether a job's checkpoints lie in a directory of its own, named by its id, below execution.checkpointing.dir. Without it the directory must be the job's alone.",
		alias("state.checkpoints.create-subdir"))
	SavepointDirectory = text(sectionCheckpoints, "execution.checkpointing.savepoint-dir", "",
		"Directory for savepoints where none is named.", alias("state.savepoints.dir", "savepoints.state.backend.fs.dir"))
	CheckpointInlineThreshold = memoryBetween(0, 1*MiB, sectionCheckpoints, "execution.checkpointing.data-inline-threshold", "20kb",
		"Pieces of state up to this size are stored in the checkpoint's metadata instead of in files of their own; at most 1mb.",
		alias("state.storage.fs.memory-threshold", "state.backend.fs.memory-threshold"))
	CheckpointWriteBuffer = memoryBetween(4*KiB, 16*MiB, sectionCheckpoints, "execution.checkpointing.write-buffer-size", "1mb",
		"How much state is handed to the file system at a time (Flink: 4096 bytes).", alias("state.storage.fs.write-buffer-size", "state.backend.fs.write-buffer-size"))
	CheckpointHistory = integer(sectionCheckpoints, "web.checkpoints.history", 0, "10",
		"How many checkpoints that have ended the pages and the REST API remember of a job.", alias("jobmanager.web.checkpoints.history"))
)

// What a job starts from.
var (
	RestorePath = text(sectionCheckpoints, "execution.state-recovery.path", "",
		"Savepoint or retained checkpoint that a job starts from: its directory, or the _metadata file in it. The same as run -s.", alias("execution.savepoint.path"))
	RestoreIgnoreUnclaimed = boolean(sectionCheckpoints, "execution.state-recovery.ignore-unclaimed-state", "false",
		"Whether a job may start from a savepoint with state that none of its operators wants. The same as run -n.",
		alias("execution.savepoint.ignore-unclaimed-state"))
	RestoreClaimMode = enum(sectionCheckpoints, "execution.state-recovery.claim-mode", "NO_CLAIM",
		"Whether the job takes over what it starts from and deletes it in time (CLAIM), or leaves it to its owner (NO_CLAIM).",
		[]string{"NO_CLAIM", "CLAIM"}, alias("execution.savepoint-restore-mode"))
)
