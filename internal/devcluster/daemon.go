package devcluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	stopGrace   = 5 * time.Second        // between SIGTERM and SIGKILL
	killTimeout = 20 * time.Second       // a process that SIGKILL does not end hangs in the kernel
	pollEvery   = 50 * time.Millisecond  // how often /proc is asked
	askEvery    = 150 * time.Millisecond // how often a daemon is asked whether it is ready
)

type daemonKind string

const (
	kindNameNode        daemonKind = "namenode"
	kindDataNode        daemonKind = "datanode"
	kindResourceManager daemonKind = "resourcemanager"
	kindNodeManager     daemonKind = "nodemanager"
	kindKDC             daemonKind = "kdc"
	// kindKDCAhead is started by StartDaemon only.
	kindKDCAhead daemonKind = KDCAhead
)

// mainClass and heap (MiB; the second with FullJIT) of each kind.
var daemonKinds = map[daemonKind]struct {
	main          string
	heap, fullJIT int
}{
	kindNameNode:        {"org.apache.hadoop.hdfs.server.namenode.NameNode", 256, 1024},
	kindDataNode:        {"org.apache.hadoop.hdfs.server.datanode.DataNode", 256, 1024},
	kindResourceManager: {"org.apache.hadoop.yarn.server.resourcemanager.ResourceManager", 384, 1024},
	kindNodeManager:     {"org.apache.hadoop.yarn.server.nodemanager.NodeManager", 256, 512},
}

// daemonName is one of kdc, namenode, datanode-I, resourcemanager, nodemanager-I.
type daemonName struct {
	kind  daemonKind
	index int
}

// String returns the name by which StartDaemon and its kin know the daemon.
func (d daemonName) String() string {
	if d.kind == kindDataNode || d.kind == kindNodeManager {
		return string(d.kind) + "-" + strconv.Itoa(d.index)
	}
	return string(d.kind)
}

func (c *Cluster) daemonNames() []daemonName {
	var names []daemonName
	if c.state.Kerberos != nil {
		names = append(names, daemonName{kind: kindKDC})
	}
	if c.state.KDCOnly {
		return names
	}
	names = append(names, daemonName{kind: kindNameNode})
	if !c.state.HDFSOnly {
		names = append(names, daemonName{kind: kindResourceManager})
	}
	for i := range c.state.DataNodes {
		names = append(names, daemonName{kindDataNode, i})
	}
	for i := range c.state.NodeManagers {
		names = append(names, daemonName{kindNodeManager, i})
	}
	return names
}

func (c *Cluster) daemon(name string) (daemonName, error) {
	var known []string
	if name == KDCAhead && c.state.Kerberos != nil {
		return daemonName{kind: kindKDCAhead}, nil
	}
	for _, d := range c.daemonNames() {
		if d.String() == name {
			return d, nil
		}
		known = append(known, d.String())
	}
	return daemonName{}, fmt.Errorf("devcluster: daemon %q: expected one of %s", name, strings.Join(known, ", "))
}

// StartDaemon starts a daemon that was stopped or killed and waits until it serves.
func (c *Cluster) StartDaemon(ctx context.Context, name string) error {
	d, err := c.daemon(name)
	if err != nil {
		return err
	}
	if p, ok := c.running(d); ok {
		return fmt.Errorf("devcluster: %s already runs as pid %d", name, p.pid)
	}
	if d.kind == kindKDCAhead {
		if err := ensureFakeTime(ctx, c.log); err != nil {
			return fmt.Errorf("devcluster: %w", err)
		}
	}
	if err := c.spawn(d); err != nil {
		return fmt.Errorf("devcluster: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := c.waitDaemon(ctx, d); err != nil {
		return fmt.Errorf("devcluster: %w", err)
	}
	return nil
}

// StopDaemon ends a daemon by SIGTERM, or by SIGKILL after five seconds, and waits until it is gone.
func (c *Cluster) StopDaemon(name string) error { return c.endDaemon(name, syscall.SIGTERM) }

// KillDaemon ends a daemon by SIGKILL, as a crash would, and waits until it is gone. A NodeManager's containers live on.
func (c *Cluster) KillDaemon(name string) error { return c.endDaemon(name, syscall.SIGKILL) }

func (c *Cluster) endDaemon(name string, sig syscall.Signal) error {
	d, err := c.daemon(name)
	if err != nil {
		return err
	}
	p, ok := c.running(d)
	if !ok {
		return fmt.Errorf("devcluster: %s does not run", name)
	}
	if err := p.end(sig); err != nil {
		return fmt.Errorf("devcluster: %w", err)
	}
	return nil
}

// DaemonPID returns the process id of a running daemon.
func (c *Cluster) DaemonPID(name string) (int, error) {
	d, err := c.daemon(name)
	if err != nil {
		return 0, err
	}
	p, ok := c.running(d)
	if !ok {
		return 0, fmt.Errorf("devcluster: %s does not run", name)
	}
	return p.pid, nil
}

// DaemonLog is the file with all that a daemon printed and logged.
func (c *Cluster) DaemonLog(name string) string { return filepath.Join(c.LogDir(), name+".log") }

func (c *Cluster) runningKDC() bool {
	_, ok := c.running(daemonName{kind: kindKDC})
	return ok
}

func (c *Cluster) running(d daemonName) (daemonProc, bool) {
	for _, p := range daemonsBelow(c.state.Dir) {
		if p.name == d.String() {
			return p, true
		}
	}
	return daemonProc{}, false
}

// javaArgs are the JVM's options and class path, for daemons and client programs.
func (c *Cluster) javaArgs(kind daemonKind, heapMB int) []string {
	args := []string{
		"-Xmx" + strconv.Itoa(heapMB) + "m", "-XX:+UseSerialGC",
		"-XX:-UsePerfData", // files in /tmp, shared by all
		"-Djava.net.preferIPv4Stack=true",
		// Jetty and leveldbjni unpack files there, for good.
		"-Djava.io.tmpdir=" + c.path("tmp"),
		// The ResourceManager's Guice needs it on Java 17.
		"--add-opens=java.base/java.lang=ALL-UNNAMED",
	}
	args = append(args, c.secureFlags(kind)...)
	if !c.state.FullJIT {
		// Published jars are trusted to hold valid classes: checking them is a fifth of a cluster's start.
		args = append(args, "-XX:TieredStopAtLevel=1", "-XX:+UnlockDiagnosticVMOptions", "-XX:-BytecodeVerificationRemote")
	}
	return append(args, "-cp", strings.Join([]string{c.ConfDir(), c.path("stubs"), filepath.Join(c.state.Lib, "*")}, ":"))
}

// environ is what Hadoop's processes see of our environment; NodeManagers hand JAVA_HOME and HADOOP_CONF_DIR on to
// containers.
func (c *Cluster) environ() []string {
	env := []string{"JAVA_HOME=" + javaHome(c.state.Java), "LANG=C.UTF-8"}
	for _, k := range []string{"PATH", "HOME"} {
		env = append(env, k+"="+os.Getenv(k))
	}
	return append(env, c.Env()...)
}

func javaHome(java string) string {
	if real, err := filepath.EvalSymlinks(java); err == nil {
		java = real
	}
	return filepath.Dir(filepath.Dir(java))
}

// spawn starts a daemon in a session of its own, so that a Ctrl-C meant for the caller does not reach it.
func (c *Cluster) spawn(d daemonName) error {
	cmd, err := c.command(d)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(c.path(d.String()), 0o755); err != nil {
		return err
	}
	out, err := os.OpenFile(c.DaemonLog(d.String()), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer out.Close()
	cmd.Dir = c.path(d.String())
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if c.claim != nil {
		cmd.ExtraFiles = []*os.File{c.claim}
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", d, err)
	}
	// Reaps the process when it ends while this one lives; the end is noticed by asking /proc, which also works for
	// daemons that another process started.
	go func() { _ = cmd.Wait() }()
	return nil
}

// command is a daemon's command line and environment.
func (c *Cluster) command(d daemonName) (*exec.Cmd, error) {
	if d.kind == kindKDC || d.kind == kindKDCAhead {
		return c.kdcCommand(d)
	}
	kind := daemonKinds[d.kind]
	heap := kind.heap
	if c.state.FullJIT {
		heap = kind.fullJIT
	}
	args := append([]string{markOf(c.state.Dir, d.String())}, c.javaArgs(d.kind, heap)...)
	args = append(args, kind.main)
	args = append(args, daemonFlags(c.state.Dir, c.state.Base, d)...)
	cmd := exec.Command(c.state.Java, append(args, c.secureDaemonFlags(d)...)...)
	cmd.Env = c.environ()
	return cmd, nil
}

// format gives the NameNode an empty name space. Formatting takes a JVM's start, so that it is done once for each jar folder.
func (c *Cluster) format(ctx context.Context) error {
	template := filepath.Join(filepath.Dir(c.state.Lib), "formatted")
	name := c.path(kindNameNodeDir, "name")
	if !complete(template) {
		if err := c.makeTemplate(ctx, template); err != nil {
			return fmt.Errorf("format the NameNode: %w", err)
		}
	}
	if err := os.CopyFS(name, os.DirFS(filepath.Join(template, "name"))); err != nil {
		return fmt.Errorf("format the NameNode: %w", err)
	}
	return nil
}

const kindNameNodeDir = string(kindNameNode)

func (c *Cluster) makeTemplate(ctx context.Context, template string) error {
	unlock, err := lockFile(ctx, template+".lock")
	if err != nil {
		return err
	}
	defer unlock()
	if complete(template) {
		return nil
	}
	if err := os.RemoveAll(template); err != nil {
		return err
	}
	if err := os.MkdirAll(template, 0o755); err != nil {
		return err
	}
	out, err := c.Java(ctx, daemonKinds[kindNameNode].main, "-Ddfs.namenode.name.dir=file://"+filepath.Join(template, "name"),
		"-Dhadoop.security.authentication=simple", "-format", "-nonInteractive", "-force")
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(template, "name", "current", "VERSION")); err != nil {
		return fmt.Errorf("%w: %s", err, lastLines(out, 5))
	}
	return os.WriteFile(filepath.Join(template, completeMarker), nil, 0o644)
}

// Java runs one of Hadoop's own client programs against the cluster and returns what it printed, logging left out.
//
// Examples: "org.apache.hadoop.fs.FsShell", "-ls", "/"; "org.apache.hadoop.yarn.client.cli.LogsCLI", "-applicationId", id.
func (c *Cluster) Java(ctx context.Context, mainClass string, args ...string) ([]byte, error) {
	full := append(c.javaArgs("", 256), mainClass)
	cmd := exec.CommandContext(ctx, c.state.Java, append(full, args...)...)
	cmd.Env = append(c.environ(), "HADOOP_ROOT_LOGGER=WARN,console")
	if c.state.Kerberos != nil && c.runningKDC() {
		cache := "FILE:" + c.path("kerberos", superuser+".cache")
		if err := c.Login(ctx, superuser, cache); err != nil {
			return nil, err
		}
		cmd.Env = append(cmd.Env, "KRB5CCNAME="+cache)
	}
	cmd.Dir = c.state.Dir
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return out, fmt.Errorf("%s %s: %w: %s", mainClass, strings.Join(args, " "), err, lastLines([]byte(string(out)+stderr.String()), 5))
	}
	return out, nil
}

// failure explains why a daemon ended before it was ready.
func (c *Cluster) failure(d daemonName) error {
	raw, err := os.ReadFile(c.DaemonLog(d.String()))
	if err != nil {
		return fmt.Errorf("%s ended: %w", d, err)
	}
	return fmt.Errorf("%s ended before it was ready: %s (log: %s)", d, worstLine(string(raw)), c.DaemonLog(d.String()))
}

// worstLine picks the line of a Hadoop log that says why the daemon gave up.
func worstLine(log string) string {
	lines := strings.Split(strings.TrimSpace(log), "\n")
	for _, sign := range []string{" FATAL ", " ERROR ", "Exception"} {
		for i := len(lines) - 1; i >= 0; i-- {
			if strings.Contains(lines[i], sign) {
				text := lines[i]
				if i+1 < len(lines) && strings.Contains(lines[i+1], "Exception") {
					text += ": " + lines[i+1]
				}
				return text
			}
		}
	}
	return lines[len(lines)-1]
}

var errGone = errors.New("process is gone")
