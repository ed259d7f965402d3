package rest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"
)

// TaskManagerFiles is what a Backend may be besides: it shows the log directories of TaskManagers. Pieces are bounded by it.
type TaskManagerFiles interface {
	TaskManagerLogs(ctx context.Context, taskManager string) ([]LogFile, error)
	TaskManagerLog(ctx context.Context, request LogRequest) (LogPiece, error)
	// Goroutines gives the stacks of the TaskManager's process, as runtime.Stack writes them.
	Goroutines(ctx context.Context, taskManager string) (string, error)
}

// LogKind says which file a LogRequest is for.
type LogKind int

const (
	// NamedLog is the file that the request names.
	NamedLog LogKind = iota
	// OwnLog is the log of the TaskManager's own process.
	OwnLog
	// OwnOutput is its standard output.
	OwnOutput
)

// LogRequest asks for a piece of a log file of a TaskManager.
type LogRequest struct {
	TaskManager string
	Kind        LogKind
	// Name of a NamedLog.
	Name   string
	Offset int64
}

// LogPiece is a piece of a log file, from the offset asked for; it is empty only at the file's end.
type LogPiece struct {
	File LogFile
	Data []byte
}

// taskManagerFiles is where files of TaskManagers come from.
func (s *Server) taskManagerFiles() (TaskManagerFiles, error) {
	files, ok := s.backend.(TaskManagerFiles)
	if !ok {
		return nil, NotFound("this server does not fetch files of TaskManagers")
	}
	return files, nil
}

// remoteLog reads a log file of a TaskManager piece by piece. It ends where the file ended when the first piece was read.
type remoteLog struct {
	ctx     context.Context
	files   TaskManagerFiles
	request LogRequest
	size    int64
	at      int64
	// piece is the last one read, from pieceAt.
	piece   []byte
	pieceAt int64
}

// Read is io.Reader's.
func (l *remoteLog) Read(p []byte) (int, error) {
	if l.at >= l.size {
		return 0, io.EOF
	}
	if l.at < l.pieceAt || l.at >= l.pieceAt+int64(len(l.piece)) {
		l.request.Offset = l.at
		piece, err := l.files.TaskManagerLog(l.ctx, l.request)
		if err == nil && len(piece.Data) == 0 {
			err = io.ErrUnexpectedEOF // it was cut off or rotated meanwhile
		}
		if err != nil {
			return 0, err
		}
		l.piece, l.pieceAt = piece.Data, l.at
	}
	have := l.piece[l.at-l.pieceAt:]
	n := copy(p, have[:min(int64(len(have)), l.size-l.at)])
	l.at += int64(n)
	return n, nil
}

// Seek is io.Seeker's.
func (l *remoteLog) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += l.at
	case io.SeekEnd:
		offset += l.size
	}
	if offset < 0 {
		return 0, errors.New("seek before the beginning of a log file")
	}
	l.at = offset
	return offset, nil
}

// sendRemoteLog answers with a file of a TaskManager.
func (s *Server) sendRemoteLog(w http.ResponseWriter, r *http.Request, kind LogKind) error {
	files, err := s.taskManagerFiles()
	if err != nil {
		return err
	}
	request := LogRequest{TaskManager: r.PathValue("taskmanagerid"), Kind: kind, Name: r.PathValue("filename")}
	piece, err := files.TaskManagerLog(r.Context(), request)
	if err != nil {
		return err
	}
	// The answer's time is the whole request's: a TaskManager that does not answer any more must not hold it for ever.
	ctx, cancel := context.WithTimeout(r.Context(), logTimeout)
	defer cancel()
	return serveLog(w, r, time.UnixMilli(piece.File.ModTime), &remoteLog{ctx: ctx, files: files, request: request, size: piece.File.Size, piece: piece.Data})
}

func handleTaskManagerLog(s *Server, w http.ResponseWriter, r *http.Request) error {
	return s.sendRemoteLog(w, r, OwnLog)
}

func handleTaskManagerStdout(s *Server, w http.ResponseWriter, r *http.Request) error {
	return s.sendRemoteLog(w, r, OwnOutput)
}

func handleTaskManagerLogFile(s *Server, w http.ResponseWriter, r *http.Request) error {
	return s.sendRemoteLog(w, r, NamedLog)
}

func handleTaskManagerLogs(s *Server, w http.ResponseWriter, r *http.Request) error {
	files, err := s.taskManagerFiles()
	if err != nil {
		return err
	}
	list, err := files.TaskManagerLogs(r.Context(), r.PathValue("taskmanagerid"))
	if err != nil {
		return err
	}
	return writeJSON(w, &LogList{Logs: list})
}

func handleTaskManagerDump(s *Server, w http.ResponseWriter, r *http.Request) error {
	files, err := s.taskManagerFiles()
	if err != nil {
		return err
	}
	text, err := files.Goroutines(r.Context(), r.PathValue("taskmanagerid"))
	if err != nil {
		return err
	}
	doc := threadDump(text)
	return writeJSON(w, &doc)
}
