package web

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"html/template"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/rest"
)

//go:embed templates static
var files embed.FS

// contentPolicy allows a page its own style sheet, script and icon, and nothing else.
const contentPolicy = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// tailSize is how much of a log file a page shows, in bytes.
const tailSize = 128 << 10

// Options of the pages.
type Options struct {
	Backend rest.Backend
	// LogDir is the JobManager's log directory; empty when it has none.
	LogDir string
	Log    *slog.Logger
	// Refresh is how often pages of what changes ask for news, in whole seconds; 0 for never.
	Refresh time.Duration
}

// Pages serves / and /ui/ and all below it. It checks no token: mount it as rest.Options.Pages.
type Pages struct {
	backend rest.Backend
	logs    rest.LogDir
	log     *slog.Logger
	refresh int // seconds
	now     func() time.Time
	// pages are parsed when they are first shown: most JobManagers end without being looked at.
	pages map[string]func() (*template.Template, error)
	mux   *http.ServeMux
}

// New makes the handler.
func New(o Options) (*Pages, error) {
	if o.Backend == nil || o.Log == nil {
		return nil, errors.New("web pages: a backend and a logger are required")
	}
	p := &Pages{backend: o.Backend, logs: rest.LogDir(o.LogDir), log: o.Log, refresh: int((o.Refresh + time.Second - 1) / time.Second), now: time.Now, pages: map[string]func() (*template.Template, error){}, mux: http.NewServeMux()}
	for _, name := range []string{"overview", "job", "vertex", "taskmanager", "config", "logs", "log", "error"} {
		p.pages[name] = sync.OnceValues(func() (*template.Template, error) {
			return template.New("layout.html").Funcs(functions).ParseFS(files, "templates/layout.html", "templates/parts.html", "templates/"+name+".html")
		})
	}
	p.mux.HandleFunc("GET /{$}", p.page("overview", p.overview))
	p.mux.HandleFunc("GET /ui/jobs/{jobid}", p.page("job", p.job))
	p.mux.HandleFunc("GET /ui/jobs/{jobid}/vertices/{vertexid}", p.page("vertex", p.vertex))
	p.mux.HandleFunc("GET /ui/taskmanagers/{id}", p.page("taskmanager", p.taskManager))
	p.mux.HandleFunc("GET /ui/config", p.page("config", p.config))
	p.mux.HandleFunc("GET /ui/logs", p.page("logs", p.logList))
	p.mux.HandleFunc("GET /ui/logs/{file}", p.page("log", p.logTail))
	p.mux.HandleFunc("GET /ui/static/{file}", p.static)
	p.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		p.fail(w, r, rest.NotFound("there is no page %s", r.URL.Path))
	})
	return p, nil
}

// ServeHTTP answers with a page.
func (p *Pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Security-Policy", contentPolicy)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	p.mux.ServeHTTP(w, r)
}

// frame is what the layout needs; View is the page's own data.
type frame struct {
	// Root leads from the page to the root: "./", "../", "../../", ….
	Root string
	// Nav is the name of the page, Title what it shows.
	Nav, Title string
	Cluster    rest.Cluster
	// Refresh in seconds; 0 for a page that does not change.
	Refresh int
	Now     time.Time
	View    any
}

// page makes a handler of a function that gathers a page's title, refresh interval and data.
func (p *Pages) page(name string, gather func(r *http.Request) (title string, refresh int, view any, err error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		title, refresh, view, err := gather(r)
		if err != nil {
			p.fail(w, r, err)
			return
		}
		p.render(w, r, http.StatusOK, name, title, refresh, view)
	}
}

func (p *Pages) render(w http.ResponseWriter, r *http.Request, status int, name, title string, refresh int, view any) {
	cluster, err := p.backend.Cluster(r.Context())
	if err != nil {
		// The page is worth showing without; the layout says less.
		p.log.Debug("page without cluster", "error", err)
	}
	f := frame{Root: rootOf(r.URL.Path), Nav: name, Title: title, Cluster: cluster, Refresh: refresh, Now: p.now().UTC(), View: view}
	var buf bytes.Buffer
	t, err := p.pages[name]()
	if err == nil {
		err = t.Execute(&buf, f)
	}
	if err != nil {
		p.log.Error("page cannot be rendered", "page", name, "path", r.URL.Path, "error", err)
		http.Error(w, "the page cannot be shown; the JobManager's log says why", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	// YARN's web proxy copies headers; told the length, it is spared Transfer-Encoding.
	w.Header().Set("Content-Length", strconv.Itoa(buf.Len()))
	w.WriteHeader(status)
	// An error here means that the reader is gone.
	_, _ = w.Write(buf.Bytes())
}

// fail shows an error as a page.
func (p *Pages) fail(w http.ResponseWriter, r *http.Request, err error) {
	status := http.StatusInternalServerError
	var known *rest.Error
	if errors.As(err, &known) {
		status = known.Status
	} else {
		p.log.Error("page failed", "path", r.URL.Path, "error", err)
	}
	p.render(w, r, status, "error", http.StatusText(status), 0, err.Error())
}

// rootOf gives the relative way from a path to the root.
func rootOf(path string) string {
	depth := strings.Count(path, "/") - 1
	if depth <= 0 {
		return "./"
	}
	return strings.Repeat("../", depth)
}

func (p *Pages) static(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("file")
	content, err := files.ReadFile("static/" + name)
	if err != nil {
		p.fail(w, r, rest.NotFound("there is no file %s", r.URL.Path))
		return
	}
	switch {
	case strings.HasSuffix(name, ".css"):
		w.Header().Set("Content-Type", "text/css; charset=utf-8")
	case strings.HasSuffix(name, ".js"):
		w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
	}
	w.Header().Set("Cache-Control", "private, max-age=300")
	w.Header().Set("Content-Length", strconv.Itoa(len(content)))
	_, _ = w.Write(content)
}

func (p *Pages) overview(r *http.Request) (string, int, any, error) {
	ctx := r.Context()
	o, err := p.backend.Overview(ctx)
	if err != nil {
		return "", 0, nil, err
	}
	jobs, err := p.backend.Jobs(ctx)
	if err != nil {
		return "", 0, nil, err
	}
	tms, err := p.backend.TaskManagers(ctx)
	if err != nil {
		return "", 0, nil, err
	}
	return "Overview", p.refresh, newOverview(o, jobs, tms), nil
}

func (p *Pages) job(r *http.Request) (string, int, any, error) {
	ctx := r.Context()
	job, err := id.ParseJob(r.PathValue("jobid"))
	if err != nil {
		return "", 0, nil, rest.Invalid("job id %.80q: expected 32 hexadecimal digits", r.PathValue("jobid"))
	}
	d, err := p.backend.Job(ctx, job)
	if err != nil {
		return "", 0, nil, err
	}
	exceptions, err := p.backend.Exceptions(ctx, job)
	if err != nil {
		return "", 0, nil, err
	}
	config, err := p.backend.JobConfig(ctx, job)
	if err != nil {
		return "", 0, nil, err
	}
	view := newJob(&d, &exceptions, config)
	for i, v := range d.Vertices {
		view.Vertices[i].Hosts = p.hosts(ctx, job, v.ID)
	}
	refresh := p.refresh
	if rest.JobEnded(d.State) {
		refresh = 0
	}
	return d.Name, refresh, view, nil
}

// hosts sums up where the subtasks of a vertex run; empty when that cannot be told.
func (p *Pages) hosts(ctx context.Context, job id.Job, vertex string) string {
	parsed, err := id.ParseVertex(vertex)
	if err != nil {
		return ""
	}
	v, err := p.backend.Vertex(ctx, job, parsed)
	if err != nil {
		return ""
	}
	return hostSummary(v.Subtasks)
}

func (p *Pages) vertex(r *http.Request) (string, int, any, error) {
	job, err := id.ParseJob(r.PathValue("jobid"))
	if err != nil {
		return "", 0, nil, rest.Invalid("job id %.80q: expected 32 hexadecimal digits", r.PathValue("jobid"))
	}
	vertex, err := id.ParseVertex(r.PathValue("vertexid"))
	if err != nil {
		return "", 0, nil, rest.Invalid("vertex id %.80q: expected 32 hexadecimal digits", r.PathValue("vertexid"))
	}
	d, err := p.backend.Job(r.Context(), job)
	if err != nil {
		return "", 0, nil, err
	}
	v, err := p.backend.Vertex(r.Context(), job, vertex)
	if err != nil {
		return "", 0, nil, err
	}
	refresh := p.refresh
	if rest.JobEnded(d.State) {
		refresh = 0
	}
	return v.Name, refresh, newVertex(&d, &v), nil
}

func (p *Pages) taskManager(r *http.Request) (string, int, any, error) {
	t, err := p.backend.TaskManager(r.Context(), r.PathValue("id"))
	if err != nil {
		return "", 0, nil, err
	}
	jobs, err := p.backend.Jobs(r.Context())
	if err != nil {
		return "", 0, nil, err
	}
	return "TaskManager " + t.ID, 3, newTaskManager(t, jobs), nil
}

func (p *Pages) config(r *http.Request) (string, int, any, error) {
	entries, err := p.backend.Config(r.Context())
	if err != nil {
		return "", 0, nil, err
	}
	return "Configuration", 0, rest.MaskConfig(entries), nil
}

func (p *Pages) logList(*http.Request) (string, int, any, error) {
	list, err := p.logs.List()
	if err != nil {
		return "", 0, nil, rest.NotFound("the log directory cannot be read: %v", err)
	}
	return "Logs", 0, list, nil
}

func (p *Pages) logTail(r *http.Request) (string, int, any, error) {
	name := r.PathValue("file")
	f, modified, err := p.logs.Open(name)
	if err != nil {
		return "", 0, nil, err
	}
	defer f.Close()
	text, size, err := tail(f)
	if err != nil {
		return "", 0, nil, err
	}
	return name, 5, logView{Name: name, Size: size, Modified: modified.UTC(), Text: text, Cut: size > tailSize}, nil
}

// tail reads the last tailSize bytes, from the start of a line on.
func tail(f *os.File) (text string, size int64, err error) {
	info, err := f.Stat()
	if err != nil {
		return "", 0, err
	}
	start := max(0, info.Size()-tailSize)
	b, err := io.ReadAll(io.NewSectionReader(f, start, tailSize))
	if err != nil {
		return "", 0, err
	}
	if start > 0 {
		if i := bytes.IndexByte(b, '\n'); i >= 0 {
			b = b[i+1:]
		}
	}
	return strings.ToValidUTF8(string(b), "\uFFFD"), info.Size(), nil
}
