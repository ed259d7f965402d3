package rest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/weft-project/weft/id"
)

// operationPause is how long the client waits between two questions about an operation.
const operationPause = 50 * time.Millisecond

// Savepoint takes a savepoint of a job and gives its path; the request's Stop ends the job with it, its Cancel cancels the job afterwards.
func (c *Client) Savepoint(ctx context.Context, job id.Job, r CheckpointRequest) (path string, err error) {
	to, body := "savepoints", map[string]any{"cancel-job": r.Cancel}
	if r.Stop {
		to, body = "stop", map[string]any{"drain": r.Drain}
	}
	if r.Target != "" {
		body["target-directory"], body["targetDirectory"] = r.Target, r.Target
	}
	body["triggerId"] = id.NewJob().String() // drawn here, so that a request whose answer is lost is no second one
	o, err := c.operate(ctx, "/jobs/"+job.String()+"/"+to, "/jobs/"+job.String()+"/savepoints/", body)
	if err != nil {
		return "", err
	}
	return o.Location, nil
}

// Checkpoint takes a checkpoint of a job and gives its number.
func (c *Client) Checkpoint(ctx context.Context, job id.Job) (int64, error) {
	to := "/jobs/" + job.String() + "/checkpoints"
	o, err := c.operate(ctx, to, to+"/", map[string]any{"triggerId": id.NewJob().String()})
	if err != nil {
		return 0, err
	}
	return o.CheckpointID, nil
}

// DisposeSavepoint removes a savepoint.
func (c *Client) DisposeSavepoint(ctx context.Context, path string) error {
	_, err := c.operate(ctx, "/savepoint-disposal", "/savepoint-disposal/", map[string]any{"savepoint-path": path, "triggerId": id.NewJob().String()})
	return err
}

// CheckpointStatistics is GET /jobs/:jobid/checkpoints.
func (c *Client) CheckpointStatistics(ctx context.Context, job id.Job) (doc Checkpoints, err error) {
	b, err := c.do(ctx, http.MethodGet, "/jobs/"+job.String()+"/checkpoints", nil)
	if err == nil {
		err = json.Unmarshal(b, &doc)
	}
	return doc, err
}

// operate begins an operation and waits for its end.
func (c *Client) operate(ctx context.Context, to, at string, request map[string]any) (*OperationResult, error) {
	body, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	if _, err := c.do(ctx, http.MethodPost, to, body); err != nil {
		return nil, err
	}
	look := time.NewTicker(operationPause)
	defer look.Stop()
	for {
		b, err := c.do(ctx, http.MethodGet, at+fmt.Sprint(request["triggerId"]), nil)
		if err != nil {
			return nil, err
		}
		var doc OperationStatus
		if err := json.Unmarshal(b, &doc); err != nil {
			return nil, fmt.Errorf("the answer of %s: %w", at, err)
		}
		if doc.Operation != nil {
			if f := doc.Operation.FailureCause; f != nil {
				return nil, errors.New(f.StackTrace)
			}
			return doc.Operation, nil
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}
