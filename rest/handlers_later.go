package rest

import (
	"fmt"
	"net/http"
)

// lacking makes a handler for what this release can not do to a job; the sentence's %s is the job. Such a job goes on as it was.
func lacking(sentence string) handler {
	return func(s *Server, _ http.ResponseWriter, r *http.Request) error {
		d, err := s.job(r)
		if err != nil {
			return err
		}
		return &Error{Status: http.StatusNotImplemented, Message: fmt.Sprintf(sentence, d.ID)}
	}
}

func handleSavepointDisposal(_ *Server, _ http.ResponseWriter, _ *http.Request) error {
	return &Error{Status: http.StatusNotImplemented, Message: "this release of Weft has no savepoints yet; there is nothing to dispose of"}
}

const (
	lacksStop = "stop ends a job with a savepoint, and this release of Weft has no savepoints yet; the job was not touched. " +
		"PATCH /jobs/%s ends it without one"
	lacksSavepoint  = "this release of Weft has no savepoints yet; the job %s goes on as it was, and starts from its beginning when it is run again"
	lacksCheckpoint = "this release of Weft has no checkpoints yet; the job %s goes on as it was, and starts from its beginning when it fails"
	lacksRescaling  = "a running job cannot be rescaled; end it with PATCH /jobs/%s and run it again with another parallelism"
)

// laterRoutes are paths of Flink's that say what they lack.
var laterRoutes = []Route{
	{Method: "POST", Path: "/jobs/:jobid/stop", Access: AccessOwner, Doc: "not yet: 501, as there are no savepoints", handle: lacking(lacksStop)},
	{Method: "POST", Path: "/jobs/:jobid/savepoints", Access: AccessOwner, Doc: "not yet: 501", handle: lacking(lacksSavepoint)},
	{Method: "POST", Path: "/jobs/:jobid/checkpoints", Access: AccessOwner, Doc: "not yet: 501", handle: lacking(lacksCheckpoint)},
	{Method: "POST", Path: "/savepoint-disposal", Access: AccessOwner, Doc: "not yet: 501", handle: handleSavepointDisposal},
	{Method: "PUT", Path: "/jobs/:jobid/resource-requirements", Access: AccessOwner, Doc: "not possible: 501, a running job keeps its parallelism", handle: lacking(lacksRescaling)},
}
