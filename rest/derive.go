package rest

import (
	"slices"
	"sort"
)

// This file is core: the documents that follow from others.

// AggregateState is a vertex's state from the counts of its subtasks' states, by Flink's rule.
func AggregateState(counts map[string]int) string {
	total := 0
	for _, n := range counts {
		total += n
	}
	for _, state := range [...]string{"FAILED", "CANCELING", "CANCELED", "INITIALIZING", "RUNNING"} {
		if counts[state] > 0 {
			return state
		}
	}
	if finished := counts["FINISHED"]; finished > 0 {
		if finished == total {
			return "FINISHED"
		}
		return "RUNNING"
	}
	return "CREATED"
}

// StatusDurations says how long an attempt was in each state it has entered and can leave, from its timestamps;
// milliseconds.
func StatusDurations(timestamps map[string]int64, now int64) map[string]int64 {
	type entered struct {
		state string
		at    int64
	}
	var order []entered
	for _, state := range TaskStates {
		if at := timestamps[state]; at > 0 {
			order = append(order, entered{state, at})
		}
	}
	// Stable, so that states entered in the same millisecond keep the order of a life.
	sort.SliceStable(order, func(i, j int) bool { return order[i].at < order[j].at })
	durations := map[string]int64{}
	for i, e := range order {
		switch e.state {
		case "FINISHED", "CANCELED", "FAILED":
			continue
		}
		until := now
		if i+1 < len(order) {
			until = order[i+1].at
		}
		durations[e.state] = max(0, until-e.at)
	}
	return durations
}

// Summarize computes statistics; percentiles as commons-math does, which Flink uses: at p·(n+1)/100, interpolated.
func Summarize(values []int64) Statistics {
	if len(values) == 0 {
		return Statistics{}
	}
	sorted := slices.Clone(values)
	slices.Sort(sorted)
	var sum int64
	for _, v := range sorted {
		sum += v
	}
	percentile := func(p float64) int64 {
		n := len(sorted)
		pos := p * float64(n+1) / 100
		if pos < 1 {
			return sorted[0]
		}
		if pos >= float64(n) {
			return sorted[n-1]
		}
		lower := int(pos)
		a, b := float64(sorted[lower-1]), float64(sorted[lower])
		return int64(a + (pos-float64(lower))*(b-a))
	}
	return Statistics{
		P25: percentile(25), Min: sorted[0], Avg: sum / int64(len(sorted)), Median: percentile(50),
		Max: sorted[len(sorted)-1], Sum: sum, P95: percentile(95), P75: percentile(75),
	}
}

// Aggregate computes the statistics over subtasks.
func Aggregate(subtasks []Subtask) Aggregated {
	metrics := map[string][]int64{}
	durations := map[string][]int64{}
	for _, s := range subtasks {
		m := s.Metrics
		for name, v := range map[string]int64{
			"read-bytes": m.ReadBytes, "write-bytes": m.WriteBytes,
			"read-records": m.ReadRecords, "write-records": m.WriteRecords,
			"accumulated-backpressured-time": m.BackpressuredTime, "accumulated-idle-time": m.IdleTime,
			"accumulated-busy-time": int64(m.BusyTime),
		} {
			metrics[name] = append(metrics[name], v)
		}
		for state, d := range s.StatusDuration {
			durations[state] = append(durations[state], d)
		}
	}
	a := Aggregated{Metrics: map[string]Statistics{}, StatusDuration: map[string]Statistics{}}
	for name, values := range metrics {
		a.Metrics[name] = Summarize(values)
	}
	for state, values := range durations {
		a.StatusDuration[state] = Summarize(values)
	}
	return a
}

// completeVertex fills what a Backend may leave out.
func completeVertex(v *VertexDetails) {
	for i := range v.Subtasks {
		completeSubtask(&v.Subtasks[i], v.Now)
	}
	for i := range v.Earlier {
		completeSubtask(&v.Earlier[i], v.Now)
	}
	v.Aggregated = Aggregate(v.Subtasks)
}

func completeSubtask(s *Subtask, now int64) {
	s.StartTimeAgain = s.StartTime
	s.Timestamps = completed(s.Timestamps, TaskStates[:])
	if s.StatusDuration == nil {
		s.StatusDuration = StatusDurations(s.Timestamps, now)
	}
}

// completed gives a copy of m that has each key.
func completed[V int | int64](m map[string]V, keys []string) map[string]V {
	c := make(map[string]V, len(keys))
	for _, k := range keys {
		c[k] = m[k]
	}
	return c
}

func completeJob(j *JobDetails) {
	j.Timestamps = completed(j.Timestamps, JobStates[:])
	j.StatusCounts = completed(j.StatusCounts, TaskStates[:])
	for i := range j.Vertices {
		j.Vertices[i].Tasks = completed(j.Vertices[i].Tasks, TaskStates[:])
	}
	for i := range j.Plan.Nodes {
		if j.Plan.Nodes[i].OptimizerProperties == nil {
			j.Plan.Nodes[i].OptimizerProperties = map[string]any{}
		}
	}
}

// byTaskManager groups a vertex's subtasks by TaskManager, in the order of their first subtask.
func byTaskManager(v *VertexDetails) VertexTaskManagers {
	groups := map[string][]Subtask{}
	var order []string
	for _, s := range v.Subtasks {
		if _, ok := groups[s.TaskManagerID]; !ok {
			order = append(order, s.TaskManagerID)
		}
		groups[s.TaskManagerID] = append(groups[s.TaskManagerID], s)
	}
	doc := VertexTaskManagers{ID: v.ID, Name: v.Name, Now: v.Now}
	for _, id := range order {
		doc.TaskManagers = append(doc.TaskManagers, oneTaskManager(id, groups[id], v.Now))
	}
	return doc
}

func oneTaskManager(id string, subtasks []Subtask, now int64) VertexTaskManager {
	t := VertexTaskManager{
		Host: subtasks[0].Endpoint, Endpoint: subtasks[0].Endpoint, TaskManagerID: id,
		StartTime: -1, EndTime: -1, Duration: -1,
		Metrics: CompleteIO(), StatusCounts: NewTaskCounts(), Aggregated: Aggregate(subtasks),
	}
	running := false
	for _, s := range subtasks {
		t.StatusCounts[s.Status]++
		t.Metrics.Add(s.Metrics)
		if s.StartTime > 0 && (t.StartTime < 0 || s.StartTime < t.StartTime) {
			t.StartTime = s.StartTime
		}
		if s.EndTime > 0 {
			t.EndTime = max(t.EndTime, s.EndTime)
		} else {
			running = true
		}
	}
	if running {
		t.EndTime = -1
	}
	if t.StartTime > 0 {
		until := now
		if t.EndTime > 0 {
			until = t.EndTime
		}
		t.Duration = until - t.StartTime
	}
	t.Status = AggregateState(t.StatusCounts)
	return t
}

// executionResult says how a job ended.
func executionResult(j *JobDetails, exceptions *JobExceptions) ExecutionResult {
	if !JobEnded(j.State) {
		return ExecutionResult{Status: QueueStatus{ID: "IN_PROGRESS"}}
	}
	result := &JobResult{ID: j.ID, ApplicationStatus: "UNKNOWN", Accumulators: map[string]string{}, NetRuntime: j.Duration}
	switch j.State {
	case "FINISHED":
		result.ApplicationStatus = "SUCCEEDED"
	case "CANCELED":
		result.ApplicationStatus = "CANCELED"
	case "FAILED":
		result.ApplicationStatus = "FAILED"
	}
	for _, a := range j.Accumulators {
		result.Accumulators[a.Name] = a.Value
	}
	if j.State == "FAILED" {
		result.Failure = &FailureCause{Class: "InternalError"}
		if exceptions.Root != nil {
			result.Failure.StackTrace = *exceptions.Root
		}
		if len(exceptions.History.Entries) > 0 {
			result.Failure.Class = exceptions.History.Entries[0].Name
		}
	}
	return ExecutionResult{Status: QueueStatus{ID: "COMPLETED"}, Result: result}
}
