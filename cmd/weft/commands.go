package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/weft-project/weft/client"
	"github.com/weft-project/weft/config"
)

// commands is the command tree. Options are ours to parse: the library knows neither -Dkey=value nor -jm1024.
func (p *process) commands() *cli.App {
	command := func(name string, run func(context.Context, []string) error) *cli.Command {
		return &cli.Command{Name: name, Usage: helps[name].about, SkipFlagParsing: true, HideHelp: true, HideHelpCommand: true,
			Action: func(c *cli.Context) error { return run(c.Context, c.Args().Slice()) }}
	}
	hidden := func(name string, run func(context.Context, []string) error) *cli.Command {
		c := command(name, run)
		c.Hidden = true
		return c
	}
	return &cli.App{
		Name: "weft", Usage: "stateful stream and batch processing in Go, on YARN", HideHelpCommand: true, HideVersion: true,
		UsageText: "weft COMMAND [OPTIONS] [ARGUMENTS...]\nweft COMMAND --help\nweft --version",
		Writer:    p.stdout, ErrWriter: p.stderr,
		// Errors are shown and mapped to exit codes by main alone.
		ExitErrHandler: func(*cli.Context, error) {},
		OnUsageError: func(_ *cli.Context, err error, _ bool) error {
			return &client.Failure{Code: client.ExitUsage, Err: err}
		},
		Action: p.noCommand,
		Commands: []*cli.Command{
			command("yarn-session", p.yarnSession), command("run", p.runJob), command("list", p.list), command("info", p.info),
			command("cancel", p.cancel), command("init", p.initJob), command("run-application", p.runApplication),
			command("logs", p.showLogs), command("doctor", p.doctor), command("completion", p.completionCommand), command("state", p.inspectState), command("ha", p.highAvailability), command("stop", p.stopJob), command("savepoint", p.takeSavepoint),
			hidden("checkpoint", p.takeCheckpoint), hidden("modify", p.missing("modify")),
			hidden("jobmanager", p.jobManager), hidden("taskmanager", p.taskManager),
			hidden("standalone-jobmanager", p.standaloneJobManager), hidden("standalone-taskmanager", p.standaloneTaskManager),
			hidden("standalone-job", p.standaloneJob), hidden("script", p.script),
		},
	}
}

// noCommand answers a command line without a known command.
func (p *process) noCommand(c *cli.Context) error {
	if c.Args().Len() == 0 {
		_ = cli.ShowAppHelp(c)
		return &client.Failure{Code: client.ExitUsage, Err: errors.New("please name a command")}
	}
	name, hint := c.Args().First(), ""
	if name == "help" {
		return p.helpFor(c)
	}
	if slices.Contains([]string{"session", "yarn_session", "yarnsession", "yarn-session.sh"}, name) {
		hint = ", did you mean yarn-session?"
	} else if name == "version" {
		hint = ", did you mean --version?"
	} else if near := config.Nearest(name, slices.Values(slices.Sorted(maps.Keys(helps)))); near != "" {
		hint = fmt.Sprintf(", did you mean %s?", near)
	}
	return &client.Failure{Code: client.ExitUsage, Err: fmt.Errorf("%q is not a command of weft%s\nSee weft --help", name, hint)}
}

// helpFor answers weft help and weft help COMMAND, which many type first.
func (p *process) helpFor(c *cli.Context) error {
	if command := c.Args().Get(1); command != "" {
		if _, ok := helps[command]; !ok {
			return &client.Failure{Code: client.ExitUsage, Err: fmt.Errorf("%q is not a command of weft\nSee weft --help", command)}
		}
		printHelp(p.stdout, command)
		return nil
	}
	return cli.ShowAppHelp(c)
}

// start reads the options of a command and makes its client; done tells that help was asked for and shown.
func (p *process) start(name string, args []string, stopAtWord bool) (s *settings, c *client.Client, done bool, err error) {
	if s, err = read(name, helps[name].options(), args, stopAtWord); err != nil {
		return nil, nil, false, err
	}
	if s.help {
		printHelp(p.stdout, name)
		return s, nil, true, nil
	}
	which := s.which()
	c, err = p.client(s, &which)
	return s, c, false, err
}

func (s *settings) which() client.Which {
	return client.Which{Application: s.application, Master: s.master}
}

func (p *process) yarnSession(ctx context.Context, args []string) error {
	s, err := read("yarn-session", sessionOptions(), args, false)
	if err != nil {
		return err
	}
	if s.help {
		printHelp(p.stdout, "yarn-session")
		return nil
	}
	if len(s.words) > 0 {
		return &usageError{"yarn-session", fmt.Sprintf("unexpected argument %q", s.words[0])}
	}
	// A new session takes nothing from the one before.
	c, err := p.client(s, nil)
	if err != nil {
		return err
	}
	defer c.Close()
	if s.query {
		return c.Query(ctx)
	}
	if s.application != "" {
		session, err := c.AttachTo(ctx, s.application)
		if err != nil {
			return err
		}
		session.Announce()
		if s.detached {
			return nil
		}
		return session.Attach(ctx, false)
	}
	swept := c.Sweep(ctx)
	defer swept()
	session, err := c.StartSession(ctx, client.SessionOptions{Ship: s.ship, Dynamic: s.dynamic()})
	if err != nil {
		return err
	}
	session.Announce()
	if s.detached {
		session.AnnounceDetached()
		return nil
	}
	return session.Attach(ctx, true)
}

func (p *process) runJob(ctx context.Context, args []string) error {
	s, c, done, err := p.start("run", args, true)
	if err != nil || done {
		return err
	}
	defer c.Close()
	if s.query {
		return c.Query(ctx)
	}
	if len(s.words) == 0 {
		return &usageError{"run", "no job: give a job binary or a Go package directory"}
	}
	target, err := s.target(c.Config)
	if err != nil {
		return err
	}
	if target == config.TargetLocal {
		return c.RunHere(ctx, client.Run{Job: s.words[0], Args: s.words[1:], Class: s.class, Detached: !config.Get(c.Config, config.Attached)})
	}
	if target == config.TargetPerJob || target == config.TargetApplication {
		return p.runOwn(ctx, c, s, target)
	}
	s.noteForSession(c.Console.Say)
	swept := c.Sweep(ctx)
	defer swept()
	return c.RunJob(ctx, client.Run{Job: s.words[0], Args: s.words[1:], Class: s.class, Detached: !config.Get(c.Config, config.Attached), Which: s.which()})
}

// checkTarget refuses targets that there are not.
func checkTarget(command string, c *config.Config) error {
	switch target := config.Get(c, config.Target); target {
	case "", config.TargetSession, config.TargetPerJob, config.TargetApplication, config.TargetLocal, "remote":
		return nil
	default:
		return &usageError{command, fmt.Sprintf("target %q (%s): expected yarn-session, yarn-per-job, yarn-application, remote or local", target, c.Source(config.Target.Key))}
	}
}

func (p *process) info(ctx context.Context, args []string) error {
	s, c, done, err := p.start("info", args, true)
	if err != nil || done {
		return err
	}
	defer c.Close()
	if len(s.words) == 0 {
		return &usageError{"info", "no job: give a job binary or a Go package directory"}
	}
	return c.Info(ctx, client.Run{Job: s.words[0], Args: s.words[1:], Class: s.class}, s.planForm())
}

func (p *process) list(ctx context.Context, args []string) error {
	s, c, done, err := p.start("list", args, false)
	if err != nil || done {
		return err
	}
	defer c.Close()
	if len(s.words) > 0 {
		return &usageError{"list", fmt.Sprintf("unexpected argument %q", s.words[0])}
	}
	swept := c.SweepAbandoned(ctx)
	defer swept()
	if err := checkTarget("list", c.Config); err != nil {
		return err
	}
	session, err := c.FindSession(ctx, s.which())
	if err != nil {
		return err
	}
	return session.List(ctx, client.Lists{All: s.all, Running: s.running, Scheduled: s.scheduled})
}

func (p *process) cancel(ctx context.Context, args []string) error {
	s, c, done, err := p.start("cancel", args, false)
	if err != nil || done {
		return err
	}
	defer c.Close()
	if len(s.words) != 1 {
		return &usageError{"cancel", "expected one job id, as weft list shows it"}
	}
	swept := c.SweepAbandoned(ctx)
	defer swept()
	if err := checkTarget("cancel", c.Config); err != nil {
		return err
	}
	session, err := c.FindSession(ctx, s.which())
	if err != nil {
		return err
	}
	if s.withSavepoint {
		return session.CancelWithSavepoint(ctx, s.words[0], s.savepoint)
	}
	return session.Cancel(ctx, s.words[0])
}

func (p *process) initJob(_ context.Context, args []string) error {
	s, c, done, err := p.start("init", args, false)
	if err != nil || done {
		return err
	}
	if len(s.words) != 1 {
		return &usageError{"init", "expected one directory"}
	}
	return c.Init(s.words[0])
}

// resolved follows symbolic links, so that conf/ and sdk/ are found beside the real binary.
func resolved(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	return path
}
