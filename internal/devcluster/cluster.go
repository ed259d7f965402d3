package devcluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

// startTimeout bounds the time from the first daemon's start to readiness; about ten seconds on an idle machine with two
// cores, many times that when several clusters and builds share it.
const startTimeout = 4 * time.Minute

// stateFile holds what another process needs to use the cluster.
const stateFile = "cluster.json"

// Cluster is a running private Hadoop. Its methods may be called concurrently.
type Cluster struct {
	state state
	log   io.Writer

	claim    *os.File // keeps the ports; nil in processes that only use the cluster
	watchdog *watchdog

	mu struct {
		sync.Mutex
		stopped bool
		spnego  *spnegoTransport
	}
}

// state is the content of cluster.json.
type state struct {
	Dir          string
	Version      string
	Base         int // first port of the block
	Java         string
	Lib          string
	User         string
	Profile      string
	NodeManagers int
	DataNodes    int
	NodeMemoryMB int
	NodeVCores   int
	FullJIT      bool
	HDFSOnly     bool
	KDCOnly      bool
	Kerberos     *Kerberos
}

// Start installs what is missing, starts a cluster and returns when it is ready: HDFS out of safe mode with all DataNodes,
// YARN with all NodeManagers registered. On an error nothing is left running.
func Start(ctx context.Context, o Options) (*Cluster, error) {
	temporary := o.Dir == ""
	java, err := ensureJava(ctx, logOrDiscard(o.Log))
	if err != nil {
		return nil, fmt.Errorf("devcluster: %w", err)
	}
	if o.Version == "" {
		o.Version = DefaultVersion
	}
	lib, err := ensureJars(ctx, o.Version, logOrDiscard(o.Log))
	if err != nil {
		return nil, fmt.Errorf("devcluster: %w", err)
	}
	if o, err = o.withDefaults(); err != nil {
		return nil, err
	}
	if o.Kerberos != nil {
		if err := ensureKerberos(ctx, o.Log); err != nil {
			return nil, fmt.Errorf("devcluster: %w", err)
		}
	}
	if running := daemonsBelow(o.Dir); len(running) > 0 {
		return nil, fmt.Errorf("devcluster: a cluster already runs in %s (%s is pid %d); stop it with: down -dir %s",
			o.Dir, running[0].name, running[0].pid, o.Dir)
	}
	account, err := user.Current()
	if err != nil {
		return nil, fmt.Errorf("devcluster: %w", err)
	}
	c := &Cluster{log: o.Log, state: state{
		Dir: o.Dir, Version: o.Version, Java: java, Lib: lib, User: account.Username, Profile: o.Profile,
		NodeManagers: o.NodeManagers, DataNodes: o.DataNodes, NodeMemoryMB: o.NodeMemoryMB, NodeVCores: o.NodeVCores,
		FullJIT: o.FullJIT, HDFSOnly: o.HDFSOnly, KDCOnly: o.KDCOnly, Kerberos: o.Kerberos,
	}}
	if err := c.start(ctx, o, temporary); err != nil {
		return nil, fmt.Errorf("devcluster: %w", errors.Join(err, c.Stop()))
	}
	return c, nil
}

func logOrDiscard(w io.Writer) io.Writer {
	if w == nil {
		return io.Discard
	}
	return w
}

func (c *Cluster) start(ctx context.Context, o Options, temporary bool) error {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	var err error
	if c.state.Base, c.claim, err = claimPorts(); err != nil {
		return err
	}
	if err := c.layOut(o); err != nil {
		return err
	}
	if o.Kerberos != nil {
		if err := c.layOutKerberos(ctx); err != nil {
			return err
		}
	}
	if !o.Detached {
		if c.watchdog, err = startWatchdog(o.Dir, temporary); err != nil {
			return err
		}
	}
	fmt.Fprintf(c.log, "starting Hadoop %s in %s: %d daemons, ports from %d\n",
		o.Version, o.Dir, len(c.daemonNames()), c.state.Base)
	if !o.KDCOnly {
		if err := c.format(ctx); err != nil {
			return err
		}
	}
	for _, d := range c.daemonNames() {
		if err := c.spawn(d); err != nil {
			return err
		}
		// The others log in at it.
		if d.kind == kindKDC {
			if err := c.waitDaemon(ctx, d); err != nil {
				return err
			}
		}
	}
	if err := c.waitReady(ctx); err != nil {
		return err
	}
	if !o.KDCOnly {
		if err := c.prepareHDFS(ctx); err != nil {
			return err
		}
	}
	fmt.Fprintf(c.log, "ready after %.1f s\n", time.Since(began).Seconds())
	return nil
}

// layOut writes everything below the cluster's directory that the daemons read. A directory that held a cluster before is
// emptied of its state first: a cluster always starts fresh.
func (c *Cluster) layOut(o Options) error {
	for _, name := range []string{"conf", "stubs", "tmp", "logs", "rmstore", "node-attributes", "node-labels"} {
		if err := os.RemoveAll(c.path(name)); err != nil {
			return err
		}
		if err := os.MkdirAll(c.path(name), 0o755); err != nil {
			return err
		}
	}
	for _, d := range c.daemonNames() {
		if err := os.RemoveAll(c.path(d.String())); err != nil {
			return err
		}
	}
	// The published jar of HDFS has no pages; the servers insist on the folders.
	for _, app := range []string{"hdfs", "datanode"} {
		if err := os.MkdirAll(c.path("stubs", "webapps", app), 0o755); err != nil {
			return err
		}
	}
	if err := writeConf(c.state.Dir, c.state.Base, o); err != nil {
		return err
	}
	raw, err := json.MarshalIndent(c.state, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(c.path(stateFile), append(raw, '\n'), 0o644)
}

// Open returns a running cluster that another process started in dir.
func Open(dir string) (*Cluster, error) {
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return nil, fmt.Errorf("devcluster: %w", err)
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, fmt.Errorf("devcluster: %w", err)
	}
	raw, err := os.ReadFile(filepath.Join(dir, stateFile))
	if err != nil {
		return nil, fmt.Errorf("devcluster: no cluster in %s: %w", dir, err)
	}
	c := &Cluster{log: io.Discard}
	if err := json.Unmarshal(raw, &c.state); err != nil {
		return nil, fmt.Errorf("devcluster: %s: %w", filepath.Join(dir, stateFile), err)
	}
	c.state.Dir = dir
	if len(daemonsBelow(dir)) == 0 {
		return nil, fmt.Errorf("devcluster: the cluster in %s is not running", dir)
	}
	return c, nil
}

// Stop ends the cluster: SIGTERM to its daemons, SIGKILL to those that do not end in time, and to containers that they
// left. It returns when no process of the cluster is left; calling it again does nothing.
func (c *Cluster) Stop() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.stopped {
		return nil
	}
	c.mu.stopped = true
	err := stopAll(c.state.Dir, stopGrace)
	if c.claim != nil {
		c.claim.Close()
	}
	if c.watchdog != nil {
		c.watchdog.close()
	}
	return err
}

// Keep leaves a temporary directory, with the logs, in place when the cluster ends.
func (c *Cluster) Keep() error { return os.WriteFile(c.path(keepFile), nil, 0o644) }

// Dir is the directory of all the cluster's state.
func (c *Cluster) Dir() string { return c.state.Dir }

// ConfDir is the Hadoop configuration directory (HADOOP_CONF_DIR) of daemons and clients.
func (c *Cluster) ConfDir() string { return c.path("conf") }

// LogDir holds one log file for each daemon.
func (c *Cluster) LogDir() string { return c.path("logs") }

// User is the account under which daemons and containers run, HDFS's superuser.
func (c *Cluster) User() string { return c.state.User }

// Version is the Hadoop release.
func (c *Cluster) Version() string { return c.state.Version }

// NodeManagers is the number of NodeManagers that the cluster was started with.
func (c *Cluster) NodeManagers() int { return c.state.NodeManagers }

// NodeMemoryMB is the memory in MiB that each NodeManager offers, also the largest allocation.
func (c *Cluster) NodeMemoryMB() int { return c.state.NodeMemoryMB }

// Env are the variables by which a Hadoop client finds the cluster; on a secured one it needs a ticket ([Cluster.Login]) besides.
func (c *Cluster) Env() []string {
	if c.state.Kerberos != nil {
		return []string{"HADOOP_CONF_DIR=" + c.ConfDir(), "KRB5_CONFIG=" + c.Krb5Conf()}
	}
	return []string{"HADOOP_CONF_DIR=" + c.ConfDir(), "HADOOP_USER_NAME=" + c.state.User}
}

// NameNode is host:port of the NameNode's RPC server.
func (c *Cluster) NameNode() string { return localhost(c.state.Base + portNNRPC) }

// NameNodeWeb is host:port of the NameNode's web server (WebHDFS, /jmx).
func (c *Cluster) NameNodeWeb() string { return localhost(c.state.Base + portNNHTTP) }

// ResourceManager is host:port for clients (ApplicationClientProtocol).
func (c *Cluster) ResourceManager() string { return localhost(c.state.Base + portRMClient) }

// RMScheduler is host:port for ApplicationMasters (ApplicationMasterProtocol).
func (c *Cluster) RMScheduler() string { return localhost(c.state.Base + portRMScheduler) }

// RMWeb is host:port of the ResourceManager's web server, which also holds YARN's web proxy.
func (c *Cluster) RMWeb() string {
	if c.state.Kerberos != nil {
		return net.JoinHostPort(rmWebHost, strconv.Itoa(c.state.Base+portRMWeb))
	}
	return localhost(c.state.Base + portRMWeb)
}

// NodeManager is host:port of the i-th NodeManager's ContainerManagementProtocol.
func (c *Cluster) NodeManager(i int) string { return localhost(c.state.Base + portNM0 + 3*i) }

// NodeManagerWeb is host:port of the i-th NodeManager's web server.
func (c *Cluster) NodeManagerWeb(i int) string { return localhost(c.state.Base + portNM0 + 3*i + 2) }

// DataNode is host:port of the i-th DataNode's data transfer server.
func (c *Cluster) DataNode(i int) string { return loopback(c.state.Base + portDN0 + 3*i) }

func (c *Cluster) path(elem ...string) string {
	return filepath.Join(append([]string{c.state.Dir}, elem...)...)
}
