package localpage

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/rest"
	"github.com/weft-project/weft/security"
	"github.com/weft-project/weft/web"
)

// Page serves the jobs of one program on the loopback interface until the program ends, or Close.
type Page struct {
	// Address is host:port; Token is the password of those who are asked for one.
	Address, Token string

	config  map[string]string
	started time.Time
	server  *http.Server

	mu   sync.Mutex
	runs []*Run
}

// timeout bounds reading a request and writing an answer.
const timeout = time.Minute

// Open serves a page when the configuration asks for one with rest.port; nil when it does not.
func Open(values map[string]string, log *slog.Logger) (*Page, error) {
	c := config.FromMap(values)
	if !c.IsSet(config.RESTPort.Key) {
		return nil, nil
	}
	port := config.Get(c, config.RESTPort)
	l, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return nil, fmt.Errorf("page of the local run (%s): %w", config.RESTPort.Key, err)
	}
	p := &Page{Address: l.Addr().String(), config: values, started: time.Now()}
	open := config.Get(c, config.RESTAuth) == "none"
	if !open && !knowsPeers {
		p.Token = security.NewSecret().Derive(security.LabelRESTOwner).Hex()
	}
	b := &backend{p}
	pages, err := web.New(web.Options{Backend: b, Log: log, Refresh: config.Get(c, config.PageRefresh)})
	if err != nil {
		return nil, err
	}
	server, err := rest.NewServer(rest.Options{Backend: b, Token: p.Token, NoAuth: p.Token == "", Pages: pages, Log: log})
	if err != nil {
		return nil, err
	}
	p.server = &http.Server{Handler: named(server.Handler()), ReadTimeout: timeout, WriteTimeout: timeout,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug)}
	if !open && knowsPeers {
		l = &ownListener{l}
	}
	// It ends with the process.
	go func() { _ = p.server.Serve(l) }()
	return p, nil
}

// Close ends the page.
func (p *Page) Close() error { return p.server.Close() }

// NewRun is the next job of the program.
func (p *Page) NewRun() *Run {
	r := &Run{}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.runs = append(p.runs, r)
	return r
}

func (p *Page) list() []*Run {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.runs)
}

// named lets those pass that ask for this machine by name: a page of the web whose name leads here must not read ours.
func named(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := r.Host
		if h, _, err := net.SplitHostPort(name); err == nil {
			name = h
		}
		if name != "localhost" && name != "127.0.0.1" {
			http.Error(w, fmt.Sprintf("%q is not this page's name: open http://localhost", name), http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// ownListener accepts connections of this user's processes only.
type ownListener struct{ net.Listener }

// Accept is net.Listener's.
func (l *ownListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil || ownPeer(c) {
			return c, err
		}
		_ = c.Close() // a stranger hears nothing
	}
}
