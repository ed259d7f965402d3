package rest

// VertexDetails is GET /jobs/:jobid/vertices/:vertexid. The server fills Aggregated from the subtasks, and makes from the
// same value the documents subtasktimes, taskmanagers, accumulators, subtasks/accumulators, subtasks/:n and
// subtasks/:n/attempts/:a.
type VertexDetails struct {
	ID             string     `json:"id"`
	Name           string     `json:"name"`
	Parallelism    int        `json:"parallelism"`
	MaxParallelism int        `json:"maxParallelism"`
	Now            int64      `json:"now"`
	Subtasks       []Subtask  `json:"subtasks"`
	Aggregated     Aggregated `json:"aggregated"`

	// Accumulators are merged over the subtasks; not in this document.
	Accumulators []Accumulator `json:"-"`
	// Earlier are the kept attempts before the current ones; not in this document.
	Earlier []Subtask `json:"-"`
}

// Subtask is an execution attempt of a subtask. Times are milliseconds since 1970; the start is when it was deployed,
// -1 before; the end is -1 while it runs.
type Subtask struct {
	Subtask int    `json:"subtask"`
	Status  string `json:"status"`
	Attempt int    `json:"attempt"`
	Host    string `json:"host"`
	// Endpoint is host:port of the worker's data plane.
	Endpoint       string           `json:"endpoint"`
	StartTime      int64            `json:"start-time"`
	EndTime        int64            `json:"end-time"`
	Duration       int64            `json:"duration"`
	Metrics        IOMetrics        `json:"metrics"`
	TaskManagerID  string           `json:"taskmanager-id"`
	StatusDuration map[string]int64 `json:"status-duration"`
	// StartTimeAgain is Flink's second spelling; the server sets it.
	StartTimeAgain int64 `json:"start_time"`

	// What other documents are made of; not in this one.

	// Timestamps by state of TaskStates, 0 when not entered.
	Timestamps   map[string]int64 `json:"-"`
	Accumulators []Accumulator    `json:"-"`
	// Failure is the sentence of a FAILED attempt; shown on the page.
	Failure string `json:"-"`
	// Load is nil where it has not been measured yet.
	Load *Load `json:"-"`
}

// Aggregated are statistics over subtasks: metric name or state to figures.
type Aggregated struct {
	Metrics        map[string]Statistics `json:"metrics"`
	StatusDuration map[string]Statistics `json:"status-duration"`
}

// Statistics are figures over the values of several subtasks.
type Statistics struct {
	P25    int64 `json:"p25"`
	Min    int64 `json:"min"`
	Avg    int64 `json:"avg"`
	Median int64 `json:"median"`
	Max    int64 `json:"max"`
	Sum    int64 `json:"sum"`
	P95    int64 `json:"p95"`
	P75    int64 `json:"p75"`
}

// VertexSubtaskTimes is GET …/vertices/:vertexid/subtasktimes.
type VertexSubtaskTimes struct {
	ID       string         `json:"id"`
	Name     string         `json:"name"`
	Now      int64          `json:"now"`
	Subtasks []SubtaskTimes `json:"subtasks"`
}

// SubtaskTimes says when a subtask entered which state.
type SubtaskTimes struct {
	Subtask    int              `json:"subtask"`
	Host       string           `json:"host"`
	Endpoint   string           `json:"endpoint"`
	Duration   int64            `json:"duration"`
	Timestamps map[string]int64 `json:"timestamps"`
}

// VertexTaskManagers is GET …/vertices/:vertexid/taskmanagers.
type VertexTaskManagers struct {
	ID           string              `json:"id"`
	Name         string              `json:"name"`
	Now          int64               `json:"now"`
	TaskManagers []VertexTaskManager `json:"taskmanagers"`
}

// VertexTaskManager sums up the subtasks of a vertex on one TaskManager.
type VertexTaskManager struct {
	Host          string         `json:"host"`
	Endpoint      string         `json:"endpoint"`
	Status        string         `json:"status"`
	StartTime     int64          `json:"start-time"`
	EndTime       int64          `json:"end-time"`
	Duration      int64          `json:"duration"`
	Metrics       IOMetrics      `json:"metrics"`
	StatusCounts  map[string]int `json:"status-counts"`
	TaskManagerID string         `json:"taskmanager-id"`
	Aggregated    Aggregated     `json:"aggregated"`
}

// VertexAccumulators is GET …/vertices/:vertexid/accumulators.
type VertexAccumulators struct {
	ID           string        `json:"id"`
	Accumulators []Accumulator `json:"user-accumulators"`
}

// VertexSubtaskAccumulators is GET …/vertices/:vertexid/subtasks/accumulators.
type VertexSubtaskAccumulators struct {
	ID          string                `json:"id"`
	Parallelism int                   `json:"parallelism"`
	Subtasks    []SubtaskAccumulators `json:"subtasks"`
}

// SubtaskAccumulators are the accumulators of one subtask.
type SubtaskAccumulators struct {
	Subtask      int           `json:"subtask"`
	Attempt      int           `json:"attempt"`
	Host         string        `json:"host"`
	Endpoint     string        `json:"endpoint"`
	Accumulators []Accumulator `json:"user-accumulators"`
}

// AttemptAccumulators is GET …/subtasks/:subtaskindex/attempts/:attempt/accumulators.
type AttemptAccumulators struct {
	Subtask      int           `json:"subtask"`
	Attempt      int           `json:"attempt"`
	ID           string        `json:"id"`
	Accumulators []Accumulator `json:"user-accumulators"`
}
