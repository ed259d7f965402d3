package rest_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/weft-project/weft/rest"
	"github.com/weft-project/weft/rest/resttest"
)

func TestBackPressure(t *testing.T) {
	b := resttest.Sample()
	v := b.VertexDocs[resttest.Counts.String()]
	v.Subtasks[0].Load = &rest.Load{Held: 0.05, Busy: 0.9512}
	v.Subtasks[1].Load = &rest.Load{Held: 0.4, Idle: 0.2}
	h := newHandler(t, b, nil)
	path := placed("/jobs/:jobid/vertices/:vertexid/backpressure")
	var doc rest.BackPressure
	if err := json.Unmarshal(ask(h, "GET", path, "", nil).Body.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	if doc.Status != "ok" || doc.Level != "low" || len(doc.Subtasks) != 2 || doc.Subtasks[0].Level != "ok" || doc.Subtasks[0].BusyRatio != 0.951 ||
		doc.Subtasks[1].Ratio != 0.4 || doc.Subtasks[1].IdleRatio != 0.2 {
		t.Errorf("%+v", doc)
	}
	v.Subtasks[1].Load = nil
	if err := json.Unmarshal(ask(h, "GET", path, "", nil).Body.Bytes(), &doc); err != nil || doc.Level != "ok" || len(doc.Subtasks) != 1 {
		t.Errorf("with a subtask that has told nothing yet: %+v, %v", doc, err)
	}
	for i := range v.Subtasks {
		v.Subtasks[i].Status = "FINISHED"
	}
	if body := ask(h, "GET", path, "", nil).Body.String(); body != `{"status":"deprecated"}` {
		t.Errorf("of a vertex that has ended: %s", body)
	}
}

func TestRequirements(t *testing.T) {
	body := ask(newHandler(t, resttest.Sample(), nil), "GET", placed("/jobs/:jobid/resource-requirements"), "", nil).Body.String()
	if want := `"` + resttest.Counts.String() + `":{"parallelism":{"lowerBound":2,"upperBound":2}}`; !strings.Contains(body, want) {
		t.Errorf("%s is not in %s", want, body)
	}
}

func TestThreadDump(t *testing.T) {
	var doc rest.ThreadDump
	answer := ask(newHandler(t, resttest.Sample(), nil), "GET", "/jobmanager/thread-dump", "", nil)
	if err := json.Unmarshal(answer.Body.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	if len(doc.Threads) < 2 {
		t.Fatalf("%d goroutines", len(doc.Threads))
	}
	found := false
	for _, g := range doc.Threads {
		if !strings.HasPrefix(g.Name, "goroutine ") || !strings.HasPrefix(g.Text, g.Name+" [") {
			t.Errorf("%+v", g)
		}
		found = found || strings.Contains(g.Text, "handleThreadDump")
	}
	if !found {
		t.Error("the goroutine that answers is not among them")
	}
}

// TestElsewhere: what the JobManager does not have is answered with a sentence that says who has it.
func TestElsewhere(t *testing.T) {
	h := newHandler(t, resttest.Sample(), nil)
	const elsewhere = "does not fetch files of TaskManagers"
	for path, says := range map[string]string{
		"/taskmanagers/:taskmanagerid/log": elsewhere, "/taskmanagers/:taskmanagerid/stdout": elsewhere, "/taskmanagers/:taskmanagerid/logs": elsewhere,
		"/taskmanagers/:taskmanagerid/logs/:filename": elsewhere, "/taskmanagers/:taskmanagerid/thread-dump": elsewhere,
		"/jobs/:jobid/checkpoints/config": "not enabled",
	} {
		answer := ask(h, "GET", placed(path), "", nil)
		if got := firstError(t, answer.Body.Bytes()); answer.Code != http.StatusNotFound || !strings.Contains(got, says) {
			t.Errorf("%s: %d %s", path, answer.Code, got)
		}
	}
	if body := ask(h, "GET", placed("/jobs/:jobid/vertices/:vertexid/jm-operator-metrics"), "", nil).Body.String(); body != "[]" {
		t.Errorf("jm-operator-metrics: %s", body)
	}
}
