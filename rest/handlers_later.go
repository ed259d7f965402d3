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

const lacksRescaling = "a running job cannot be rescaled; end it with PATCH /jobs/%s and run it again with another parallelism"

// laterRoutes are paths of Flink's that say what they lack.
var laterRoutes = []Route{
	{Method: "PUT", Path: "/jobs/:jobid/resource-requirements", Access: AccessOwner, Doc: "not possible: 501, a running job keeps its parallelism", handle: lacking(lacksRescaling)},
}
