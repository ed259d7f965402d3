package jobview

import (
	"fmt"

	"github.com/weft-project/weft/rest"
	"github.com/weft-project/weft/rpc/planpb"
)

// Exceptions is the whole history of failures, newest first.
func Exceptions(j *Job) rest.JobExceptions {
	var e rest.JobExceptions
	for i, f := range j.Failures {
		info := exception(j, f)
		if i == 0 {
			text, at := info.Stacktrace, info.Timestamp
			e.Root, e.Timestamp = &text, &at
		}
		e.History.Entries = append(e.History.Entries, rest.ExceptionEntry{ExceptionInfo: info})
		if info.TaskName != nil {
			e.All = append(e.All, rest.TaskException{
				Exception: info.Stacktrace, Task: *info.TaskName, Location: f.Host, Endpoint: f.Host, Timestamp: f.TimestampMs, TaskManagerID: f.TaskmanagerId,
			})
		}
	}
	return e
}

func exception(j *Job, f *planpb.Failure) rest.ExceptionInfo {
	info := rest.ExceptionInfo{Stacktrace: f.Message, Timestamp: f.TimestampMs, Labels: map[string]string{"TYPE": "SYSTEM"}}
	switch f.Domain {
	case planpb.FailureDomain_USER:
		info.Name, info.Labels["TYPE"] = "UserError", "USER"
	case planpb.FailureDomain_EXTERNAL:
		info.Name = "ExternalError"
	default:
		info.Name = "InternalError"
	}
	if f.Operator != "" {
		info.Stacktrace = "operator " + f.Operator + ": " + info.Stacktrace
	}
	if f.Stack != "" {
		info.Stacktrace += "\n" + f.Stack
	}
	if f.VertexId != "" {
		info.TaskName = set(taskName(j, f))
	}
	if f.Host != "" {
		info.Location, info.Endpoint = set(f.Host), set(f.Host)
	}
	if f.TaskmanagerId != "" {
		info.TaskManagerID = set(f.TaskmanagerId)
	}
	return info
}

// taskName names a task as Flink does, subtasks from 1.
func taskName(j *Job, f *planpb.Failure) string {
	name, parallelism := f.TaskName, int32(0)
	for _, v := range j.Graph.GetVertices() {
		if v.Id == f.VertexId {
			parallelism = v.Parallelism
			if name == "" {
				name = v.Name
			}
		}
	}
	if parallelism == 0 {
		return fmt.Sprintf("%s (%d) - execution #%d", name, f.Subtask+1, f.Attempt)
	}
	return fmt.Sprintf("%s (%d/%d) - execution #%d", name, f.Subtask+1, parallelism, f.Attempt)
}

func set(s string) *string { return &s }
