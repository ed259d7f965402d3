package jobmanager_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/rest"
	"github.com/weft-project/weft/rest/restpb"
	"github.com/weft-project/weft/rpc/controlpb"
	"github.com/weft-project/weft/rpc/planpb"
)

// Submissions that can not be: one sentence each, and nothing has changed.
func TestBadSubmissions(t *testing.T) {
	c := start(t, 1, nil)
	const otherSDK = "the job was built with SDK 3.1, which speaks plan protocol 2.4; this cluster speaks 1.0: build it with the cluster's SDK"
	for want, change := range map[string]func(r *restpb.SubmitRequest){
		"the submission has no job graph with vertices":         func(r *restpb.SubmitRequest) { r.Graph = nil },
		"the submission has no job graph with vertices ":        func(r *restpb.SubmitRequest) { r.Graph.Vertices = nil },
		"the submission names no job binary":                    func(r *restpb.SubmitRequest) { r.Binary = nil },
		"the submission names no job binary ":                   func(r *restpb.SubmitRequest) { r.Binary.Uri = "" },
		"vertex \"source\": parallelism 0: expected 1 to 32768": func(r *restpb.SubmitRequest) { r.Graph.Vertices[0].Parallelism = 0 },
		"vertex id " + id.VertexOf("source").String() + " stands twice in the graph": func(r *restpb.SubmitRequest) {
			r.Graph.Vertices[1].Id = r.Graph.Vertices[0].GetId()
		},
		"edge 0: its index or one of its vertices is not in the graph": func(r *restpb.SubmitRequest) {
			r.Graph.Edges[0].Target = id.VertexOf("x").String()
		},
		"edge 0: forward between parallelism 1 and 2": func(r *restpb.SubmitRequest) {
			r.Graph.Edges[0].Partitioner = planpb.Partitioner_FORWARD
			r.Graph.Vertices[1].Parallelism = 2
		},
		otherSDK: func(r *restpb.SubmitRequest) {
			r.Graph.ProtocolMajor, r.Graph.ProtocolMinor, r.Graph.SdkVersion = 2, 4, "3.1"
		},
		"": func(r *restpb.SubmitRequest) { r.JobId = "not hexadecimal" },
		"configuration: restart-strategy.type": func(r *restpb.SubmitRequest) {
			r.Graph.Config = map[string]string{"restart-strategy.type": "sometimes"}
		},
	} {
		r := submission(graph(1))
		change(r)
		_, err := c.backend.Submit(t.Context(), r)
		if httpStatus(err) != http.StatusBadRequest {
			t.Errorf("%s: %v", want, err)
			continue
		}
		contains(t, err.Error(), strings.TrimSpace(want))
		if strings.Contains(err.Error(), "\n") {
			t.Errorf("more than one line: %q", err)
		}
	}
	if list, err := c.backend.Jobs(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("jobs: %+v, %v", list, err)
	}
	c.driver.mu.Lock()
	defer c.driver.mu.Unlock()
	if len(c.driver.required) != 0 {
		t.Errorf("TaskManagers were required: %v", c.driver.required)
	}
}

// Garbage does not get past the REST server, and valid bytes with a garbage graph not past the JobManager.
func TestGarbage(t *testing.T) {
	c := start(t, 1, nil)
	server, err := rest.NewServer(rest.Options{Backend: c.backend, NoAuth: true, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(server.Handler())
	t.Cleanup(web.Close)
	for _, body := range []string{"", "\xff\xff\xff\xff\x01", "\x12\x03\x2a\x01\x00", "\x12\x04\x2a\x02\x0a\x00", strings.Repeat("\x08\x96", 100)} {
		response, err := http.Post(web.URL+"/v1/weft/jobs", "application/x-protobuf", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != http.StatusBadRequest || !strings.HasPrefix(string(text), `{"errors":["`) {
			t.Errorf("body %q: status %d, %s", body, response.StatusCode, text)
		}
	}
	if list, err := c.backend.Jobs(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("jobs: %+v, %v", list, err)
	}
}

// A submission that is repeated is the same job; without an id one is drawn.
func TestSubmitTwice(t *testing.T) {
	c := start(t, 1, nil)
	tm := c.tm("a", 1)
	r := submission(graph(1))
	job := c.submit(r)
	tm.startWorker()
	if again := c.submit(r); again != job {
		t.Errorf("the same submission made job %s and job %s", job, again)
	}
	if again := c.submit(&restpb.SubmitRequest{JobId: r.GetJobId()}); again != job {
		t.Errorf("the same id made job %s and job %s", job, again)
	}
	if o, err := c.backend.Overview(t.Context()); err != nil || o.JobsRunning != 1 {
		t.Errorf("overview: %+v, %v", o, err)
	}
	r.JobId = ""
	if drawn := c.submit(r); drawn == job || drawn.IsZero() {
		t.Errorf("a job without an id got %s", drawn)
	}
}

// The oldest ended jobs are forgotten, but not while their workers still hold slots.
func TestForgets(t *testing.T) {
	c := start(t, 1, nil)
	tm := c.tm("a", 1)
	held := c.run(1)
	workers, tasks := up(tm)
	tm.tasks(0, controlpb.ExecutionState_STATE_FINISHED, nil, nil, tasks[0]...)
	c.await(held, planpb.JobStatus_FINISHED)
	tm.stopWorker()
	first := c.run(1)
	c.cancelJob(first)
	for range 100 {
		c.cancelJob(c.run(1))
	}
	c.run(1)
	if _, err := c.backend.Job(t.Context(), first); !rest.IsNotFound(err) {
		t.Errorf("the oldest of more than 100 ended jobs: %v", err)
	}
	if _, err := c.backend.Job(t.Context(), held); err != nil {
		t.Errorf("a job whose worker runs: %v", err)
	}
	tm.exited(workers[0], nil)
	tm.startWorker() // the last job gets the slot
}
