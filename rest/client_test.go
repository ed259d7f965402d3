package rest_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/rest"
	"github.com/weft-project/weft/rest/restpb"
	"github.com/weft-project/weft/rest/resttest"
	"github.com/weft-project/weft/rpc/planpb"
)

// newClient serves a backend on loopback and gives a client with the owner's token.
func newClient(t *testing.T, h http.Handler) *rest.Client {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	c, err := rest.NewClient(rest.ClientOptions{Address: strings.TrimPrefix(server.URL, "http://"), Token: token, TokenFile: "/home/ada/.weft/application_1/token"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestClientReads(t *testing.T) {
	ctx := context.Background()
	b := resttest.Sample()
	c := newClient(t, newHandler(t, b, nil))
	cluster, err := c.Cluster(ctx)
	if err != nil || cluster != b.ClusterDoc {
		t.Errorf("cluster %+v, %v", cluster, err)
	}
	if o, err := c.Overview(ctx); err != nil || o.TaskManagers != 2 || o.Version != "0.1.0" {
		t.Errorf("overview %+v, %v", o, err)
	}
	if jobs, err := c.Jobs(ctx); err != nil || len(jobs) != 3 || jobs[0].Tasks.Running != 4 {
		t.Errorf("jobs %+v, %v", jobs, err)
	}
	d, err := c.Job(ctx, resttest.RunningJob)
	if err != nil || len(d.Vertices) != 2 || d.Vertices[0].Metrics.BusyTime != 22308 || d.Plan.Nodes[0].Inputs[0].ShipStrategy != "HASH" {
		t.Errorf("job %+v, %v", d, err)
	}
	if e, err := c.Exceptions(ctx, resttest.FailedJob); err != nil || e.Root == nil || len(e.History.Entries) != 2 {
		t.Errorf("exceptions %+v, %v", e, err)
	}
	if a, err := c.Accumulators(ctx, resttest.RunningJob); err != nil || len(a.UserTask) != 1 || a.UserTask[0].Value != "1234567" {
		t.Errorf("accumulators %+v, %v", a, err)
	}
	if v, err := c.Vertex(ctx, resttest.RunningJob, resttest.Counts); err != nil || len(v.Subtasks) != 2 || v.Aggregated.Metrics["read-records"].Sum != 3346270 {
		t.Errorf("vertex %+v, %v", v, err)
	}
	tms, err := c.TaskManagers(ctx)
	if err != nil || len(tms) != 2 {
		t.Fatalf("task managers %+v, %v", tms, err)
	}
	if tm, err := c.TaskManager(ctx, tms[1].ID); err != nil || tm.ID != tms[1].ID || len(tm.AllocatedSlots) != 1 {
		t.Errorf("task manager %+v, %v", tm, err)
	}
	if config, err := c.Config(ctx); err != nil || len(config) != len(b.ConfigDoc) {
		t.Errorf("config %+v, %v", config, err)
	}
}

func TestClientChanges(t *testing.T) {
	ctx := context.Background()
	b := resttest.Sample()
	c := newClient(t, newHandler(t, b, nil))
	if err := c.Cancel(ctx, resttest.RunningJob); err != nil || len(b.Canceled()) != 1 {
		t.Errorf("cancel: %v", err)
	}
	var e *rest.Error
	if err := c.Cancel(ctx, resttest.FinishedJob); !errors.As(err, &e) || e.Status != 409 || !strings.Contains(e.Message, "FINISHED") {
		t.Errorf("cancel of an ended job: %v", err)
	}
	if err := c.Cancel(ctx, id.Job{7}); !rest.IsNotFound(err) {
		t.Errorf("cancel of an unknown job: %v", err)
	}
	request := &restpb.SubmitRequest{Graph: &planpb.JobGraph{Name: "wordcount", Vertices: []*planpb.JobVertex{{Id: resttest.Source.String()}}}, Args: []string{"-input", "ü"}, Environment: map[string]string{"TZ": "UTC"}}
	job, err := c.Submit(ctx, request)
	if err != nil || job.IsZero() {
		t.Fatalf("submit: %v %v", job, err)
	}
	if got := b.Submitted(); len(got) != 1 || !proto.Equal(got[0], request) || got[0].JobId != job.String() {
		t.Errorf("submitted %v", got)
	}
	if err := c.Shutdown(ctx); err != nil || !b.ShutdownAsked() {
		t.Errorf("shutdown: %v", err)
	}
	if _, err := c.Submit(ctx, &restpb.SubmitRequest{}); err == nil || !strings.Contains(err.Error(), "no job graph") {
		t.Errorf("empty submission: %v", err)
	}
}

func TestFollow(t *testing.T) {
	b := resttest.Sample()
	result := &planpb.JobResult{JobId: resttest.RunningJob.String(), Status: planpb.JobStatus_FINISHED, RuntimeMs: 340}
	b.Replies = []*restpb.WatchReply{
		{Next: 2, Status: planpb.JobStatus_RUNNING, Events: []*restpb.JobEvent{{Sequence: 1}, {Sequence: 2}}},
		{Next: 2, Status: planpb.JobStatus_RUNNING},
		{Next: 5, Status: planpb.JobStatus_FINISHED, Ended: true, Result: result},
	}
	c := newClient(t, newHandler(t, b, nil))
	seen := 0
	got, err := c.Follow(context.Background(), resttest.RunningJob, time.Second, func(*restpb.WatchReply) error { seen++; return nil })
	if err != nil || !proto.Equal(got, result) || seen != 3 {
		t.Errorf("result %v, %v after %d replies", got, err, seen)
	}
	if w := b.Watched(); len(w) != 3 || w[0] != 0 || w[1] != 2 || w[2] != 2 {
		t.Errorf("watched since %v", w)
	}
}

func TestClientErrors(t *testing.T) {
	ctx := context.Background()
	// Nobody listens.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	gone, err := rest.NewClient(rest.ClientOptions{Address: address, Token: token})
	if err != nil {
		t.Fatal(err)
	}
	var unreachable *rest.Unreachable
	_, err = gone.Overview(ctx)
	if !errors.As(err, &unreachable) || unreachable.Maybe || err.Error() != "no JobManager answers at "+address+": connect: connection refused; has the cluster ended?" {
		t.Errorf("nobody listens: %v", err)
	}
	// The token is refused, with and without one here.
	h := newHandler(t, resttest.Sample(), nil)
	server := httptest.NewServer(h)
	defer server.Close()
	for tokenFile, want := range map[string]string{"/home/ada/.weft/a/token": "/home/ada/.weft/a/token", "": "does not accept the token"} {
		c, err := rest.NewClient(rest.ClientOptions{Address: server.URL + "/", Token: strings.Repeat("f", 64), TokenFile: tokenFile})
		if err != nil {
			t.Fatal(err)
		}
		var e *rest.Error
		if _, err := c.Jobs(ctx); !errors.As(err, &e) || e.Status != 401 || !strings.Contains(e.Message, want) {
			t.Errorf("wrong token: %v", err)
		}
	}
	anonymous, err := rest.NewClient(rest.ClientOptions{Address: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := anonymous.Jobs(ctx); err == nil || !strings.Contains(err.Error(), "there is none here") {
		t.Errorf("no token: %v", err)
	}
	// Another kind of server.
	c := newClient(t, http.NotFoundHandler())
	if _, err := c.Overview(ctx); err == nil || !strings.Contains(err.Error(), "does not look like a JobManager") {
		t.Errorf("another server: %v", err)
	}
	c = newClient(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }))
	if _, err := c.Overview(ctx); err == nil || !strings.Contains(err.Error(), "is not the document expected") {
		t.Errorf("another document: %v", err)
	}
	for _, bad := range []string{"", "ftp://x", "http://", "ho st:1"} {
		if _, err := rest.NewClient(rest.ClientOptions{Address: bad}); err == nil || !strings.Contains(err.Error(), "HOST:PORT") {
			t.Errorf("address %q: %v", bad, err)
		}
	}
}

// TestSubmitIsRepeatedOnce: the answer gets lost, the second request carries the same job id.
func TestSubmitIsRepeatedOnce(t *testing.T) {
	b := resttest.Sample()
	h := newHandler(t, b, nil)
	var requests atomic.Int32
	c := newClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if requests.Add(1) == 1 {
			h.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		}
		h.ServeHTTP(w, r)
	}))
	request := &restpb.SubmitRequest{Graph: &planpb.JobGraph{Vertices: []*planpb.JobVertex{{Id: "x"}}}}
	job, err := c.Submit(context.Background(), request)
	if err != nil {
		t.Fatal(err)
	}
	if got := b.Submitted(); len(got) != 2 || got[0].JobId != job.String() || got[1].JobId != job.String() {
		t.Errorf("submissions %v", got)
	}
}

// TestTokenStaysHere: a redirect is not followed, so the token goes to the JobManager alone.
func TestTokenStaysHere(t *testing.T) {
	c := newClient(t, http.RedirectHandler("http://127.0.0.1:1/", http.StatusFound))
	if _, err := c.Overview(context.Background()); err == nil || !strings.Contains(err.Error(), "302") {
		t.Errorf("redirect: %v", err)
	}
}

// A JobManager that takes the request and says nothing is given up after the client's timeout.
func TestTimeout(t *testing.T) {
	hold := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hold }))
	defer server.Close()
	defer close(hold)
	c, err := rest.NewClient(rest.ClientOptions{Address: server.URL, Timeout: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = c.Overview(t.Context()); err == nil || !strings.Contains(err.Error(), "did not answer in time") {
		t.Errorf("error %v", err)
	}
}
