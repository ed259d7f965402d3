package fs

import (
	"context"
	"errors"
	"io"
	iofs "io/fs"
	"time"
)

// Errors that callers branch on; implementations wrap them with the path and the remote text.
var (
	ErrNotExist   = iofs.ErrNotExist
	ErrExist      = iofs.ErrExist
	ErrPermission = iofs.ErrPermission
	// ErrNotEmpty: a non-recursive Delete met a directory with entries.
	ErrNotEmpty = errors.New("directory is not empty")
	// ErrSafeMode: the NameNode is in safe mode and takes no writes.
	ErrSafeMode = errors.New("the NameNode is in safe mode")
	// ErrNoSpace: the store has no room for what is written.
	ErrNoSpace = errors.New("the file system is full")
	// ErrEncrypted: the path lies in an encryption zone; reading it would give ciphertext, so it is refused.
	ErrEncrypted = errors.New("encryption zones are not supported")
	// ErrErasureCoded: the file is erasure coded; reading it would give wrong data, so it is refused.
	ErrErasureCoded = errors.New("erasure-coded files are not supported")
)

// FileInfo describes a file or directory.
type FileInfo struct {
	// Path is absolute within the file system, without scheme and authority.
	Path string
	// Size in bytes; 0 for a directory.
	Size int64
	// ModTime with the precision of the store (HDFS: milliseconds). YARN compares it to the millisecond.
	ModTime time.Time
	// IsDir tells a directory from a file.
	IsDir bool
	// Mode holds the permission bits (0o777).
	Mode iofs.FileMode
	// Owner and Group as the store names them; empty where unknown.
	Owner, Group string
	// BlockSize in bytes; 0 where the store has no blocks.
	BlockSize int64
}

// CreateOptions says how a new file is made. The zero value is the store's defaults.
type CreateOptions struct {
	// Mode of the new file; 0 means the store's default (0o644).
	Mode iofs.FileMode
	// Replication and BlockSize (bytes) apply to HDFS only; 0 means the configured default.
	Replication int
	BlockSize   int64
	// Parents makes missing parent directories.
	Parents bool
}

// Reader reads one file. It is used by one goroutine at a time. ReadAt is positional but not concurrent.
type Reader interface {
	io.Reader
	io.Seeker
	io.Closer
	// Size is the file's length in bytes at the time of Open.
	Size() int64
}

// Writer writes one new file, once.
type Writer interface {
	io.Writer
	// Close makes the file complete and durable as far as the store promises. After an error from Write or Close the
	// file has been removed or is removed by Abort; it is never left half-written under its name on purpose.
	Close() error
	// Abort gives up and removes the file. It may be called at any time, also after Close has failed; after a
	// successful Close it does nothing.
	Abort() error
}

// FileSystem is one store. Paths are absolute and slash-separated, without scheme. All methods may be called
// concurrently. The context bounds the call; cancelling it makes the call return soon, with the context's error.
type FileSystem interface {
	// URI is scheme://authority of this store, for example "hdfs://nn:8020" or "file://".
	URI() string
	// Home is the absolute path of the acting user's home directory.
	Home() string
	// Open opens a file for reading.
	Open(ctx context.Context, path string) (Reader, error)
	// Create makes a new file; ErrExist when the name is taken.
	Create(ctx context.Context, path string, opts CreateOptions) (Writer, error)
	// Stat describes a path.
	Stat(ctx context.Context, path string) (FileInfo, error)
	// List gives the entries of a directory, sorted by path. For a file it gives that file alone.
	List(ctx context.Context, path string) ([]FileInfo, error)
	// MkdirAll makes a directory and its parents; an existing directory is no error.
	MkdirAll(ctx context.Context, path string, mode iofs.FileMode) error
	// Rename moves old to new atomically. An existing new is ErrExist unless overwrite is set (files only).
	Rename(ctx context.Context, old, new string, overwrite bool) error
	// Delete removes a path; a missing path is no error. A directory with entries needs recursive, else ErrNotEmpty.
	Delete(ctx context.Context, path string, recursive bool) error
	// Chmod sets the permission bits.
	Chmod(ctx context.Context, path string, mode iofs.FileMode) error
	// SetTimes sets the modification time (used to mark shared files as recently used).
	SetTimes(ctx context.Context, path string, mtime time.Time) error
	// Close releases connections. Open readers and writers fail afterwards.
	Close() error
}
