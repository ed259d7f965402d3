package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/weft-project/weft/client"
	"github.com/weft-project/weft/config"
	release "github.com/weft-project/weft/rpc/version"
	"github.com/weft-project/weft/security/identity"
)

// version is set by the linker in releases; otherwise it is what the module system knows.
var version = ""

func main() {
	p := &process{getenv: os.Getenv, stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr}
	ctx, stop := p.signals()
	code := p.run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

// process is what a command knows of the world, so that tests can stand in for it.
type process struct {
	getenv         func(string) string
	stdin          io.Reader
	stdout, stderr io.Writer
}

// signals gives a context that ends at the first Ctrl-C or SIGTERM, so that the command can clean up. The second ends the
// process at once.
func (p *process) signals() (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	in := make(chan os.Signal, 2)
	signal.Notify(in, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-in
		cancel(context.Canceled)
		<-in
		os.Exit(client.ExitInterrupted)
	}()
	return ctx, func() {
		signal.Stop(in)
		cancel(nil)
	}
}

// run does a command and gives its exit code.
func (p *process) run(ctx context.Context, args []string) int {
	if len(args) == 1 {
		switch args[0] {
		case "--version", "-v", "-version":
			fmt.Fprintln(p.stdout, versionLine())
			return 0
		}
	}
	err := p.commands().RunContext(ctx, append([]string{"weft"}, args...))
	return p.exitCode(ctx, err)
}

// exitCode shows an error and maps it to the process's exit code.
func (p *process) exitCode(ctx context.Context, err error) int {
	var wrong *usageError
	var failure *client.Failure
	var job *client.JobFailed
	switch {
	case err == nil:
		return 0
	case errors.As(err, &wrong):
		fmt.Fprintf(p.stderr, "weft %s: %s\nSee weft %s --help.\n", wrong.command, wrong.text, wrong.command)
		return client.ExitUsage
	case errors.As(err, &job):
		// The block that scripts which watch Flink's output know.
		fmt.Fprintf(p.stderr, "\n------------------------------------------------------------\n The program finished with the following exception:\n\n%v\n", job)
		return client.ExitFailed
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		fmt.Fprintln(p.stderr, "Interrupted.")
		return client.ExitInterrupted
	case errors.As(err, &failure) && failure.Code == client.ExitInterrupted:
		fmt.Fprintln(p.stderr, "Interrupted.")
		return client.ExitInterrupted
	case errors.As(err, &failure):
		fmt.Fprintf(p.stderr, "Error: %v\n", err)
		return failure.Code
	}
	fmt.Fprintf(p.stderr, "Error: %v\n", err)
	// Who could not log in has the same code, whatever was asked of which server.
	switch login, kdcAway := identity.IsLogin(err); {
	case kdcAway:
		return client.ExitUnreachable
	case login:
		return client.ExitUsage
	}
	return client.ExitFailed
}

// client makes the client of a command: configuration by files, then what the session of the properties file was started with
// (unless which is nil or names another), then the command line.
func (p *process) client(s *settings, which *client.Which) (*client.Client, error) {
	executable, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find the weft binary: %w", err)
	}
	dir, err := config.Dir(p.getenv, executable)
	if err != nil {
		return nil, &client.Failure{Code: client.ExitUsage, Err: err}
	}
	// What is wrong with the file's form is told together with what is wrong with its values.
	c, loadErr := config.Load(dir)
	s.apply(c)
	home, err := os.UserHomeDir()
	if err != nil {
		return nil, fmt.Errorf("the user's home directory: %w", err)
	}
	level := slog.LevelWarn
	if p.getenv("WEFT_DEBUG") != "" {
		level = slog.LevelDebug
	}
	console := client.NewConsole(p.stdout, p.stderr)
	cl := &client.Client{
		Config: c, Getenv: p.getenv, Stdin: p.stdin, Home: home, ConfDir: dir, Executable: resolved(executable), Version: versionText(),
		Console: console, OpenFiles: clientFiles(console.Say),
		Log: slog.New(slog.NewTextHandler(p.stderr, &slog.HandlerOptions{Level: level})),
	}
	if which != nil {
		cl.UseProperties(*which)
	}
	for _, w := range append(c.Warnings(), s.notes...) {
		cl.Console.Say("Note: %s", w)
	}
	if err := errors.Join(loadErr, c.Check()); err != nil {
		return nil, &client.Failure{Code: client.ExitUsage, Err: err}
	}
	return cl, nil
}

// versionText is the release, or the commit it was built from.
func versionText() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return release.SDK
}

// commit is set by the linker; empty in builds by hand.
var commit = ""

// revision is the abbreviated commit the binary was built from.
func revision() string {
	if commit != "" {
		return commit
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" && len(s.Value) > 7 {
				return s.Value[:7]
			}
		}
	}
	return "unknown"
}

// versionLine is Flink's format.
func versionLine() string {
	return fmt.Sprintf("Version: %s, Commit ID: %s", versionText(), revision())
}
