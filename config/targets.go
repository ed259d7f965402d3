package config

// Values of Target that say how a cluster on YARN lives.
const (
	// TargetSession is a cluster that takes jobs until it is stopped.
	TargetSession = "yarn-session"
	// TargetPerJob is a cluster for one job, whose main runs on the client.
	TargetPerJob = "yarn-per-job"
	// TargetApplication is a cluster for one main, which runs beside the JobManager.
	TargetApplication = "yarn-application"
	// TargetLocal is the process of main itself.
	TargetLocal = "local"
)
