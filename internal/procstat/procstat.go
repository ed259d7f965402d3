package procstat

import (
	"math"
	"runtime/metrics"

	"github.com/weft-project/weft/rpc/controlpb"
)

const (
	heapObjects = "/memory/classes/heap/objects:bytes"
	heapUnused  = "/memory/classes/heap/unused:bytes"
	heapFree    = "/memory/classes/heap/free:bytes"
	total       = "/memory/classes/total:bytes"
	released    = "/memory/classes/heap/released:bytes"
	memoryLimit = "/gc/gomemlimit:bytes"
	goroutines  = "/sched/goroutines:goroutines"
	collections = "/gc/cycles/total:gc-cycles"
	collecting  = "/cpu/classes/gc/total:cpu-seconds"
)

var names = []string{heapObjects, heapUnused, heapFree, total, released, memoryLimit, goroutines, collections, collecting}

// Read gives the figures of this process; nothing stops for it.
func Read() *controlpb.ProcessMetrics {
	samples := make([]metrics.Sample, len(names))
	for i, n := range names {
		samples[i].Name = n
	}
	metrics.Read(samples)
	m := map[string]int64{}
	for _, s := range samples {
		switch s.Value.Kind() {
		case metrics.KindUint64:
			m[s.Name] = int64(min(s.Value.Uint64(), math.MaxInt64))
		case metrics.KindFloat64:
			m[s.Name] = int64(s.Value.Float64() * 1000)
		}
	}
	p := &controlpb.ProcessMetrics{HeapUsed: m[heapObjects], HeapCommitted: m[heapObjects] + m[heapUnused] + m[heapFree], HeapMax: m[memoryLimit],
		Goroutines: m[goroutines], Collections: m[collections], CollectionMs: m[collecting], CpuMs: processorTime().Milliseconds()}
	if p.HeapMax == math.MaxInt64 {
		p.HeapMax = -1 // no limit, as Java says it
	}
	p.Other = max(0, m[total]-m[released]-p.HeapCommitted)
	return p
}

// Add adds the figures of another process.
func Add(to, p *controlpb.ProcessMetrics) {
	to.HeapUsed += p.GetHeapUsed()
	to.HeapCommitted += p.GetHeapCommitted()
	if to.HeapMax >= 0 && p.GetHeapMax() >= 0 {
		to.HeapMax += p.GetHeapMax()
	} else {
		to.HeapMax = -1
	}
	to.Other += p.GetOther()
	to.Goroutines += p.GetGoroutines()
	to.Collections += p.GetCollections()
	to.CollectionMs += p.GetCollectionMs()
	to.CpuMs += p.GetCpuMs()
}
