package jobview

import (
	"maps"
	"slices"

	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/rest"
	"github.com/weft-project/weft/rest/restpb"
	"github.com/weft-project/weft/rpc/controlpb"
	"github.com/weft-project/weft/rpc/planpb"
)

// Job is what a JobManager knows of a job. Times are milliseconds since 1970, 0 for never.
type Job struct {
	ID    id.Job
	Graph *planpb.JobGraph
	// Config is the job's effective configuration, secrets included: the server masks them.
	Config map[string]string
	// RestartStrategy is a sentence.
	RestartStrategy string
	Status          planpb.JobStatus
	// Entered says when the job last entered which state.
	Entered map[planpb.JobStatus]int64
	// Start is when the job was submitted, End when it ended.
	Start, End int64
	// Restarts counts the attempts after the first.
	Restarts int
	// Waiting says what the job waits for; empty for nothing.
	Waiting string
	// Vertices by vertex id as the graph has it; a missing one counts as not started.
	Vertices map[string]Vertex
	// Failures, newest first.
	Failures []*planpb.Failure
	// SlotsNeeded, SlotsHeld and PendingTaskManagers are for Progress.
	SlotsNeeded, SlotsHeld, PendingTaskManagers int
}

// Vertex holds the executions of a vertex.
type Vertex struct {
	// Current are the current attempts, by subtask.
	Current []Attempt
	// Earlier are those before that are still kept.
	Earlier []Attempt
}

// Attempt is one execution of a subtask.
type Attempt struct {
	Subtask, Number int
	State           controlpb.ExecutionState
	// Entered says when it entered which state.
	Entered map[controlpb.ExecutionState]int64
	// Host is empty before a slot was found.
	Host string
	// Endpoint is host:port of the worker's data plane, empty before it is known.
	Endpoint    string
	TaskManager string
	// Metrics are the totals heard last; nil before any.
	Metrics      *controlpb.TaskMetrics
	Accumulators []*planpb.Accumulator
	Failure      *planpb.Failure
}

// ended tells the states no task leaves.
func ended(s controlpb.ExecutionState) bool {
	switch s {
	case controlpb.ExecutionState_STATE_FINISHED, controlpb.ExecutionState_STATE_CANCELED, controlpb.ExecutionState_STATE_FAILED:
		return true
	}
	return false
}

// stateName is Flink's name of a task state.
func stateName(s controlpb.ExecutionState) string {
	const prefix = len("STATE_")
	name := s.String()
	if len(name) <= prefix {
		return name
	}
	return name[prefix:]
}

// end is when the attempt ended; 0 while it has not.
func (a *Attempt) end() int64 {
	if !ended(a.State) {
		return 0
	}
	return a.Entered[a.State]
}

// start is when the attempt was deployed.
func (a *Attempt) start() int64 { return a.Entered[controlpb.ExecutionState_STATE_DEPLOYING] }

// visible are the vertices that documents show: the coordinator task is the engine's own.
func (j *Job) visible() []*planpb.JobVertex {
	var list []*planpb.JobVertex
	for _, v := range j.Graph.GetVertices() {
		if v.Kind != planpb.VertexKind_COORDINATOR {
			list = append(list, v)
		}
	}
	return list
}

// attempts gives one attempt for each subtask of a vertex, CREATED ones where there is none.
func (j *Job) attempts(v *planpb.JobVertex) []Attempt {
	list := make([]Attempt, v.Parallelism)
	for i := range list {
		list[i].Subtask = i
	}
	for _, a := range j.Vertices[v.Id].Current {
		if a.Subtask >= 0 && a.Subtask < len(list) {
			list[a.Subtask] = a
		}
	}
	return list
}

// kind is Flink's job type.
func (j *Job) kind() string {
	mode := j.Graph.GetMode()
	if mode == planpb.RuntimeMode_BATCH || (mode == planpb.RuntimeMode_AUTOMATIC && j.Graph.GetBounded()) {
		return "BATCH"
	}
	return "STREAMING"
}

// span gives end and duration as documents have them: -1 for an end to come.
func span(start, end, now int64) (until, duration int64) {
	if start <= 0 {
		return -1, 0
	}
	if end > 0 {
		return end, end - start
	}
	return -1, max(0, now-start)
}

// Count counts a job among those of an overview.
func Count(o *rest.Overview, status planpb.JobStatus) {
	switch status {
	case planpb.JobStatus_FINISHED:
		o.JobsFinished++
	case planpb.JobStatus_FAILED:
		o.JobsFailed++
	case planpb.JobStatus_CANCELED:
		o.JobsCancelled++
	default:
		o.JobsRunning++
	}
}

// ConfigEntries are a configuration as the cluster's document has it.
func ConfigEntries(values map[string]string) []rest.ConfigEntry {
	out := make([]rest.ConfigEntry, 0, len(values))
	for _, k := range slices.Sorted(maps.Keys(values)) {
		out = append(out, rest.ConfigEntry{Key: k, Value: values[k]})
	}
	return out
}

// Summary is the job's line in /jobs/overview.
func Summary(j *Job, now int64) rest.JobSummary {
	s := rest.JobSummary{ID: j.ID.String(), Name: j.Graph.GetName(), StartTime: j.Start, State: j.Status.String(), LastModification: j.Start}
	s.EndTime, s.Duration = span(j.Start, j.End, now)
	for _, at := range j.Entered {
		s.LastModification = max(s.LastModification, at)
	}
	for _, v := range j.visible() {
		for _, a := range j.attempts(v) {
			s.Tasks.Add(stateName(a.State), 1)
			for _, at := range a.Entered {
				s.LastModification = max(s.LastModification, at)
			}
		}
	}
	return s
}

// Details is the job's own document.
func Details(j *Job, now int64) rest.JobDetails {
	d := rest.JobDetails{
		ID: j.ID.String(), Name: j.Graph.GetName(), State: j.Status.String(), Type: j.kind(), StartTime: j.Start, MaxParallelism: -1, Now: now,
		Timestamps: rest.NewJobTimestamps(), StatusCounts: rest.NewTaskCounts(), Plan: Plan(j), Restarts: j.Restarts, Waiting: j.Waiting,
	}
	d.EndTime, d.Duration = span(j.Start, j.End, now)
	for status, at := range j.Entered {
		d.Timestamps[status.String()] = at
	}
	var all []*planpb.Accumulator
	for _, v := range j.visible() {
		line := jobVertex(j, v, now)
		d.StatusCounts[line.Status]++
		d.Vertices = append(d.Vertices, line)
		for _, a := range j.attempts(v) {
			all = append(all, a.Accumulators...)
		}
	}
	d.Accumulators = documents(Merge(all))
	return d
}

func jobVertex(j *Job, v *planpb.JobVertex, now int64) rest.JobVertex {
	line := rest.JobVertex{
		ID: v.Id, SlotSharingGroupID: id.VertexOf("slot sharing group " + v.SlotSharingGroup).String(), Name: v.Name,
		MaxParallelism: int(v.MaxParallelism), Parallelism: int(v.Parallelism), StartTime: -1, Tasks: rest.NewTaskCounts(), Metrics: rest.CompleteIO(),
	}
	var start, end int64
	running := false
	attempts := j.attempts(v)
	if l, known := load(attempts); known {
		line.Load = &l
	}
	for _, a := range attempts {
		line.Tasks[stateName(a.State)]++
		line.Metrics.Add(ioMetrics(&a))
		if at := a.start(); at > 0 && (start == 0 || at < start) {
			start = at
		}
		end = max(end, a.end())
		running = running || !ended(a.State)
	}
	if running {
		end = 0
	}
	line.Status = rest.AggregateState(line.Tasks)
	if start > 0 {
		line.StartTime = start
	}
	line.EndTime, line.Duration = span(start, end, now)
	if start <= 0 {
		line.Duration = -1
	}
	return line
}

// ioMetrics are an attempt's totals; complete means that it has reported them, or never will.
func ioMetrics(a *Attempt) rest.IOMetrics {
	m := a.Metrics
	known := m != nil || ended(a.State)
	io := rest.IOMetrics{
		ReadBytes: m.GetBytesIn(), ReadBytesComplete: known, WriteBytes: m.GetBytesOut(), WriteBytesComplete: known,
		ReadRecords: m.GetRecordsIn(), ReadRecordsComplete: known, WriteRecords: m.GetRecordsOut(), WriteRecordsComplete: known,
		BackpressuredTime: m.GetBackpressuredMs(), IdleTime: m.GetIdleMs(), BusyTime: rest.Double(m.GetBusyMs()),
	}
	io.SetRemote(m.GetRemoteBytesIn(), m.GetRemoteBytesOut())
	return io
}

// Config is the job's configuration document.
func Config(j *Job) rest.JobConfig {
	mode := "PIPELINED"
	if j.kind() == "BATCH" {
		mode = "BATCH"
	}
	highest := 0
	for _, v := range j.visible() {
		highest = max(highest, int(v.Parallelism))
	}
	user := make(map[string]string, len(j.Config))
	for k, v := range j.Config {
		user[k] = v
	}
	return rest.JobConfig{ID: j.ID.String(), Name: j.Graph.GetName(), Execution: rest.ExecutionConfig{
		Mode: mode, RestartStrategy: j.RestartStrategy, Parallelism: highest, UserConfig: user,
	}}
}

// Progress sums up a running job for who watches it.
func Progress(j *Job, now int64) *restpb.Progress {
	p := &restpb.Progress{
		Restarts: int32(j.Restarts), SlotsNeeded: int32(j.SlotsNeeded), SlotsHeld: int32(j.SlotsHeld), TaskmanagersPending: int32(j.PendingTaskManagers),
	}
	_, p.RuntimeMs = span(j.Start, j.End, now)
	feeds := map[string]bool{}
	for _, e := range j.Graph.GetEdges() {
		feeds[e.Source] = true
	}
	for _, v := range j.visible() {
		for _, a := range j.attempts(v) {
			p.TasksTotal++
			switch a.State {
			case controlpb.ExecutionState_STATE_RUNNING:
				p.TasksRunning++
			case controlpb.ExecutionState_STATE_FINISHED:
				p.TasksFinished++
			}
			// A source takes in no records and a sink gives none on; counted is what leaves the one and enters the other.
			if v.IsSource {
				p.RecordsIn += a.Metrics.GetRecordsOut()
			}
			if !feeds[v.Id] {
				p.RecordsOut += a.Metrics.GetRecordsIn()
			}
		}
	}
	return p
}
