package ha

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

// State is what every store's term has in memory: whether it is lost, and its lease. It is safe for concurrent use.
type State struct {
	// Epoch is the term's.
	Epoch Epoch

	lost chan struct{}
	mu   struct {
		sync.Mutex
		lease *Lease
		cause error
		// resigning tells that the leader gives its place up.
		resigning bool
	}
}

// NewState begins a term.
func NewState(epoch Epoch, lease *Lease) *State {
	s := &State{Epoch: epoch, lost: make(chan struct{})}
	s.mu.lease = lease
	return s
}

// Lost is Term's.
func (s *State) Lost() <-chan struct{} { return s.lost }

// Cause is Term's.
func (s *State) Cause() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.cause
}

// Lose ends the term, for the first cause that comes (HA6). It reports whether this was it.
func (s *State) Lose(cause error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.cause != nil {
		return false
	}
	if s.mu.resigning && errors.Is(cause, ErrFenced) {
		cause = ErrResigned
	}
	s.mu.cause = fmt.Errorf("epoch %d: %w", s.Epoch, cause)
	close(s.lost)
	return true
}

// Resigning tells that the leader gives its place up now, or that it could not: what asks in between whether the place is held must
// not take the answer for the work of another.
func (s *State) Resigning(yes bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.resigning = yes
}

// Answered notes an answer to a question sent at that time.
func (s *State) Answered(sent time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.lease.Answered(sent)
}

// Check tells whether the leader may act now.
func (s *State) Check(now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.cause != nil {
		return s.mu.cause
	}
	if err := s.mu.lease.Check(now); err != nil {
		return fmt.Errorf("epoch %d: %w", s.Epoch, err)
	}
	return nil
}

// Result is what a write's error becomes: one that says that the term is over ends it.
func (s *State) Result(err error) error {
	if errors.Is(err, ErrFenced) {
		s.Lose(err)
	}
	return err
}
