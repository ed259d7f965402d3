package kafka

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/weft-project/weft/operator"
)

// Transaction names a transaction that is written and not committed. Any process can commit it: Kafka asks for nothing else than what stands here.
type Transaction struct {
	ID         string
	ProducerID int64
	Epoch      int16
	// Subtask has written it.
	Subtask int
}

// transactor ends transactions that others, or nobody any more, write to.
type transactor struct {
	s      *settings
	client *kgo.Client
}

// endTxn is the key of Kafka's request that ends a transaction.
const endTxn = 26

func (s *settings) transactor(ctx context.Context) (*transactor, error) {
	opts := append(s.common[:len(s.common):len(s.common)], kgo.WithContext(ctx), kgo.RetryTimeout(askLimit))
	c, err := kgo.NewClient(opts...)
	if err != nil {
		return nil, operator.User(fmt.Errorf("kafka at %s: %w", s.at(), err))
	}
	v, err := kmsg.NewPtrApiVersionsRequest().RequestWith(ctx, c)
	if err != nil {
		c.Close()
		return nil, s.failed("it cannot be asked for its version", err)
	}
	for _, f := range v.FinalizedFeatures {
		if f.Name == "transaction.version" && f.MaxVersionLevel >= 2 {
			return &transactor{s, c}, nil
		}
	}
	// Brokers before that feature (KIP-890) take an older request.
	c.Close()
	versions := kversion.Stable()
	versions.SetMaxKeyVersion(endTxn, 4)
	if c, err = kgo.NewClient(append(opts, kgo.MaxVersions(versions))...); err != nil {
		return nil, operator.User(fmt.Errorf("kafka at %s: %w", s.at(), err))
	}
	return &transactor{s, c}, nil
}

func (x *transactor) close() { x.client.Close() }

// commit commits a transaction; one that was committed before is no error.
func (x *transactor) commit(ctx context.Context, t Transaction) error {
	err := x.patiently(ctx, func() error {
		req := kmsg.NewPtrEndTxnRequest()
		req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Commit = t.ID, t.ProducerID, t.Epoch, true
		resp, err := req.RequestWith(ctx, x.client)
		if err != nil {
			return err
		}
		return kerr.ErrorForCode(resp.ErrorCode)
	})
	switch {
	case errors.Is(err, kerr.ProducerFenced), errors.Is(err, kerr.InvalidProducerEpoch), errors.Is(err, kerr.InvalidTxnState),
		errors.Is(err, kerr.InvalidProducerIDMapping), errors.Is(err, kerr.TransactionalIDNotFound):
		return operator.User(fmt.Errorf("kafka at %s has aborted transaction %q, whose records belong to a complete checkpoint and are lost: %w: "+
			"raise transaction.timeout.ms above the time that a job may stand still, and read the lost input again", x.s.at(), t.ID, err))
	case err != nil:
		return x.s.failed(fmt.Sprintf("transaction %q cannot be committed", t.ID), err)
	}
	return nil
}

// abort ends whatever is under way with a transactional id, and whoever still writes to it is refused.
func (x *transactor) abort(ctx context.Context, id string) error {
	err := x.patiently(ctx, func() error {
		req := kmsg.NewPtrInitProducerIDRequest()
		req.TransactionalID, req.TransactionTimeoutMillis = kmsg.StringPtr(id), int32(x.s.timeout.Milliseconds())
		resp, err := req.RequestWith(ctx, x.client)
		if err != nil {
			return err
		}
		return kerr.ErrorForCode(resp.ErrorCode)
	})
	if err != nil {
		return x.s.failed(fmt.Sprintf("transaction %q cannot be aborted", id), err)
	}
	return nil
}

// patiently tries again while the broker still ends a transaction.
func (x *transactor) patiently(ctx context.Context, ask func() error) error {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	for {
		err := ask()
		if !errors.Is(err, kerr.ConcurrentTransactions) && !(kerr.IsRetriable(err) && ctx.Err() == nil) {
			return err
		}
		pause := time.NewTimer(20 * time.Millisecond)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return err
		}
	}
}

// left lists the transactions under way whose ids begin with the sink's prefix.
func (x *transactor) left(ctx context.Context) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	all, err := kadm.NewClient(x.client).ListTransactions(ctx, nil, []string{"Ongoing"})
	if err != nil {
		return nil, x.s.failed("its transactions cannot be listed", err)
	}
	var out []string
	for _, t := range all.Sorted() {
		if strings.HasPrefix(t.TxnID, x.s.prefix+"-") && t.State == "Ongoing" {
			out = append(out, t.TxnID)
		}
	}
	return out, nil
}

// attemptName begins the ids of the transactions of an execution of a subtask: PREFIX-JOB-ATTEMPT-SUBTASK-EXECUTION-.
func attemptName(prefix string, c *operator.Context) string {
	return fmt.Sprintf("%s-%s-%d-%d-%d-", prefix, c.Attempt.Job, c.JobAttempt, c.Subtask(), c.Attempt.Number)
}

// subtaskOf reads the subtask in a transaction's id; ok is false for ids that no sink has made.
func subtaskOf(prefix, id string) (subtask int, ok bool) {
	parts := strings.Split(strings.TrimPrefix(id, prefix+"-"), "-")
	if len(parts) != 5 {
		return 0, false
	}
	n, err := strconv.Atoi(parts[2])
	return n, err == nil && n >= 0
}
