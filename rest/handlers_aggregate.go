package rest

import (
	"errors"
	"net/http"
	"slices"

	"github.com/weft-project/weft/id"
)

// aggregateScopes answers with metrics aggregated over scopes. A scope that has gone since it was listed is left out.
func (s *Server) aggregateScopes(w http.ResponseWriter, r *http.Request, scopes []MetricScope) error {
	names, err := queryList(r.URL.Query(), "get")
	if err != nil {
		return err
	}
	figures, err := queryList(r.URL.Query(), "agg")
	if err != nil {
		return err
	}
	var owners [][]Metric
	for _, scope := range scopes {
		metrics, err := s.backend.Metrics(r.Context(), scope)
		var known *Error
		if errors.As(err, &known) && known.Status == http.StatusNotFound {
			continue
		}
		if err != nil {
			return err
		}
		owners = append(owners, metrics)
	}
	doc, err := aggregateMetrics(owners, names, figures)
	if err != nil {
		return err
	}
	return writeJSON(w, &doc)
}

func handleJobsMetrics(s *Server, w http.ResponseWriter, r *http.Request) error {
	wanted, err := queryList(r.URL.Query(), "jobs")
	if err != nil {
		return err
	}
	for _, text := range wanted {
		if _, err := id.ParseJob(text); err != nil {
			return Invalid("parameter jobs: job id %.80q: expected 32 hexadecimal digits", text)
		}
	}
	jobs, err := s.backend.Jobs(r.Context())
	if err != nil {
		return err
	}
	var scopes []MetricScope
	for _, j := range jobs {
		job, err := id.ParseJob(j.ID)
		if err != nil {
			return err
		}
		if wanted == nil || slices.Contains(wanted, j.ID) {
			scopes = append(scopes, MetricScope{Kind: ScopeJob, Job: job})
		}
	}
	return s.aggregateScopes(w, r, scopes)
}

func handleTaskManagersMetrics(s *Server, w http.ResponseWriter, r *http.Request) error {
	wanted, err := queryList(r.URL.Query(), "taskmanagers")
	if err != nil {
		return err
	}
	list, err := s.backend.TaskManagers(r.Context())
	if err != nil {
		return err
	}
	var scopes []MetricScope
	for _, t := range list {
		if wanted == nil || slices.Contains(wanted, t.ID) {
			scopes = append(scopes, MetricScope{Kind: ScopeTaskManager, TaskManager: t.ID})
		}
	}
	return s.aggregateScopes(w, r, scopes)
}

func handleSubtasksMetrics(s *Server, w http.ResponseWriter, r *http.Request) error {
	job, vertex, err := pathVertex(r)
	if err != nil {
		return err
	}
	v, err := s.backend.Vertex(r.Context(), job, vertex)
	if err != nil {
		return err
	}
	list, err := queryList(r.URL.Query(), "subtasks")
	if err != nil {
		return err
	}
	subtasks, err := subtaskRanges(list, v.Parallelism)
	if err != nil {
		return err
	}
	var scopes []MetricScope
	for _, n := range subtasks {
		scopes = append(scopes, MetricScope{Kind: ScopeSubtask, Job: job, Vertex: vertex, Subtask: n})
	}
	return s.aggregateScopes(w, r, scopes)
}
