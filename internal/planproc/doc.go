// Package planproc is a driver: it runs a job's main in the plan role, for the client and for the JobManager of application mode,
// and speaks the plan protocol with it.
package planproc
