package kafka

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/weft-project/weft/operator"
)

// Position is a place in each partition of the topics.
type Position struct {
	kind    positionKind
	orElse  positionKind
	millis  int64
	offsets map[string]map[int32]int64
}

type positionKind int

const (
	earliest positionKind = iota
	latest
	committed
	atTime
	given
	nowhere
)

// Positions.
var (
	// Earliest is the oldest record that is still there.
	Earliest = Position{kind: earliest}
	// Latest is behind the newest record when the job begins.
	Latest = Position{kind: latest}
	// Committed is what the consumer group has committed. A partition of which it has committed nothing fails the job; see CommittedOr.
	Committed = Position{kind: committed, orElse: nowhere}
)

// CommittedOr is Committed, and Earliest or Latest in partitions of which the group has committed nothing.
func CommittedOr(p Position) Position { return Position{kind: committed, orElse: p.kind} }

// Time is the first record whose timestamp is not before t; where there is none, behind the newest.
func Time(t time.Time) Position { return Position{kind: atTime, millis: t.UnixMilli()} }

// Offsets gives places by topic and partition. Partitions that are not named are read from their beginning, and not to an end.
func Offsets(o map[string]map[int32]int64) Position { return Position{kind: given, offsets: o} }

// partitions are the partitions of topics.
type partitions map[string][]int32

// cluster is what an enumerator asks of the brokers.
type cluster struct {
	s     *settings
	admin *kadm.Client
}

// askLimit bounds a question to the brokers.
const askLimit = time.Minute

func (s *settings) cluster(ctx context.Context) (*cluster, error) {
	c, err := kgo.NewClient(append(s.common[:len(s.common):len(s.common)], kgo.WithContext(ctx), kgo.RetryTimeout(askLimit))...)
	if err != nil {
		return nil, operator.User(fmt.Errorf("kafka at %s: %w", s.at(), err))
	}
	return &cluster{s, kadm.NewClient(c)}, nil
}

func (c *cluster) close() { c.admin.Close() }

// at names the brokers.
func (s *settings) at() string { return strings.Join(s.brokers, ",") }

// failed says what a question to the brokers came to, and what to do.
func (s *settings) failed(what string, err error) error {
	switch {
	case errors.Is(err, kerr.TopicAuthorizationFailed), errors.Is(err, kerr.GroupAuthorizationFailed), errors.Is(err, kerr.ClusterAuthorizationFailed),
		errors.Is(err, kerr.TransactionalIDAuthorizationFailed):
		return operator.User(fmt.Errorf("kafka at %s: %s: %w: have its administrator grant it (kafka-acls.sh)", s.at(), what, err))
	case errors.Is(err, kerr.InvalidTransactionTimeout):
		return operator.User(fmt.Errorf("kafka at %s: %s: %w: lower transaction.timeout.ms (%d) to the transaction.max.timeout.ms of the brokers",
			s.at(), what, err, s.timeout.Milliseconds()))
	case errors.Is(err, kerr.SaslAuthenticationFailed), errors.Is(err, kerr.IllegalSaslState), errors.Is(err, kerr.UnsupportedSaslMechanism):
		return operator.User(fmt.Errorf("kafka at %s: %s: %w: look at sasl.mechanism and sasl.jaas.config", s.at(), what, err))
	}
	return operator.External(fmt.Errorf("kafka at %s: %s: %w: see whether bootstrap.servers and security.protocol are right and the brokers run",
		s.at(), what, err))
}

// find lists the partitions of the topics that are wanted. The error of one that is not there is kerr.UnknownTopicOrPartition.
func (c *cluster) find(ctx context.Context, match func(string) bool) (partitions, error) {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	// With a pattern all topics are listed.
	all, err := c.admin.ListTopics(ctx, c.s.topics...)
	if err != nil {
		return nil, c.s.failed("its topics cannot be listed", err)
	}
	found := partitions{}
	for _, t := range all.Sorted() {
		if match != nil && !match(t.Topic) {
			continue
		}
		switch {
		case errors.Is(t.Err, kerr.UnknownTopicOrPartition):
			return nil, operator.User(fmt.Errorf("kafka at %s has no topic %q: create it, or correct the name: %w", c.s.at(), t.Topic, t.Err))
		case t.Err != nil:
			return nil, c.s.failed(fmt.Sprintf("topic %q", t.Topic), t.Err)
		}
		found[t.Topic] = t.Partitions.Numbers()
	}
	return found, nil
}

// settle gives the offsets of a position in partitions; there is none for those that Offsets does not name.
func (c *cluster) settle(ctx context.Context, p Position, in partitions) (map[string]map[int32]int64, error) {
	if len(in) == 0 {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	var topics []string
	for t := range in {
		topics = append(topics, t)
	}
	list := func(ask func(context.Context, ...string) (kadm.ListedOffsets, error)) (map[string]map[int32]int64, error) {
		listed, err := ask(ctx, topics...)
		if err == nil {
			err = listed.Error()
		}
		if err != nil {
			return nil, c.s.failed(fmt.Sprintf("offsets of the topics %q cannot be listed", topics), err)
		}
		out := map[string]map[int32]int64{}
		listed.Each(func(o kadm.ListedOffset) { put(out, o.Topic, o.Partition, o.Offset) })
		return out, nil
	}
	switch p.kind {
	case earliest:
		return list(c.admin.ListStartOffsets)
	case latest:
		if c.s.committed {
			return list(c.admin.ListCommittedOffsets) // what is not committed will not be read
		}
		return list(c.admin.ListEndOffsets)
	case atTime:
		return list(func(ctx context.Context, t ...string) (kadm.ListedOffsets, error) {
			return c.admin.ListOffsetsAfterMilli(ctx, p.millis, t...)
		})
	case committed:
		return c.committed(ctx, p, in)
	}
	return p.offsets, nil
}

// committed gives what the group has committed.
func (c *cluster) committed(ctx context.Context, p Position, in partitions) (map[string]map[int32]int64, error) {
	fetched, err := c.admin.FetchOffsets(ctx, c.s.group)
	if err == nil {
		err = fetched.Error()
	}
	if err != nil {
		return nil, c.s.failed(fmt.Sprintf("what consumer group %q has committed cannot be read", c.s.group), err)
	}
	out, missing := map[string]map[int32]int64{}, partitions{}
	for t, ps := range in {
		for _, n := range ps {
			if o, ok := fetched.Lookup(t, n); ok && o.At >= 0 {
				put(out, t, n, o.At)
				continue
			}
			if p.orElse == nowhere {
				return nil, operator.User(fmt.Errorf("consumer group %q has committed no offset of partition %d of topic %q at %s: expected one; CommittedOr says where to begin without",
					c.s.group, n, t, c.s.at()))
			}
			missing[t] = append(missing[t], n)
		}
	}
	others, err := c.settle(ctx, Position{kind: p.orElse}, missing)
	for t, ps := range missing {
		for _, n := range ps {
			put(out, t, n, others[t][n])
		}
	}
	return out, err
}

func put(m map[string]map[int32]int64, topic string, partition int32, offset int64) {
	if m[topic] == nil {
		m[topic] = map[int32]int64{}
	}
	m[topic][partition] = offset
}
