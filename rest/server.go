package rest

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"golang.org/x/net/netutil"
)

// Limits of the server. Everything a peer can make us hold or wait for is bounded.
const (
	// headerSlop is what net/http reads beyond its limit before it complains.
	headerSlop        = 4 << 10
	maxHeaderBytes    = 16<<10 - headerSlop
	readHeaderTimeout = 5 * time.Second
	readTimeout       = time.Minute
	writeTimeout      = time.Minute
	idleTimeout       = 2 * time.Minute
	shutdownTimeout   = 3 * time.Second
	// maxConnections leaves room for a hundred attached clients and their watches.
	maxConnections = 512
	// maxSubmitBody is the limit of the plan protocol.
	maxSubmitBody = 64 << 20
	// maxBody is for requests whose body says nothing we read.
	maxBody = 64 << 10
	// maxSubmissions are read at the same time; others wait.
	maxSubmissions = 4
	// maxWatch bounds ?wait=.
	maxWatch = time.Minute
	// logTimeout is for sending one log file.
	logTimeout = 10 * time.Minute
)

// Options of a Server.
type Options struct {
	Backend Backend
	// Token is the owner's token: hexadecimal text. Required unless NoAuth.
	Token string
	// NoAuth lets everybody do everything ("security.rest.auth: none").
	NoAuth bool
	// ProxyHosts are the hosts YARN's web proxy runs on (name or address, with or without port); empty outside YARN.
	ProxyHosts []string
	// Authoriser tells what users may do whom the proxy or Identifier names; nil lets all of them read and none change anything.
	Authoriser Authoriser
	// Identifier is another way to show who one is than the token; nil for none.
	Identifier Identifier
	// LogDir is the JobManager's log directory; empty when it has none.
	LogDir string
	// LogName is the name of the JobManager's log there, without its ending; "jobmanager" when empty.
	LogName string
	// Pages serves / and /ui/ and all below it; nil for a server without pages.
	Pages http.Handler
	// Blobs keeps uploaded files, itself or in a shared file system (SharedBlobs); nil for clusters that take none.
	Blobs Blobs
	// Jars keeps uploaded programs; nil for clusters that take none, such as those of one job.
	Jars *Jars
	// KeepProgram brings an uploaded program to the TaskManagers; nil where they are not run.
	KeepProgram KeepProgram
	Log         *slog.Logger
	// Lookup resolves a host name; nil for the system's resolver.
	Lookup LookupFunc
}

// Server answers the REST paths and pages of a JobManager.
type Server struct {
	disposals disposals
	backend   Backend
	auth      *authenticator
	logs      LogDir
	logName   string
	blobs     Blobs
	jars      *Jars
	keep      KeepProgram
	log       *slog.Logger
	mux       *http.ServeMux
	origin    *http.CrossOriginProtection
	submits   chan struct{}
	handler   http.Handler
	// description makes the OpenAPI description, once.
	description func() ([]byte, error)
}

// NewServer checks the options and builds the server; Serve starts it.
func NewServer(o Options) (*Server, error) {
	if o.Backend == nil || o.Log == nil {
		return nil, errors.New("rest server: a backend and a logger are required")
	}
	auth, err := newAuthenticator(o)
	if err != nil {
		return nil, err
	}
	s := &Server{
		backend: o.Backend,
		auth:    auth,
		logs:    LogDir(o.LogDir),
		logName: cmp.Or(o.LogName, "jobmanager"),
		blobs:   o.Blobs,
		jars:    o.Jars,
		keep:    o.KeepProgram,
		log:     o.Log,
		mux:     http.NewServeMux(),
		origin:  http.NewCrossOriginProtection(),
		submits: make(chan struct{}, maxSubmissions),

		description: sync.OnceValues(OpenAPI),
	}
	for _, route := range Routes() {
		h := s.routeHandler(route)
		s.mux.Handle(route.pattern(""), h)
		s.mux.Handle(route.pattern("/v1"), h)
	}
	if o.Pages != nil {
		pages := limitPages(o.Pages)
		s.mux.Handle("GET /{$}", pages)
		s.mux.Handle("GET /ui/", pages)
	}
	s.mux.HandleFunc("/", s.handleUnknown)
	s.handler = s.recovering(s.authenticated(s.mux))
	return s, nil
}

// Handler is the whole server as a handler.
func (s *Server) Handler() http.Handler { return s.handler }

// Serve answers requests on the listener until ctx ends; then it lets running requests finish for a moment (waiting
// watches return at once) and closes. It returns nil after such an end.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	requests, stopRequests := context.WithCancel(context.WithoutCancel(ctx))
	defer stopRequests()
	strangers := &crowd{limit: maxPending}
	hs := &http.Server{
		ConnContext:       strangers.arrived,
		ConnState:         strangers.changed,
		Handler:           s.handler,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		BaseContext:       func(net.Listener) context.Context { return requests },
	}
	served := make(chan error, 1)
	go func() { served <- hs.Serve(netutil.LimitListener(l, maxConnections)) }()
	select {
	case err := <-served:
		return fmt.Errorf("rest server on %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	// Requests that wait for news end now; the others get the time below.
	stopRequests()
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	if err := hs.Shutdown(grace); err != nil {
		hs.Close()
	}
	<-served
	return nil
}

// routeHandler wraps a route's handler with its access rule and error answers.
func (s *Server) routeHandler(route Route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if route.Access == AccessOwner {
			if err := s.checkModify(r); err != nil {
				s.answerError(w, r, err)
				return
			}
			if err := s.checkOrigin(r); err != nil {
				s.answerError(w, r, err)
				return
			}
		}
		if r.Body != nil && r.ContentLength != 0 {
			limit := int64(maxBody)
			if r.Method == http.MethodPost {
				limit = maxSubmitBody
			}
			limit = max(limit, route.body)
			r.Body = http.MaxBytesReader(w, r.Body, limit)
		}
		if err := route.handle(s, w, r); err != nil {
			s.answerError(w, r, err)
		}
	})
}

// checkOrigin refuses requests that another site made a browser send. The standard protection lets GETs pass, as they
// should change nothing; ours that do (yarn-cancel) are looked at as well.
func (s *Server) checkOrigin(r *http.Request) error {
	cross := s.origin.Check(r) != nil
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "none", "same-origin":
	default:
		cross = true
	}
	if cross {
		return &Error{Status: http.StatusForbidden, Message: fmt.Sprintf("%s %s was sent by a page of another site (Origin %q); changes are accepted from this server's own pages and from programs only", r.Method, r.URL.Path, r.Header.Get("Origin"))}
	}
	return nil
}

// limitPages keeps bodies away from pages.
func limitPages(pages http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.NoBody
		pages.ServeHTTP(w, r)
	})
}

// handleUnknown answers paths that are not in the table: 405 when another method is, else 404.
func (s *Server) handleUnknown(w http.ResponseWriter, r *http.Request) {
	var allowed string
	for _, method := range [...]string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
		probe := &http.Request{Method: method, URL: r.URL, Host: r.Host}
		if _, pattern := s.mux.Handler(probe); pattern != "/" && pattern != "" {
			if allowed != "" {
				allowed += ", "
			}
			allowed += method
		}
	}
	if allowed != "" {
		w.Header().Set("Allow", allowed)
		s.answerError(w, r, &Error{Status: http.StatusMethodNotAllowed, Message: fmt.Sprintf("%s is not possible on %s, only %s", r.Method, r.URL.Path, allowed)})
		return
	}
	s.answerError(w, r, NotFound("unknown path %s", r.URL.Path))
}

// recovering turns a panic into an answer 500 with an id that the log has too. Headers that hold for every answer are
// set here.
func (s *Server) recovering(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if p == http.ErrAbortHandler {
				// Not a bug: how a handler tells net/http to drop the connection.
				panic(p)
			}
			event := eventID()
			s.log.Error("request handler panicked", "id", event, "method", r.Method, "path", r.URL.Path, "panic", p, "stack", string(debug.Stack()))
			writeErrors(w, http.StatusInternalServerError, "internal server error; the JobManager's log says more under id "+event)
		}()
		next.ServeHTTP(w, r)
	})
}

// answerError answers with the status an error asks for; others are 500 and logged.
func (s *Server) answerError(w http.ResponseWriter, r *http.Request, err error) {
	var known *Error
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &known):
		writeErrors(w, known.Status, known.Message)
	case errors.As(err, &tooLarge):
		writeErrors(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("the body of %s %s is larger than %d bytes", r.Method, r.URL.Path, tooLarge.Limit))
	case r.Context().Err() != nil:
		writeErrors(w, http.StatusServiceUnavailable, "the JobManager is shutting down")
	default:
		event := eventID()
		s.log.Error("request failed", "id", event, "method", r.Method, "path", r.URL.Path, "error", err)
		writeErrors(w, http.StatusInternalServerError, "internal server error: "+err.Error()+" (id "+event+")")
	}
}

// eventID names an entry of the log.
func eventID() string {
	var b [6]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "unknown"
	}
	return hex.EncodeToString(b[:])
}
