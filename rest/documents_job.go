package rest

// JobStates are the states of a job, Flink's names, in the order of a job's life.
var JobStates = [...]string{"INITIALIZING", "CREATED", "RUNNING", "FAILING", "FAILED", "CANCELLING", "CANCELED", "FINISHED", "RESTARTING", "SUSPENDED", "RECONCILING"}

// TaskStates are the states of a task, Flink's names, in the order of a task's life.
var TaskStates = [...]string{"CREATED", "SCHEDULED", "DEPLOYING", "INITIALIZING", "RUNNING", "FINISHED", "CANCELING", "CANCELED", "FAILED", "RECONCILING"}

// JobEnded tells the states no job leaves.
func JobEnded(state string) bool {
	return state == "FINISHED" || state == "FAILED" || state == "CANCELED"
}

// NewJobTimestamps gives the "timestamps" of a job that has not entered any state: every state with 0.
func NewJobTimestamps() map[string]int64 { return zeroes[int64](JobStates[:]) }

// NewTaskTimestamps gives the "timestamps" of a task that has not entered any state: every state with 0.
func NewTaskTimestamps() map[string]int64 { return zeroes[int64](TaskStates[:]) }

// NewTaskCounts gives the counts of no task: every state with 0.
func NewTaskCounts() map[string]int { return zeroes[int](TaskStates[:]) }

func zeroes[T int | int64](keys []string) map[string]T {
	m := make(map[string]T, len(keys))
	for _, k := range keys {
		m[k] = 0
	}
	return m
}

// JobIDs is GET /jobs.
type JobIDs struct {
	Jobs []JobIDStatus `json:"jobs"`
}

// JobIDStatus is a job's id and state.
type JobIDStatus struct {
	ID     string `json:"id"`
	Status string `json:"status"`
}

// JobsOverview is GET /jobs/overview.
type JobsOverview struct {
	Jobs []JobSummary `json:"jobs"`
}

// JobSummary is one job of the overview. Times are milliseconds since 1970, the end is -1 while the job runs.
type JobSummary struct {
	ID               string   `json:"jid"`
	Name             string   `json:"name"`
	StartTime        int64    `json:"start-time"`
	EndTime          int64    `json:"end-time"`
	Duration         int64    `json:"duration"`
	State            string   `json:"state"`
	LastModification int64    `json:"last-modification"`
	Tasks            JobTasks `json:"tasks"`
}

// JobTasks counts a job's tasks by state.
type JobTasks struct {
	Running      int `json:"running"`
	Canceling    int `json:"canceling"`
	Canceled     int `json:"canceled"`
	Total        int `json:"total"`
	Created      int `json:"created"`
	Scheduled    int `json:"scheduled"`
	Deploying    int `json:"deploying"`
	Reconciling  int `json:"reconciling"`
	Finished     int `json:"finished"`
	Initializing int `json:"initializing"`
	Failed       int `json:"failed"`
}

// Add counts n tasks in a state of TaskStates; Total grows with them.
func (t *JobTasks) Add(state string, n int) {
	t.Total += n
	switch state {
	case "CREATED":
		t.Created += n
	case "SCHEDULED":
		t.Scheduled += n
	case "DEPLOYING":
		t.Deploying += n
	case "INITIALIZING":
		t.Initializing += n
	case "RUNNING":
		t.Running += n
	case "FINISHED":
		t.Finished += n
	case "CANCELING":
		t.Canceling += n
	case "CANCELED":
		t.Canceled += n
	case "FAILED":
		t.Failed += n
	case "RECONCILING":
		t.Reconciling += n
	}
}

// JobDetails is GET /jobs/:jobid; Plan alone is GET /jobs/:jobid/plan, State alone GET /jobs/:jobid/status.
type JobDetails struct {
	ID          string `json:"jid"`
	Name        string `json:"name"`
	IsStoppable bool   `json:"isStoppable"`
	State       string `json:"state"`
	// Type is STREAMING or BATCH.
	Type           string           `json:"job-type"`
	StartTime      int64            `json:"start-time"`
	EndTime        int64            `json:"end-time"`
	Duration       int64            `json:"duration"`
	MaxParallelism int              `json:"maxParallelism"`
	Now            int64            `json:"now"`
	Timestamps     map[string]int64 `json:"timestamps"`
	Vertices       []JobVertex      `json:"vertices"`
	StatusCounts   map[string]int   `json:"status-counts"`
	Plan           Plan             `json:"plan"`

	// What other documents and the page are made of; not in Flink's document.

	// Accumulators are the job's, merged over all tasks (GET /jobs/:jobid/accumulators, …/execution-result).
	Accumulators []Accumulator `json:"-"`
	// Restarts counts the attempts after the first.
	Restarts int `json:"-"`
	// Waiting says in a sentence what the job waits for (slots, a restart delay); empty when it waits for nothing.
	Waiting string `json:"-"`
}

// JobVertex is a vertex in JobDetails.
type JobVertex struct {
	ID                 string         `json:"id"`
	SlotSharingGroupID string         `json:"slotSharingGroupId"`
	Name               string         `json:"name"`
	MaxParallelism     int            `json:"maxParallelism"`
	Parallelism        int            `json:"parallelism"`
	Status             string         `json:"status"`
	StartTime          int64          `json:"start-time"`
	EndTime            int64          `json:"end-time"`
	Duration           int64          `json:"duration"`
	Tasks              map[string]int `json:"tasks"`
	Metrics            IOMetrics      `json:"metrics"`
	// Load is that of the busiest and the most held up of the running subtasks; nil where none has been measured. The page shows it.
	Load *Load `json:"-"`
}

// Load is how tasks have spent the last minute, as parts of it: working, waiting for their outputs, waiting for input.
type Load struct{ Busy, Held, Idle float64 }

// IOMetrics are running totals of a task or the sum over tasks. The "complete" fields tell that every task reported.
// Times are milliseconds.
type IOMetrics struct {
	ReadBytes             int64  `json:"read-bytes"`
	ReadBytesComplete     bool   `json:"read-bytes-complete"`
	WriteBytes            int64  `json:"write-bytes"`
	WriteBytesComplete    bool   `json:"write-bytes-complete"`
	ReadRecords           int64  `json:"read-records"`
	ReadRecordsComplete   bool   `json:"read-records-complete"`
	WriteRecords          int64  `json:"write-records"`
	WriteRecordsComplete  bool   `json:"write-records-complete"`
	BackpressuredTime     int64  `json:"accumulated-backpressured-time"`
	IdleTime              int64  `json:"accumulated-idle-time"`
	BusyTime              Double `json:"accumulated-busy-time"`
	remoteRead, remoteOut int64
}

// SetRemote records how many of the bytes went over TCP, which Flink's document does not tell apart; the page and the
// metrics Shuffle.Netty.Input.numBytesInRemote and numBytesOutRemote do.
func (m *IOMetrics) SetRemote(read, written int64) { m.remoteRead, m.remoteOut = read, written }

// Remote gives what SetRemote recorded.
func (m IOMetrics) Remote() (read, written int64) { return m.remoteRead, m.remoteOut }

// Add sums another task's totals into m; complete fields stay true only when both are.
func (m *IOMetrics) Add(o IOMetrics) {
	m.ReadBytes += o.ReadBytes
	m.WriteBytes += o.WriteBytes
	m.ReadRecords += o.ReadRecords
	m.WriteRecords += o.WriteRecords
	m.ReadBytesComplete = m.ReadBytesComplete && o.ReadBytesComplete
	m.WriteBytesComplete = m.WriteBytesComplete && o.WriteBytesComplete
	m.ReadRecordsComplete = m.ReadRecordsComplete && o.ReadRecordsComplete
	m.WriteRecordsComplete = m.WriteRecordsComplete && o.WriteRecordsComplete
	m.BackpressuredTime += o.BackpressuredTime
	m.IdleTime += o.IdleTime
	m.BusyTime += o.BusyTime
	m.remoteRead += o.remoteRead
	m.remoteOut += o.remoteOut
}

// CompleteIO is the neutral element of Add: no records, complete.
func CompleteIO() IOMetrics {
	return IOMetrics{ReadBytesComplete: true, WriteBytesComplete: true, ReadRecordsComplete: true, WriteRecordsComplete: true}
}

// JobPlan is GET /jobs/:jobid/plan.
type JobPlan struct {
	Plan Plan `json:"plan"`
}

// Plan is the job graph for people and web UIs.
type Plan struct {
	JobID string     `json:"jid"`
	Name  string     `json:"name"`
	Type  string     `json:"type"`
	Nodes []PlanNode `json:"nodes"`
}

// PlanNode is a vertex of the plan. Flink lists sinks first.
type PlanNode struct {
	ID               string `json:"id"`
	Parallelism      int    `json:"parallelism"`
	Operator         string `json:"operator"`
	OperatorStrategy string `json:"operator_strategy"`
	// Description holds a line for each chained operator, ended by <br/>; it is HTML, operator names in it are escaped.
	Description         string         `json:"description"`
	Inputs              []PlanInput    `json:"inputs,omitempty"`
	OptimizerProperties map[string]any `json:"optimizer_properties"`
}

// PlanInput is an edge into a PlanNode.
type PlanInput struct {
	Num int    `json:"num"`
	ID  string `json:"id"`
	// ShipStrategy is FORWARD, HASH, REBALANCE, RESCALE, BROADCAST, GLOBAL, SHUFFLE or CUSTOM.
	ShipStrategy string `json:"ship_strategy"`
	// Exchange is pipelined_bounded or blocking.
	Exchange string `json:"exchange"`
}

// JobStatus is GET /jobs/:jobid/status.
type JobStatus struct {
	Status string `json:"status"`
}

// JobConfig is GET /jobs/:jobid/config.
type JobConfig struct {
	ID        string          `json:"jid"`
	Name      string          `json:"name"`
	Execution ExecutionConfig `json:"execution-config"`
}

// ExecutionConfig is how a job executes.
type ExecutionConfig struct {
	// Mode is PIPELINED or BATCH.
	Mode string `json:"execution-mode"`
	// RestartStrategy is a sentence.
	RestartStrategy string            `json:"restart-strategy"`
	Parallelism     int               `json:"job-parallelism"`
	ObjectReuse     bool              `json:"object-reuse-mode"`
	UserConfig      map[string]string `json:"user-config"`
}

// JobExceptions is GET /jobs/:jobid/exceptions. A Backend returns the whole history, newest first; the server cuts it
// to ?maxExceptions (20) and sets the truncated flags then.
type JobExceptions struct {
	// Root is the text of the failure that ended the last attempt; null when none did.
	Root *string `json:"root-exception"`
	// Timestamp of Root, milliseconds since 1970.
	Timestamp *int64           `json:"timestamp"`
	All       []TaskException  `json:"all-exceptions"`
	Truncated bool             `json:"truncated"`
	History   ExceptionHistory `json:"exceptionHistory"`
}

// TaskException is a task's failure in the older part of the document.
type TaskException struct {
	Exception string `json:"exception"`
	Task      string `json:"task"`
	Location  string `json:"location"`
	Endpoint  string `json:"endpoint"`
	Timestamp int64  `json:"timestamp"`
	// TaskManagerID is where it ran.
	TaskManagerID string `json:"taskManagerId"`
}

// ExceptionHistory lists failures, newest first.
type ExceptionHistory struct {
	Entries   []ExceptionEntry `json:"entries"`
	Truncated bool             `json:"truncated"`
}

// ExceptionEntry is a failure that made the job fail or restart, and those that came with it.
type ExceptionEntry struct {
	ExceptionInfo
	Concurrent []ExceptionInfo `json:"concurrentExceptions"`
}

// ExceptionInfo is one failure. Task, location, endpoint and TaskManager are null for a failure of the job as a whole.
type ExceptionInfo struct {
	// Name is the failure's domain: UserError, ExternalError or InternalError.
	Name string `json:"exceptionName"`
	// Stacktrace is the sentence, then the author's stack or the worker's last output.
	Stacktrace string            `json:"stacktrace"`
	Timestamp  int64             `json:"timestamp"`
	Labels     map[string]string `json:"failureLabels"`
	// TaskName is "name (subtask/parallelism) - execution #attempt", subtask from 1.
	TaskName *string `json:"taskName"`
	// Location is host or host:port.
	Location      *string `json:"location"`
	Endpoint      *string `json:"endpoint"`
	TaskManagerID *string `json:"taskManagerId"`
}

// Accumulator is a user accumulator's value as text, with Flink's type names.
type Accumulator struct {
	Name  string `json:"name"`
	Type  string `json:"type"`
	Value string `json:"value"`
}

// JobAccumulators is GET /jobs/:jobid/accumulators. Serialised values are Java's and always empty here.
type JobAccumulators struct {
	Job        []Accumulator     `json:"job-accumulators"`
	UserTask   []Accumulator     `json:"user-task-accumulators"`
	Serialized map[string]string `json:"serialized-user-task-accumulators"`
}

// ExecutionResult is GET /jobs/:jobid/execution-result.
type ExecutionResult struct {
	Status QueueStatus `json:"status"`
	Result *JobResult  `json:"job-execution-result,omitempty"`
}

// QueueStatus is IN_PROGRESS or COMPLETED.
type QueueStatus struct {
	ID string `json:"id"`
}

// JobResult is how a job ended. Flink's accumulator results are serialised Java objects; here they are the values' texts.
type JobResult struct {
	ID string `json:"id"`
	// ApplicationStatus is SUCCEEDED, FAILED, CANCELED or UNKNOWN.
	ApplicationStatus string            `json:"application-status"`
	Accumulators      map[string]string `json:"accumulator-results"`
	// NetRuntime in milliseconds.
	NetRuntime int64         `json:"net-runtime"`
	Failure    *FailureCause `json:"failure-cause,omitempty"`
}

// FailureCause is why a job failed.
type FailureCause struct {
	Class      string `json:"class"`
	StackTrace string `json:"stack-trace"`
}
