package kafka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/weft-project/weft/operator"
)

// fetchers are the fetchers of a source in this process, one for each subtask that reads.
type fetchers struct {
	s  *settings
	mu sync.Mutex
	of map[*operator.Context]*fetcher
}

func newFetchers(s *settings) *fetchers { return &fetchers{s: s, of: map[*operator.Context]*fetcher{}} }

// fetcher fetches the partitions of a subtask by one client, in goroutines of its own.
type fetcher struct {
	s      *settings
	log    *slog.Logger
	client *kgo.Client
	admin  *kadm.Client
	stop   context.CancelFunc
	end    sync.WaitGroup
	users  int // guarded by fetchers
	// drained is told when there is room again; commits has the newest offsets to commit.
	drained chan struct{}
	commits chan kadm.Offsets

	mu       sync.Mutex
	queues   map[string]map[int32]*queue
	buffered int
}

// queue has the records of a partition on their way from the client to the task. The fetcher's lock guards records, err and fetched.
type queue struct {
	topic     string
	partition int32
	wake      func()
	records   []*kgo.Record
	err       error
	// fetched is the offset behind the last record that has come.
	fetched int64
	// next is the offset behind the last record that was handed on.
	next atomic.Int64
}

// get gives the subtask's fetcher, made when it is the first that is asked for, and has it fetch q.
func (f *fetchers) get(ctx context.Context, q *queue) (*fetcher, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := operator.ContextOf(ctx)
	at := map[string]map[int32]kgo.Offset{q.topic: {q.partition: kgo.NewOffset().At(q.next.Load())}}
	x := f.of[c]
	if x == nil {
		var err error
		if x, err = f.begin(c, q, at); err != nil {
			return nil, err
		}
		f.of[c] = x
	} else {
		x.add(q)
		x.client.AddConsumePartitions(at)
	}
	x.users++
	return x, nil
}

// begin makes a fetcher.
func (f *fetchers) begin(c *operator.Context, q *queue, at map[string]map[int32]kgo.Offset) (*fetcher, error) {
	ctx, stop := context.WithCancel(c.Ctx)
	opts := append(f.s.common[:len(f.s.common):len(f.s.common)], f.s.consumer...)
	opts = append(opts, kgo.WithContext(ctx), kgo.ConsumePartitions(at), kgo.ConsumeResetOffset(f.s.resetOffset()),
		// The end of a partition may be the mark of a transaction: only who sees it knows that it was reached.
		kgo.KeepControlRecords())
	client, err := kgo.NewClient(opts...)
	if err != nil {
		stop()
		return nil, operator.User(fmt.Errorf("kafka at %s: %w", f.s.at(), err))
	}
	x := &fetcher{s: f.s, log: c.Log, client: client, admin: kadm.NewClient(client), stop: stop,
		drained: make(chan struct{}, 1), commits: make(chan kadm.Offsets, 1), queues: map[string]map[int32]*queue{}}
	x.add(q)
	x.end.Go(func() { x.fetch(ctx) })
	if f.s.group != "" {
		x.end.Go(func() { x.commitLoop(ctx) })
	}
	return x, nil
}

// resetOffset is where a partition goes on whose offset is not there any more.
func (s *settings) resetOffset() kgo.Offset {
	switch s.reset {
	case "earliest":
		return kgo.NewOffset().AtStart()
	case "latest":
		return kgo.NewOffset().AtEnd()
	}
	return kgo.NoResetOffset()
}

func (x *fetcher) add(q *queue) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.queues[q.topic] == nil {
		x.queues[q.topic] = map[int32]*queue{}
	}
	x.queues[q.topic][q.partition] = q
}

// release ends the fetching of q, and the fetcher with its last one.
func (f *fetchers) release(ctx context.Context, x *fetcher, q *queue) {
	f.mu.Lock()
	x.users--
	last := x.users == 0
	if last {
		delete(f.of, operator.ContextOf(ctx))
	}
	f.mu.Unlock()
	if !last {
		x.mu.Lock()
		delete(x.queues[q.topic], q.partition)
		x.buffered -= len(q.records)
		x.mu.Unlock()
		x.room()
		x.client.RemoveConsumePartitions(map[string][]int32{q.topic: {q.partition}})
		return
	}
	if x.s.autoCommit > 0 {
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastCommit)
		x.send(bounded, x.positions())
		cancel()
	}
	x.stop()
	x.client.Close()
	x.end.Wait()
}

// lastCommit bounds the commit with which a source ends.
const lastCommit = 10 * time.Second

// fetch takes what the client has fetched as long as there is room.
func (x *fetcher) fetch(ctx context.Context) {
	for {
		fetches := x.client.PollRecords(ctx, x.s.pollRecords)
		if ctx.Err() != nil || fetches.IsClientClosed() {
			return
		}
		for x.dispatch(fetches) > x.s.pollRecords {
			fetches = nil
			select {
			case <-x.drained:
			case <-ctx.Done():
				return
			}
		}
	}
}

// dispatch hands fetched records to their queues and says how many wait.
func (x *fetcher) dispatch(fetches kgo.Fetches) int {
	x.mu.Lock()
	defer x.mu.Unlock()
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		if p.Partition < 0 && p.Err != nil {
			x.broadcast(p.Topic, p.Err)
			return
		}
		if q := x.queues[p.Topic][p.Partition]; q != nil { // else it was released meanwhile
			x.enqueue(q, p)
		}
	})
	return x.buffered
}

// broadcast hands an error to the queues of a topic, or to all where it is about none.
func (x *fetcher) broadcast(topic string, err error) {
	for t, ps := range x.queues {
		for _, q := range ps {
			if topic == "" || topic == t {
				x.fail(q, err)
			}
		}
	}
}

func (x *fetcher) fail(q *queue, err error) {
	if err = x.fatal(q, err); err != nil {
		q.err = err
		q.wake()
	}
}

func (x *fetcher) enqueue(q *queue, p kgo.FetchTopicPartition) {
	if p.Err != nil {
		x.fail(q, p.Err)
	}
	if q.fetched < p.LogStartOffset {
		x.log.Warn("Kafka: records were deleted before they were read", "topic", q.topic, "partition", q.partition,
			"expected", q.fetched, "oldest", p.LogStartOffset)
		q.fetched = p.LogStartOffset
	}
	if n := len(p.Records); n > 0 {
		q.records = append(q.records, p.Records...)
		q.fetched = p.Records[n-1].Offset + 1
		x.buffered += n
		q.wake()
	}
}

// fatal gives the error that ends the reading of a partition; nil for those that the client goes on after.
func (x *fetcher) fatal(q *queue, err error) error {
	where := fmt.Sprintf("partition %d of topic %q", q.partition, q.topic)
	var lost *kgo.ErrDataLoss
	switch {
	case errors.Is(err, kerr.OffsetOutOfRange):
		return operator.User(fmt.Errorf("kafka at %s has %s not at offset %d: %w: its records were deleted; auto.offset.reset (earliest, latest) says where to go on",
			x.s.at(), where, q.next.Load(), err))
	case errors.As(err, &lost):
		if x.s.reset == "" || x.s.reset == "none" {
			return operator.User(fmt.Errorf("kafka at %s has lost records of %s: %w: auto.offset.reset (earliest, latest) says where to go on", x.s.at(), where, err))
		}
	case !passing(err):
		return x.s.failed(where+" cannot be read", err)
	}
	x.log.Warn("Kafka: reading is tried again", "topic", q.topic, "partition", q.partition, "error", err)
	return nil
}

// passing tells whether an error is one that the client tries again after.
func passing(err error) bool {
	var lost *kgo.ErrDataLoss // the client goes on as auto.offset.reset says
	var network net.Error
	return kerr.IsRetriable(err) && !errors.Is(err, kerr.UnknownTopicOrPartition) || errors.As(err, &lost) || errors.As(err, &network) || errors.Is(err, io.EOF)
}

// take gives all records of a queue that have come.
func (x *fetcher) take(q *queue) ([]*kgo.Record, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	records := q.records
	q.records = nil
	x.buffered -= len(records)
	x.room()
	return records, q.err
}

// room wakes the goroutine that fetches.
func (x *fetcher) room() {
	select {
	case x.drained <- struct{}{}:
	default:
	}
}

// positions are how far all partitions have been read.
func (x *fetcher) positions() kadm.Offsets {
	x.mu.Lock()
	defer x.mu.Unlock()
	out := kadm.Offsets{}
	for _, ps := range x.queues {
		for _, q := range ps {
			out.AddOffset(q.topic, q.partition, q.next.Load(), -1)
		}
	}
	return out
}

// commit is SplitSource's Committed.
func (f *fetchers) commit(ctx context.Context, splits []Split) {
	f.mu.Lock()
	x := f.of[operator.ContextOf(ctx)]
	f.mu.Unlock()
	if x == nil || len(splits) == 0 {
		return
	}
	offsets := kadm.Offsets{}
	for _, s := range splits {
		offsets.AddOffset(s.Topic, s.Partition, s.From, -1)
	}
	select {
	case <-x.commits: // older ones are of no use any more
	default:
	}
	x.commits <- offsets // this goroutine alone sends
}

// commitLoop commits what checkpoints say, or, where it is asked for, how far was read every so often.
func (x *fetcher) commitLoop(ctx context.Context) {
	var tick <-chan time.Time
	if x.s.autoCommit > 0 {
		t := time.NewTicker(x.s.autoCommit)
		defer t.Stop()
		tick = t.C
	}
	for {
		select {
		case <-ctx.Done():
			return
		case offsets := <-x.commits:
			x.send(ctx, offsets)
		case <-tick:
			x.send(ctx, x.positions())
		}
	}
}

// send commits offsets. A job does not depend on them: that it failed is told, no more.
func (x *fetcher) send(ctx context.Context, offsets kadm.Offsets) {
	if err := x.admin.CommitAllOffsets(ctx, x.s.group, offsets); err != nil && ctx.Err() == nil {
		x.log.Warn("Kafka: offsets could not be committed", "brokers", x.s.at(), "group", x.s.group, "error", err)
	}
}
