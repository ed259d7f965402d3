package rest_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/weft-project/weft/rest"
	"github.com/weft-project/weft/rest/resttest"
)

// tmFiles is a backend with the files of one TaskManager, which it gives in pieces of four bytes.
type tmFiles struct {
	*resttest.Backend
	content map[string]string
	// asked are the offsets asked for.
	asked []int64
	// shrunk makes the files seem cut off after the first piece.
	shrunk bool
}

const tmName = "container_1760000000000_0007_01_000002"

// TaskManagerLogs is rest.TaskManagerFiles'.
func (f *tmFiles) TaskManagerLogs(_ context.Context, tm string) ([]rest.LogFile, error) {
	if tm != tmName {
		return nil, rest.TaskManagerNotFound(tm)
	}
	return []rest.LogFile{{Name: "taskmanager.log", Size: 10, ModTime: 1_760_000_000_000}}, nil
}

// TaskManagerLog is rest.TaskManagerFiles'.
func (f *tmFiles) TaskManagerLog(_ context.Context, r rest.LogRequest) (rest.LogPiece, error) {
	name := map[rest.LogKind]string{rest.NamedLog: r.Name, rest.OwnLog: "taskmanager.log", rest.OwnOutput: "taskmanager.out"}[r.Kind]
	text, ok := f.content[name]
	if !ok || r.TaskManager != tmName {
		return rest.LogPiece{}, rest.NotFound("no such log file: %q", name)
	}
	f.asked = append(f.asked, r.Offset)
	piece := rest.LogPiece{File: rest.LogFile{Name: name, Size: int64(len(text)), ModTime: 1_760_000_000_000}}
	if r.Offset < int64(len(text)) && !(f.shrunk && r.Offset > 0) {
		piece.Data = []byte(text[r.Offset:min(len(text), int(r.Offset)+4)])
	}
	return piece, nil
}

// Goroutines is rest.TaskManagerFiles'.
func (f *tmFiles) Goroutines(context.Context, string) (string, error) {
	return "goroutine 1 [running]:\nmain.main()\n\ngoroutine 2 [select]:\nmain.other()\n", f.Fail
}

func newFiles() *tmFiles {
	return &tmFiles{Backend: resttest.Sample(), content: map[string]string{"taskmanager.log": "0123456789", "taskmanager.out": "", "worker-1.log": "words"}}
}

func TestTaskManagerLogs(t *testing.T) {
	f := newFiles()
	h := newHandler(t, f, nil)
	for path, want := range map[string]string{"log": "0123456789", "stdout": "", "logs/worker-1.log": "words", "logs/taskmanager.log": "0123456789"} {
		a := ask(h, "GET", "/v1/taskmanagers/"+tmName+"/"+path, "", nil)
		if a.Code != 200 || a.Body.String() != want || a.Header().Get("Content-Type") != "text/plain; charset=utf-8" {
			t.Errorf("%s: %d %q %v", path, a.Code, a.Body, a.Header())
		}
	}
	// A part that begins in the second piece is read from where it begins.
	f.asked = nil
	if a := ask(h, "GET", "/taskmanagers/"+tmName+"/log", "", map[string]string{"Range": "bytes=5-8"}); a.Code != 206 || a.Body.String() != "5678" {
		t.Errorf("range: %d %q", a.Code, a.Body)
	}
	if len(f.asked) != 2 || f.asked[0] != 0 || f.asked[1] != 5 {
		t.Errorf("asked for pieces from %v", f.asked)
	}
	if a := ask(h, "GET", "/taskmanagers/"+tmName+"/log", "", map[string]string{"Range": "bytes=-3"}); a.Code != 206 || a.Body.String() != "789" {
		t.Errorf("the end: %d %q", a.Code, a.Body)
	}
	if a := ask(h, "GET", "/taskmanagers/"+tmName+"/log", "", map[string]string{"Range": "bytes=50-"}); a.Code != 416 {
		t.Errorf("behind the end: %d %q", a.Code, a.Body)
	}
	for _, path := range []string{"/taskmanagers/" + tmName + "/logs/none", "/taskmanagers/none/logs", "/taskmanagers/none/log"} {
		if a := ask(h, "GET", path, "", nil); a.Code != 404 || firstError(t, a.Body.Bytes()) == "" {
			t.Errorf("%s: %d %s", path, a.Code, a.Body)
		}
	}
	list := ask(h, "GET", "/taskmanagers/"+tmName+"/logs", "", nil).Body.String()
	if list != `{"logs":[{"name":"taskmanager.log","size":10,"mtime":1760000000000}]}` {
		t.Errorf("list: %s", list)
	}
	// One that becomes shorter meanwhile is not filled up with anything.
	f.shrunk = true
	if a := ask(h, "GET", "/taskmanagers/"+tmName+"/log", "", nil); a.Body.String() != "0123" {
		t.Errorf("cut off: %d %q", a.Code, a.Body)
	}
}

func TestTaskManagerThreadDump(t *testing.T) {
	f := newFiles()
	h := newHandler(t, f, nil)
	var doc rest.ThreadDump
	a := ask(h, "GET", "/taskmanagers/"+tmName+"/thread-dump", "", nil)
	if err := json.Unmarshal(a.Body.Bytes(), &doc); err != nil || len(doc.Threads) != 2 || doc.Threads[1].Name != "goroutine 2" ||
		!strings.Contains(doc.Threads[1].Text, "main.other") {
		t.Errorf("%d %s, %v", a.Code, a.Body, err)
	}
	f.Fail = errors.New("gone")
	if a := ask(h, "GET", "/taskmanagers/"+tmName+"/thread-dump", "", nil); a.Code != 500 {
		t.Errorf("%d %s", a.Code, a.Body)
	}
}
