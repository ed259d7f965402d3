// Command devcluster is a driver: it starts and stops a private, real Hadoop on this machine (see internal/devcluster).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/weft-project/weft/internal/devcluster"
)

const usage = `devcluster runs a private, real Hadoop (HDFS and YARN) on this machine, on loopback.

usage: go run ./scripts/devcluster COMMAND [flags] [arguments]

  up       start a cluster and print how to use it; it runs until "down"
  down     stop it; nothing of it is left running
  status   its addresses, nodes and applications
  env      print "export HADOOP_CONF_DIR=..." for a shell's eval
  list     the clusters that run on this machine
  put      LOCAL... PATH   copy local files to HDFS
  cat      PATH...         print files from HDFS, of a directory all files in it
  ls       PATH            list a directory of HDFS
  rm       PATH...         delete from HDFS, directories with all in them; none there is no error
  address  NAME            print host:port of namenode, namenode-web, rm, rm-web
  fs       ARGS...         Hadoop's own "hadoop fs" (-ls, -mkdir, -rm, ...)
  logs     APPLICATION     an application's logs, while it runs and afterwards
  stop, kill, start  DAEMON  namenode, datanode-0, resourcemanager, nodemanager-1, ...
  kinit    USER [CACHE]    a ticket cache of owner, other, gateway or guest on a secured cluster (default FILE:DIR/USER.cache)
  run      [flags of up] -- COMMAND ARGS...   start a cluster, run the command, stop the cluster

flags (before the arguments):
  -dir D        the cluster's directory (default .devcluster)
  -nms N        NodeManagers (default 2)
  -dns N        DataNodes (default 1)
  -memory MB    memory that a NodeManager offers (default 8192)
  -vcores N     vcores that a NodeManager offers (default 8)
  -profile P    "vmem": Hadoop's own container checks (virtual memory, ratio 2.1)
  -version V    Hadoop release (default ` + devcluster.DefaultVersion + `)
  -conf F:K=V   a Hadoop setting, e.g. -conf yarn-site.xml:yarn.acl.enable=true; may be repeated
  -full-jit     both compilers and larger heaps, for throughput measurements
  -hdfs-only    no ResourceManager, no NodeManagers
  --kerberos    a secured cluster: a KDC, realm WEFT.TEST, users owner, other and gateway (which may act for others)
  --protection LEVEL  authentication, integrity or privacy (default; implies --kerberos) of RPC and data transfer
  -ticket-life, -ticket-renew, -token-renew, -token-life D  lifetimes such as 2m of users' tickets and delegation tokens
  -second-realm a realm PARTNER.TEST that the cluster trusts, with the user guest
  -keep         run: leave the directory with the logs when the command fails

examples:
  go run ./scripts/devcluster up
  eval "$(go run ./scripts/devcluster env)"
  go run ./scripts/devcluster put README.md /user/me/in.txt
  go run ./scripts/devcluster up -dir /tmp/second -nms 3 -profile vmem
  go run ./scripts/devcluster down
  go run ./scripts/devcluster run -- go test -tags realhadoop ./...

The jars (about 90 MiB) are fetched once by Maven into $WEFT_DEVCLUSTER_CACHE or the user's cache folder.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := 0
	if err := run(ctx, os.Args[1:]); err != nil {
		var exit exitCode
		if errors.As(err, &exit) {
			code = int(exit)
		} else {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	stop()
	os.Exit(code)
}

// exitCode is the exit code of a command that "run" ran.
type exitCode int

// Error makes it an error.
func (e exitCode) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

type settings struct {
	devcluster.Options
	keep bool
}

// secured makes the options of a secured cluster on first use.
func (s *settings) secured() *devcluster.Kerberos {
	if s.Kerberos == nil {
		s.Kerberos = &devcluster.Kerberos{}
	}
	return s.Kerberos
}

// confFlag collects -conf FILE:KEY=VALUE.
type confFlag map[string]map[string]string

// String is the flag package's.
func (c confFlag) String() string { return "" }

// Set is the flag package's.
func (c confFlag) Set(s string) error {
	file, kv, ok := strings.Cut(s, ":")
	key, value, ok2 := strings.Cut(kv, "=")
	if !ok || !ok2 {
		return fmt.Errorf("expected FILE:KEY=VALUE")
	}
	if c[file] == nil {
		c[file] = map[string]string{}
	}
	c[file][key] = value
	return nil
}

func parse(command string, args []string) (settings, []string, error) {
	s := settings{}
	s.Conf = confFlag{}
	fs := flag.NewFlagSet(command, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.StringVar(&s.Dir, "dir", ".devcluster", "")
	fs.IntVar(&s.NodeManagers, "nms", 2, "")
	fs.IntVar(&s.DataNodes, "dns", 1, "")
	fs.IntVar(&s.NodeMemoryMB, "memory", 8192, "")
	fs.IntVar(&s.NodeVCores, "vcores", 8, "")
	fs.StringVar(&s.Profile, "profile", "", "")
	fs.StringVar(&s.Version, "version", devcluster.DefaultVersion, "")
	fs.BoolVar(&s.FullJIT, "full-jit", false, "")
	fs.BoolVar(&s.keep, "keep", false, "")
	fs.Var(confFlag(s.Conf), "conf", "")
	fs.BoolVar(&s.HDFSOnly, "hdfs-only", false, "")
	kerberosFlags(fs, &s)
	if err := fs.Parse(args); err != nil {
		return s, nil, fmt.Errorf("%s: %w (see: devcluster --help)", command, err)
	}
	s.Log = os.Stderr
	return s, fs.Args(), nil
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 || slices.Contains([]string{"help", "-h", "-help", "--help"}, args[0]) ||
		len(args) > 1 && slices.Contains([]string{"-h", "-help", "--help"}, args[1]) {
		fmt.Print(usage)
		return nil
	}
	command, rest := args[0], args[1:]
	if command == "fs" { // its arguments look like flags
		own := 0
		if len(rest) > 1 && rest[0] == "-dir" {
			own = 2
		}
		rest = slices.Insert(slices.Clone(rest), own, "--")
	}
	s, rest, err := parse(command, rest)
	if err != nil {
		return err
	}
	switch command {
	case "up":
		return up(ctx, s)
	case "run":
		return runCommand(ctx, s, rest)
	case "down":
		return down(s.Dir)
	case "list":
		for _, c := range devcluster.Running() {
			fmt.Printf("%s\t%s\n", c.Dir, strings.Join(c.Daemons, " "))
		}
		return nil
	}
	c, err := devcluster.Open(s.Dir)
	if err != nil {
		return err
	}
	return use(ctx, c, command, rest)
}

// use runs the commands that need a running cluster.
func use(ctx context.Context, c *devcluster.Cluster, command string, args []string) error {
	need := map[string]int{"kinit": 1, "put": 2, "cat": 1, "ls": 1, "rm": 1, "address": 1, "logs": 1, "stop": 1, "kill": 1, "start": 1}
	if len(args) < need[command] {
		return fmt.Errorf("%s: %d arguments, expected at least %d (see: devcluster --help)", command, len(args), need[command])
	}
	switch command {
	case "status":
		return status(ctx, c)
	case "env":
		printEnv(c)
		return nil
	case "put":
		return put(ctx, c, args[:len(args)-1], args[len(args)-1])
	case "cat":
		return cat(ctx, c, args)
	case "ls":
		return list(ctx, c, args[0])
	case "rm":
		for _, p := range args {
			if err := c.Remove(ctx, p); err != nil {
				return err
			}
		}
		return nil
	case "kinit":
		return kinit(ctx, c, args)
	case "address":
		return address(c, args[0])
	case "fs":
		out, err := c.Java(ctx, "org.apache.hadoop.fs.FsShell", args...)
		os.Stdout.Write(out)
		return err
	case "logs":
		return logs(c, args[0])
	case "stop":
		return c.StopDaemon(args[0])
	case "kill":
		return c.KillDaemon(args[0])
	case "start":
		return c.StartDaemon(ctx, args[0])
	default:
		return fmt.Errorf("unknown command %q (see: devcluster --help)", command)
	}
}

func up(ctx context.Context, s settings) error {
	s.Detached = true
	c, err := devcluster.Start(ctx, s.Options)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "NameNode         hdfs://%s, http://%s\n", c.NameNode(), c.NameNodeWeb())
	fmt.Fprintf(os.Stderr, "ResourceManager  %s, http://%s\n", c.ResourceManager(), c.RMWeb())
	fmt.Fprintf(os.Stderr, "logs             %s\n", c.LogDir())
	fmt.Fprintf(os.Stderr, "stop it with     go run ./scripts/devcluster down -dir %s\n", c.Dir())
	printEnv(c)
	return nil
}

func printEnv(c *devcluster.Cluster) {
	for _, kv := range c.Env() {
		k, v, _ := strings.Cut(kv, "=")
		fmt.Printf("export %s='%s'\n", k, strings.ReplaceAll(v, "'", `'\''`))
	}
}

func down(dir string) error {
	c, err := devcluster.Open(dir)
	if err != nil {
		return err
	}
	if err := c.Stop(); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "stopped the cluster in %s\n", c.Dir())
	return nil
}

func status(ctx context.Context, c *devcluster.Cluster) error {
	fmt.Printf("directory        %s\nHadoop           %s\nNameNode         hdfs://%s, http://%s\nResourceManager  %s, http://%s\n",
		c.Dir(), c.Version(), c.NameNode(), c.NameNodeWeb(), c.ResourceManager(), c.RMWeb())
	nodes, err := c.Nodes(ctx)
	if err != nil {
		return fmt.Errorf("the ResourceManager does not answer: %w", err)
	}
	for _, n := range nodes {
		fmt.Printf("node %s  %s, %d containers, %d MiB used, %d MiB free\n", n.ID, n.State, n.Containers, n.UsedMB, n.AvailableMB)
	}
	apps, err := c.Apps(ctx)
	if err != nil {
		return err
	}
	for _, a := range apps {
		fmt.Printf("%s  %s, %s, %s (%s), queue %s\n", a.ID, a.Name, a.Type, a.State, a.FinalStatus, a.Queue)
	}
	return nil
}

func put(ctx context.Context, c *devcluster.Cluster, local []string, remote string) error {
	for _, l := range local {
		to := remote
		if len(local) > 1 || strings.HasSuffix(remote, "/") {
			to = strings.TrimSuffix(remote, "/") + "/" + filepath.Base(l)
		}
		if err := c.Put(ctx, l, to); err != nil {
			return err
		}
	}
	return nil
}

func cat(ctx context.Context, c *devcluster.Cluster, paths []string) error {
	for _, p := range paths {
		entries, err := c.List(ctx, p)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if e.IsDir() || strings.HasPrefix(e.Suffix, "_") || strings.HasPrefix(e.Suffix, ".") {
				continue
			}
			r, err := c.Open(ctx, e.Path)
			if err != nil {
				return err
			}
			_, err = io.Copy(os.Stdout, r)
			r.Close()
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func address(c *devcluster.Cluster, name string) error {
	known := map[string]string{"namenode": c.NameNode(), "namenode-web": c.NameNodeWeb(), "rm": c.ResourceManager(), "rm-web": c.RMWeb()}
	a, ok := known[name]
	if !ok {
		return fmt.Errorf("address %q: expected namenode, namenode-web, rm or rm-web", name)
	}
	fmt.Println(a)
	return nil
}

func list(ctx context.Context, c *devcluster.Cluster, path string) error {
	entries, err := c.List(ctx, path)
	if err != nil {
		return err
	}
	for _, e := range entries {
		fmt.Printf("%-9s %5s %-10s %12d  %s\n", strings.ToLower(e.Type), e.Permission, e.Owner, e.Length, e.Path)
	}
	return nil
}

func logs(c *devcluster.Cluster, app string) error {
	files, err := c.ContainerLogs(app)
	if err != nil {
		return err
	}
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Printf("==> %s <==\n%s\n", name, files[name])
	}
	return nil
}
