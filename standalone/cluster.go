package standalone

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/rest"
	"github.com/weft-project/weft/security"
)

// StartCluster starts the JobManager of conf/masters and the TaskManagers of conf/workers.
func (s *Scripts) StartCluster(ctx context.Context) error {
	master, port, workers, err := s.hosts()
	if err != nil {
		return err
	}
	// Before anything is started on another machine, so that it can be copied there.
	if _, err := Secret(s.ConfDir, true); err != nil {
		return err
	}
	s.say("Starting cluster.")
	args := []string{"start"}
	if port != "" {
		args = append(args, master, port)
	}
	if err := s.on(ctx, master, "jobmanager.sh", args); err != nil {
		return err
	}
	var failed []error
	for _, host := range workers {
		failed = append(failed, s.on(ctx, host, "taskmanager.sh", []string{"start"}))
	}
	return errors.Join(failed...)
}

// StopCluster ends what runs on the machines of conf/masters and conf/workers: the JobManager first, which cancels the jobs and has its
// TaskManagers end.
func (s *Scripts) StopCluster(ctx context.Context) error {
	master, _, workers, err := s.hosts()
	if err != nil {
		return err
	}
	failed := []error{s.on(ctx, master, "jobmanager.sh", []string{"stop-all"})}
	for i, host := range workers {
		if !slices.Contains(workers[:i], host) {
			failed = append(failed, s.on(ctx, host, "taskmanager.sh", []string{"stop-all"}))
		}
	}
	return errors.Join(failed...)
}

// hosts reads conf/masters and conf/workers.
func (s *Scripts) hosts() (master, port string, workers []string, err error) {
	masters, err := config.Masters(s.ConfDir)
	if err != nil {
		return "", "", nil, err
	}
	if len(masters) > 1 {
		return "", "", nil, fmt.Errorf("conf/masters names %d hosts (%s): this release has no high availability; name one",
			len(masters), strings.Join(masters, ", "))
	}
	if master, err = jobManagerHost(s.Config, s.ConfDir); err != nil {
		return "", "", nil, err
	}
	if len(masters) == 1 {
		master, port = splitMaster(masters[0])
	}
	workers, err = config.Workers(s.ConfDir)
	return master, port, workers, err
}

// on runs a script here, or by ssh where a host is not this one.
func (s *Scripts) on(ctx context.Context, host, script string, args []string) error {
	if isLocal(host) {
		return s.Daemon(ctx, strings.TrimSuffix(script, ".sh"), args)
	}
	command := "WEFT_CONF_DIR=" + quoted(s.ConfDir) + " " + quoted(filepath.Join(filepath.Dir(s.Executable), script))
	for _, a := range args {
		command += " " + quoted(a)
	}
	ssh := append([]string{"-n"}, strings.Fields(config.Get(s.Config, config.SSHOptions))...)
	cmd := exec.CommandContext(ctx, "ssh", append(ssh, "--", host, command)...)
	cmd.Stdout, cmd.Stderr = s.Stdout, s.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s on host %s by ssh: %w", script, host, err)
	}
	return nil
}

// quoted is one word for a shell.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// isLocal tells whether a host is this machine.
func isLocal(host string) bool {
	own := hostname()
	short, _, _ := strings.Cut(own, ".")
	if host == localhost || strings.EqualFold(host, own) || strings.EqualFold(host, short) {
		return true
	}
	addresses, err := net.LookupHost(host)
	if err != nil || len(addresses) == 0 {
		return false
	}
	mine, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, a := range addresses {
		ip := net.ParseIP(a)
		if !ip.IsLoopback() && !slices.ContainsFunc(mine, func(m net.Addr) bool {
			n, ok := m.(*net.IPNet)
			return ok && n.IP.Equal(ip)
		}) {
			return false
		}
	}
	return true
}

// DaemonJob is Daemon for standalone-job.sh; args are those of the process, behind the verb.
func (s *Scripts) DaemonJob(ctx context.Context, verb string, args []string) error {
	if verb == "start" {
		return s.start(ctx, jobKind, args)
	}
	return s.stop(ctx, jobKind, verb == "stop-all")
}

// Daemon does what jobmanager.sh and taskmanager.sh are asked for: start, stop, stop-all. start-foreground is the caller's.
func (s *Scripts) Daemon(ctx context.Context, name string, args []string) error {
	k := taskManagerKind
	if name == jobManagerKind.log {
		k = jobManagerKind
	}
	verb := ""
	if len(args) > 0 {
		verb = args[0]
	}
	switch verb {
	case "start":
		rest, err := ProcessArgs(args[1:])
		if err != nil {
			return err
		}
		return s.start(ctx, k, rest)
	case "stop":
		return s.stop(ctx, k, false)
	case "stop-all":
		return s.stop(ctx, k, true)
	}
	return fmt.Errorf("%s.sh %q: expected start, start-foreground, stop or stop-all", name, verb)
}

// ProcessArgs turns the arguments after start, [host] [webui-port] and options, into those of the process.
func ProcessArgs(args []string) ([]string, error) {
	var out []string
	places := []string{"--host", "--webui-port"}
	for i, a := range args {
		// Words come first; what follows belongs to options.
		if strings.HasPrefix(a, "-") {
			return append(out, args[i:]...), nil
		}
		if i == len(places) {
			return nil, fmt.Errorf("unexpected argument %q: expected start [HOST] [WEBUI-PORT] [OPTIONS]", a)
		}
		if a == "cluster" || a == "local" { // the mode, which scripts of Flink before 1.5 name
			return nil, fmt.Errorf("%q is not needed any more: expected start [HOST] [WEBUI-PORT] [OPTIONS]", a)
		}
		out = append(out, places[i], a)
	}
	return out, nil
}

// ReadToken is the token of programs that may read the cluster's REST documents only.
func ReadToken(confDir string) (string, error) {
	owner, err := Token(confDir)
	if err != nil {
		return "", err
	}
	return rest.ReadToken(owner), nil
}

// Token is the token of REST calls to the cluster, for its owner.
func Token(confDir string) (string, error) {
	secret, err := Secret(confDir, false)
	if err != nil {
		return "", err
	}
	return secret.Derive(security.LabelRESTOwner).Hex(), nil
}
