package jobview

import (
	"math"
	"strconv"

	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/rest"
	"github.com/weft-project/weft/rpc/controlpb"
	"github.com/weft-project/weft/rpc/planpb"
)

// unassigned is what Flink writes for a task that has no slot yet.
const unassigned = "(unassigned)"

func (j *Job) vertex(vertex id.Vertex) *planpb.JobVertex {
	for _, v := range j.visible() {
		if v.Id == vertex.String() {
			return v
		}
	}
	return nil
}

// VertexDetails is a vertex with its subtasks; the error is a rest.VertexNotFound.
func VertexDetails(j *Job, vertex id.Vertex, now int64) (rest.VertexDetails, error) {
	v := j.vertex(vertex)
	if v == nil {
		return rest.VertexDetails{}, rest.VertexNotFound(j.ID, vertex)
	}
	d := rest.VertexDetails{ID: v.Id, Name: v.Name, Parallelism: int(v.Parallelism), MaxParallelism: int(v.MaxParallelism), Now: now}
	var all []*planpb.Accumulator
	for _, a := range j.attempts(v) {
		d.Subtasks = append(d.Subtasks, subtask(&a, now))
		all = append(all, a.Accumulators...)
	}
	for _, a := range j.Vertices[v.Id].Earlier {
		d.Earlier = append(d.Earlier, subtask(&a, now))
	}
	d.Accumulators = documents(Merge(all))
	return d, nil
}

func subtask(a *Attempt, now int64) rest.Subtask {
	s := rest.Subtask{
		Subtask: a.Subtask, Status: stateName(a.State), Attempt: a.Number, Host: a.Host, Endpoint: a.Endpoint, StartTime: -1, Metrics: ioMetrics(a),
		TaskManagerID: a.TaskManager, Timestamps: rest.NewTaskTimestamps(), Accumulators: documents(Merge(a.Accumulators)), Failure: a.Failure.GetMessage(),
	}
	if s.Host == "" {
		s.Host, s.TaskManagerID = unassigned, unassigned
	}
	if s.Endpoint == "" {
		s.Endpoint = s.Host
	}
	if at := a.start(); at > 0 {
		s.StartTime = at
	}
	s.EndTime, s.Duration = span(a.start(), a.end(), now)
	if a.start() <= 0 {
		s.EndTime, s.Duration = -1, -1
		if at := a.end(); at > 0 {
			s.EndTime = at
		}
	}
	for state, at := range a.Entered {
		s.Timestamps[stateName(state)] = at
	}
	return s
}

// SubtaskMetrics are the metrics of a subtask's current attempt, by Flink's names; the error is a rest.Error.
func SubtaskMetrics(j *Job, vertex id.Vertex, subtask int) ([]rest.Metric, error) {
	v := j.vertex(vertex)
	if v == nil {
		return nil, rest.VertexNotFound(j.ID, vertex)
	}
	if subtask < 0 || subtask >= int(v.Parallelism) {
		return nil, rest.NotFound("vertex %s has no subtask %d, its parallelism is %d", v.Id, subtask, v.Parallelism)
	}
	return taskMetrics(j.attempts(v)[subtask].Metrics), nil
}

// VertexMetrics are the metrics of all subtasks of a vertex as "<subtask>.<metric>"; the error is a rest.VertexNotFound.
func VertexMetrics(j *Job, vertex id.Vertex) ([]rest.Metric, error) {
	v := j.vertex(vertex)
	if v == nil {
		return nil, rest.VertexNotFound(j.ID, vertex)
	}
	var list []rest.Metric
	for _, a := range j.attempts(v) {
		for _, m := range taskMetrics(a.Metrics) {
			list = append(list, rest.Metric{ID: strconv.Itoa(a.Subtask) + "." + m.ID, Value: m.Value})
		}
	}
	return list, nil
}

func taskMetrics(m *controlpb.TaskMetrics) []rest.Metric {
	if m == nil {
		return nil
	}
	list := []rest.Metric{
		number("numRecordsIn", m.RecordsIn), number("numRecordsOut", m.RecordsOut), number("numBytesIn", m.BytesIn), number("numBytesOut", m.BytesOut),
		number("numBytesInLocal", m.BytesIn-m.RemoteBytesIn), number("numBytesInRemote", m.RemoteBytesIn), number("numBytesOutRemote", m.RemoteBytesOut),
		number("Shuffle.Netty.Input.numBytesInLocal", m.BytesIn-m.RemoteBytesIn), number("Shuffle.Netty.Input.numBytesInRemote", m.RemoteBytesIn),
		number("accumulateBusyTimeMs", m.BusyMs), number("accumulateIdleTimeMs", m.IdleMs), number("accumulateBackPressuredTimeMs", m.BackpressuredMs),
	}
	if m.Watermark != math.MinInt64 {
		list = append(list, number("currentInputWatermark", m.Watermark))
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
	return []rest.Metric{number("uptime", up), number("downtime", down), number("numRestarts", int64(j.Restarts)), number("fullRestarts", int64(j.Restarts))}
}

func number(name string, v int64) rest.Metric {
	return rest.Metric{ID: name, Value: strconv.FormatInt(v, 10)}
}
