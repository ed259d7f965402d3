package operator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// Requests of built-in operators to their coordinators are small JSON documents: they are few (one a split or a part
// file), and a document can grow.

// Ask sends req to the operator's coordinator and reads its answer.
func Ask[Req, Resp any](c *Context, operatorID string, req Req) (Resp, error) {
	var resp Resp
	b, err := json.Marshal(req)
	if err != nil {
		return resp, err
	}
	reply, err := c.Call(c.Ctx, operatorID, b)
	if err != nil {
		return resp, External(fmt.Errorf("coordinator: %w", err))
	}
	if err := json.Unmarshal(reply, &resp); err != nil {
		return resp, External(fmt.Errorf("coordinator's answer %.60q: %w", reply, err))
	}
	return resp, nil
}

// Answer serves one request by a typed function.
func Answer[Req, Resp any](payload []byte, f func(Req) (Resp, error)) ([]byte, error) {
	var req Req
	if err := json.Unmarshal(payload, &req); err != nil {
		return nil, fmt.Errorf("request %.60q: %w", payload, err)
	}
	resp, err := f(req)
	if err != nil {
		return nil, err
	}
	return json.Marshal(resp)
}

// DoneSet closes a channel when n distinct subtasks have ended.
type DoneSet struct {
	mu   sync.Mutex
	left map[int]bool
	ch   chan struct{}
}

// NewDoneSet waits for subtasks 0 to n-1.
func NewDoneSet(n int) *DoneSet {
	d := &DoneSet{left: map[int]bool{}, ch: make(chan struct{})}
	for i := range n {
		d.left[i] = true
	}
	return d
}

// End marks a subtask as ended; again is no error.
func (d *DoneSet) End(subtask int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.left[subtask] {
		delete(d.left, subtask)
		if len(d.left) == 0 {
			close(d.ch)
		}
	}
}

// Done is closed when all have ended.
func (d *DoneSet) Done() <-chan struct{} { return d.ch }

// CoordinatorHost runs all coordinators of a job: it is the body of the coordinator task.
type CoordinatorHost struct {
	parts  map[string]Coordinator
	failed chan error
}

// NewCoordinatorHost makes and starts the coordinators, those in from with what they go on from.
func NewCoordinatorHost(ctx context.Context, c *Context, factories map[string]CoordinatorFactory, subtasks map[string]int,
	from map[string]CoordinatorRestore) (*CoordinatorHost, error) {
	h := &CoordinatorHost{parts: map[string]Coordinator{}, failed: make(chan error, 1)}
	for opID, f := range factories {
		c.Op = slices.Index(c.OpIDs, opID) // what fails is this operator's code
		part, err := f(&CoordinatorContext{Context: c, OperatorID: opID, Subtasks: subtasks[opID], Fail: h.failure(c.OpName())})
		if err == nil {
			h.parts[opID] = part
			if err = from[opID].restore(part); err == nil {
				err = part.Start(ctx)
			}
		}
		if err != nil {
			h.Close()
			return nil, err
		}
	}
	c.Op = -1
	return h, nil
}

// Handle answers a request of a subtask to the coordinator of an operator.
func (h *CoordinatorHost) Handle(ctx context.Context, operatorID string, subtask int, payload []byte) ([]byte, error) {
	p, ok := h.parts[operatorID]
	if !ok {
		return nil, fmt.Errorf("operator %s has no coordinator in this job", operatorID)
	}
	return p.Handle(ctx, subtask, payload)
}

// failure makes the Fail of the coordinator of the operator with this name. The first failure counts.
func (h *CoordinatorHost) failure(name string) func(error) {
	return func(err error) {
		blamed := &Blamed{Operator: name, err: err}
		var p *panicked
		if errors.As(err, &p) {
			blamed.Trace = p.stack
		}
		select {
		case h.failed <- blamed:
		default:
		}
	}
}

// Wait returns when every coordinator is done, with the error of one that has failed, or with the context's.
func (h *CoordinatorHost) Wait(ctx context.Context) error {
	for _, p := range h.parts {
		select {
		case <-p.Done():
		case err := <-h.failed:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// Close closes the coordinators.
func (h *CoordinatorHost) Close() {
	for _, p := range h.parts {
		_ = p.Close() // what they held open is read-only; there is nothing to lose
	}
}
