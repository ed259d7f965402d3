package rest

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/weft-project/weft/id"
)

// Error is an answer other than success. A Backend returns one to choose the HTTP status; any other error of a Backend is
// answered with 500. Client returns one for each answer that is not a success, so that callers can look at Status.
type Error struct {
	// Status is an HTTP status, 400 or higher.
	Status int
	// Message is one sentence for people, in the first place of the "errors" list.
	Message string
}

// Error gives the sentence.
func (e *Error) Error() string { return e.Message }

// Invalid is a 400: the request names something that cannot be; the message names the value and what was expected.
func Invalid(format string, args ...any) *Error { return errorf(http.StatusBadRequest, format, args) }

// NotFound is a 404.
func NotFound(format string, args ...any) *Error { return errorf(http.StatusNotFound, format, args) }

// JobNotFound is the 404 for a job that the cluster does not know, in Flink's words.
func JobNotFound(job id.Job) *Error { return NotFound("Job %s not found", job) }

// VertexNotFound is the 404 for a vertex that the job does not have.
func VertexNotFound(job id.Job, vertex id.Vertex) *Error {
	return NotFound("job %s has no vertex %s", job, vertex)
}

// TaskManagerNotFound is the 404 for a TaskManager that is not registered.
func TaskManagerNotFound(taskManager string) *Error {
	return NotFound("no TaskManager registered under %s", taskManager)
}

// Conflict is a 409: the request cannot be done in the state things are in, such as cancelling a job that has ended.
func Conflict(format string, args ...any) *Error { return errorf(http.StatusConflict, format, args) }

// Unavailable is a 503: not now, a later try may succeed.
func Unavailable(format string, args ...any) *Error {
	return errorf(http.StatusServiceUnavailable, format, args)
}

func errorf(status int, format string, args []any) *Error {
	return &Error{Status: status, Message: fmt.Sprintf(format, args...)}
}

// IsNotFound tells an answer 404.
func IsNotFound(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Status == http.StatusNotFound
}

// ErrorBody is the body of every answer that is not a success, Flink's ErrorResponseBody.
type ErrorBody struct {
	Errors []string `json:"errors"`
}
