// Package client is a driver: it turns a job into a session submission, a session into a YARN application, and talks to
// both afterwards.
//
// Reading order: client.go (what commands share), session.go (deploy), staging.go (what is uploaded), watch.go and explain.go
// (until the application runs, and why it does not), attach.go (the prompt), find.go and files.go (how later commands find
// the session), binary.go, build.go and plan.go (from JOB to a job graph), run.go (submit, follow, result).
//
// Results go to standard output, everything else to standard error. Secrets are only in files of mode 0600 below ~/.weft and
// in the application's private staging directory.
package client
