//go:build realhadoop && long

package kafka_test

import (
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/weft-project/weft/checkpoint"
	"github.com/weft-project/weft/connector/kafka"
	"github.com/weft-project/weft/eventtime"
	"github.com/weft-project/weft/operator"
	"github.com/weft-project/weft/state"
	"github.com/weft-project/weft/stream"
	"github.com/weft-project/weft/streamtest"
)

// testSink: whole jobs, at least once and in transactions.
func testSink(r *rig) {
	for name, opts := range map[string][]kafka.Option{
		"least": {kafka.Property("compression.type", "lz4"), kafka.Property("linger.ms", "5")},
		"exact": {kafka.ExactlyOnce(r.topic("prefix", 1))},
	} {
		t := r.topic(name, 3)
		type order struct {
			N int64
			K string
		}
		env := stream.New()
		orders := stream.Generate(env, "orders", 200, func(i int64) order { return order{i, fmt.Sprint("k", i%7)} })
		stream.ToSink(orders, "write", kafka.Sink(r.broker.Address, kafka.AsJSON(func(o *order) []byte { return []byte(o.K) }),
			append(opts, kafka.ToTopic(t))...))
		streamtest.Run(r, env, streamtest.Parallelism(2))
		at := map[string]int32{}
		seen := map[string]bool{}
		for _, rec := range committed(r, 200, kafka.Records(), t) {
			if seen[string(rec.Value)] = true; at[string(rec.Key)] != rec.Partition && at[string(rec.Key)] != 0 {
				r.Errorf("key %s is in partitions %d and %d", rec.Key, rec.Partition, at[string(rec.Key)])
			}
			at[string(rec.Key)] = rec.Partition
		}
		if len(seen) != 200 || len(at) != 7 || !seen[`{"N":13,"K":"k6"}`] {
			r.Errorf("%s: %d records of %d keys, expected 200 of 7", name, len(seen), len(at))
		}
	}
	env := stream.New()
	stream.ToSink(stream.FromSlice(env, "one", []string{"x"}), "write", kafka.Sink(r.broker.Address, kafka.AsText(), kafka.ToTopic("nowhere")))
	if _, err := env.Execute(r.Context(), "nowhere"); err == nil || !strings.Contains(err.Error(), `has no topic "nowhere" to write to: create it`) {
		r.Errorf("error %v", err)
	}
}

// exact is one execution of a subtask of an exactly-once sink, as a task drives it.
type exact struct {
	r    *rig
	op   operator.Operator
	emit operator.Emit[string]
}

func (r *rig) exact(topic string, attempt, subtask, parallelism int, from [][]byte) *exact {
	r.Helper()
	c := &operator.Context{Ctx: r.Context(), Log: slog.New(slog.DiscardHandler), JobAttempt: attempt, Parallelism: parallelism, Time: eventtime.None,
		Config: map[string]string{"execution.checkpointing.interval": "1 s"}}
	c.Attempt.Subtask = subtask
	i, err := kafka.Sink(r.broker.Address, kafka.AsText(), kafka.ToTopic(topic), kafka.ExactlyOnce(topic), kafka.Property("transaction.timeout.ms", "60000")).
		Factory(c, 0, nil)
	if err == nil {
		err = i.Operator.Open()
	}
	e := &exact{r, i.Operator, i.Inputs[0].(operator.Emit[string])}
	if err == nil && from != nil {
		if err = e.part().Restore(from); err == nil {
			err = i.Operator.(operator.Restored).Restored()
		}
	}
	if err != nil {
		r.Fatal(err)
	}
	return e
}

func (e *exact) part() state.OperatorPart {
	return e.op.(interface {
		OperatorState() map[string]state.OperatorPart
	}).OperatorState()["transactions"]
}

func (e *exact) write(values ...string) {
	for _, v := range values {
		e.emit(&v)
	}
}

// snapshot is what a barrier does.
func (e *exact) snapshot(n int64) [][]byte {
	e.r.Helper()
	if err := e.op.(operator.Preparer).BeforeSnapshot(checkpoint.Ref{Epoch: 1, ID: n}); err != nil {
		e.r.Fatal(err)
	}
	return e.part().Snapshot()
}

func (e *exact) completed(n int64) {
	e.r.Helper()
	if err := e.op.(operator.Committer).Completed(checkpoint.Ref{Epoch: 1, ID: n}); err != nil {
		e.r.Fatal(err)
	}
}

// seen are the records that a reader of committed ones sees.
func (r *rig) seen(what, topic string, want ...string) {
	r.Helper()
	r.same(what, committed(r, len(want), kafka.Text(), topic), want...)
}

// committed reads the committed records of a topic, n at least: the broker says that a transaction is committed shortly before its
// records are seen.
func committed[T any](r *rig, n int, decode kafka.Decoder[T], topic string) []T {
	r.Helper()
	deadline := time.Now().Add(patience)
	for {
		got := read(r, 1, decode, kafka.Topics(topic), kafka.Until(kafka.Latest), kafka.Property("isolation.level", "read_committed"))
		if len(got) >= n || time.Now().After(deadline) {
			return got
		}
	}
}

// testTransactions: what a complete checkpoint has is committed, by whoever goes on from it; the rest is aborted.
func testTransactions(r *rig) {
	t := r.topic("t", 1)
	first, second := r.exact(t, 1, 0, 2, nil), r.exact(t, 1, 1, 2, nil)
	first.write("a", "b")
	first.snapshot(1)
	r.seen("prepared", t)
	first.completed(1)
	first.completed(1)
	r.seen("committed", t, "a", "b")

	// Checkpoint 2 is published, but nobody hears of it; checkpoint 3 is not; more is written; then all die, without closing anything.
	first.write("c")
	second.write("d")
	from := append(first.snapshot(2), second.snapshot(2)...)
	if len(from) != 2 {
		r.Fatalf("%d transactions in the state, expected 2", len(from))
	}
	first.write("lost")
	first.snapshot(3)
	first.write("lost too")
	second.write("lost as well")
	if err := second.op.EndInput(); err != nil { // it waits for its records
		r.Fatal(err)
	}

	// Another parallelism: its subtask has to do with both.
	third := r.exact(t, 2, 0, 1, from)
	third.write("e")
	third.snapshot(4)
	third.completed(4)
	r.seen("recovered", t, "a", "b", "c", "d", "e")
	if _, err := r.admin.ListTransactions(r.Context(), nil, []string{"Ongoing"}); err != nil {
		r.Fatal(err)
	}

	// Those that were dead and live again are refused.
	err := func() error {
		if err := second.op.(operator.Preparer).BeforeSnapshot(checkpoint.Ref{Epoch: 1, ID: 3}); err != nil {
			return err
		}
		return second.op.(operator.Committer).Completed(checkpoint.Ref{Epoch: 1, ID: 3})
	}()
	if err == nil || !strings.Contains(err.Error(), "has aborted transaction") {
		r.Errorf("error of a sink that was given up: %v", err)
	}
	// The same state again: what was committed stays so, once.
	again := r.exact(t, 3, 0, 1, from)
	again.write("f")
	if err := again.op.EndInput(); err != nil {
		r.Fatal(err)
	}
	if !again.op.(operator.Committer).Pending() {
		r.Error("the last transaction is not waited for")
	}
	again.snapshot(5)
	again.completed(5)
	r.seen("again", t, "a", "b", "c", "d", "e", "f")

	// A task that fails takes back what it has under way.
	again.write("g")
	if err := again.op.Close(fmt.Errorf("a failure")); err != nil {
		r.Fatal(err)
	}
	deadline := time.Now().Add(patience)
	for left := 1; left > 0; {
		all, err := r.admin.ListTransactions(r.Context(), nil, []string{"Ongoing"})
		if err != nil {
			r.Fatal(err)
		}
		left = 0
		for id := range all {
			if strings.HasPrefix(id, t) {
				left++
			}
		}
		if time.Now().After(deadline) {
			r.Fatalf("%v are under way", all)
		}
	}
	r.seen("closed", t, "a", "b", "c", "d", "e", "f")
	for _, e := range []*exact{first, second, third} {
		if err := e.op.Close(nil); err != nil {
			r.Error(err)
		}
	}
}
