package rest

import (
	"net/http"
	"strings"
)

// vertex reads the vertex a request names and fills what the Backend leaves out.
func (s *Server) vertex(r *http.Request) (VertexDetails, error) {
	job, vertex, err := pathVertex(r)
	if err != nil {
		return VertexDetails{}, err
	}
	v, err := s.backend.Vertex(r.Context(), job, vertex)
	if err != nil {
		return VertexDetails{}, err
	}
	completeVertex(&v)
	return v, nil
}

func handleVertex(s *Server, w http.ResponseWriter, r *http.Request) error {
	v, err := s.vertex(r)
	if err != nil {
		return err
	}
	return writeJSON(w, &v)
}

func handleSubtaskTimes(s *Server, w http.ResponseWriter, r *http.Request) error {
	v, err := s.vertex(r)
	if err != nil {
		return err
	}
	doc := VertexSubtaskTimes{ID: v.ID, Name: v.Name, Now: v.Now}
	for _, t := range v.Subtasks {
		doc.Subtasks = append(doc.Subtasks, SubtaskTimes{
			Subtask: t.Subtask, Host: t.Host, Endpoint: t.Endpoint, Duration: t.Duration, Timestamps: t.Timestamps,
		})
	}
	return writeJSON(w, &doc)
}

func handleVertexTaskManagers(s *Server, w http.ResponseWriter, r *http.Request) error {
	v, err := s.vertex(r)
	if err != nil {
		return err
	}
	doc := byTaskManager(&v)
	return writeJSON(w, &doc)
}

func handleVertexAccumulators(s *Server, w http.ResponseWriter, r *http.Request) error {
	v, err := s.vertex(r)
	if err != nil {
		return err
	}
	return writeJSON(w, &VertexAccumulators{ID: v.ID, Accumulators: v.Accumulators})
}

func handleSubtaskAccumulators(s *Server, w http.ResponseWriter, r *http.Request) error {
	v, err := s.vertex(r)
	if err != nil {
		return err
	}
	doc := VertexSubtaskAccumulators{ID: v.ID, Parallelism: v.Parallelism}
	for _, t := range v.Subtasks {
		doc.Subtasks = append(doc.Subtasks, SubtaskAccumulators{
			Subtask: t.Subtask, Attempt: t.Attempt, Host: t.Host, Endpoint: t.Endpoint, Accumulators: t.Accumulators,
		})
	}
	return writeJSON(w, &doc)
}

// subtask reads the current attempt of the subtask a request names.
func (s *Server) subtask(r *http.Request) (VertexDetails, Subtask, error) {
	n, err := pathNumber(r, "subtaskindex")
	if err != nil {
		return VertexDetails{}, Subtask{}, err
	}
	v, err := s.vertex(r)
	if err != nil {
		return v, Subtask{}, err
	}
	for _, t := range v.Subtasks {
		if t.Subtask == n {
			return v, t, nil
		}
	}
	return v, Subtask{}, NotFound("vertex %s has no subtask %d, its parallelism is %d", v.ID, n, v.Parallelism)
}

func handleSubtask(s *Server, w http.ResponseWriter, r *http.Request) error {
	_, t, err := s.subtask(r)
	if err != nil {
		return err
	}
	return writeJSON(w, &t)
}

// attempt reads the attempt a request names, current or kept.
func (s *Server) attempt(r *http.Request) (VertexDetails, Subtask, error) {
	v, t, err := s.subtask(r)
	if err != nil {
		return v, t, err
	}
	n, err := pathNumber(r, "attempt")
	if err != nil {
		return v, t, err
	}
	if t.Attempt == n {
		return v, t, nil
	}
	for _, e := range v.Earlier {
		if e.Subtask == t.Subtask && e.Attempt == n {
			return v, e, nil
		}
	}
	return v, t, NotFound("subtask %d of vertex %s has no attempt %d (or it is no longer kept), the current one is %d", t.Subtask, v.ID, n, t.Attempt)
}

func handleAttempt(s *Server, w http.ResponseWriter, r *http.Request) error {
	_, t, err := s.attempt(r)
	if err != nil {
		return err
	}
	return writeJSON(w, &t)
}

func handleAttemptAccumulators(s *Server, w http.ResponseWriter, r *http.Request) error {
	v, t, err := s.attempt(r)
	if err != nil {
		return err
	}
	return writeJSON(w, &AttemptAccumulators{Subtask: t.Subtask, Attempt: t.Attempt, ID: v.ID, Accumulators: t.Accumulators})
}

// metrics answers with the metrics of a scope.
func (s *Server) metrics(w http.ResponseWriter, r *http.Request, scope MetricScope) error {
	names, err := queryList(r.URL.Query(), "get")
	if err != nil {
		return err
	}
	all, err := s.backend.Metrics(r.Context(), scope)
	if err != nil {
		return err
	}
	doc := chooseMetrics(all, names)
	return writeJSON(w, &doc)
}

func handleJobManagerMetrics(s *Server, w http.ResponseWriter, r *http.Request) error {
	return s.metrics(w, r, MetricScope{Kind: ScopeJobManager})
}

func handleTaskManagerMetrics(s *Server, w http.ResponseWriter, r *http.Request) error {
	return s.metrics(w, r, MetricScope{Kind: ScopeTaskManager, TaskManager: r.PathValue("taskmanagerid")})
}

func handleJobMetrics(s *Server, w http.ResponseWriter, r *http.Request) error {
	job, err := pathJob(r)
	if err != nil {
		return err
	}
	return s.metrics(w, r, MetricScope{Kind: ScopeJob, Job: job})
}

func handleVertexMetrics(s *Server, w http.ResponseWriter, r *http.Request) error {
	job, vertex, err := pathVertex(r)
	if err != nil {
		return err
	}
	return s.metrics(w, r, MetricScope{Kind: ScopeVertex, Job: job, Vertex: vertex})
}

func handleSubtaskMetrics(s *Server, w http.ResponseWriter, r *http.Request) error {
	job, vertex, err := pathVertex(r)
	if err != nil {
		return err
	}
	n, err := pathNumber(r, "subtaskindex")
	if err != nil {
		return err
	}
	return s.metrics(w, r, MetricScope{Kind: ScopeSubtask, Job: job, Vertex: vertex, Subtask: n})
}

func handleWatermarks(s *Server, w http.ResponseWriter, r *http.Request) error {
	job, vertex, err := pathVertex(r)
	if err != nil {
		return err
	}
	all, err := s.backend.Metrics(r.Context(), MetricScope{Kind: ScopeVertex, Job: job, Vertex: vertex})
	if err != nil {
		return err
	}
	marks := []Metric{}
	for _, m := range all {
		if _, name, ok := strings.Cut(m.ID, "."); ok && name == "currentInputWatermark" {
			marks = append(marks, m)
		}
	}
	return writeJSON(w, &marks)
}
