package launch

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"strconv"
	"sync"

	"github.com/weft-project/weft/internal/fs"
	"github.com/weft-project/weft/internal/fs/local"
	hadoopconf "github.com/weft-project/weft/internal/hadoop/conf"
	"github.com/weft-project/weft/internal/hadoop/token"
	"github.com/weft-project/weft/internal/localpage"
	"github.com/weft-project/weft/internal/role"
	"github.com/weft-project/weft/operator"
	"github.com/weft-project/weft/rpc/controlpb"
	"github.com/weft-project/weft/rpc/planpb"
	"github.com/weft-project/weft/security/identity"
	"github.com/weft-project/weft/taskexec/worker"
)

// localRole runs jobs in this process.
type localRole struct {
	recorder
	// told is that weft run -t local has started this process: it wants the lines that scripts know.
	told bool

	mu   sync.Mutex
	page *localpage.Page
}

// envPage is the port of the page of a program that is started by hand.
const envPage = "WEFT_REST_PORT"

// Begin is Launcher's: a local run uses all processors, and takes what weft run -t local says.
func (l *localRole) Begin(context.Context) (int, map[string]string, error) {
	values := map[string]string{"parallelism.default": strconv.Itoa(runtime.GOMAXPROCS(0))}
	if port := os.Getenv(envPage); port != "" {
		values["rest.port"] = port
	}
	if text := os.Getenv(role.EnvConfig); text != "" {
		l.told = true
		if err := json.Unmarshal([]byte(text), &values); err != nil {
			return 0, nil, fmt.Errorf("%s: %w", role.EnvConfig, err)
		}
	}
	return l.next(), values, nil
}

// Reject is Launcher's: Execute's caller has the error.
func (l *localRole) Reject(error) {}

// Launch is Launcher's.
func (l *localRole) Launch(ctx context.Context, p *operator.Program) (*planpb.JobResult, error) {
	files := fs.NewRegistry()
	files.Register("file", local.Factory)
	conf, err := hadoopconf.Load(os.Getenv)
	var who *identity.Identity
	if err == nil {
		who, err = localIdentity(conf, p.Graph.GetConfig())
	}
	if err == nil {
		registerHDFS(files, conf, who)
	} else {
		// Without a Hadoop configuration, or a ticket, hdfs:// paths say so when they are used; local files need none.
		files.Register("hdfs", func(string) (fs.FileSystem, error) { return nil, err })
	}
	defer func() { _ = files.Close() }() // everything written has been closed by its writer
	w, err := l.watcher(p.Graph.GetConfig())
	if err != nil {
		return nil, err
	}
	return worker.RunLocalWatched(ctx, p, files, workerLog(), w)
}

// watcher is who is told of the next job: the page, which the first job that asks for one opens, and who started this process.
func (l *localRole) watcher(values map[string]string) (worker.Watcher, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.page == nil {
		var err error
		if l.page, err = localpage.Open(values, workerLog()); err != nil {
			return nil, err
		}
		if l.page != nil {
			fmt.Fprintf(os.Stderr, "JobManager Web Interface: http://%s\n", l.page.Address)
		}
		if l.page != nil && l.page.Token != "" {
			fmt.Fprintf(os.Stderr, "Its password, with any user name: %s\n", l.page.Token)
		}
	}
	var all watchers
	if l.page != nil {
		all = append(all, l.page.NewRun())
	}
	if l.told {
		all = append(all, teller{os.Stdout})
	}
	if len(all) == 0 {
		return nil, nil
	}
	return all, nil
}

// workerFiles are the file systems of a worker: its TaskManager says where the Hadoop configuration and the tokens lie, and sends
// later ones. A worker's directory goes with it: relative paths are refused where no other file system takes them.
func workerFiles(s *controlpb.WorkerStart, link *worker.Link) (*fs.Registry, error) {
	files := fs.NewRegistry()
	files.RefuseRelative()
	files.Register("file", local.Factory)
	if s.GetHadoopConfFile() == "" {
		return files, nil
	}
	conf, err := hadoopconf.LoadFile(os.Getenv, s.GetHadoopConfFile())
	if err != nil {
		return nil, err
	}
	var creds *token.Credentials
	if s.GetHadoopTokenFile() != "" {
		if creds, err = token.ReadFile(s.GetHadoopTokenFile()); err != nil {
			return nil, err
		}
	}
	who := identity.New(s.GetUser(), creds)
	followTokens(link, who)
	registerHDFS(files, conf, who)
	if def := conf.Get("fs.defaultFS"); def != "" {
		files.SetDefault(def)
	}
	return files, nil
}

// workerLog writes warnings to standard error: the worker's log on a cluster, the terminal in a local run.
func workerLog() *slog.Logger {
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
}
