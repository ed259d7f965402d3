// Package taskexec is a driver: the TaskManager. It registers its slots with the JobManager, starts one worker process for
// each job that has slots here, hands messages on between JobManager and workers, and watches the workers' memory. It runs no
// author's code itself; package taskexec/worker is what runs inside the workers.
//
// One goroutine, the loop, owns all state. Messages of the JobManager and of the workers, ends of processes and timers are
// posted to it as functions.
//
// Reading order: taskexec.go (options, life, loop), session.go (the stream to the JobManager), manager.go (what messages do),
// worker.go (a worker process from start to end), exit.go (why a worker ended), binary.go (fetching the job's binary),
// memory.go (shares and the watcher).
package taskexec
