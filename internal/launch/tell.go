package launch

import (
	"fmt"
	"io"

	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/rpc/controlpb"
	"github.com/weft-project/weft/rpc/planpb"
	"github.com/weft-project/weft/taskexec/worker"
)

// watchers are told one after the other.
type watchers []worker.Watcher

// Began is Watcher's.
func (w watchers) Began(job id.Job, g *planpb.JobGraph, address string, metrics func() []*controlpb.TaskMetrics) error {
	for _, x := range w {
		if err := x.Began(job, g, address, metrics); err != nil {
			return err
		}
	}
	return nil
}

// Task is Watcher's.
func (w watchers) Task(s *controlpb.TaskState) {
	for _, x := range w {
		x.Task(s)
	}
}

// Ended is Watcher's.
func (w watchers) Ended(r *planpb.JobResult) {
	for _, x := range w {
		x.Ended(r)
	}
}

// teller prints the lines of weft run that scripts match on. How a job failed is told by main.
type teller struct{ out io.Writer }

// Began is Watcher's.
func (t teller) Began(job id.Job, _ *planpb.JobGraph, _ string, _ func() []*controlpb.TaskMetrics) error {
	_, err := fmt.Fprintf(t.out, "Job has been submitted with JobID %s\n", job)
	return err
}

// Task is Watcher's.
func (teller) Task(*controlpb.TaskState) {}

// Ended is Watcher's.
func (t teller) Ended(r *planpb.JobResult) {
	if r.GetStatus() != planpb.JobStatus_FINISHED {
		return
	}
	text := fmt.Sprintf("Program execution finished\nJob with JobID %s has finished.\nJob Runtime: %d ms\n", r.GetJobId(), r.GetRuntimeMs())
	if len(r.GetAccumulators()) > 0 {
		text += "Accumulator Results: \n"
	}
	for _, a := range r.GetAccumulators() {
		text += fmt.Sprintf("- %s (%s): %s\n", a.GetName(), a.GetType(), a.GetValue())
	}
	_, _ = io.WriteString(t.out, text) // who does not read it has gone
}
