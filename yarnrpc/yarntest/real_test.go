//go:build realhadoop

package yarntest_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/weft-project/weft/internal/devcluster"
	hadoopconf "github.com/weft-project/weft/internal/hadoop/conf"
	yarnpb "github.com/weft-project/weft/internal/hadoop/proto/yarn"
	"github.com/weft-project/weft/internal/hadoop/rpc"
	"github.com/weft-project/weft/internal/hadoop/token"
	"github.com/weft-project/weft/yarnrpc"
	"github.com/weft-project/weft/yarnrpc/yarntest"
)

// roleEnv makes this test binary the ApplicationMaster.
const roleEnv = "WEFT_YARNTEST_MASTER"

func TestMain(m *testing.M) {
	if os.Getenv(roleEnv) != "" {
		os.Exit(yarntest.Main(context.Background(), os.Args[1:], os.Getenv, os.Stderr))
	}
	os.Exit(m.Run())
}

func load(t *testing.T, c *devcluster.Cluster) *hadoopconf.Conf {
	t.Helper()
	conf, err := hadoopconf.LoadDirs(os.Getenv, c.ConfDir())
	if err != nil {
		t.Fatal(err)
	}
	return conf
}

func owner(t *testing.T) string {
	t.Helper()
	u, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	return u.Username
}

func newRM(t *testing.T, conf *hadoopconf.Conf, o yarnrpc.Options) *yarnrpc.ClientRM {
	t.Helper()
	if o.User == "" {
		o.User = owner(t)
	}
	rm, err := yarnrpc.NewClientRM(conf, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(rm.Close)
	return rm
}

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// app makes this binary the do-nothing application.
func app(t *testing.T, conf *hadoopconf.Conf, flags ...string) yarntest.App {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	xml := filepath.Join(t.TempDir(), "hadoop.xml")
	f, err := os.Create(xml)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := conf.WriteXML(f); err != nil {
		t.Fatal(err)
	}
	return yarntest.App{Name: t.Name(), Program: local(t, exe), Conf: local(t, xml), Environment: map[string]string{roleEnv: "1"}, Flags: flags}
}

func local(t *testing.T, path string) yarnrpc.LocalResource {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return yarntest.LocalFile(path, info)
}

func state(want yarnrpc.ApplicationState) func(yarnrpc.ApplicationReport) bool {
	return func(r yarnrpc.ApplicationReport) bool { return r.State == want }
}

// logs shows what the containers wrote when the test fails.
func logs(t *testing.T, c *devcluster.Cluster, id yarnrpc.ApplicationID) {
	t.Cleanup(func() {
		if !t.Failed() {
			return
		}
		all, err := c.ContainerLogs(id.String())
		t.Log(err)
		for name, text := range all {
			if strings.HasSuffix(name, "stderr") {
				t.Logf("%s:\n%s", name, text)
			}
		}
	})
}

// TestApplication runs the whole life of an application: submit, register, allocate, start, stop, finish.
func TestApplication(t *testing.T) {
	c := devcluster.Shared(t)
	conf := load(t, c)
	rm := newRM(t, conf, yarnrpc.Options{})
	ctx := within(t, 2*time.Minute)
	r, err := yarntest.Submit(ctx, rm, app(t, conf, "-containers", "2"))
	if err != nil {
		t.Fatal(err)
	}
	logs(t, c, r.ID)
	r, err = yarntest.Wait(ctx, rm, r.ID, 50*time.Millisecond, state(yarnrpc.StateFinished))
	if err != nil {
		t.Fatal(err)
	}
	if r.Final != yarnrpc.FinalSucceeded || r.User != owner(t) || r.Type != "WEFT-IDLE" {
		t.Errorf("%+v", r)
	}
}

// TestQueries asks the ResourceManager all that ClientRM can ask, about an application that idles.
func TestQueries(t *testing.T) {
	c := devcluster.Shared(t)
	conf := load(t, c)
	rm := newRM(t, conf, yarnrpc.Options{})
	ctx := within(t, 2*time.Minute)
	began := time.Now()
	r, err := yarntest.Submit(ctx, rm, app(t, conf))
	if err != nil {
		t.Fatal(err)
	}
	logs(t, c, r.ID)
	if r, err = yarntest.Wait(ctx, rm, r.ID, 20*time.Millisecond, state(yarnrpc.StateRunning)); err != nil {
		t.Fatal(err)
	}
	t.Logf("RUNNING after %v", time.Since(began))
	if r.Name != t.Name() || r.Queue == "" || r.Attempt.Number != 1 || r.Started.IsZero() {
		t.Errorf("%+v", r)
	}
	list, err := rm.Applications(ctx, yarnrpc.Filter{Types: []string{"WEFT-IDLE"}, States: yarnrpc.LiveStates(), Users: []string{owner(t)}})
	if err != nil || len(list) != 1 || list[0].ID != r.ID {
		t.Errorf("%+v %v", list, err)
	}
	attempts, err := rm.Attempts(ctx, r.ID)
	if err != nil || len(attempts) != 1 || attempts[0].State != "RUNNING" {
		t.Fatalf("%+v %v", attempts, err)
	}
	containers, err := rm.Containers(ctx, attempts[0].ID)
	if err != nil || len(containers) != 1 || containers[0].ID != attempts[0].AMContainer || containers[0].State != yarnrpc.ContainerRunning {
		t.Errorf("%+v %v", containers, err)
	}
	nodes, err := rm.ClusterNodes(ctx, yarnrpc.NodeRunning)
	if err != nil || len(nodes) != c.NodeManagers() || nodes[0].Capacity.MemoryMB != int64(c.NodeMemoryMB()) {
		t.Errorf("%+v %v", nodes, err)
	}
	metrics, err := rm.ClusterMetrics(ctx)
	if err != nil || metrics.Active != c.NodeManagers() {
		t.Errorf("%+v %v", metrics, err)
	}
	root, err := rm.Queue(ctx, "root")
	names := map[string]yarnrpc.QueueInfo{}
	root.Walk(func(q yarnrpc.QueueInfo) { names[q.Name] = q })
	if err != nil || names["default"].State != "RUNNING" || names["default"].Capacity <= 0 {
		t.Errorf("%+v %v", root, err)
	}
	types, err := rm.ResourceTypes(ctx)
	if err != nil || len(types) < 2 || types[0].Name != "memory-mb" {
		t.Errorf("%+v %v", types, err)
	}
	if err := rm.Kill(ctx, r.ID, "the test is over"); err != nil {
		t.Fatal(err)
	}
	if r, err = rm.Report(ctx, r.ID); err != nil || r.State != yarnrpc.StateKilled || !strings.Contains(r.Diagnostics, "the test is over") {
		t.Errorf("%+v %v", r, err)
	}
}

// TestRefusals looks at what a ResourceManager says to bad requests.
func TestRefusals(t *testing.T) {
	c := devcluster.Shared(t)
	conf := load(t, c)
	rm := newRM(t, conf, yarnrpc.Options{})
	ctx := within(t, time.Minute)
	if _, err := rm.Report(ctx, yarnrpc.ApplicationID{ClusterTimestamp: 1, Number: 1}); !errors.Is(err, yarnrpc.ErrApplicationNotFound) {
		t.Error(err)
	}
	a := app(t, conf)
	a.Queue = "nowhere"
	if _, err := yarntest.Submit(ctx, rm, a); err == nil || !strings.Contains(err.Error(), "nowhere") {
		t.Error(err)
	}
	t.Log(rm.Queue(ctx, "nowhere"))
	a = app(t, conf)
	a.AM.MemoryMB, a.AM.VCores = 1<<20, 1
	if _, err := yarntest.Submit(ctx, rm, a); !errors.Is(err, yarnrpc.ErrInvalidResource) {
		t.Error(err)
	}
	if _, err := rm.DelegationToken(ctx, "someone"); err != nil {
		t.Log("delegation token:", err)
	}
}

// TestSchedulerWantsToken shows that the scheduler's port takes a token only, the right one.
func TestSchedulerWantsToken(t *testing.T) {
	c := devcluster.Shared(t)
	conf := load(t, c)
	creds := &token.Credentials{}
	if _, err := yarnrpc.NewApplicationMaster(conf, yarnrpc.Options{Credentials: creds}); err == nil {
		t.Error("an ApplicationMaster without a token")
	}
	app, attempt := &yarnpb.ApplicationId{Id: proto.Int32(1), ClusterTimestamp: proto.Int64(1)}, proto.Int32(1)
	identifier, err := proto.Marshal(&yarnpb.AMRMTokenIdentifier{AppAttemptId: &yarnpb.ApplicationAttemptId{ApplicationId: app, AttemptId: attempt}})
	if err != nil {
		t.Fatal(err)
	}
	creds.Add("", token.Token{Identifier: identifier, Password: []byte("x"), Kind: token.KindAMRM})
	am, err := yarnrpc.NewApplicationMaster(conf, yarnrpc.Options{Credentials: creds})
	if err != nil {
		t.Fatal(err)
	}
	defer am.Close()
	_, err = am.Register(within(t, time.Minute), yarnrpc.RegisterRequest{Host: "h", Port: -1})
	if !errors.Is(err, rpc.ErrHandshake) || !errors.Is(err, rpc.ErrInvalidToken) {
		t.Error(err)
	}
	t.Log(err)
}

// TestUnmanaged is an ApplicationMaster in this process, so that its calls can be watched.
func TestUnmanaged(t *testing.T) {
	c := devcluster.Shared(t)
	conf := load(t, c)
	rm := newRM(t, conf, yarnrpc.Options{})
	ctx := within(t, 2*time.Minute)
	am, id := unmanaged(t, ctx, conf, rm, yarnrpc.Options{})
	reg, err := am.Register(ctx, yarnrpc.RegisterRequest{Host: "localhost", Port: -1})
	if err != nil {
		t.Fatal(err)
	}
	if reg.Max.MemoryMB <= 0 || reg.Queue == "" {
		t.Errorf("%+v", reg)
	}
	first := am.Request(yarnrpc.Request{Resource: yarnrpc.Resource{MemoryMB: 128, VCores: 1}, Priority: 1}, 3)
	if n := am.CancelRequest(first, 1); n != 1 || am.Outstanding() != 2 {
		t.Error(n, am.Outstanding())
	}
	var got []yarnrpc.Container
	collect := func(want int) {
		t.Helper()
		for len(got) < want {
			a, err := am.Allocate(ctx, 0)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, a.Allocated...)
			if len(a.Excess) > 0 {
				t.Errorf("excess %+v", a.Excess)
			}
			wait(t, ctx, 50*time.Millisecond)
		}
	}
	collect(2)
	if got[0].Request != first || am.Outstanding() != 0 {
		t.Errorf("%+v outstanding %d", got[0], am.Outstanding())
	}
	// More of the same: exactly as many as asked for come, also later.
	am.Request(yarnrpc.Request{Resource: yarnrpc.Resource{MemoryMB: 128, VCores: 1}, Priority: 1}, 2)
	collect(4)
	for range 10 {
		collect(len(got))
		a, err := am.Allocate(ctx, 0)
		if err != nil || len(a.Allocated)+len(a.Excess) > 0 {
			t.Errorf("%+v %v", a, err)
		}
		wait(t, ctx, 50*time.Millisecond)
	}
	ended := endings(t, ctx, am, got)
	for _, s := range ended {
		t.Log(s.Explain())
	}
	if s := ended[got[0].ID]; s.ExitStatus != 7 {
		t.Errorf("exit 7: %+v", s)
	}
	if s := ended[got[1].ID]; s.ExitStatus != yarnrpc.ExitAborted && s.ExitStatus != 143 && s.ExitStatus != 137 {
		t.Errorf("released: %+v", s)
	}
	if s := ended[got[2].ID]; s.ExitStatus != 143 && s.ExitStatus != 137 && s.ExitStatus != yarnrpc.ExitKilledByAM {
		t.Errorf("stopped: %+v", s)
	}
	if err := am.Finish(ctx, yarnrpc.FinalSucceeded, "well done", ""); err != nil {
		t.Fatal(err)
	}
	r, err := yarntest.Wait(ctx, rm, id, 50*time.Millisecond, state(yarnrpc.StateFinished))
	if err != nil || r.Final != yarnrpc.FinalSucceeded || !strings.Contains(r.Diagnostics, "well done") {
		t.Errorf("%+v %v", r, err)
	}
	if _, err := am.Allocate(ctx, 0); err == nil {
		t.Error("heartbeat after the end")
	}
}

// endings has the first container exit by itself, releases the second, stops the third and starts the fourth twice.
func endings(t *testing.T, ctx context.Context, am *yarnrpc.ApplicationMaster, got []yarnrpc.Container) map[yarnrpc.ContainerID]yarnrpc.ContainerStatus {
	t.Helper()
	for i, command := range []string{"exit 7", "exec sleep 600", "exec sleep 600", "exec sleep 600"} {
		if err := am.Nodes().StartContainer(ctx, got[i], yarnrpc.Launch{Commands: []string{command}}); err != nil {
			t.Fatal(err)
		}
	}
	err := am.Nodes().StartContainer(ctx, got[3], yarnrpc.Launch{Commands: []string{"true"}})
	if err == nil || !strings.Contains(err.Error(), "Attempt to relaunch the same container") {
		t.Errorf("second start: %v", err)
	}
	for _, i := range []int{1, 2, 3} {
		for running := false; !running; wait(t, ctx, 20*time.Millisecond) {
			list, failed, err := am.Nodes().ContainerStatuses(ctx, got[i].Node, got[i].ID)
			if err != nil || len(failed) > 0 {
				t.Fatal(failed, err)
			}
			running = list[0].State == yarnrpc.ContainerRunning
		}
	}
	am.Release(got[1].ID)
	for _, i := range []int{2, 3} {
		if r, err := am.Nodes().StopContainers(ctx, got[i].Node, got[i].ID); err != nil || len(r) != 1 || r[got[i].ID] != nil {
			t.Fatal(r, err)
		}
	}
	ended := map[yarnrpc.ContainerID]yarnrpc.ContainerStatus{}
	for len(ended) < len(got) {
		a, err := am.Allocate(ctx, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range a.Completed {
			ended[s.ID] = s
		}
		wait(t, ctx, 50*time.Millisecond)
	}
	return ended
}

// unmanaged submits an application whose ApplicationMaster runs here.
func unmanaged(t *testing.T, ctx context.Context, conf *hadoopconf.Conf, rm *yarnrpc.ClientRM, o yarnrpc.Options) (*yarnrpc.ApplicationMaster, yarnrpc.ApplicationID) {
	t.Helper()
	n, err := rm.NewApplication(ctx)
	if err != nil {
		t.Fatal(err)
	}
	_, err = rm.Submit(ctx, yarnrpc.Submission{ID: n.ID, Name: t.Name(), Unmanaged: true, MaxAttempts: 1, AM: yarnrpc.Resource{MemoryMB: 128, VCores: 1}})
	if err != nil {
		t.Fatal(err)
	}
	r, err := yarntest.Wait(ctx, rm, n.ID, 50*time.Millisecond, func(r yarnrpc.ApplicationReport) bool { return r.AMRMToken != nil })
	if err != nil {
		t.Fatal(err)
	}
	if o.Credentials == nil {
		o.Credentials = &token.Credentials{}
	}
	o.Credentials.Add("amrm", *r.AMRMToken)
	am, err := yarnrpc.NewApplicationMaster(conf, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(am.Close)
	return am, n.ID
}

func wait(t *testing.T, ctx context.Context, d time.Duration) {
	t.Helper()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		t.Fatal(context.Cause(ctx))
	}
}

// TestRestarts kills the ResourceManager under an application that goes on, with every frame encrypted; before, a whole
// application runs so.
func TestRestarts(t *testing.T) {
	t.Parallel()
	c := devcluster.Private(t, devcluster.Options{NodeManagers: 2, Conf: map[string]map[string]string{
		"core-site.xml": {"hadoop.rpc.protection": "privacy"},
	}})
	conf := load(t, c)
	var retries int
	rm := newRM(t, conf, yarnrpc.Options{Retry: &rpc.Retry{MaxWait: 2 * time.Minute, Interval: 100 * time.Millisecond, MaxInterval: time.Second},
		OnRetry: func(error, time.Duration) { retries++ }})
	ctx := within(t, 8*time.Minute)
	r, err := yarntest.Submit(ctx, rm, app(t, conf, "-containers", "1"))
	if err != nil {
		t.Fatal(err)
	}
	logs(t, c, r.ID)
	if r, err = yarntest.Wait(ctx, rm, r.ID, 50*time.Millisecond, state(yarnrpc.StateFinished)); err != nil || r.Final != yarnrpc.FinalSucceeded {
		t.Fatal(r, err)
	}
	am, id := unmanaged(t, ctx, conf, rm, yarnrpc.Options{})
	if _, err := am.Register(ctx, yarnrpc.RegisterRequest{Host: "localhost", Port: -1}); err != nil {
		t.Fatal(err)
	}
	size := yarnrpc.Request{Resource: yarnrpc.Resource{MemoryMB: 128, VCores: 1}, Priority: 1}
	am.Request(size, 1)
	var got []yarnrpc.Container
	resynced := false
	until := func(what string, ok func() bool) {
		t.Helper()
		for !ok() {
			a, err := am.Allocate(ctx, 0)
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			resynced = resynced || a.Resynced
			for _, x := range a.Allocated {
				if err := am.Nodes().StartContainer(ctx, x, yarnrpc.Launch{Commands: []string{"exec sleep 600"}}); err != nil {
					t.Fatal(err)
				}
				got = append(got, x)
			}
			wait(t, ctx, 50*time.Millisecond)
		}
	}
	until("first container", func() bool { return len(got) == 1 })
	// A request that no node can hold now is outstanding over the restart.
	am.Request(yarnrpc.Request{Resource: yarnrpc.Resource{MemoryMB: int64(c.NodeMemoryMB()), VCores: 1}, Priority: 2}, 2)
	if _, err := am.Allocate(ctx, 0); err != nil {
		t.Fatal(err)
	}
	if err := c.KillDaemon("resourcemanager"); err != nil {
		t.Fatal(err)
	}
	restarted := make(chan error, 1)
	go func() { restarted <- c.StartDaemon(ctx, "resourcemanager") }()
	until("resync", func() bool { return resynced })
	if err := <-restarted; err != nil {
		t.Fatal(err)
	}
	if r, err := rm.Report(ctx, id); err != nil || r.State != yarnrpc.StateRunning {
		t.Errorf("%+v %v (%d retries)", r, err, retries)
	}
	am.Request(size, 1)
	until("a container after the restart", func() bool { return len(got) >= 2 })
	if err := am.Finish(ctx, yarnrpc.FinalSucceeded, "", ""); err != nil {
		t.Error(err)
	}
}

// rollCounter counts the roll-overs that the ApplicationMaster logs.
type rollCounter struct {
	slog.Handler
	rolled, refused *atomic.Int32
}

func (h rollCounter) Handle(_ context.Context, r slog.Record) error {
	switch {
	case strings.Contains(r.Message, "rolled its key over"):
		h.rolled.Add(1)
	case strings.Contains(r.Message, "does not take the new AMRM token"):
		h.refused.Add(1)
	}
	return nil
}

func (h rollCounter) Enabled(context.Context, slog.Level) bool { return true }

// TestRollOver runs while the ResourceManager changes the key of AMRM tokens: each heartbeat is a connection of its own, so
// an outdated token would be noticed. The interval must be above three times the expiry, which a slow machine must keep.
func TestRollOver(t *testing.T) {
	t.Parallel()
	c := devcluster.Private(t, devcluster.Options{NodeManagers: 1, Conf: map[string]map[string]string{
		"core-site.xml": {"hadoop.rpc.protection": "privacy"},
		"yarn-site.xml": {
			"yarn.am.liveness-monitor.expiry-interval-ms":                        "15000",
			"yarn.resourcemanager.am-rm-tokens.master-key-rolling-interval-secs": "46",
		},
	}})
	conf := load(t, c)
	rm := newRM(t, conf, yarnrpc.Options{})
	ctx := within(t, 8*time.Minute)
	h := rollCounter{Handler: slog.DiscardHandler, rolled: &atomic.Int32{}, refused: &atomic.Int32{}}
	client := rpc.NewClient(rpc.Options{IdleTimeout: time.Millisecond})
	defer client.Close()
	creds := &token.Credentials{}
	am, _ := unmanaged(t, ctx, conf, rm, yarnrpc.Options{RPC: client, Log: slog.New(h), Credentials: creds})
	first := creds.OfKind(token.KindAMRM)[0]
	if _, err := am.Register(ctx, yarnrpc.RegisterRequest{Host: "localhost", Port: -1}); err != nil {
		t.Fatal(err)
	}
	heartbeat := func() {
		t.Helper()
		if _, err := am.Allocate(ctx, 0); err != nil {
			t.Fatal(err)
		}
		wait(t, ctx, 200*time.Millisecond)
	}
	for h.rolled.Load() < 1 {
		heartbeat()
	}
	// Some time after a roll-over the token of before is refused.
	for outdated := false; !outdated; outdated = refused(t, ctx, conf, first) {
		heartbeat()
	}
	heartbeat()
	if n := h.refused.Load(); n != 0 {
		t.Errorf("%d new tokens were refused", n)
	}
	if err := am.Finish(ctx, yarnrpc.FinalSucceeded, "", ""); err != nil {
		t.Error(err)
	}
}

// refused tells whether the ResourceManager refuses an AMRM token. A second registration with a good one changes nothing.
func refused(t *testing.T, ctx context.Context, conf *hadoopconf.Conf, amrm token.Token) bool {
	t.Helper()
	creds := &token.Credentials{}
	creds.Add("amrm", amrm)
	am, err := yarnrpc.NewApplicationMaster(conf, yarnrpc.Options{Credentials: creds})
	if err != nil {
		t.Fatal(err)
	}
	defer am.Close()
	_, err = am.Register(ctx, yarnrpc.RegisterRequest{Host: "localhost", Port: -1})
	return errors.Is(err, rpc.ErrInvalidToken)
}
