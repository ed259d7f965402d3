package network

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/internal/await"
	"github.com/weft-project/weft/security"
)

var (
	testJob    = id.Job{1}
	testSecret = security.Secret(bytes.Repeat([]byte{5}, security.SecretSize))
)

// attempt names a task of the test job.
func attempt(vertex string, subtask, number int) id.Attempt {
	return id.Attempt{Job: testJob, Vertex: id.VertexOf(vertex), Subtask: subtask, Number: number}
}

// testLog prints to the test's log.
type testLog struct{ t testing.TB }

func (l testLog) Write(b []byte) (int, error) {
	l.t.Log(strings.TrimSpace(string(b)))
	return len(b), nil
}

// startManager starts a Manager that the test's end closes, and checks that nothing of it is left running.
func startManager(t testing.TB, change func(*Config)) *Manager {
	t.Helper()
	checkLeaks(t)
	cfg := Config{Listen: "127.0.0.1:0", Secret: testSecret, Job: testJob, RequestTimeout: 5 * time.Second}
	cfg.Log = slog.New(slog.NewTextHandler(testLog{t}, &slog.HandlerOptions{Level: slog.LevelError}))
	if change != nil {
		change(&cfg)
	}
	m, err := NewManager(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

// leakChecked are the tests that check for leaks already. Tests of this package do not run in parallel.
var leakChecked = map[testing.TB]bool{}

// checkLeaks has the end of the test, after all managers are closed, wait until no goroutine is left over.
func checkLeaks(t testing.TB) {
	if leakChecked[t] {
		return
	}
	leakChecked[t] = true
	before := runtime.NumGoroutine()
	t.Cleanup(func() {
		await.Until(t, "goroutines end", func() bool { return runtime.NumGoroutine() <= before })
	})
}

// testContext ends when something hangs.
func testContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeoutCause(context.Background(), 20*time.Second, errors.New("the test hangs"))
	t.Cleanup(cancel)
	return ctx
}

// pipe is one channel from a producer to a consumer.
type pipe struct {
	p *Partition
	s *Subpartition
	g *Gate
}

// openPipe connects a producer on one Manager to a consumer on another, or the same.
func openPipe(t testing.TB, from, to *Manager) pipe {
	t.Helper()
	producer, consumer := attempt("source", 0, 0), attempt("sink", 0, 0)
	p, err := from.OpenPartition(PartitionConfig{Producer: producer, Consumers: []id.Attempt{consumer}})
	if err != nil {
		t.Fatal(err)
	}
	g := openGate(t, to, consumer, ChannelConfig{Producer: producer, Address: from.Addr()})
	return pipe{p, p.Sub(0), g}
}

func openGate(t testing.TB, m *Manager, consumer id.Attempt, channels ...ChannelConfig) *Gate {
	t.Helper()
	g, err := m.OpenGate(GateConfig{Consumer: consumer, Channels: channels})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	return g
}

// next waits for the next item.
func next(ctx context.Context, g *Gate) (Item, error) {
	for {
		if it, ok := g.Poll(); ok {
			return it, nil
		}
		if err := g.Err(); err != nil {
			return Item{}, err
		}
		select {
		case <-g.Ready():
		case <-ctx.Done():
			return Item{}, context.Cause(ctx)
		}
	}
}

func mustNext(t testing.TB, ctx context.Context, g *Gate) Item {
	t.Helper()
	it, err := next(ctx, g)
	if err != nil {
		t.Fatal(err)
	}
	return it
}

// sendText sends one buffer.
func sendText(ctx context.Context, s *Subpartition, text string) error {
	buf, err := s.Get(ctx)
	if err != nil {
		return err
	}
	return s.Send(append(buf, text...), 1)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// both runs a test over TCP and locally.
func both(t *testing.T, f func(t *testing.T, from, to *Manager)) {
	t.Run("remote", func(t *testing.T) { f(t, startManager(t, nil), startManager(t, nil)) })
	t.Run("local", func(t *testing.T) { m := startManager(t, nil); f(t, m, m) })
	t.Run("embedded", func(t *testing.T) {
		m := startManager(t, func(c *Config) { c.Listen, c.Secret = "", nil })
		f(t, m, m)
	})
}

func TestOrderOfDataAndEvents(t *testing.T) {
	both(t, func(t *testing.T, from, to *Manager) {
		ctx := testContext(t)
		c := openPipe(t, from, to)
		sent := make(chan error, 1)
		go func() {
			for i := range 500 {
				if err := sendText(ctx, c.s, fmt.Sprint(i)); err != nil {
					sent <- err
					return
				}
				if i%7 == 0 {
					if err := c.s.SendEvent(Event{Kind: Watermark, Watermark: int64(i)}); err != nil {
						sent <- err
						return
					}
				}
				if i%100 == 99 {
					_ = c.s.SendEvent(Event{Kind: Barrier, Watermark: 1, Payload: []byte{byte(i)}})
				}
			}
			sent <- c.s.SendEvent(Event{Kind: EndOfPartition})
		}()
		for i := 0; i < 500; i++ {
			it := mustNext(t, ctx, c.g)
			if it.Kind != Buffer || string(it.Data) != fmt.Sprint(i) || it.Records != 1 || it.Remote != (from != to) {
				t.Fatalf("item %d: %+v", i, it)
			}
			c.g.Release(it)
			if i%7 == 0 {
				if it := mustNext(t, ctx, c.g); it.Kind != EventItem || it.Event.Kind != Watermark || it.Event.Watermark != int64(i) {
					t.Fatalf("after %d: %+v", i, it)
				}
			}
			if i%100 == 99 {
				if it := mustNext(t, ctx, c.g); it.Event.Kind != Barrier || !bytes.Equal(it.Event.Payload, []byte{byte(i)}) {
					t.Fatalf("after %d: %+v", i, it)
				}
			}
		}
		if it := mustNext(t, ctx, c.g); it.Event.Kind != EndOfPartition {
			t.Fatalf("%+v", it)
		}
		must(t, <-sent)
		select {
		case <-c.p.Drained():
		case <-ctx.Done():
			t.Fatal("the partition is not drained")
		}
		if err := sendText(ctx, c.s, "x"); err == nil {
			t.Error("a buffer was sent after the end")
		}
		stats, queued := c.g.Stats()
		if out := c.p.Stats()[0]; stats[0].Records != 500 || stats[0].Bytes != out.Bytes || out.Records != 500 || queued != 0 || out.Queued != 0 {
			t.Errorf("in %+v, out %+v, queued %d", stats, out, queued)
		}
		c.g.Close() // after its end nobody is concerned
		if err := c.p.Err(); err != nil {
			t.Error(err)
		}
		await.Until(t, "all buffers are back", func() bool { return c.p.Stats()[0].Used == 0 })
	})
}

// A producer that is early keeps as much as it has buffers for, then waits.
func TestConsumerAttachesLate(t *testing.T) {
	both(t, func(t *testing.T, from, to *Manager) {
		ctx := testContext(t)
		producer, consumer := attempt("source", 0, 0), attempt("sink", 0, 0)
		p, err := from.OpenPartition(PartitionConfig{Producer: producer, Consumers: []id.Attempt{consumer}})
		must(t, err)
		s := p.Sub(0)
		n := 0
		for ; ; n++ {
			buf, ok, err := s.TryGet()
			must(t, err)
			if !ok {
				break
			}
			must(t, s.Send(append(buf, fmt.Sprint(n)...), 1))
			for w := range 100 { // watermarks do not pile up
				must(t, s.SendEvent(Event{Kind: Watermark, Watermark: int64(n*1000 + w)}))
			}
		}
		if n != DefaultExclusive+DefaultFloating {
			t.Errorf("%d buffers before waiting", n)
		}
		if s.Available() || s.Local() {
			t.Error("available without buffers, or local without a consumer")
		}
		short, cancel := context.WithCancelCause(ctx)
		cancel(errors.New("cancelled by the test"))
		if _, err := s.Get(short); err == nil || err.Error() != "cancelled by the test" {
			t.Errorf("Get: %v", err)
		}
		g := openGate(t, to, consumer, ChannelConfig{Producer: producer, Address: from.Addr()})
		must(t, p.WaitAttached(ctx))
		if s.Local() != (from == to) {
			t.Error("Local is wrong")
		}
		for i := range n {
			it := mustNext(t, ctx, g)
			if string(it.Data) != fmt.Sprint(i) {
				t.Fatalf("item %d: %+v", i, it)
			}
			g.Release(it)
			if it := mustNext(t, ctx, g); it.Event.Watermark != int64(i*1000+99) {
				t.Fatalf("after item %d: %+v", i, it)
			}
		}
		must(t, sendText(ctx, s, "more"))
		if it := mustNext(t, ctx, g); string(it.Data) != "more" {
			t.Fatalf("%+v", it)
		}
	})
}

// A consumer that is early waits for its producer.
func TestProducerOpensLate(t *testing.T) {
	both(t, func(t *testing.T, from, to *Manager) {
		ctx := testContext(t)
		producer, consumer := attempt("source", 0, 3), attempt("sink", 0, 1)
		g := openGate(t, to, consumer, ChannelConfig{Producer: producer, Address: from.Addr(), Subpartition: 1})
		if from != to {
			await.Until(t, "the request waits", func() bool { from.mu.Lock(); defer from.mu.Unlock(); return len(from.waiting) == 1 })
		}
		p, err := from.OpenPartition(PartitionConfig{Producer: producer, Consumers: []id.Attempt{attempt("sink", 9, 1), consumer}})
		must(t, err)
		must(t, sendText(ctx, p.Sub(1), "hello"))
		if it := mustNext(t, ctx, g); string(it.Data) != "hello" {
			t.Fatalf("%+v", it)
		}
	})
}

func TestProducerNeverComes(t *testing.T) {
	short := func(c *Config) { c.RequestTimeout = 100 * time.Millisecond }
	from, to := startManager(t, short), startManager(t, short)
	gone := startManager(t, short)
	must(t, gone.Close())
	for name, addr := range map[string]string{"no partition": from.Addr(), "no process": gone.Addr(), "local": to.Addr()} {
		g := openGate(t, to, attempt("sink", 0, 0), ChannelConfig{Producer: attempt("source", 4, 0), Address: addr})
		_, err := next(testContext(t), g)
		var pe *PeerError
		if !errors.Is(err, ErrNotFound) || !errors.As(err, &pe) || pe.Addr != addr || pe.Peer.Subtask != 4 || pe.Side != sideProducer {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// One slow consumer holds up neither another one on the same connection nor more memory than its share.
func TestSlowConsumerBlocksNobody(t *testing.T) {
	ctx := testContext(t)
	from, to := startManager(t, nil), startManager(t, nil)
	open := func(vertex string) pipe {
		producer, consumer := attempt("from "+vertex, 0, 0), attempt(vertex, 0, 0)
		p, err := from.OpenPartition(PartitionConfig{Producer: producer, Consumers: []id.Attempt{consumer}})
		must(t, err)
		return pipe{p, p.Sub(0), openGate(t, to, consumer, ChannelConfig{Producer: producer, Address: from.Addr()})}
	}
	slow, quick := open("slow"), open("quick")
	sent := 0
	// Both sides fill up: the consumer's share and the producer's.
	const most = 2 * (DefaultExclusive + DefaultFloating)
	await.Until(t, "the slow channel is full", func() bool {
		buf, ok, err := slow.s.TryGet()
		must(t, err)
		if ok {
			must(t, slow.s.Send(append(buf, "x"...), 1))
			sent++
		}
		// How many of the gate's common buffers it got depends on when the producer's backlog was first told.
		_, queued := slow.g.Stats()
		return !ok && queued >= DefaultExclusive && slow.p.Stats()[0].Queued == DefaultExclusive+DefaultFloating
	})
	if sent > most {
		t.Errorf("%d buffers under way, more than %d", sent, most)
	}
	for i := range 1000 {
		must(t, sendText(ctx, quick.s, fmt.Sprint(i)))
		it := mustNext(t, ctx, quick.g)
		if string(it.Data) != fmt.Sprint(i) {
			t.Fatal(it)
		}
		quick.g.Release(it)
	}
	if conns := len(to.conns); conns != 1 {
		t.Errorf("%d connections for one pair of workers", conns)
	}
	for range sent {
		slow.g.Release(mustNext(t, ctx, slow.g))
	}
}

func TestLargeRecords(t *testing.T) {
	both(t, func(t *testing.T, from, to *Manager) {
		ctx := testContext(t)
		c := openPipe(t, from, to)
		large := func(i int) []byte {
			b := make([]byte, DefaultBufferSize*(i%30)+i+1)
			for k := range b {
				b[k] = byte(k/7 + i)
			}
			return b
		}
		sent := make(chan error, 1)
		go func() {
			for i := range 100 {
				if err := c.s.SendLarge(ctx, large(i), i); err != nil {
					sent <- err
					return
				}
				if err := sendText(ctx, c.s, fmt.Sprint(i)); err != nil {
					sent <- err
					return
				}
			}
			sent <- c.s.SendLarge(ctx, make([]byte, DefaultMaxRecord+1), 1)
		}()
		var kept []Item
		for i := range 100 {
			it := mustNext(t, ctx, c.g)
			if !bytes.Equal(it.Data, large(i)) || it.Records != i {
				t.Fatalf("record %d: %d bytes, %d records", i, len(it.Data), it.Records)
			}
			if i%3 == 0 { // the next one comes while this one is out, as far as it may
				small := mustNext(t, ctx, c.g)
				c.g.Release(it)
				it = small
			} else {
				c.g.Release(it)
				it = mustNext(t, ctx, c.g)
			}
			if string(it.Data) != fmt.Sprint(i) {
				t.Fatalf("%q", it.Data)
			}
			if kept = append(kept, it); i%2 == 0 {
				for _, k := range kept {
					c.g.Release(k)
				}
				kept = kept[:0]
			}
		}
		if err := <-sent; !errors.Is(err, ErrTooLarge) {
			t.Errorf("too large: %v", err)
		}
	})
}

func TestLocalBatches(t *testing.T) {
	ctx := testContext(t)
	m := startManager(t, nil)
	c := openPipe(t, m, m)
	must(t, c.p.WaitAttached(ctx))
	type batch struct{ n int }
	free := make(chan any, 100)
	release := func(b any) { free <- b }
	for i := range DefaultLocalBatches {
		must(t, c.s.SendBatch(ctx, &batch{i}, 10, release))
	}
	if ok, err := c.s.TrySendBatch(&batch{}, 1, release); ok || err != nil || c.s.Available() {
		t.Errorf("more than the bound: %v, %v", ok, err)
	}
	more := make(chan error, 1)
	go func() { more <- c.s.SendBatch(ctx, &batch{99}, 1, release) }()
	first := mustNext(t, ctx, c.g)
	if first.Kind != Batch || first.Batch.(*batch).n != 0 || first.Records != 10 || first.Remote {
		t.Fatalf("%+v", first)
	}
	c.g.Release(first)
	must(t, <-more)
	if b := (<-free).(*batch); b.n != 0 {
		t.Error("another batch came back")
	}
	// A gate that closes gives back what it has not polled.
	c.g.Close()
	await.Until(t, "batches come back", func() bool { return len(free) == DefaultLocalBatches })
	if err := c.s.SendBatch(ctx, &batch{}, 1, release); !errors.Is(err, ErrPeerGone) {
		t.Errorf("after the consumer closed: %v", err)
	}
}
