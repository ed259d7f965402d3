package am

import (
	"strings"
	"testing"

	"github.com/weft-project/weft/am/spec"
	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/rpc/planpb"
	"github.com/weft-project/weft/yarnrpc"
)

// The application's final status is that of its jobs: a failure tells more than a cancellation.
func TestJobsOutcome(t *testing.T) {
	finished := &planpb.JobResult{JobId: "a", Status: planpb.JobStatus_FINISHED, RuntimeMs: 12}
	cancelled := &planpb.JobResult{JobId: "b", Status: planpb.JobStatus_CANCELED}
	failed := &planpb.JobResult{JobId: "c", Status: planpb.JobStatus_FAILED,
		Failure: &planpb.Failure{Message: "panic: boom", TaskName: "read -> map", Subtask: 1, Attempt: 2, Host: "n1"}}
	bare := &planpb.JobResult{JobId: "d", Status: planpb.JobStatus_FAILED}
	for _, c := range []struct {
		jobs   []*planpb.JobResult
		status yarnrpc.FinalStatus
		want   string
	}{
		{[]*planpb.JobResult{finished}, yarnrpc.FinalSucceeded, "job a has finished after 12 ms"},
		{[]*planpb.JobResult{finished, finished}, yarnrpc.FinalSucceeded, "2 jobs have finished"},
		{[]*planpb.JobResult{finished, cancelled}, yarnrpc.FinalKilled, "job b ended as CANCELED"},
		{[]*planpb.JobResult{cancelled, failed}, yarnrpc.FinalFailed, "job c failed: panic: boom in read -> map, subtask 2, attempt 3, on n1"},
		{[]*planpb.JobResult{bare}, yarnrpc.FinalFailed, "job d failed"},
	} {
		if o := jobsOutcome(c.jobs); o.status != c.status || o.diagnostics != c.want {
			t.Errorf("%v: %+v, expected %s, %q", c.jobs, o, c.status, c.want)
		}
	}
}

// What runs main gets neither the manifest nor the limits of the JobManager's own process.
func TestMainEnvironment(t *testing.T) {
	t.Setenv("WEFT_APPLICATION", "x")
	t.Setenv("GOMEMLIMIT", "1MiB")
	t.Setenv("CONTAINER_ID", "container_1")
	a := &application{config: config.FromMap(map[string]string{"execution.target": "yarn-application", "my.password": "p", "parallelism.default": "3"})}
	a.sizes.JobManagerMB, a.sizes.JobManagerVCores, a.sizes.Main = 1000, 2, true
	r := &mainRun{a: a, job: &spec.JobSpec{Environment: map[string]string{"TZ": "UTC"}}}
	env := "\n" + strings.Join(r.environment(), "\n") + "\n"
	for _, want := range []string{"\nGOMEMLIMIT=400MiB\n", "\nGOMAXPROCS=2\n", "\nTZ=UTC\n", "\nCONTAINER_ID=container_1\n"} {
		if strings.Count(env, want) != 1 {
			t.Errorf("%q is not in %s once", want, env)
		}
	}
	if strings.Contains(env, "WEFT_APPLICATION=") || strings.Contains(env, "1MiB") {
		t.Errorf("what is the JobManager's own is in %s", env)
	}
	if c := r.config(); c["my.password"] != "" || c["parallelism.default"] != "3" {
		t.Errorf("configuration for main: %v", c)
	}
	if a.target() != config.TargetApplication {
		t.Errorf("target %s", a.target())
	}
}
