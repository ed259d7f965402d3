// Package am is a driver: the ApplicationMaster, a JobManager that runs as a YARN application.
//
// Reading order: run.go (the process: localised files, listeners, registration, end), driver.go (the JobManager's resource
// driver: heartbeats and containers), fleet.go (its core: how many TaskManagers there are and how many to ask for),
// failures.go and nodes.go (what failed containers and changing nodes lead to), shortage.go (why containers do not come),
// submissions.go, earlier.go and resume.go (what survives the process, and what a process after it does) and launch.go (what runs in a TaskManager's container). Package am/spec is what
// client and ApplicationMaster agree on.
package am
