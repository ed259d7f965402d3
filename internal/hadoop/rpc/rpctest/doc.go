// Package rpctest is a driver: a fake Hadoop RPC server for tests, with SIMPLE and TOKEN authentication, all levels of protection,
// answers in any order and faults on demand. What it stands in for is proven by the tests that run against a real Hadoop.
package rpctest
