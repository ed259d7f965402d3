package kafka

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/weft-project/weft/checkpoint"
	"github.com/weft-project/weft/eventtime"
	"github.com/weft-project/weft/operator"
	"github.com/weft-project/weft/state"
)

// ToTopic is the topic that a sink writes to, where an Encoder says no other.
func ToTopic(name string) Option { return func(s *settings) { s.to = name } }

// ExactlyOnce writes in transactions, one for each checkpoint and subtask, which are committed when the checkpoint is complete: readers with
// isolation.level read_committed see each record once, and not before. The prefix begins the ids of the transactions; it belongs to this
// sink alone among all jobs of the brokers. Without checkpoints a transaction is committed at the end of the input.
func ExactlyOnce(prefix string) Option { return func(s *settings) { s.prefix = prefix } }

// Encoder makes a record of a value: Key, Value, Headers, and Topic and Timestamp where they are to be others than those of the sink and of
// the value. Records of a key come to one partition, as with Kafka's own clients. r's slices are kept: they are made anew each time.
type Encoder[T any] func(v *T, r *Record) error

// AsText writes strings as values.
func AsText() Encoder[string] {
	return func(v *string, r *Record) error {
		r.Value = []byte(*v)
		return nil
	}
}

// AsBytes writes the bytes as values; nobody may change them afterwards.
func AsBytes() Encoder[[]byte] {
	return func(v *[]byte, r *Record) error {
		r.Value = *v
		return nil
	}
}

// AsJSON writes JSON documents as values. key, where it is not nil, gives the key.
func AsJSON[T any](key func(v *T) []byte) Encoder[T] {
	return func(v *T, r *Record) (err error) {
		if key != nil {
			r.Key = key(v)
		}
		r.Value, err = json.Marshal(v)
		return err
	}
}

// Sink writes to topics of the brokers, host:port separated by commas: at least once, or by ExactlyOnce.
func Sink[T any](brokers string, encode Encoder[T], opts ...Option) operator.Sink[T] {
	s := settingsOf(brokers, opts)
	switch {
	case s.err == nil && encode == nil:
		s.fail("kafka at %s: there is no encoder: expected AsText(), AsJSON, AsBytes() or one of your own", s.at())
	case s.prefix != "" && (s.acks != kgo.AllISRAcks() || !s.idempotent):
		s.fail("kafka at %s: exactly-once needs acks=all and enable.idempotence=true: leave them out", s.at())
	}
	return operator.Sink[T]{Invalid: s.err, Factory: func(c *operator.Context, op int, _ any) (operator.Instance, error) {
		x := &sink{s: s, c: c, op: op, w: &writer{s: s}}
		in := operator.Emit[T](func(v *T) {
			c.Op = op
			r := Record{Topic: s.to, Timestamp: c.Time}
			if err := encode(v, &r); err != nil {
				operator.Abort(operator.ReturnedBy(encode, err))
			}
			if err := x.write(&r); err != nil {
				operator.Abort(err)
			}
		})
		if s.prefix == "" {
			return operator.Instance{Operator: x, Inputs: []any{in}}, nil
		}
		return operator.Instance{Operator: &exactSink{sink: x, prepared: map[checkpoint.Ref][]Transaction{}}, Inputs: []any{in}}, nil
	}}
}

// sink writes at least once.
type sink struct {
	operator.Base
	s  *settings
	c  *operator.Context
	op int
	w  *writer
	// begin opens a transaction before the first record of one; nil without transactions.
	begin func() error
}

// Open is Operator's.
func (x *sink) Open() error {
	if x.begin != nil {
		return nil
	}
	return x.w.open(x.c.Ctx)
}

func (x *sink) write(r *Record) error {
	if r.Topic == "" {
		return operator.User(fmt.Errorf("kafka at %s: a record has no topic: expected ToTopic, or one that the encoder sets", x.s.at()))
	}
	if x.begin != nil && x.w.client == nil {
		if err := x.begin(); err != nil {
			return err
		}
	}
	k := &kgo.Record{Topic: r.Topic, Key: r.Key, Value: r.Value}
	if r.Timestamp != eventtime.None {
		k.Timestamp = time.UnixMilli(r.Timestamp)
	}
	for _, h := range r.Headers {
		k.Headers = append(k.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
	}
	x.w.client.Produce(x.c.Ctx, k, x.w.done)
	return x.w.failure()
}

// BeforeSnapshot is Preparer's: what came before the barrier is written.
func (x *sink) BeforeSnapshot(checkpoint.Ref) error { return x.w.flush(x.c.Ctx) }

// EndInput is Operator's.
func (x *sink) EndInput() error { return x.w.flush(x.c.Ctx) }

// Close is Operator's.
func (x *sink) Close(error) error {
	x.w.close()
	return nil
}

// writer is a client that writes.
type writer struct {
	s      *settings
	client *kgo.Client
	mu     sync.Mutex
	err    error // the first record that was not written
}

func (w *writer) open(ctx context.Context, more ...kgo.Opt) error {
	opts := append(w.s.common[:len(w.s.common):len(w.s.common)], w.s.producer...)
	opts = append(opts, kgo.WithContext(ctx), kgo.RequiredAcks(w.s.acks), kgo.RecordDeliveryTimeout(w.s.delivery))
	if !w.s.idempotent || w.s.acks != kgo.AllISRAcks() {
		opts = append(opts, kgo.DisableIdempotentWrite())
	}
	var err error
	if w.client, err = kgo.NewClient(append(opts, more...)...); err != nil {
		return operator.User(fmt.Errorf("kafka at %s: %w", w.s.at(), err))
	}
	return nil
}

// done is called for each record, by goroutines of the client.
func (w *writer) done(r *kgo.Record, err error) {
	if err == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = w.unwritten(r, err)
	}
}

func (w *writer) unwritten(r *kgo.Record, err error) error {
	switch {
	case errors.Is(err, kerr.UnknownTopicOrPartition):
		return operator.User(fmt.Errorf("kafka at %s has no topic %q to write to: create it, or correct the name: %w", w.s.at(), r.Topic, err))
	case errors.Is(err, kerr.MessageTooLarge):
		return operator.User(fmt.Errorf("kafka at %s: a record of %d bytes for topic %q is too large: raise max.request.size here and max.message.bytes of the topic: %w",
			w.s.at(), len(r.Key)+len(r.Value), r.Topic, err))
	}
	return w.s.failed(fmt.Sprintf("topic %q cannot be written to", r.Topic), err)
}

func (w *writer) failure() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// flush waits until all records are written.
func (w *writer) flush(ctx context.Context) error {
	if w.client == nil {
		return nil
	}
	if err := w.client.Flush(ctx); err != nil {
		return operator.External(fmt.Errorf("kafka at %s: records could not be written: %w", w.s.at(), err))
	}
	return w.failure()
}

func (w *writer) close() {
	if w.client != nil {
		w.client.Close()
		w.client = nil
	}
}

// Sinks prepare with checkpoints; the one with transactions commits with them.
var (
	_ operator.Preparer  = (*sink)(nil)
	_ operator.Committer = (*exactSink)(nil)
	_ operator.Restored  = (*exactSink)(nil)
	_ state.OperatorPart = (*transactionsPart)(nil)
)
