package network

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/weft-project/weft/id"
)

// BenchmarkShuffle sends records of a fixed size, encoded already, over TCP loopback between two Managers, with two
// tasks on each: every producer fills buffers for both consumers in turn. One iteration is one buffer.
func BenchmarkShuffle(b *testing.B) {
	for _, c := range []struct{ record, producers, consumers int }{{100, 1, 1}, {100, 2, 2}, {32, 2, 2}, {100, 8, 8}} {
		b.Run(fmt.Sprintf("record=%d/%dto%d", c.record, c.producers, c.consumers), func(b *testing.B) {
			from, to := startManager(b, nil), startManager(b, nil)
			perBuffer := DefaultBufferSize / c.record
			shuffle(b, from, to, c.producers, c.consumers, func(ctx context.Context, s *Subpartition) error {
				buf, err := s.Get(ctx)
				if err != nil {
					return err
				}
				return s.Send(append(buf, template[:perBuffer*c.record]...), perBuffer)
			}, func(Item) {})
			b.SetBytes(int64(perBuffer * c.record))
			b.ReportMetric(float64(b.N*perBuffer)/b.Elapsed().Seconds()/1e6, "Mrecords/s")
		})
	}
}

var template = make([]byte, DefaultBufferSize)

// batch32 is a batch of records of 32 bytes.
type batch32 struct{ records [][4]int64 }

// BenchmarkLocalBatches hands batches of 256 records of 32 bytes from task to task in one Manager; every record is
// written and read once. One iteration is one batch.
func BenchmarkLocalBatches(b *testing.B) {
	const perBatch = 256
	for _, c := range []struct{ producers, consumers int }{{1, 1}, {2, 2}, {8, 8}} {
		b.Run(fmt.Sprintf("%dto%d", c.producers, c.consumers), func(b *testing.B) {
			m := startManager(b, nil)
			free := make(chan any, 1000)
			release := func(v any) { free <- v }
			var sums [64]int64
			shuffle(b, m, m, c.producers, c.consumers, func(ctx context.Context, s *Subpartition) error {
				var batch *batch32
				select {
				case v := <-free:
					batch = v.(*batch32)
				default:
					batch = &batch32{make([][4]int64, perBatch)}
				}
				for i := range batch.records {
					batch.records[i] = [4]int64{int64(i), 1, 2, 3}
				}
				return s.SendBatch(ctx, batch, perBatch, release)
			}, func(it Item) {
				var sum int64
				for i := range it.Batch.(*batch32).records {
					sum += it.Batch.(*batch32).records[i][0]
				}
				sums[it.Channel] += sum
			})
			b.ReportMetric(float64(b.N*perBatch)/b.Elapsed().Seconds()/1e6, "Mrecords/s")
			b.ReportMetric(b.Elapsed().Seconds()*1e9/float64(b.N*perBatch), "ns/record")
		})
	}
}

// shuffle runs producers and consumers until b.N items have passed.
func shuffle(b *testing.B, from, to *Manager, producers, consumers int, send func(context.Context, *Subpartition) error, use func(Item)) {
	b.Helper()
	b.ReportAllocs()
	ctx := context.Background()
	var consumerIDs []id.Attempt
	for k := range consumers {
		consumerIDs = append(consumerIDs, attempt("sink", k, 0))
	}
	var partitions []*Partition
	for i := range producers {
		p, err := from.OpenPartition(PartitionConfig{Producer: attempt("source", i, 0), Consumers: consumerIDs})
		if err != nil {
			b.Fatal(err)
		}
		partitions = append(partitions, p)
	}
	var tasks sync.WaitGroup
	for k := range consumers {
		cfg := GateConfig{Consumer: consumerIDs[k]}
		for i := range producers {
			cfg.Channels = append(cfg.Channels, ChannelConfig{Producer: attempt("source", i, 0), Address: from.Addr(), Subpartition: k})
		}
		g, err := to.OpenGate(cfg)
		if err != nil {
			b.Fatal(err)
		}
		tasks.Go(func() {
			defer g.Close()
			for open := producers; open > 0; {
				it, err := next(ctx, g)
				if err != nil {
					b.Error(err)
					return
				}
				if it.Kind == EventItem {
					open--
					continue
				}
				use(it)
				g.Release(it)
			}
		})
	}
	for _, p := range partitions {
		if err := p.WaitAttached(ctx); err != nil {
			b.Fatal(err)
		}
	}
	b.ResetTimer()
	for i, p := range partitions {
		n := b.N / producers
		if i == 0 {
			n += b.N % producers
		}
		tasks.Go(func() {
			for k := range n {
				if err := send(ctx, p.Sub(k%consumers)); err != nil {
					b.Error(err)
					return
				}
			}
			for k := range consumers {
				if err := p.Sub(k).SendEvent(Event{Kind: EndOfPartition}); err != nil {
					b.Error(err)
				}
			}
		})
	}
	tasks.Wait()
	b.StopTimer()
}

// BenchmarkSmallBuffers sends buffers of one record, as a short buffer timeout makes them. One iteration is one buffer.
func BenchmarkSmallBuffers(b *testing.B) {
	from, to := startManager(b, nil), startManager(b, nil)
	shuffle(b, from, to, 1, 2, func(ctx context.Context, s *Subpartition) error {
		buf, err := s.Get(ctx)
		if err != nil {
			return err
		}
		return s.Send(append(buf, template[:100]...), 1)
	}, func(Item) {})
}

// BenchmarkRoundTrip is a call and its answer over TCP loopback.
func BenchmarkRoundTrip(b *testing.B) {
	server, client := startManager(b, nil), startManager(b, nil)
	server.Handle("echo", func(_ context.Context, _ id.Attempt, payload []byte) ([]byte, error) { return payload, nil })
	for b.Loop() {
		if _, err := client.Call(context.Background(), server.Addr(), "echo", id.Attempt{}, template[:100]); err != nil {
			b.Fatal(err)
		}
	}
}
