// Package jobbinary is core: it tells whether a file is a job's binary, and for what platform it is built.
package jobbinary
