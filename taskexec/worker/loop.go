package worker

import (
	"context"
	"fmt"
	"time"

	"github.com/weft-project/weft/network"
	"github.com/weft-project/weft/operator"
)

// sourceLoop asks the source for batches until it ends. Between two batches the task looks around: here cancellation, later
// checkpoints and timers, are met.
func (t *task) sourceLoop() error {
	src := t.chain.Source
	for {
		if t.ctx.Err() != nil {
			return context.Cause(t.ctx)
		}
		status, err := src.Poll()
		if err != nil {
			t.opctx.Op = 0 // the source's own failure, whoever ran last
			return err
		}
		t.publish()
		if err := t.flushDue(); err != nil {
			return err
		}
		switch status {
		case operator.End:
			return nil
		case operator.Idle:
			if err := t.flush(); err != nil {
				return err
			}
			began := time.Now()
			select {
			case <-src.Wake():
			case <-t.ctx.Done():
			}
			t.idle += int64(time.Since(began))
		}
	}
}

// gateLoop processes what arrives until every channel has ended.
func (t *task) gateLoop() error {
	open := len(t.edges)
	for open > 0 {
		if t.ctx.Err() != nil {
			return context.Cause(t.ctx)
		}
		item, ok := t.gate.Poll()
		if !ok {
			if err := t.gate.Err(); err != nil {
				t.opctx.Op = -1 // no operator's failure
				return operator.External(err)
			}
			// Nothing to do: what is buffered gains nothing by waiting.
			if err := t.flush(); err != nil {
				return err
			}
			t.publish()
			began := time.Now()
			select {
			case <-t.gate.Ready():
			case <-t.ctx.Done():
			}
			t.idle += int64(time.Since(began))
			continue
		}
		if item.Kind == network.EventItem {
			if item.Event.Kind == network.EndOfPartition {
				open--
			}
			continue
		}
		if item.Channel < 0 || item.Channel >= len(t.edges) {
			return fmt.Errorf("gate gave channel %d of %d", item.Channel, len(t.edges))
		}
		n, err := t.readers[t.edges[item.Channel]].Process(item)
		if err != nil {
			return err
		}
		t.gate.Release(item)
		t.recordsIn += int64(n)
		t.publish()
		if err := t.flushDue(); err != nil {
			return err
		}
	}
	return nil
}

// flushDue keeps the buffer timeout where many records come in and few go out.
func (t *task) flushDue() error {
	for _, w := range t.writers {
		if err := w.FlushDue(); err != nil {
			return err
		}
	}
	return nil
}

func (t *task) flush() error {
	for _, w := range t.writers {
		if err := w.Flush(); err != nil {
			return err
		}
	}
	return nil
}
