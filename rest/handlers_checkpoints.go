package rest

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// checkpoints gives the backend's side of checkpoints.
func (s *Server) checkpoints() (CheckpointBackend, error) {
	if b, ok := s.backend.(CheckpointBackend); ok {
		return b, nil
	}
	return nil, &Error{Status: http.StatusNotImplemented, Message: "a local run takes no checkpoints and no savepoints"}
}

func handleCheckpoints(s *Server, w http.ResponseWriter, r *http.Request) error {
	return withCheckpoints(s, r, func(doc *Checkpoints) error {
		for i := range doc.History {
			doc.History[i].Tasks = map[string]TaskCheckpointStatistics{}
		}
		doc.Summarize()
		return writeJSON(w, doc)
	})
}

// withCheckpoints gives f the document of a job; that of one that can take none is empty.
func withCheckpoints(s *Server, r *http.Request, f func(doc *Checkpoints) error) error {
	if _, err := s.job(r); err != nil {
		return err
	}
	var doc Checkpoints
	if b, ok := s.backend.(CheckpointBackend); ok {
		job, err := pathJob(r)
		if err != nil {
			return err
		}
		if doc, err = b.Checkpoints(r.Context(), job); err != nil {
			return err
		}
	}
	return f(&doc)
}

func handleCheckpointDetails(s *Server, w http.ResponseWriter, r *http.Request) error {
	n, err := strconv.ParseInt(r.PathValue("checkpointid"), 10, 64)
	if err != nil {
		return Invalid("checkpoint %.40q: expected a number", r.PathValue("checkpointid"))
	}
	return withCheckpoints(s, r, func(doc *Checkpoints) error {
		for i := range doc.History {
			if doc.History[i].ID == n {
				return writeJSON(w, &doc.History[i])
			}
		}
		return NotFound("Could not find checkpointing statistics for checkpoint %d.", n)
	})
}

func handleCheckpointConfig(s *Server, w http.ResponseWriter, r *http.Request) error {
	d, err := s.job(r)
	if err != nil {
		return err
	}
	b, ok := s.backend.(CheckpointBackend)
	if !ok {
		return NotFound("Checkpointing is not enabled for this job (%s).", d.ID)
	}
	job, err := pathJob(r)
	if err != nil {
		return err
	}
	doc, err := b.CheckpointConfig(r.Context(), job)
	if err != nil {
		return err
	}
	return writeJSON(w, &doc)
}

// triggerBody is what Flink's clients send to begin a savepoint, a stop or a checkpoint.
type triggerBody struct {
	TargetDirectory  string `json:"target-directory"`
	TargetDirectory2 string `json:"targetDirectory"`
	CancelJob        bool   `json:"cancel-job"`
	Drain            bool   `json:"drain"`
	FormatType       string `json:"formatType"`
	CheckpointType   string `json:"checkpointType"`
	TriggerID        string `json:"triggerId"`
	SavepointPath    string `json:"savepoint-path"`
}

var triggerID = regexp.MustCompile(`^[0-9a-fA-F]{32}$`)

func readTrigger(r *http.Request) (b triggerBody, err error) {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return b, Invalid("the body could not be read: %v", err)
	}
	if len(strings.TrimSpace(string(text))) > 0 {
		if err := json.Unmarshal(text, &b); err != nil {
			return b, Invalid("the body is not the JSON of a trigger: %v", err)
		}
	}
	if b.TriggerID == "" {
		var random [16]byte
		if _, err := rand.Read(random[:]); err != nil {
			return b, err
		}
		b.TriggerID = hex.EncodeToString(random[:])
	}
	if !triggerID.MatchString(b.TriggerID) {
		return b, Invalid("triggerId %.80q: expected 32 hexadecimal digits", b.TriggerID)
	}
	b.TriggerID = strings.ToLower(b.TriggerID)
	if b.TargetDirectory == "" {
		b.TargetDirectory = b.TargetDirectory2
	}
	switch strings.ToUpper(b.FormatType) {
	case "", "CANONICAL":
	default:
		return b, Invalid("formatType %.40q: savepoints are CANONICAL", b.FormatType)
	}
	return b, nil
}

// trigger makes a handler that begins an operation.
func trigger(request func(b triggerBody) CheckpointRequest) handler {
	return func(s *Server, w http.ResponseWriter, r *http.Request) error {
		cb, err := s.checkpoints()
		if err != nil {
			return err
		}
		job, err := pathJob(r)
		if err != nil {
			return err
		}
		b, err := readTrigger(r)
		if err != nil {
			return err
		}
		c := request(b)
		c.ID = b.TriggerID
		if err := cb.TriggerCheckpoint(r.Context(), job, c); err != nil {
			return err
		}
		s.log.Info("a checkpoint or savepoint was asked for", "job", job, "savepoint", c.Savepoint, "stop", c.Stop, "peer", r.RemoteAddr)
		return writeJSONStatus(w, http.StatusAccepted, &Trigger{b.TriggerID})
	}
}

func handleOperation(s *Server, w http.ResponseWriter, r *http.Request) error {
	cb, err := s.checkpoints()
	if err != nil {
		return err
	}
	job, err := pathJob(r)
	if err != nil {
		return err
	}
	o, err := cb.CheckpointOperation(r.Context(), job, strings.ToLower(r.PathValue("triggerid")))
	if err != nil {
		return err
	}
	return writeJSON(w, operationStatus(o, strings.Contains(r.URL.Path, "/checkpoints/")))
}

func operationStatus(o CheckpointOperation, checkpoint bool) *OperationStatus {
	var doc OperationStatus
	doc.Status.ID = "IN_PROGRESS"
	if !o.Done {
		return &doc
	}
	doc.Status.ID, doc.Operation = "COMPLETED", &OperationResult{Location: o.Location}
	if checkpoint {
		doc.Operation.CheckpointID = o.Checkpoint
	}
	if o.Failure != "" {
		doc.Operation.FailureCause = &OperationFailure{Class: "CheckpointException", StackTrace: o.Failure}
	}
	return &doc
}

// disposals are the savepoints that somebody wants removed, by trigger.
type disposals struct {
	mu  sync.Mutex
	all map[string]CheckpointOperation
}

// maxDisposals bounds what is remembered of them.
const maxDisposals = 1000

func (d *disposals) set(id string, o CheckpointOperation) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.all == nil || len(d.all) > maxDisposals {
		d.all = map[string]CheckpointOperation{}
	}
	d.all[id] = o
}

func handleSavepointDisposal(s *Server, w http.ResponseWriter, r *http.Request) error {
	cb, err := s.checkpoints()
	if err != nil {
		return err
	}
	b, err := readTrigger(r)
	if err != nil {
		return err
	}
	if b.SavepointPath == "" {
		return Invalid("savepoint-path is missing: name the savepoint's directory")
	}
	o := CheckpointOperation{Done: true}
	if err := cb.DisposeSavepoint(r.Context(), b.SavepointPath); err != nil {
		o.Failure = err.Error()
	}
	s.disposals.set(b.TriggerID, o)
	return writeJSON(w, &Trigger{b.TriggerID})
}

func handleDisposalStatus(s *Server, w http.ResponseWriter, r *http.Request) error {
	s.disposals.mu.Lock()
	o, known := s.disposals.all[strings.ToLower(r.PathValue("triggerid"))]
	s.disposals.mu.Unlock()
	if !known {
		return NotFound("Operation not found under key: %.80q", r.PathValue("triggerid"))
	}
	return writeJSON(w, operationStatus(o, false))
}

// checkpointRoutes begin and follow checkpoints, savepoints and stops.
var checkpointRoutes = []Route{
	{Method: "GET", Path: "/jobs/:jobid/checkpoints", Doc: "statistics of the job's checkpoints", handle: handleCheckpoints},
	{Method: "GET", Path: "/jobs/:jobid/checkpoints/config", Doc: "how checkpoints are taken; 404 where there is no interval", handle: handleCheckpointConfig},
	{Method: "GET", Path: "/jobs/:jobid/checkpoints/details/:checkpointid", Doc: "a checkpoint with its tasks", handle: handleCheckpointDetails},
	{Method: "POST", Path: "/jobs/:jobid/checkpoints", Access: AccessOwner, Doc: "takes a checkpoint now",
		handle: trigger(func(triggerBody) CheckpointRequest { return CheckpointRequest{} })},
	{Method: "GET", Path: "/jobs/:jobid/checkpoints/:triggerid", Doc: "how far a checkpoint is that was asked for", handle: handleOperation},
	{Method: "POST", Path: "/jobs/:jobid/savepoints", Access: AccessOwner, Doc: "takes a savepoint, and cancels the job then if asked to",
		handle: trigger(func(b triggerBody) CheckpointRequest {
			return CheckpointRequest{Savepoint: true, Target: b.TargetDirectory, Cancel: b.CancelJob}
		})},
	{Method: "GET", Path: "/jobs/:jobid/savepoints/:triggerid", Doc: "how far a savepoint or stop is", handle: handleOperation},
	{Method: "POST", Path: "/jobs/:jobid/stop", Access: AccessOwner, Doc: "ends the job with a savepoint",
		handle: trigger(func(b triggerBody) CheckpointRequest {
			return CheckpointRequest{Stop: true, Drain: b.Drain, Target: b.TargetDirectory}
		})},
	{Method: "POST", Path: "/savepoint-disposal", Access: AccessOwner, Doc: "removes a savepoint", handle: handleSavepointDisposal},
	{Method: "GET", Path: "/savepoint-disposal/:triggerid", Doc: "whether a savepoint was removed", handle: handleDisposalStatus},
}
