package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/weft-project/weft/am/spec"
	"github.com/weft-project/weft/config"
	hadoopconf "github.com/weft-project/weft/internal/hadoop/conf"
	"github.com/weft-project/weft/rest"
	"github.com/weft-project/weft/rest/access"
	"github.com/weft-project/weft/security"
	"github.com/weft-project/weft/yarnrpc"
)

// Session is a running session on YARN, or a JobManager reached by its address.
type Session struct {
	client *Client
	// App is zero for a JobManager given by its address.
	App     yarnrpc.ApplicationID
	Address string
	token   string
	rest    *rest.Client
	// single tells that the cluster is for one job or one main and ends with it.
	single bool
}

// restTokenLabel derives the owner's token from the application's secret.
const restTokenLabel = "rest-owner"

// SessionOptions are for StartSession beyond what is in the configuration.
type SessionOptions struct {
	// Ship are local files and directories for the working directory of every process.
	Ship []string
	// Dynamic are the settings of the command line, kept in the properties file for later commands.
	Dynamic map[string]string
}

// deployment is one start of a cluster.
type deployment struct {
	// kind is what is started.
	kind clusterKind
	// job is brought to the cluster's file system with the rest; nil for sessions.
	job     *deployedJob
	client  *Client
	conf    *hadoopconf.Conf
	rm      *yarnrpc.ClientRM
	staging *staging
	sizes   spec.Sizes
	secret  security.Secret
	token   string
	app     yarnrpc.ApplicationID
	max     yarnrpc.Resource
	nodes   []yarnrpc.NodeReport
	// brought tells that tokens came with the command (HADOOP_TOKEN_FILE_LOCATION): they go on being used when the application has ended.
	brought bool
	// login are files for the JobManager's own log-in, by the name in its container.
	login map[string]string
	// announced ends the note that this process is starting the application; nil before there is one.
	announced func()
	// submitted tells that the ResourceManager may know the application.
	submitted bool
}

// clusterKind is a way for a cluster to live.
type clusterKind struct{ target, name, noun string }

var (
	sessionCluster     = clusterKind{config.TargetSession, "Weft session cluster", "the session"}
	perJobCluster      = clusterKind{config.TargetPerJob, "Weft per-job cluster", "the job's cluster"}
	applicationCluster = clusterKind{config.TargetApplication, "Weft Application Cluster", "the application"}
)

// deployedJob is the job that a cluster is for.
type deployedJob struct {
	// local is the binary on this machine; without it remote is where it lies already.
	local  string
	remote spec.File
	// sha256 is known once a local binary has been uploaded; remote is then where it is.
	sha256 string
	// spec is what main is run with beside the JobManager; nil where main runs here.
	spec *spec.JobSpec
}

// StartSession starts a session on YARN and returns when it runs. When that fails, or ctx ends before, nothing is left.
func (c *Client) StartSession(ctx context.Context, o SessionOptions) (*Session, error) {
	if err := c.logIn(ctx); err != nil {
		return nil, err
	}
	d, err := c.newDeployment(sessionCluster)
	if err != nil {
		return nil, err
	}
	s, err := d.start(ctx, o.Ship)
	if err != nil {
		return nil, err
	}
	if err := c.writeProperties(properties{application: d.app, dynamic: o.Dynamic}); err != nil {
		// The session runs; commands can name it by its id.
		c.Console.Say("Warning: %v; later commands need -yid %s", err, d.app)
	}
	d.announced()
	return s, nil
}

// start starts the cluster and returns when it runs. When that fails, or ctx ends before, nothing is left. The caller calls
// announced when it may be found by others.
func (d *deployment) start(ctx context.Context, ship []string) (*Session, error) {
	c := d.client
	report, err := d.run(ctx, ship)
	if err != nil {
		return nil, d.undo(err)
	}
	address := net.JoinHostPort(report.Host, strconv.Itoa(report.Port))
	if err := c.remember(d.app, d.token, address); err != nil {
		return nil, d.undo(err)
	}
	s, err := c.newSession(d.app, address, d.token)
	if err != nil {
		return nil, d.undo(err)
	}
	s.single = d.kind != sessionCluster
	c.Console.Say("YARN application has been deployed successfully.")
	c.Console.Say("Found Web Interface %s of application '%s'.", address, d.app)
	return s, nil
}

func (c *Client) newDeployment(kind clusterKind) (*deployment, error) {
	if config.Get(c.Config, config.Target) != kind.target {
		// The cluster reads from its configuration how it is to live.
		c.Config.Set(config.CommandLine, config.Target.Key, kind.target, "the command")
	}
	conf, err := c.Hadoop()
	if err != nil {
		return nil, err
	}
	d := &deployment{kind: kind, client: c, conf: conf, secret: security.NewSecret()}
	d.token = d.secret.Derive(restTokenLabel).Hex()
	if d.sizes, err = spec.ContainerSizes(c.Config, conf); err != nil {
		return nil, &Failure{ExitUsage, err}
	}
	if d.rm, err = c.resourceManager(); err != nil {
		return nil, err
	}
	if d.staging, err = c.openStaging(); err != nil {
		return nil, err
	}
	return d, nil
}

// run submits the application and waits until it runs.
func (d *deployment) run(ctx context.Context, ship []string) (yarnrpc.ApplicationReport, error) {
	var none yarnrpc.ApplicationReport
	c := d.client
	binary, err := c.clusterBinary()
	if err != nil {
		return none, err
	}
	// The hash of the binary is often remembered; when it is not, it is made while the ResourceManager answers.
	hashed := make(chan struct{})
	go func() {
		defer close(hashed)
		if _, _, err := c.hash(binary); err != nil {
			c.Log.Debug("hash the binary", "error", err)
		}
	}()
	if err := d.newApplication(ctx); err != nil {
		<-hashed
		return none, err
	}
	<-hashed
	if err := c.remember(d.app, d.token, ""); err != nil {
		return none, err
	}
	announced, err := c.deploying(d.app)
	if err != nil {
		return none, err
	}
	d.announced = announced
	manifest, err := d.upload(ctx, binary, ship)
	if err != nil {
		return none, err
	}
	submission, err := d.submission(manifest)
	if err != nil {
		return none, err
	}
	if submission.Launch.Credentials, err = d.tokens(ctx); err != nil {
		return none, err
	}
	submission.KeepTokens = d.brought
	if limit, ok := config.Lookup(c.Config, config.SubmitTimeout); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, limit, &submitTimeout{limit})
		defer cancel()
	}
	c.Console.Say("Submitting application master %s", d.app)
	d.submitted = true
	if _, err := d.rm.Submit(ctx, submission); err != nil {
		if errors.As(context.Cause(ctx), new(*submitTimeout)) {
			err = context.Cause(ctx)
		}
		return none, explainSubmit(err, submission.Queue)
	}
	return d.watch(ctx, submission)
}

// newApplication gets an id and what the cluster can hold.
func (d *deployment) newApplication(ctx context.Context) error {
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		app, err := d.rm.NewApplication(gctx)
		d.app, d.max = app.ID, app.Max
		return explainRM(err)
	})
	g.Go(func() error {
		nodes, err := d.rm.ClusterNodes(gctx, yarnrpc.NodeRunning)
		d.nodes = nodes
		return explainRM(err)
	})
	if err := g.Wait(); err != nil {
		return err
	}
	// Who is told that the cluster is not there is told nothing else.
	if d.sizes.Raised != "" {
		d.client.Console.Say("%s", d.sizes.Raised)
	}
	d.client.Console.Say("%s", describeSizes(d.client.Config, d.sizes))
	return checkSizes(d.sizes, d.max, d.nodes)
}

// clusterBinary is the weft binary that containers run.
func (c *Client) clusterBinary() (string, error) {
	path := config.Get(c.Config, config.BlobExecutable)
	own := path == ""
	if own {
		path = c.Executable
	}
	platform, err := binaryPlatform(path)
	if err != nil {
		return "", err
	}
	cluster := config.Get(c.Config, config.ClusterPlatform)
	if platform != cluster {
		hint := "set weft.executable to a weft binary for it"
		if own && runtime.GOOS != "linux" {
			hint = "set weft.executable (or -j) to the weft binary of the distribution for " + cluster.String()
		}
		return "", usage("%s is built for %s, but containers of the cluster run %s: %s", path, platform, cluster, hint)
	}
	return path, nil
}

// upload brings what the containers need to the file system, in parallel.
func (d *deployment) upload(ctx context.Context, binary string, ship []string) (*spec.Manifest, error) {
	c := d.client
	app := d.app.String()
	// First: nothing that has been started here may outlive an error.
	shipped, err := shipFiles(append(config.Get(c.Config, config.ShipFiles), ship...))
	if err != nil {
		return nil, err
	}
	if err := d.staging.prepare(ctx, app); err != nil {
		return nil, err
	}
	if err := errors.Join(d.prepareLogin(), d.prepareTickets()); err != nil {
		return nil, err
	}
	m := &spec.Manifest{Application: app, User: c.User(d.conf), Base: d.staging.URI(), Version: c.Version, Files: map[string]spec.File{}}
	var conf, hadoop bytes.Buffer
	if err := errors.Join(c.Config.Write(&conf), d.conf.WriteXML(&hadoop)); err != nil {
		return nil, err
	}
	type result struct {
		name string
		file spec.File
	}
	results := make(chan result, 64)
	g, gctx := errgroup.WithContext(ctx)
	for name, data := range map[string][]byte{spec.Config: conf.Bytes(), spec.Hadoop: hadoop.Bytes(), spec.Secret: []byte(d.secret.Hex() + "\n")} {
		g.Go(func() error {
			f, err := d.staging.put(gctx, app, name, data)
			results <- result{name, f}
			return err
		})
	}
	if j := d.job; j != nil && j.local != "" {
		g.Go(func() error {
			b, err := d.staging.blob(gctx, app, j.local)
			j.remote, j.sha256 = b.File, b.sha256
			return err
		})
	}
	shipped[spec.Binary] = binary
	g.Go(func() error {
		files, gctx := errgroup.WithContext(gctx)
		files.SetLimit(4)
		for name, local := range shipped {
			files.Go(func() error {
				b, err := d.staging.blob(gctx, app, local)
				results <- result{name, b.File}
				return err
			})
		}
		return files.Wait()
	})
	done := make(chan error, 1)
	go func() {
		done <- g.Wait()
		close(results)
	}()
	for r := range results {
		m.Files[r.name] = r.file
	}
	if err := <-done; err != nil {
		return nil, err
	}
	if err := errors.Join(d.stageMain(ctx, m), d.stageLogin(ctx, m)); err != nil {
		return nil, err
	}
	if n := d.staging.Sent(); n > 64<<10 {
		c.Console.Say("Uploaded %s to %s", formatSize(n), d.staging.URI())
	}
	return m, nil
}

// stageMain brings what main is run with beside the JobManager.
func (d *deployment) stageMain(ctx context.Context, m *spec.Manifest) error {
	if d.job == nil || d.job.spec == nil {
		return nil
	}
	j := *d.job.spec
	j.URI, j.Size, j.SHA256 = d.job.remote.URL, d.job.remote.Size, d.job.sha256
	text, err := j.Encode()
	if err != nil {
		return err
	}
	f, err := d.staging.put(ctx, m.Application, spec.Job, text)
	m.AddMaster(spec.Job, f)
	m.AddMaster(spec.JobBinary, d.job.remote)
	return err
}

// shipFiles lists the files to ship by the name they get: a directory keeps its name and structure.
func shipFiles(paths []string) (map[string]string, error) {
	out := map[string]string{}
	for _, p := range paths {
		abs, err := filepath.Abs(p)
		if err != nil {
			return nil, usage("ship %s: %w", p, err)
		}
		parent := filepath.Dir(abs)
		root := abs
		if st, err := os.Stat(abs); err == nil && st.IsDir() {
			root += string(filepath.Separator) // so that a link to a directory is followed
		}
		err = filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			info, err := os.Stat(path)
			if err == nil && info.IsDir() {
				return fmt.Errorf("%s is a link to a directory: ship that directory itself", path)
			}
			if err != nil || !info.Mode().IsRegular() {
				return err
			}
			name, err := filepath.Rel(parent, path)
			if err != nil {
				return err
			}
			name = filepath.ToSlash(name)
			switch name {
			case spec.Binary, spec.Config, spec.Hadoop, spec.Secret, spec.Job, spec.JobBinary, spec.Krb5Conf:
				return fmt.Errorf("the name %s is taken by Weft's own file", name)
			}
			if info.Size() == 0 {
				return fmt.Errorf("%s is empty", path)
			}
			out[name] = path
			return nil
		})
		if errors.Is(err, fs.ErrNotExist) {
			return nil, usage("ship %s: there is no such file", p)
		}
		if err != nil {
			return nil, usage("ship %s: %w", p, err)
		}
	}
	return out, nil
}

// submission says what YARN shall run.
func (d *deployment) submission(m *spec.Manifest) (yarnrpc.Submission, error) {
	c := d.client.Config
	text, err := m.Encode()
	if err != nil {
		return yarnrpc.Submission{}, err
	}
	view, modify, err := access.ForYARN(c)
	if err != nil {
		return yarnrpc.Submission{}, &Failure{ExitUsage, err}
	}
	name := config.Get(c, config.ApplicationName)
	if name == "" {
		name = d.kind.name
	}
	env := map[string]string{
		spec.EnvManifest: text,
		spec.EnvUser:     m.User,
		"GOMAXPROCS":     strconv.Itoa(d.sizes.JobManagerVCores),
		"GOMEMLIMIT":     strconv.Itoa(d.sizes.JobManagerLimitMB()) + "MiB",
	}
	for _, prefix := range []string{"yarn.application-master.env.", "containerized.master.env."} {
		for k, v := range c.WithPrefix(prefix) {
			env[k] = v
		}
	}
	s := yarnrpc.Submission{
		ID: d.app, Name: name, Type: config.Get(c, config.ApplicationType), Queue: config.Get(c, config.ApplicationQueue),
		MaxAttempts: d.attempts(),
		// An attempt after this one ends them itself and knows when they are gone.
		KeepContainers: d.attempts() > 1,
		FailureWindow:  config.Get(c, config.AttemptFailuresValidity),
		AM:             yarnrpc.Resource{MemoryMB: int64(d.sizes.JobManagerMB), VCores: int32(d.sizes.JobManagerVCores)},
		NodeLabel:      config.Get(c, config.ApplicationNodeLabel),
		RolledLogs:     config.Get(c, config.RolledLogsInclude), RolledLogsExclude: config.Get(c, config.RolledLogsExclude),
		Launch: yarnrpc.Launch{
			Files:       m.MasterResources(),
			Environment: env,
			Commands:    []string{"exec ./" + spec.Binary + " jobmanager --log-dir <LOG_DIR> 1><LOG_DIR>/jobmanager.out 2><LOG_DIR>/jobmanager.err"},
			ViewACL:     view,
			ModifyACL:   modify,
		},
	}
	for _, t := range strings.Split(config.Get(c, config.ApplicationTags), ",") {
		if t = strings.TrimSpace(t); t != "" {
			s.Tags = append(s.Tags, t)
		}
	}
	if p := config.Get(c, config.ApplicationPriority); p >= 0 {
		p32 := int32(p)
		s.Priority = &p32
	}
	return s, nil
}

// attempts is how often the JobManager may be started: the job of a per-job cluster is known to its first attempt alone.
func (d *deployment) attempts() int {
	if d.kind == perJobCluster {
		return 1
	}
	return config.Get(d.client.Config, config.ApplicationAttempts)
}

// undo removes what an unsuccessful start has left and gives the error to show.
func (d *deployment) undo(err error) error {
	ctx, cancel := cleanupContext()
	defer cancel()
	if d.submitted {
		killErr := d.rm.Kill(ctx, d.app, "withdrawn by the client before it ran")
		if killErr != nil && !errors.Is(killErr, yarnrpc.ErrApplicationNotFound) {
			err = errors.Join(err, fmt.Errorf("%s could not be withdrawn: %w; end it with yarn application -kill %s", d.app, killErr, d.app))
		}
	}
	if d.announced != nil {
		d.announced()
	}
	if !d.app.IsZero() {
		err = joinQuiet(err, d.staging.discard(d.app.String()), d.client.forget(d.app))
	}
	return err
}

// joinQuiet adds errors of cleaning up only where there is nothing more important to say; the user's next command cleans up.
func joinQuiet(err error, others ...error) error {
	if err != nil {
		return err
	}
	return errors.Join(others...)
}

// cleanupLimit bounds it.
const cleanupLimit = 15 * time.Second

// cleanupContext is for work that must be done although the command was interrupted.
func cleanupContext() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), cleanupLimit)
}

// submitTimeout is why a submission was withdrawn.
type submitTimeout struct{ limit time.Duration }

func (e *submitTimeout) Error() string {
	return fmt.Sprintf("did not run after %v (--submit-timeout) and was withdrawn", e.limit)
}

// explainSubmit turns a refusal into a sentence.
func explainSubmit(err error, queue string) error {
	var refused *yarnrpc.SubmitError
	text := oneLine(err.Error())
	switch {
	case errors.As(err, new(*submitTimeout)), errors.Is(err, context.Canceled):
		return err
	case strings.Contains(text, "unknown queue"), strings.Contains(text, "queue") && strings.Contains(text, "not found"):
		return usage("queue %q does not exist or takes no applications: %s", queue, text)
	case errors.Is(err, yarnrpc.ErrInvalidResource):
		return usage("YARN refuses the JobManager's container: %w", err)
	case errors.As(err, &refused):
		return &Failure{ExitFailed, errors.New(text)}
	}
	return explainRM(err)
}
