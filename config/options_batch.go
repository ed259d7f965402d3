package config

// What BATCH jobs exchange and sort with.
var (
	BatchShuffleMode = enum(sectionExecution, "execution.batch-shuffle-mode", "ALL_EXCHANGES_BLOCKING",
		"How tasks of BATCH jobs hand records on: BLOCKING keeps them on local disks until all are there, and then starts their readers, so that only one stage of the job needs slots and memory at a time; what a combiner has made small is sent at once. HYBRID is BLOCKING.",
		[]string{"ALL_EXCHANGES_BLOCKING", "ALL_EXCHANGES_PIPELINED", "ALL_EXCHANGES_HYBRID_FULL", "ALL_EXCHANGES_HYBRID_SELECTIVE"})
	SortedInputs = boolean(sectionExecution, "execution.sorted-inputs.enabled", "true",
		"Whether operators with keyed state get their records key by key in BATCH jobs, sorted on local disks where memory is short, so that they hold the state of one key at a time.")
	ManagedFraction = declare("Double", parseFraction, sectionExecution, "taskmanager.memory.managed.fraction", "0.4",
		"The part of a worker's memory in which BATCH jobs sort and aggregate before they write to local disks; the operators that run at a time share it. 0 counts as not set. taskmanager.memory.managed.size wins.")
)

// ManagedMemory is the memory in which BATCH jobs sort and aggregate, besides being one of Flink's parts.
var ManagedMemory = managedMemory
