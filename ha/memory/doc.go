// Package memory is a driver: a high-availability store in memory, for the tests of those who use one.
//
// A Hub is the store, each Open of it one process's connection, which can be cut. Times are as in a real store, so that tests
// run it under testing/synctest or with short leases.
package memory
