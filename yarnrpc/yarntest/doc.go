// Package yarntest is a driver: a YARN application that does nothing, written with yarnrpc only.
//
// It is the measure that the start-up times of real applications are compared with, and the smallest proof that the protocols
// work: its ApplicationMaster registers and idles, or allocates containers, runs a command in each, stops them and finishes.
// The program that holds it (a benchmark, a test binary) calls Main in the role that Submit's command line names.
package yarntest
