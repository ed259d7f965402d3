package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"

	"github.com/weft-project/weft/am/spec"
	"github.com/weft-project/weft/config"
	hadoopconf "github.com/weft-project/weft/internal/hadoop/conf"
	"github.com/weft-project/weft/internal/hadoop/token"
	"github.com/weft-project/weft/security"
	"github.com/weft-project/weft/security/identity"
	"github.com/weft-project/weft/taskexec"
)

// taskManagerHeap is what the TaskManager's own garbage collector aims for, in bytes: it leaves the rest to its workers.
const taskManagerHeap = 40 << 20

// taskManager is a TaskManager's process in a YARN container.
func (p *process) taskManager(ctx context.Context, args []string) error {
	s, err := processArgs("taskmanager", args)
	if err != nil {
		return err
	}
	log, configured, err := processLog(s.logDir, "taskmanager.log", p.stderr)
	if err != nil {
		return err
	}
	debug.SetMemoryLimit(taskManagerHeap)
	runtime.GOMAXPROCS(min(runtime.GOMAXPROCS(0), max(2, s.vcores)))
	log.Info("starting the TaskManager", "version", versionText(), "pid", os.Getpid(), "container", p.getenv("CONTAINER_ID"))
	o, err := p.taskManagerOptions(s, configured)
	if err == nil {
		o.Log = log
		o.Files, err = clusterFiles(o.conf, o.who, log)
	}
	if err == nil {
		err = taskexec.Run(ctx, o.Options)
		err = errors.Join(err, o.Files.Close())
	}
	if err != nil {
		log.Error("the TaskManager ended", "error", err)
		return err
	}
	log.Info("the TaskManager ended")
	return nil
}

// taskManagerSettings are the options of taskexec and what else its process needs.
type taskManagerSettings struct {
	taskexec.Options
	conf *hadoopconf.Conf
	who  *identity.Identity
}

// taskManagerOptions reads what YARN has brought into the working directory.
func (p *process) taskManagerOptions(s processSettings, configured func(*config.Config)) (o taskManagerSettings, err error) {
	dir, err := os.Getwd()
	if err != nil {
		return o, err
	}
	c, err := config.LoadFile(filepath.Join(dir, spec.Config))
	if err != nil {
		return o, err
	}
	configured(c)
	manifest, err := spec.Decode(p.getenv(spec.EnvManifest))
	if err != nil {
		return o, err
	}
	o.HadoopConfFile = filepath.Join(dir, spec.Hadoop)
	if o.conf, err = hadoopconf.LoadFile(p.getenv, o.HadoopConfFile); err != nil {
		return o, err
	}
	if o.Secret, err = security.ReadSecretFile(filepath.Join(dir, spec.Secret)); err != nil {
		return o, err
	}
	if o.Host = p.getenv("NM_HOST"); o.Host == "" {
		if o.Host, err = os.Hostname(); err != nil {
			return o, err
		}
	}
	o.ID = p.getenv("CONTAINER_ID")
	o.JobManager = func(context.Context) (string, error) { return s.jobManager, nil }
	o.Slots, o.VCores, o.ProcessMemory = s.slots, s.vcores, int64(s.memory)<<20
	o.LogDir, o.WorkDir = s.logDir, filepath.Join(dir, "work")
	o.Shipped = map[string]string{}
	for _, name := range manifest.Shipped() {
		o.Shipped[name] = filepath.Join(dir, filepath.FromSlash(name))
	}
	o.TokenFile, o.User = p.getenv(token.EnvFile), manifest.User
	creds, err := token.FromEnv(p.getenv)
	if err != nil {
		return o, err
	}
	o.who = identity.New(manifest.User, creds)
	o.NewTokens = func(data []byte) error {
		creds, err := token.Unmarshal(data)
		if err == nil {
			o.who.Update(creds)
		}
		return err
	}
	o.Version = versionText()
	if port := p.getenv("NM_HTTP_PORT"); port != "" {
		o.LogURL = "http://" + o.Host + ":" + port + "/node/containerlogs/" + o.ID + "/" + manifest.User
	}
	o.LeaderlessTimeout = config.Get(c, config.LeaderlessTimeout)
	o.WorkerStartTimeout = config.Get(c, config.WorkerStartTimeout)
	return o, nil
}
