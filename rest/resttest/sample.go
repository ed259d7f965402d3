package resttest

import (
	"fmt"

	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/rest"
)

// Start is when the sample's jobs start, milliseconds since 1970.
const Start = 1_760_000_000_000

// Ids of the sample.
var (
	RunningJob  = id.Job{0xaa, 1}
	FailedJob   = id.Job{0xbb, 2}
	FinishedJob = id.Job{0xcc, 3}
	Source      = id.VertexOf("source")
	Counts      = id.VertexOf("counts")
)

// Sample is a cluster with two TaskManagers and three jobs: one running, one failed, one finished.
func Sample() *Backend {
	b := &Backend{
		ClusterDoc: rest.Cluster{
			ClusterID: "application_1760000000000_0007", Target: "yarn-session", Version: "0.1.0", Revision: "abc1234", User: "ada", Name: "Weft session", Queue: "root.default",
			Host: "node1", StartTime: Start - 60_000, TaskManagerMemory: 2 << 30, TaskManagerVCores: 1, TaskManagerSlots: 1, PendingTaskManagers: 1,
			LogURL: "http://node1:8042/node/containerlogs/container_1760000000000_0007_01_000001/ada",
		},
		OverviewDoc: rest.Overview{TaskManagers: 2, SlotsTotal: 2, SlotsAvailable: 0, JobsRunning: 1, JobsFinished: 1, JobsFailed: 1},
		ConfigDoc: []rest.ConfigEntry{
			{Key: "taskmanager.memory.process.size", Value: "2048m"}, {Key: "parallelism.default", Value: "2"},
			{Key: "s3.secret-key", Value: "hush-hush"}, {Key: "security.delegation.tokens.enabled", Value: "true"},
			{Key: "env.opts", Value: "-Dlevel=info -Dkeystore.password=hush-hush"}, {Key: "proxy", Value: "http://ada:hush-hush@proxy:3128/"},
		},
		ConfigDocs:    map[string]rest.JobConfig{},
		ExceptionDocs: map[string]rest.JobExceptions{},
		VertexDocs:    map[string]rest.VertexDetails{},
		MetricDocs:    map[string][]rest.Metric{},
	}
	for i := range 2 {
		b.TaskManagerDocs = append(b.TaskManagerDocs, sampleTaskManager(i))
	}
	b.addJob(RunningJob, "wordcount", "RUNNING", -1)
	b.addJob(FailedJob, "orders <b>enriched</b>", "FAILED", Start+42_000)
	b.addJob(FinishedJob, "nightly report", "FINISHED", Start+754_000)
	b.ExceptionDocs[FailedJob.String()] = sampleFailure()
	b.VertexDocs[Source.String()] = sampleVertex(Source, "Source: text file -> flatMap", true)
	b.VertexDocs[Counts.String()] = sampleVertex(Counts, "keyed sum -> Sink: text files", false)
	b.addMetrics()
	return b
}

func sampleTaskManager(i int) rest.TaskManagerDetails {
	total := rest.Resource{CPUCores: 1, TaskHeapMemory: 1536, NetworkMemory: 128}
	return rest.TaskManagerDetails{
		TaskManager: rest.TaskManager{
			ID: fmt.Sprintf("container_1760000000000_0007_01_00000%d", i+2), Path: fmt.Sprintf("node%d:40001", i+1), JMXPort: -1,
			LastHeartbeat: Start + 60_000, Slots: 1, Total: total,
			Hardware: rest.Hardware{CPUCores: 8, PhysicalMemory: 32 << 30, FreeMemory: 1536 << 20},
			Memory:   rest.MemoryLayout{FrameworkHeap: 64 << 20, TaskHeap: 1536 << 20, NetworkMemory: 128 << 20, JVMOverhead: 320 << 20, TotalFlinkMemory: 1728 << 20, TotalProcess: 2 << 30},
			Host:     fmt.Sprintf("node%d", i+1), RSS: int64(180+i*30) << 20, LogURL: fmt.Sprintf("http://node%d:8042/node/containerlogs/container_1760000000000_0007_01_00000%d/ada", i+1, i+2),
		},
		AllocatedSlots: []rest.AllocatedSlot{{JobID: RunningJob.String(), Resource: total}},
		Metrics:        rest.TaskManagerMetrics{HeapUsed: 30 << 20, HeapMax: 2 << 30, GarbageCollectors: []rest.GarbageCollector{{Name: "All", Count: 12, Time: 3}}},
	}
}

func sampleIO(n int64) rest.IOMetrics {
	m := rest.CompleteIO()
	m.ReadBytes, m.WriteBytes, m.ReadRecords, m.WriteRecords = n*61, n*48, n, n*7
	m.BackpressuredTime, m.IdleTime, m.BusyTime = n/400, n/900, rest.Double(n/150)
	m.SetRemote(n*30, n*24)
	return m
}

func (b *Backend) addJob(job id.Job, name, state string, end int64) {
	tasks := func() map[string]int {
		counts := rest.NewTaskCounts()
		switch state {
		case "FAILED":
			counts["FAILED"], counts["CANCELED"] = 1, 1
		default:
			counts[state] = 2
		}
		return counts
	}
	duration := int64(60_000)
	if end > 0 {
		duration = end - Start
	}
	d := rest.JobDetails{
		ID: job.String(), Name: name, State: state, Type: "STREAMING", StartTime: Start, EndTime: end, Duration: duration, MaxParallelism: -1, Now: Start + 60_000,
		Timestamps: rest.NewJobTimestamps(), StatusCounts: rest.NewTaskCounts(),
		Accumulators: []rest.Accumulator{{Name: "words", Type: "LongCounter", Value: "1234567"}},
		Plan: rest.Plan{JobID: job.String(), Name: name, Type: "STREAMING", Nodes: []rest.PlanNode{
			{ID: Counts.String(), Parallelism: 2, Description: "keyed sum<br/>+- Sink: text files<br/>", Inputs: []rest.PlanInput{{ID: Source.String(), ShipStrategy: "HASH", Exchange: "pipelined_bounded"}}},
			{ID: Source.String(), Parallelism: 2, Description: "Source: text file<br/>+- flatMap<br/>"},
		}},
	}
	d.Timestamps["CREATED"], d.Timestamps["RUNNING"] = Start+5, Start+40
	d.StatusCounts[state] = 2
	for i, v := range []id.Vertex{Source, Counts} {
		d.Vertices = append(d.Vertices, rest.JobVertex{
			ID: v.String(), SlotSharingGroupID: v.String(), Name: []string{"Source: text file -> flatMap", "keyed sum -> Sink: text files"}[i], MaxParallelism: 128, Parallelism: 2,
			Status: state, StartTime: Start + 30, EndTime: end, Duration: duration - 30, Tasks: tasks(), Metrics: sampleIO(3_346_270 * int64(i+1)),
		})
	}
	if state == "FAILED" {
		d.Restarts = 2
	}
	b.JobDocs = append(b.JobDocs, d)
	b.ConfigDocs[job.String()] = rest.JobConfig{ID: job.String(), Name: name, Execution: rest.ExecutionConfig{
		Mode: "PIPELINED", RestartStrategy: "fixed delay: at most 10 attempts, 1 s apart", Parallelism: 2, UserConfig: map[string]string{"api.token": "hush-hush", "input": "hdfs:///in"},
	}}
}

func sampleFailure() rest.JobExceptions {
	text := "operator enrich: strconv.Atoi: parsing \"<none>\": invalid syntax\n\tmain.enrich\n\t\tmain.go:42"
	at := int64(Start + 42_000)
	task, host, tm := "enrich (2/2) - execution #2", "node2:40123", "container_1760000000000_0007_01_000003"
	info := rest.ExceptionInfo{Name: "UserError", Stacktrace: text, Timestamp: at, Labels: map[string]string{"type": "user"}, TaskName: &task, Location: &host, Endpoint: &host, TaskManagerID: &tm}
	second := info
	second.Timestamp, second.Name, second.Labels = at-20_000, "ExternalError", map[string]string{"type": "external"}
	second.Stacktrace = "TaskManager container_1760000000000_0007_01_000002 was lost: killed by signal 9"
	return rest.JobExceptions{
		Root: &text, Timestamp: &at,
		All:     []rest.TaskException{{Exception: text, Task: task, Location: host, Endpoint: host, Timestamp: at, TaskManagerID: tm}},
		History: rest.ExceptionHistory{Entries: []rest.ExceptionEntry{{ExceptionInfo: info, Concurrent: []rest.ExceptionInfo{second}}, {ExceptionInfo: second}}},
	}
}

func sampleVertex(vertex id.Vertex, name string, earlier bool) rest.VertexDetails {
	v := rest.VertexDetails{ID: vertex.String(), Name: name, Parallelism: 2, MaxParallelism: 128, Now: Start + 60_000,
		Accumulators: []rest.Accumulator{{Name: "words", Type: "LongCounter", Value: "1234567"}}}
	for i := range 2 {
		host := fmt.Sprintf("node%d", i+1)
		s := rest.Subtask{
			Subtask: i, Status: "RUNNING", Attempt: 1, Host: host, Endpoint: host + ":40123", StartTime: Start + 30, EndTime: -1, Duration: 59_970,
			Metrics: sampleIO(1_670_473 + int64(i)*5324), TaskManagerID: fmt.Sprintf("container_1760000000000_0007_01_00000%d", i+2),
			Timestamps:   map[string]int64{"CREATED": Start + 5, "SCHEDULED": Start + 6, "DEPLOYING": Start + 30, "INITIALIZING": Start + 200, "RUNNING": Start + 250},
			Accumulators: []rest.Accumulator{{Name: "words", Type: "LongCounter", Value: "617283"}},
			Load:         &rest.Load{Busy: 0.5, Held: 0.2, Idle: 0.3},
		}
		v.Subtasks = append(v.Subtasks, s)
		if earlier && i == 0 {
			s.Attempt, s.Status, s.EndTime, s.Duration = 0, "FAILED", Start+28, 20
			s.Failure = "worker was killed by signal 9"
			v.Earlier = append(v.Earlier, s)
		}
	}
	return v
}

func (b *Backend) addMetrics() {
	b.MetricDocs["JobManager"] = []rest.Metric{{ID: "numRunningJobs", Value: "1"}, {ID: "taskSlotsTotal", Value: "2"}}
	for i, t := range b.TaskManagerDocs {
		b.MetricDocs["TaskManager "+t.ID] = []rest.Metric{{ID: "Status.Process.RSS", Value: fmt.Sprint((i + 1) * 1000)}}
	}
	b.MetricDocs["job "+RunningJob.String()] = []rest.Metric{{ID: "uptime", Value: "34908"}, {ID: "numRestarts", Value: "0"}}
	for _, v := range []id.Vertex{Source, Counts} {
		var all []rest.Metric
		for i := range 2 {
			one := []rest.Metric{{ID: "numRecordsIn", Value: fmt.Sprint(1670473 + i*5324)}, {ID: "numRecordsOut", Value: "0"}, {ID: "currentInputWatermark", Value: "1241"}}
			scope := rest.MetricScope{Kind: rest.ScopeSubtask, Vertex: v, Subtask: i}
			b.MetricDocs[scope.String()] = one
			for _, m := range one {
				all = append(all, rest.Metric{ID: fmt.Sprintf("%d.%s", i, m.ID), Value: m.Value})
			}
		}
		b.MetricDocs[rest.MetricScope{Kind: rest.ScopeVertex, Vertex: v}.String()] = all
	}
}
