package rest_test

import (
	"fmt"
	"net/http"
	"sort"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/rest"
	"github.com/weft-project/weft/rest/resttest"
)

// awkward is a name with everything that has a meaning in the text.
const awkward = "a \"quoted\" \\ name\nwith {braces}, ünïcode and \xff"

// scraped is the answer to a scrape, read by Prometheus's own parser: one line for each sample, sorted.
func scraped(t *testing.T, h http.Handler, query, auth string) []string {
	t.Helper()
	answer := ask(h, "GET", "/metrics"+query, "", map[string]string{"Authorization": "Bearer " + auth})
	if answer.Code != http.StatusOK || answer.Header().Get("Content-Type") != "text/plain; version=0.0.4; charset=utf-8" {
		t.Fatalf("status %d, %s: %s", answer.Code, answer.Header().Get("Content-Type"), answer.Body)
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(answer.Body)
	if err != nil {
		t.Fatalf("%v in\n%s", err, answer.Body)
	}
	var out []string
	for name, f := range families {
		for _, m := range f.GetMetric() {
			out = append(out, samples(name, f.GetType(), m)...)
		}
	}
	sort.Strings(out)
	return out
}

func samples(name string, kind dto.MetricType, m *dto.Metric) []string {
	var labels []string
	for _, l := range m.GetLabel() {
		labels = append(labels, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
	}
	line := fmt.Sprintf("%s %s{%s}", kind, name, strings.Join(labels, ","))
	switch kind {
	case dto.MetricType_COUNTER:
		return []string{fmt.Sprint(line, " ", m.GetCounter().GetValue())}
	case dto.MetricType_SUMMARY:
		out := []string{fmt.Sprint(line, " count ", m.GetSummary().GetSampleCount())}
		for _, q := range m.GetSummary().GetQuantile() {
			out = append(out, fmt.Sprint(line, " ", q.GetQuantile(), " ", q.GetValue()))
		}
		return out
	}
	return []string{fmt.Sprint(line, " ", m.GetGauge().GetValue())}
}

func series(subtask int, op, name, value string, kind rest.SeriesKind) rest.Metric {
	return rest.Metric{ID: fmt.Sprint(subtask, ".", op, name), Value: value, Series: rest.Series{Subtask: subtask, OperatorID: op, Operator: op, Name: name, Kind: kind}}
}

// scrapable is a cluster of one job with one vertex, of which the second subtask has ended.
func scrapable() *resttest.Backend {
	b := resttest.Sample()
	b.ClusterDoc.Host = "jm.example"
	b.TaskManagerDocs = b.TaskManagerDocs[:1]
	b.TaskManagerDocs[0].ID, b.TaskManagerDocs[0].Host = "tm1", "node1"
	for i := range b.JobDocs {
		if b.JobDocs[i].ID == resttest.RunningJob.String() {
			b.JobDocs = b.JobDocs[i : i+1]
			break
		}
	}
	b.JobDocs[0].Name, b.JobDocs[0].Vertices = awkward, b.JobDocs[0].Vertices[:1]
	vertex, err := id.ParseVertex(b.JobDocs[0].Vertices[0].ID)
	if err != nil {
		return b
	}
	v := b.VertexDocs[vertex.String()]
	v.Subtasks[0].TaskManagerID, v.Subtasks[1].Status = "tm1", "FINISHED"
	v.Name = "map"
	b.VertexDocs[vertex.String()] = v
	quantile := series(0, "op", "size_p99", "7", rest.Gauge)
	quantile.Series.Name, quantile.Series.Quantile = "size", "0.99"
	b.MetricDocs = map[string][]rest.Metric{
		"JobManager":                          {{ID: "numRunningJobs", Value: "1"}},
		"TaskManager tm1":                     {{ID: "Status.JVM.CPU.Load", Value: "0.25"}, {ID: "text", Value: "no number"}},
		"job " + resttest.RunningJob.String(): {{ID: "uptime", Value: "34908"}},
	}
	b.MetricDocs[rest.MetricScope{Kind: rest.ScopeVertex, Job: resttest.RunningJob, Vertex: vertex}.String()] = []rest.Metric{
		series(0, "", "numRecordsIn", "5", rest.Total), series(0, "", "isBackPressured", "true", rest.Gauge),
		series(0, "op", "numRecordsIn", "5", rest.Total), series(0, "op", "my.own-gauge", "1.5", rest.Gauge), series(0, "op", "my.own gauge", "9", rest.Gauge),
		quantile, series(0, "op", "size_count", "12", rest.Total), series(0, "op", "size_min", "1", rest.Hidden), series(0, "op", "events_count", "3", rest.Total),
		series(1, "", "numRecordsIn", "6", rest.Total),
	}
	return b
}

func TestScrape(t *testing.T) {
	b := scrapable()
	job, vertex := resttest.RunningJob.String(), b.JobDocs[0].Vertices[0].ID
	name := fmt.Sprintf("%q", strings.ToValidUTF8(awkward, "\uFFFD"))
	task := `{host="node1",tm_id="tm1",job_id="` + job + `",job_name=` + name + `,task_id="` + vertex + `",task_name="map",task_attempt_num="1",subtask_index="0"`
	op := task + `,operator_id="op",operator_name="op"}`
	want := []string{
		`GAUGE weft_jobmanager_numRunningJobs{host="jm.example"} 1`,
		`GAUGE weft_jobmanager_job_uptime{host="jm.example",job_id="` + job + `",job_name=` + name + `} 34908`,
		`GAUGE weft_taskmanager_Status_JVM_CPU_Load{host="node1",tm_id="tm1"} 0.25`,
		`COUNTER weft_taskmanager_job_task_numRecordsIn` + task + `} 5`,
		`GAUGE weft_taskmanager_job_task_isBackPressured` + task + `} 1`,
		`COUNTER weft_taskmanager_job_task_operator_numRecordsIn` + op + ` 5`,
		`GAUGE weft_taskmanager_job_task_operator_my_own_gauge` + op + ` 1.5`,
		`SUMMARY weft_taskmanager_job_task_operator_size` + op + ` count 12`,
		`SUMMARY weft_taskmanager_job_task_operator_size` + op + ` 0.99 7`,
		`COUNTER weft_taskmanager_job_task_operator_events_count` + op + ` 3`,
	}
	sort.Strings(want)
	h := newHandler(t, b, nil)
	for _, auth := range []string{token, rest.ReadToken(token)} {
		if got := scraped(t, h, "", auth); strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("got\n%s\nexpected\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	for i := range want {
		want[i] = strings.Replace(want[i], " weft_", " flink_", 1)
	}
	if got := scraped(t, h, "?prefix=flink", token); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nexpected\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if answer := ask(h, "GET", "/metrics?prefix=a%0Ab", "", nil); answer.Code != http.StatusBadRequest {
		t.Errorf("a prefix of two lines: status %d", answer.Code)
	}
	if answer := ask(h, "GET", "/metrics", "", map[string]string{"Authorization": "Bearer " + strings.Repeat("0", 64)}); answer.Code != http.StatusUnauthorized {
		t.Errorf("with another token: status %d", answer.Code)
	}
}
