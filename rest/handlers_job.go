package rest

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// maxExceptions is how many failures are listed unless the query asks otherwise, as in Flink.
const maxExceptions = 20

func handleJobIDs(s *Server, w http.ResponseWriter, r *http.Request) error {
	jobs, err := s.backend.Jobs(r.Context())
	if err != nil {
		return err
	}
	doc := JobIDs{}
	for _, j := range jobs {
		doc.Jobs = append(doc.Jobs, JobIDStatus{ID: j.ID, Status: j.State})
	}
	return writeJSON(w, &doc)
}

func handleJobsOverview(s *Server, w http.ResponseWriter, r *http.Request) error {
	jobs, err := s.backend.Jobs(r.Context())
	if err != nil {
		return err
	}
	return writeJSON(w, &JobsOverview{Jobs: jobs})
}

// job reads the job a request names.
func (s *Server) job(r *http.Request) (JobDetails, error) {
	job, err := pathJob(r)
	if err != nil {
		return JobDetails{}, err
	}
	d, err := s.backend.Job(r.Context(), job)
	if err != nil {
		return JobDetails{}, err
	}
	completeJob(&d)
	return d, nil
}

func handleJob(s *Server, w http.ResponseWriter, r *http.Request) error {
	d, err := s.job(r)
	if err != nil {
		return err
	}
	return writeJSON(w, &d)
}

func handleJobStatus(s *Server, w http.ResponseWriter, r *http.Request) error {
	d, err := s.job(r)
	if err != nil {
		return err
	}
	return writeJSON(w, &JobStatus{Status: d.State})
}

func handlePlan(s *Server, w http.ResponseWriter, r *http.Request) error {
	d, err := s.job(r)
	if err != nil {
		return err
	}
	return writeJSON(w, &JobPlan{Plan: d.Plan})
}

func handleJobConfig(s *Server, w http.ResponseWriter, r *http.Request) error {
	job, err := pathJob(r)
	if err != nil {
		return err
	}
	c, err := s.backend.JobConfig(r.Context(), job)
	if err != nil {
		return err
	}
	masked := make(map[string]string, len(c.Execution.UserConfig))
	for k, v := range c.Execution.UserConfig {
		masked[k] = MaskValue(k, v)
	}
	c.Execution.UserConfig = masked
	return writeJSON(w, &c)
}

func handleExceptions(s *Server, w http.ResponseWriter, r *http.Request) error {
	job, err := pathJob(r)
	if err != nil {
		return err
	}
	limit := maxExceptions
	if text := r.URL.Query().Get("maxExceptions"); text != "" {
		n, err := strconv.ParseUint(text, 10, 31)
		if err != nil {
			return Invalid("parameter maxExceptions: %.40q is not a number", text)
		}
		limit = int(n)
	}
	filter, err := labelFilter(r)
	if err != nil {
		return err
	}
	e, err := s.backend.Exceptions(r.Context(), job)
	if err != nil {
		return err
	}
	e.History.Entries = slices.DeleteFunc(e.History.Entries, func(x ExceptionEntry) bool {
		for k, v := range filter {
			if x.Labels[k] != v {
				return true
			}
		}
		return false
	})
	cutExceptions(&e, limit)
	return writeJSON(w, &e)
}

// cutExceptions leaves the newest.
func cutExceptions(e *JobExceptions, limit int) {
	if len(e.All) > limit {
		e.All, e.Truncated = e.All[:limit], true
	}
	if len(e.History.Entries) > limit {
		e.History.Entries, e.History.Truncated = e.History.Entries[:limit], true
	}
}

// labelFilter reads failureLabelFilter=KEY:VALUE,….
func labelFilter(r *http.Request) (map[string]string, error) {
	list, err := queryList(r.URL.Query(), "failureLabelFilter")
	if err != nil {
		return nil, err
	}
	filter := map[string]string{}
	for _, pair := range list {
		k, v, ok := strings.Cut(pair, ":")
		if !ok {
			return nil, Invalid("parameter failureLabelFilter: %.40q is not KEY:VALUE", pair)
		}
		filter[k] = v
	}
	return filter, nil
}

func handleAccumulators(s *Server, w http.ResponseWriter, r *http.Request) error {
	d, err := s.job(r)
	if err != nil {
		return err
	}
	return writeJSON(w, &JobAccumulators{UserTask: d.Accumulators})
}

func handleExecutionResult(s *Server, w http.ResponseWriter, r *http.Request) error {
	job, err := pathJob(r)
	if err != nil {
		return err
	}
	d, err := s.backend.Job(r.Context(), job)
	if err != nil {
		return err
	}
	var exceptions JobExceptions
	if d.State == "FAILED" {
		if exceptions, err = s.backend.Exceptions(r.Context(), job); err != nil {
			return err
		}
	}
	doc := executionResult(&d, &exceptions)
	return writeJSON(w, &doc)
}

func handleCancel(s *Server, w http.ResponseWriter, r *http.Request) error {
	switch mode := r.URL.Query().Get("mode"); mode {
	case "", "cancel":
	case "stop":
		return Invalid("mode stop was removed long ago; mode cancel ends a job at once, POST /jobs/:jobid/stop with a savepoint")
	default:
		return Invalid("parameter mode: %.40q is not cancel", mode)
	}
	return s.cancel(w, r)
}

func handleYarnCancel(s *Server, w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet {
		// HEAD reaches GET's handler, but must not change anything.
		return &Error{Status: http.StatusMethodNotAllowed, Message: r.Method + " does not cancel a job, GET does"}
	}
	if err := refuseTicket(r, "PATCH /jobs/"+r.PathValue("jobid")); err != nil {
		return err
	}
	return s.cancel(w, r)
}

func (s *Server) cancel(w http.ResponseWriter, r *http.Request) error {
	job, err := pathJob(r)
	if err != nil {
		return err
	}
	if err := s.backend.Cancel(r.Context(), job); err != nil {
		return err
	}
	s.log.Info("cancelling of a job was asked for", "job", job, "peer", r.RemoteAddr)
	return writeJSONStatus(w, http.StatusAccepted, &struct{}{})
}
