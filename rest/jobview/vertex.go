package jobview

import (
	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/rest"
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
	if l, known := load([]Attempt{*a}); known {
		s.Load = &l
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
