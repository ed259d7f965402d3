package launch

import (
	"context"
	"log/slog"
	"os"
	"runtime"
	"strconv"

	"github.com/weft-project/weft/internal/fs"
	"github.com/weft-project/weft/internal/fs/local"
	hadoopconf "github.com/weft-project/weft/internal/hadoop/conf"
	"github.com/weft-project/weft/internal/hadoop/token"
	"github.com/weft-project/weft/operator"
	"github.com/weft-project/weft/rpc/controlpb"
	"github.com/weft-project/weft/rpc/planpb"
	"github.com/weft-project/weft/taskexec/worker"
)

// localRole runs jobs in this process.
type localRole struct{ recorder }

// Begin is Launcher's: a local run uses all processors.
func (l *localRole) Begin(context.Context) (int, map[string]string, error) {
	return l.next(), map[string]string{"parallelism.default": strconv.Itoa(runtime.GOMAXPROCS(0))}, nil
}

// Reject is Launcher's: Execute's caller has the error.
func (l *localRole) Reject(error) {}

// Launch is Launcher's.
func (l *localRole) Launch(ctx context.Context, p *operator.Program) (*planpb.JobResult, error) {
	files := fs.NewRegistry()
	files.Register("file", local.Factory)
	conf, err := hadoopconf.Load(os.Getenv)
	if err == nil {
		registerHDFS(files, conf, hdfsUser{name: hadoopUser()})
	} else {
		// Without a Hadoop configuration hdfs:// paths say so when they are used; local files need none.
		files.Register("hdfs", func(string) (fs.FileSystem, error) { return nil, err })
	}
	defer func() { _ = files.Close() }() // everything written has been closed by its writer
	return worker.RunLocal(ctx, p, files, workerLog())
}

func hadoopUser() string {
	if u := os.Getenv("HADOOP_USER_NAME"); u != "" {
		return u
	}
	return osUser()
}

// workerFiles are the file systems of a worker: its TaskManager says where the Hadoop configuration and the tokens lie.
func workerFiles(s *controlpb.WorkerStart) (*fs.Registry, error) {
	files := fs.NewRegistry()
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
	registerHDFS(files, conf, hdfsUser{s.GetUser(), creds})
	if def := conf.Get("fs.defaultFS"); def != "" {
		files.SetDefault(def)
	}
	return files, nil
}

// workerLog writes warnings to standard error: the worker's log on a cluster, the terminal in a local run.
func workerLog() *slog.Logger {
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
}
