package network

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/internal/await"
	"github.com/weft-project/weft/network/frame"
	"github.com/weft-project/weft/security"
)

// wantPeer checks that err names the peer and is of the kind.
func wantPeer(t *testing.T, err, kind error, side string, peer id.Attempt, addr string) {
	t.Helper()
	var pe *PeerError
	if !errors.Is(err, kind) || !errors.As(err, &pe) || pe.Side != side || pe.Peer != peer || pe.Addr != addr {
		t.Errorf("%v, want one of kind %q about %s %v at %s", err, kind, side, peer, addr)
	}
}

// A producing worker that dies is noticed by its consumers at once.
func TestProducerDies(t *testing.T) {
	ctx := testContext(t)
	from, to := startManager(t, nil), startManager(t, nil)
	c := openPipe(t, from, to)
	must(t, sendText(ctx, c.s, "x"))
	c.g.Release(mustNext(t, ctx, c.g))
	start := time.Now()
	must(t, from.Close())
	_, err := next(ctx, c.g)
	wantPeer(t, err, ErrPeerGone, sideProducer, attempt("source", 0, 0), from.Addr())
	if took := time.Since(start); took > time.Second {
		t.Errorf("noticed after %v", took)
	}
	if _, ok := c.g.Poll(); ok {
		t.Error("a failed gate gives items")
	}
	if _, err := c.s.Get(ctx); !errors.Is(err, ErrClosed) {
		t.Errorf("the producer of a closed manager: %v", err)
	}
}

// A consuming worker that dies is noticed by a producer that waits for buffers, and by one that does nothing.
func TestConsumerDies(t *testing.T) {
	ctx := testContext(t)
	from, to := startManager(t, nil), startManager(t, nil)
	c := openPipe(t, from, to)
	waiting := make(chan error)
	go func() {
		for {
			if err := sendText(ctx, c.s, "x"); err != nil {
				waiting <- err
				return
			}
		}
	}()
	await.Until(t, "the channel is full", func() bool {
		s := c.p.Stats()[0]
		return s.Attached && s.Queued == DefaultExclusive+DefaultFloating
	})
	must(t, to.Close())
	wantPeer(t, <-waiting, ErrPeerGone, sideConsumer, attempt("sink", 0, 0), to.Addr())
	select {
	case <-c.p.Failed():
	default:
		t.Error("Failed is not closed")
	}
	c.p.Close(nil)
	await.Until(t, "all buffers are back", func() bool { return c.p.Stats()[0].Used == 0 })
}

// A gate that closes before the end, and a partition that does, tell the other side.
func TestOneSideCloses(t *testing.T) {
	both(t, func(t *testing.T, from, to *Manager) {
		ctx := testContext(t)
		c := openPipe(t, from, to)
		must(t, sendText(ctx, c.s, "x"))
		mustNext(t, ctx, c.g)
		c.g.Close()
		select {
		case <-c.p.Failed():
			wantPeer(t, c.p.Err(), ErrPeerGone, sideConsumer, attempt("sink", 0, 0), to.Addr())
		case <-ctx.Done():
			t.Fatal("the producer is not told")
		}
		if err := c.s.SendEvent(Event{Kind: Watermark}); !errors.Is(err, ErrPeerGone) {
			t.Error(err)
		}
		c.p.Close(nil)
	})
	both(t, func(t *testing.T, from, to *Manager) {
		ctx := testContext(t)
		c := openPipe(t, from, to)
		must(t, sendText(ctx, c.s, "x"))
		mustNext(t, ctx, c.g)
		c.p.Close(errors.New("map: index out of range"))
		_, err := next(ctx, c.g)
		wantPeer(t, err, ErrPeerFailed, sideProducer, attempt("source", 0, 0), from.Addr())
		if !strings.Contains(err.Error(), "index out of range") {
			t.Errorf("the cause is missing: %v", err)
		}
		if err := sendText(ctx, c.s, "x"); !errors.Is(err, ErrClosed) {
			t.Error(err)
		}
	})
}

// Rule F2: attempts that have been replaced are refused, on either side, and requests that do not fit are.
func TestStaleAttempts(t *testing.T) {
	both(t, func(t *testing.T, from, to *Manager) {
		ctx := testContext(t)
		open := func(number int) *Partition {
			p, err := from.OpenPartition(PartitionConfig{Producer: attempt("source", 0, number), Consumers: []id.Attempt{attempt("sink", 0, 2)}})
			must(t, err)
			return p
		}
		open(4)
		newer := open(5) // closes the older one
		if _, err := from.OpenPartition(PartitionConfig{Producer: attempt("source", 0, 4)}); !errors.Is(err, ErrStale) {
			t.Errorf("an older attempt opened its partition: %v", err)
		}
		for name, c := range map[string]struct {
			consumer, producer, sub int
			kind                    error
		}{
			"older consumer": {1, 5, 0, ErrStale},
			"newer consumer": {3, 5, 0, ErrStale},
			"older producer": {2, 4, 0, ErrStale},
			"no such part":   {2, 5, 7, ErrRefused},
		} {
			g := openGate(t, to, attempt("sink", 0, c.consumer), ChannelConfig{Producer: attempt("source", 0, c.producer), Address: from.Addr(), Subpartition: c.sub})
			_, err := next(ctx, g)
			if !errors.Is(err, c.kind) {
				t.Errorf("%s: %v, want %v", name, err, c.kind)
			}
		}
		right := ChannelConfig{Producer: attempt("source", 0, 5), Address: from.Addr()}
		g := openGate(t, to, attempt("sink", 0, 2), right)
		must(t, newer.WaitAttached(ctx))
		if _, err := next(ctx, openGate(t, to, attempt("sink", 0, 2), right)); !errors.Is(err, ErrRefused) {
			t.Errorf("a second consumer: %v", err)
		}
		must(t, sendText(ctx, newer.Sub(0), "x"))
		if it := mustNext(t, ctx, g); string(it.Data) != "x" {
			t.Error(it)
		}
	})
}

// Workers of another attempt of the job, of another job, with other buffers, and without the secret are refused at once.
func TestWrongWorkers(t *testing.T) {
	to := startManager(t, func(c *Config) { c.JobAttempt = 1 })
	for name, c := range map[string]struct {
		change func(*Config)
		kind   error
		says   string
	}{
		"another job":       {func(c *Config) { c.Job = id.Job{2} }, errPeerRefused, "belongs to job"},
		"older job attempt": {func(c *Config) { c.JobAttempt = 0 }, ErrStale, "attempt 0 of the job"},
		"newer job attempt": {func(c *Config) { c.JobAttempt = 3 }, ErrStale, "already of 3"},
		"buffer size":       {func(c *Config) { c.BufferSize = 4096 }, errPeerRefused, "buffers of 4096 bytes"},
		"secret":            {func(c *Config) { c.Secret = security.NewSecret() }, security.ErrUnauthenticated, ""},
	} {
		from := startManager(t, func(cfg *Config) {
			cfg.JobAttempt = 1
			c.change(cfg)
			cfg.Log = nil
		})
		start := time.Now()
		_, err := next(testContext(t), openGate(t, to, attempt("sink", 0, 0), ChannelConfig{Producer: attempt("source", 0, 0), Address: from.Addr()}))
		if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %v and %q", name, err, c.kind, c.says)
		}
		if time.Since(start) > to.cfg.RequestTimeout/2 {
			t.Errorf("%s: refused only after %v", name, time.Since(start))
		}
	}
}

// A worker that was refused is refused on the side that was dialed, too.
func TestDialedSideRefusesStaleWorker(t *testing.T) {
	current := startManager(t, func(c *Config) { c.JobAttempt = 3; c.Log = nil })
	peer, tcp := dialRaw(t, current, frame.Hello{BufferSize: DefaultBufferSize, Job: testJob, JobAttempt: 2})
	if peer.JobAttempt != 3 {
		t.Errorf("%+v", peer)
	}
	if _, err := tcp.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the connection of an older attempt stays open: %v", err)
	}
}

// dialRaw connects to m as a worker whose frames the test writes itself.
func dialRaw(t testing.TB, m *Manager, hello frame.Hello) (frame.Hello, net.Conn) {
	t.Helper()
	tcp, err := net.Dial("tcp", m.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tcp.Close() })
	b, err := security.ClientHandshake(testContext(t), tcp, testSecret.Derive(security.LabelData), hello.Append(nil))
	if err != nil {
		t.Fatal(err)
	}
	peer, err := frame.ParseHello(b)
	if err != nil {
		t.Fatal(err)
	}
	return peer, tcp
}

// Frames that make no sense end the connection, and only that.
func TestMalformedFramesEndTheConnection(t *testing.T) {
	m := startManager(t, nil)
	hello := frame.Hello{BufferSize: DefaultBufferSize, Job: testJob, Addr: "test"}
	for name, sent := range map[string][]byte{
		"garbage":       []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
		"data upwards":  frame.Header{Type: frame.Data, Channel: 1}.Append(nil, []byte("x")),
		"short request": frame.Header{Type: frame.Request, Channel: 1}.Append(nil, []byte("x")),
		"short call":    frame.Header{Type: frame.Call, Channel: 1}.Append(nil, []byte("x")),
		"number twice":  append(request1(), request1()...),
		"version":       {9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9},
	} {
		_, tcp := dialRaw(t, m, hello)
		if _, err := tcp.Write(sent); err != nil {
			t.Fatal(err)
		}
		tcp.SetReadDeadline(time.Now().Add(2 * time.Minute))
		// A reset is as good an end as any: not all that was sent has been read.
		if _, err := io.Copy(io.Discard, tcp); errors.Is(err, context.DeadlineExceeded) || isTimeout(err) {
			t.Errorf("%s: the connection stays open", name)
		}
	}
	// What is unknown but harmless does not: a credit or a close that crossed with the end of its channel.
	_, tcp := dialRaw(t, m, hello)
	b := frame.Header{Type: frame.Credit, Channel: 77, Count: 5}.Append(nil, nil)
	b = frame.Header{Type: frame.Close, Channel: 77}.Append(b, nil)
	b = frame.Header{Type: frame.Cancel, Channel: 77}.Append(b, nil)
	b = frame.Header{Type: frame.Call, Channel: 78}.Append(b, frame.ServiceCall{Service: "echo", Payload: []byte("x")}.Append(nil))
	m.Handle("echo", func(_ context.Context, _ id.Attempt, p []byte) ([]byte, error) { return p, nil })
	if _, err := tcp.Write(b); err != nil {
		t.Fatal(err)
	}
	reply := make([]byte, frame.HeaderSize+1)
	if _, err := io.ReadFull(tcp, reply); err != nil || reply[frame.HeaderSize] != 'x' {
		t.Errorf("%q, %v", reply, err)
	}
}

func request1() []byte {
	return frame.Header{Type: frame.Request, Channel: 1}.Append(nil, frame.ChannelRequest{Producer: attempt("nobody", 0, 0)}.Append(nil))
}

func isTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}

// A producing worker that breaks the protocol loses its connection.
func TestMisbehavingProducer(t *testing.T) {
	data := func(n int) []byte {
		return frame.Header{Type: frame.Data, Channel: 1, Count: 1}.Append(nil, make([]byte, n))
	}
	for name, sent := range map[string][]byte{
		"more than its credit": append(append(data(10), data(10)...), data(10)...),
		"unknown channel":      frame.Header{Type: frame.Data, Channel: 9}.Append(nil, nil),
		"unknown event":        frame.Header{Type: frame.Event, Flags: 99, Channel: 1}.Append(nil, make([]byte, 8)),
		"short event":          frame.Header{Type: frame.Event, Flags: 1, Channel: 1}.Append(nil, make([]byte, 7)),
		"credit downwards":     frame.Header{Type: frame.Credit, Channel: 1}.Append(nil, nil),
		"huge record":          frame.Header{Type: frame.Data, Flags: frame.FlagFragment | frame.FlagFirst, Channel: 1, Count: 1 << 31}.Append(nil, make([]byte, 10)),
		"fragment of nothing":  frame.Header{Type: frame.Data, Flags: frame.FlagFragment, Channel: 1}.Append(nil, make([]byte, 10)),
		"empty failure":        frame.Header{Type: frame.Failed, Channel: 1}.Append(nil, nil),
	} {
		t.Run(name, func(t *testing.T) {
			to := startManager(t, nil)
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			must(t, err)
			defer ln.Close()
			var served sync.WaitGroup
			defer served.Wait()
			served.Go(func() {
				tcp, err := ln.Accept()
				if err != nil {
					return
				}
				defer tcp.Close()
				hello := frame.Hello{BufferSize: DefaultBufferSize, Job: testJob, Addr: ln.Addr().String()}
				if _, err := security.ServerHandshake(context.Background(), tcp, security.FixedSecret(testSecret.Derive(security.LabelData)), hello.Append(nil)); err != nil {
					return
				}
				if _, err := io.ReadFull(tcp, make([]byte, len(request1()))); err != nil {
					return
				}
				tcp.Write(sent)
				io.Copy(io.Discard, tcp)
			})
			g := openGate(t, to, attempt("sink", 0, 0), ChannelConfig{Producer: attempt("source", 0, 0), Address: ln.Addr().String()})
			var failed error
			for failed == nil {
				_, failed = next(testContext(t), g)
			}
			wantPeer(t, failed, ErrPeerGone, sideProducer, attempt("source", 0, 0), ln.Addr().String())
			t.Log(failed)
		})
	}
}

// Connections are cut at random while data flows: both sides notice, nothing hangs, no buffer is lost.
func TestConnectionsCutWhileDataFlows(t *testing.T) {
	ctx := testContext(t)
	from, to := startManager(t, nil), startManager(t, nil)
	for round := range 15 {
		producer, consumer := attempt("source", 0, round), attempt("sink", 0, round)
		p, err := from.OpenPartition(PartitionConfig{Producer: producer, Consumers: []id.Attempt{consumer}})
		must(t, err)
		g := openGate(t, to, consumer, ChannelConfig{Producer: producer, Address: from.Addr()})
		sent := make(chan error, 1)
		go func() {
			for i := 0; ; i++ {
				var err error
				if i%50 == 3 {
					err = p.Sub(0).SendLarge(ctx, make([]byte, 100_000), 1)
				} else {
					err = sendText(ctx, p.Sub(0), strings.Repeat("x", 20_000))
				}
				if err != nil {
					sent <- err
					return
				}
			}
		}()
		var failed error
		for i := 0; failed == nil; i++ {
			var it Item
			if it, failed = next(ctx, g); failed == nil {
				g.Release(it)
			}
			if i == 20*round {
				cut(t, from)
			}
		}
		wantPeer(t, failed, ErrPeerGone, sideProducer, producer, from.Addr())
		wantPeer(t, <-sent, ErrPeerGone, sideConsumer, consumer, to.Addr())
		g.Close()
		p.Close(failed)
		await.Until(t, "all buffers are back", func() bool { return p.Stats()[0].Used == 0 })
	}
	for name, m := range map[string]*Manager{"from": from, "to": to} {
		if m.pool.share != 0 || len(m.pool.free) != 0 || len(m.waiting) != 0 {
			t.Errorf("%s keeps %d buffers, %d shares, %d requests", name, len(m.pool.free), m.pool.share, len(m.waiting))
		}
	}
}

// cut breaks the TCP connections of a manager.
func cut(t *testing.T, m *Manager) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for c := range m.conns {
		if err := c.tcp.(*net.TCPConn).SetLinger(0); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
		c.tcp.Close()
	}
}

// Many producers and consumers with random delays: everything arrives once and in order.
func TestAllToAll(t *testing.T) {
	ctx := testContext(t)
	managers := []*Manager{startManager(t, nil), startManager(t, nil), startManager(t, nil)}
	const producers, consumers, records = 5, 4, 300
	var tasks sync.WaitGroup
	errs := make(chan error, producers+consumers)
	var consumerIDs []id.Attempt
	for i := range consumers {
		consumerIDs = append(consumerIDs, attempt("sink", i, 0))
	}
	for i := range producers {
		m := managers[i%len(managers)]
		tasks.Go(func() {
			p, err := m.OpenPartition(PartitionConfig{Producer: attempt("source", i, 0), Consumers: consumerIDs})
			if err != nil {
				errs <- err
				return
			}
			for n := range records {
				if err := sendText(ctx, p.Sub(n%consumers), fmt.Sprintf("%d %d", i, n)); err != nil {
					errs <- err
					return
				}
			}
			for k := range consumers {
				if err := p.Sub(k).SendEvent(Event{Kind: EndOfPartition}); err != nil {
					errs <- err
				}
			}
		})
	}
	for k := range consumers {
		m := managers[(k+1)%len(managers)]
		tasks.Go(func() { errs <- consumeAll(ctx, m, managers, k, producers, consumers, records) })
	}
	tasks.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			t.Error(err)
		}
	}
}

// consumeAll is the task of consumer k.
func consumeAll(ctx context.Context, m *Manager, managers []*Manager, k, producers, consumers, records int) error {
	cfg := GateConfig{Consumer: attempt("sink", k, 0)}
	for i := range producers {
		cfg.Channels = append(cfg.Channels, ChannelConfig{Producer: attempt("source", i, 0), Address: managers[i%len(managers)].Addr(), Subpartition: k})
	}
	g, err := m.OpenGate(cfg)
	if err != nil {
		return err
	}
	defer g.Close()
	expected := make([]int, producers)
	for i := range expected {
		expected[i] = k
	}
	for open := producers; open > 0; {
		it, err := next(ctx, g)
		if err != nil {
			return err
		}
		if it.Event.Kind == EndOfPartition {
			if expected[it.Channel] < records {
				return fmt.Errorf("consumer %d: channel %d ends at %d", k, it.Channel, expected[it.Channel])
			}
			open--
			continue
		}
		if want := fmt.Sprintf("%d %d", it.Channel, expected[it.Channel]); string(it.Data) != want {
			return fmt.Errorf("consumer %d: %q, want %q", k, it.Data, want)
		}
		expected[it.Channel] += consumers
		g.Release(it)
	}
	return nil
}
