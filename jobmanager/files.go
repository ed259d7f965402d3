package jobmanager

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/weft-project/weft/rest"
	"github.com/weft-project/weft/rpc/controlpb"
)

const (
	// filePiece is how much of a log file travels in one message, in bytes: heartbeats share the connection.
	filePiece = 256 << 10
	// maxFileRequests bounds how many are with one TaskManager.
	maxFileRequests = 16
	// fileLimit bounds the wait for one message.
	fileLimit = 30 * time.Second
)

var _ rest.TaskManagerFiles = (*backend)(nil)

// fileRequest is a question about a TaskManager's files.
type fileRequest struct {
	tm *taskManager
	// answer gets one value.
	answer chan fileAnswer
}

type fileAnswer struct {
	reply *controlpb.FileReply
	err   error
}

// askFile sends a question to a TaskManager and waits for the answer.
func (m *JobManager) askFile(ctx context.Context, taskManagerID string, r *controlpb.FileRequest) (*controlpb.FileReply, error) {
	asked, err := query(ctx, m, func() (*fileRequest, error) {
		tm := m.tms[taskManagerID]
		if tm == nil {
			return nil, rest.TaskManagerNotFound(taskManagerID)
		}
		under := 0
		for _, other := range m.fileRequests {
			if other.tm == tm {
				under++
			}
		}
		if under >= maxFileRequests {
			return nil, rest.Unavailable("%d requests for files of TaskManager %s are under way already: try again later", under, taskManagerID)
		}
		m.fileRequest++
		r.Id = m.fileRequest
		q := &fileRequest{tm: tm, answer: make(chan fileAnswer, 1)}
		m.fileRequests[r.Id] = q
		tm.send(&controlpb.ToTaskManager{Kind: &controlpb.ToTaskManager_File{File: r}})
		return q, nil
	})
	if err != nil {
		return nil, err
	}
	late := rest.Unavailable("TaskManager %s has not answered within %s", taskManagerID, fileLimit)
	ctx, cancel := context.WithTimeoutCause(ctx, fileLimit, late)
	defer cancel()
	select {
	case a := <-asked.answer:
		return checkedReply(a)
	case <-ctx.Done():
		m.l.post(func() { delete(m.fileRequests, r.GetId()) })
		return nil, context.Cause(ctx)
	case <-m.l.done:
		return nil, errStopped
	}
}

// checkedReply turns what a TaskManager says into an answer for REST.
func checkedReply(a fileAnswer) (*controlpb.FileReply, error) {
	switch {
	case a.err != nil:
		return nil, a.err
	case a.reply.GetMissing():
		return nil, rest.NotFound("%s", a.reply.GetError())
	case a.reply.GetError() != "":
		return nil, &rest.Error{Status: http.StatusInternalServerError, Message: a.reply.GetError()}
	}
	return a.reply, nil
}

// fileReplied hands an answer to who waits for it. It is called in the loop.
func (m *JobManager) fileReplied(tm *taskManager, reply *controlpb.FileReply) {
	if q := m.fileRequests[reply.GetId()]; q != nil && q.tm == tm {
		delete(m.fileRequests, reply.GetId())
		q.answer <- fileAnswer{reply: reply}
	}
}

// dropFileRequests ends the wait for answers of a TaskManager that is gone. It is called in the loop.
func (m *JobManager) dropFileRequests(tm *taskManager, reason string) {
	for n, q := range m.fileRequests {
		if q.tm == tm {
			delete(m.fileRequests, n)
			q.answer <- fileAnswer{err: rest.Unavailable("%s", lostText(tm.id, reason))}
		}
	}
}

// logFile is the document of a file.
func logFile(f *controlpb.LoggedFile) rest.LogFile {
	return rest.LogFile{Name: f.GetName(), Size: f.GetSize(), ModTime: f.GetModifiedMs()}
}

// TaskManagerLogs is rest.TaskManagerFiles'.
func (b *backend) TaskManagerLogs(ctx context.Context, taskManager string) ([]rest.LogFile, error) {
	reply, err := b.m.askFile(ctx, taskManager, &controlpb.FileRequest{Kind: controlpb.FileKind_FILES})
	if err != nil {
		return nil, err
	}
	out := make([]rest.LogFile, 0, len(reply.GetFiles()))
	for _, f := range reply.GetFiles() {
		out = append(out, logFile(f))
	}
	return out, nil
}

// fileKinds are the kinds of log files as the control protocol names them.
var fileKinds = map[rest.LogKind]controlpb.FileKind{rest.NamedLog: controlpb.FileKind_NAMED_FILE, rest.OwnLog: controlpb.FileKind_OWN_LOG, rest.OwnOutput: controlpb.FileKind_OWN_OUTPUT}

// TaskManagerLog is rest.TaskManagerFiles'.
func (b *backend) TaskManagerLog(ctx context.Context, r rest.LogRequest) (rest.LogPiece, error) {
	reply, err := b.m.askFile(ctx, r.TaskManager, &controlpb.FileRequest{Kind: fileKinds[r.Kind], Name: r.Name, Offset: r.Offset, Limit: filePiece})
	if err != nil {
		return rest.LogPiece{}, err
	}
	if len(reply.GetFiles()) != 1 {
		return rest.LogPiece{}, fmt.Errorf("TaskManager %s answers with %d files: expected one", r.TaskManager, len(reply.GetFiles()))
	}
	return rest.LogPiece{File: logFile(reply.GetFiles()[0]), Data: reply.GetData()}, nil
}

// Goroutines is rest.TaskManagerFiles'.
func (b *backend) Goroutines(ctx context.Context, taskManager string) (string, error) {
	reply, err := b.m.askFile(ctx, taskManager, &controlpb.FileRequest{Kind: controlpb.FileKind_GOROUTINES})
	return string(reply.GetData()), err
}
