package logdir

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sort"
	"strings"
	"time"
)

// maxFiles bounds a listing.
const maxFiles = 1000

// ErrMissing is the error for a name that is no file which may be shown.
var ErrMissing = errors.New("no such log file")

// Dir is a directory of log files that may be shown: regular files directly in it, nothing above, below or behind a symbolic link.
type Dir struct {
	Path string
	// Prefix is what the names of files begin with that may be shown; empty for all files.
	Prefix string
}

// File is one of them.
type File struct {
	Name     string
	Size     int64
	Modified time.Time
}

// List gives the files by name; none when Path is empty.
func (d Dir) List() ([]File, error) {
	if d.Path == "" {
		return nil, nil
	}
	entries, err := os.ReadDir(d.Path)
	if err != nil {
		return nil, err
	}
	var files []File
	for _, e := range entries {
		if !e.Type().IsRegular() || len(files) == maxFiles || !strings.HasPrefix(e.Name(), d.Prefix) {
			continue
		}
		info, err := e.Info()
		if err != nil {
			// Rotated away since.
			continue
		}
		files = append(files, File{e.Name(), info.Size(), info.ModTime()})
	}
	sort.Slice(files, func(i, j int) bool { return files[i].Name < files[j].Name })
	return files, nil
}

// Open opens a file that List may show. The error wraps ErrMissing where there is none.
func (d Dir) Open(name string) (*os.File, File, error) {
	missing := fmt.Errorf("%w: %q", ErrMissing, name)
	if d.Path == "" || name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\\\x00") || !strings.HasPrefix(name, d.Prefix) {
		return nil, File{}, missing
	}
	root, err := os.OpenRoot(d.Path)
	if err != nil {
		return nil, File{}, fmt.Errorf("%w: the log directory cannot be read: %v", ErrMissing, errors.Unwrap(err))
	}
	defer root.Close()
	// Looked at before it is opened: opening a named pipe would wait for its other end.
	info, err := root.Lstat(name)
	if err != nil || !info.Mode().IsRegular() {
		return nil, File{}, missing
	}
	f, err := root.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, File{}, missing
	}
	if err != nil {
		return nil, File{}, fmt.Errorf("log file %s cannot be read: %w", name, err)
	}
	return f, File{name, info.Size(), info.ModTime()}, nil
}

// Read gives a piece of a file, from offset, at most limit bytes; none behind its end.
func (d Dir) Read(name string, offset int64, limit int) ([]byte, File, error) {
	f, file, err := d.Open(name)
	if err != nil {
		return nil, file, err
	}
	defer f.Close()
	offset = max(0, offset)
	piece := make([]byte, max(0, min(int64(limit), file.Size-offset)))
	n, err := f.ReadAt(piece, offset)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return piece[:n], file, err
}
