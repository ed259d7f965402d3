package network

import (
	"errors"
	"fmt"

	"github.com/weft-project/weft/id"
)

// What errors of this package wrap, for errors.Is.
var (
	// ErrPeerGone: the connection to the peer is lost, or the consumer reads no more.
	ErrPeerGone = errors.New("gone")
	// ErrPeerFailed: the producing task ended before the end of its output.
	ErrPeerFailed = errors.New("failed")
	// ErrStale: an attempt that has been replaced asked (F2).
	ErrStale = errors.New("attempt has been replaced")
	// ErrRefused: the producer has no such subpartition for this consumer.
	ErrRefused = errors.New("request refused")
	// ErrNotFound: the producer, or its partition, did not appear in time.
	ErrNotFound = errors.New("not there in time")
	// ErrTooLarge: a record or message is longer than allowed.
	ErrTooLarge = errors.New("too large")
	// ErrClosed: this side closed the partition, gate or manager.
	ErrClosed = errors.New("closed")
)

// Sides of a channel.
const (
	sideProducer = "producer"
	sideConsumer = "consumer"
)

// PeerError says which task at the other end of a channel, or which worker, is concerned.
type PeerError struct {
	// Side is "producer", "consumer" or, for a call, "worker".
	Side string
	// Peer is the task; zero for a worker.
	Peer id.Attempt
	// Addr is the peer's data address.
	Addr string
	// Err wraps one of the errors above or security.ErrUnauthenticated.
	Err error
}

// Error says who, where and why.
func (e *PeerError) Error() string {
	if e.Peer == (id.Attempt{}) {
		return fmt.Sprintf("%s at %s: %v", e.Side, e.Addr, e.Err)
	}
	return fmt.Sprintf("%s %v at %s: %v", e.Side, e.Peer, e.Addr, e.Err)
}

// Unwrap gives Err.
func (e *PeerError) Unwrap() error { return e.Err }

// CallError is the answer of a service that failed: its text comes from the other worker.
type CallError struct {
	Addr, Service, Text string
}

// Error says which service, where and its own words.
func (e *CallError) Error() string { return fmt.Sprintf("%s at %s: %s", e.Service, e.Addr, e.Text) }
