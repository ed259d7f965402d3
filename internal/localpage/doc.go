// Package localpage is a driver: it shows the jobs of a local run with the documents and pages of a JobManager, to nobody but the
// user who runs them, and changes nothing.
package localpage
