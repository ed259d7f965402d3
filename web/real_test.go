//go:build realhadoop

package web_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os/user"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/weft-project/weft/internal/devcluster"
	hadoopconf "github.com/weft-project/weft/internal/hadoop/conf"
	"github.com/weft-project/weft/internal/hadoop/token"
	"github.com/weft-project/weft/rest"
	"github.com/weft-project/weft/rest/resttest"
	"github.com/weft-project/weft/web"
	"github.com/weft-project/weft/yarnrpc"
	"github.com/weft-project/weft/yarnrpc/yarntest"
)

const ownerToken = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// serve shows the sample cluster on loopback as an ApplicationMaster would.
func serve(t *testing.T, proxy string) (backend *resttest.Backend, address string) {
	t.Helper()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	backend = resttest.Sample()
	pages, err := web.New(web.Options{Backend: backend, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	s, err := rest.NewServer(rest.Options{Backend: backend, Token: ownerToken, ProxyHosts: []string{proxy}, Pages: pages, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return backend, l.Addr().String()
}

// register makes this process the ApplicationMaster of an application with a tracking URL.
func register(t *testing.T, ctx context.Context, c *devcluster.Cluster, tracking string) yarnrpc.ApplicationID {
	t.Helper()
	conf, err := hadoopconf.LoadDirs(func(string) string { return "" }, c.ConfDir())
	if err != nil {
		t.Fatal(err)
	}
	u, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	rm, err := yarnrpc.NewClientRM(conf, yarnrpc.Options{User: u.Username})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(rm.Close)
	n, err := rm.NewApplication(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := rm.Submit(ctx, yarnrpc.Submission{ID: n.ID, Name: t.Name(), Unmanaged: true, MaxAttempts: 1, AM: yarnrpc.Resource{MemoryMB: 128, VCores: 1}}); err != nil {
		t.Fatal(err)
	}
	r, err := yarntest.Wait(ctx, rm, n.ID, 50*time.Millisecond, func(r yarnrpc.ApplicationReport) bool { return r.AMRMToken != nil })
	if err != nil {
		t.Fatal(err)
	}
	creds := &token.Credentials{}
	creds.Add("amrm", *r.AMRMToken)
	am, err := yarnrpc.NewApplicationMaster(conf, yarnrpc.Options{Credentials: creds})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(am.Close)
	if _, err := am.Register(ctx, yarnrpc.RegisterRequest{Host: "localhost", Port: -1, TrackingURL: tracking}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		end, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		if err := am.Finish(end, yarnrpc.FinalSucceeded, "", ""); err != nil {
			t.Error(err)
		}
	})
	return n.ID
}

func fetch(t *testing.T, ctx context.Context, method, target string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, method, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatalf("%s %s: %v", method, target, err)
	}
	defer a.Body.Close()
	body, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, target, err)
	}
	return a.StatusCode, string(body)
}

// TestThroughTheWebProxy reads the pages through a real ResourceManager's web proxy, without a token, and shows that
// nothing can be changed through it and nothing be read past it.
func TestThroughTheWebProxy(t *testing.T) {
	c := devcluster.Shared(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	backend, address := serve(t, c.RMWeb())
	app := register(t, ctx, c, "http://"+address)
	root := "http://" + c.RMWeb() + "/proxy/" + app.String() + "/"

	links := regexp.MustCompile(`(?:href|src)="([^"]*)"`)
	queue, seen := []string{root}, map[string]bool{root: true}
	for len(queue) > 0 {
		at, err := url.Parse(queue[0])
		if err != nil {
			t.Fatal(err)
		}
		queue = queue[1:]
		status, body := fetch(t, ctx, "GET", at.String())
		if status != 200 {
			t.Errorf("%s: %d %.200s", at, status, body)
		}
		for _, m := range links.FindAllStringSubmatch(body, -1) {
			link, err := at.Parse(m[1])
			if err != nil || !strings.HasPrefix(link.String(), root) || seen[link.String()] {
				continue
			}
			seen[link.String()] = true
			queue = append(queue, link.String())
		}
	}
	if len(seen) < 12 {
		t.Errorf("only %d pages were found: %v", len(seen), seen)
	}
	if status, body := fetch(t, ctx, "GET", root+"v1/jobs/overview"); status != 200 || !strings.Contains(body, `"name":"wordcount"`) {
		t.Errorf("document: %d %s", status, body)
	}
	job := resttest.RunningJob.String()
	if status, body := fetch(t, ctx, "GET", root+"jobs/"+job+"/yarn-cancel"); status != 401 || !strings.Contains(body, "may read only") {
		t.Errorf("yarn-cancel: %d %s", status, body)
	}
	for _, method := range []string{"PUT", "PATCH", "DELETE", "POST"} {
		if status, _ := fetch(t, ctx, method, root+"jobs/"+job); status < 400 {
			t.Errorf("%s: %d", method, status)
		}
	}
	if status, _ := fetch(t, ctx, "GET", "http://"+address+"/overview"); status != 401 {
		t.Errorf("past the proxy, from its machine: %d", status)
	}
	if len(backend.Canceled()) != 0 || backend.ShutdownAsked() {
		t.Error("something was changed through the proxy")
	}
}
