package main

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"

	"github.com/weft-project/weft/am"
)

// processSettings are the arguments of a process that YARN starts.
type processSettings struct {
	logDir, jobManager    string
	slots, memory, vcores int
}

// processArgs parses them; they are written by us, not by people.
func processArgs(name string, args []string) (processSettings, error) {
	var s processSettings
	number := func(to *int) func(*settings, string) error {
		return func(_ *settings, v string) (err error) {
			if *to, err = strconv.Atoi(v); err != nil || *to < 1 {
				return fmt.Errorf("%q is not a positive number", v)
			}
			return nil
		}
	}
	text := func(to *string) func(*settings, string) error {
		return func(_ *settings, v string) error {
			*to = v
			return nil
		}
	}
	options := []option{
		{names: []string{"log-dir"}, arg: "dir", apply: text(&s.logDir)},
		{names: []string{"jobmanager"}, arg: "host:port", apply: text(&s.jobManager)},
		{names: []string{"slots"}, arg: "n", apply: number(&s.slots)},
		{names: []string{"memory"}, arg: "MB", apply: number(&s.memory)},
		{names: []string{"vcores"}, arg: "n", apply: number(&s.vcores)},
	}
	rest, err := read(name, options, args, false)
	if err == nil && len(rest.words) > 0 {
		err = &usageError{name, fmt.Sprintf("unexpected argument %q", rest.words[0])}
	}
	return s, err
}

// jobManagerGC is the JobManager's garbage collection goal in percent: its heap is small and mostly waits, so that memory is worth more
// than the little time that collecting more often takes.
const jobManagerGC = 40

// jobManager is the JobManager's process in a YARN container.
func (p *process) jobManager(ctx context.Context, args []string) error {
	s, err := processArgs("jobmanager", args)
	if err != nil {
		return err
	}
	log, configured, err := processLog(s.logDir, "jobmanager.log", p.stderr)
	if err != nil {
		return err
	}
	dir, err := os.Getwd()
	if err != nil {
		return err
	}
	debug.SetGCPercent(jobManagerGC)
	log.Info("starting the JobManager", "version", versionText(), "pid", os.Getpid(), "container", p.getenv("CONTAINER_ID"))
	err = am.Run(ctx, am.Options{
		Dir: dir, LogDir: s.logDir, Getenv: p.getenv, OpenFiles: clusterFiles, Log: log, Configured: configured, Version: versionText(), Revision: revision(),
	})
	if err != nil {
		log.Error("the JobManager ended", "error", err)
	} else {
		log.Info("the JobManager ended")
	}
	return err
}
