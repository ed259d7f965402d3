// Package acceptance is a driver: tests of the distribution as its users run it, on a real Hadoop. The commands are those of
// build/dist (or of the directory in WEFT_TEST_DIST), started as processes with a home directory, a directory for temporary
// files and an HDFS user of their own for each test. Package testjob is a job that misbehaves on demand.
package acceptance
