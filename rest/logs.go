package rest

import (
	"errors"
	"io/fs"
	"net/http"
	"os"
	"sort"
	"strings"
	"time"
)

// LogDir is a directory of log files that may be shown: regular files directly in it, nothing above, below or behind a
// symbolic link that leads out of it.
type LogDir string

// maxLogFiles bounds a listing.
const maxLogFiles = 1000

// List gives the files by name.
func (d LogDir) List() ([]LogFile, error) {
	if d == "" {
		return nil, nil
	}
	entries, err := os.ReadDir(string(d))
	if err != nil {
		return nil, err
	}
	var files []LogFile
	for _, e := range entries {
		if !e.Type().IsRegular() || len(files) == maxLogFiles {
			continue
		}
		info, err := e.Info()
		if err != nil {
			// Rotated away since.
			continue
		}
		files = append(files, LogFile{Name: e.Name(), Size: info.Size(), ModTime: info.ModTime().UnixMilli()})
	}
	sort.Slice(files, func(i, j int) bool { return files[i].Name < files[j].Name })
	return files, nil
}

// Open opens a file that List may show. The error is a *Error.
func (d LogDir) Open(name string) (*os.File, time.Time, error) {
	if d == "" || name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\\\x00") {
		return nil, time.Time{}, NotFound("no log file %q", name)
	}
	root, err := os.OpenRoot(string(d))
	if err != nil {
		return nil, time.Time{}, NotFound("the log directory cannot be read: %v", errors.Unwrap(err))
	}
	defer root.Close()
	// Looked at before it is opened: opening a named pipe would wait for its other end.
	info, err := root.Lstat(name)
	if err != nil || !info.Mode().IsRegular() {
		return nil, time.Time{}, NotFound("no log file %q", name)
	}
	f, err := root.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, time.Time{}, NotFound("no log file %q", name)
	}
	if err != nil {
		return nil, time.Time{}, &Error{Status: http.StatusForbidden, Message: "log file " + name + " cannot be read: " + err.Error()}
	}
	return f, info.ModTime(), nil
}

func (s *Server) sendLog(w http.ResponseWriter, r *http.Request, name string) error {
	f, modified, err := s.logs.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	// Log files may be large and the line slow; this answer gets more time than others.
	if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(logTimeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	http.ServeContent(w, r, "", modified, f)
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
