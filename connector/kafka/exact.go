package kafka

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/weft-project/weft/checkpoint"
	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/operator"
	"github.com/weft-project/weft/state"
)

// exactSink writes exactly once. Each checkpoint ends the transaction under way, without committing it (BeforeSnapshot); what names it is
// part of the state; it is committed when the checkpoint is complete (Completed), or by whoever goes on from that checkpoint (Restored).
//
// Each transaction has an id of its own, so that one which the broker has aborted is told from one that was committed. A subtask of
// index i of n has to do with those transactions whose subtask's index is i modulo n, whoever wrote them: those in the state are committed,
// the others of earlier executions are aborted before it writes.
type exactSink struct {
	*sink
	x *transactor
	// ready: what earlier executions left is dealt with.
	ready bool
	// restored are those of all subtasks in the state that the job goes on from.
	restored []Transaction
	// prepared wait for their checkpoints.
	prepared map[checkpoint.Ref][]Transaction
	opened   int
	id       string
}

// Open is Operator's.
func (e *exactSink) Open() (err error) {
	e.begin = e.start
	e.x, err = e.s.transactor(e.c.Ctx)
	return err
}

// Restored is Restored's.
func (e *exactSink) Restored() error { return e.settle() }

// settle deals with what earlier executions have left.
func (e *exactSink) settle() error {
	if e.ready {
		return nil
	}
	keep := map[string]bool{}
	for _, t := range e.restored {
		keep[t.ID] = true
		if t.Subtask%e.c.Parallelism != e.c.Subtask() {
			continue
		}
		if err := e.x.commit(e.c.Ctx, t); err != nil {
			return err
		}
	}
	left, err := e.x.left(e.c.Ctx)
	if err != nil {
		return err
	}
	own := attemptName(e.s.prefix, e.c)
	for _, id := range left {
		subtask, ok := subtaskOf(e.s.prefix, id)
		if !ok || keep[id] || subtask%e.c.Parallelism != e.c.Subtask() || strings.HasPrefix(id, own) {
			continue
		}
		if err := e.x.abort(e.c.Ctx, id); err != nil {
			return err
		}
	}
	e.ready, e.restored = true, nil
	return nil
}

// start begins a transaction.
func (e *exactSink) start() error {
	if err := e.settle(); err != nil {
		return err
	}
	e.id = attemptName(e.s.prefix, e.c) + strconv.Itoa(e.opened)
	e.opened++
	if err := e.w.open(e.c.Ctx, kgo.TransactionalID(e.id), kgo.TransactionTimeout(e.s.timeout)); err != nil {
		return err
	}
	if err := e.w.client.BeginTransaction(); err != nil {
		return e.s.failed(fmt.Sprintf("transaction %q cannot begin", e.id), err)
	}
	return nil
}

// prepare ends the transaction under way without committing it; none is no error.
func (e *exactSink) prepare() ([]Transaction, error) {
	if e.w.client == nil {
		return nil, nil
	}
	if err := e.w.flush(e.c.Ctx); err != nil {
		return nil, err
	}
	producer, epoch, err := e.w.client.ProducerID(e.c.Ctx)
	if err != nil {
		return nil, e.s.failed(fmt.Sprintf("transaction %q cannot be prepared", e.id), err)
	}
	e.w.close()
	return []Transaction{{ID: e.id, ProducerID: producer, Epoch: epoch, Subtask: e.c.Subtask()}}, nil
}

// BeforeSnapshot is Preparer's.
func (e *exactSink) BeforeSnapshot(ref checkpoint.Ref) error {
	if err := e.settle(); err != nil {
		return err
	}
	t, err := e.prepare()
	if len(t) > 0 {
		e.prepared[ref] = t
	}
	return err
}

// Completed is Committer's.
func (e *exactSink) Completed(ref checkpoint.Ref) error {
	for r, ts := range e.prepared {
		if r.Compare(ref) > 0 {
			continue
		}
		for _, t := range ts {
			if err := e.x.commit(e.c.Ctx, t); err != nil {
				return err
			}
		}
		delete(e.prepared, r)
	}
	return nil
}

// Pending is Committer's.
func (e *exactSink) Pending() bool { return e.w.client != nil || len(e.prepared) > 0 }

// EndInput is Operator's: the last transaction waits for the last checkpoint, where there are any.
func (e *exactSink) EndInput() error {
	if err := e.w.flush(e.c.Ctx); err != nil {
		return err
	}
	if config.Get(config.FromMap(e.c.Config), config.CheckpointInterval) > 0 && !e.c.Batch {
		return nil
	}
	if err := e.settle(); err != nil {
		return err
	}
	ts, err := e.prepare()
	for _, t := range ts {
		err = e.x.commit(e.c.Ctx, t)
	}
	return err
}

// abortLimit bounds the abort with which a failed task ends; what is left is aborted by the next execution.
const abortLimit = 5 * time.Second

// Close is Operator's.
func (e *exactSink) Close(error) error {
	if e.w.client != nil {
		e.w.close()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(e.c.Ctx), abortLimit)
		defer cancel()
		x, err := e.s.transactor(ctx) // e.x ends with the task
		if err == nil {
			err = x.abort(ctx, e.id)
			x.close()
		}
		if err != nil {
			e.c.Log.Warn("Kafka: a transaction could not be aborted", "transaction", e.id, "error", err)
		}
	}
	if e.x != nil {
		e.x.close()
	}
	return nil
}

// KeyedState is Stateful's.
func (e *exactSink) KeyedState() []state.Part { return nil }

// OperatorState is Stateful's.
func (e *exactSink) OperatorState() map[string]state.OperatorPart {
	return map[string]state.OperatorPart{transactionsName: (*transactionsPart)(e)}
}

// transactionsName is the name of the state of a sink with transactions.
const transactionsName = "transactions"

// transactionsPart is that state: the prepared transactions, as JSON.
type transactionsPart exactSink

// Name is state.OperatorPart's.
func (e *transactionsPart) Name() string { return transactionsName }

// Redistribution is state.OperatorPart's: every subtask must know which transactions are not to be aborted.
func (e *transactionsPart) Redistribution() state.Redistribution { return state.Union }

// Snapshot is state.OperatorPart's.
func (e *transactionsPart) Snapshot() [][]byte {
	var out [][]byte
	for _, ts := range e.prepared {
		for _, t := range ts {
			b, err := json.Marshal(t)
			if err != nil {
				operator.Abort(err)
			}
			out = append(out, b)
		}
	}
	return out
}

// Restore is state.OperatorPart's.
func (e *transactionsPart) Restore(elements [][]byte) error {
	for _, b := range elements {
		var t Transaction
		if err := json.Unmarshal(b, &t); err != nil {
			return fmt.Errorf("stored transaction %.100q: %w", b, err)
		}
		e.restored = append(e.restored, t)
	}
	return nil
}
