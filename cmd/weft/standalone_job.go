package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/weft-project/weft/client"
	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/standalone"
)

const standaloneJobHelp = `Usage: standalone-job.sh (start | start-foreground) [OPTIONS] JOB [ARGUMENTS...]
       standalone-job.sh stop | stop-all

Starts or ends, on this machine, a JobManager that runs the main of one job and ends with it, and its TaskManagers too. Start
TaskManagers with taskmanager.sh. JOB is a job binary, here or on HDFS (hdfs://...), or the name of a file in usrlib/ beside
bin/; what follows it is the job's. start-foreground ends with 0 when the jobs of main have finished, with 1 when one has failed.

   -j, --job-classname <job>   JOB, as scripts of Flink name it; what follows the options is the job's
   --jars <file>               JOB, too
   -jid, --job-id <id>         The id of the first job: 32 hexadecimal digits
   -h, --host <host>           Where the JobManager listens
   -r, --webui-port <port>     The port of its REST server
   -D <key=value>              Set a key of the configuration; may be repeated
`

// jobSettings are the arguments of standalone-job.sh.
type jobSettings struct {
	standaloneSettings
	job standalone.Job
}

// standaloneJobArgs parses them. Options of a job that was named by an option are the job's, from the first that is not ours.
func standaloneJobArgs(args []string, executable string) (jobSettings, error) {
	const name = "standalone-job.sh"
	s := jobSettings{standaloneSettings: standaloneSettings{settings: &settings{}, instance: -1}}
	var class, jars string
	text := func(to *string) func(*settings, string) error {
		return func(_ *settings, v string) error { *to = v; return nil }
	}
	options := append(s.options(),
		option{names: []string{"j", "job-classname"}, arg: "job", apply: text(&class)},
		option{names: []string{"jars"}, arg: "file", apply: text(&jars)},
		option{names: []string{"jid", "job-id"}, arg: "id", apply: func(_ *settings, v string) (err error) {
			s.job.ID, err = id.ParseJob(v)
			return err
		}},
		key("s,fromSavepoint", "path", config.RestorePath.Key, ""),
		refuse("c,configDir", "dir", "set WEFT_CONF_DIR to the directory of the configuration"),
		flag("n,allowNonRestoredState", "", func(s *settings) { s.set(config.RestoreIgnoreUnclaimed.Key, "true", "-n") }))
	for len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' {
		if args[0] == "--" {
			args = args[1:]
			break
		}
		found, used, err := match(options, args)
		if err != nil && (class != "" || jars != "") {
			break
		}
		for _, f := range found {
			err = errors.Join(err, f.option.apply(s.settings, f.value))
		}
		if err != nil {
			return s, &usageError{name, err.Error()}
		}
		args = args[used:]
	}
	job := class
	if jars != "" {
		if job = jars; strings.Contains(jars, ",") {
			return s, &usageError{name, fmt.Sprintf("--jars %s: expected one file, since a Go job is one binary", jars)}
		}
	}
	if job == "" && len(args) > 0 {
		job, args = args[0], args[1:]
	}
	var err error
	if s.job.Binary, err = findJob(job, filepath.Join(filepath.Dir(filepath.Dir(executable)), "usrlib")); err != nil {
		return s, &usageError{name, err.Error()}
	}
	s.job.Args = args
	return s, nil
}

// findJob finds a job's binary: as a path, or in the directory for jobs; without a name the only one there.
func findJob(name, usrlib string) (string, error) {
	if strings.Contains(name, "://") {
		return name, nil
	}
	if name != "" {
		if _, err := os.Stat(name); err == nil {
			return filepath.Abs(name)
		}
		if in := filepath.Join(usrlib, name); !strings.Contains(name, "/") {
			if _, err := os.Stat(in); err == nil {
				return in, nil
			}
		}
		return "", fmt.Errorf("there is no job %s, neither as a path nor in %s", name, usrlib)
	}
	var files []string
	entries, err := os.ReadDir(usrlib)
	for _, e := range entries {
		if e.Type().IsRegular() && !strings.HasPrefix(e.Name(), ".") {
			files = append(files, filepath.Join(usrlib, e.Name()))
		}
	}
	if len(files) == 1 && err == nil {
		return files[0], nil
	}
	return "", fmt.Errorf("no job: name a job binary, or lay one, and no other file, into %s", usrlib)
}

// standaloneJob is the process: a JobManager with main beside it.
func (p *process) standaloneJob(ctx context.Context, args []string) error {
	executable, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find the weft binary: %w", err)
	}
	s, err := standaloneJobArgs(args, resolved(executable))
	if err != nil {
		return err
	}
	s.job.Stdout, s.job.Stderr = p.stdout, p.stderr
	return p.runStandalone(ctx, "standalonejob", s.standaloneSettings, func(ctx context.Context, o standalone.Options) error {
		o.Job = &s.job
		return standalone.RunJobManager(ctx, o)
	})
}

// jobScript is standalone-job.sh.
func (p *process) jobScript(ctx context.Context, scripts *standalone.Scripts, args []string, bad func() error) error {
	if len(args) == 0 {
		return bad()
	}
	switch verb := args[0]; verb {
	case "start-foreground":
		return p.standaloneJob(ctx, args[1:])
	case "start":
		// Told here rather than by way of the process's log.
		if _, err := standaloneJobArgs(args[1:], scripts.Executable); err != nil {
			return err
		}
		return scripts.DaemonJob(ctx, verb, args[1:])
	case "stop", "stop-all":
		if len(args) > 1 {
			return &client.Failure{Code: client.ExitUsage, Err: fmt.Errorf("standalone-job.sh %s: unexpected argument %q", verb, args[1])}
		}
		return scripts.DaemonJob(ctx, verb, nil)
	}
	return bad()
}
