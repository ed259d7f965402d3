package rest

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/rest/restpb"
)

func handleSubmit(s *Server, w http.ResponseWriter, r *http.Request) error {
	select {
	case s.submits <- struct{}{}:
		defer func() { <-s.submits }()
	case <-r.Context().Done():
		return r.Context().Err()
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return err
		}
		return Invalid("the body could not be read: %v", err)
	}
	request, err := decodeSubmit(r.Header.Get("Content-Type"), body)
	if err != nil {
		return err
	}
	reply, err := s.backend.Submit(r.Context(), request)
	if err != nil {
		return err
	}
	return writeMessage(w, r, http.StatusAccepted, reply)
}

// decodeSubmit reads the body of a submission and checks what every Backend needs.
func decodeSubmit(contentType string, body []byte) (*restpb.SubmitRequest, error) {
	request := &restpb.SubmitRequest{}
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil && contentType != "" {
		return nil, Invalid("content type %.80q cannot be read: %v", contentType, err)
	}
	switch media {
	case typeProtobuf:
		if err := proto.Unmarshal(body, request); err != nil {
			return nil, Invalid("the body is not a SubmitRequest: %v", err)
		}
	case "application/json":
		if err := protojson.Unmarshal(body, request); err != nil {
			return nil, Invalid("the body is not a SubmitRequest in JSON: %v", err)
		}
	default:
		return nil, &Error{Status: http.StatusUnsupportedMediaType, Message: "content type " + strconv.Quote(media) + " is neither " + typeProtobuf + " nor application/json"}
	}
	if request.JobId != "" {
		if _, err := id.ParseJob(request.JobId); err != nil {
			return nil, Invalid("job_id %.80q: expected 32 hexadecimal digits or nothing", request.JobId)
		}
	}
	if request.Graph == nil || len(request.Graph.Vertices) == 0 {
		return nil, Invalid("the submission has no job graph with vertices")
	}
	return request, nil
}

func handleWatch(s *Server, w http.ResponseWriter, r *http.Request) error {
	job, err := pathJob(r)
	if err != nil {
		return err
	}
	since, wait, err := watchQuery(r.URL.Query())
	if err != nil {
		return err
	}
	// The answer may start late; it has the usual time from then on.
	deadline := time.Now().Add(wait + writeTimeout)
	if err := http.NewResponseController(w).SetWriteDeadline(deadline); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	reply, err := s.backend.Watch(r.Context(), job, since, wait)
	if err != nil {
		return err
	}
	return writeMessage(w, r, http.StatusOK, reply)
}

// watchQuery reads ?since= and ?wait=; a longer wait is cut to maxWatch.
func watchQuery(q url.Values) (since uint64, wait time.Duration, err error) {
	if text := q.Get("since"); text != "" {
		if since, err = strconv.ParseUint(text, 10, 64); err != nil {
			return 0, 0, Invalid("parameter since: %.40q is not a sequence number", text)
		}
	}
	if text := q.Get("wait"); text != "" {
		ms, err := strconv.ParseUint(text, 10, 32)
		if err != nil {
			return 0, 0, Invalid("parameter wait: %.40q is not a number of milliseconds", text)
		}
		wait = min(time.Duration(ms)*time.Millisecond, maxWatch)
	}
	return since, wait, nil
}

// writeMessage answers with a message, as protobuf for who accepts it, else in JSON.
func writeMessage(w http.ResponseWriter, r *http.Request, status int, m proto.Message) error {
	var body []byte
	var err error
	kind := typeJSON
	if strings.Contains(r.Header.Get("Accept"), typeProtobuf) {
		kind = typeProtobuf
		body, err = proto.Marshal(m)
	} else {
		body, err = protojson.MarshalOptions{EmitUnpopulated: true}.Marshal(m)
	}
	if err != nil {
		return err
	}
	writeBody(w, status, kind, body)
	return nil
}
