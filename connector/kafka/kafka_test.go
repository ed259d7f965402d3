//go:build realhadoop && long

package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/weft-project/weft/connector/kafka"
	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/internal/kafkatest"
	"github.com/weft-project/weft/operator"
	"github.com/weft-project/weft/stream"
	"github.com/weft-project/weft/streamtest"
)

// patience bounds what takes moments on an idle machine.
const patience = 3 * time.Minute

// rig is a broker and a client of it.
type rig struct {
	*testing.T
	broker *kafkatest.Broker
	client *kgo.Client
	admin  *kadm.Client
}

// One broker serves all tests: it takes longer to start than most of them.
func TestOnARealBroker(t *testing.T) {
	b := kafkatest.Start(t)
	c, err := kgo.NewClient(kgo.SeedBrokers(b.Address), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	for _, test := range []struct {
		name string
		run  func(*rig)
	}{
		{"bounded", testBounded}, {"positions", testPositions}, {"decoders", testDecoders}, {"discovery", testDiscovery}, {"resumed", testResumed},
		{"watermarks", testWatermarks}, {"aborted", testAborted}, {"security", testSecurity}, {"errors", testErrors}, {"sink", testSink}, {"transactions", testTransactions},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(&rig{t, b, c, kadm.NewClient(c)}) })
	}
}

// topic makes a topic of the test's name.
func (r *rig) topic(name string, partitions int32) string {
	r.Helper()
	name = strings.NewReplacer("/", "-", "_", "-").Replace(strings.ToLower(r.Name())) + "-" + name
	if _, err := r.admin.CreateTopic(r.Context(), partitions, 1, nil, name); err != nil {
		r.Fatal(err)
	}
	return name
}

// send writes values to a partition, with timestamps of 0, 1000, 2000, … milliseconds behind from.
func (r *rig) send(topic string, partition int32, from int, values ...string) {
	r.Helper()
	for i, v := range values {
		rec := &kgo.Record{Topic: topic, Partition: partition, Value: []byte(v), Timestamp: time.UnixMilli(int64(1000 * (from + i)))}
		if err := r.client.ProduceSync(r.Context(), rec).FirstErr(); err != nil {
			r.Fatal(err)
		}
	}
}

func series(prefix string, from, to int) []string {
	var out []string
	for i := from; i < to; i++ {
		out = append(out, fmt.Sprint(prefix, i))
	}
	return out
}

// read runs a job that reads a bounded source.
func read[T any](r *rig, parallelism int, decode kafka.Decoder[T], opts ...kafka.Option) []T {
	r.Helper()
	env := stream.New()
	out := streamtest.Collect(stream.FromSource(env, "read", kafka.Source(r.broker.Address, decode, opts...)), "out")
	streamtest.Run(r, env, streamtest.Parallelism(parallelism))
	return out.Values()
}

func (r *rig) same(what string, got []string, want ...string) {
	r.Helper()
	got, want = slices.Clone(got), slices.Clone(want)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		r.Errorf("%s: %q, expected %q", what, got, want)
	}
}

func testBounded(r *rig) {
	a, b := r.topic("a", 3), r.topic("b", 1)
	var want []string
	for p := range int32(3) {
		v := series(fmt.Sprint("a", p, "-"), 0, 700)
		want = append(want, v...)
		var recs []*kgo.Record
		for _, s := range v {
			recs = append(recs, &kgo.Record{Topic: a, Partition: p, Value: []byte(s)})
		}
		if err := r.client.ProduceSync(r.Context(), recs...).FirstErr(); err != nil {
			r.Fatal(err)
		}
	}
	r.send(b, 0, 0, "b0", "b1")
	for _, parallelism := range []int{1, 2, 5} {
		got := read(r, parallelism, kafka.Text(), kafka.Topics(a, b), kafka.Until(kafka.Latest))
		r.same(fmt.Sprint("parallelism ", parallelism), got, append([]string{"b0", "b1"}, want...)...)
	}
	got := read(r, 2, kafka.Text(), kafka.Pattern(b[:len(b)-1]+"[a-c]"), kafka.Until(kafka.Offsets(map[string]map[int32]int64{
		a: {0: 1, 1: 0, 2: 2}, b: {0: 1}})))
	r.same("pattern", got, "a0-0", "a2-0", "a2-1", "b0")
}

func testPositions(r *rig) {
	t := r.topic("t", 2)
	r.send(t, 0, 0, series("x", 0, 5)...)
	r.send(t, 1, 3, series("y", 0, 3)...) // times 3, 4, 5
	offsets := kadm.Offsets{}
	offsets.AddOffset(t, 0, 4, -1)
	if err := r.admin.CommitAllOffsets(r.Context(), "half", offsets); err != nil {
		r.Fatal(err)
	}
	until := kafka.Until(kafka.Latest)
	for name, c := range map[string]struct {
		opts []kafka.Option
		want []string
	}{
		"latest":       {[]kafka.Option{kafka.From(kafka.Latest), until}, nil},
		"time":         {[]kafka.Option{kafka.From(kafka.Time(time.Unix(4, 0))), until}, []string{"x4", "y1", "y2"}},
		"until time":   {[]kafka.Option{kafka.Until(kafka.Time(time.Unix(4, 0)))}, []string{"x0", "x1", "x2", "x3", "y0"}},
		"offsets":      {[]kafka.Option{kafka.From(kafka.Offsets(map[string]map[int32]int64{t: {0: 3}})), until}, []string{"x3", "x4", "y0", "y1", "y2"}},
		"committed":    {[]kafka.Option{kafka.From(kafka.CommittedOr(kafka.Latest)), kafka.Group("half"), until}, []string{"x4"}},
		"or earliest":  {[]kafka.Option{kafka.From(kafka.CommittedOr(kafka.Earliest)), kafka.Group("half"), until}, []string{"x4", "y0", "y1", "y2"}},
		"no committed": {[]kafka.Option{kafka.From(kafka.CommittedOr(kafka.Earliest)), kafka.Group("none"), kafka.Until(kafka.Time(time.Unix(1, 0)))}, []string{"x0"}},
	} {
		r.same(name, read(r, 2, kafka.Text(), append(c.opts, kafka.Topics(t))...), c.want...)
	}
}

func testDecoders(r *rig) {
	t := r.topic("t", 1)
	recs := []*kgo.Record{{Topic: t, Key: []byte("k"), Value: []byte(`{"N": 7}`), Headers: []kgo.RecordHeader{{Key: "h", Value: []byte("v")}},
		Timestamp: time.UnixMilli(1234)}, {Topic: t, Key: []byte("k")}, {Topic: t, Value: []byte(`{"N": 8}`)}}
	if err := r.client.ProduceSync(r.Context(), recs...).FirstErr(); err != nil {
		r.Fatal(err)
	}
	opts := []kafka.Option{kafka.Topics(t), kafka.Until(kafka.Latest)}
	type doc struct{ N int }
	if got := read(r, 1, kafka.JSON[doc](), opts...); !slices.Equal(got, []doc{{7}, {8}}) {
		r.Errorf("documents %v", got)
	}
	got := read(r, 1, kafka.Records(), opts...)
	if want := `{decoders 0 0 1234 k {"N": 7} [{h v}]}`; len(got) != 3 || got[1].Value != nil ||
		fmt.Sprintf("{decoders %d %d %d %s %s [{%s %s}]}", got[0].Partition, got[0].Offset, got[0].Timestamp, got[0].Key, got[0].Value, got[0].Headers[0].Key,
			got[0].Headers[0].Value) != want {
		r.Errorf("records %v, expected first %s", got, want)
	}
	own := kafka.Decoder[int](func(rec *kafka.Record, v *int) error {
		if rec.Offset == 0 {
			return kafka.ErrSkip
		}
		*v = len(rec.Value)
		return nil
	})
	if got := read(r, 1, own, opts...); !slices.Equal(got, []int{0, 8}) {
		r.Errorf("own %v", got)
	}
	env := stream.New()
	stream.Discard(stream.FromSource(env, "read", kafka.Source(r.broker.Address, kafka.JSON[[]int](), opts...)), "end")
	_, err := env.Execute(r.Context(), "bad")
	if err == nil || !strings.Contains(err.Error(), "the record at offset 0 of partition 0 of topic") {
		r.Errorf("error %v", err)
	}
}

// running runs a job without an end; values tells what has come.
func running(r *rig, build func(env *stream.Env) *stream.Stream[string]) (wait func(want ...string), stop func()) {
	var mu sync.Mutex
	var got []string
	more := make(chan struct{}, 1)
	env := stream.New()
	env.SetParallelism(2)
	stream.ForEach(build(env), "each", func(v string) {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, v)
		select {
		case more <- struct{}{}:
		default:
		}
	})
	ctx, cancel := context.WithCancel(r.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := env.Execute(ctx, "running")
		ended <- err
	}()
	wait = func(want ...string) {
		r.Helper()
		deadline := time.After(patience)
		for {
			mu.Lock()
			have := slices.Clone(got)
			mu.Unlock()
			if len(have) >= len(want) {
				r.same("records", have, want...)
				return
			}
			select {
			case <-more:
			case err := <-ended:
				r.Fatalf("the job has ended: %v", err)
			case <-deadline:
				r.Fatalf("%q, expected %q", have, want)
			}
		}
	}
	return wait, func() {
		cancel()
		if err := <-ended; err == nil {
			r.Error("the job has ended by itself")
		}
	}
}

func testDiscovery(r *rig) {
	a := r.topic("a", 1)
	r.send(a, 0, 0, "old")
	wait, stop := running(r, func(env *stream.Env) *stream.Stream[string] {
		return stream.FromSource(env, "read", kafka.Source(r.broker.Address, kafka.Text(), kafka.Pattern(a[:len(a)-1]+"."), kafka.From(kafka.Latest),
			kafka.Discover(50*time.Millisecond), kafka.Group("auto"), kafka.Property("enable.auto.commit", "true"),
			kafka.Property("auto.commit.interval.ms", "50")))
	})
	// What is written before the job has looked is not read: the marker shows when it has.
	for marked := false; !marked; {
		o, err := r.admin.FetchOffsets(r.Context(), "auto")
		if err != nil {
			r.Fatal(err)
		}
		at, ok := o.Lookup(a, 0)
		marked = ok && at.At == 1
	}
	r.send(a, 0, 0, "new")
	wait("new")
	b := r.topic("b", 2)
	r.send(b, 1, 0, "b1")
	if _, err := r.admin.UpdatePartitions(r.Context(), 3, a); err != nil {
		r.Fatal(err)
	}
	for sent := false; !sent; { // the broker may not know the partition yet
		res := r.client.ProduceSync(r.Context(), &kgo.Record{Topic: a, Partition: 2, Value: []byte("a2")})
		if sent = res.FirstErr() == nil; !sent {
			r.client.ForceMetadataRefresh()
		}
	}
	wait("new", "b1", "a2")
	stop()
	o, err := r.admin.FetchOffsets(r.Context(), "auto")
	if err != nil {
		r.Fatal(err)
	}
	if at, _ := o.Lookup(a, 0); at.At != 2 {
		r.Errorf("committed %d, expected 2", at.At)
	}
}

// testResumed reads a little, goes on from what is left in another source, and commits what a checkpoint says.
func testResumed(r *rig) {
	t := r.topic("t", 1)
	r.send(t, 0, 0, series("x", 0, 6)...)
	src := kafka.Source(r.broker.Address, kafka.Text(), kafka.Topics(t), kafka.Group("resumed"))
	ctx := operator.WithContext(r.Context(), &operator.Context{Ctx: r.Context(), Log: slog.New(slog.DiscardHandler), Attempt: id.Attempt{}})
	split := kafka.Split{Topic: t, From: 1, Until: -1}
	take := func(n int) (got []string) {
		woken := make(chan struct{}, 100)
		reader, err := src.Open(ctx, split, func() { woken <- struct{}{} })
		if err != nil {
			r.Fatal(err)
		}
		for len(got) < n {
			status, err := reader.Read(func(v *string) { got = append(got, *v) })
			if err != nil {
				r.Fatal(err)
			}
			if status == operator.Idle {
				<-woken
			}
		}
		split = reader.(operator.Resumable[kafka.Split]).Remaining()
		src.Committed(ctx, []kafka.Split{split})
		deadline := time.Now().Add(patience)
		for {
			o, err := r.admin.FetchOffsets(ctx, "resumed")
			if err != nil {
				r.Fatal(err)
			}
			if at, ok := o.Lookup(t, 0); ok && at.At == split.From {
				break
			}
			if time.Now().After(deadline) {
				r.Fatalf("not committed: %v", o)
			}
		}
		if err := reader.Close(); err != nil {
			r.Fatal(err)
		}
		return got
	}
	r.same("first", take(5), series("x", 1, 6)...)
	r.send(t, 0, 0, series("x", 6, 9)...)
	r.same("then", take(3), series("x", 6, 9)...)
}

// testWatermarks: times are Kafka's, and a partition that is behind is waited for.
func testWatermarks(r *rig) {
	t := r.topic("t", 2)
	r.send(t, 0, 0, series("", 0, 60)...)
	r.send(t, 1, 0, "a", "b")
	env := stream.New()
	s := stream.FromTimedSource(env, "read", kafka.Source(r.broker.Address, kafka.Text(), kafka.Topics(t), kafka.Until(kafka.Latest)),
		stream.Monotonous[string](nil))
	counts := stream.AggregateWindowWith(stream.WindowAll(s, stream.Tumbling(30*time.Second)), "count", stream.Aggregate[string, int, int]{
		Add: func(acc *int, _ *string) { *acc++ }, Merge: func(acc, o *int) { *acc += *o }, Result: func(acc *int) int { return *acc },
	}, func(c *stream.WindowContext[stream.All], n int, emit func(string)) {
		emit(fmt.Sprint(c.Window.Start, " ", n))
	})
	out := streamtest.Collect(counts, "out")
	streamtest.Run(r, env, streamtest.Parallelism(2))
	r.same("windows", out.Values(), "0 32", "30000 30")
}

// testAborted: of transactions only what was committed is read, and their marks at the end of a partition are no records.
func testAborted(r *rig) {
	t := r.topic("t", 1)
	c, err := kgo.NewClient(kgo.SeedBrokers(r.broker.Address), kgo.TransactionalID(t), kgo.DefaultProduceTopic(t))
	if err != nil {
		r.Fatal(err)
	}
	defer c.Close()
	for i, commit := range []kgo.TransactionEndTry{kgo.TryCommit, kgo.TryAbort} {
		err := c.BeginTransaction()
		if err == nil {
			err = c.ProduceSync(r.Context(), kgo.StringRecord(fmt.Sprint("t", i))).FirstErr()
		}
		if err = errors.Join(err, c.EndTransaction(r.Context(), commit)); err != nil {
			r.Fatal(err)
		}
	}
	committed := kafka.Property("isolation.level", "read_committed")
	r.same("committed", read(r, 1, kafka.Text(), kafka.Topics(t), kafka.Until(kafka.Latest), committed), "t0")
	r.same("uncommitted", read(r, 1, kafka.Text(), kafka.Topics(t), kafka.Until(kafka.Latest)), "t0", "t1")
}

func testSecurity(r *rig) {
	t := r.topic("t", 1)
	r.send(t, 0, 0, "secret")
	res, err := r.admin.AlterUserSCRAMs(r.Context(), nil, []kadm.UpsertSCRAM{{User: "bob", Mechanism: kadm.ScramSha256, Iterations: 4096, Password: "pass\"word"}})
	if err == nil {
		err = res.Error()
	}
	if err != nil {
		r.Fatal(err)
	}
	jaas := map[string]string{
		"PLAIN":         fmt.Sprintf(`org.apache.kafka.common.security.plain.PlainLoginModule required username="%s" password="%s";`, kafkatest.User, kafkatest.Password),
		"SCRAM-SHA-256": `org.apache.kafka.common.security.scram.ScramLoginModule required username="bob" password="pass\"word";`,
	}
	execute := func(properties map[string]string) ([]string, error) {
		var got []string
		env := stream.New()
		env.SetParallelism(1)
		stream.ForEach(stream.FromSource(env, "read", kafka.Source(r.broker.Secured, kafka.Text(), kafka.Topics(t), kafka.Until(kafka.Latest),
			kafka.Properties(properties))), "each", func(v string) { got = append(got, v) })
		_, err := env.Execute(r.Context(), "secured")
		return got, err
	}
	for mechanism, config := range jaas {
		got, err := execute(map[string]string{"security.protocol": "SASL_SSL", "sasl.mechanism": mechanism, "sasl.jaas.config": config,
			"ssl.truststore.location": r.broker.Authority, "ssl.truststore.type": "PEM"})
		if err != nil {
			r.Fatalf("%s: %v", mechanism, err)
		}
		r.same(mechanism, got, "secret")
	}
	_, err = execute(map[string]string{"security.protocol": "SASL_SSL", "sasl.mechanism": "PLAIN", "ssl.truststore.location": r.broker.Authority,
		"sasl.jaas.config": `x required username="alice" password="wrong";`})
	if err == nil || !strings.Contains(err.Error(), "look at sasl.mechanism and sasl.jaas.config") {
		r.Errorf("wrong password: error %v", err)
	}
}

func testErrors(r *rig) {
	t := r.topic("t", 1)
	r.send(t, 0, 0, "x")
	for want, opts := range map[string][]kafka.Option{
		`has no topic "nowhere": create it`:                      {kafka.Topics("nowhere"), kafka.Until(kafka.Latest)},
		"has committed no offset of partition 0 of topic \"" + t: {kafka.Topics(t), kafka.From(kafka.Committed), kafka.Group("new"), kafka.Until(kafka.Latest)},
		"not at offset 9": {kafka.Topics(t), kafka.From(kafka.Offsets(map[string]map[int32]int64{t: {0: 9}}))},
	} {
		env := stream.New()
		stream.Discard(stream.FromSource(env, "read", kafka.Source(r.broker.Address, kafka.Text(), opts...)), "end")
		if _, err := env.Execute(r.Context(), "errors"); err == nil || !strings.Contains(err.Error(), want) {
			r.Errorf("error %v, expected %s", err, want)
		}
	}
}
