package standalone

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/weft-project/weft/config"
)

// kind is a sort of process.
type kind struct {
	// log is its name in files, name the one in Flink's messages, command how weft runs it.
	log, name, command string
}

var (
	jobManagerKind  = kind{"jobmanager", "standalonesession", "standalone-jobmanager"}
	jobKind         = kind{"standalonejob", "standalonejob", "standalone-job"}
	taskManagerKind = kind{"taskmanager", "taskexecutor", "standalone-taskmanager"}
)

const (
	// readyLimit bounds the start of a process, stopLimit its end before it is killed.
	readyLimit = 30 * time.Second
	stopLimit  = 20 * time.Second
	// stopPoll is how often is looked whether a process has ended.
	stopPoll = 20 * time.Millisecond
	// EnvReady names the descriptor on which a process says that it is ready.
	EnvReady = "WEFT_READY_FD"
)

// Scripts does what the scripts of a standalone cluster are asked for.
type Scripts struct {
	Config  *config.Config
	ConfDir string
	// Executable is the weft binary; the scripts lie beside it.
	Executable     string
	Getenv         func(string) string
	Stdout, Stderr io.Writer
}

func (s *Scripts) say(format string, args ...any) { fmt.Fprintf(s.Stdout, format+"\n", args...) }

// hostname is this machine's name, for people.
func hostname() string {
	if h, err := os.Hostname(); err == nil {
		return h
	}
	return localhost
}

// LogDir is where the processes log: env.log.dir, else log/ beside the binary's directory.
func LogDir(c *config.Config, executable string) string {
	if dir := config.Get(c, config.LogDirectory); dir != "" {
		return dir
	}
	return filepath.Join(filepath.Dir(filepath.Dir(executable)), "log")
}

// LogName is the name of a process's log, without its ending.
func LogName(kindName string, instance int) string {
	return fmt.Sprintf("weft-%s-%s-%d-%s", osUser(), kindName, instance, hostname())
}

// pids opens the file of the processes of a kind.
func (s *Scripts) pids(k kind) (*pidFile, error) {
	dir := config.Get(s.Config, config.PIDDirectory)
	if dir == "" {
		dir = os.TempDir()
	}
	conf, err := filepath.Abs(s.ConfDir)
	if err != nil {
		return nil, err
	}
	return openPIDFile(dir, conf, k)
}

// living are the entries whose processes run.
func living(entries []entry) []entry {
	var out []entry
	for _, e := range entries {
		if e.alive() {
			out = append(out, e)
		}
	}
	return out
}

// start starts one process of a kind on this machine and waits until it is ready.
func (s *Scripts) start(ctx context.Context, k kind, args []string) (err error) {
	f, err := s.pids(k)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	entries, err := f.read()
	if err != nil {
		return err
	}
	entries = living(entries)
	if n := len(entries); n > 0 {
		s.say("[INFO] %d instance(s) of %s are already running on %s.", n, k.name, hostname())
	}
	s.say("Starting %s daemon on host %s.", k.name, hostname())
	e, startErr := s.spawn(ctx, k, freeInstance(entries), args)
	if startErr == nil {
		entries = append(entries, e)
	}
	return errors.Join(startErr, f.write(entries))
}

// freeInstance is the smallest number that no entry has.
func freeInstance(entries []entry) int {
	taken := map[int]bool{}
	for _, e := range entries {
		taken[e.instance] = true
	}
	n := 0
	for taken[n] {
		n++
	}
	return n
}

// spawn starts a process that outlives this one.
func (s *Scripts) spawn(ctx context.Context, k kind, instance int, args []string) (entry, error) {
	logs := LogDir(s.Config, s.Executable)
	if err := os.MkdirAll(logs, 0o755); err != nil {
		return entry{}, fmt.Errorf("log directory (%s): %w", config.LogDirectory.Key, err)
	}
	outPath := filepath.Join(logs, LogName(k.log, instance)+".out")
	out, err := os.OpenFile(outPath, os.O_CREATE|os.O_WRONLY|os.O_TRUNC|os.O_APPEND, 0o640)
	if err != nil {
		return entry{}, fmt.Errorf("log: %w", err)
	}
	defer out.Close()
	ours, theirs, err := os.Pipe()
	if err != nil {
		return entry{}, err
	}
	defer ours.Close()
	cmd := exec.Command(s.Executable, append([]string{k.command, "--instance", strconv.Itoa(instance)}, args...)...)
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = out, out, []*os.File{theirs}
	cmd.Env = append(os.Environ(), EnvReady+"=3", "WEFT_CONF_DIR="+s.ConfDir)
	// A session of its own: the terminal's end and its Ctrl-C are nothing to it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = cmd.Start()
	_ = theirs.Close()
	if err != nil {
		return entry{}, err
	}
	e := entry{cmd.Process.Pid, instance, startOf(cmd.Process.Pid)}
	if err := awaitReady(ctx, ours); err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		text := lastLines(outPath, 5)
		if text == "" {
			text = err.Error()
		}
		return entry{}, fmt.Errorf("the %s did not start (%s, %s): %s", k.name, outPath, LogName(k.log, instance)+".log", text)
	}
	return e, cmd.Process.Release()
}

// awaitReady waits for the line that a process writes when it is ready.
func awaitReady(ctx context.Context, r *os.File) error {
	if err := r.SetReadDeadline(time.Now().Add(readyLimit)); err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { _ = r.SetReadDeadline(time.Now()) })()
	line, err := bufio.NewReader(r).ReadString('\n')
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil || strings.TrimSpace(line) != "ready" {
		return errors.Join(errors.New("it ended, or was not ready in time"), err)
	}
	return nil
}

// SayReady tells who has started this process that it can do its work.
func SayReady(getenv func(string) string) {
	n, err := strconv.Atoi(getenv(EnvReady))
	if err != nil {
		return
	}
	f := os.NewFile(uintptr(n), "ready")
	_, _ = f.WriteString("ready\n") // who does not read it has gone
	_ = f.Close()
}

// stop ends processes that start has started: the newest, or all.
func (s *Scripts) stop(ctx context.Context, k kind, all bool) (err error) {
	f, err := s.pids(k)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	noted, err := f.read()
	if err != nil {
		return err
	}
	entries := living(noted)
	if len(entries) == 0 {
		if len(noted) == 0 {
			s.say("No %s daemon to stop on host %s.", k.name, hostname())
		}
		for _, e := range noted {
			s.say("No %s daemon (pid: %d) is running anymore on %s.", k.name, e.pid, hostname())
		}
		return errors.Join(f.write(nil), s.sweep())
	}
	rest := entries[:len(entries)-1]
	if all {
		rest = nil
	}
	var failed error
	for _, e := range entries[len(rest):] {
		s.say("Stopping %s daemon (pid: %d) on host %s.", k.name, e.pid, hostname())
		failed = errors.Join(failed, syscall.Kill(e.pid, syscall.SIGTERM))
	}
	for _, e := range entries[len(rest):] {
		failed = errors.Join(failed, e.await(ctx))
	}
	return errors.Join(failed, f.write(living(entries)), s.sweep())
}

// await waits for the end of a process that was told to end, and kills it when that takes too long.
func (e entry) await(ctx context.Context) error {
	look := time.NewTicker(stopPoll)
	defer look.Stop()
	limit := time.NewTimer(stopLimit)
	defer limit.Stop()
	for e.alive() {
		select {
		case <-look.C:
		case <-limit.C:
			if err := syscall.Kill(e.pid, syscall.SIGKILL); err != nil {
				return fmt.Errorf("end process %d: %w", e.pid, err)
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// sweep removes what killed processes have left.
func (s *Scripts) sweep() error {
	Sweep(tempDir(s.Config))
	return nil
}
