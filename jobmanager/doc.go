// Package jobmanager is a driver: the JobManager. It accepts jobs, gives them slots of TaskManagers, deploys them, watches
// them and restarts them. It knows neither YARN nor the job SDK, and runs no author's code.
//
// One goroutine, the loop (loop.go), owns all state. Whatever happens elsewhere (a message of a TaskManager, a REST request, a
// timer, a container that ended) is posted to it as a function. So there are no locks, and decisions are made one after the
// other on facts that do not move.
//
// Reading order: options.go, jobmanager.go (life), loop.go, session.go (a TaskManager's stream), events.go (what the
// platform reports), slots.go (who gets which
// slot, how many TaskManagers are wanted), job.go and deploy.go (the JobMaster: a job from submission to its end),
// failure.go, backend.go and view.go (what REST shows).
package jobmanager
