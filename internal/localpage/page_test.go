package localpage

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/rest"
	"github.com/weft-project/weft/rpc/controlpb"
	"github.com/weft-project/weft/rpc/planpb"
)

// open opens a page on a free port.
func open(t *testing.T, more map[string]string) *Page {
	t.Helper()
	values := map[string]string{"rest.port": "0", "s3.secret-key": "hush"}
	for k, v := range more {
		values[k] = v
	}
	p, err := Open(values, slog.New(slog.DiscardHandler))
	if err != nil || p == nil {
		t.Fatal(p, err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// get asks as a browser does.
func get(t *testing.T, p *Page, method, path string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://"+p.Address+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth("me", p.Token)
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	b, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	return a.StatusCode, string(b)
}

var (
	vertex = id.VertexOf("read").String()
	graph  = &planpb.JobGraph{Name: "counts", Vertices: []*planpb.JobVertex{{Id: vertex, Name: "Source: read", Parallelism: 2, MaxParallelism: 128, IsSource: true}}}
	job    = id.Job{0xaa}
	source = []*controlpb.AttemptId{{JobId: job.String(), VertexId: vertex}, {JobId: job.String(), VertexId: vertex, Subtask: 1}}
)

func TestNoPageUnasked(t *testing.T) {
	if p, err := Open(map[string]string{"parallelism.default": "2"}, slog.New(slog.DiscardHandler)); p != nil || err != nil {
		t.Error(p, err)
	}
}

// The documents of a job while it runs, and afterwards; nothing can be changed.
func TestPage(t *testing.T) {
	p := open(t, nil)
	if code, text := get(t, p, "GET", "/jobs/overview"); code != 200 || text != `{"jobs":[]}`+"\n" && text != `{"jobs":[]}` {
		t.Errorf("before a job: %d %s", code, text)
	}
	r := p.NewRun()
	metrics := func() []*controlpb.TaskMetrics { return []*controlpb.TaskMetrics{{Attempt: source[0], RecordsOut: 41}} }
	if err := r.Began(job, graph, "127.0.0.1:5", metrics); err != nil {
		t.Fatal(err)
	}
	r.Task(&controlpb.TaskState{Id: source[0], State: controlpb.ExecutionState_STATE_RUNNING})
	of := "/jobs/" + job.String()
	for path, want := range map[string]string{
		"/": "counts", "/jobs/overview": `"state":"RUNNING"`, of: `"write-records":41`, of + "/vertices/" + vertex: `"status":"RUNNING"`,
		of + "/config": "none: a local run is not restarted", "/overview": `"slots-total":2`, "/taskmanagers": `"freeSlots":0`, "/taskmanagers/local": job.String(),
		"/jobmanager/config": "rest.port", "/v1/weft/cluster": `"target":"local"`, "/jobmanager/metrics": "taskSlotsTotal", of + "/metrics": "uptime",
		"/taskmanagers/local/metrics": "Heap.Used", "/ui/jobs/" + job.String(): "Source: read", of + "/vertices/" + vertex + "/metrics": "numRecordsOut",
	} {
		if code, text := get(t, p, "GET", path); code != 200 || !strings.Contains(text, want) || strings.Contains(text, "hush") {
			t.Errorf("%s: %d, %q is not in %s", path, code, want, text)
		}
	}
	for path, method := range map[string]string{of: "PATCH", of + "/yarn-cancel": "GET", "/cluster": "DELETE"} {
		if code, text := get(t, p, method, path); code != http.StatusForbidden || !strings.Contains(text, "changes nothing") {
			t.Errorf("%s %s: %d %s", method, path, code, text)
		}
	}
	if code, _ := get(t, p, "GET", "/jobs/"+id.Job{1}.String()); code != 404 {
		t.Errorf("a job that is not there: %d", code)
	}
	r.Task(&controlpb.TaskState{Id: source[0], State: controlpb.ExecutionState_STATE_FAILED, Failure: &planpb.Failure{Message: "bad line", VertexId: vertex}})
	r.Task(&controlpb.TaskState{Id: source[1], State: controlpb.ExecutionState_STATE_CANCELED, Metrics: &controlpb.TaskMetrics{RecordsOut: 7}})
	r.Ended(&planpb.JobResult{Status: planpb.JobStatus_FAILED})
	for path, want := range map[string]string{"/jobs/overview": `"state":"FAILED"`, of + "/exceptions": "bad line", "/overview": `"slots-available":2`} {
		if code, text := get(t, p, "GET", path); code != 200 || !strings.Contains(text, want) {
			t.Errorf("%s: %d, %q is not in %s", path, code, want, text)
		}
	}
}

// A page of the web whose name leads to this machine gets nothing.
func TestOtherNames(t *testing.T) {
	h := named(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "seen") }))
	for host, want := range map[string]int{"localhost:8081": 200, "127.0.0.1": 200, "evil.example:8081": 403, "": 403} {
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
		r.Host = host
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != want {
			t.Errorf("%q: %d, expected %d", host, w.Code, want)
		}
	}
}

// Two programs can not have the same port, and say so.
func TestPortIsTaken(t *testing.T) {
	p := open(t, map[string]string{"security.rest.auth": "none"})
	_, port, _ := strings.Cut(p.Address, ":")
	if _, err := Open(map[string]string{"rest.port": port}, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "rest.port") {
		t.Errorf("%v", err)
	}
	var e *rest.Error
	if !errors.As(errReadOnly, &e) || e.Status != 403 {
		t.Error(e)
	}
}
