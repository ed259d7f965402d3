// Package faultfs is a driver: a FileSystem around another one in which chosen calls fail, for tests of what comes after.
//
// Operations have the names of the methods: Open, Create, Stat, List, MkdirAll, Rename, Delete, Chmod, SetTimes of the store,
// Read and Seek of a Reader, Write, Close (of a Writer) and Abort. Calls of an operation are counted over the whole store, from 1.
package faultfs
