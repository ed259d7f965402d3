package web

import (
	"errors"
	"io"
	"log/slog"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/weft-project/weft/rest"
	"github.com/weft-project/weft/rest/resttest"
)

func newPages(t *testing.T, b rest.Backend, logs string) *Pages {
	t.Helper()
	p, err := New(Options{Backend: b, LogDir: logs, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Pages of what changes ask for news as often as they are told.
func TestRefresh(t *testing.T) {
	for interval, want := range map[time.Duration]string{0: "", time.Millisecond: `data-seconds="1"`, 3 * time.Second: `data-seconds="3"`} {
		p, err := New(Options{Backend: resttest.Sample(), Log: slog.New(slog.DiscardHandler), Refresh: interval})
		if err != nil {
			t.Fatal(err)
		}
		body := open(p, "/").Body.String()
		if !strings.Contains(body, want) || want == "" && strings.Contains(body, "refresh.js") {
			t.Errorf("every %s: no %q in the page", interval, want)
		}
	}
}

func open(p *Pages, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	p.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
	return w
}

func logDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"jobmanager.log": "first <line>\nlast\n", "odd#1?.log": "odd", "long.log": strings.Repeat("0123456789abcde\n", 20_000)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

var (
	running    = "/ui/jobs/" + resttest.RunningJob.String()
	failed     = "/ui/jobs/" + resttest.FailedJob.String()
	vertexPage = running + "/vertices/" + resttest.Source.String()
	pages      = []string{"/", running, failed, vertexPage, "/ui/taskmanagers/container_1760000000000_0007_01_000002", "/ui/config", "/ui/logs", "/ui/logs/jobmanager.log", "/ui/nosuch"}
)

func TestPagesShowWhatMatters(t *testing.T) {
	p := newPages(t, resttest.Sample(), logDir(t))
	for path, want := range map[string][]string{
		"/":                       {"application_1760000000000_0007", "wordcount", "nightly report", "root.default", "1 more asked for", "390 MiB", "of 4 GiB", "12 min 34 s", "node2", "4 running, 0 of 4 finished"},
		running:                   {"Source: text file -&gt; flatMap", "23,423,890", "195 MiB", "node1, node2", "hash", "65 % busy", "words", "1234567", "fixed delay"},
		failed:                    {"failed", "UserError", "strconv.Atoi: parsing &#34;&lt;none&gt;&#34;", "enrich (2/2)", "killed by signal 9"},
		vertexPage:                {"node2", "…_01_000003", "11,730,579", "47.9 MiB", "Earlier attempts", "<td class=\"n\">1/2</td>", "worker was killed by signal 9"},
		pages[4]:                  {"0 of 1 free", "exchange buffers", "wordcount", "8 cores"},
		"/ui/config":              {"parallelism.default", "s3.secret-key", rest.Masked},
		"/ui/logs":                {"jobmanager.log", "odd#1?.log", "odd%231%3F.log"},
		pages[7]:                  {"first &lt;line&gt;", "last"},
		"/ui/logs/odd%231%3F.log": {"odd"},
		"/ui/logs/long.log":       {"The end is shown", "312 KiB"},
	} {
		w := open(p, path)
		if w.Code != 200 || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") {
			t.Errorf("%s: %d %s", path, w.Code, w.Header())
		}
		for _, text := range want {
			if !strings.Contains(w.Body.String(), text) {
				t.Errorf("%s does not show %q", path, text)
			}
		}
		if strings.Contains(w.Body.String(), "hush-hush") {
			t.Errorf("%s shows a secret", path)
		}
	}
	if n := open(p, "/ui/logs/long.log").Body.Len(); n > tailSize+8<<10 {
		t.Errorf("a long log makes a page of %d bytes", n)
	}
}

func TestPagesThatFail(t *testing.T) {
	b := resttest.Sample()
	p := newPages(t, b, logDir(t))
	for path, want := range map[string]int{
		"/ui/nosuch": 404, "/ui/jobs/xyz": 400, "/ui/jobs/" + strings.Repeat("0", 32): 404, running + "/vertices/<b>": 400, "/ui/taskmanagers/none": 404, "/ui/logs/none": 404, "/ui/static/none": 404,
		"/ui/static/..%2ftemplates%2flayout.html": 404, "/ui/logs/..%2fx": 404,
	} {
		w := open(p, path)
		if w.Code != want || !strings.Contains(w.Body.String(), "<h1>") || strings.Contains(w.Body.String(), "<b>") {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	b.Fail = errors.New("nothing <works>")
	if w := open(p, "/"); w.Code != 500 || !strings.Contains(w.Body.String(), "nothing &lt;works&gt;") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// TestNothingIsTrusted: names from authors are text everywhere.
func TestNothingIsTrusted(t *testing.T) {
	b := resttest.Sample()
	const evil = `"><script>alert(1)</script>' onload=x javascript:alert(1)`
	b.ClusterDoc.Name, b.ClusterDoc.Queue, b.ClusterDoc.ClusterID = evil, evil, evil
	b.ClusterDoc.LogURL = "javascript:alert(1)"
	for i := range b.JobDocs {
		b.JobDocs[i].Name, b.JobDocs[i].Waiting = evil, evil
		b.JobDocs[i].Accumulators = []rest.Accumulator{{Name: evil, Type: evil, Value: evil}}
		for k := range b.JobDocs[i].Vertices {
			b.JobDocs[i].Vertices[k].Name = evil
		}
		b.JobDocs[i].Plan.Nodes[0].Inputs[0].ShipStrategy = evil
	}
	for i := range b.TaskManagerDocs {
		b.TaskManagerDocs[i].Host, b.TaskManagerDocs[i].LogURL = evil, "javascript:alert(1)"
	}
	p := newPages(t, b, logDir(t))
	for _, path := range pages {
		body := open(p, path).Body.String()
		for _, bad := range []string{"<script>", `href="javascript:`, "' onload=x\"", "<b>"} {
			if strings.Contains(body, bad) {
				t.Errorf("%s holds %q", path, bad)
			}
		}
	}
}

var links = regexp.MustCompile(`(?:href|src)="([^"]*)"`)

// TestLinksWorkBelowAPrefix follows every link of every page as a browser would below the web proxy's prefix.
func TestLinksWorkBelowAPrefix(t *testing.T) {
	const prefix = "/proxy/application_1760000000000_0007"
	logs := logDir(t)
	b := resttest.Sample()
	p := newPages(t, b, logs)
	s, err := rest.NewServer(rest.Options{Backend: b, NoAuth: true, LogDir: logs, Pages: p, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	followed := map[string]bool{}
	for _, path := range pages {
		at, err := url.Parse("http://rm:8088" + prefix + path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range links.FindAllStringSubmatch(open(p, path).Body.String(), -1) {
			link, err := url.Parse(strings.ReplaceAll(m[1], "&amp;", "&"))
			if err != nil || link.IsAbs() {
				continue
			}
			to := at.ResolveReference(link)
			below, ok := strings.CutPrefix(to.EscapedPath(), prefix)
			if !ok {
				t.Errorf("%s: link %q leaves the prefix: %s", path, m[1], to)
				continue
			}
			if followed[below] {
				continue
			}
			followed[below] = true
			w := httptest.NewRecorder()
			s.Handler().ServeHTTP(w, httptest.NewRequest("GET", below, nil))
			if w.Code != 200 {
				t.Errorf("%s: link %q leads to %s: %d %s", path, m[1], below, w.Code, w.Body)
			}
		}
	}
	if len(followed) < 15 {
		t.Errorf("only %d links: %v", len(followed), followed)
	}
}

func TestPolicy(t *testing.T) {
	p := newPages(t, resttest.Sample(), "")
	for _, path := range pages {
		w := open(p, path)
		if w.Header().Get("Content-Security-Policy") != contentPolicy {
			t.Errorf("%s: %v", path, w.Header())
		}
		for _, bad := range []string{"style=", "onclick", "<style", "http://www.w3.org/2000/svg\""} {
			if strings.Contains(w.Body.String(), bad) {
				t.Errorf("%s: %s would be refused by the policy or leads out", path, bad)
			}
		}
	}
}
