// Package jobview is core: it makes REST documents and watch messages out of what a JobManager knows of a job. Knowing no
// scheduler, it serves live jobs and archived ones alike; the caller gives a consistent copy and the time.
package jobview
