package network

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/internal/await"
	"github.com/weft-project/weft/internal/spill"
)

// storedOutput opens a blocking output for consumers of one subtask each.
func storedOutput(t *testing.T, m *Manager, space *spill.Space, consumers int) *Partition {
	t.Helper()
	cfg := PartitionConfig{Producer: attempt("source", 0, 0), Spill: space}
	for i := range consumers {
		cfg.Consumers = append(cfg.Consumers, attempt("sink", i, 0))
	}
	p, err := m.OpenPartition(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// fill writes n buffers of numbers into each subpartition, and a large record into the last.
func fill(ctx context.Context, p *Partition, n int) error {
	for i := range n {
		for s := range p.Subs() {
			buf, err := p.Sub(s).Get(ctx)
			if err != nil {
				return err
			}
			for k := range 3000 {
				buf = binary.LittleEndian.AppendUint64(buf, uint64(i*3000+k))
			}
			if err := p.Sub(s).Send(buf, 3000); err != nil {
				return err
			}
			if err := p.Sub(s).SendEvent(Event{Kind: Watermark, Watermark: int64(i)}); err != nil {
				return err
			}
		}
	}
	if err := p.Sub(p.Subs()-1).SendLarge(ctx, bytes.Repeat([]byte{7}, 200<<10), 1); err != nil {
		return err
	}
	for s := range p.Subs() {
		if err := p.Sub(s).SendEvent(Event{Kind: EndOfPartition}); err != nil {
			return err
		}
	}
	return nil
}

// drain reads a subpartition that fill has written.
func drain(ctx context.Context, g *Gate, n int, large bool) error {
	want := uint64(0)
	for {
		it, err := next(ctx, g)
		switch {
		case err != nil:
			return err
		case it.Kind == EventItem && it.Event.Kind == EndOfPartition:
			if want != uint64(n*3000) || large {
				return fmt.Errorf("the end came after %d numbers of %d", want, n*3000)
			}
			return nil
		case it.Kind == EventItem:
			return fmt.Errorf("an event of kind %d came", it.Event.Kind)
		case it.Records == 1:
			if !large || len(it.Data) != 200<<10 {
				return fmt.Errorf("a record of %d bytes", len(it.Data))
			}
			large = false
		}
		for d := it.Data; it.Records > 1 && len(d) > 0; d = d[8:] {
			if got := binary.LittleEndian.Uint64(d); got != want {
				return fmt.Errorf("number %d, expected %d", got, want)
			}
			want++
		}
		g.Release(it)
	}
}

func TestBlockingOutput(t *testing.T) {
	for _, n := range []int{0, 1, 120} {
		ctx := testContext(t)
		from, to := startManager(t, nil), startManager(t, nil)
		space := spill.NewSpace(t.TempDir())
		p := storedOutput(t, from, space, 3)
		producer := p.cfg.Producer
		open := func(i, number int, m *Manager) *Gate {
			return openGate(t, m, attempt("sink", i, number), ChannelConfig{Producer: producer, Address: from.Addr(), Subpartition: i})
		}
		early := open(0, 0, to) // it asks before anything is there
		if err := fill(ctx, p, n); err != nil {
			t.Fatal(err)
		}
		if spilled := space.Used() > 0; spilled != (n > 1 || n*3*24000+200<<10 > inMemory) {
			t.Errorf("%d buffers: %d bytes on disk", n, space.Used())
		}
		if err := drain(ctx, early, n, false); err != nil {
			t.Error("remote consumer:", err)
		}
		if err := drain(ctx, open(1, 0, from), n, false); err != nil {
			t.Error("local consumer:", err)
		}
		broken := open(2, 0, to)
		if n > 1 {
			mustNext(t, ctx, broken)
		}
		broken.Close()
		if n > 1 {
			if err := drain(ctx, open(2, 1, to), n, true); err != nil {
				t.Error("second attempt of a consumer:", err)
			}
			<-p.Drained()
			await.Until(t, "the file goes", func() bool { return space.Used() == 0 })
		}
	}
}

func TestBlockingOutputFails(t *testing.T) {
	ctx := testContext(t)
	from, to := startManager(t, nil), startManager(t, nil)
	full := storedOutput(t, from, spill.Device("/dev/full"), 1)
	if err := fill(ctx, full, 100); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("disk full: %v", err)
	}
	g := openGate(t, to, attempt("sink", 0, 0), ChannelConfig{Producer: full.cfg.Producer, Address: from.Addr()})
	await.Until(t, "the consumer asks", func() bool {
		full.mu.Lock()
		defer full.mu.Unlock()
		return len(full.store.asked) == 1
	})
	full.Close(errors.New("the disk was full"))
	if _, err := next(ctx, g); !errors.Is(err, ErrPeerFailed) {
		t.Errorf("its consumer: %v", err)
	}
	space := spill.NewSpace(t.TempDir())
	p, err := from.OpenPartition(PartitionConfig{Producer: attempt("other", 0, 0), Consumers: []id.Attempt{attempt("sink", 0, 1)}, Spill: space})
	if err == nil {
		err = fill(ctx, p, 80)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []id.Attempt{attempt("sink", 0, 0), attempt("sink", 1, 1)} {
		g := openGate(t, to, c, ChannelConfig{Producer: p.cfg.Producer, Address: from.Addr()})
		if _, err := next(ctx, g); err == nil || !strings.Contains(err.Error(), "subpartition 0 is for") {
			t.Errorf("consumer %v: %v", c, err)
		}
	}
	if err := from.Close(); err != nil || space.Used() != 0 {
		t.Errorf("after the end: %v, %d bytes on disk", err, space.Used())
	}
}
