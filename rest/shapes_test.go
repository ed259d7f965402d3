package rest_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"github.com/weft-project/weft/rest"
	"github.com/weft-project/weft/rest/resttest"
)

// open are maps whose keys are the author's or a state's: their content is not part of a shape.
var open = []string{"execution-config.user-config."}

// TestShapes compares each document with the shape of Flink's.
func TestShapes(t *testing.T) {
	logs := t.TempDir()
	if err := os.WriteFile(filepath.Join(logs, "jobmanager.log"), []byte("a line\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	h := newHandler(t, newFiles(), func(o *rest.Options) { o.LogDir = logs })
	shapes := resttest.Shapes()
	if len(shapes) < 40 {
		t.Fatalf("only %d shapes", len(shapes))
	}
	for request, want := range shapes {
		t.Run(request, func(t *testing.T) {
			answer := ask(h, "GET", "/v1"+placed(request), "", nil)
			var doc any
			if err := json.Unmarshal(answer.Body.Bytes(), &doc); err != nil {
				t.Fatalf("status %d, body %s: %v", answer.Code, answer.Body, err)
			}
			got := resttest.Shape(doc)
			for line := range got {
				if !want[line] && !isOpen(line) {
					t.Errorf("too much: %s", line)
				}
			}
			for _, line := range sorted(want) {
				if !got[line] {
					t.Errorf("missing: %s", line)
				}
			}
		})
	}
}

func isOpen(line string) bool {
	for _, prefix := range open {
		if strings.HasPrefix(line, prefix) {
			return true
		}
	}
	return false
}

func sorted(set map[string]bool) []string {
	var list []string
	for k := range set {
		list = append(list, k)
	}
	sort.Strings(list)
	return list
}

// TestTextOfDocuments: order of fields, doubles with a fraction, HTML of descriptions as it is.
func TestTextOfDocuments(t *testing.T) {
	h := newHandler(t, resttest.Sample(), nil)
	body := ask(h, "GET", placed("/jobs/:jobid"), "", nil).Body.String()
	for _, want := range []string{`"accumulated-busy-time":22308.0`, `"description":"Source: text file<br/>+- flatMap<br/>"`, `"optimizer_properties":{}`, `"end-time":-1`} {
		if !strings.Contains(body, want) {
			t.Errorf("%s is not in %s", want, body)
		}
	}
	if !strings.HasPrefix(body, `{"jid":"`+resttest.RunningJob.String()+`","name":"wordcount","isStoppable":false,"state":"RUNNING","job-type":"STREAMING"`) {
		t.Errorf("field order: %.200s", body)
	}
	if strings.HasSuffix(body, "\n") {
		t.Error("the body ends with a line break")
	}
}
