package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/rest/restpb"
	"github.com/weft-project/weft/rpc/planpb"
)

const (
	// maxAnswer is Flink's default of rest.client.max-content-length.
	maxAnswer      = 100 << 20
	dialTimeout    = 5 * time.Second
	requestTimeout = time.Minute
	// followWait is how long one watch of Follow may stay unanswered.
	followWait = 20 * time.Second
)

// Unreachable is the error when no answer came: nobody listens, the connection broke, the time was over.
type Unreachable struct {
	// Address is host:port that was tried.
	Address string
	Cause   error
	// Maybe tells that the request may have been received all the same.
	Maybe bool
}

// Error says what that usually means.
func (e *Unreachable) Error() string {
	switch {
	case errors.Is(e.Cause, context.DeadlineExceeded):
		return fmt.Sprintf("the JobManager at %s did not answer in time: %v", e.Address, e.Cause)
	case e.Maybe:
		return fmt.Sprintf("the connection to the JobManager at %s broke: %v; has the cluster ended?", e.Address, e.Cause)
	}
	return fmt.Sprintf("no JobManager answers at %s: %v; has the cluster ended?", e.Address, e.Cause)
}

// Unwrap gives the cause.
func (e *Unreachable) Unwrap() error { return e.Cause }

// ClientOptions of a Client.
type ClientOptions struct {
	// Address is host:port or a base URL such as http://host:port/prefix.
	Address string
	// Token is the owner's token; empty to send none.
	Token string
	// TokenFile is where Token comes from, named when it is refused.
	TokenFile string
	// Negotiate makes the header Authorization of one request for a host that asks for a Kerberos ticket; nil where there is none.
	Negotiate func(ctx context.Context, host string) (string, error)
	// Timeout is how long an answer may take beyond the time that was asked for; 0 is a minute.
	Timeout time.Duration
	// Transport is for tests; nil connects to Address, straight and without HTTP proxies of the environment.
	Transport http.RoundTripper
}

// Client talks to a Server. Methods return an *Error for an answer that is not a success, an *Unreachable when there was
// none. It is safe for use by many goroutines.
type Client struct {
	base      string
	address   string
	token     string
	tokenFile string
	timeout   time.Duration
	http      *http.Client
	tickets   tickets
}

// NewClient checks the options; it does not connect.
func NewClient(o ClientOptions) (*Client, error) {
	address := o.Address
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, fmt.Errorf("JobManager address %q: expected HOST:PORT or http://HOST:PORT", o.Address)
	}
	timeout := o.Timeout
	if timeout <= 0 {
		timeout = requestTimeout
	}
	transport := o.Transport
	if transport == nil {
		transport = &http.Transport{
			DialContext:           (&net.Dialer{Timeout: dialTimeout}).DialContext,
			TLSHandshakeTimeout:   dialTimeout,
			IdleConnTimeout:       time.Minute,
			MaxIdleConnsPerHost:   4,
			ResponseHeaderTimeout: maxWatch + timeout,
		}
	}
	return &Client{
		base:      strings.TrimSuffix(u.Scheme+"://"+u.Host+u.Path, "/") + "/v1",
		address:   u.Host,
		token:     o.Token,
		tokenFile: o.TokenFile,
		timeout:   timeout,
		tickets:   tickets{host: u.Hostname(), make: o.Negotiate},
		http: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error {
			// The server never redirects; the token is for it alone.
			return http.ErrUseLastResponse
		}},
	}, nil
}

// Address is the JobManager's host:port.
func (c *Client) Address() string { return c.address }

// Close gives idle connections back.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Cluster asks who and where the cluster is.
func (c *Client) Cluster(ctx context.Context) (Cluster, error) {
	return get[Cluster](ctx, c, "/weft/cluster")
}

// Overview asks for the cluster in numbers.
func (c *Client) Overview(ctx context.Context) (Overview, error) {
	return get[Overview](ctx, c, "/overview")
}

// Config asks for the effective configuration, secrets masked.
func (c *Client) Config(ctx context.Context) ([]ConfigEntry, error) {
	return get[[]ConfigEntry](ctx, c, "/jobmanager/config")
}

// Jobs lists all jobs the JobManager remembers.
func (c *Client) Jobs(ctx context.Context) ([]JobSummary, error) {
	o, err := get[JobsOverview](ctx, c, "/jobs/overview")
	return o.Jobs, err
}

// Job asks for a job with its vertices and plan.
func (c *Client) Job(ctx context.Context, job id.Job) (JobDetails, error) {
	return get[JobDetails](ctx, c, "/jobs/"+job.String())
}

// Exceptions asks what failed.
func (c *Client) Exceptions(ctx context.Context, job id.Job) (JobExceptions, error) {
	return get[JobExceptions](ctx, c, "/jobs/"+job.String()+"/exceptions")
}

// Accumulators asks for a job's accumulators.
func (c *Client) Accumulators(ctx context.Context, job id.Job) (JobAccumulators, error) {
	return get[JobAccumulators](ctx, c, "/jobs/"+job.String()+"/accumulators")
}

// Vertex asks for a vertex with its subtasks.
func (c *Client) Vertex(ctx context.Context, job id.Job, vertex id.Vertex) (VertexDetails, error) {
	return get[VertexDetails](ctx, c, "/jobs/"+job.String()+"/vertices/"+vertex.String())
}

// TaskManagers lists the registered TaskManagers.
func (c *Client) TaskManagers(ctx context.Context) ([]TaskManager, error) {
	t, err := get[TaskManagers](ctx, c, "/taskmanagers")
	return t.TaskManagers, err
}

// TaskManager asks for one TaskManager.
func (c *Client) TaskManager(ctx context.Context, taskManager string) (TaskManagerDetails, error) {
	return get[TaskManagerDetails](ctx, c, "/taskmanagers/"+url.PathEscape(taskManager))
}

// Cancel asks a job to end; it returns when the request is noted.
func (c *Client) Cancel(ctx context.Context, job id.Job) error {
	_, err := c.do(ctx, http.MethodPatch, "/jobs/"+job.String()+"?mode=cancel", nil)
	return err
}

// Shutdown ends the whole cluster.
func (c *Client) Shutdown(ctx context.Context) error {
	_, err := c.do(ctx, http.MethodDelete, "/cluster", nil)
	return err
}

// Submit starts a job. A request without job id gets one here, so that a submission whose answer got lost is repeated
// once without starting the job twice.
func (c *Client) Submit(ctx context.Context, request *restpb.SubmitRequest) (id.Job, error) {
	if request.JobId == "" {
		request.JobId = id.NewJob().String()
	}
	body, err := proto.Marshal(request)
	if err != nil {
		return id.Job{}, fmt.Errorf("job submission: %w", err)
	}
	if len(body) > maxSubmitBody {
		return id.Job{}, fmt.Errorf("job submission of %d bytes is larger than the limit of %d; values of stream.Captured are part of it", len(body), maxSubmitBody)
	}
	answer, err := c.do(ctx, http.MethodPost, "/weft/jobs", body)
	var broken *Unreachable
	if errors.As(err, &broken) && broken.Maybe && ctx.Err() == nil {
		answer, err = c.do(ctx, http.MethodPost, "/weft/jobs", body)
	}
	if err != nil {
		return id.Job{}, err
	}
	reply := &restpb.SubmitReply{}
	if err := proto.Unmarshal(answer, reply); err != nil {
		return id.Job{}, fmt.Errorf("answer of the JobManager at %s to a submission: %w", c.address, err)
	}
	return id.ParseJob(reply.JobId)
}

// Watch waits for news of a job: events with a sequence number higher than since, its end, or the end of wait, which the
// server bounds to a minute.
func (c *Client) Watch(ctx context.Context, job id.Job, since uint64, wait time.Duration) (*restpb.WatchReply, error) {
	path := "/weft/jobs/" + job.String() + "/watch?since=" + strconv.FormatUint(since, 10) + "&wait=" + strconv.FormatInt(wait.Milliseconds(), 10)
	answer, err := c.do(ctx, http.MethodGet, path, nil)
	if err != nil {
		return nil, err
	}
	reply := &restpb.WatchReply{}
	if err := proto.Unmarshal(answer, reply); err != nil {
		return nil, fmt.Errorf("answer of the JobManager at %s to a watch: %w", c.address, err)
	}
	return reply, nil
}

// Follow watches a job until it has ended and gives its result. Each reply is given to seen, which may be nil and ends
// the watching by an error; refresh bounds the time between two of them (0 for 20 s). A connection that breaks is
// tried again at once, once; after that the error is returned and the caller knows where else to look.
func (c *Client) Follow(ctx context.Context, job id.Job, refresh time.Duration, seen func(*restpb.WatchReply) error) (*planpb.JobResult, error) {
	if refresh <= 0 {
		refresh = followWait
	}
	var since uint64
	again := true
	for {
		reply, err := c.Watch(ctx, job, since, refresh)
		var broken *Unreachable
		if errors.As(err, &broken) && again && ctx.Err() == nil {
			again = false
			continue
		}
		if err != nil {
			return nil, err
		}
		again = true
		if seen != nil {
			if err := seen(reply); err != nil {
				return nil, err
			}
		}
		if reply.Ended {
			return reply.Result, nil
		}
		since = max(since, reply.Next)
	}
}

// get reads a JSON document.
func get[T any](ctx context.Context, c *Client, path string) (T, error) {
	var doc T
	answer, err := c.do(ctx, http.MethodGet, path, nil)
	if err != nil {
		return doc, err
	}
	if err := json.Unmarshal(answer, &doc); err != nil {
		return doc, fmt.Errorf("answer of the JobManager at %s to GET %s is not the document expected: %w", c.address, path, err)
	}
	return doc, nil
}

// do sends a request and reads the answer; body is a protobuf message or nil.
func (c *Client) do(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	limit := c.timeout
	if strings.Contains(path, "wait=") {
		limit += maxWatch
	}
	if len(body) > 0 {
		c.greet(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	response, err := c.send(ctx, func() (*http.Request, error) {
		request, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
		if err != nil {
			return nil, fmt.Errorf("request %s %s: %w", method, path, err)
		}
		if body != nil {
			request.Header.Set("Content-Type", typeProtobuf)
		}
		request.Header.Set("Accept", typeProtobuf+", application/json")
		return request, nil
	})
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil {
		return nil, &Unreachable{Address: c.address, Cause: err, Maybe: true}
	}
	if len(answer) > maxAnswer {
		return nil, fmt.Errorf("answer of the JobManager at %s to %s %s is larger than %d bytes", c.address, method, path, maxAnswer)
	}
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return nil, c.refused(method, path, response.StatusCode, answer)
	}
	return answer, nil
}

// unreachable explains a request without answer.
func (c *Client) unreachable(err error) error {
	var asURL *url.Error
	if errors.As(err, &asURL) {
		err = asURL.Err
	}
	var op *net.OpError
	dialing := errors.As(err, &op) && op.Op == "dial"
	if dialing {
		// "dial tcp 10.0.0.1:80: connect: connection refused": the address is in our sentence already.
		err = op.Err
	}
	return &Unreachable{Address: c.address, Cause: err, Maybe: !dialing}
}

// refused makes an *Error of an answer that is not a success.
func (c *Client) refused(method, path string, status int, answer []byte) error {
	var body ErrorBody
	message := ""
	if json.Unmarshal(answer, &body) == nil && len(body.Errors) > 0 {
		message = body.Errors[0]
	}
	switch {
	case status == http.StatusUnauthorized && c.tickets.wanted() && message != "":
		message = "the JobManager at " + c.address + " does not accept the Kerberos ticket: " + message
	case status == http.StatusUnauthorized && c.token == "":
		message = "the JobManager at " + c.address + " wants the token of the cluster's owner, and there is none here; run the command as the user who started the cluster"
	case status == http.StatusUnauthorized && c.tokenFile != "":
		message = "the JobManager at " + c.address + " does not accept the token in " + c.tokenFile + "; it belongs to another cluster or another user started this one"
	case status == http.StatusUnauthorized:
		message = "the JobManager at " + c.address + " does not accept the token; it belongs to another cluster or another user started this one"
	case message == "":
		message = fmt.Sprintf("what listens at %s answered %s %s with status %d; it does not look like a JobManager", c.address, method, path, status)
	}
	return &Error{Status: status, Message: message}
}
