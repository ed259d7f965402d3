package rest

import (
	"fmt"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/weft-project/weft/id"
)

// refreshInterval is what /config recommends to a web UI, as Flink does.
const refreshInterval = 3 * time.Second

func pathJob(r *http.Request) (id.Job, error) {
	job, err := id.ParseJob(r.PathValue("jobid"))
	if err != nil {
		return job, Invalid("job id %.80q: expected 32 hexadecimal digits", r.PathValue("jobid"))
	}
	return job, nil
}

func pathVertex(r *http.Request) (id.Job, id.Vertex, error) {
	job, err := pathJob(r)
	if err != nil {
		return job, id.Vertex{}, err
	}
	vertex, err := id.ParseVertex(r.PathValue("vertexid"))
	if err != nil {
		return job, vertex, Invalid("vertex id %.80q: expected 32 hexadecimal digits", r.PathValue("vertexid"))
	}
	return job, vertex, nil
}

func pathNumber(r *http.Request, name string) (int, error) {
	n, err := strconv.ParseUint(r.PathValue(name), 10, 31)
	if err != nil {
		return 0, Invalid("%s %.80q: expected a number, counted from 0", name, r.PathValue(name))
	}
	return int(n), nil
}

func handleCluster(s *Server, w http.ResponseWriter, r *http.Request) error {
	c, err := s.backend.Cluster(r.Context())
	if err != nil {
		return err
	}
	return writeJSON(w, &c)
}

func handleOverview(s *Server, w http.ResponseWriter, r *http.Request) error {
	o, err := s.backend.Overview(r.Context())
	if err != nil {
		return err
	}
	if o.Version == "" {
		c, err := s.backend.Cluster(r.Context())
		if err != nil {
			return err
		}
		o.Version, o.Revision = c.Version, c.Revision
	}
	return writeJSON(w, &o)
}

func handleDashboard(s *Server, w http.ResponseWriter, r *http.Request) error {
	c, err := s.backend.Cluster(r.Context())
	if err != nil {
		return err
	}
	zone, offset := time.Now().Zone()
	return writeJSON(w, &Dashboard{
		RefreshInterval: refreshInterval.Milliseconds(),
		TimezoneName:    zone,
		TimezoneOffset:  int64(offset) * 1000,
		Version:         c.Version,
		Revision:        c.Revision,
	})
}

func handleShutdown(s *Server, w http.ResponseWriter, r *http.Request) error {
	s.log.Info("shutdown of the cluster was asked for", "peer", r.RemoteAddr)
	if err := s.backend.Shutdown(r.Context()); err != nil {
		return err
	}
	return writeJSON(w, &struct{}{})
}

func handleConfig(s *Server, w http.ResponseWriter, r *http.Request) error {
	if r.PathValue("jobid") != "" {
		job, err := pathJob(r)
		if err != nil {
			return err
		}
		if _, err := s.backend.Job(r.Context(), job); err != nil {
			return err
		}
	}
	entries, err := s.backend.Config(r.Context())
	if err != nil {
		return err
	}
	entries = MaskConfig(entries)
	return writeJSON(w, &entries)
}

func handleEnvironment(_ *Server, w http.ResponseWriter, _ *http.Request) error {
	program, err := os.Executable()
	if err != nil {
		program = os.Args[0]
	}
	return writeJSON(w, &Environment{Classpath: []string{program}, JVM: RuntimeInfo{
		Version: runtime.Version(),
		Arch:    runtime.GOARCH,
		Options: []string{
			fmt.Sprintf("GOMAXPROCS=%d", runtime.GOMAXPROCS(0)),
			fmt.Sprintf("GOMEMLIMIT=%d", debug.SetMemoryLimit(-1)),
			fmt.Sprintf("GOOS=%s", runtime.GOOS),
			fmt.Sprintf("pid=%d", os.Getpid()),
		},
	}})
}

func handleTaskManagers(s *Server, w http.ResponseWriter, r *http.Request) error {
	list, err := s.backend.TaskManagers(r.Context())
	if err != nil {
		return err
	}
	return writeJSON(w, &TaskManagers{TaskManagers: list})
}

func handleTaskManager(s *Server, w http.ResponseWriter, r *http.Request) error {
	t, err := s.backend.TaskManager(r.Context(), r.PathValue("taskmanagerid"))
	if err != nil {
		return err
	}
	return writeJSON(w, &t)
}

func handleJobManagerLogURL(s *Server, w http.ResponseWriter, r *http.Request) error {
	job, err := pathJob(r)
	if err != nil {
		return err
	}
	if _, err := s.backend.Job(r.Context(), job); err != nil {
		return err
	}
	c, err := s.backend.Cluster(r.Context())
	if err != nil {
		return err
	}
	if c.LogURL == "" {
		return NotFound("nobody else shows the JobManager's logs; see /jobmanager/logs")
	}
	return writeJSON(w, &LogURL{URL: c.LogURL})
}

func handleTaskManagerLogURL(s *Server, w http.ResponseWriter, r *http.Request) error {
	if _, err := pathJob(r); err != nil {
		return err
	}
	t, err := s.backend.TaskManager(r.Context(), r.PathValue("taskmanagerid"))
	if err != nil {
		return err
	}
	if t.LogURL == "" {
		return NotFound("nobody shows the logs of TaskManager %s", t.ID)
	}
	return writeJSON(w, &LogURL{URL: t.LogURL})
}
