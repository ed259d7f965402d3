package files

import (
	"context"
	"errors"
	"io"
	"sync"

	"github.com/weft-project/weft/internal/fs"
	"github.com/weft-project/weft/operator"
)

// splitRequest asks for the next split; splitReply without URI means there are no more.
type splitRequest struct{}

type splitReply struct {
	Split
}

// TextSource is a source of the lines of the files that uri names, and the enumerator that deals its splits.
func TextSource(uri string) (operator.Factory, operator.CoordinatorFactory) {
	return func(c *operator.Context, op int, out any) (operator.Instance, error) {
			s := &source{c: c, op: op, emit: out.(operator.Emit[string])}
			return operator.Instance{Operator: s}, nil
		}, func(c *operator.CoordinatorContext) (operator.Coordinator, error) {
			return &enumerator{c: c, uri: uri, done: operator.NewDoneSet(c.Subtasks), dealing: operator.NewDealing(c.Subtasks)}, nil
		}
}

type source struct {
	operator.Base
	c    *operator.Context
	op   int
	emit operator.Emit[string]
	// next brings the split after the one being read, asked for in good time.
	next  chan nextSplit
	lines *LineReader
	// batch holds lines read, of which those up to at have been handed on.
	batch []string
	at    int
}

// pollLines bounds the lines handed on by one Poll: between Polls a task publishes its counters and looks whether it shall stop.
const pollLines = 512

type nextSplit struct {
	split Split
	err   error
}

// Open is Operator's.
func (s *source) Open() error {
	s.next = make(chan nextSplit, 1)
	s.request()
	return nil
}

// request asks the enumerator in the background; at most one request is under way.
func (s *source) request() {
	opID := s.c.OpIDs[s.op]
	go func() {
		r, err := operator.Ask[splitRequest, splitReply](s.c, opID, splitRequest{})
		s.next <- nextSplit{r.Split, err}
	}()
}

// Poll is Source's.
func (s *source) Poll() (operator.Status, error) {
	if s.lines == nil {
		var n nextSplit
		select {
		case n = <-s.next:
		case <-s.c.Ctx.Done():
			return operator.End, s.c.Ctx.Err()
		}
		if n.err != nil {
			return operator.End, n.err
		}
		if n.split.URI == "" {
			return operator.End, nil
		}
		s.request()
		store, p, err := s.c.Files.Get(n.split.URI)
		if err == nil {
			s.lines, err = NewLineReader(s.c.Ctx, store, p, n.split)
		}
		if err != nil {
			return operator.End, operator.External(err)
		}
	}
	if s.at == len(s.batch) {
		var err error
		s.at = 0
		s.batch, err = s.lines.Next(s.batch[:0])
		if err == io.EOF {
			s.lines.Close()
			s.lines = nil
			return operator.More, nil
		}
		if err != nil {
			return operator.End, operator.External(err)
		}
	}
	end := min(len(s.batch), s.at+pollLines)
	for i := s.at; i < end; i++ {
		s.c.Op = s.op
		s.emit(&s.batch[i])
	}
	s.at = end
	return operator.More, nil
}

// Wake is Source's: this source waits inside Poll.
func (s *source) Wake() <-chan struct{} { return nil }

// Close is Operator's.
func (s *source) Close(error) error {
	if s.lines != nil {
		s.lines.Close()
	}
	return nil
}

// enumerator deals splits to readers as they ask.
type enumerator struct {
	c    *operator.CoordinatorContext
	uri  string
	done *operator.DoneSet

	mu      sync.Mutex
	dealing *operator.Dealing
	splits  []Split
}

// Start is Coordinator's.
func (e *enumerator) Start(ctx context.Context) error {
	splits, err := PlanSplits(ctx, e.c.Files, e.uri, e.c.Subtasks)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrEncrypted) || errors.Is(err, fs.ErrErasureCoded) {
			return operator.User(err) // trying again does not help
		}
		return operator.External(err)
	}
	e.splits = splits
	return nil
}

// Handle is Coordinator's.
func (e *enumerator) Handle(_ context.Context, subtask int, payload []byte) ([]byte, error) {
	return operator.Answer(payload, func(splitRequest) (splitReply, error) {
		e.mu.Lock()
		defer e.mu.Unlock()
		if !e.dealing.Next(subtask, len(e.splits)) {
			e.done.End(subtask)
			return splitReply{}, nil
		}
		s := e.splits[0]
		e.splits = e.splits[1:]
		return splitReply{s}, nil
	})
}

// Done is Coordinator's.
func (e *enumerator) Done() <-chan struct{} { return e.done.Done() }

// Close is Coordinator's.
func (e *enumerator) Close() error { return nil }
