package rest

import (
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/weft-project/weft/internal/logdir"
)

// LogDir is a directory of log files that may be shown: regular files directly in it, nothing above, below or behind a
// symbolic link.
type LogDir string

// List gives the files by name.
func (d LogDir) List() ([]LogFile, error) {
	list, err := logdir.Dir{Path: string(d)}.List()
	files := make([]LogFile, 0, len(list))
	for _, f := range list {
		files = append(files, LogFile{Name: f.Name, Size: f.Size, ModTime: f.Modified.UnixMilli()})
	}
	return files, err
}

// Open opens a file that List may show. The error is a *Error.
func (d LogDir) Open(name string) (*os.File, time.Time, error) {
	f, file, err := logdir.Dir{Path: string(d)}.Open(name)
	switch {
	case errors.Is(err, logdir.ErrMissing):
		return nil, time.Time{}, NotFound("%v", err)
	case err != nil:
		return nil, time.Time{}, &Error{Status: http.StatusForbidden, Message: err.Error()}
	}
	return f, file.Modified, nil
}

func (s *Server) sendLog(w http.ResponseWriter, r *http.Request, name string) error {
	f, modified, err := s.logs.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return serveLog(w, r, modified, f)
}

// serveLog sends a log file, or the part of it that the request asks for.
func serveLog(w http.ResponseWriter, r *http.Request, modified time.Time, content io.ReadSeeker) error {
	// Log files may be large and the line slow; this answer gets more time than others.
	if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(logTimeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	http.ServeContent(w, r, "", modified, content)
	return nil
}

func handleLogList(s *Server, w http.ResponseWriter, _ *http.Request) error {
	files, err := s.logs.List()
	if err != nil {
		return err
	}
	return writeJSON(w, &LogList{Logs: files})
}

func handleLogFile(s *Server, w http.ResponseWriter, r *http.Request) error {
	return s.sendLog(w, r, r.PathValue("filename"))
}

func handleJobManagerLog(s *Server, w http.ResponseWriter, r *http.Request) error {
	return s.sendLog(w, r, s.logName+".log")
}

func handleJobManagerStdout(s *Server, w http.ResponseWriter, r *http.Request) error {
	return s.sendLog(w, r, s.logName+".out")
}
