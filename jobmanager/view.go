package jobmanager

import (
	"net"
	"strconv"
	"time"

	"github.com/weft-project/weft/graph/execution"
	"github.com/weft-project/weft/internal/procstat"
	"github.com/weft-project/weft/rest"
	"github.com/weft-project/weft/rest/jobview"
	"github.com/weft-project/weft/rest/restpb"
	"github.com/weft-project/weft/rpc/controlpb"
	"github.com/weft-project/weft/rpc/planpb"
)

// view is the job as documents are made of it.
func (j *job) view() *jobview.Job {
	v := &jobview.Job{ID: j.id, Graph: j.x.Graph, Config: j.config(), RestartStrategy: j.strategy.Text, Status: j.x.Status, Entered: j.x.Entered,
		Start: j.start, End: j.end, Restarts: j.restarts, Vertices: map[string]jobview.Vertex{}, Failures: j.failures,
		SlotsNeeded: j.x.Slots(), SlotsHeld: len(j.slots)}
	if len(j.workers) == 0 {
		v.SlotsHeld = 0
	}
	if !j.waitingSince.IsZero() {
		v.Waiting = strconv.Itoa(j.x.Slots()) + " slots"
		v.PendingTaskManagers = j.m.onTheirWay()
	}
	for _, gv := range j.x.Graph.GetVertices() {
		v.Vertices[gv.GetId()] = jobview.Vertex{Current: attempts(j.x.Current[gv.GetId()]), Earlier: attempts(j.x.Earlier[gv.GetId()])}
	}
	return v
}

func attempts(list []*execution.Attempt) []jobview.Attempt {
	out := make([]jobview.Attempt, 0, len(list))
	for _, a := range list {
		out = append(out, jobview.Attempt{Subtask: a.Subtask, Number: a.Number, State: a.State, Entered: a.Entered, Host: a.Host, Endpoint: a.Endpoint,
			TaskManager: a.TaskManager, Metrics: a.Metrics, Accumulators: a.Accumulators, Failure: a.Failure})
	}
	return out
}

// watched is the answer to a watcher that has seen everything up to since.
func (j *job) watched(since uint64) *restpb.WatchReply {
	r := &restpb.WatchReply{Next: j.sequence, Status: j.x.Status, Ended: j.result != nil, Result: j.result,
		Truncated: j.truncated && len(j.events) > 0 && j.events[0].GetSequence() > since+1}
	for _, e := range j.events {
		if e.GetSequence() > since {
			r.Events = append(r.Events, e)
		}
	}
	r.Progress = jobview.Progress(j.view(), nowMs())
	return r
}

func (t *taskManager) document() rest.TaskManager {
	r := t.register
	slots := int64(len(t.slots))
	slotMB := r.GetSlotMemory() >> 20
	free := int64(t.free())
	cores := rest.Double(r.GetCpuCores())
	return rest.TaskManager{
		ID: t.id, Path: net.JoinHostPort(r.GetHost(), strconv.Itoa(int(r.GetPid()))), JMXPort: -1, LastHeartbeat: t.heard.UnixMilli(),
		Slots: len(t.slots), FreeSlots: t.free(),
		Total:    rest.Resource{CPUCores: cores, TaskHeapMemory: slotMB * slots},
		Free:     rest.Resource{CPUCores: cores * rest.Double(free) / rest.Double(slots), TaskHeapMemory: slotMB * free},
		Hardware: rest.Hardware{CPUCores: int(r.GetCpuCores()), PhysicalMemory: r.GetPhysicalMemory(), FreeMemory: max(0, r.GetProcessMemory()-t.rss)},
		Memory: rest.MemoryLayout{TaskHeap: r.GetSlotMemory() * slots, FrameworkHeap: r.GetProcessMemory() - r.GetSlotMemory()*slots,
			TotalFlinkMemory: r.GetProcessMemory(), TotalProcess: r.GetProcessMemory()},
		Host: r.GetHost(), LogURL: r.GetLogUrl(), RSS: t.rss,
	}
}

func (t *taskManager) details() rest.TaskManagerDetails {
	d := rest.TaskManagerDetails{TaskManager: t.document(), AllocatedSlots: []rest.AllocatedSlot{}}
	for _, j := range t.slots {
		if j != nil {
			d.AllocatedSlots = append(d.AllocatedSlots, rest.AllocatedSlot{JobID: j.id.String(),
				Resource: rest.Resource{CPUCores: d.Total.CPUCores / rest.Double(len(t.slots)), TaskHeapMemory: t.register.GetSlotMemory() >> 20}})
		}
	}
	d.Metrics.HeapUsed, d.Metrics.HeapMax = t.rss, t.register.GetProcessMemory()
	return d
}

func (t *taskManager) metrics() []rest.Metric {
	n := func(id string, v int64) rest.Metric { return rest.Metric{ID: id, Value: strconv.FormatInt(v, 10)} }
	out := []rest.Metric{n("Status.Weft.Memory.RSS", t.rss), n("Status.Weft.Memory.Process", t.register.GetProcessMemory()),
		n("taskSlotsTotal", int64(len(t.slots))), n("taskSlotsAvailable", int64(t.free()))}
	if t.process == nil {
		return out
	}
	return append(append(out, rest.Metric{ID: "Status.JVM.CPU.Load", Value: strconv.FormatFloat(t.cpuLoad, 'f', -1, 64)}), jobview.ProcessMetrics(t.process)...)
}

// measured takes the figures of a heartbeat.
func (t *taskManager) measured(p *controlpb.ProcessMetrics, now time.Time) {
	if in := now.Sub(t.measuredAt); t.process != nil && in > 0 {
		// Workers that have ended take what they have used with them.
		used := time.Duration(max(0, p.GetCpuMs()-t.process.GetCpuMs())) * time.Millisecond
		t.cpuLoad = min(1, used.Seconds()/in.Seconds()/max(1, t.register.GetCpuCores()))
	}
	t.process, t.measuredAt = p, now
}

func (m *JobManager) metrics() []rest.Metric {
	total, free, running := 0, 0, 0
	for _, tm := range m.tms {
		total += len(tm.slots)
		free += tm.free()
	}
	for _, j := range m.order {
		if !execution.Ended(j.x.Status) && j.x.Status != planpb.JobStatus_CREATED {
			running++
		}
	}
	n := func(id string, v int) rest.Metric { return rest.Metric{ID: id, Value: strconv.Itoa(v)} }
	out := []rest.Metric{n("numRunningJobs", running), n("numRegisteredTaskManagers", len(m.tms)), n("numPendingTaskManagers", len(m.pending)),
		n("taskSlotsTotal", total), n("taskSlotsAvailable", free)}
	out = append(out, jobview.ProcessMetrics(procstat.Read())...)
	if end := m.o.platform().TokensEnd; !end.IsZero() {
		out = append(out, n("Status.Weft.DelegationTokens.SecondsLeft", int(time.Until(end).Seconds())))
	}
	return out
}
