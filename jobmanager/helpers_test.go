package jobmanager_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/internal/await"
	"github.com/weft-project/weft/internal/fs"
	"github.com/weft-project/weft/internal/fs/local"
	"github.com/weft-project/weft/jobmanager"
	"github.com/weft-project/weft/rest"
	"github.com/weft-project/weft/rest/restpb"
	"github.com/weft-project/weft/rpc/controlpb"
	"github.com/weft-project/weft/rpc/planpb"
	"github.com/weft-project/weft/rpc/version"
	"github.com/weft-project/weft/security"
)

const (
	epoch = 7
	// patience is how long a test waits for what must come; nothing that passes takes so long.
	patience = 2 * time.Minute
)

// cluster is a running JobManager with a fake platform.
type cluster struct {
	t       *testing.T
	secret  security.Secret
	address string
	driver  *fakeDriver
	backend rest.Backend
	jm      *jobmanager.JobManager
	cancel  context.CancelFunc
	ended   chan error // holds Run's answer
}

// start runs a JobManager; its TaskManagers are expected to have that many slots. Tests with one run side by side.
func start(t *testing.T, slots int, settings map[string]string) *cluster {
	t.Helper()
	return startWith(t, slots, settings, func(*jobmanager.Options) {})
}

// startTarget is start for a cluster that lives in its own way.
func startTarget(t *testing.T, slots int, settings map[string]string, target string) *cluster {
	t.Helper()
	return startWith(t, slots, settings, func(o *jobmanager.Options) { o.Target = target })
}

// startWith changes the options.
func startWith(t *testing.T, slots int, settings map[string]string, change func(*jobmanager.Options)) *cluster {
	t.Helper()
	t.Parallel()
	return startAnother(t, func(o *jobmanager.Options) {
		o.Spec.Slots, o.Config = slots, config.FromMap(settings)
		change(o)
	})
}

// startAnother runs a JobManager in a test that has one already.
func startAnother(t *testing.T, change func(*jobmanager.Options)) *cluster {
	t.Helper()
	listen, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	files := fs.NewRegistry()
	files.Register("file", func(string) (fs.FileSystem, error) { return local.New(), nil })
	c := &cluster{t: t, secret: security.NewSecret(), address: listen.Addr().String(), driver: &fakeDriver{}, ended: make(chan error, 1)}
	o := jobmanager.Options{Epoch: epoch, ClusterID: "cluster", Secret: c.secret, Driver: c.driver, Files: files,
		Spec: jobmanager.TaskManagerSpec{MemoryMB: 1024, VCores: 1, Slots: 1}, Config: config.New(),
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Version: "1.0", Revision: "abc", RPCListen: listen}
	change(&o)
	jm, err := jobmanager.New(o)
	if err != nil {
		t.Fatal(err)
	}
	c.jm, c.backend = jm, jm.Backend()
	ctx, cancel := context.WithCancel(context.Background())
	c.cancel = cancel
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.ended <- jm.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return c
}

// result waits for Run's end.
func (c *cluster) result() error {
	c.t.Helper()
	select {
	case err := <-c.ended:
		return err
	case <-time.After(patience):
		c.t.Fatal("the JobManager does not end")
		return nil
	}
}

// fakeDriver is a platform that notes what is asked of it.
type fakeDriver struct {
	mu       sync.Mutex
	events   jobmanager.ResourceEvents
	required []int // distinct values in a row
	released []string
	pending  int
	shortage string
}

func (d *fakeDriver) Start(_ context.Context, _ uint64, events jobmanager.ResourceEvents) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.events = events
	return nil
}

func (d *fakeDriver) Require(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if k := len(d.required); k == 0 || d.required[k-1] != n {
		d.required = append(d.required, n)
	}
}

// Doubt is ResourceDriver's.
func (d *fakeDriver) Doubt(string) {}

func (d *fakeDriver) Release(taskManagerID string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.released = append(d.released, taskManagerID)
}

func (d *fakeDriver) Overview() jobmanager.ResourceOverview {
	d.mu.Lock()
	defer d.mu.Unlock()
	return jobmanager.ResourceOverview{Name: "fake", User: "alice", Queue: "root.default", PendingTaskManagers: d.pending, Shortage: d.shortage}
}

// say gives the JobManager's ear, once it has one.
func (c *cluster) say() jobmanager.ResourceEvents {
	c.t.Helper()
	var e jobmanager.ResourceEvents
	await.Until(c.t, "the driver is started", func() bool {
		c.driver.mu.Lock()
		defer c.driver.mu.Unlock()
		e = c.driver.events
		return e != nil
	})
	return e
}

// requires waits until the number of TaskManagers required last is n.
func (c *cluster) requires(n int) {
	c.t.Helper()
	await.Until(c.t, fmt.Sprintf("%d TaskManagers are required", n), func() bool {
		c.driver.mu.Lock()
		defer c.driver.mu.Unlock()
		k := len(c.driver.required)
		return k > 0 && c.driver.required[k-1] == n
	})
}

// releases waits until the TaskManager's container was given back.
func (c *cluster) releases(taskManager string) {
	c.t.Helper()
	await.Until(c.t, taskManager+" is released", func() bool {
		c.driver.mu.Lock()
		defer c.driver.mu.Unlock()
		return slices.Contains(c.driver.released, taskManager)
	})
}

// graph is a source and a sum, both with that parallelism, with everything going from each to each.
func graph(parallelism int32) *planpb.JobGraph {
	source, sum := id.VertexOf("source").String(), id.VertexOf("sum").String()
	return &planpb.JobGraph{ProtocolMajor: version.Major, ProtocolMinor: version.Minor, SdkVersion: "1.0", Name: "word count",
		Vertices: []*planpb.JobVertex{
			{Id: source, Name: "source", Parallelism: parallelism, MaxParallelism: 128, SlotSharingGroup: "default", IsSource: true},
			{Id: sum, Name: "sum", Parallelism: parallelism, MaxParallelism: 128, SlotSharingGroup: "default"},
		},
		Edges: []*planpb.JobEdge{{Source: source, Target: sum, Partitioner: planpb.Partitioner_HASH}}}
}

func submission(g *planpb.JobGraph) *restpb.SubmitRequest {
	return &restpb.SubmitRequest{JobId: id.NewJob().String(), Graph: g, Binary: &controlpb.BlobRef{Sha256: "00", Uri: "file:///job"},
		Args: []string{"--in", "x"}, Environment: map[string]string{"LANG": "C"}, Config: map[string]string{}}
}

// submit submits a job that must be taken.
func (c *cluster) submit(r *restpb.SubmitRequest) id.Job {
	c.t.Helper()
	reply, err := c.backend.Submit(c.t.Context(), r)
	if err != nil {
		c.t.Fatal(err)
	}
	j, err := id.ParseJob(reply.GetJobId())
	if err != nil {
		c.t.Fatal(err)
	}
	return j
}

// run submits the word count.
func (c *cluster) run(parallelism int32) id.Job {
	c.t.Helper()
	return c.submit(submission(graph(parallelism)))
}

// restarts submits the word count with so many restarts at once after any failure.
func (c *cluster) restarts(parallelism int32, attempts string) id.Job {
	c.t.Helper()
	r := submission(graph(parallelism))
	r.Config = map[string]string{"restart-strategy.type": "fixed-delay", "restart-strategy.fixed-delay.attempts": attempts,
		"restart-strategy.fixed-delay.delay": "1 ms"}
	return c.submit(r)
}

// now is the job as a watcher sees it at this moment.
func (c *cluster) now(job id.Job) *restpb.WatchReply {
	c.t.Helper()
	w, err := c.backend.Watch(c.t.Context(), job, 0, 0)
	if err != nil {
		c.t.Fatal(err)
	}
	return w
}

// await watches a job until it has the status.
func (c *cluster) await(job id.Job, status planpb.JobStatus) *restpb.WatchReply {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	for since := uint64(0); ; {
		w, err := c.backend.Watch(ctx, job, since, patience)
		if err != nil {
			c.t.Fatalf("the job does not come to %s: %v\n%s", status, err, strings.Join(story(c.now(job)), "\n"))
		}
		if w.GetStatus() == status {
			return c.now(job)
		}
		if w.GetEnded() {
			c.t.Fatalf("job ended: %s, expected %s\n%s", w.GetStatus(), status, strings.Join(story(c.now(job)), "\n"))
		}
		since = w.GetNext()
	}
}

// story tells a job's events, one a line.
func story(w *restpb.WatchReply) []string {
	var out []string
	for _, e := range w.GetEvents() {
		switch k := e.GetKind().(type) {
		case *restpb.JobEvent_Status:
			line := k.Status.GetStatus().String()
			if f := k.Status.GetFailure(); f != nil {
				line += ": " + f.GetMessage()
			}
			out = append(out, line)
		case *restpb.JobEvent_Task:
			out = append(out, fmt.Sprintf("%s (%d/%d) #%d on %s: %s", k.Task.GetName(), k.Task.GetSubtask()+1, k.Task.GetParallelism(), k.Task.GetAttempt(),
				k.Task.GetTaskmanagerId(), strings.TrimPrefix(k.Task.GetState().String(), "STATE_")))
		case *restpb.JobEvent_Note:
			out = append(out, "note: "+k.Note)
		}
	}
	return out
}

func sameLines(t *testing.T, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got\n  %s\nexpected\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

func contains(t *testing.T, text, part string) {
	t.Helper()
	if !strings.Contains(text, part) {
		t.Errorf("%q does not contain %q", text, part)
	}
}

// dial connects to a cluster as its TaskManagers do.
func (c *cluster) dial(secret security.Secret) controlpb.JobManagerClient {
	c.t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+c.address, grpc.WithTransportCredentials(security.GRPCCredentials(secret)))
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { _ = conn.Close() })
	return controlpb.NewJobManagerClient(conn)
}
