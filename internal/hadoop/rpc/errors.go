package rpc

import (
	"errors"
	"fmt"
	"strings"

	commonpb "github.com/weft-project/weft/internal/hadoop/proto/common"
)

// RemoteError is an exception that the server threw. Test for the kinds that matter with errors.Is and the sentinels below.
type RemoteError struct {
	// Class is the Java class name of the exception.
	Class string
	// Message is its first line, without the class name.
	Message string
	// Trace is the whole text that the server sent, often with a Java stack trace.
	Trace string
	// Fatal tells that the server closed the connection.
	Fatal bool
}

// Error gives the short class name and the message.
func (e *RemoteError) Error() string {
	short := e.Class[strings.LastIndexByte(e.Class, '.')+1:]
	switch {
	case short == "":
		return e.Message
	case e.Message == "":
		return short
	}
	return short + ": " + e.Message
}

// Is makes errors.Is(err, sentinel) true when the exception's class is one of the sentinel's.
func (e *RemoteError) Is(target error) bool {
	c, ok := target.(*ClassError)
	if !ok {
		return false
	}
	for _, name := range c.classes {
		if e.Class == name {
			return true
		}
	}
	return false
}

// ClassError is a sentinel that stands for one or several Java exception classes.
type ClassError struct {
	text    string
	classes []string
}

// Error gives the sentinel's text.
func (c *ClassError) Error() string { return c.text }

// Class makes a sentinel for Java exception classes, given with their packages.
func Class(text string, classes ...string) *ClassError {
	return &ClassError{text: text, classes: classes}
}

// Sentinels for what any Hadoop service may answer. Test with errors.Is.
var (
	ErrStandby = Class("the server is in standby state", "org.apache.hadoop.ipc.StandbyException",
		"org.apache.hadoop.ipc.ObserverRetryOnActiveException")
	ErrRetriable     = Class("the server asks to try again", "org.apache.hadoop.ipc.RetriableException")
	ErrAccessControl = Class("permission denied", "org.apache.hadoop.security.AccessControlException",
		"org.apache.hadoop.fs.permission.AccessControlException", "org.apache.hadoop.security.authorize.AuthorizationException")
	ErrInvalidToken = Class("the token is not valid", "org.apache.hadoop.security.token.SecretManager$InvalidToken")
)

// Sentinels for what happens on this side. Test with errors.Is.
var (
	// ErrConnect marks that no connection came about: refused, no route, unknown host, timeout.
	ErrConnect = errors.New("no connection")
	// ErrHandshake marks that client and server did not agree on authentication or protection.
	ErrHandshake = errors.New("authentication failed")
	// ErrBroken marks a connection that ended before the answer came; the call may or may not have been done.
	ErrBroken = errors.New("connection lost")
	// ErrTimeout marks an answer that did not come within the time limit of one attempt.
	ErrTimeout = errors.New("no answer in time")
	// ErrClosed marks a call on a closed Client.
	ErrClosed = errors.New("the client is closed")
)

// remoteError makes the error of an answer that is none.
func remoteError(h *commonpb.RpcResponseHeader) *RemoteError {
	class, text := h.GetExceptionClassName(), h.GetErrorMsg()
	line, _, _ := strings.Cut(text, "\n")
	line = strings.TrimSpace(line)
	// A stack trace starts with "class: message".
	if rest, ok := strings.CutPrefix(line, class); ok && class != "" {
		line = strings.TrimPrefix(strings.TrimPrefix(rest, ":"), " ")
	}
	if class == "" && line == "" {
		line = "error without a message (" + h.GetErrorDetail().String() + ")"
	}
	return &RemoteError{Class: class, Message: line, Trace: text, Fatal: h.GetStatus() == commonpb.RpcResponseHeader_FATAL}
}

// CallError says which call of which server failed, and how often it was tried.
type CallError struct {
	// Addr is the host:port asked last.
	Addr string
	// Protocol is the short name of the protocol, Method the method, empty when the connection was to be opened only.
	Protocol, Method string
	// Attempts counts how often the call was tried.
	Attempts int
	Err      error
}

// Error is one sentence that names host and port, protocol and method.
func (e *CallError) Error() string {
	s := fmt.Sprintf("%s %s", e.Addr, e.Protocol)
	if e.Method != "" {
		s += "." + e.Method
	}
	s += ": " + e.Err.Error()
	if e.Attempts > 1 {
		s += fmt.Sprintf(" (%d attempts)", e.Attempts)
	}
	return s
}

// Unwrap gives the cause.
func (e *CallError) Unwrap() error { return e.Err }
