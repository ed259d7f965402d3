//go:build !linux

package local

import "golang.org/x/sys/unix"

// renameNew is Linux's alone.
func renameNew(string, string) error { return unix.ENOSYS }
