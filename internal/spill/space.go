package spill

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
)

// Space is where a process's temporary data goes.
type Space struct {
	open  func() (*os.File, string, error)
	used  atomic.Int64
	total atomic.Int64
}

// NewSpace makes a space of directories, which are used in turn.
func NewSpace(dirs ...string) *Space {
	var next atomic.Uint32
	return &Space{open: func() (*os.File, string, error) {
		if len(dirs) == 0 {
			return nil, "", errors.New("no directory for temporary data was given")
		}
		dir := dirs[int(next.Add(1)-1)%len(dirs)]
		f, err := os.CreateTemp(dir, "spill-")
		if err != nil {
			return nil, "", err
		}
		if err := os.Remove(f.Name()); err != nil {
			return nil, "", errors.Join(err, f.Close())
		}
		return f, dir, nil
	}}
}

// Device makes a space whose data goes to one file that is there, for tests of what happens when a disk is full (/dev/full).
func Device(path string) *Space {
	return &Space{open: func() (*os.File, string, error) {
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		return f, path, err
	}}
}

// Used is how many bytes are on disk now.
func (s *Space) Used() int64 { return s.used.Load() }

// Total is how many bytes have been written so far.
func (s *Space) Total() int64 { return s.total.Load() }

// Create makes an empty file.
func (s *Space) Create() (*File, error) {
	f, dir, err := s.open()
	if err != nil {
		return nil, fmt.Errorf("temporary file: %w", err)
	}
	return &File{s: s, f: f, dir: dir}, nil
}

// File is temporary data. Append is for one goroutine; ReadAt may be called by any.
type File struct {
	s    *Space
	f    *os.File
	dir  string
	size int64
}

// Append writes p behind what is there and gives its offset.
func (f *File) Append(p []byte) (off int64, err error) {
	off = f.size
	n, err := f.f.WriteAt(p, off)
	f.size += int64(n)
	f.s.used.Add(int64(n))
	f.s.total.Add(int64(n))
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return off, fmt.Errorf("no room for temporary data in %s, where this process has %d bytes: free some, or set io.tmp.dirs to a larger disk: %w",
			f.dir, f.s.Used(), err)
	}
	if err != nil {
		return off, fmt.Errorf("temporary data in %s: %w", f.dir, err)
	}
	return off, nil
}

// ReadAt fills p from the offset.
func (f *File) ReadAt(p []byte, off int64) error {
	if n, err := f.f.ReadAt(p, off); n < len(p) {
		return fmt.Errorf("temporary data in %s: %d of %d bytes at %d: %w", f.dir, n, len(p), off, err)
	}
	return nil
}

// Size is the number of bytes in the file.
func (f *File) Size() int64 { return f.size }

// Close gives the room back.
func (f *File) Close() error {
	f.s.used.Add(-f.size)
	f.size = 0
	return f.f.Close()
}
