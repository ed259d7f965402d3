// Package fstest is a driver: the conformance suite of package fs, which every FileSystem passes, the real ones and the fakes.
package fstest
