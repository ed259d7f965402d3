package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/weft-project/weft/client"
	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/standalone"
)

// standaloneSettings are the arguments of a process of a standalone cluster.
type standaloneSettings struct {
	*settings
	host              string
	webPort, instance int
}

// options are those of every such process.
func (s *standaloneSettings) options() []option {
	number := func(to *int, low int) func(*settings, string) error {
		return func(_ *settings, v string) (err error) {
			if *to, err = strconv.Atoi(v); err != nil || *to < low || *to > 65535 {
				return fmt.Errorf("%q is no number from %d to 65535", v, low)
			}
			return nil
		}
	}
	return []option{
		{names: []string{"h", "host"}, arg: "host", apply: func(_ *settings, v string) error { s.host = v; return nil }},
		{names: []string{"r", "webui-port"}, arg: "port", apply: number(&s.webPort, 1)},
		{names: []string{"instance"}, arg: "n", apply: number(&s.instance, 0)},
		property("D"),
	}
}

// standaloneArgs parses them. People write -D, the rest comes from the scripts.
func standaloneArgs(name string, args []string) (standaloneSettings, error) {
	s := standaloneSettings{instance: -1}
	var err error
	if s.settings, err = read(name, s.options(), args, false); err == nil && len(s.words) > 0 {
		err = &usageError{name, fmt.Sprintf("unexpected argument %q", s.words[0])}
	}
	return s, err
}

// clusterConfig reads the configuration of this distribution's cluster.
func (p *process) clusterConfig(s *settings) (c *config.Config, dir, executable string, err error) {
	if executable, err = os.Executable(); err != nil {
		return nil, "", "", fmt.Errorf("find the weft binary: %w", err)
	}
	executable = resolved(executable)
	if dir, err = config.Dir(p.getenv, executable); err == nil {
		dir, err = filepath.Abs(dir)
	}
	if err == nil {
		c, err = config.Load(dir)
	}
	if err == nil {
		s.apply(c)
		err = c.Check()
	}
	if err != nil {
		return nil, "", "", &client.Failure{Code: client.ExitUsage, Err: err}
	}
	return c, dir, executable, nil
}

// standaloneProcess runs one process of a standalone cluster; without an instance it logs to standard error.
func (p *process) standaloneProcess(ctx context.Context, kind string, args []string, run func(context.Context, standalone.Options) error) error {
	s, err := standaloneArgs("standalone-"+kind, args)
	if err != nil {
		return err
	}
	return p.runStandalone(ctx, kind, s, run)
}

// runStandalone runs a process whose arguments have been read.
func (p *process) runStandalone(ctx context.Context, kind string, s standaloneSettings, run func(context.Context, standalone.Options) error) error {
	c, dir, executable, err := p.clusterConfig(s.settings)
	if err != nil {
		return err
	}
	o := standalone.Options{Config: c, ConfDir: dir, Getenv: p.getenv, Host: s.host, WebPort: s.webPort, OpenFiles: clusterFiles,
		Name: standalone.LogName(kind, max(0, s.instance)), Version: versionText(), Revision: revision(),
		Ready: func() { standalone.SayReady(p.getenv) }}
	if s.instance >= 0 {
		o.LogDir = standalone.LogDir(c, executable)
	}
	log, configured, err := processLog(o.LogDir, o.Name+".log", p.stderr)
	if err != nil {
		return err
	}
	configured(c)
	o.Log = log
	log.Info("starting", "process", kind, "version", versionText(), "pid", os.Getpid(), "configuration", dir)
	for _, w := range c.Warnings() {
		log.Warn("configuration", "note", w)
	}
	if err = run(ctx, o); err != nil {
		log.Error("ended", "process", kind, "error", err)
		return err
	}
	log.Info("ended", "process", kind)
	return nil
}

// standaloneJobManager is the JobManager's process of a cluster without YARN.
func (p *process) standaloneJobManager(ctx context.Context, args []string) error {
	return p.standaloneProcess(ctx, "jobmanager", args, standalone.RunJobManager)
}

// standaloneTaskManager is a TaskManager's process of a cluster without YARN.
func (p *process) standaloneTaskManager(ctx context.Context, args []string) error {
	debug.SetMemoryLimit(taskManagerHeap)
	runtime.GOMAXPROCS(min(runtime.GOMAXPROCS(0), 2))
	return p.standaloneProcess(ctx, "taskmanager", args, standalone.RunTaskManager)
}

// scriptHelps is what the scripts answer to --help.
var scriptHelps = map[string]string{
	"start-cluster": `Usage: start-cluster.sh

Starts the JobManager on the host of conf/masters and a TaskManager for each line of conf/workers (or conf/slaves); ssh is
used for hosts that are not this one, where Weft and its configuration must lie in the same directories. The first start makes
conf/secret: copy it to the other machines, mode 0600.
`,
	"stop-cluster": `Usage: stop-cluster.sh

Cancels the jobs and ends the JobManager and the TaskManagers on the hosts of conf/masters and conf/workers that the scripts
have started.
`,
	"jobmanager": `Usage: jobmanager.sh (start | start-foreground) [HOST] [WEBUI-PORT] [-D key=value ...]
       jobmanager.sh stop | stop-all | token | read-token

Starts or ends a JobManager of a standalone cluster on this machine. token prints the token of REST calls, which is also the
password of the page; read-token prints one with which a program, such as one that scrapes metrics, may read only.
`,
	"taskmanager": `Usage: taskmanager.sh (start | start-foreground) [HOST] [-D key=value ...]
       taskmanager.sh stop | stop-all

Starts a TaskManager of a standalone cluster on this machine, also while jobs run; each start adds one. stop ends the one
started last. HOST is the name under which the others reach this machine.
`,
	"standalone-job": standaloneJobHelp,
	"zookeeper": `Usage: zookeeper.sh

Weft brings no ZooKeeper with it, and needs none: this release has no high availability. For a ZooKeeper of your own use
the scripts of its distribution: zkServer.sh start.
`,
}

// script is what the scripts of a standalone cluster call.
func (p *process) script(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return &usageError{"script", "no script named"}
	}
	name, args := args[0], args[1:]
	help, ok := scriptHelps[name]
	if !ok {
		return &usageError{"script", fmt.Sprintf("there is no script %q", name)}
	}
	for i, a := range args {
		if name == "standalone-job" && i > 1 {
			break // it may be the job's
		}
		// After the verb -h is the host of old command lines.
		if a == "--help" || a == "-help" || a == "-h" && i == 0 {
			fmt.Fprint(p.stdout, help)
			return nil
		}
	}
	bad := func() error { return badScriptArgs(name, args, help) }
	s, err := read(name+".sh", nil, nil, false)
	if err != nil {
		return err
	}
	c, dir, executable, err := p.clusterConfig(s)
	if err != nil {
		return err
	}
	scripts := &standalone.Scripts{Config: c, ConfDir: dir, Executable: executable, Getenv: p.getenv, Stdout: p.stdout, Stderr: p.stderr}
	switch name {
	case "start-cluster", "stop-cluster":
		if len(args) > 0 {
			return bad()
		}
		if name == "start-cluster" {
			return scripts.StartCluster(ctx)
		}
		return scripts.StopCluster(ctx)
	case "jobmanager", "taskmanager":
		return p.daemonScript(ctx, scripts, name, args, bad)
	case "standalone-job":
		return p.jobScript(ctx, scripts, args, bad)
	}
	return bad()
}

// badScriptArgs says what a script was given, then what it takes.
func badScriptArgs(name string, args []string, help string) error {
	said := name + ".sh: expected an action, such as start"
	switch {
	case name == "zookeeper":
		_, said, _ = strings.Cut(help, "\n\n")
		help = ""
	case len(args) > 0:
		said = fmt.Sprintf("%s.sh: unexpected %q", name, strings.Join(args, " "))
	}
	return &client.Failure{Code: client.ExitUsage, Err: errors.New(strings.TrimSpace(said + "\n" + help))}
}

// daemonScript is jobmanager.sh and taskmanager.sh.
func (p *process) daemonScript(ctx context.Context, scripts *standalone.Scripts, name string, args []string, bad func() error) error {
	if len(args) == 0 {
		return bad()
	}
	switch verb := args[0]; {
	case (verb == "token" || verb == "read-token") && name == "jobmanager":
		tokenOf := standalone.Token
		if verb == "read-token" {
			tokenOf = standalone.ReadToken
		}
		token, err := tokenOf(scripts.ConfDir)
		if err == nil {
			fmt.Fprintln(p.stdout, token)
		}
		return err
	case verb == "start-foreground":
		own, err := standalone.ProcessArgs(args[1:])
		if err != nil {
			return &usageError{name + ".sh", err.Error()}
		}
		if name == "jobmanager" {
			return p.standaloneJobManager(ctx, own)
		}
		return p.standaloneTaskManager(ctx, own)
	case verb == "start", (verb == "stop" || verb == "stop-all") && len(args) == 1:
		return scripts.Daemon(ctx, name, args)
	}
	return bad()
}
