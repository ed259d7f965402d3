// Package spill is a driver: temporary data on local disks, and sorting what does not fit into memory.
//
// space.go has the files. They have no name: each is removed from its directory as soon as it is open, so nothing of it stays
// when the process ends, however it ends. sorter.go sorts records by a prefix and a key within a budget of memory: what is more
// is written as sorted runs; merge.go joins the runs again.
//
// A Space may be used by many goroutines; a File and a Sorter belong to one.
package spill
