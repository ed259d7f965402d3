package client

import (
	"strings"
	"testing"

	"github.com/weft-project/weft/am/spec"
	"github.com/weft-project/weft/rpc/planpb"
	"github.com/weft-project/weft/yarnrpc"
)

func nodes(sizes ...int64) (out []yarnrpc.NodeReport) {
	for _, s := range sizes {
		out = append(out, yarnrpc.NodeReport{State: yarnrpc.NodeRunning, Capacity: yarnrpc.Resource{MemoryMB: s, VCores: 4}})
	}
	return out
}

func TestCheckSizes(t *testing.T) {
	most := yarnrpc.Resource{MemoryMB: 8192, VCores: 4}
	ok := spec.Sizes{JobManagerMB: 1024, TaskManagerMB: 2048, JobManagerVCores: 1, TaskManagerVCores: 1}
	if err := checkSizes(ok, most, nodes(4096, 1024)); err != nil {
		t.Error(err)
	}
	for want, change := range map[string]func(s *spec.Sizes){
		"a TaskManager needs 9000 MB, but the largest container of this cluster has 8192 MB": func(s *spec.Sizes) { s.TaskManagerMB = 9000 },
		"the JobManager needs 9 vcores":                     func(s *spec.Sizes) { s.JobManagerVCores = 9 },
		"no node is large enough for a TaskManager, which":  func(s *spec.Sizes) { s.TaskManagerMB = 5000 },
		"the largest of the 2 running nodes has 4096 MB, 4": func(s *spec.Sizes) { s.JobManagerMB = 5000 },
	} {
		s := ok
		change(&s)
		if err := checkSizes(s, most, nodes(4096, 1024)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

func TestExplainAccepted(t *testing.T) {
	r := yarnrpc.ApplicationReport{ID: app1, Queue: "q", State: yarnrpc.StateAccepted,
		Diagnostics: "[Sat Nov 21 05:43:38 +0000 2026] Application is Activated, waiting for resources to be assigned for AM.  Details : AM Partition = <DEFAULT_PARTITION> ;\n"}
	want := yarnrpc.Resource{MemoryMB: 2048, VCores: 1}
	busy := nodes(4096, 4096)
	busy[0].Used.MemoryMB, busy[1].Used.MemoryMB = 4000, 3000
	for name, c := range map[string]struct {
		nodes []yarnrpc.NodeReport
		queue *yarnrpc.QueueInfo
		diag  string
		want  string
	}{
		"no nodes":    {want: "No NodeManager is running. YARN says: Application is Activated, waiting for resources to be assigned for AM."},
		"nodes full":  {nodes: busy, want: "None of the 2 running nodes has that much free; the most is 1096 MB."},
		"queue small": {nodes: nodes(8192), queue: &yarnrpc.QueueInfo{Name: "q", Path: "root.q", State: "RUNNING", MaximumCapacity: 0.1}, want: "The queue may grow to 10 % of the cluster, 819 MB, which is too little"},
		"queue busy":  {nodes: nodes(8192), queue: &yarnrpc.QueueInfo{Name: "q", State: "RUNNING", CurrentCapacity: 1, Running: 3}, want: "Queue q: 100 % of its capacity used, 3 applications running, 0 waiting."},
		"stopped":     {nodes: nodes(8192), queue: &yarnrpc.QueueInfo{Name: "q", State: "STOPPED"}, want: "The queue is STOPPED."},
		"launched":    {nodes: nodes(8192), diag: "[Sat Nov 21 05:43:38 +0000 2026] AM container is launched, waiting for AM container to Register with RM", want: "has its JobManager's container (2048 MB, 1 vcores); the JobManager is starting there."},
		"AM share":    {nodes: nodes(8192), diag: "Queue's AM resource limit exceeded.", want: "share for ApplicationMasters is in use"},
	} {
		r := r
		if c.diag != "" {
			r.Diagnostics = c.diag
		}
		got := explainAccepted(r, want, c.nodes, c.queue)
		if !strings.Contains(got, c.want) || strings.Contains(got, "Partition") || strings.Contains(got, "\n") {
			t.Errorf("%s: %q does not fit %q", name, got, c.want)
		}
	}
}

func TestExplainEnded(t *testing.T) {
	got := explainEnded(yarnrpc.ApplicationReport{ID: app1, State: yarnrpc.StateFinished, Final: yarnrpc.FinalFailed, Diagnostics: "a\n  b"})
	if want := "application_1700000000000_0007 has ended: FINISHED, final status FAILED: a b"; got != want {
		t.Errorf("got %q", got)
	}
	got = explainEnded(yarnrpc.ApplicationReport{ID: app1, State: yarnrpc.StateFailed, Diagnostics: "Application x failed 1 times " +
		"(global limit =4; local limit is =1) due to AM Container for y exited with  exitCode: 137\nFailing this attempt.Diagnostics: " +
		"[2026-11-21 20:15:34.616]Container killed on request. Exit code is 137\n[2026-11-21 20:15:34.617]Killed by external signal\n" +
		"For more detailed output, check the application tracking page: http://rm:8088/cluster/app/x Then click on links to logs of each " +
		"attempt.\n. Failing the application."})
	if want := "application_1700000000000_0007 has ended: FAILED: Application x failed 1 times (global limit =4; local limit is =1) due to " +
		"AM Container for y exited with exitCode: 137 Diagnostics: Container killed on request. Exit code is 137 Killed by external signal"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// What is on the screen when a job has failed.
func TestJobFailed(t *testing.T) {
	e := &JobFailed{Name: "counts", Result: &planpb.JobResult{JobId: "ab", Status: planpb.JobStatus_FAILED, RuntimeMs: 12, Failure: &planpb.Failure{
		Message: "panic: boom", TaskName: "source -> map", Operator: "map", Subtask: 1, Host: "h1", TaskmanagerId: "container_1", Stack: "main.go:7\n\tmain.f\n",
	}}}
	want := `Job 'counts' (JobID ab) ended as FAILED after 12 ms.
Caused by: panic: boom
  in source -> map, operator map, subtask 2, attempt 1
  on h1 (container_1)
  main.go:7
    main.f`
	if e.Error() != want {
		t.Errorf("got\n%s\nwant\n%s", e.Error(), want)
	}
}
