package standalone

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/weft-project/weft/config"
	hadoopconf "github.com/weft-project/weft/internal/hadoop/conf"
	"github.com/weft-project/weft/internal/hadoop/token"
	"github.com/weft-project/weft/taskexec"
)

// RunTaskManager runs a TaskManager until ctx ends or the JobManager ends it.
func RunTaskManager(ctx context.Context, o Options) (err error) {
	secret, err := Secret(o.ConfDir, false)
	if err != nil {
		return err
	}
	master, err := jobManagerHost(o.Config, o.ConfDir)
	if err != nil {
		return err
	}
	address := net.JoinHostPort(master, strconv.Itoa(config.Get(o.Config, config.JobManagerPort)))
	host, err := o.taskManagerHost(master)
	if err != nil {
		return err
	}
	conf, err := o.hadoop()
	if err != nil {
		return err
	}
	who, err := o.logInWorker(ctx, conf)
	if err != nil {
		return err
	}
	id := host + "-" + strconv.Itoa(os.Getpid()) + "-" + randomHex()
	temp := tempDir(o.Config)
	Sweep(temp)
	claim, err := claimDir(taskManagerDir(temp, id))
	if err != nil {
		return fmt.Errorf("working directory (%s): %w", config.TempDirs.Key, err)
	}
	defer func() { err = errors.Join(err, claim.remove()) }()
	t := taskexec.Options{ID: id, Host: host, Secret: secret, JobManager: func(context.Context) (string, error) { return address, nil },
		Slots: config.Get(o.Config, config.Slots), VCores: taskManagerCores(o.Config), ProcessMemory: int64(config.Get(o.Config, config.TaskManagerMemory)),
		WorkDir: claim.dir, LogDir: filepath.Join(claim.dir, "log"), User: who.Effective(), Version: o.Version, Log: o.Log,
		LeaderlessTimeout: config.Get(o.Config, config.LeaderlessTimeout), Goodbye: true,
		WorkerStartTimeout: config.Get(o.Config, config.WorkerStartTimeout)}
	if o.LogDir != "" {
		// Several TaskManagers of a machine have workers of the same job: each keeps their logs in a directory of its own.
		t.LogDir, t.OwnLogDir, t.LogName = filepath.Join(o.LogDir, o.Name), o.LogDir, o.Name
	}
	if t.HadoopConfFile, err = writeHadoop(conf, claim.dir); err != nil {
		return err
	}
	if t.Files, err = o.openFiles(conf, who); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.Files.Close()) }()
	t.NewTokens = func(data []byte) error {
		creds, err := token.Unmarshal(data)
		if err == nil && who.Login == nil {
			who.Update(creds)
		}
		return err
	}
	o.keep(ctx, who, nil)
	o.Log.Info("looking for the JobManager", "address", address, "taskmanager", id, "slots", t.Slots)
	o.Ready()
	return taskexec.Run(ctx, t)
}

// taskManagerHost is the name under which the others reach this machine.
func (o *Options) taskManagerHost(master string) (string, error) {
	for _, h := range []string{o.Host, config.Get(o.Config, config.TaskManagerHost)} {
		if h != "" {
			return h, nil
		}
	}
	// The others of a cluster on localhost are there too, and this machine's name may lead elsewhere.
	if ip := net.ParseIP(master); master == localhost || ip != nil && ip.IsLoopback() {
		return master, nil
	}
	host, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("%s is not set and this machine has no name: %w", config.TaskManagerHost.Key, err)
	}
	return host, nil
}

// taskManagerCores are the processors that workers share.
func taskManagerCores(c *config.Config) int {
	if cores, ok := config.Lookup(c, config.TaskManagerCPU); ok {
		return max(1, int(math.Round(cores)))
	}
	return runtime.NumCPU()
}

// writeHadoop writes the configuration for the workers. An empty one is written too: with it they read HDFS by full URIs.
func writeHadoop(conf *hadoopconf.Conf, dir string) (path string, err error) {
	path = filepath.Join(dir, "hadoop.xml")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return "", err
	}
	return path, errors.Join(conf.WriteXML(f), f.Close())
}

func randomHex() string {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	return hex.EncodeToString(b[:])
}

// taskManagerDir is the working directory of a TaskManager; the JobManager of the same machine finds it by the id.
func taskManagerDir(temp, id string) string {
	return filepath.Join(temp, taskManagerPrefix+strings.Map(func(r rune) rune {
		if r == '/' || r == ':' || r == '\\' || r < ' ' {
			return '_'
		}
		return r
	}, id))
}
