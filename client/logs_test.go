package client

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	hadoopconf "github.com/weft-project/weft/internal/hadoop/conf"
	"github.com/weft-project/weft/yarnrpc"
)

// nodeManager serves the logs of one container as NodeManagers do; list is the document of their names.
func nodeManager(t *testing.T, list string) *httptest.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ws/v1/node/containers/{id}/logs", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("user.name") != "ada" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		_, _ = w.Write([]byte(list))
	})
	mux.HandleFunc("GET /ws/v1/node/containerlogs/{id}/{file}", func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte("text of " + r.PathValue("file") + " of " + r.PathValue("id") + "\n"))
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

const listOfOne = `{"containerLogsInfo":{"containerLogInfo":[
  {"fileName":"taskmanager.log","fileSize":"12","lastModifiedTime":"x"},
  {"fileName":"worker-01234567-0.log","fileSize":"7","lastModifiedTime":"x"}],"logAggregationType":"LOCAL","containerId":"c"}}`

// Hadoop 3.1 and later give a list of such objects, and name the same file once for each kind of storage.
const listOfMany = `[{"containerLogsInfo":{"containerLogInfo":{"fileName":"taskmanager.log","fileSize":12}}},
  {"containerLogInfo":[{"fileName":"worker-01234567-0.log","fileSize":"7"},{"fileName":"taskmanager.log","fileSize":"12"}]}]`

func logsOf(t *testing.T, l Logs, containers ...yarnrpc.ContainerReport) (out string, err error) {
	t.Helper()
	c, stdout, _ := testClient(t)
	c.hadoop = hadoopconf.New(nil)
	err = (&logShow{client: c, user: "ada", logs: l}).all(t.Context(), containers)
	return stdout.String(), err
}

func container(number int64, web string) yarnrpc.ContainerReport {
	return yarnrpc.ContainerReport{ID: yarnrpc.ContainerID{Attempt: yarnrpc.AttemptID{Application: app1, Number: 1}, Number: number},
		Node: yarnrpc.NodeID{Host: "node1", Port: 8041}, HTTPAddress: web}
}

func TestLogsOfContainers(t *testing.T) {
	for _, list := range []string{listOfOne, listOfMany} {
		web := nodeManager(t, list)
		plain := strings.TrimPrefix(web.URL, "http://")
		second, first := container(2, web.URL), container(1, plain)
		out, err := logsOf(t, Logs{}, second, first)
		if err != nil {
			t.Fatal(err)
		}
		var want strings.Builder
		for _, id := range []string{first.ID.String(), second.ID.String()} {
			want.WriteString("==> " + id + " on node1:8041: taskmanager.log (12 bytes) <==\ntext of taskmanager.log of " + id + "\n\n" +
				"==> " + id + " on node1:8041: worker-01234567-0.log (7 bytes) <==\ntext of worker-01234567-0.log of " + id + "\n\n")
		}
		if out != want.String() {
			t.Errorf("got\n%s\nwant\n%s", out, want.String())
		}
		out, err = logsOf(t, Logs{Names: true, File: "worker-*", Container: second.ID.String()}, first, second)
		if want := second.ID.String() + " node1:8041 worker-01234567-0.log (7 bytes)\n"; err != nil || out != want {
			t.Errorf("got %q, %v; want %q", out, err, want)
		}
	}
}

// A node that is away, or refuses, does not hide what the others have.
func TestLogsOfBrokenNodes(t *testing.T) {
	web := nodeManager(t, listOfOne)
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	strange := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }))
	defer strange.Close()
	out, err := logsOf(t, Logs{}, container(1, gone.URL), container(2, strange.URL), container(3, web.URL))
	if err == nil || !strings.Contains(err.Error(), "does not answer") || !strings.Contains(err.Error(), "not what a NodeManager says") {
		t.Errorf("error %v", err)
	}
	if strings.Count(out, "text of") != 2 {
		t.Errorf("shown: %s", out)
	}
	for want, l := range map[string]Logs{"no file x.log on the 1 container": {File: "x.log"}, "container c is not running": {Container: "c"}} {
		if _, err := logsOf(t, l, container(3, web.URL)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", l, err, want)
		}
	}
}

func TestLogsArguments(t *testing.T) {
	c, _, _ := testClient(t)
	for want, l := range map[string]Logs{
		"is neither a job": {Of: "counts"}, "not a pattern": {File: "[x"}, "application": {Of: "application_x"}, "there is no session": {},
	} {
		if err := c.Logs(t.Context(), l); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", l, err, want)
		}
	}
}

// Hadoop 3 writes lines around a log, which are left out; a log that looks alike is not cut.
func TestCopyLog(t *testing.T) {
	around := "Container: container_1 on node1:8041\nLogAggregationType: LOCAL\n=====\nLogType:x.log\nLogLength:%s\nLogContents:\n"
	for in, want := range map[string]string{
		"plain\ntext": "plain\ntext", "": "", "Container: is missing\n": "Container: is missing\n",
		strings.Replace(around, "%s", "8", 1) + "{a 2}\n\n\nEnd of LogType:x.log.This log file belongs to a running container\n***\n": "{a 2}\n\n\n",
		strings.Replace(around, "%s", "0", 1) + "\nEnd of LogType:x.log":                                                              "",
		strings.Replace(around, "%s", "many", 1) + "text":                                                                             strings.Replace(around, "%s", "many", 1) + "text",
	} {
		var out strings.Builder
		if err := copyLog(&out, strings.NewReader(in)); err != nil || out.String() != want {
			t.Errorf("%q: got %q, %v; want %q", in, out.String(), err, want)
		}
	}
}
