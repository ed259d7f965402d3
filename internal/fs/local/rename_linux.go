package local

import "golang.org/x/sys/unix"

// renameNew asks the kernel to rename unless the new name exists; ENOSYS and EINVAL say that it, or the file system, cannot.
func renameNew(old, new string) error {
	return unix.Renameat2(unix.AT_FDCWD, old, unix.AT_FDCWD, new, unix.RENAME_NOREPLACE)
}
