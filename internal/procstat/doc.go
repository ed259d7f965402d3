// Package procstat is a driver: it reads the figures of the process it runs in, memory, garbage collection and processor time.
package procstat
