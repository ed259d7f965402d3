package worker

import (
	"context"
	"fmt"

	"github.com/weft-project/weft/eventtime"
	"github.com/weft-project/weft/network"
	"github.com/weft-project/weft/operator"
)

// sourceLoop asks the source for batches until it ends. Between two batches the task looks around: here cancellation and
// what came to the mailbox, timers among it, are met.
func (t *task) sourceLoop() error {
	src := t.chain.Source
	for {
		if t.ctx.Err() != nil {
			return context.Cause(t.ctx)
		}
		t.lookAround()
		switch p := t.part; {
		case p.ended:
			return nil
		case p.stopped:
			if err := t.rest(); err != nil {
				return err
			}
			continue
		case p.wanted != nil:
			p.settle()
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
			t.await(src.Wake())
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
		t.lookAround()
		if t.part.rests() {
			if err := t.rest(); err != nil {
				return err
			}
			continue
		}
		item, ok := t.poll()
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
			t.await(t.gate.Ready())
			continue
		}
		if item.Kind == network.EventItem {
			switch item.Event.Kind {
			case network.Barrier:
				if err := t.part.barrier(item.Channel, item.Event.Payload); err != nil {
					return err
				}
				continue
			case network.EndOfPartition:
				open--
				t.part.do(t.part.align.End(item.Channel))
			}
			if !t.part.stopped {
				t.event(item.Channel, item.Event)
			}
			continue
		}
		if item.Channel < 0 || item.Channel >= len(t.edges) {
			return fmt.Errorf("gate gave channel %d of %d", item.Channel, len(t.edges))
		}
		t.opctx.Op = 0 // what decodes is the first operator's
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

// await is idle until there is input, or work in the mailbox, which it does.
func (t *task) await(input <-chan struct{}) {
	t.idle.Begin()
	mail := false
	select {
	case <-input:
	case <-t.mailbox.Ready():
		mail = true
	case <-t.ctx.Done():
	}
	t.idle.End()
	if mail {
		t.mailbox.RunAll()
	}
}

// poll gives the next item that may be processed: while a checkpoint is on its way some channels are held back.
func (t *task) poll() (network.Item, bool) {
	if t.part.busy {
		return t.part.next()
	}
	return t.gate.Poll()
}

// lookAround does what waits in the mailbox and, for operators that want it, reads the clock.
func (t *task) lookAround() {
	if t.opctx.WantsNow {
		t.opctx.Now = max(t.opctx.Now, t.opctx.Clock.Now())
	}
	t.mailbox.Run()
}

// event takes what came in order with the data: it may advance the chain's event time.
func (t *task) event(channel int, e network.Event) {
	var advanced, changed bool
	switch e.Kind {
	case network.Watermark:
		advanced, changed = t.valve.Watermark(channel, e.Watermark)
	case network.WatermarkStatus:
		advanced, changed = t.valve.Status(channel, e.Watermark == 1)
	case network.EndOfPartition:
		advanced, changed = t.valve.End(channel)
	}
	if advanced {
		t.opctx.Time = eventtime.None
		t.chain.Watermark(t.valve.Last())
	}
	if changed {
		t.chain.Idle(t.valve.Idle())
	}
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
