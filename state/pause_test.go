package state

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weft-project/weft/codec"
)

// BenchmarkPause keeps values of 1 KiB and replaces them at random. b.N snapshots are taken; meanwhile another goroutine encodes them.
// Reported are what the task stands still for at one, and the longest change of a value while one is read.
func BenchmarkPause(b *testing.B) {
	for _, mib := range []int{64, 256, 512} {
		b.Run(fmt.Sprint(mib, "MiB"), func(b *testing.B) { pause(b, mib<<10) })
	}
}

func pause(b *testing.B, keys int) {
	key, err := codec.KeyOf[int64]()
	if err != nil {
		b.Fatal(err)
	}
	groups := Groups{End: 128, Max: 128}
	k, err := NewKeyed(key, groups)
	if err != nil {
		b.Fatal(err)
	}
	v, err := NewValue[[]byte](k, "value", TTL{})
	if err != nil {
		b.Fatal(err)
	}
	value, hash := make([]byte, 1024), key.Hasher()
	set := func(n int64) {
		k.SetKey(n, hash(n))
		v.Set(value)
	}
	for n := range keys {
		set(int64(n))
	}
	var pauses []time.Duration
	var changes [1 << 14]int64 // how many took so many tenths of a millisecond
	total := int64(0)
	rnd := rand.New(rand.NewPCG(1, 2))
	for b.Loop() {
		began := time.Now()
		f := v.Freeze()
		pauses = append(pauses, time.Since(began))
		var done atomic.Bool
		go func() {
			var buf []byte
			for g := range groups.Max {
				buf = f.Group(g, buf[:0])
			}
			f.Release()
			done.Store(true)
		}()
		for last := time.Now(); !done.Load(); {
			set(rnd.Int64N(int64(keys)))
			now := time.Now()
			changes[min(int(now.Sub(last)/(100*time.Microsecond)), len(changes)-1)]++
			total++
			last = now
		}
	}
	slices.Sort(pauses)
	b.ReportMetric(float64(pauses[len(pauses)*99/100].Microseconds())/1000, "p99-freeze-ms")
	share := func(above int64) float64 {
		for i := len(changes) - 1; i >= 0; i-- {
			if above -= changes[i]; above < 0 {
				return float64(i+1) / 10
			}
		}
		return 0
	}
	b.ReportMetric(share(total/1000), "p99.9-change-ms")
	b.ReportMetric(share(0), "longest-change-ms")
}
