package client

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/rest"
	"github.com/weft-project/weft/rest/restpb"
	"github.com/weft-project/weft/rest/resttest"
	"github.com/weft-project/weft/rpc/planpb"
	"github.com/weft-project/weft/yarnrpc"
)

// What scripts of Flink's users match on. These texts are a contract: they change with Flink's, or not at all.

// sampleSession is a session of a JobManager with three jobs.
func sampleSession(t *testing.T, b *resttest.Backend) (s *Session, out *bytes.Buffer) {
	t.Helper()
	server, err := rest.NewServer(rest.Options{Backend: b, NoAuth: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(server.Handler())
	t.Cleanup(web.Close)
	c, out, _ := testClient(t)
	s, err = c.newSession(yarnrpc.ApplicationID{}, strings.TrimPrefix(web.URL, "http://"), "")
	if err != nil {
		t.Fatal(err)
	}
	return s, out
}

func TestListOutput(t *testing.T) {
	at := time.UnixMilli(resttest.Start).Format("02.01.2006 15:04:05")
	running := "------------------ Running/Restarting Jobs -------------------\n" +
		at + " : aa010000000000000000000000000000 : wordcount (RUNNING)\n" +
		"--------------------------------------------------------------\n"
	terminated := "---------------------- Terminated Jobs -----------------------\n" +
		at + " : bb020000000000000000000000000000 : orders <b>enriched</b> (FAILED)\n" +
		at + " : cc030000000000000000000000000000 : nightly report (FINISHED)\n" +
		"--------------------------------------------------------------\n"
	created := "----------------------- Scheduled Jobs -----------------------\n" +
		at + " : aa010000000000000000000000000000 : wordcount (CREATED)\n" +
		"--------------------------------------------------------------\n"
	waiting := resttest.Sample()
	waiting.JobDocs = waiting.JobDocs[:1]
	waiting.JobDocs[0].State = "CREATED"
	for i, x := range []struct {
		backend *resttest.Backend
		lists   Lists
		want    string
	}{
		{resttest.Sample(), Lists{}, running + "No scheduled jobs.\n"},
		{resttest.Sample(), Lists{Running: true}, running},
		{resttest.Sample(), Lists{Scheduled: true}, "No scheduled jobs.\n"},
		{resttest.Sample(), Lists{All: true}, running + "No scheduled jobs.\n" + terminated},
		{waiting, Lists{}, "No running jobs.\n" + created},
		{&resttest.Backend{}, Lists{All: true}, "No running jobs.\nNo scheduled jobs.\nNo terminated jobs.\n"},
	} {
		s, out := sampleSession(t, x.backend)
		if err := s.List(t.Context(), x.lists); err != nil {
			t.Fatal(err)
		}
		if want := "Waiting for response...\n" + x.want; out.String() != want {
			t.Errorf("%d: got\n%s\nwant\n%s", i, out, want)
		}
	}
}

func TestCancelOutput(t *testing.T) {
	b := resttest.Sample()
	b.Replies = []*restpb.WatchReply{{Next: 1, Ended: true, Status: planpb.JobStatus_CANCELED,
		Result: &planpb.JobResult{JobId: resttest.RunningJob.String(), Status: planpb.JobStatus_CANCELED}}}
	s, out := sampleSession(t, b)
	if err := s.Cancel(t.Context(), resttest.RunningJob.String()); err != nil {
		t.Fatal(err)
	}
	if want := "Cancelling job aa010000000000000000000000000000.\nCancelled job aa010000000000000000000000000000.\n"; out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out, want)
	}
}

func TestRunOutput(t *testing.T) {
	c, out, _ := testClient(t)
	job := id.Job{0xaa, 1}.String()
	for _, r := range []*planpb.JobResult{
		{JobId: job, Status: planpb.JobStatus_FINISHED, RuntimeMs: 1234},
		{JobId: job, Status: planpb.JobStatus_FINISHED, RuntimeMs: 5, Accumulators: []*planpb.Accumulator{
			{Name: "words", Type: "LongCounter", Value: "7"}, {Name: "lines", Type: "LongCounter", Value: "2"}}},
	} {
		if err := c.report(r, "counts"); err != nil {
			t.Error(err)
		}
	}
	want := "Program execution finished\nJob with JobID aa010000000000000000000000000000 has finished.\nJob Runtime: 1234 ms\n" +
		"Program execution finished\nJob with JobID aa010000000000000000000000000000 has finished.\nJob Runtime: 5 ms\n" +
		"Accumulator Results: \n- lines (LongCounter): 2\n- words (LongCounter): 7\n"
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out, want)
	}
}

// A job that is followed, as in application mode.
func TestSubmittedOutput(t *testing.T) {
	b := resttest.Sample()
	b.Replies = []*restpb.WatchReply{{Next: 1, Ended: true, Status: planpb.JobStatus_FINISHED,
		Result: &planpb.JobResult{JobId: resttest.RunningJob.String(), Status: planpb.JobStatus_FINISHED, RuntimeMs: 1234}}}
	s, out := sampleSession(t, b)
	if err := s.followOne(t.Context(), &rest.JobSummary{ID: resttest.RunningJob.String(), Name: "wordcount"}); err != nil {
		t.Fatal(err)
	}
	want := "Job has been submitted with JobID aa010000000000000000000000000000\nProgram execution finished\n" +
		"Job with JobID aa010000000000000000000000000000 has finished.\nJob Runtime: 1234 ms\n"
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out, want)
	}
}

func TestSessionOutput(t *testing.T) {
	c, out, _ := testClient(t)
	s := &Session{client: c, App: app1, Address: "node1:50100"}
	s.Announce()
	s.AnnounceDetached()
	want := fmt.Sprintf(`JobManager Web Interface: http://node1:50100
Application id: %[1]s
The Weft YARN session cluster has been started in detached mode. In order to stop Weft gracefully, use the following command:
$ echo "stop" | ./bin/yarn-session.sh -id %[1]s
If this should not be possible, then you can also kill Weft via YARN's web interface or via:
$ yarn application -kill %[1]s
Note that killing Weft might not clean up all job artifacts and temporary files.
`, app1)
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out, want)
	}
}

func TestInfoOutput(t *testing.T) {
	source, sink := id.VertexOf("source").String(), id.VertexOf("sink").String()
	g := &planpb.JobGraph{Name: "counts", Vertices: []*planpb.JobVertex{
		{Id: source, Name: "Source: lines", Parallelism: 1, Operators: []*planpb.ChainedOperator{{Name: "Source: lines"}, {Name: "words <a&b>"}}},
		{Id: sink, Name: "sum", Parallelism: 3},
	}, Edges: []*planpb.JobEdge{{Source: source, Target: sink, Partitioner: planpb.Partitioner_HASH}}}
	shown := map[PlanForm]string{}
	for _, form := range []PlanForm{PlanAsFlink, PlanJSON, PlanText} {
		c, out, _ := testClient(t)
		if err := c.printPlan(g, form); err != nil {
			t.Fatal(err)
		}
		shown[form] = out.String()
	}
	if !strings.HasPrefix(shown[PlanJSON], "{\n") || !strings.Contains(shown[PlanJSON], `"nodes"`) {
		t.Errorf("json: %s", shown[PlanJSON])
	}
	want := "----------------------- Execution Plan -----------------------\n" + shown[PlanJSON] +
		"--------------------------------------------------------------\n\nNo description provided.\n"
	if shown[PlanAsFlink] != want {
		t.Errorf("got\n%s\nwant\n%s", shown[PlanAsFlink], want)
	}
	want = `Job 'counts', 2 tasks, needs 3 slots

  1  parallelism 1
     Source: lines
     +- words <a&b>

  2  parallelism 3
     from 1 by HASH, pipelined_bounded
     sum
`
	if shown[PlanText] != want {
		t.Errorf("got\n%s\nwant\n%s", shown[PlanText], want)
	}
}
