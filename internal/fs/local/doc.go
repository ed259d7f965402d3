// Package local is a driver: the FileSystem of this machine (scheme file).
package local
