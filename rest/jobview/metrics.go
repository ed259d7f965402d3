package jobview

import (
	"math"
	"slices"
	"strconv"

	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/metrics"
	"github.com/weft-project/weft/rest"
	"github.com/weft-project/weft/rpc/controlpb"
	"github.com/weft-project/weft/rpc/planpb"
)

// none is a watermark, or a time, that there is not.
const none = math.MinInt64

// Metrics are the metrics of a job, a vertex or a subtask; the error is a rest.Error.
func Metrics(j *Job, s rest.MetricScope, now int64) ([]rest.Metric, error) {
	switch s.Kind {
	case rest.ScopeVertex:
		return VertexMetrics(j, s.Vertex, now)
	case rest.ScopeSubtask:
		return SubtaskMetrics(j, s.Vertex, s.Subtask, now)
	}
	return JobMetrics(j, now), nil
}

// SubtaskMetrics are the metrics of a subtask's current attempt, by Flink's names; the error is a rest.Error.
func SubtaskMetrics(j *Job, vertex id.Vertex, subtask int, now int64) ([]rest.Metric, error) {
	v := j.vertex(vertex)
	if v == nil {
		return nil, rest.VertexNotFound(j.ID, vertex)
	}
	if subtask < 0 || subtask >= int(v.Parallelism) {
		return nil, rest.NotFound("vertex %s has no subtask %d, its parallelism is %d", v.Id, subtask, v.Parallelism)
	}
	return attemptMetrics(v, &j.attempts(v)[subtask], now), nil
}

// VertexMetrics are the metrics of all subtasks of a vertex as "<subtask>.<metric>"; the error is a rest.VertexNotFound.
func VertexMetrics(j *Job, vertex id.Vertex, now int64) ([]rest.Metric, error) {
	v := j.vertex(vertex)
	if v == nil {
		return nil, rest.VertexNotFound(j.ID, vertex)
	}
	var list []rest.Metric
	for _, a := range j.attempts(v) {
		prefix := strconv.Itoa(a.Subtask) + "."
		for _, m := range attemptMetrics(v, &a, now) {
			if m.Series.Name == "" {
				m.Series.Name = m.ID
			}
			m.ID, m.Series.Subtask = prefix+m.ID, a.Subtask
			list = append(list, m)
		}
	}
	return list, nil
}

func attemptMetrics(v *planpb.JobVertex, a *Attempt, now int64) []rest.Metric {
	m := a.Metrics
	if m == nil {
		return nil
	}
	list := taskMetrics(m)
	left := 0
	for _, o := range m.GetOperators() {
		if o.GetCountsOut() {
			left++
		}
	}
	for _, o := range m.GetOperators() {
		rates := operatorRates{in: m.GetRates().GetRecordsIn()}
		if rates.single = left == 1; rates.single {
			rates.out = m.GetRates().GetRecordsOut()
		}
		for _, one := range operatorMetrics(o, rates, now, ended(a.State)) {
			one.Series.Name, one.Series.OperatorID, one.Series.Operator = pick(one.Series.Name, one.ID), o.GetId(), operatorName(v, o.GetId())
			one.ID = metrics.Clean(one.Series.Operator) + "." + one.ID
			list = append(list, one)
		}
	}
	return list
}

func pick(name, otherwise string) string {
	if name == "" {
		return otherwise
	}
	return name
}

func operatorName(v *planpb.JobVertex, id string) string {
	for _, o := range v.GetOperators() {
		if o.GetId() == id {
			return o.GetName()
		}
	}
	return id
}

func taskMetrics(m *controlpb.TaskMetrics) []rest.Metric {
	r, b := m.GetRates(), m.GetBuffers()
	list := []rest.Metric{
		total("numRecordsIn", m.RecordsIn), total("numRecordsOut", m.RecordsOut), total("numBytesIn", m.BytesIn), total("numBytesOut", m.BytesOut),
		total("numBytesInLocal", m.BytesIn-m.RemoteBytesIn), total("numBytesInRemote", m.RemoteBytesIn), total("numBytesOutRemote", m.RemoteBytesOut),
		total("Shuffle.Netty.Input.numBytesInLocal", m.BytesIn-m.RemoteBytesIn), total("Shuffle.Netty.Input.numBytesInRemote", m.RemoteBytesIn),
		total("accumulateBusyTimeMs", m.BusyMs), total("accumulateIdleTimeMs", m.IdleMs), total("accumulateBackPressuredTimeMs", m.BackpressuredMs),
	}
	if r != nil {
		list = append(list, gauge("numRecordsInPerSecond", r.RecordsIn), gauge("numRecordsOutPerSecond", r.RecordsOut),
			gauge("numBytesInPerSecond", r.BytesIn), gauge("numBytesOutPerSecond", r.BytesOut), gauge("numBuffersOutPerSecond", r.BuffersOut),
			number(busyTime, int64(math.Round(r.Busy))), number(idleTime, int64(math.Round(r.Idle))), number(heldTime, int64(math.Round(r.Backpressured))),
			rest.Metric{ID: "isBackPressured", Value: strconv.FormatBool(r.Backpressured > backpressured)})
	}
	if b != nil {
		list = append(list, total("numBuffersIn", b.In), total("numBuffersOut", b.Out))
		for _, prefix := range []string{"buffers.", "Shuffle.Netty.Input.Buffers."} {
			list = append(list, number(prefix+"inputQueueLength", b.InQueued), gauge(prefix+"inPoolUsage", b.InUsage))
		}
		for _, prefix := range []string{"buffers.", "Shuffle.Netty.Output.Buffers."} {
			list = append(list, number(prefix+"outputQueueLength", b.OutQueued), gauge(prefix+"outPoolUsage", b.OutUsage))
		}
	}
	if m.Watermark != none {
		list = append(list, number("currentInputWatermark", m.Watermark))
	}
	return list
}

// Flink's names of what part of a second a task works, waits for input, and waits for its outputs.
const (
	busyTime = "busyTimeMsPerSecond"
	idleTime = "idleTimeMsPerSecond"
	heldTime = "backPressuredTimeMsPerSecond"
	// backpressured is from how many milliseconds of a second on a task is called so; it is where Flink's page says "low".
	backpressured = 100
)

// operatorRates are those of a task, as far as they are an operator's.
type operatorRates struct {
	in, out float64
	single  bool
}

func operatorMetrics(o *controlpb.OperatorMetrics, r operatorRates, now int64, over bool) []rest.Metric {
	var list []rest.Metric
	if o.CountsIn {
		list = append(list, total("numRecordsIn", o.RecordsIn), gauge("numRecordsInPerSecond", r.in))
	}
	if o.CountsOut {
		list = append(list, total("numRecordsOut", o.RecordsOut))
		if r.single {
			list = append(list, gauge("numRecordsOutPerSecond", r.out))
		}
	}
	if !o.Source && o.InputWatermark != none {
		list = append(list, number("currentInputWatermark", o.InputWatermark))
	}
	if wm := o.OutputWatermark; wm != none {
		list = append(list, number("currentOutputWatermark", wm))
		if o.Source && wm != math.MaxInt64 && !over {
			list = append(list, number("watermarkLag", now-wm))
		}
	}
	if o.Source && o.EmitLag != none {
		list = append(list, number("currentEmitEventTimeLag", o.EmitLag))
	}
	for _, m := range o.Named {
		list = append(list, namedMetrics(m)...)
	}
	return list
}

// namedMetrics are those that one metric of an author is.
func namedMetrics(m *controlpb.NamedMetric) []rest.Metric {
	switch k := m.Kind.(type) {
	case *controlpb.NamedMetric_Counter:
		return []rest.Metric{number(m.Name, k.Counter)}
	case *controlpb.NamedMetric_Gauge:
		return []rest.Metric{gauge(m.Name, k.Gauge)}
	case *controlpb.NamedMetric_Meter:
		return []rest.Metric{gauge(m.Name, k.Meter.GetRate()), total(m.Name+"_count", k.Meter.GetCount())}
	case *controlpb.NamedMetric_Histogram:
		return histogram(m.Name, k.Histogram)
	}
	return nil
}

func histogram(name string, h *controlpb.HistogramMetric) []rest.Metric {
	list := []rest.Metric{total(name+"_count", h.Count)}
	for _, m := range []rest.Metric{number(name+"_min", h.Min), number(name+"_max", h.Max), gauge(name+"_mean", h.Mean), gauge(name+"_stddev", h.Stddev)} {
		m.Series.Kind = rest.Hidden
		list = append(list, m)
	}
	for i, q := range metrics.Quantiles {
		if i < len(h.Quantiles) {
			m := gauge(name+"_"+q.Name, h.Quantiles[i])
			m.Series.Name, m.Series.Quantile = name, strconv.FormatFloat(q.At, 'f', -1, 64)
			list = append(list, m)
		}
	}
	return list
}

// JobMetrics are the metrics of the job as a whole.
func JobMetrics(j *Job, now int64) []rest.Metric {
	var up, down int64
	switch j.Status {
	case planpb.JobStatus_RUNNING:
		up = max(0, now-j.Entered[planpb.JobStatus_RUNNING])
	case planpb.JobStatus_FAILING, planpb.JobStatus_RESTARTING:
		down = max(0, now-j.Entered[j.Status])
	case planpb.JobStatus_FINISHED, planpb.JobStatus_FAILED, planpb.JobStatus_CANCELED:
		up = -1
	}
	list := []rest.Metric{number("uptime", up), number("downtime", down), total("numRestarts", int64(j.Restarts)), total("fullRestarts", int64(j.Restarts))}
	// How long the job has been in its state; 0 for the others.
	for _, s := range []struct {
		name   string
		status planpb.JobStatus
	}{{"initializingTime", planpb.JobStatus_INITIALIZING}, {"createdTime", planpb.JobStatus_CREATED}, {"runningTime", planpb.JobStatus_RUNNING},
		{"restartingTime", planpb.JobStatus_RESTARTING}, {"failingTime", planpb.JobStatus_FAILING}, {"cancellingTime", planpb.JobStatus_CANCELLING}} {
		var in int64
		if j.Status == s.status {
			in = max(0, now-j.Entered[s.status])
		}
		list = append(list, number(s.name, in))
	}
	return list
}

// ProcessMetrics are the figures of a process under the names that they have for a JVM.
func ProcessMetrics(p *controlpb.ProcessMetrics) []rest.Metric {
	return []rest.Metric{
		number("Status.JVM.Memory.Heap.Used", p.GetHeapUsed()), number("Status.JVM.Memory.Heap.Committed", p.GetHeapCommitted()),
		number("Status.JVM.Memory.Heap.Max", p.GetHeapMax()), number("Status.JVM.Memory.NonHeap.Used", p.GetOther()),
		number("Status.JVM.Threads.Count", p.GetGoroutines()), total("Status.JVM.GarbageCollector.All.Count", p.GetCollections()),
		total("Status.JVM.GarbageCollector.All.Time", p.GetCollectionMs()), total("Status.JVM.CPU.Time", p.GetCpuMs()*1e6),
	}
}

// load is how the busiest and the most held up of a vertex's running subtasks spend their time, as parts of it; known is false as
// long as nothing has been measured.
func load(attempts []Attempt) (l rest.Load, known bool) {
	running := slices.DeleteFunc(slices.Clone(attempts), func(a Attempt) bool { return ended(a.State) || a.Metrics.GetRates() == nil })
	l.Idle = 1
	for _, a := range running {
		r := a.Metrics.GetRates()
		l.Busy, l.Held, l.Idle = max(l.Busy, r.Busy/1000), max(l.Held, r.Backpressured/1000), min(l.Idle, r.Idle/1000)
	}
	return l, len(running) > 0
}

func number(name string, v int64) rest.Metric {
	return rest.Metric{ID: name, Value: strconv.FormatInt(v, 10)}
}

func total(name string, v int64) rest.Metric {
	m := number(name, v)
	m.Series.Kind = rest.Total
	return m
}

func gauge(name string, v float64) rest.Metric {
	return rest.Metric{ID: name, Value: strconv.FormatFloat(v, 'f', -1, 64)}
}
