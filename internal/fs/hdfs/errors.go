package hdfs

import (
	"errors"
	"strings"

	"github.com/weft-project/weft/internal/fs"
	"github.com/weft-project/weft/internal/hadoop/rpc"
)

// What the NameNode answers, by Java class.
var (
	notFound = rpc.Class("not found", "java.io.FileNotFoundException", "org.apache.hadoop.fs.PathNotFoundException")
	exists   = rpc.Class("exists", "org.apache.hadoop.fs.FileAlreadyExistsException", "org.apache.hadoop.fs.PathExistsException",
		"org.apache.hadoop.hdfs.protocol.AlreadyBeingCreatedException", "org.apache.hadoop.hdfs.protocol.RecoveryInProgressException")
	notEmpty = rpc.Class("not empty", "org.apache.hadoop.fs.PathIsNotEmptyDirectoryException")
	safeMode = rpc.Class("safe mode", "org.apache.hadoop.hdfs.server.namenode.SafeModeException",
		"org.apache.hadoop.hdfs.protocol.SafeModeException")
	// notReplicated is the answer to a request for the next block while the one before has not been reported yet.
	notReplicated = rpc.Class("not replicated yet", "org.apache.hadoop.hdfs.server.namenode.NotReplicatedYetException",
		"org.apache.hadoop.hdfs.protocol.NotReplicatedYetException")
)

// isSafeMode also knows the safe mode of a start, which an HA pair wraps in an exception that asks to try again.
func isSafeMode(err error) bool {
	var remote *rpc.RemoteError
	return errors.Is(err, safeMode) ||
		errors.Is(err, rpc.ErrRetriable) && errors.As(err, &remote) && strings.Contains(remote.Message, "SafeModeException")
}

// passing tells whether an answer is worth another try although the server gave it.
func passing(err error) bool { return errors.Is(err, safeMode) || errors.Is(err, notReplicated) }

// Error is a failed operation on a path of HDFS.
type Error struct {
	// Op is what was tried, URI the path with scheme and authority.
	Op, URI string
	// Kind is the sentinel of package fs, nil when none fits.
	Kind error
	Err  error
}

// Error is one sentence: the NameNode's own first line where it answered.
func (e *Error) Error() string {
	s := e.Op + " " + e.URI + ": "
	var remote *rpc.RemoteError
	if !errors.As(e.Err, &remote) || errors.Is(e.Err, rpc.ErrInvalidToken) || errors.Is(e.Err, rpc.ErrHandshake) {
		return s + e.Err.Error()
	}
	if e.Kind == nil {
		return s + remote.Error()
	}
	if remote.Message == "" {
		return s + e.Kind.Error()
	}
	return s + e.Kind.Error() + ": " + remote.Message
}

// Unwrap gives kind and cause.
func (e *Error) Unwrap() []error {
	if e.Kind == nil {
		return []error{e.Err}
	}
	return []error{e.Kind, e.Err}
}

// fail makes the error of an operation; nil stays nil.
func (f *FS) fail(op, path string, err error) error {
	if err == nil {
		return nil
	}
	var done *Error
	if errors.As(err, &done) {
		return err
	}
	e := &Error{Op: op, URI: f.uri + path, Err: err}
	switch {
	case isSafeMode(err):
		e.Kind = fs.ErrSafeMode
	case errors.Is(err, notFound):
		e.Kind = fs.ErrNotExist
	case errors.Is(err, exists):
		e.Kind = fs.ErrExist
	case errors.Is(err, notEmpty):
		e.Kind = fs.ErrNotEmpty
	case errors.Is(err, rpc.ErrAccessControl):
		e.Kind = fs.ErrPermission
	}
	return e
}

// sentinel makes the error of an operation for which nobody but this side found a reason.
func (f *FS) sentinel(op, path string, kind error) error {
	return &Error{Op: op, URI: f.uri + path, Err: kind}
}
