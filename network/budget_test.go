package network

import (
	"bufio"
	"bytes"
	"testing"
	"time"

	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/network/frame"
)

// The budget of the record path: nothing is allocated for a buffer, an event or a batch in steady state.
func TestNothingIsAllocatedInSteadyState(t *testing.T) {
	ctx := testContext(t)
	from, to := startManager(t, nil), startManager(t, nil)
	c := openPipe(t, from, to)
	var watermark int64
	buffer := func() {
		buf, err := c.s.Get(ctx)
		must(t, err)
		must(t, c.s.Send(append(buf, template...), 300))
		watermark++
		must(t, c.s.SendEvent(Event{Kind: Watermark, Watermark: watermark}))
		c.g.Release(mustNext(t, ctx, c.g))
		mustNext(t, ctx, c.g)
	}
	producer, consumer := attempt("local source", 0, 0), attempt("local sink", 0, 0)
	p, err := from.OpenPartition(PartitionConfig{Producer: producer, Consumers: []id.Attempt{consumer}})
	must(t, err)
	g := openGate(t, from, consumer, ChannelConfig{Producer: producer, Address: from.Addr()})
	must(t, p.WaitAttached(ctx))
	value := new(batch32)
	release := func(any) {}
	batch := func() {
		must(t, p.Sub(0).SendBatch(ctx, value, 1, release))
		g.Release(mustNext(t, ctx, g))
	}
	for name, f := range map[string]func(){"buffer and event over TCP": buffer, "local batch": batch} {
		for range 200 { // until queues and pools have their size
			f()
		}
		if n := testing.AllocsPerRun(1000, f); n > 0 && !raceEnabled {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	free := 0
	for _, m := range []*Manager{from, to} {
		m.pool.mu.Lock()
		free += len(m.pool.free)
		m.pool.mu.Unlock()
	}
	if free > 4 {
		t.Errorf("%d buffers were made for a channel that had one under way", free)
	}
}

// FuzzReader gives a connection's reader bytes from an authenticated peer, in each role: it may end the connection, not
// the process.
func FuzzReader(f *testing.F) {
	data := frame.Header{Type: frame.Data, Channel: 1, Count: 1}
	up := frame.Header{Type: frame.Request, Channel: 1}.Append(nil, frame.ChannelRequest{Producer: attempt("fuzz", 0, 0), Consumer: attempt("c", 0, 0), Credit: 2}.Append(nil))
	f.Add(append(up, frame.Header{Type: frame.Credit, Channel: 1, Count: 9}.Append(nil, nil)...), false)
	f.Add(append(up, frame.Header{Type: frame.Close, Channel: 1}.Append(nil, nil)...), false)
	f.Add(data.Append(frame.Header{Type: frame.Attached, Channel: 1}.Append(nil, nil), make([]byte, 50)), true)
	f.Add(frame.Header{Type: frame.Event, Flags: 2, Channel: 1}.Append(nil, make([]byte, 8)), true)
	f.Add(frame.Header{Type: frame.Failed, Channel: 1}.Append(nil, []byte{1, 'x'}), true)
	first := frame.Header{Type: frame.Data, Flags: frame.FlagFragment | frame.FlagFirst, Channel: 1, Count: 1500}.Append(nil, make([]byte, 1000))
	f.Add(frame.Header{Type: frame.Data, Flags: frame.FlagFragment | frame.FlagLast, Channel: 1, Count: 1}.Append(first, make([]byte, 500)), true)
	f.Add(frame.Header{Type: frame.Reply, Channel: 1}.Append(nil, []byte("x")), true)
	f.Fuzz(func(t *testing.T, sent []byte, dialed bool) {
		m, err := NewManager(Config{Job: testJob, BufferSize: 1 << 10, MaxRecord: 1 << 12})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		p, err := m.OpenPartition(PartitionConfig{Producer: attempt("fuzz", 0, 0), Consumers: []id.Attempt{attempt("c", 0, 0)}})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close(nil)
		g := newGate(m, GateConfig{Consumer: attempt("c", 0, 0), Channels: []ChannelConfig{{Producer: attempt("other", 0, 0), Address: "peer"}}})
		m.pool.reserve(g.share)
		g.timer = time.NewTimer(time.Hour)
		defer g.Close()
		c := &conn{
			m: m, addr: "peer", dialed: dialed, br: bufio.NewReader(bytes.NewReader(sent)), wake: make(chan struct{}, 1), dead: make(chan struct{}),
			in: map[uint32]*inChannel{}, out: map[uint32]*Subpartition{}, calls: map[uint32]chan reply{1: make(chan reply, 1)},
		}
		c.ctx = m.ctx
		if dialed {
			if err := c.openChannels(g.channels); err != nil {
				t.Fatal(err)
			}
		}
		for h, err := c.readHeader(); err == nil; h, err = c.readHeader() {
			if h.Type == frame.Call || h.Length > 1<<16 {
				return // handlers run in goroutines of their own; long ones only cost time
			}
			if c.dispatch(h) != nil {
				return
			}
			if it, ok := g.Poll(); ok && len(it.Data)%2 == 0 {
				g.Release(it)
			}
		}
	})
}
