package standalone

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	// taskManagerPrefix and jobManagerPrefix begin the names of working directories.
	taskManagerPrefix = "weft-taskmanager-"
	jobManagerPrefix  = "weft-jobmanager-"
	// claimFile is locked as long as the process lives that works in the directory.
	claimFile = "claimed"
	// settled is how long a process must be seen ended until all that dies with it has died too.
	settled = 300 * time.Millisecond
)

// claim is a working directory of this process.
type claim struct {
	dir  string
	file *os.File
}

// claimDir makes a working directory for this user alone. Who finds it can tell whether its process lives.
func claimDir(dir string) (*claim, error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(dir, "."+claimFile)
	if err == nil {
		// It gets its name when it is locked: whoever finds it without a lock takes this process for dead.
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	}
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(dir, claimFile))
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return &claim{dir, f}, nil
}

// remove gives the directory up.
func (c *claim) remove() error {
	return errors.Join(os.RemoveAll(c.dir), c.file.Close())
}

// Sweep removes working directories of this user's processes that were killed.
func Sweep(temp string) {
	entries, err := os.ReadDir(temp)
	if err != nil {
		return
	}
	for _, e := range entries {
		if !e.IsDir() || !strings.HasPrefix(e.Name(), taskManagerPrefix) && !strings.HasPrefix(e.Name(), jobManagerPrefix) {
			continue
		}
		dir := filepath.Join(temp, e.Name())
		f, err := os.OpenFile(filepath.Join(dir, claimFile), os.O_RDWR|syscall.O_NOFOLLOW, 0)
		if err != nil {
			continue // another user's, or not ready yet
		}
		if free(f) {
			_ = os.RemoveAll(dir) // the next one tries again
		}
		_ = f.Close()
	}
}

// free tells whether nobody holds the lock of a file.
func free(f *os.File) bool {
	if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		return false
	}
	_ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN) // closing it does the same
	return true
}

// watcher looks at TaskManagers of this machine, for jobmanager.Options.Watch: their workers end with them (W6), so the job needs
// not wait as it must for a machine that cannot be looked at (F3).
func watcher(temp string) func(id string) func() bool {
	return func(id string) func() bool {
		// The file stays open: it tells even after the directory has been removed.
		f, err := os.OpenFile(filepath.Join(taskManagerDir(temp, id), claimFile), os.O_RDWR|syscall.O_NOFOLLOW, 0)
		if err != nil || free(f) {
			// On another machine, or of another user.
			if f != nil {
				_ = f.Close()
			}
			return nil
		}
		var since time.Time
		return func() bool {
			switch {
			case !free(f):
				return false
			case since.IsZero():
				since = time.Now()
				return false
			}
			return time.Since(since) > settled
		}
	}
}
