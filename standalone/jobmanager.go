package standalone

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/jobmanager"
	"github.com/weft-project/weft/rest"
	"github.com/weft-project/weft/security"
	"github.com/weft-project/weft/security/identity"
	"github.com/weft-project/weft/web"
)

// ClusterID names a cluster without high-availability.cluster-id.
const ClusterID = "standalone"

// Target is how such a cluster runs, for the pages.
const Target = "standalone"

// RunJobManager runs a JobManager until ctx ends, it is shut down by REST, or the main has ended that it is there for.
func RunJobManager(ctx context.Context, o Options) (err error) {
	host := o.Host
	if host == "" {
		if host, err = jobManagerHost(o.Config, o.ConfDir); err != nil {
			return err
		}
	}
	secret, err := Secret(o.ConfDir, true)
	if err != nil {
		return err
	}
	conf, err := o.hadoop()
	if err != nil {
		return err
	}
	who, err := o.logIn(ctx, conf)
	if err != nil {
		return err
	}
	files, err := o.openFiles(conf, who)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, files.Close()) }()
	control, pages, err := o.listen(host)
	if err != nil {
		return err
	}
	temp := tempDir(o.Config)
	Sweep(temp)
	claim, err := claimDir(filepath.Join(temp, jobManagerPrefix+strconv.Itoa(os.Getpid())+"-"+randomHex()))
	if err != nil {
		return errors.Join(fmt.Errorf("directory for uploaded files (%s): %w", config.TempDirs.Key, err), control.Close(), pages.Close())
	}
	defer func() { err = errors.Join(err, claim.remove()) }()
	blobs, err := jobmanager.NewBlobs(filepath.Join(claim.dir, "blobs"))
	if err != nil {
		return errors.Join(err, control.Close(), pages.Close())
	}
	target := Target
	var main *mainRun
	if o.Job != nil {
		target = jobmanager.TargetOneMain
		if main, err = o.newMain(ctx, claim.dir, blobs, files); err != nil {
			return errors.Join(err, control.Close(), pages.Close())
		}
	}
	own, _ := o.memory()
	debug.SetMemoryLimit(own)
	cluster := config.Get(o.Config, config.ClusterID)
	if cluster == "" {
		cluster = ClusterID
	}
	var tokens atomic.Pointer[identity.Keeper]
	overview := func() jobmanager.ResourceOverview {
		k := tokens.Load()
		return jobmanager.ResourceOverview{User: who.Effective(), Warning: k.Warning(), TokensEnd: k.End()}
	}
	jm, err := jobmanager.New(jobmanager.Options{
		// Without a store the start time stands for the epoch.
		Epoch: uint64(time.Now().UnixMilli()), ClusterID: cluster, Target: target, Secret: secret,
		Spec:  taskManagerSpec(o.Config),
		Files: files, Config: o.Config, Log: o.Log, Version: o.Version, Revision: o.Revision, RPCListen: control, Blobs: blobs,
		Watch: watcher(temp), Overview: overview,
	})
	if err != nil {
		return errors.Join(err, control.Close(), pages.Close())
	}
	callers, err := o.access(conf, files, host)
	if err != nil {
		return errors.Join(err, pages.Close())
	}
	keeper, err := o.newKeeper(ctx, conf, who, files, jm.SetHadoopTokens)
	if err != nil {
		return errors.Join(err, pages.Close())
	}
	tokens.Store(keeper)
	keepCtx, stopKeeping := context.WithCancel(context.WithoutCancel(ctx))
	defer stopKeeping() // it goes on while jobs are being cancelled
	o.keep(keepCtx, who, keeper)
	return o.serve(ctx, jm, main, secret, blobs, pages, callers)
}

// serve runs the JobManager with its REST server.
func (o *Options) serve(ctx context.Context, jm *jobmanager.JobManager, main *mainRun, secret security.Secret, blobs *jobmanager.Blobs, clients net.Listener, who callers) error {
	pages, err := web.New(web.Options{Backend: jm.Backend(), LogDir: o.LogDir, Log: o.Log, Refresh: config.Get(o.Config, config.PageRefresh)})
	if err != nil {
		return err
	}
	jars, err := o.jars(blobs)
	if err != nil {
		return err
	}
	server, err := rest.NewServer(rest.Options{
		Backend: jm.Backend(), Token: secret.Derive(security.LabelRESTOwner).Hex(), NoAuth: config.Get(o.Config, config.RESTAuth) == "none",
		LogDir: o.LogDir, LogName: o.Name, Pages: pages, Blobs: blobs, Jars: jars, KeepProgram: keepProgram(blobs), Log: o.Log,
		Authoriser: who.rights, Identifier: who.identifier,
	})
	if err != nil {
		return err
	}
	// Who watches a job hears its end: the server goes on until the JobManager has ended.
	serveCtx, stopServing := context.WithCancel(context.WithoutCancel(ctx))
	served := make(chan error, 1)
	go func() { served <- server.Serve(serveCtx, clients) }()
	o.Log.Info("the JobManager serves", "rest", clients.Addr().String())
	o.Ready()
	// Told to end, it ends in order: jobs are cancelled, so that their unfinished output goes, and TaskManagers end too.
	defer context.AfterFunc(ctx, func() {
		if err := jm.Backend().Shutdown(serveCtx); err != nil {
			o.Log.Warn("shut down", "error", err)
		}
	})()
	if main != nil {
		err = main.lead(serveCtx, jm, func() bool { return ctx.Err() != nil })
	} else {
		err = jm.Run(serveCtx)
	}
	stopServing()
	return errors.Join(err, <-served)
}

// listen opens the ports for TaskManagers and for clients.
func (o *Options) listen(host string) (control, clients net.Listener, err error) {
	bind := config.Get(o.Config, config.JobManagerBindHost)
	if bind == "" {
		bind = host
	}
	port := config.Get(o.Config, config.JobManagerPort)
	if control, err = net.Listen("tcp", net.JoinHostPort(bind, strconv.Itoa(port))); err != nil {
		return nil, nil, fmt.Errorf("listen for TaskManagers (%s, %s): %w", config.JobManagerAddress.Key, config.JobManagerPort.Key, err)
	}
	restBind := config.Get(o.Config, config.RESTBindAddress)
	if restBind == "" {
		restBind = bind
	}
	ports := config.Get(o.Config, config.RESTBindPort)
	switch {
	case o.WebPort > 0:
		ports = config.PortRange{o.WebPort}
	case len(ports) == 0:
		ports = config.PortRange{config.Get(o.Config, config.RESTPort)}
	}
	for _, p := range ports {
		if clients, err = net.Listen("tcp", net.JoinHostPort(restBind, strconv.Itoa(p))); err == nil {
			return control, clients, nil
		}
	}
	return nil, nil, errors.Join(fmt.Errorf("listen for clients (%s, %s): %w", config.RESTPort.Key, config.RESTBindPort.Key, err), control.Close())
}

// taskManagerSpec is what TaskManagers of this configuration are like.
func taskManagerSpec(c *config.Config) jobmanager.TaskManagerSpec {
	return jobmanager.TaskManagerSpec{MemoryMB: config.Get(c, config.TaskManagerMemory).MB(), VCores: taskManagerCores(c), Slots: config.Get(c, config.Slots)}
}
