//go:build unix

package client

import (
	"fmt"
	"os"
	"syscall"
)

// ownedByUs refuses a file that belongs to another user or that others may write.
func ownedByUs(f *os.File) error {
	st, err := f.Stat()
	if err != nil {
		return err
	}
	if sys, ok := st.Sys().(*syscall.Stat_t); ok && int(sys.Uid) != os.Getuid() {
		return fmt.Errorf("belongs to another user (uid %d)", sys.Uid)
	}
	if st.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("has mode %04o: others may write it", st.Mode().Perm())
	}
	return nil
}

// lockFile takes the lock of an open file, or says that another process has it. It goes with the process.
func lockFile(f *os.File) error {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}
