// Package metrics is core: what authors and operators count and measure, rates over the last minute, and the names under
// which it is all shown.
//
// A Registry holds the metrics of one operator of one subtask. They belong to the task's goroutine, so nothing here is locked;
// about once a second that goroutine makes a Snapshot of them, which travels to the JobManager. No clock is read here: time is
// passed in, as what has passed since the task began.
package metrics
