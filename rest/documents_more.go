package rest

import "math"

// CheckpointCounts counts the checkpoints of a job.
type CheckpointCounts struct {
	Restored   int `json:"restored"`
	Total      int `json:"total"`
	InProgress int `json:"in_progress"`
	Completed  int `json:"completed"`
	Failed     int `json:"failed"`
}

// CheckpointSummary is about the completed checkpoints; sizes in bytes, durations in milliseconds.
type CheckpointSummary struct {
	CheckpointedSize  Distribution `json:"checkpointed_size"`
	StateSize         Distribution `json:"state_size"`
	EndToEndDuration  Distribution `json:"end_to_end_duration"`
	AlignmentBuffered Distribution `json:"alignment_buffered"`
	ProcessedData     Distribution `json:"processed_data"`
	PersistedData     Distribution `json:"persisted_data"`
}

// Distribution are figures over the values of several checkpoints. Percentiles of no value are NaN, as in Flink.
type Distribution struct {
	Min  int64  `json:"min"`
	Max  int64  `json:"max"`
	Avg  int64  `json:"avg"`
	P50  Double `json:"p50"`
	P90  Double `json:"p90"`
	P95  Double `json:"p95"`
	P99  Double `json:"p99"`
	P999 Double `json:"p999"`
}

// BackPressure is GET …/vertices/:vertexid/backpressure. Level is that of the worst subtask. A vertex that does not run has only
// the status "deprecated", which is Flink's word for nothing measured.
type BackPressure struct {
	Status string `json:"status"`
	// Level is ok, low or high.
	Level     string                `json:"backpressureLevel,omitempty"`
	Timestamp int64                 `json:"end-timestamp,omitempty"`
	Subtasks  []SubtaskBackPressure `json:"subtasks,omitempty"`
	// LevelAgain is Flink's second spelling.
	LevelAgain string `json:"backpressure-level,omitempty"`
}

// SubtaskBackPressure says which parts of its time a subtask waits for its outputs, waits for input, and works; measured over the
// last minute, or the life of the attempt where that is shorter.
type SubtaskBackPressure struct {
	Subtask    int    `json:"subtask"`
	Level      string `json:"backpressureLevel"`
	Ratio      Double `json:"ratio"`
	IdleRatio  Double `json:"idleRatio"`
	BusyRatio  Double `json:"busyRatio"`
	LevelAgain string `json:"backpressure-level"`
}

// backPressure derives the document from a vertex.
func backPressure(v *VertexDetails) BackPressure {
	worst := Double(0)
	var list []SubtaskBackPressure
	for _, t := range v.Subtasks {
		if t.Status != "RUNNING" || t.Load == nil {
			continue
		}
		part := func(v float64) Double { return Double(math.Round(min(1, max(0, v))*1000) / 1000) }
		b := SubtaskBackPressure{Subtask: t.Subtask, Ratio: part(t.Load.Held), IdleRatio: part(t.Load.Idle), BusyRatio: part(t.Load.Busy)}
		b.Level = backPressureLevel(b.Ratio)
		b.LevelAgain = b.Level
		worst = max(worst, b.Ratio)
		list = append(list, b)
	}
	if len(list) == 0 {
		return BackPressure{Status: "deprecated"}
	}
	level := backPressureLevel(worst)
	return BackPressure{Status: "ok", Level: level, LevelAgain: level, Timestamp: v.Now, Subtasks: list}
}

// backPressureLevel names a ratio, by Flink's bounds.
func backPressureLevel(ratio Double) string {
	switch {
	case ratio <= 0.1:
		return "ok"
	case ratio <= 0.5:
		return "low"
	}
	return "high"
}

// FlameGraph is GET …/vertices/:vertexid/flamegraph: -2 is Flink's word for "not enabled".
type FlameGraph struct {
	EndTimestamp int64 `json:"endTimestamp"`
}

// VertexRequirements is the parallelism a vertex may have, in GET /jobs/:jobid/resource-requirements, a map by vertex id.
type VertexRequirements struct {
	Parallelism ParallelismBounds `json:"parallelism"`
}

// ParallelismBounds are equal, as the parallelism of a job does not change while it runs.
type ParallelismBounds struct {
	Lower int `json:"lowerBound"`
	Upper int `json:"upperBound"`
}

// DataSets is GET /datasets: results kept between jobs, of which there are none.
type DataSets struct {
	DataSets []struct{} `json:"dataSets"`
}

// ThreadDump is GET /jobmanager/thread-dump: goroutines in the place of threads.
type ThreadDump struct {
	Threads []ThreadInfo `json:"threadInfos"`
}

// ThreadInfo is a goroutine and where it is.
type ThreadInfo struct {
	Name string `json:"threadName"`
	Text string `json:"stringifiedThreadInfo"`
}
