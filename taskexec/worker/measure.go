package worker

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/weft-project/weft/eventtime"
	"github.com/weft-project/weft/metrics"
	"github.com/weft-project/weft/operator"
	"github.com/weft-project/weft/rpc/controlpb"
	"github.com/weft-project/weft/rpc/planpb"
)

// sampleInterval is how often the figures of tasks are looked at for rates, and the authors' own collected.
const sampleInterval = time.Second

// published is what other goroutines may read of a task's counters, written once a batch. It has a cache line to itself.
type published struct {
	_                           [64]byte
	recordsIn, recordsOut, done atomic.Int64
	watermark, emitLag          atomic.Int64
	_                           [64]byte
}

// operatorFigures are what other goroutines may read of one operator of the chain.
type operatorFigures struct{ in, out, records atomic.Int64 }

// chainFigures are those of a linked chain. The slices do not change.
type chainFigures struct {
	ids       []string
	leaves    []bool
	source    bool
	operators []operatorFigures
	// marks is the task's copy of what it published last.
	marks, fresh []operator.Marks
}

// totals of a task, for rates; times in nanoseconds.
type totals struct {
	recordsIn, recordsOut, bytesIn, bytesOut, buffersIn, buffersOut int64
	busy, idle, blocked                                             time.Duration
}

// figures are what is known of a task beside its counters.
type figures struct {
	chain atomic.Pointer[chainFigures]
	// named is what the task's goroutine has collected last; asked, that it was asked to.
	named atomic.Pointer[named]
	asked atomic.Bool

	mu      sync.Mutex
	history metrics.History[totals]
}

// named are the metrics and accumulators of a task's operators at one moment.
type named struct {
	metrics      map[int][]*controlpb.NamedMetric
	accumulators []*planpb.Accumulator
}

// measured begins to publish the figures of the chain's operators.
func (t *task) measured() {
	n := len(t.opctx.Ops)
	c := &chainFigures{ids: t.opctx.OpIDs, leaves: make([]bool, n), source: t.chain.Source != nil, operators: make([]operatorFigures, n),
		marks: make([]operator.Marks, n), fresh: make([]operator.Marks, n)}
	t.chain.Marks(c.marks)
	for i, m := range c.marks {
		c.leaves[i] = m.Leaves
		c.operators[i].in.Store(m.In)
		c.operators[i].out.Store(m.Out)
	}
	t.pub.emitLag.Store(operator.NoLag)
	t.figures.chain.Store(c)
}

// publish makes the task's plain counters visible; called once a batch.
func (t *task) publish() {
	var out int64
	if c := t.figures.chain.Load(); c != nil {
		t.chain.Marks(c.fresh)
		for i := range c.fresh {
			was, is, o := &c.marks[i], &c.fresh[i], &c.operators[i]
			out += is.Records
			if *was == *is {
				continue
			}
			*was = *is
			o.in.Store(is.In)
			o.out.Store(is.Out)
			o.records.Store(is.Records)
		}
		t.pub.emitLag.Store(t.opctx.EmitLag)
		if t.opctx.Measured() && !t.hasNamed.Load() {
			t.hasNamed.Store(true)
		}
	}
	t.pub.recordsIn.Store(t.recordsIn)
	t.pub.recordsOut.Store(out)
	if t.valve != nil {
		t.pub.watermark.Store(t.valve.Last())
	}
}

// collect takes the values of the authors' metrics, in the task's goroutine.
func (t *task) collect() {
	t.figures.named.Store(&named{t.opctx.NamedMetrics(time.Since(t.started)), t.opctx.Accumulators()})
	t.figures.asked.Store(false)
}

// sample notes the totals for rates, and asks the task for the values of its authors' metrics.
func (t *task) sample() {
	if t.pub.done.Load() != 0 {
		return
	}
	t.figures.mu.Lock()
	m := &controlpb.TaskMetrics{}
	t.figures.history.Note(time.Since(t.started), t.totals(m))
	t.figures.mu.Unlock()
	if t.figures.chain.Load() != nil && t.hasNamed.Load() && t.figures.asked.CompareAndSwap(false, true) {
		t.mailbox.Post(t.collect)
	}
}

// totals fills in m what grows, and the buffers.
func (t *task) totals(m *controlpb.TaskMetrics) totals {
	m.RecordsIn, m.RecordsOut = t.pub.recordsIn.Load(), t.pub.recordsOut.Load()
	age := time.Duration(t.pub.done.Load())
	if age == 0 && !t.started.IsZero() {
		age = time.Since(t.started)
	}
	n := totals{recordsIn: m.RecordsIn, recordsOut: m.RecordsOut, idle: t.idle.Total(), blocked: t.blocked.Total()}
	n.busy = max(0, age-n.idle-n.blocked)
	m.BusyMs, m.IdleMs, m.BackpressuredMs = n.busy.Milliseconds(), n.idle.Milliseconds(), n.blocked.Milliseconds()
	m.Buffers = &controlpb.Buffers{}
	t.inputs(m)
	t.outputs(m)
	n.bytesIn, n.bytesOut, n.buffersIn, n.buffersOut = m.BytesIn, m.BytesOut, m.Buffers.In, m.Buffers.Out
	return n
}

func (t *task) inputs(m *controlpb.TaskMetrics) {
	gate := t.openedGate.Load()
	if gate == nil {
		return
	}
	channels, queued := gate.Stats()
	for _, s := range channels {
		m.BytesIn += s.Bytes
		m.Buffers.In += s.Buffers
		if s.Remote {
			m.RemoteBytesIn += s.Bytes
		}
	}
	m.Buffers.InQueued = int64(queued)
	m.Buffers.InUsage = usage(queued, gate.Capacity())
}

func (t *task) outputs(m *controlpb.TaskMetrics) {
	used, capacity := 0, 0
	for edge, p := range t.partitions {
		for i, s := range p.Stats() {
			m.BytesOut += s.Bytes
			m.Buffers.Out += s.Buffers
			m.Buffers.OutQueued += int64(s.Queued)
			used += s.Used
			// A task may end before its consumers have attached, and these are the last figures that it reports.
			if s.Remote || (!s.Attached && !t.consumers[edge][i].here) {
				m.RemoteBytesOut += s.Bytes
			}
		}
		capacity += p.Capacity()
	}
	m.Buffers.OutUsage = usage(used, capacity)
}

func usage(used, capacity int) float64 {
	if capacity <= 0 {
		return 0
	}
	return min(1, float64(used)/float64(capacity))
}

// metrics are all figures of the task, for any goroutine.
func (t *task) metrics() *controlpb.TaskMetrics {
	m := &controlpb.TaskMetrics{Attempt: t.td.GetId(), Watermark: eventtime.None}
	if !t.isCoordinator && t.openedGate.Load() != nil {
		m.Watermark = t.pub.watermark.Load()
	}
	n := t.totals(m)
	age := time.Duration(t.pub.done.Load())
	if age == 0 {
		age = time.Since(t.started)
	}
	t.figures.mu.Lock()
	old, ago := t.figures.history.Oldest(age)
	t.figures.mu.Unlock()
	each := func(now, before time.Duration) float64 {
		return min(1000, 1000*metrics.PerSecond(max(0, int64(now-before)), ago)/float64(time.Second))
	}
	m.Rates = &controlpb.Rates{
		RecordsIn: metrics.PerSecond(n.recordsIn-old.recordsIn, ago), RecordsOut: metrics.PerSecond(n.recordsOut-old.recordsOut, ago),
		BytesIn: metrics.PerSecond(n.bytesIn-old.bytesIn, ago), BytesOut: metrics.PerSecond(n.bytesOut-old.bytesOut, ago),
		BuffersIn: metrics.PerSecond(n.buffersIn-old.buffersIn, ago), BuffersOut: metrics.PerSecond(n.buffersOut-old.buffersOut, ago),
		Busy: each(n.busy, old.busy), Idle: each(n.idle, old.idle), Backpressured: each(n.blocked, old.blocked)}
	if c := t.figures.chain.Load(); c != nil {
		m.Operators = t.operatorMetrics(c, m)
		if v := t.figures.named.Load(); v != nil {
			m.Accumulators = v.accumulators
		}
	}
	return m
}

func (t *task) operatorMetrics(c *chainFigures, m *controlpb.TaskMetrics) []*controlpb.OperatorMetrics {
	out := make([]*controlpb.OperatorMetrics, len(c.ids))
	for i := range out {
		o := &c.operators[i]
		out[i] = &controlpb.OperatorMetrics{Id: c.ids[i], InputWatermark: o.in.Load(), OutputWatermark: o.out.Load(), CountsOut: c.leaves[i],
			RecordsOut: o.records.Load(), EmitLag: operator.NoLag}
	}
	first := out[0]
	if c.source {
		first.Source, first.EmitLag = true, t.pub.emitLag.Load()
	} else {
		first.CountsIn, first.RecordsIn = true, m.RecordsIn
	}
	if v := t.figures.named.Load(); v != nil {
		for op, list := range v.metrics {
			out[op].Named = list
		}
	}
	return out
}

// sampler looks at all tasks now and then.
func (r *Runtime) sampler() {
	defer r.running.Done()
	tick := time.NewTicker(sampleInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			for _, t := range r.tasks() {
				t.sample()
			}
		case <-r.ctx.Done():
			return
		}
	}
}

func (r *Runtime) tasks() []*task {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]*task, 0, len(r.mu.tasks))
	for _, t := range r.mu.tasks {
		out = append(out, t)
	}
	return out
}

// Metrics gives the figures of all tasks.
func (r *Runtime) Metrics() []*controlpb.TaskMetrics {
	var out []*controlpb.TaskMetrics
	for _, t := range r.tasks() {
		out = append(out, t.metrics())
	}
	return out
}
