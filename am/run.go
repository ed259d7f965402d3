package am

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path"
	"strconv"
	"time"

	"github.com/weft-project/weft/am/spec"
	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/hdfsstate"
	"github.com/weft-project/weft/internal/fs"
	hadoopconf "github.com/weft-project/weft/internal/hadoop/conf"
	"github.com/weft-project/weft/internal/hadoop/rpc"
	"github.com/weft-project/weft/internal/hadoop/token"
	"github.com/weft-project/weft/jobmanager"
	"github.com/weft-project/weft/rest"
	"github.com/weft-project/weft/security"
	"github.com/weft-project/weft/security/identity"
	"github.com/weft-project/weft/web"
	"github.com/weft-project/weft/yarnrpc"
)

// Options of Run.
type Options struct {
	// Dir is the container's working directory with the localised files.
	Dir string
	// LogDir is the container's log directory.
	LogDir string
	Getenv func(string) string
	// OpenFiles makes the file systems for a Hadoop configuration and who uses them.
	OpenFiles func(conf *hadoopconf.Conf, who *identity.Identity, log *slog.Logger) (*fs.Registry, error)
	// Log is where the process logs; Configured is called once with the configuration, so that the level follows it.
	Log               *slog.Logger
	Configured        func(*config.Config)
	Version, Revision string
}

// endLimit bounds unregistering and cleaning up.
const endLimit = 20 * time.Second

// reportLimit bounds the attempt to tell why the process cannot start.
const reportLimit = 5 * time.Second

// application is one run of the ApplicationMaster.
type application struct {
	Options
	manifest *spec.Manifest
	config   *config.Config
	hadoop   *hadoopconf.Conf
	secret   security.Secret
	creds    *token.Credentials
	// who uses files, by tokens; own gets new ones from issuers and rm, by a key table, and is nil without one.
	who, own *identity.Identity
	issuers  *fs.Registry
	rm       *yarnrpc.ClientRM
	tokens   *identity.Keeper
	sizes    spec.Sizes
	host     string
	files    *fs.Registry
	master   *yarnrpc.ApplicationMaster
	earlier  *earlier
	// registered tells that the ResourceManager knows the attempt's address.
	registered bool
}

// Run runs the JobManager of one YARN application: it registers, serves until it is shut down, unregisters with the final
// status and removes the application's files. An end of ctx ends the process without unregistering: YARN wanted it so.
func Run(ctx context.Context, o Options) error {
	a := &application{Options: o}
	if err := a.read(); err != nil {
		return a.report(ctx, err)
	}
	err := a.run(ctx)
	if err != nil && !a.registered && ctx.Err() == nil {
		return a.report(ctx, err)
	}
	return err
}

// report makes an error of the start the application's diagnostics, so that the client shows it: without it the
// ResourceManager only knows that a process ended.
func (a *application) report(ctx context.Context, cause error) error {
	if a.hadoop == nil || a.creds == nil {
		return cause
	}
	retry := rpc.Retry{MaxWait: reportLimit, Interval: 100 * time.Millisecond, MaxInterval: time.Second}
	m, err := yarnrpc.NewApplicationMaster(a.hadoop, yarnrpc.Options{Credentials: a.creds, Log: a.Log, Retry: &retry})
	if err != nil {
		return errors.Join(cause, err)
	}
	defer m.Close()
	if _, err := m.Register(ctx, yarnrpc.RegisterRequest{Host: a.host, Port: -1}); err != nil {
		return errors.Join(cause, err)
	}
	return errors.Join(cause, m.Finish(ctx, yarnrpc.FinalFailed, "the JobManager could not start: "+cause.Error(), ""))
}

// run runs the application once everything is read.
func (a *application) run(ctx context.Context) error {
	control, err := listen(a.host, config.Get(a.config, config.JobManagerPorts))
	if err != nil {
		return fmt.Errorf("listen for TaskManagers (%s): %w", config.JobManagerPorts.Key, err)
	}
	pages, err := listen(restHost(a.config, a.host), config.Get(a.config, config.RESTBindPort))
	if err != nil {
		return errors.Join(fmt.Errorf("listen for clients (%s): %w", config.RESTBindPort.Key, err), control.Close())
	}
	if a.master, err = yarnrpc.NewApplicationMaster(a.hadoop, yarnrpc.Options{User: a.manifest.User, Credentials: a.creds, Log: a.Log}); err != nil {
		return err
	}
	defer a.master.Close()
	defer func() {
		if a.rm != nil {
			a.rm.Close()
		}
		for _, files := range []*fs.Registry{a.files, a.issuers} {
			if files == nil {
				continue
			}
			if err := files.Close(); err != nil {
				a.Log.Debug("close file systems", "error", err)
			}
		}
	}()
	if err := a.logIn(); err != nil {
		return err
	}
	return a.serve(ctx, control, pages)
}

// read reads what YARN has brought into the working directory.
func (a *application) read() (err error) {
	// These two come first: with them a failure can be told to the ResourceManager.
	if a.hadoop, err = hadoopconf.LoadFile(a.Getenv, path.Join(a.Dir, spec.Hadoop)); err != nil {
		return err
	}
	if a.creds, err = token.FromEnv(a.Getenv); err != nil {
		return err
	}
	if a.manifest, err = spec.Decode(a.Getenv(spec.EnvManifest)); err != nil {
		return err
	}
	if a.config, err = config.LoadFile(path.Join(a.Dir, spec.Config)); err != nil {
		return err
	}
	if a.Configured != nil {
		a.Configured(a.config)
	}
	if a.secret, err = security.ReadSecretFile(path.Join(a.Dir, spec.Secret)); err != nil {
		return err
	}
	if a.sizes, err = spec.ContainerSizes(a.config, a.hadoop); err != nil {
		return err
	}
	if a.sizes.Raised != "" {
		a.Log.Info(a.sizes.Raised)
	}
	if a.host = a.Getenv("NM_HOST"); a.host == "" {
		if a.host, err = os.Hostname(); err != nil {
			return fmt.Errorf("NM_HOST is not set and the host has no name: %w", err)
		}
	}
	return nil
}

// restHost is where clients are listened for. localhost, which Flink's shipped configuration has, would shut out the proxy and
// every client.
func restHost(c *config.Config, host string) string {
	if h := config.Get(c, config.RESTBindAddress); h != "" && h != "localhost" {
		return h
	}
	return host
}

// listen takes the first free port of a range; without a range any.
func listen(host string, ports config.PortRange) (net.Listener, error) {
	if len(ports) == 0 {
		ports = config.PortRange{0}
	}
	var last error
	for _, p := range ports {
		l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(p)))
		if err == nil {
			return l, nil
		}
		last = err
	}
	if len(ports) > 1 {
		return nil, fmt.Errorf("none of the %d ports from %d to %d is free: %w", len(ports), ports[0], ports[len(ports)-1], last)
	}
	return nil, last
}

// port is a listener's port.
func port(l net.Listener) int {
	if a, ok := l.Addr().(*net.TCPAddr); ok {
		return a.Port
	}
	return -1
}

// serve runs the JobManager between registration and end.
func (a *application) serve(ctx context.Context, control, clients net.Listener) error {
	options, err := a.driverOptions(net.JoinHostPort(a.host, strconv.Itoa(port(control))))
	if err != nil {
		return err
	}
	d := newDriver(options)
	jmOptions := a.jobManagerOptions(d, control)
	// Names of the attempts before must not be used again (F2).
	jmOptions.FirstAttempt = (int(a.master.Attempt().Number) - 1) * attemptsOfLeader
	jmOptions.EarlierGone = d.earlier.gone
	if err := a.keepSubmissions(ctx, &jmOptions); err != nil {
		return err
	}
	if err := a.noteScratch(&jmOptions); err != nil {
		return err
	}
	jm, err := jobmanager.New(jmOptions)
	if err != nil {
		return err
	}
	server, err := a.server(ctx, jm.Backend())
	if err != nil {
		return err
	}
	if a.tokens, err = a.newTokenKeeper(func(c *token.Credentials) { jm.SetHadoopTokens(forTaskManagers(c).Marshal()) }); err != nil {
		return err
	}
	d.tokens = a.tokens
	serveCtx, stopServing := context.WithCancel(context.WithoutCancel(ctx))
	served := make(chan error, 1)
	go func() { served <- server.Serve(serveCtx, clients) }()
	defer func() {
		stopServing()
		if err := <-served; err != nil {
			a.Log.Warn("REST server", "error", err)
		}
	}()
	address := net.JoinHostPort(a.host, strconv.Itoa(port(clients)))
	registration, err := a.master.Register(ctx, yarnrpc.RegisterRequest{Host: a.host, Port: port(clients), TrackingURL: "http://" + address})
	if err != nil {
		return fmt.Errorf("register with the ResourceManager: %w", err)
	}
	a.registered = true
	d.most, d.overview.Queue = registration.Max, registration.Queue
	d.earlier.begin(ctx, registration.Previous)
	a.Log.Info("registered with the ResourceManager", "attempt", a.master.Attempt().String(), "rest", address, "queue", registration.Queue)
	if a.tokens != nil {
		go a.tokens.Run(serveCtx)
	}
	ended, runErr := a.lead(ctx, jm)
	if ctx.Err() != nil {
		return nil
	}
	return errors.Join(runErr, a.end(ended, runErr))
}

// end unregisters and removes what the application has left.
func (a *application) end(ended outcome, runErr error) error {
	ctx, cancel := context.WithTimeout(context.Background(), endLimit)
	defer cancel()
	status, diagnostics := ended.status, ended.diagnostics
	if runErr != nil {
		status, diagnostics = yarnrpc.FinalFailed, runErr.Error()
	}
	a.Log.Info("unregistering", "status", string(status), "diagnostics", diagnostics)
	err := a.master.Finish(ctx, status, diagnostics, "")
	// Only now: an attempt after this one would need the files.
	store, base, filesErr := a.files.Get(a.manifest.Base)
	if filesErr == nil {
		filesErr = hdfsstate.Open(store, base, 0).Discard(ctx, a.manifest.Application)
	}
	if filesErr != nil {
		a.Log.Warn("remove the application's files; its user's next command will", "directory", a.manifest.Base, "error", filesErr)
	}
	return err
}

// server makes the REST server with its pages.
func (a *application) server(ctx context.Context, backend rest.Backend) (*rest.Server, error) {
	pages, err := web.New(web.Options{Backend: backend, LogDir: a.LogDir, Log: a.Log, Refresh: config.Get(a.config, config.PageRefresh)})
	if err != nil {
		return nil, err
	}
	jars, err := a.jars()
	if err != nil {
		return nil, err
	}
	uploads, err := a.newBlobs(ctx)
	if err != nil {
		return nil, err
	}
	authoriser, err := a.rights()
	if err != nil {
		return nil, err
	}
	identifier, err := a.identifier()
	if err != nil {
		return nil, err
	}
	return rest.NewServer(rest.Options{
		Backend: backend, Blobs: uploads, Jars: jars, KeepProgram: a.keepProgram, Token: a.secret.Derive("rest-owner").Hex(), NoAuth: config.Get(a.config, config.RESTAuth) == "none",
		ProxyHosts: proxyHosts(a.hadoop), Authoriser: authoriser, Identifier: identifier, LogDir: a.LogDir, Pages: pages, Log: a.Log,
	})
}

// proxyHosts are the hosts of YARN's web proxy: its own daemon's, else the ResourceManagers'.
func proxyHosts(conf *hadoopconf.Conf) []string {
	if own := conf.Get("yarn.web-proxy.address"); own != "" {
		return []string{own}
	}
	rms, err := conf.ResourceManagers()
	if err != nil {
		return nil
	}
	var out []string
	for _, rm := range rms {
		out = append(out, rm.Web)
	}
	return out
}

// driverOptions are those of the resource driver; what registration tells is added later.
func (a *application) driverOptions(jobManager string) (driverOptions, error) {
	idle := config.Get(a.config, config.HeartbeatIdle)
	if expiry, err := a.hadoop.GetDuration("yarn.am.liveness-monitor.expiry-interval-ms", 10*time.Minute, time.Millisecond); err == nil && idle > expiry/3 {
		idle = expiry / 3
	}
	a.earlier = newEarlier(a.master.Nodes(), a.master.Attempt(), a.Log)
	launch, err := taskManagerLaunch(a.manifest, a.config, a.sizes, jobManager, a.who.Credentials)
	return driverOptions{
		master: a.master, starter: a.master.Nodes(),
		launch: launch,
		request: yarnrpc.Request{
			Resource: yarnrpc.Resource{MemoryMB: int64(a.sizes.TaskManagerMB), VCores: int32(a.sizes.TaskManagerVCores)},
			Priority: 1, NodeLabel: config.Get(a.config, config.TaskManagerNodeLabel),
		},
		busy: config.Get(a.config, config.HeartbeatRequesting), idle: idle,
		earlier:  a.earlier,
		failures: limits(a.config, a.Log),
		nodeName: nodeNames(a.hadoop), logURL: logURLs(a.hadoop, a.manifest.User),
		overview: jobmanager.ResourceOverview{
			ApplicationID: a.manifest.Application, Name: config.Get(a.config, config.ApplicationName), User: a.manifest.User,
		},
		log: a.Log,
	}, err
}

// jobManagerOptions are those of the JobManager.
func (a *application) jobManagerOptions(d *driver, control net.Listener) jobmanager.Options {
	cluster := config.Get(a.config, config.ClusterID)
	if cluster == "" {
		cluster = a.manifest.Application
	}
	return jobmanager.Options{
		// Without a store the start time stands for the epoch: it grows from attempt to attempt.
		Epoch: uint64(time.Now().UnixMilli()), ClusterID: cluster, Target: a.target(), Secret: a.secret,
		Spec:   jobmanager.TaskManagerSpec{MemoryMB: a.sizes.TaskManagerMB, VCores: a.sizes.TaskManagerVCores, Slots: a.sizes.Slots},
		Driver: d, Files: a.files, Config: a.config, Log: a.Log, Version: a.Version, Revision: a.Revision, RPCListen: control,
	}
}
