package rest

import (
	"context"
	"net/http"
	"regexp"
	"strconv"

	"github.com/weft-project/weft/id"
)

// defaultPrefix begins the names that a scrape sees.
const defaultPrefix = "weft"

var prefixPattern = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]{0,31}$`)

// handleScrape answers with the metrics of the whole cluster, for Prometheus.
func handleScrape(s *Server, w http.ResponseWriter, r *http.Request) error {
	prefix := defaultPrefix
	if asked := r.URL.Query().Get("prefix"); asked != "" {
		if prefix = asked; !prefixPattern.MatchString(prefix) {
			return Invalid("parameter prefix: %.40q is not the beginning of a metric's name: expected 1 to 32 letters, digits and _, not beginning with a digit", asked)
		}
	}
	e := newExposition(prefix)
	ctx := r.Context()
	cluster, err := s.backend.Cluster(ctx)
	if err != nil {
		return err
	}
	own, err := s.backend.Metrics(ctx, MetricScope{Kind: ScopeJobManager})
	if err != nil {
		return err
	}
	e.add("jobmanager", labelList("host", cluster.Host), own)
	tms, err := s.backend.TaskManagers(ctx)
	if err != nil {
		return err
	}
	for _, t := range tms {
		list, err := s.scraped(ctx, MetricScope{Kind: ScopeTaskManager, TaskManager: t.ID})
		if err != nil {
			return err
		}
		e.add("taskmanager", labelList("host", t.Host, "tm_id", t.ID), list)
	}
	jobs, err := s.backend.Jobs(ctx)
	if err != nil {
		return err
	}
	for _, j := range jobs {
		if JobEnded(j.State) {
			continue
		}
		if err := s.scrapeJob(ctx, e, cluster.Host, j); err != nil {
			return err
		}
	}
	w.Header().Set("Content-Type", typeExposition)
	if err := e.write(w); err != nil {
		s.log.Debug("a scrape was not taken to its end", "peer", r.RemoteAddr, "error", err)
	}
	return nil
}

// scraped gives the metrics of something that may have gone since it was listed: then it has none.
func (s *Server) scraped(ctx context.Context, scope MetricScope) ([]Metric, error) {
	list, err := s.backend.Metrics(ctx, scope)
	if IsNotFound(err) {
		return nil, nil
	}
	return list, err
}

// scrapeJob adds the metrics of a job and of its running tasks.
func (s *Server) scrapeJob(ctx context.Context, e *exposition, host string, j JobSummary) error {
	job, err := id.ParseJob(j.ID)
	if err != nil {
		return err
	}
	details, err := s.backend.Job(ctx, job)
	if IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	list, err := s.scraped(ctx, MetricScope{Kind: ScopeJob, Job: job})
	if err != nil {
		return err
	}
	e.add("jobmanager_job", labelList("host", host, "job_id", j.ID, "job_name", j.Name), list)
	for _, v := range details.Vertices {
		vertex, err := id.ParseVertex(v.ID)
		if err != nil {
			return err
		}
		d, err := s.backend.Vertex(ctx, job, vertex)
		if err == nil {
			list, err = s.scraped(ctx, MetricScope{Kind: ScopeVertex, Job: job, Vertex: vertex})
		}
		if IsNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		scrapeVertex(e, j, d, list)
	}
	return nil
}

// scrapeVertex adds the metrics of a vertex, list, task by task and operator by operator.
func scrapeVertex(e *exposition, j JobSummary, v VertexDetails, list []Metric) {
	type owner struct {
		subtask  int
		operator string
	}
	var order []owner
	of := map[owner][]Metric{}
	for _, m := range list {
		o := owner{m.Series.Subtask, m.Series.OperatorID}
		if of[o] == nil {
			order = append(order, o)
		}
		of[o] = append(of[o], m)
	}
	running := map[int]Subtask{}
	for _, t := range v.Subtasks {
		if t.Status == "RUNNING" || t.Status == "INITIALIZING" {
			running[t.Subtask] = t
		}
	}
	for _, o := range order {
		t, ok := running[o.subtask]
		if !ok {
			continue
		}
		labels := labelList("host", t.Host, "tm_id", t.TaskManagerID, "job_id", j.ID, "job_name", j.Name, "task_id", v.ID, "task_name", v.Name,
			"task_attempt_num", strconv.Itoa(t.Attempt), "subtask_index", strconv.Itoa(o.subtask))
		if o.operator == "" {
			e.add("taskmanager_job_task", labels, of[o])
			continue
		}
		e.add("taskmanager_job_task_operator", labels+","+labelList("operator_id", o.operator, "operator_name", of[o][0].Series.Operator), of[o])
	}
}
