package kafka

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"maps"
	"regexp"
	"slices"
	"time"

	"github.com/weft-project/weft/operator"
)

// Topics are the topics that a source reads.
func Topics(names ...string) Option {
	return func(s *settings) { s.topics = append(s.topics, names...) }
}

// Pattern has a source read all topics whose whole name a regular expression describes, also those that are made later.
func Pattern(expression string) Option { return func(s *settings) { s.pattern = expression } }

// Group is the consumer group (group.id) to which the source commits how far it has read, whenever a checkpoint is complete.
// The partitions are not shared with other members of the group.
func Group(id string) Option { return Property("group.id", id) }

// From is where a source begins that has no checkpoint to go on from; Earliest without it. Partitions that are found later are
// read from their beginning.
func From(p Position) Option { return func(s *settings) { s.start = p } }

// Until makes the source end: each partition is read up to the offset, which is settled when the job begins and not read itself.
func Until(p Position) Option { return func(s *settings) { s.stop = &p } }

// Discover is how often new partitions are looked for (partition.discovery.interval.ms), every 5 minutes without it; 0 for never. A source
// that ends does not look for more.
func Discover(every time.Duration) Option {
	return Property("partition.discovery.interval.ms", fmt.Sprint(every.Milliseconds()))
}

// Split is a partition, or what is left of it.
type Split struct {
	Topic     string
	Partition int32
	// From is the next offset; Until the one before which it ends, endless for none.
	From, Until int64
}

// endless is Until where a split has no end.
const endless = -1

// allAtOnce is more splits than a subtask will read side by side.
const allAtOnce = 1 << 20

// Source reads topics of the brokers, host:port separated by commas.
//
// Each partition is read by one subtask; further subtasks have nothing to do. Timestamps of records are those of Kafka where a watermark
// strategy has no function for them.
func Source[T any](brokers string, decode Decoder[T], opts ...Option) operator.SplitSource[T, Split] {
	s := settingsOf(brokers, opts)
	match := s.matcher()
	if s.err == nil && decode == nil {
		s.fail("kafka at %s: there is no decoder: expected Text(), JSON, Bytes(), Records() or one of your own", s.at())
	}
	fetchers := newFetchers(s)
	src := operator.SplitSource[T, Split]{
		AtOnce: allAtOnce, Unbounded: s.stop == nil, Invalid: s.err, Owner: owner,
		Open: func(ctx context.Context, split Split, wake func()) (operator.SplitReader[T], error) {
			return openReader(ctx, fetchers, split, decode, wake)
		},
	}
	if s.group != "" && s.commit {
		src.Committed = fetchers.commit
	}
	if s.stop == nil {
		src.Discover = func(ctx context.Context, e *operator.Enumeration[Split]) error { return s.watch(ctx, e, match) }
		return src
	}
	src.Plan = func(ctx context.Context, _ int) ([]Split, error) {
		c, err := s.cluster(ctx)
		if err != nil {
			return nil, err
		}
		defer c.close()
		found, err := c.find(ctx, match)
		if err != nil {
			return nil, err
		}
		return c.splits(ctx, s.start, found)
	}
	return src
}

// matcher checks what the options of a source say. It is nil where topics are named.
func (s *settings) matcher() func(string) bool {
	if (len(s.topics) == 0) == (s.pattern == "") {
		s.fail("kafka at %s: topics %q and pattern %q: expected either Topics or Pattern", s.at(), s.topics, s.pattern)
	}
	asked := s.start.kind == committed || s.stop != nil && s.stop.kind == committed
	if s.group == "" && (asked || s.autoCommit > 0) {
		s.fail("kafka at %s: committed offsets are asked for without a consumer group: expected Group, or property group.id", s.at())
	}
	if s.start.kind == committed && s.start.orElse != nowhere && s.start.orElse != earliest && s.start.orElse != latest {
		s.fail("kafka at %s: CommittedOr: expected Earliest or Latest", s.at())
	}
	if s.reset == "" && s.start.kind == earliest {
		s.reset = "earliest" // what was the oldest may be deleted before it is read
	}
	if s.pattern == "" {
		return nil
	}
	re, err := regexp.Compile(`^(?:` + s.pattern + `)$`)
	if err != nil {
		s.fail("pattern %q of topics: %w", s.pattern, err)
		return nil
	}
	return re.MatchString
}

// owner spreads the partitions of each topic evenly, as Flink does.
func owner(split Split, subtasks int) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(split.Topic)) // it gives no error
	return int((uint64(h.Sum32()) + uint64(split.Partition)) % uint64(subtasks))
}

// splits makes splits of partitions.
func (c *cluster) splits(ctx context.Context, start Position, in partitions) ([]Split, error) {
	from, err := c.settle(ctx, start, in)
	if err != nil {
		return nil, err
	}
	var until map[string]map[int32]int64
	if c.s.stop != nil {
		if until, err = c.settle(ctx, *c.s.stop, in); err != nil {
			return nil, err
		}
	}
	var first map[string]map[int32]int64
	if start.kind == given {
		if first, err = c.settle(ctx, Earliest, in); err != nil {
			return nil, err
		}
	}
	var out []Split
	for _, t := range slices.Sorted(maps.Keys(in)) {
		for _, n := range in[t] {
			split := Split{Topic: t, Partition: n, Until: endless}
			var ok bool
			if split.From, ok = from[t][n]; !ok {
				split.From = first[t][n]
			}
			if o, ok := until[t][n]; ok {
				split.Until = o
			}
			out = append(out, split)
		}
	}
	return out, nil
}

// watched is what a source goes on from that looks for partitions: those that were found.
type watched struct{ Seen partitions }

// watch looks for partitions until ctx ends.
func (s *settings) watch(ctx context.Context, e *operator.Enumeration[Split], match func(string) bool) error {
	c, err := s.cluster(ctx)
	if err != nil {
		return err
	}
	defer c.close()
	seen, start := watched{partitions{}}, s.start
	if e.State != nil {
		if err := json.Unmarshal(e.State, &seen); err != nil {
			return fmt.Errorf("kafka at %s: the partitions that were found before: %w", s.at(), err)
		}
		start = Earliest
	}
	log := operator.ContextOf(ctx).Log
	for first := true; ; first = false {
		splits, err := c.fresh(ctx, start, match, &seen)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && first:
			return err
		case err != nil:
			log.Warn("new partitions could not be looked for; what is read goes on", "error", err)
		case first || len(splits) > 0:
			state, err := json.Marshal(seen)
			if err != nil {
				return err
			}
			e.Found(state, splits...)
			start = Earliest // nothing of what comes later is missed
		}
		if s.discover <= 0 {
			return nil
		}
		wait := time.NewTimer(s.discover)
		select {
		case <-ctx.Done():
			wait.Stop()
			return nil
		case <-wait.C:
		}
	}
}

// fresh gives the splits of partitions that were not seen, and notes them.
func (c *cluster) fresh(ctx context.Context, start Position, match func(string) bool, seen *watched) ([]Split, error) {
	found, err := c.find(ctx, match)
	if err != nil {
		return nil, err
	}
	fresh, now := partitions{}, watched{partitions{}}
	maps.Copy(now.Seen, seen.Seen)
	for t, ps := range found {
		for _, n := range ps {
			if !slices.Contains(seen.Seen[t], n) {
				fresh[t] = append(fresh[t], n)
			}
		}
		now.Seen[t] = ps
	}
	splits, err := c.splits(ctx, start, fresh)
	if err == nil {
		*seen = now
	}
	return splits, err
}
