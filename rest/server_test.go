package rest_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/rest"
	"github.com/weft-project/weft/rest/resttest"
)

func firstError(t *testing.T, body []byte) string {
	t.Helper()
	var e rest.ErrorBody
	if err := json.Unmarshal(body, &e); err != nil || len(e.Errors) == 0 {
		t.Fatalf("body %q has not Flink's shape of errors: %v", body, err)
	}
	return e.Errors[0]
}

func TestRefusals(t *testing.T) {
	job := resttest.RunningJob.String()
	tests := []struct {
		method, path string
		status       int
		says         string
	}{
		{"GET", "/nosuch", 404, "/nosuch"},
		{"GET", "/v1/nosuch/x", 404, "/v1/nosuch/x"},
		{"GET", "/jobs/xyz", 400, `"xyz"`},
		{"GET", "/jobs/" + job[:31], 400, job[:31]},
		{"GET", "/jobs/" + id.Job{9}.String(), 404, "Job 09000000000000000000000000000000 not found"},
		{"GET", "/jobs/" + job + "/vertices/zz", 400, `"zz"`},
		{"GET", "/jobs/" + job + "/vertices/" + strings.Repeat("0", 32), 404, "has no vertex"},
		{"GET", placed("/jobs/:jobid/vertices/:vertexid/subtasks/7"), 404, "no subtask 7"},
		{"GET", placed("/jobs/:jobid/vertices/:vertexid/subtasks/-1"), 400, `"-1"`},
		{"GET", placed("/jobs/:jobid/vertices/:vertexid/subtasks/0/attempts/9"), 404, "no attempt 9"},
		{"GET", placed("/jobs/:jobid/vertices/:vertexid/subtasks/0/attempts/99999999999"), 400, "attempt"},
		{"GET", placed("/jobs/:jobid/vertices/:vertexid/subtasks/metrics?subtasks=1-x"), 400, `"1-x"`},
		{"GET", placed("/jobs/:jobid/vertices/:vertexid/subtasks/metrics?get=a&agg=median"), 400, `"median"`},
		{"GET", "/taskmanagers/none", 404, "none"},
		{"GET", "/taskmanagers/none/metrics", 404, "none"},
		{"GET", "/jobs/" + job + "/exceptions?maxExceptions=many", 400, `"many"`},
		{"GET", "/jobs/" + job + "/exceptions?failureLabelFilter=x", 400, "KEY:VALUE"},
		{"GET", "/jobs/metrics?jobs=1", 400, `"1"`},
		{"GET", "/jobs/metrics?get=" + strings.Repeat("a,", 1001), 400, "more than 1000"},
		{"PATCH", "/jobs/" + job + "?mode=stop", 400, "savepoint"},
		{"PATCH", "/jobs/" + job + "?mode=eject", 400, `"eject"`},
		{"POST", "/jobs/" + job + "/stop", 501, "a local run takes no checkpoints"},
		{"POST", "/jobs/" + job + "/savepoints", 501, "no savepoints"},
		{"POST", "/jobs/" + job + "/checkpoints", 501, "no checkpoints"},
		{"POST", "/savepoint-disposal", 501, "no savepoints"},
		{"PUT", "/jobs/" + job + "/resource-requirements", 501, "cannot be rescaled"},
		{"PATCH", "/jobs/" + resttest.FinishedJob.String(), 409, "FINISHED"},
		{"HEAD", "/jobs/" + job + "/yarn-cancel", 405, ""},
		{"POST", "/overview", 405, "only GET"},
		{"PUT", "/v1/jobs/" + job, 405, "GET, PATCH"},
		{"POST", "/v1/weft/jobs", 415, "application/x-protobuf"},
		{"GET", "/v1/weft/jobs/" + job + "/watch?since=-1", 400, `"-1"`},
		{"GET", "/v1/weft/jobs/" + job + "/watch?wait=1h", 400, `"1h"`},
		{"GET", "/jobmanager/logs/nosuch.log", 404, "nosuch.log"},
	}
	b := resttest.Sample()
	h := newHandler(t, b, func(o *rest.Options) { o.LogDir = t.TempDir() })
	for _, test := range tests {
		answer := ask(h, test.method, test.path, "", nil)
		if answer.Code != test.status {
			t.Errorf("%s %s: status %d, expected %d: %s", test.method, test.path, answer.Code, test.status, answer.Body)
			continue
		}
		if got := firstError(t, answer.Body.Bytes()); !strings.Contains(got, test.says) {
			t.Errorf("%s %s: %q does not say %q", test.method, test.path, got, test.says)
		}
	}
	if len(b.Canceled()) != 0 || b.ShutdownAsked() {
		t.Error("a refused request changed something")
	}
}

func TestChanges(t *testing.T) {
	b := resttest.Sample()
	h := newHandler(t, b, nil)
	job := resttest.RunningJob.String()
	for _, c := range []struct {
		method, path string
		status       int
	}{
		{"PATCH", "/jobs/" + job + "?mode=cancel", 202},
		{"PATCH", "/v1/jobs/" + job, 202},
		{"GET", "/jobs/" + job + "/yarn-cancel", 202},
		{"DELETE", "/cluster", 200},
	} {
		if answer := ask(h, c.method, c.path, "", nil); answer.Code != c.status || answer.Body.String() != "{}" {
			t.Errorf("%s %s: %d %s", c.method, c.path, answer.Code, answer.Body)
		}
	}
	if len(b.Canceled()) != 3 || !b.ShutdownAsked() {
		t.Errorf("cancelled %v, shutdown %v", b.Canceled(), b.ShutdownAsked())
	}
}

func TestBackendErrors(t *testing.T) {
	b := resttest.Sample()
	h := newHandler(t, b, nil)
	b.Fail = rest.Unavailable("no leader yet")
	if a := ask(h, "GET", "/overview", "", nil); a.Code != 503 || firstError(t, a.Body.Bytes()) != "no leader yet" {
		t.Errorf("%d %s", a.Code, a.Body)
	}
	b.Fail = errors.New("disk on fire")
	if a := ask(h, "GET", "/jobs/overview", "", nil); a.Code != 500 || !strings.Contains(firstError(t, a.Body.Bytes()), "disk on fire") {
		t.Errorf("%d %s", a.Code, a.Body)
	}
	b.Fail, b.Panic = nil, true
	if a := ask(h, "GET", "/overview", "", nil); a.Code != 500 || strings.Contains(a.Body.String(), "scripted") || !strings.Contains(firstError(t, a.Body.Bytes()), "under id") {
		t.Errorf("after a panic: %d %s", a.Code, a.Body)
	}
}

func TestMetricsQueries(t *testing.T) {
	h := newHandler(t, resttest.Sample(), nil)
	for path, want := range map[string]string{
		"/jobs/:jobid/vertices/:vertexid/subtasks/metrics?get=numRecordsIn,numRecordsOut&agg=min,max,avg,sum": `[{"id":"numRecordsIn","min":1670473.0,"max":1675797.0,"avg":1673135.0,"sum":3346270.0},{"id":"numRecordsOut","min":0.0,"max":0.0,"avg":0.0,"sum":0.0}]`,
		"/jobs/:jobid/vertices/:vertexid/subtasks/metrics?get=numRecordsIn&agg=sum&subtasks=1-7":              `[{"id":"numRecordsIn","sum":1675797.0}]`,
		"/taskmanagers/metrics?get=Status.Process.RSS&agg=sum":                                                `[{"id":"Status.Process.RSS","sum":3000.0}]`,
		"/jobs/metrics?get=uptime&agg=max":                                                                    `[{"id":"uptime","max":34908.0}]`,
		"/jobs/:jobid/metrics?get=uptime,nosuch":                                                              `[{"id":"uptime","value":"34908"}]`,
		"/jobs/:jobid/metrics?get=nosuch":                                                                     `[]`,
		"/jobs/:jobid/vertices/:vertexid/watermarks":                                                          `[{"id":"0.currentInputWatermark","value":"1241"},{"id":"1.currentInputWatermark","value":"1241"}]`,
		"/jobs/:jobid/status":                                                                                 `{"status":"RUNNING"}`,
		"/jobs/:jobid/execution-result":                                                                       `{"status":{"id":"IN_PROGRESS"}}`,
		"/jobs/:jobid/vertices/:vertexid/subtasks/1/metrics?get=nope":                                         `[]`,
	} {
		if a := ask(h, "GET", placed(path), "", nil); a.Code != 200 || a.Body.String() != want {
			t.Errorf("%s: %d %s, expected %s", path, a.Code, a.Body, want)
		}
	}
}

func TestExceptionsAreCutAndFiltered(t *testing.T) {
	h := newHandler(t, resttest.Sample(), nil)
	var e rest.JobExceptions
	get := func(query string) {
		t.Helper()
		e = rest.JobExceptions{}
		a := ask(h, "GET", placed("/jobs/:failed/exceptions")+query, "", nil)
		if err := json.Unmarshal(a.Body.Bytes(), &e); err != nil {
			t.Fatal(err)
		}
	}
	if get(""); len(e.History.Entries) != 2 || e.History.Truncated {
		t.Errorf("all: %+v", e.History)
	}
	if get("?maxExceptions=1"); len(e.History.Entries) != 1 || !e.History.Truncated || e.Truncated {
		t.Errorf("one: %+v", e.History)
	}
	if get("?failureLabelFilter=type:external"); len(e.History.Entries) != 1 || e.History.Entries[0].Name != "ExternalError" {
		t.Errorf("filtered: %+v", e.History)
	}
}

func TestSecretsAreMasked(t *testing.T) {
	h := newHandler(t, resttest.Sample(), nil)
	for _, path := range []string{"/jobmanager/config", "/jobs/:jobid/jobmanager/config", "/jobs/:jobid/config"} {
		a := ask(h, "GET", placed(path), "", nil)
		if a.Code != 200 || strings.Contains(a.Body.String(), "hush-hush") || !strings.Contains(a.Body.String(), rest.Masked) {
			t.Errorf("%s: %d %s", path, a.Code, a.Body)
		}
	}
	config := ask(h, "GET", "/jobmanager/config", "", nil).Body.String()
	for _, want := range []string{`"security.delegation.tokens.enabled","value":"true"`, `-Dlevel=info -Dkeystore.password=******`, `http://ada:******@proxy:3128/`} {
		if !strings.Contains(config, want) {
			t.Errorf("%s is not in %s", want, config)
		}
	}
}

func TestLogsStayInTheirDirectory(t *testing.T) {
	top := t.TempDir()
	dir := filepath.Join(top, "logs")
	outside := filepath.Join(top, "secret")
	for _, err := range []error{
		os.Mkdir(dir, 0o700), os.WriteFile(outside, []byte("hush"), 0o600), os.Mkdir(filepath.Join(dir, "sub"), 0o700),
		os.WriteFile(filepath.Join(dir, "jobmanager.log"), []byte("log text\n"), 0o600),
		os.WriteFile(filepath.Join(dir, "jobmanager.out"), []byte("out text\n"), 0o600),
		os.WriteFile(filepath.Join(dir, "odd name#1?.log"), []byte("odd"), 0o600),
		os.Symlink(outside, filepath.Join(dir, "link.log")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	h := newHandler(t, resttest.Sample(), func(o *rest.Options) { o.LogDir = dir })
	for path, want := range map[string]string{
		"/jobmanager/log": "log text\n", "/jobmanager/stdout": "out text\n", "/jobmanager/logs/jobmanager.log": "log text\n", "/v1/jobmanager/logs/odd%20name%231%3F.log": "odd",
	} {
		a := ask(h, "GET", path, "", nil)
		if a.Code != 200 || a.Body.String() != want || a.Header().Get("Content-Type") != "text/plain; charset=utf-8" {
			t.Errorf("%s: %d %q %s", path, a.Code, a.Body, a.Header())
		}
	}
	for _, path := range []string{"link.log", "sub", "..%2Fsecret", "%2E%2E%2Fsecret", "..%5Csecret", "sub%2F..%2F..%2Fsecret", "%2e%2e", ".", "jobmanager.log%00"} {
		if a := ask(h, "GET", "/jobmanager/logs/"+path, "", nil); a.Code == 200 || strings.Contains(a.Body.String(), "hush") {
			t.Errorf("%s: %d %q", path, a.Code, a.Body)
		}
	}
	list := ask(h, "GET", "/jobmanager/logs", "", nil).Body.String()
	if !strings.Contains(list, "odd name#1?.log") || strings.Contains(list, "link.log") || strings.Contains(list, "sub") {
		t.Errorf("list: %s", list)
	}
	if a := ask(h, "GET", "/jobmanager/log", "", map[string]string{"Range": "bytes=-5"}); a.Code != 206 || a.Body.String() != "text\n" {
		t.Errorf("range: %d %q", a.Code, a.Body)
	}
}

// TestServeEnds: a waiting watch and the listener end when the context does.
func TestServeEnds(t *testing.T) {
	b := resttest.Sample()
	b.Watching = make(chan struct{}, 1)
	s, err := rest.NewServer(rest.Options{Backend: b, Token: token, Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l) }()
	status := make(chan int, 1)
	go func() {
		r, _ := http.NewRequest("GET", "http://"+l.Addr().String()+"/v1/weft/jobs/"+resttest.RunningJob.String()+"/watch?wait=50000", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		a, err := http.DefaultClient.Do(r)
		if err != nil {
			status <- -1
			return
		}
		defer a.Body.Close()
		_, _ = io.Copy(io.Discard, a.Body)
		status <- a.StatusCode
	}()
	select {
	case <-b.Watching:
	case <-time.After(2 * time.Minute):
		t.Fatal("the watch did not arrive")
	}
	started := time.Now()
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if got := <-status; got != 503 {
		t.Errorf("the watch was answered with %d", got)
	}
	if d := time.Since(started); d > 2*time.Second {
		t.Errorf("it took %v", d)
	}
}

func TestLargeHeadersAndBodies(t *testing.T) {
	s, err := rest.NewServer(rest.Options{Backend: resttest.Sample(), Token: token, Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l) }()
	defer func() { cancel(); <-ended }()
	base := "http://" + l.Addr().String()
	send := func(method, path string, headers map[string]string, body io.Reader) int {
		t.Helper()
		r, err := http.NewRequest(method, base+path, body)
		if err != nil {
			t.Fatal(err)
		}
		for k, v := range headers {
			r.Header.Set(k, v)
		}
		a, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer a.Body.Close()
		_, _ = io.Copy(io.Discard, a.Body)
		return a.StatusCode
	}
	if got := send("GET", "/overview", map[string]string{"X-Long": strings.Repeat("x", 40<<10)}, nil); got != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("long header: %d", got)
	}
	owner := map[string]string{"Authorization": "Bearer " + token, "Content-Type": "application/x-protobuf"}
	if got := send("POST", "/v1/weft/jobs", owner, io.LimitReader(zeroes{}, 65<<20)); got != http.StatusRequestEntityTooLarge {
		t.Errorf("large body: %d", got)
	}
	if got := send("POST", "/v1/weft/jobs", nil, io.LimitReader(zeroes{}, 1<<10)); got != http.StatusUnauthorized {
		t.Errorf("body without token: %d", got)
	}
}

type zeroes struct{}

func (zeroes) Read(p []byte) (int, error) { clear(p); return len(p), nil }
